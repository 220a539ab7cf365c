// SPDX-License-Identifier: BSL-1.0
// Several publishers of a topic, several subscribers, and subscriptions that were there first.
#include "support.hpp"

#include <support/counts.hpp>
#include <support/sandbox.hpp>

#include <atomic>
#include <map>
#include <optional>
#include <random>
#include <thread>

namespace partywall::test {
namespace {

TEST(SeveralPublishers, TakeTurnsWhileBothHaveSomething) {
    scratch_root root;
    participant me = joined(root.path());
    auto a = me.publisher<tick>("t", dropping(256)).value();
    auto b = me.publisher<tick>("t", dropping(256)).value();
    auto sub = me.subscriber<tick>("t").value();
    send_ticks(a, 0, 200, 1);
    send_ticks(b, 0, 200, 2);
    std::map<std::uint64_t, std::uint64_t> taken;
    for (int i = 0; i < 400; ++i) {
        auto const s = sub.try_receive();
        ASSERT_TRUE(s);
        ASSERT_EQ(s->number, taken[s->sender]) << "not in the order of its sender";
        taken[s->sender] += 1;
        auto const most = std::max(taken[1], taken[2]);
        ASSERT_LE(most - std::min(taken[1], taken[2]), 1u) << "one starves";
    }
}

// The one that is always ready must not keep the reader from jumping to what is left of the other.
TEST(SeveralPublishers, OneThatOvertookTheReaderDoesNotStarveBehindOneThatIsAlwaysReady) {
    scratch_root root;
    participant me = joined(root.path());
    publisher_options options = dropping(16);
    auto steady = me.publisher<tick>("t", options).value();
    auto burst = me.publisher<tick>("t", options).value();
    auto sub = me.subscriber<tick>("t").value();
    send_ticks(steady, 0, 2, 1);
    send_ticks(burst, 0, 100, 2);
    int from_burst = 0;
    for (std::uint64_t i = 0; i < 32; ++i) {
        auto const s = sub.try_receive();
        ASSERT_TRUE(s);
        from_burst += s->sender == 2 ? 1 : 0;
        if (s->sender == 1) {
            send_ticks(steady, 2 + i, 1, 1); // so that it always has something
        }
    }
    EXPECT_EQ(from_burst, 16);
    EXPECT_EQ(sub.missed(), 84u);
}

// Nor may it hide that another one has ended.
TEST(SeveralPublishers, TheEndOfOneIsReportedAlthoughAnotherIsAlwaysReady) {
    scratch_root root;
    participant me = joined(root.path());
    auto steady = me.publisher<tick>("t", dropping(16)).value();
    auto ends = std::make_optional(me.publisher<tick>("t", dropping(16)).value());
    subscriber_options options;
    options.report_close = true;
    auto sub = me.subscriber<tick>("t", options).value();
    std::uint64_t const incarnation = ends->incarnation();
    ends.reset();
    send_ticks(steady, 0, 2);
    for (std::uint64_t i = 0; i < 10'000; ++i) {
        auto const s = sub.try_receive();
        if (!s) {
            EXPECT_EQ(s.error(), receive_errc::publisher_closed);
            EXPECT_EQ(s.publisher(), incarnation);
            return;
        }
        send_ticks(steady, 2 + i, 1);
    }
    FAIL() << "10,000 messages of another one, and no word of the end";
}

TEST(SeveralPublishers, AreReadInOrderEachWhateverTheyDo) {
    scratch_root root;
    participant me = joined(root.path());
    std::mt19937 random(7);
    std::vector<publisher<tick>> pubs;
    for (int i = 0; i < 5; ++i) {
        pubs.push_back(me.publisher<tick>("t", gated(16)).value());
    }
    auto sub = me.subscriber<tick>("t", lossless()).value();
    std::vector<std::uint64_t> sent(5);
    std::vector<std::uint64_t> got(5);
    for (int step = 0; step < 50'000; ++step) {
        std::size_t const who = random() % 5;
        if (random() % 2 == 0) {
            sent[who] += pubs[who].send(tick::of(sent[who], who)) ? 1 : 0;
        } else if (auto const s = sub.try_receive()) {
            ASSERT_TRUE(s->whole());
            ASSERT_EQ(s->number, got[s->sender]);
            ASSERT_EQ(s.publisher(), pubs[s->sender].incarnation());
            got[s->sender] += 1;
        }
    }
    while (auto const s = sub.try_receive()) {
        ASSERT_EQ(s->number, got[s->sender]);
        got[s->sender] += 1;
    }
    EXPECT_EQ(got, sent);
}

TEST(SeveralPublishers, MoreThanASubscriberCanReadAreRefusedByName) {
    scratch_root root;
    participant me = joined(root.path());
    std::vector<publisher<tick>> pubs;
    for (std::uint32_t i = 0; i < publishers_per_topic_max; ++i) {
        pubs.push_back(me.publisher<tick>("t", dropping(4)).value());
    }
    auto sub = me.subscriber<tick>("t").value();
    EXPECT_EQ(sub.publisher_count(), publishers_per_topic_max);
    pubs.push_back(me.publisher<tick>("t", dropping(4)).value());
    EXPECT_EQ(sub.try_receive().error(), receive_errc::refused);
    EXPECT_EQ(sub.refusal_code(), endpoint_errc::too_many_publishers);
    EXPECT_EQ(sub.try_receive().error(), receive_errc::empty) << "once each";
    auto const late = me.subscriber<tick>("t");
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, endpoint_errc::too_many_publishers);
    send_ticks(pubs.back(), 5, 1);
    pubs.erase(pubs.begin());
    EXPECT_EQ(take_all(sub), numbers(5, 1)) << "there is room again, and it is read";
}

TEST(SeveralSubscribers, EachGetEverything) {
    scratch_root root;
    participant me = joined(root.path());
    publisher_options options = gated(64);
    options.subscribers_max = subscribers_max;
    auto pub = me.publisher<tick>("t", options).value();
    std::vector<subscriber<tick>> subs;
    for (int i = 0; i < 40; ++i) {
        subs.push_back(me.subscriber<tick>("t", i % 2 == 0 ? lossless() : lossy()).value());
    }
    EXPECT_EQ(pub.subscriber_count(), 40u);
    send_ticks(pub, 0, 64);
    for (auto& sub : subs) {
        EXPECT_EQ(take_all(sub), numbers(0, 64));
    }
}

TEST(SeveralSubscribers, MoreThanThereIsRoomForAreRefusedAndRoomComesBack) {
    scratch_root root;
    participant me = joined(root.path());
    publisher_options options = gated(4);
    options.subscribers_max = 2;
    auto pub = me.publisher<tick>("t", options).value();
    auto one = me.subscriber<tick>("t", lossless()).value();
    auto two = std::make_optional(me.subscriber<tick>("t").value());
    for (auto const& o : {lossless(), lossy()}) {
        auto const three = me.subscriber<tick>("t", o);
        ASSERT_FALSE(three);
        EXPECT_EQ(three.error().code, endpoint_errc::too_many_subscribers);
        EXPECT_NE(three.error().message.find("2"), std::string::npos) << three.error().message;
    }
    EXPECT_EQ(me.snapshot().entries.size(), 2u) << "a refused subscription left its entry";
    two.reset();
    auto three = me.subscriber<tick>("t", lossless()).value();
    send_ticks(pub, 0, 4);
    EXPECT_EQ(take_all(three), numbers(0, 4));
    auto other = me.publisher<tick>("t", options);
    ASSERT_TRUE(other) << other.error().message;
    auto four = me.subscriber<tick>("u", lossless()).value();
    auto five = me.subscriber<tick>("u", lossless()).value();
    auto six = me.subscriber<tick>("u", lossless()).value();
    auto const none = me.publisher<tick>("u", options);
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code, endpoint_errc::too_many_subscribers);
}

