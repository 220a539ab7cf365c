// SPDX-License-Identifier: BSL-1.0
// Descriptors run out for a while. What was promised is kept, and what could not be done is done
// later.
#include "support.hpp"

#include <support/sandbox.hpp>

#include <optional>

namespace partywall::test {
namespace {

TEST(ScarceDescriptors, AreNoReasonToRemoveWhatASubscriptionHasNotRead) {
    scratch_root root;
    participant me = joined(root.path());
    participant survivor = joined(root.path(), "survivor");
    auto sub = me.subscriber<tick>("t", lossless()).value();
    {
        participant other = joined(root.path(), "other");
        auto pub = other.publisher<tick>("t", gated(16)).value();
        send_ticks(pub, 0, 10);
    }
    for (int left = 0; left < 4; ++left) {
        few_descriptors const limit(left);
        (void)survivor.recover();
    }
    EXPECT_EQ(take_all(sub), numbers(0, 10));
}

TEST(ScarceDescriptors, AreNoReasonToLeaveWithWhatASubscriptionHasNotRead) {
    scratch_root root;
    participant me = joined(root.path());
    auto sub = me.subscriber<tick>("t", lossless()).value();
    auto other = std::make_optional(joined(root.path(), "other"));
    auto pub = std::make_optional(other->publisher<tick>("t", gated(16)).value());
    send_ticks(*pub, 0, 10);
    pub.reset();
    {
        few_descriptors const limit(1);
        other.reset();
    }
    EXPECT_EQ(take_all(sub), numbers(0, 10));
}

TEST(ScarceDescriptors, RefuseALosslessSubscriptionThatAStartingPublisherMayNotHaveSeen) {
    scratch_root root;
    participant me = joined(root.path());
    participant other = joined(root.path(), "other");
    auto pub = other.publisher<tick>("t", gated(4)).value();
    // As it stands between its look at the subscriptions and `ready`.
    entry_info entry = other.publishers("t").at(0);
    ASSERT_TRUE(other.core()->set_health(entry, health::starting));
    // UBSan needs descriptors to look at an object of a class that it has not seen before.
    (void)me.subscriber<tick>("elsewhere", lossless()).value();
    {
        few_descriptors const limit(1);
        auto const refused = me.subscriber<tick>("t", lossless());
        ASSERT_FALSE(refused);
        EXPECT_TRUE(refused.error().code == endpoint_errc::no_memory ||
                    refused.error().code == endpoint_errc::system)
            << refused.error().message;
    }
    auto sub = me.subscriber<tick>("t", lossless()).value();
    ASSERT_TRUE(other.core()->set_health(entry, health::ready));
    send_ticks(pub, 0, 4);
    EXPECT_EQ(pub.send(tick::of(4)).error(), send_errc::full);
    EXPECT_EQ(take_all(sub), numbers(0, 4));
}

TEST(ScarceDescriptors, ThatComeBackLetASubscriberThatOnlyPollsFindItsPublisher) {
    scratch_root root;
    participant me = joined(root.path());
    participant other = joined(root.path(), "other");
    for (auto const& options : {lossless(), lossy()}) {
        auto sub = me.subscriber<tick>("t", options).value();
        auto pub = other.publisher<tick>("t", gated(16)).value();
        send_ticks(pub, 0, 10);
        {
            few_descriptors const limit(1);
            EXPECT_EQ(sub.try_receive().error(), receive_errc::refused);
            EXPECT_EQ(sub.try_receive().error(), receive_errc::empty);
        }
        std::vector<std::uint64_t> all;
        eventually([&] {
            for (std::uint64_t const number : take_all(sub)) {
                all.push_back(number);
            }
            return !all.empty();
        });
        EXPECT_EQ(all, numbers(0, 10));
    }
}

} // namespace
} // namespace partywall::test
