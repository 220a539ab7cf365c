// SPDX-License-Identifier: BSL-1.0
// Messages that are held: how many, for how long, by whom, and what they hold back.
#include "support.hpp"

#include <optional>
#include <random>
#include <thread>

namespace partywall::test {
namespace {

subscriber_options holding(std::uint32_t samples, delivery kind = delivery::lossless) {
    subscriber_options options;
    options.delivery = kind;
    options.samples_held_max = samples;
    return options;
}

/// How many messages a `reject` publisher may send now.
std::uint64_t room(publisher<tick>& pub, std::uint64_t first) {
    std::uint64_t sent = 0;
    while (pub.send(tick::of(first + sent))) {
        sent += 1;
    }
    return sent;
}

TEST(Sample, OfALosslessSubscriptionIsThePublishersMemoryAndHoldsItBack) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<tick>("t", gated(4)).value();
    auto sub = me.subscriber<tick>("t", lossless()).value();
    send_ticks(pub, 0, 2);
    auto first = sub.try_receive();
    EXPECT_EQ(sub.try_receive()->number, 1u); // given back at once, out of order
    EXPECT_EQ(room(pub, 2), 2u);
    EXPECT_EQ(first->number, 0u);
    EXPECT_TRUE(first->whole());
    first.reset();
    EXPECT_FALSE(first);
    EXPECT_EQ(first.error(), receive_errc::empty);
    EXPECT_EQ(room(pub, 4), 2u);
    EXPECT_EQ(take_all(sub), numbers(2, 4));
}

TEST(Sample, OfALossySubscriptionIsACopyThatHoldsNobodyBack) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<tick>("t", gated(4)).value();
    auto sub = me.subscriber<tick>("t", lossy()).value();
    send_ticks(pub, 0, 1);
    auto const held = sub.try_receive();
    send_ticks(pub, 1, 100);
    EXPECT_EQ(held->number, 0u);
    EXPECT_TRUE(held->whole());
}

TEST(Samples, AreBoundedAndTheNextIsNotLost) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<tick>("t", gated(64)).value();
    for (delivery const kind : {delivery::lossless, delivery::lossy, delivery::looking}) {
        for (std::uint32_t const most : {1u, 2u, samples_held_limit}) {
            auto sub = me.subscriber<tick>("t", holding(most, kind)).value();
            send_ticks(pub, 0, most + 1);
            std::vector<sample<tick>> held;
            for (std::uint32_t i = 0; i < most; ++i) {
                held.push_back(sub.try_receive());
                ASSERT_TRUE(held.back());
            }
            EXPECT_EQ(sub.try_receive().error(), receive_errc::too_many_samples);
            EXPECT_EQ(sub.receive(24h).error(), receive_errc::too_many_samples) << "it cannot wait";
            held.erase(held.begin());
            EXPECT_EQ(sub.try_receive()->number, most);
            for (std::uint32_t i = 1; i < most; ++i) {
                EXPECT_EQ(held[i - 1]->number, i);
                EXPECT_TRUE(held[i - 1]->whole());
            }
        }
    }
}

// I1: whatever is given back in whatever order, the cursor stays before the oldest that is held.
TEST(Samples, GivenBackInAnyOrderKeepTheCursorBehindTheOldest) {
    scratch_root root;
    participant me = joined(root.path());
    std::mt19937 random(11);
    publisher_options options = gated(16);
    options.start_position = std::uint64_t{0} - 40;
    auto pub = me.publisher<tick>("t", options).value();
    auto sub = me.subscriber<tick>("t", holding(8)).value();
    tampered_topic topic(me, "t");
    std::vector<sample<tick>> held;
    std::uint64_t sent = 0;
    std::uint64_t next = 0;
    for (int step = 0; step < 20'000; ++step) {
        if (random() % 2 == 0) {
            sent += room(pub, sent);
        }
        if (random() % 3 != 0) {
            if (auto s = sub.try_receive()) {
                ASSERT_EQ(s->number, next);
                next += 1;
                held.push_back(std::move(s));
            }
        } else if (!held.empty()) {
            held.erase(held.begin() + static_cast<std::ptrdiff_t>(random() % held.size()));
        }
        std::uint64_t oldest = next;
        for (auto const& s : held) {
            ASSERT_TRUE(s->whole());
            oldest = std::min(oldest, s->number);
        }
        std::uint64_t const cursor = topic.slots()[0].cursor;
        auto const beyond =
            static_cast<std::int64_t>(cursor - detail::cursor_at(options.start_position + oldest));
        ASSERT_LE(beyond, 0) << "a held cell was given back";
        ASSERT_LE(sent - oldest, 16u) << "a held cell was overwritten";
    }
    EXPECT_GT(sent, 1000u);
}

