// SPDX-License-Identifier: BSL-1.0
// Writing in place, many at once, and reading many at once.
#include "support.hpp"

#include <partywall/topic/topic_stats.hpp>

#include <array>
#include <cstring>
#include <numeric>
#include <optional>

namespace partywall::test {
namespace {

TEST(Loan, IsTheMemoryOfTheNextMessage) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<tick>("t").value();
    auto sub = me.subscriber<tick>("t").value();
    auto l = pub.loan().value();
    *l = tick::of(7);
    EXPECT_EQ(sub.try_receive().error(), receive_errc::empty);
    ASSERT_TRUE(l.send());
    l = pub.loan().value();
    l->number = 8;
    l->sender = 0;
    l->check = tick::of(8).check;
    ASSERT_TRUE(l.send());
    EXPECT_EQ(take_all(sub), numbers(7, 2));
}

TEST(Loan, ThatIsDroppedSendsNothingAndTakesNoPosition) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<tick>("t", gated(4)).value();
    auto sub = me.subscriber<tick>("t", lossless()).value();
    for (int i = 0; i < 10; ++i) {
        auto const l = pub.loan().value();
        *l = tick{99, 99, 0};
    }
    EXPECT_EQ(sub.try_receive().error(), receive_errc::empty);
    EXPECT_EQ(pub.position(), 0u);
    send_ticks(pub, 0, 4);
    EXPECT_EQ(pub.loan().error(), send_errc::full);
    EXPECT_EQ(take_all(sub), numbers(0, 4));
}

TEST(Loan, ThatIsDroppedIsNotMistakenForAMessageByAReaderOneLapBehind) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<tick>("t", dropping(4)).value();
    auto sub = me.subscriber<tick>("t").value();
    send_ticks(pub, 0, 4);
    {
        auto const l = pub.loan().value();
        *l = tick{99, 99, 0};
    }
    EXPECT_EQ(take_all(sub), numbers(1, 3)) << "it took the oldest from readers of the past";
    EXPECT_EQ(sub.missed(), 1u);
    send_ticks(pub, 4, 1);
    EXPECT_EQ(take_all(sub), numbers(4, 1));
    EXPECT_EQ(sub.received() + sub.missed(), 5u);
}

TEST(Loan, CanBeSentOnceAndNotAfterAnotherMessage) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<tick>("t").value();
    auto sub = me.subscriber<tick>("t").value();
    auto l = pub.loan().value();
    *l = tick::of(0);
    ASSERT_TRUE(l.send());
    EXPECT_EQ(l.send().error(), send_errc::closed);
    auto stale = pub.loan().value();
    auto same = pub.loan().value();
    *same = tick::of(1);
    ASSERT_TRUE(same.send());
    EXPECT_EQ(stale.send().error(), send_errc::closed) << "its memory is another message now";
    auto overtaken = pub.loan().value();
    send_ticks(pub, 2, 1);
    EXPECT_EQ(overtaken.send().error(), send_errc::closed);
    auto moved_from = pub.loan().value();
    auto const moved = std::move(moved_from);
    EXPECT_EQ(moved_from.send().error(), send_errc::closed); // NOLINT
    auto late = pub.loan().value();
    pub.close();
    EXPECT_EQ(late.send().error(), send_errc::closed);
    EXPECT_EQ(pub.loan().error(), send_errc::closed);
    EXPECT_EQ(take_all(sub), numbers(0, 3));
}

TEST(Loan, OfVariableLengthSendsWhatItWasResizedTo) {
    scratch_root root;
    participant me = joined(root.path());
    publisher_options options = gated(8);
    options.payload_bytes_max = 100;
    auto pub = me.publisher<bytes>("b", options).value();
    auto sub = me.subscriber<bytes>("b", lossless()).value();
    auto ints = me.publisher<std::uint32_t[]>("i", options).value();
    auto int_sub = me.subscriber<std::uint32_t[]>("i", lossless()).value();

    auto l = pub.loan().value();
    EXPECT_EQ((*l).size(), 100u);
    std::memcpy((*l).data(), "hello, world", 12);
    l.resize(5);
    EXPECT_EQ((*l).size(), 5u);
    l.resize(50); // it does not grow again
    EXPECT_EQ((*l).size(), 5u);
    ASSERT_TRUE(l.send());
    EXPECT_EQ(sub.try_receive().text(), "hello");
    l = pub.loan().value();
    l.resize(0);
    ASSERT_TRUE(l.send());
    auto const empty = sub.try_receive();
    ASSERT_TRUE(empty);
    EXPECT_EQ((*empty).size(), 0u);

    auto li = ints.loan().value();
    EXPECT_EQ((*li).size(), 25u);
    std::iota((*li).begin(), (*li).end(), 1u);
    ASSERT_TRUE(li.send());
    auto const got = int_sub.try_receive();
    ASSERT_EQ((*got).size(), 25u);
    EXPECT_EQ((*got)[24], 25u);
}

