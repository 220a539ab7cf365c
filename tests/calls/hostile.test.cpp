// SPDX-License-Identifier: BSL-1.0
// Replies that no server of ours sends: to nobody, twice, in another's name, and garbage.
#include "forger.hpp"

namespace partywall::test {
namespace {

using detail::call_id;
using detail::reply_header;
using detail::reply_status;

struct HostileServer : testing::Test {
    scratch_root root;
    participant me = joined(root.path());
    participant other = joined(root.path(), "other");
    std::vector<deferred<told>> owed;
    server<ask, told> s =
        me.server<ask, told>("s", [this](ask const&, deferred<told> d, call_context&) {
              owed.push_back(std::move(d));
          }).value();
};

TEST_F(HostileServer, RepliesToNobodyAreDroppedAndTheCallStillGetsItsOwn) {
    auto c = other.client<ask, told>("s", calling()).value();
    auto call = c.call_async(ask::of(1)); // slot 0, generation 0
    EXPECT_EQ(s.poll(), 1u);
    forger<told> forged(me, c.incarnation(), s.incarnation());
    std::vector<std::byte> const wrong = bytes_of(told::of(99));
    forged.send(header(call_id(1, 0)), wrong);     // a free slot
    forged.send(header(call_id(0, 1)), wrong);     // another life of the slot
    forged.send(header(call_id(64, 0)), wrong);    // beyond the table
    forged.send(header(~std::uint64_t{0}), wrong); // far beyond
    EXPECT_EQ(c.poll(), 0u);
    EXPECT_FALSE(call.ready());
    EXPECT_EQ(c.late_replies(), 4u);
    EXPECT_TRUE(owed.at(0).answer(told::of(1)));
    EXPECT_TRUE(call.get().value()->answers(1));
}

TEST_F(HostileServer, RepliesInAnothersNameAreNobodys) {
    auto c = other.client<ask, told>("s", calling()).value();
    auto call = c.call_async(ask::of(1));
    EXPECT_EQ(s.poll(), 1u);
    forger<told> forged(me, c.incarnation(), s.incarnation() + 1);
    forged.send(header(call_id(0, 0)), bytes_of(told::of(99)));
    EXPECT_EQ(c.poll(), 0u);
    EXPECT_FALSE(call.ready());
    EXPECT_TRUE(owed.at(0).answer(told::of(1)));
    EXPECT_TRUE(call.get().value()->answers(1));
}

TEST_F(HostileServer, ASecondReplyIsNobodysWhateverTheSlotIsUsedForNext) {
    auto c = other.client<ask, told>("s", calling()).value();
    auto call = c.call_async(ask::of(1));
    EXPECT_EQ(s.poll(), 1u);
    forger<told> forged(me, c.incarnation(), s.incarnation());
    EXPECT_TRUE(owed.at(0).answer(told::of(1)));
    EXPECT_TRUE(call.get().value()->answers(1));
    auto next = c.call_async(ask::of(2)); // the same slot
    EXPECT_EQ(s.poll(), 1u);
    forged.send(header(call_id(0, 0)), bytes_of(told::of(1)));
    EXPECT_EQ(c.poll(), 0u);
    EXPECT_FALSE(next.ready());
    EXPECT_EQ(c.late_replies(), 1u);
    EXPECT_TRUE(owed.at(1).answer(told::of(2)));
    EXPECT_TRUE(next.get().value()->answers(2));
}

TEST_F(HostileServer, AReplyThatSaysNothingKnownIsCorruptAndMaybe) {
    auto c = other.client<ask, told>("s", calling()).value();
    auto call = c.call_async(ask::of(1));
    EXPECT_EQ(s.poll(), 1u);
    forger<told> forged(me, c.incarnation(), s.incarnation());
    forged.send(header(call_id(0, 0), static_cast<reply_status>(77)));
    auto const r = call.get();
    EXPECT_EQ(r.error(), call_errc::corrupt);
    EXPECT_EQ(r.error().executed, executed::maybe);
}

TEST_F(HostileServer, ATextThatIsLongerThanItsReplyIsCut) {
    auto c = other.client<ask, told>("s", calling()).value();
    auto call = c.call_async(ask::of(1));
    EXPECT_EQ(s.poll(), 1u);
    forger<told> forged(me, c.incarnation(), s.incarnation());
    reply_header h = header(call_id(0, 0), reply_status::failed);
    h.text_bytes = 65'535;
    forged.send(h, std::vector<std::byte>(8, std::byte{'x'}));
    EXPECT_EQ(call.get().error().text().size(), call_text_bytes_max);
}

TEST_F(HostileServer, AReplyThatIsShorterThanItsHeaderIsNobodys) {
    auto t = me.server<bytes, bytes>("t", [](std::span<std::byte const>) {
                   return std::string("answer");
               }).value();
    auto c = other.client<bytes, bytes>("t", calling()).value();
    auto call = c.call_async(std::span<std::byte const>());
    (void)t.poll();
    forger<bytes> forged(me, c.incarnation(), t.incarnation());
    for (std::size_t bytes = 0; bytes < sizeof(reply_header); ++bytes) {
        forged.send_bytes(bytes);
    }
    EXPECT_EQ(call.get().value().text(), "answer");
    (void)c.poll();
    EXPECT_EQ(c.late_replies(), sizeof(reply_header));
}

TEST_F(HostileServer, AStampThatIsNoneInItsLaneOfRepliesEndsItsCallsAndThatIsCorrupt) {
    auto c = other.client<ask, told>("s", calling()).value();
    auto begun = c.call_async(ask::of(1));
    EXPECT_EQ(s.poll(), 1u);
    auto untaken = c.call_async(ask::of(2));
    (void)c.poll();
    entry_info target;
    target.name = "replies";
    target.owner_ticket = c.incarnation() >> 24;
    target.number = c.incarnation() & endpoints_max;
    tampered_inbox const inbox(me, target);
    for (std::uint64_t i = 0; i < inbox.segment().constants.cell_count; ++i) {
        inbox.cell(inbox.lane_of(me.ticket()), i) = 0x7777'7777'7777'7777;
    }
    auto const first = begun.get();
    EXPECT_EQ(first.error(), call_errc::corrupt);
    EXPECT_EQ(first.error().executed, executed::maybe);
    auto const second = untaken.get();
    EXPECT_EQ(second.error(), call_errc::corrupt);
    EXPECT_EQ(second.error().executed, executed::no);
    EXPECT_EQ(c.open_calls(), 0u);
    (void)s.poll();
    EXPECT_EQ(owed.size(), 1u) << "the other one was cancelled, or its lane was gone";
    auto d = me.client<ask, told>("s", calling()).value();
    auto other_ones = d.call_async(ask::of(3));
    EXPECT_EQ(s.poll(), 1u);
    EXPECT_TRUE(owed.at(1).answer(told::of(3)));
    EXPECT_TRUE(other_ones.get().value()->answers(3));
}

TEST_F(HostileServer, AServerWhoseTakenWordIsWrongCanOnlyMakeItsAnswersWrong) {
    auto c = other.client<ask, told>("s", calling()).value();
    entry_info const e = me.core()->entries(entry_kind::service, "s").at(0);
    tampered_inbox const inbox(me, e);
    for (std::uint64_t const taken :
         {std::uint64_t{0}, ~std::uint64_t{0}, std::uint64_t{1} << 63}) {
        std::uint32_t const lane = inbox.lane_of(other.ticket());
        ASSERT_LT(lane, inbox.lane_count());
        inbox.lane(lane).taken = taken;
        auto const r = c.call(ask::of(1), 1ms);
        EXPECT_EQ(r.error(), call_errc::deadline);
    }
}

/// The same in the other direction.
TEST(HostileClient, RequestsThatAreShorterThanTheirHeaderEndItsLaneAndNoOthers) {
    scratch_root root;
    participant me = joined(root.path());
    participant other = joined(root.path(), "other");
    participant third = joined(root.path(), "third");
    auto s = me.server<bytes, bytes>("s", [](std::span<std::byte const>) {
                   return std::string("answer");
               }).value();
    auto good = other.client<bytes, bytes>("s", calling()).value();
    auto bad = third.client<bytes, bytes>("s", calling()).value();
    ASSERT_TRUE(bad.post(std::span<std::byte const>()).has_value());
    entry_info const e = me.core()->entries(entry_kind::service, "s").at(0);
    tampered_inbox const inbox(me, e);
    std::uint32_t const lane = inbox.lane_of(third.ticket());
    ASSERT_LT(lane, inbox.lane_count());
    (&inbox.cell(lane, 0))[1] = 7; // its descriptor: seven bytes
    auto call = good.call_async(std::span<std::byte const>());
    while (!call.ready()) {
        (void)s.poll();
        (void)good.poll();
    }
    EXPECT_EQ(call.get().value().text(), "answer");
    EXPECT_EQ(s.executed(), 1u);
}

TEST(HostileClient, WhoseInboxHasNoRoomForAReplyGetsNone) {
    scratch_root root;
    participant me = joined(root.path());
    participant other = joined(root.path(), "other");
    auto s = me.server<bytes, bytes>("s", [](std::span<std::byte const>) {
                   return std::string("answer");
               }).value();
    client_options small = calling();
    small.reply_bytes_max = 100; // in cells
    auto c = other.client<bytes, bytes>("s", small).value();
    auto call = c.call_async(std::span<std::byte const>());
    entry_info inbox;
    inbox.owner_ticket = c.incarnation() >> 24;
    inbox.number = c.incarnation() & endpoints_max;
    tampered_inbox(other, inbox).segment().constants.payload_bytes_max = 8;
    EXPECT_EQ(s.poll(), 1u);
    EXPECT_EQ(s.executed(), 0u);
    EXPECT_EQ(s.lost(), 1u);
}

TEST(HostileLanes, ThatHaveNoRoomForARequestAreRefused) {
    scratch_root root;
    participant me = joined(root.path());
    participant other = joined(root.path(), "other");
    server_options small;
    small.request_bytes_max = 100; // in cells
    auto s = me.server<bytes, bytes>(
                   "s", [](std::span<std::byte const>) { return std::string("answer"); }, small)
                 .value();
    tampered_inbox(me, me.core()->entries(entry_kind::service, "s").at(0))
        .segment()
        .constants.payload_bytes_max = 8;
    auto const c = other.client<bytes, bytes>("s", calling());
    ASSERT_FALSE(c.has_value());
    EXPECT_EQ(c.error(), endpoint_errc::corrupt);
}

} // namespace
} // namespace partywall::test