TEST(SubscriptionFirst, GetsEveryMessageOfAPublisherThatComesLater) {
    scratch_root root;
    participant me = joined(root.path());
    participant other = joined(root.path(), "other");
    auto sub = me.subscriber<tick>("t", lossless()).value();
    EXPECT_EQ(sub.try_receive().error(), receive_errc::empty);
    publisher_options options = gated(8);
    options.start_position = 1000;
    auto pub = other.publisher<tick>("t", options).value();
    EXPECT_EQ(pub.subscriber_count(), 1u);
    send_ticks(pub, 0, 8);
    EXPECT_EQ(pub.send(tick::of(9)).error(), send_errc::full) << "the reservation holds it";
    EXPECT_EQ(take_all(sub), numbers(0, 8));
    EXPECT_EQ(pub.subscriber_count(), 1u);
    EXPECT_EQ(tampered_topic(me, "t").used_slots(), 1u);
    send_ticks(pub, 8, 8);
    EXPECT_EQ(take_all(sub), numbers(8, 8));
}

TEST(SubscriptionFirst, GetsEveryMessageOfAPublisherThatCameAndWentBeforeItLooked) {
    scratch_root root;
    participant me = joined(root.path());
    auto sub = me.subscriber<tick>("t", lossless(true)).value();
    std::uint64_t incarnation = 0;
    {
        participant other = joined(root.path(), "other");
        auto pub = other.publisher<tick>("t", gated(8)).value();
        incarnation = pub.incarnation();
        send_ticks(pub, 0, 5);
    }
    EXPECT_EQ(topic_files(root).size(), 2u) << "its files wait for the subscriber";
    receive_errc event{};
    EXPECT_EQ(take_all(sub, &event), numbers(0, 5));
    EXPECT_EQ(event, receive_errc::publisher_closed);
    EXPECT_EQ(sub.try_receive().error(), receive_errc::empty) << "reported once";
    EXPECT_EQ(sub.publishers_seen(), 1u);
    EXPECT_EQ(sub.receive(0ms).error(), receive_errc::timed_out); // a slow call: looks after things
    EXPECT_EQ(topic_files(root), std::vector<std::string>{}) << "nobody needs them any more";
    EXPECT_EQ(me.snapshot().entries.size(), 1u);

    auto successor = me.publisher<tick>("t", gated(8)).value();
    EXPECT_NE(successor.incarnation(), incarnation);
    send_ticks(successor, 10, 3);
    EXPECT_EQ(take_all(sub), numbers(10, 3));
}