TEST(Batch, IsSentAsFarAsThereIsRoom) {
    scratch_root root;
    participant me = joined(root.path());
    for (overflow const policy : {overflow::reject, overflow::block}) {
        std::string const topic = policy == overflow::block ? "block" : "reject";
        publisher_options options = gated(8, policy);
        options.block_for = 1ms;
        auto pub = me.publisher<tick>(topic, options).value();
        auto sub = me.subscriber<tick>(topic, lossless()).value();
        std::vector<tick> batch;
        for (std::uint64_t i = 0; i < 20; ++i) {
            batch.push_back(tick::of(i));
        }
        EXPECT_EQ(pub.send_batch({}).value(), 0u);
        EXPECT_EQ(pub.send_batch(std::span(batch).first(3)).value(), 3u);
        EXPECT_EQ(pub.send_batch(std::span(batch).subspan(3)).value(), 5u);
        EXPECT_EQ(pub.send_batch(std::span(batch).subspan(8)).error(),
                  policy == overflow::block ? send_errc::timed_out : send_errc::full);
        EXPECT_EQ(take_all(sub), numbers(0, 8));
        EXPECT_EQ(pub.send_batch(std::span(batch).subspan(8)).value(), 8u);
        EXPECT_EQ(take_all(sub), numbers(8, 8));
        pub.close();
        EXPECT_EQ(pub.send_batch(batch).error(), send_errc::closed);
    }
    auto pub = me.publisher<tick>("drops", dropping(8)).value();
    auto sub = me.subscriber<tick>("drops").value();
    std::array<tick, 20> batch{};
    for (std::uint64_t i = 0; i < 20; ++i) {
        batch[i] = tick::of(i);
    }
    EXPECT_EQ(pub.send_batch(batch).value(), 20u);
    EXPECT_EQ(take_all(sub), numbers(12, 8));
}

TEST(ReceiveBatch, CopiesWhatIsThere) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<tick>("t", gated(16)).value();
    for (auto const& o : {lossless(), lossy()}) {
        auto sub = me.subscriber<tick>("t", o).value();
        std::array<tick, 10> out{};
        EXPECT_EQ(sub.receive_batch(out), 0u);
        send_ticks(pub, 0, 13);
        EXPECT_EQ(sub.receive_batch({}), 0u);
        EXPECT_EQ(sub.receive_batch(out), 10u);
        for (std::uint64_t i = 0; i < 10; ++i) {
            EXPECT_EQ(out[i].number, i);
        }
        EXPECT_EQ(sub.receive_batch(out), 3u);
        EXPECT_EQ(out[2].number, 12u);
        EXPECT_TRUE(out[2].whole());
    }
}

// What ended the loop is not lost in it.
TEST(ReceiveBatch, LeavesEventsToTheNextCall) {
    scratch_root root;
    participant me = joined(root.path());
    auto sub = me.subscriber<tick>("t", lossless(true)).value();
    std::array<tick, 10> out{};
    for (int round = 0; round < 3; ++round) {
        {
            auto pub = me.publisher<tick>("t", gated(16)).value();
            send_ticks(pub, 0, 2);
        }
        EXPECT_EQ(sub.receive_batch(out), 2u);
        switch (round) {
        case 0: EXPECT_EQ(sub.try_receive().error(), receive_errc::publisher_closed); break;
        case 1: EXPECT_EQ(sub.receive(1h).error(), receive_errc::publisher_closed); break;
        default:
            EXPECT_EQ(sub.receive_batch(out), 0u) << "nor by another one";
            EXPECT_EQ(sub.try_receive().error(), receive_errc::publisher_closed);
        }
        EXPECT_EQ(sub.try_receive().error(), receive_errc::empty);
    }
}

TEST(RangeFor, DrainsWhatIsThereAndEnds) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<tick>("t", gated(16)).value();
    subscriber_options options = lossless(true);
    options.samples_held_max = 1; // each is given back before the next is taken
    auto sub = me.subscriber<tick>("t", options).value();
    for (auto& s : sub) {
        FAIL() << s->number;
    }
    send_ticks(pub, 0, 16);
    std::uint64_t next = 0;
    for (auto& s : sub) {
        EXPECT_EQ(s->number, next);
        next += 1;
    }
    EXPECT_EQ(next, 16u);
    send_ticks(pub, 16, 1);
    pub.close();
    for (auto& s : sub) {
        EXPECT_EQ(s->number, 16u);
        next += 1;
    }
    EXPECT_EQ(next, 17u);
    EXPECT_EQ(sub.try_receive().error(), receive_errc::publisher_closed)
        << "what ended the loop is not lost in it";
}

TEST(Batch, ThatEndsWhereTheRoomEndsIsNoRefusalAndLeavesAnInterruptToWhoeverWaits) {
    scratch_root root;
    participant me = joined(root.path());
    publisher_options options = gated(4, overflow::block);
    options.block_for = 1h;
    auto pub = me.publisher<tick>("t", options).value();
    auto sub = me.subscriber<tick>("t", lossless()).value();
    std::vector<tick> const batch(8, tick::of(7));
    pub.interrupt();
    EXPECT_EQ(pub.send_batch(batch).value(), 4u);
    auto const stats = read_topic_stats(me.core()->dir(), me.publishers("t").at(0)).value();
    EXPECT_EQ(stats.rejected, 0u);
    EXPECT_EQ(stats.blocked_count, 0u);
    EXPECT_EQ(pub.send(tick::of(8)).error(), send_errc::interrupted);
}

} // namespace
} // namespace partywall::test
