// SPDX-License-Identifier: BSL-1.0
// Messages from before the subscription, and the newest value.
#include "support.hpp"

#include <optional>

namespace partywall::test {
namespace {

std::vector<std::uint64_t> history_of(std::uint64_t depth, std::uint64_t sent,
                                      subscriber_options const& options,
                                      overflow policy = overflow::drop_oldest) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<tick>("t", gated(depth, policy)).value();
    send_ticks(pub, 0, sent);
    auto sub = me.subscriber<tick>("t", options).value();
    auto const found = take_all(sub);
    EXPECT_EQ(sub.missed(), 0u);
    send_ticks(pub, sent, 2);
    EXPECT_EQ(take_all(sub), numbers(sent, 2));
    EXPECT_EQ(sub.missed(), 0u);
    return found;
}

subscriber_options lossless_with(std::uint64_t history) {
    subscriber_options options = lossless();
    options.history = history;
    return options;
}

TEST(History, IsNotDeliveredUnlessAskedFor) {
    EXPECT_EQ(history_of(16, 10, lossy()), numbers(0, 0));
    EXPECT_EQ(history_of(16, 10, looking()), numbers(0, 0));
    EXPECT_EQ(history_of(16, 10, lossless(), overflow::reject), numbers(0, 0));
}

TEST(History, IsTheNewestOfWhatWasSent) {
    EXPECT_EQ(history_of(16, 10, lossy(3)), numbers(7, 3));
    EXPECT_EQ(history_of(16, 10, looking(3)), numbers(7, 3));
    EXPECT_EQ(history_of(16, 10, lossless_with(3), overflow::reject), numbers(7, 3));
}

TEST(History, OfMoreThanThereIsIsAllThereIs) {
    EXPECT_EQ(history_of(16, 5, lossy(100)), numbers(0, 5));
    EXPECT_EQ(history_of(16, 5, lossless_with(100), overflow::block), numbers(0, 5));
    EXPECT_EQ(history_of(16, 0, lossy(100)), numbers(0, 0));
}

TEST(History, OverTheWrapIsWhatTheRingHolds) {
    for (std::uint64_t const sent : {8u, 9u, 15u, 16u, 17u, 20u}) {
        EXPECT_EQ(history_of(8, sent, lossy(100)), numbers(sent - 8, 8));
        EXPECT_EQ(history_of(8, sent, lossy(5)), numbers(sent - 5, 5));
        EXPECT_EQ(history_of(8, sent, lossless_with(100), overflow::reject), numbers(sent - 8, 8));
    }
}

TEST(History, ThatIsOverwrittenBeforeItIsReadIsNotCountedAsMissed) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<tick>("t", dropping(8)).value();
    send_ticks(pub, 0, 8);
    auto sub = me.subscriber<tick>("t", lossy(100)).value();
    send_ticks(pub, 8, 5); // takes five of eight of the past, none of what was promised
    EXPECT_EQ(take_all(sub), numbers(5, 8));
    EXPECT_EQ(sub.missed(), 0u);
    send_ticks(pub, 13, 10);
    EXPECT_EQ(take_all(sub), numbers(15, 8));
    EXPECT_EQ(sub.missed(), 2u);
}

TEST(History, OfALosslessSubscriptionMayBeOverwrittenButNothingThatFollows) {
    for (std::uint64_t const before : {8u, 11u, 16u, 21u}) {
        scratch_root root;
        participant me = joined(root.path());
        auto pub = me.publisher<tick>("t", gated(8)).value();
        send_ticks(pub, 0, before);
        auto sub = me.subscriber<tick>("t", lossless_with(100)).value();
        std::uint64_t sent = before;
        while (pub.send(tick::of(sent))) {
            sent += 1;
        }
        EXPECT_EQ(sent, before + 8) << "a lap may be sent after a subscriber came";
        EXPECT_EQ(take_all(sub), numbers(before, 8));
        EXPECT_EQ(sub.missed(), 0u);
    }
}

TEST(History, OfAPublisherThatComesLaterIsEverythingItSent) {
    scratch_root root;
    participant me = joined(root.path());
    auto drops = me.subscriber<tick>("t", lossy()).value();
    auto looks = me.subscriber<tick>("t", looking()).value();
    auto pub = me.publisher<tick>("t", dropping(8)).value();
    send_ticks(pub, 0, 10);
    EXPECT_EQ(take_all(drops), numbers(2, 8));
    EXPECT_EQ(take_all(looks), numbers(2, 8));
    EXPECT_EQ(drops.missed(), 2u) << "what it did not wait for was missed all the same";
    EXPECT_EQ(looks.missed(), 2u);
}