TEST(SubscriptionFirst, TakesWhatWasKeptForItAloneWithItWhenItCloses) {
    scratch_root root;
    participant me = joined(root.path());
    for (std::uint64_t const taken : {0u, 1u, 5u, 6u}) { // 5: all, but it has not seen the end
        auto sub = std::make_optional(me.subscriber<tick>("t", lossless()).value());
        {
            participant other = joined(root.path(), "other");
            auto pub = other.publisher<tick>("t", gated(8)).value();
            send_ticks(pub, 0, 5);
        }
        EXPECT_EQ(topic_files(root).size(), 2u) << "they wait for the subscriber";
        for (std::uint64_t i = 0; i < taken; ++i) {
            EXPECT_EQ(static_cast<bool>(sub->try_receive()), i < 5);
        }
        sub.reset();
        EXPECT_EQ(topic_files(root), std::vector<std::string>{}) << taken;
    }
}

TEST(SubscriptionFirst, HearsOfAPublisherThatCameAndWentAndSentNothing) {
    scratch_root root;
    participant me = joined(root.path());
    auto sub = me.subscriber<tick>("t", lossless(true)).value();
    {
        participant other = joined(root.path(), "other");
        auto pub = other.publisher<tick>("t", gated(8)).value();
    }
    EXPECT_EQ(sub.try_receive().error(), receive_errc::publisher_closed);
    EXPECT_EQ(sub.publishers_seen(), 1u);
}