TEST(Sample, OutlivesItsSubscriberAndItsParticipantAndThePublisher) {
    for (delivery const kind : {delivery::lossless, delivery::lossy, delivery::looking}) {
        scratch_root root;
        participant other = joined(root.path(), "other");
        auto pub = std::make_optional(other.publisher<tick>("t", gated(4)).value());
        auto me = std::make_optional(joined(root.path()));
        auto sub = std::make_optional(me->subscriber<tick>("t", holding(2, kind)).value());
        send_ticks(*pub, 5, 1);
        auto held = std::make_optional(sub->try_receive());
        sub.reset();
        me.reset();
        pub.reset();
        EXPECT_EQ((*held)->number, 5u);
        EXPECT_TRUE((*held)->whole());
        held.reset();
        (void)other.recover();
        EXPECT_EQ(topic_files(root).size(), 0u);
        EXPECT_EQ(other.snapshot().participants.size(), 1u) << "the last sample lets it go";
    }
}

TEST(Sample, ThatOutlivesItsSubscriberHoldsBackItsOwnPublisherAndNoOther) {
    scratch_root root;
    participant me = joined(root.path());
    participant other = joined(root.path(), "other");
    auto a = other.publisher<tick>("t", gated(4)).value();
    auto b = other.publisher<tick>("t", gated(4)).value();
    auto sub = std::make_optional(me.subscriber<tick>("t", lossless()).value());
    send_ticks(a, 0, 1, 1);
    auto held = sub->try_receive();
    ASSERT_TRUE(held);
    sub.reset();
    EXPECT_EQ(room(a, 1), 3u);
    EXPECT_EQ(held->number, 0u);
    send_ticks(b, 0, 100, 2); // whose messages nobody waits for any more
    auto later = other.publisher<tick>("t", gated(4)).value();
    send_ticks(later, 0, 100, 3);
    EXPECT_EQ(other.snapshot().entries.size(), 3u) << "the subscription is over";
    EXPECT_TRUE(held->whole());
    held.reset();
    send_ticks(a, 4, 100);
    EXPECT_EQ(tampered_topic(me, other.publishers("t").at(0)).used_slots(), 0u);
}

TEST(Sample, MayBeMovedAndAssigned) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<tick>("t", gated(4)).value();
    auto sub = me.subscriber<tick>("t", lossless()).value();
    send_ticks(pub, 0, 4);
    auto a = sub.try_receive();
    auto b = std::move(a);
    EXPECT_FALSE(a); // NOLINT: what it is after a move is what is asked here
    EXPECT_EQ(b->number, 0u);
    b = sub.try_receive();
    EXPECT_EQ(b->number, 1u);
    auto& alias = b;
    b = std::move(alias);
    EXPECT_EQ(b->number, 1u);
    b = sample<tick>();
    EXPECT_FALSE(b);
    EXPECT_EQ(room(pub, 4), 2u) << "both were given back";
}