// Where 32, 63 and 64 bits of a position end: every way to find a place in the ring, a lap before
// to a lap behind.
TEST(History, AndTheNewestValueAreFoundAcrossEveryEdgeOfPositions) {
    constexpr std::uint64_t depth = 4;
    for (std::uint64_t const edge : {std::uint64_t{1} << 32, std::uint64_t{1} << 62,
                                     std::uint64_t{1} << 63, std::uint64_t{0}}) {
        scratch_root root;
        participant me = joined(root.path());
        publisher_options options = gated(depth);
        options.start_position = edge - 2 * depth - 1;
        auto pub = me.publisher<tick>("t", options).value();
        auto value = me.latest<tick>("t").value();
        auto all = me.subscriber<tick>("t", lossless()).value();
        for (std::uint64_t sent = 0; sent < 4 * depth; ++sent) {
            std::uint64_t const there = std::min(sent, depth);
            auto late = me.latest<tick>("t").value();
            if (sent == 0) {
                EXPECT_EQ(late.get().error(), receive_errc::empty);
            } else {
                EXPECT_EQ(late.get()->number, sent - 1);
                EXPECT_EQ(value.get()->number, sent - 1);
            }
            auto drops = me.subscriber<tick>("t", lossy(100)).value();
            auto looks = me.subscriber<tick>("t", looking(2)).value();
            auto holds = me.subscriber<tick>("t", lossless_with(3)).value();
            EXPECT_EQ(take_all(drops), numbers(sent - there, there));
            EXPECT_EQ(take_all(looks), numbers(sent - std::min<std::uint64_t>(there, 2),
                                               std::min<std::uint64_t>(there, 2)));
            EXPECT_EQ(take_all(holds), numbers(sent - std::min<std::uint64_t>(there, 3),
                                               std::min<std::uint64_t>(there, 3)));
            send_ticks(pub, sent, 1);
            EXPECT_EQ(take_all(all), numbers(sent, 1));
            EXPECT_EQ(take_all(holds), numbers(sent, 1));
        }
        pub.close();
        EXPECT_TRUE(me.recover().complete);
        EXPECT_EQ(value.get()->number, 4 * depth - 1);
    }
}

TEST(Lookers, AreSeenByNobodyAndNeedNoRoom) {
    scratch_root root;
    participant me = joined(root.path());
    publisher_options options = dropping(8);
    options.subscribers_max = 1;
    auto pub = me.publisher<tick>("t", options).value();
    auto one = me.subscriber<tick>("t", looking()).value();
    auto two = me.subscriber<tick>("t", looking()).value();
    auto three = me.latest<tick>("t", looking()).value();
    EXPECT_EQ(pub.subscriber_count(), 0u);
    EXPECT_EQ(tampered_topic(me, "t").used_slots(), 0u);
    send_ticks(pub, 0, 3);
    EXPECT_EQ(take_all(one), numbers(0, 3));
    EXPECT_EQ(take_all(two), numbers(0, 3));
    EXPECT_EQ(three.get()->number, 2u);
    EXPECT_EQ(one.publisher_count(), 1u);
}

TEST(Latest, IsEmptyBeforeAnythingWasPublished) {
    scratch_root root;
    participant me = joined(root.path());
    auto value = me.latest<tick>("t").value();
    EXPECT_EQ(value.get().error(), receive_errc::empty);
    auto pub = me.publisher<tick>("t").value();
    EXPECT_EQ(value.get().error(), receive_errc::empty);
    EXPECT_EQ(value.wait(0ms).error(), receive_errc::timed_out);
    EXPECT_EQ(value.publisher_count(), 1u);
}

TEST(Latest, IsThereForALateJoinerAtOnce) {
    for (std::uint64_t const sent : {1u, 3u, 4u, 5u, 8u, 11u}) {
        scratch_root root;
        participant me = joined(root.path());
        auto pub = me.publisher<tick>("t", dropping(4)).value();
        send_ticks(pub, 0, sent);
        auto value = me.latest<tick>("t").value();
        auto const s = value.get();
        ASSERT_TRUE(s);
        EXPECT_TRUE(s->whole());
        EXPECT_EQ(s->number, sent - 1);
        EXPECT_EQ(s.missed(), 0u);
    }
}