TEST(SubscriptionFirst, KeepsAClosedPublisherOfALivingProcessUntilItsNextOperation) {
    scratch_root root;
    participant me = joined(root.path());
    participant other = joined(root.path(), "other");
    auto sub = me.subscriber<tick>("t", lossless()).value();
    {
        auto pub = other.publisher<tick>("t", gated(8)).value();
        send_ticks(pub, 0, 5);
    }
    EXPECT_TRUE(other.recover().nothing()) << "there is still somebody to come";
    EXPECT_EQ(topic_files(root).size(), 2u);
    EXPECT_EQ(other.publishers("t").size(), 0u) << "closed ones are no publishers";
    EXPECT_EQ(take_all(sub), numbers(0, 5));
    (void)other.recover();
    EXPECT_EQ(topic_files(root).size(), 0u);
    EXPECT_EQ(other.snapshot().entries.size(), 1u);
}

TEST(SubscriptionFirst, ThatClosesWithoutComingKeepsNothing) {
    scratch_root root;
    participant me = joined(root.path());
    participant other = joined(root.path(), "other");
    auto sub = std::make_optional(me.subscriber<tick>("t", lossless()).value());
    auto open = other.publisher<tick>("t", gated(4)).value();
    {
        auto pub = other.publisher<tick>("t", gated(4)).value();
        send_ticks(pub, 0, 4);
    }
    send_ticks(open, 0, 4);
    EXPECT_EQ(open.send(tick::of(9)).error(), send_errc::full);
    sub.reset();
    eventually([&] { return open.send(tick::of(4)).has_value(); }); // it asks once per millisecond
    send_ticks(open, 5, 10);
    (void)other.recover();
    EXPECT_EQ(other.snapshot().entries.size(), 1u);
    EXPECT_EQ(topic_files(root).size(), 2u);
    EXPECT_EQ(tampered_topic(me, "t").used_slots(), 0u);
}

// A subscription is not the one that had its place in the registry before it.
TEST(SubscriptionFirst, DoesNotInheritWhatWasReservedForItsPredecessor) {
    scratch_root root;
    participant me = joined(root.path());
    participant other = joined(root.path(), "other");
    auto first = std::make_optional(me.subscriber<tick>("t", lossless()).value());
    auto pub = other.publisher<tick>("t", gated(8)).value();
    send_ticks(pub, 0, 3);
    first.reset(); // without ever having looked
    auto second = me.subscriber<tick>("t", lossless()).value();
    send_ticks(pub, 3, 4);
    EXPECT_EQ(take_all(second), numbers(3, 4));
    EXPECT_EQ(pub.subscriber_count(), 1u) << "and nobody waits for the first";
    send_ticks(pub, 7, 8);
    EXPECT_EQ(take_all(second), numbers(7, 8));
    EXPECT_EQ(tampered_topic(me, "t").used_slots(), 1u);
}

// Both looked for each other at the same time: the subscriber joined, and the publisher kept a
// place for it all the same.
TEST(SubscriptionFirst, ThatJoinedByItselfGivesTheReservedPlaceBackAndCountsOnce) {
    scratch_root root;
    participant me = joined(root.path());
    participant other = joined(root.path(), "other");
    auto pub = other.publisher<tick>("t", gated(4)).value();
    auto sub = me.subscriber<tick>("t", lossless()).value();
    tampered_topic topic(me, "t");
    detail::reader_slot& free = topic.slots()[1];
    ASSERT_TRUE(owner_word<>::load(free.owner).is_free());
    detail::reader_slot const& own = topic.slots()[0];
    free.subscription = own.subscription; // as the publisher would have written it
    free.subscription_ticket = me.ticket();
    free.role = static_cast<std::uint32_t>(detail::reader_role::reservation);
    free.cursor = detail::cursor_at(0);
    free.owner = owner::make(other.ticket(), slot_phase::ready, 7).word;
    EXPECT_EQ(pub.subscriber_count(), 1u) << "it is one subscriber";
    send_ticks(pub, 0, 4);
    EXPECT_EQ(pub.send(tick::of(9)).error(), send_errc::full);
    other.core()->bump_epoch();
    EXPECT_EQ(take_all(sub), numbers(0, 4));
    EXPECT_EQ(topic.used_slots(), 1u);
    send_ticks(pub, 4, 4);
    EXPECT_EQ(take_all(sub), numbers(4, 4));
}