TEST(Subscriber, ThatIsClosedOrMovedFromSaysSo) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<tick>("t").value();
    auto sub = me.subscriber<tick>("t").value();
    auto value = me.latest<tick>("t").value();
    auto const moved = std::move(sub);
    EXPECT_EQ(sub.try_receive().error(), receive_errc::closed); // NOLINT
    EXPECT_EQ(sub.receive(24h).error(), receive_errc::closed);
    EXPECT_EQ(sub.received() + sub.missed() + sub.publisher_count(), 0u);
    sub.interrupt();
    sub.close();
    value.close();
    EXPECT_EQ(value.get().error(), receive_errc::closed);
    EXPECT_EQ(value.wait(24h).error(), receive_errc::closed);
    EXPECT_EQ(moved.publisher_count(), 1u);
    EXPECT_EQ(pub.subscriber_count(), 1u);
}

TEST(SampleThreads, GivenBackByAnotherThreadLetsThePublisherGoOn) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<tick>("t", gated(4)).value();
    auto sub = me.subscriber<tick>("t", lossless()).value();
    send_ticks(pub, 0, 4);
    auto held = sub.try_receive();
    std::thread([moved = std::move(held)]() mutable {
        EXPECT_EQ(moved->number, 0u);
        moved.reset();
    }).join();
    EXPECT_EQ(sub.try_receive()->number, 1u); // collects what was given back
    EXPECT_EQ(room(pub, 4), 2u);
}

TEST(SampleThreads, GivenBackByAnotherThreadWakesAPublisherThroughASleepingSubscriber) {
    scratch_root root;
    participant me = joined(root.path());
    publisher_options options = gated(4, overflow::block);
    options.block_for = 1h;
    options.waiting = waiting::park;
    auto pub = me.publisher<tick>("t", options).value();
    subscriber_options o = lossless();
    o.waiting = waiting::park;
    auto sub = me.subscriber<tick>("t", o).value();
    send_ticks(pub, 0, 4);
    auto held = sub.try_receive();
    (void)sub.try_receive();
    (void)sub.try_receive();
    (void)sub.try_receive();
    std::thread sender([&] {
        // Both only end because the other does what it should: the subscriber sleeps in receive()
        // until the fifth message, which has no room before the sample is given back.
        auto const sent = pub.send(tick::of(4));
        EXPECT_TRUE(sent);
    });
    std::thread giver([moved = std::move(held)]() mutable {
        std::this_thread::yield();
        moved.reset();
    });
    auto const s = sub.receive(1h);
    ASSERT_TRUE(s);
    EXPECT_EQ(s->number, 4u);
    sender.join();
    giver.join();
}

// The handle goes from thread to thread, and samples stay behind or go elsewhere.
TEST(SampleThreads, AreGivenBackWhileTheSubscriberIsUsedByOneThreadAfterTheOther) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<tick>("t", gated(16)).value();
    auto sub = std::make_optional(me.subscriber<tick>("t", holding(8)).value());
    std::uint64_t sent = 0;
    std::uint64_t next = 0;
    std::vector<std::thread> keepers;
    for (int round = 0; round < 300; ++round) {
        std::vector<sample<tick>> stay;
        std::thread user([&] {
            sent += room(pub, sent);
            for (int i = 0; i < 4; ++i) {
                auto s = sub->try_receive();
                if (!s) {
                    ASSERT_TRUE(s.error() == receive_errc::too_many_samples ||
                                s.error() == receive_errc::empty);
                    break;
                }
                ASSERT_TRUE(s->whole());
                ASSERT_EQ(s->number, next);
                next += 1;
                stay.push_back(std::move(s));
            }
        });
        user.join();
        keepers.emplace_back([mine = std::move(stay)]() mutable {
            for (auto& s : mine) {
                EXPECT_TRUE(s->whole());
                s.reset();
            }
        });
        if (round == 150) { // and once its owner closes it while they are out
            sub.reset();
            for (auto& k : keepers) {
                k.join();
            }
            keepers.clear();
            sub.emplace(me.subscriber<tick>("t", holding(8)).value());
            next = sent;
        }
    }
    for (auto& k : keepers) {
        k.join();
    }
    while (auto const s = sub->try_receive()) {
        ASSERT_EQ(s->number, next);
        next += 1;
    }
    EXPECT_EQ(next, sent);
    EXPECT_EQ(pub.subscriber_count(), 1u);
}

} // namespace
} // namespace partywall::test