TEST(Latest, SkipsWhatLiesInBetweenAndRepeatsWhatIsNotNew) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<tick>("t", dropping(4)).value();
    auto value = me.latest<tick>("t").value();
    std::uint64_t sent = 0;
    for (std::uint64_t const more : {1u, 2u, 3u, 4u, 5u, 9u, 100u}) {
        send_ticks(pub, sent, more);
        sent += more;
        for (int repeat = 0; repeat < 3; ++repeat) {
            auto const s = value.get();
            ASSERT_TRUE(s);
            EXPECT_TRUE(s->whole());
            EXPECT_EQ(s->number, sent - 1);
            EXPECT_EQ(s.missed(), 0u);
            EXPECT_EQ(s.publisher(), pub.incarnation());
        }
    }
}

TEST(Latest, WaitsForWhatNoEarlierCallReturned) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<tick>("t").value();
    send_ticks(pub, 0, 5);
    auto value = me.latest<tick>("t").value();
    EXPECT_EQ(value.wait(0ms)->number, 4u) << "what was there before counts";
    EXPECT_EQ(value.wait(1ms).error(), receive_errc::timed_out);
    EXPECT_EQ(value.get()->number, 4u);
    send_ticks(pub, 5, 2);
    EXPECT_EQ(value.wait(0ms)->number, 6u);
    EXPECT_EQ(value.wait(0ms).error(), receive_errc::timed_out);
}

TEST(Latest, OutlivesItsPublisherAndFollowsASuccessor) {
    scratch_root root;
    participant me = joined(root.path());
    auto value = me.latest<tick>("t").value();
    for (std::uint64_t life = 0; life < 3; ++life) {
        auto other = std::make_optional(joined(root.path(), "other"));
        auto pub = std::make_optional(other->publisher<tick>("t").value());
        send_ticks(*pub, 10 * life, 3);
        EXPECT_EQ(value.get()->number, 10 * life + 2);
        send_ticks(*pub, 10 * life + 3, 1);
        pub.reset();
        other.reset();
        EXPECT_EQ(value.get()->number, 10 * life + 3) << "nobody looked while it was alive";
        EXPECT_EQ(value.get()->number, 10 * life + 3);
        EXPECT_EQ(value.publisher_count(), 0u);
    }
}

TEST(Latest, OfSeveralPublishersIsDeliveredOnceEachAndTheLastOneIsKept) {
    scratch_root root;
    participant me = joined(root.path());
    auto a = me.publisher<tick>("t").value();
    auto b = me.publisher<tick>("t").value();
    auto value = me.latest<tick>("t").value();
    send_ticks(a, 0, 5, 1);
    send_ticks(b, 0, 7, 2);
    std::vector<std::pair<std::uint64_t, std::uint64_t>> seen;
    for (int i = 0; i < 2; ++i) {
        auto const s = value.wait(0ms);
        ASSERT_TRUE(s);
        seen.emplace_back(s->sender, s->number);
    }
    auto const last = seen.back();
    std::sort(seen.begin(), seen.end());
    EXPECT_EQ(seen[0], std::pair(std::uint64_t{1}, std::uint64_t{4}));
    EXPECT_EQ(seen[1], std::pair(std::uint64_t{2}, std::uint64_t{6}));
    EXPECT_EQ(value.wait(0ms).error(), receive_errc::timed_out);
    EXPECT_EQ(value.get()->sender, last.first);
    send_ticks(a, 5, 1, 1);
    EXPECT_EQ(value.get()->sender, 1u);
}

TEST(Latest, OutlivesSeveralPublishersThatEndAtTheSameTime) {
    scratch_root root;
    participant me = joined(root.path());
    subscriber_options options;
    options.report_close = true; // so that every end is an event that must not hide the value
    auto value = me.latest<tick>("t", options).value();
    auto a = std::make_optional(me.publisher<tick>("t").value());
    auto b = std::make_optional(me.publisher<tick>("t").value());
    auto c = std::make_optional(me.publisher<tick>("t").value());
    send_ticks(*b, 7, 1);
    EXPECT_EQ(value.get()->number, 7u);
    a.reset();
    b.reset();
    c.reset();
    auto const s = value.get();
    ASSERT_TRUE(s) << to_string(s.error());
    EXPECT_EQ(s->number, 7u);
    EXPECT_EQ(value.publisher_count(), 0u);
}

TEST(Latest, SamplesAreCopiesThatTheNextValueDoesNotTouch) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<tick>("t", dropping(4)).value();
    auto value = me.latest<tick>("t").value();
    send_ticks(pub, 0, 1);
    auto const first = value.get();
    send_ticks(pub, 1, 9);
    auto const second = value.get();
    EXPECT_EQ(value.get().error(), receive_errc::too_many_samples);
    EXPECT_EQ(first->number, 0u);
    EXPECT_EQ(second->number, 9u);
    EXPECT_TRUE(first->whole() && second->whole());
}

} // namespace
} // namespace partywall::test
