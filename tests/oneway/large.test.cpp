// SPDX-License-Identifier: BSL-1.0
// One-way messages that lie in their lane's chunks.
#include "support.hpp"

#include <topic/large.hpp>

#include <optional>

namespace partywall::test {
namespace {

TEST(LargeLane, CarriesMessagesOfAnyLengthInOrder) {
    scratch_root root;
    participant me = joined(root.path());
    auto in = me.receiver<bytes>("in", with_chunks(lanes_of(4, 3), 50'000)).value();
    auto one = me.sender<bytes>("in", sending(overflow::reject)).value();
    auto two = me.sender<bytes>("in", sending(overflow::drop_oldest)).value();
    EXPECT_EQ(one.payload_bytes_max(), 50'000U);
    std::uint64_t number = 0;
    for (std::size_t const size : {8U, 64U, 65U, 4096U, 49'999U, 50'000U, 16U, 50'000U}) {
        ASSERT_TRUE(one.send(pattern(number, size)));
        auto loan = two.loan().value();
        loan.resize(size);
        write_pattern(*loan, number + 1);
        ASSERT_TRUE(loan.send());
        for (int i = 0; i < 2; ++i) {
            auto const s = in.try_receive();
            ASSERT_TRUE(s);
            EXPECT_EQ((*s).size(), size);
            EXPECT_TRUE(is_pattern(*s));
            EXPECT_EQ(number_in(*s), s.sender() == one.incarnation() ? number : number + 1);
        }
        number += 2;
    }
}

TEST(LargeLane, OfAFixedSizeHoldsNobodyBackWhileASampleIsHeld) {
    scratch_root root;
    participant me = joined(root.path());
    auto in = me.receiver<picture>("in", lanes_of(4, 2)).value();
    for (overflow const policy : {overflow::reject, overflow::drop_oldest}) {
        auto out = me.sender<picture>("in", sending(policy)).value();
        ASSERT_TRUE(out.send(picture::of(0)));
        auto const first = in.receive(1h);
        for (std::uint64_t i = 1; i < 100; ++i) {
            ASSERT_TRUE(out.send(picture::of(i))) << i;
            auto const s = in.receive(1h);
            ASSERT_TRUE(s);
            ASSERT_EQ(s->number, i);
            ASSERT_TRUE(s->whole());
        }
        EXPECT_EQ(first->number, 0U);
        EXPECT_TRUE(first->whole());
    }
}

TEST(LargeLane, ThatChangesHandsLeavesAloneWhatIsHeldOfTheSenderBefore) {
    scratch_root root;
    participant me = joined(root.path());
    auto in = me.receiver<picture>("in", lanes_of(4, 1)).value();
    auto before = std::make_optional(me.sender<picture>("in").value());
    ASSERT_TRUE(before->send(picture::of(1)));
    ASSERT_TRUE(before->send(picture::of(2)));
    auto held = in.receive(1h);
    ASSERT_TRUE(held);
    before.reset();
    EXPECT_EQ(in.receive(1h)->number, 2U);
    EXPECT_EQ(in.try_receive().error(), receive_errc::empty);
    // As long as something of it is held, the lane is not given to the next one.
    EXPECT_EQ(me.sender<picture>("in").error().code, endpoint_errc::no_lane);
    held.reset();
    EXPECT_EQ(in.try_receive().error(), receive_errc::empty);
    auto after = me.sender<picture>("in").value();
    for (std::uint64_t i = 0; i < 20; ++i) {
        ASSERT_TRUE(after.send(picture::of(i)));
        EXPECT_EQ(in.receive(1h)->number, i);
    }
}

TEST(LargeLane, WhoseOneSenderHoldsALoanGivesTheNextOneAllItsChunks) {
    scratch_root root;
    participant me = joined(root.path());
    auto in = me.receiver<picture>("in", lanes_of(4, 1)).value();
    for (std::uint64_t round = 0; round < 10; ++round) {
        auto out = me.sender<picture>("in", sending(overflow::reject)).value();
        [[maybe_unused]] auto const abandoned = out.loan();
        for (std::uint64_t i = 0; i < 4; ++i) {
            ASSERT_TRUE(out.send(picture::of(i)));
        }
        EXPECT_EQ(out.send(picture::of(4)).error(), send_errc::full);
        for (std::uint64_t i = 0; i < 4; ++i) {
            EXPECT_EQ(in.receive(1h)->number, i);
        }
        out.close();
        EXPECT_EQ(in.try_receive().error(), receive_errc::empty);
    }
}

TEST(LargeLanes, SayHowMuchMemoryTheyTake) {
    scratch_root root;
    participant me = joined(root.path());
    receiver_options options = with_chunks(lanes_of(4, 3), 1'000'000);
    auto in = me.receiver<bytes>("in", options).value();
    std::uint64_t const chunks = 3 * (4 + 2 + 1);
    EXPECT_GE(in.memory().bytes, chunks * 1'000'000);
    EXPECT_LE(in.memory().bytes, chunks * 1'000'300 + 10'000);
    EXPECT_EQ(in.memory().backed, in.memory().bytes);
    auto out = me.sender<bytes>("in").value();
    EXPECT_EQ(out.memory().bytes, in.memory().bytes);
    in.close();
    options.memory.backing = backing::reserved;
    auto sparse = me.receiver<bytes>("in", options).value();
    EXPECT_LT(sparse.memory().backed, 10'000U);
}

} // namespace
} // namespace partywall::test