TEST(SubscriptionFirst, ThatJoinedByItselfGivesTheReservedPlaceBackThoughThePublisherHasClosed) {
    scratch_root root;
    participant me = joined(root.path());
    participant other = joined(root.path(), "other");
    auto pub = other.publisher<tick>("t", gated(4)).value();
    auto sub = me.subscriber<tick>("t", lossless()).value();
    {
        tampered_topic topic(me, "t");
        detail::reader_slot& free = topic.slots()[1];
        free.subscription = topic.slots()[0].subscription;
        free.subscription_ticket = me.ticket();
        free.role = static_cast<std::uint32_t>(detail::reader_role::reservation);
        free.cursor = detail::cursor_at(0);
        free.owner = owner::make(other.ticket(), slot_phase::ready, 7).word;
    }
    send_ticks(pub, 0, 3);
    pub.close();
    EXPECT_EQ(topic_files(root).size(), 2u) << "the reserved place is not taken yet";
    EXPECT_EQ(take_all(sub), numbers(0, 3));
    EXPECT_EQ(sub.publisher_count(), 0u);
    (void)other.recover();
    EXPECT_EQ(topic_files(root).size(), 0u);
}

TEST(SubscriptionFirst, ThatTakesTheOnlyPlaceByItselfDoesNotKeepThePublisherFromComing) {
    scratch_root root;
    participant me = joined(root.path());
    participant other = joined(root.path(), "other");
    auto sub = other.subscriber<tick>("t", lossless()).value();
    publisher_options options = gated(4);
    options.subscribers_max = 1;
    std::atomic<bool> stop{false};
    std::thread reader([&] { // joins at any moment of the publisher's creation
        while (!stop) {
            (void)sub.try_receive();
        }
    });
    for (std::uint64_t i = 0; i < count(300, 10'000); ++i) {
        auto const pub = me.publisher<tick>("t", options);
        ASSERT_TRUE(pub) << pub.error().message;
    }
    stop = true;
    reader.join();
}

TEST(SubscriptionFirst, IsWaitedFor) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<tick>("t", gated(4)).value();
    EXPECT_TRUE(pub.wait_for_subscribers(0, 0ms));
    EXPECT_EQ(pub.wait_for_subscribers(1, 1ms).error(), send_errc::timed_out);
    auto sub = me.subscriber<tick>("t", lossless()).value();
    auto const there = pub.wait_for_subscribers(1, 0ms);
    EXPECT_TRUE(there) << to_string(there.error());
    pub.close();
    EXPECT_EQ(pub.wait_for_subscribers(1, 0ms).error(), send_errc::closed);
}

// Room that a subscriber does not need is the publisher's, whether or not it calls again.
TEST(Subscriber, ThatComesLateHoldsBackOnlyWhatItWillRead) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<tick>("t", gated(8)).value();
    send_ticks(pub, 0, 7);
    auto sub = me.subscriber<tick>("t", lossless()).value();
    send_ticks(pub, 7, 8);
    EXPECT_EQ(pub.send(tick::of(99)).error(), send_errc::full);
    EXPECT_EQ(take_all(sub), numbers(7, 8));
}

} // namespace
} // namespace partywall::test
