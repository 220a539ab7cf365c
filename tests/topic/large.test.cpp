// SPDX-License-Identifier: BSL-1.0
// Messages that lie in chunks: to users they are messages like any other.
#include "large.hpp"

#include <support/counts.hpp>

#include <fstream>
#include <optional>
#include <string>
#include <sys/resource.h>
#include <thread>

namespace partywall::test {
namespace {

constexpr std::uint64_t kib = 1024;

publisher_options pictures(std::uint64_t depth, overflow policy = overflow::drop_oldest) {
    publisher_options options = gated(depth, policy);
    options.subscribers_max = 4;
    return options;
}

template <class T>
std::vector<std::uint64_t> take_patterns(subscriber<T>& from) {
    std::vector<std::uint64_t> numbers;
    while (auto s = from.try_receive()) {
        EXPECT_TRUE(is_pattern(*s)) << "of " << (*s).size();
        numbers.push_back(number_in(*s));
    }
    return numbers;
}

/// What /proc/self/smaps says of the mapping that `address` lies in, in KiB.
std::uint64_t kib_at(void const* address, std::string const& line) {
    std::ifstream maps("/proc/self/smaps");
    auto const wanted = reinterpret_cast<std::uintptr_t>(address);
    bool inside = false;
    for (std::string text; std::getline(maps, text);) {
        std::size_t const dash = text.find('-');
        if (dash < text.find(' ')) { // a mapping begins
            inside = std::stoull(text, nullptr, 16) <= wanted &&
                     wanted < std::stoull(text.substr(dash + 1), nullptr, 16);
        } else if (inside && text.starts_with(line)) {
            return std::stoull(text.substr(line.size()));
        }
    }
    return 0;
}

TEST(LargeMessage, OfAFixedSizeIsReceivedAsItWasSent) {
    scratch_root root;
    participant me = joined(root.path());
    for (overflow const policy : {overflow::drop_oldest, overflow::reject, overflow::block}) {
        auto pub = me.publisher<picture>("t", pictures(4, policy)).value();
        EXPECT_EQ(pub.payload_bytes_max(), sizeof(picture));
        auto watching = me.subscriber<picture>("t", looking()).value();
        auto sub = me.subscriber<picture>("t", lossy()).value();
        for (std::uint64_t i = 0; i < 100; ++i) {
            if (i % 2 == 0) {
                ASSERT_TRUE(pub.send(picture::of(i)));
            } else {
                auto loan = pub.loan();
                *loan.value() = picture::of(i);
                ASSERT_TRUE(loan->send());
            }
            for (auto* const from : {&sub, &watching}) {
                auto const s = from->try_receive();
                ASSERT_TRUE(s) << to_string(s.error());
                EXPECT_EQ(s->number, i);
                EXPECT_TRUE(s->whole());
                EXPECT_EQ(s.position(), i);
            }
        }
        pub.close();
    }
}

TEST(LargeMessage, OfAnyLengthGoesTheWayThatItsLengthAllows) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<bytes>("t", with_chunks(gated(8), 3000)).value();
    auto sub = me.subscriber<bytes>("t", lossless()).value();
    auto copied = me.subscriber<bytes>("t", looking()).value();
    std::uint64_t number = 0;
    for (std::size_t const size : {8U, 9U, 63U, 64U, 65U, 71U, 72U, 100U, 2999U, 3000U, 8U, 64U}) {
        ASSERT_TRUE(pub.send(pattern(number, size)));
        auto const s = sub.try_receive();
        ASSERT_TRUE(s);
        EXPECT_EQ((*s).size(), size);
        EXPECT_TRUE(is_pattern(*s));
        EXPECT_EQ(number_in(*s), number);
        auto const c = copied.try_receive();
        EXPECT_EQ((*c).size(), size);
        EXPECT_TRUE(is_pattern(*c));
        number += 1;
    }
    EXPECT_EQ(pub.send(pattern(0, 3001)).error(), send_errc::too_large);
    ASSERT_TRUE(pub.send(std::span<std::byte const>())); // of no bytes at all
    EXPECT_EQ((*sub.try_receive()).size(), 0U);
}

TEST(LargeMessage, OfElementsKeepsThemWhereTheirTypeWantsThem) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<tile[]>("t", with_chunks(gated(8), 100 * sizeof(tile))).value();
    auto sub = me.subscriber<tile[]>("t", lossless()).value();
    for (std::size_t const count : {1U, 2U, 50U, 100U}) {
        std::vector<tile> const sent(count, tile{count, {}});
        ASSERT_TRUE(pub.send(sent));
        auto const s = sub.try_receive();
        ASSERT_EQ((*s).size(), count);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>((*s).data()) % alignof(tile), 0U);
        EXPECT_EQ((*s)[count - 1].number, count);
    }
}

TEST(LargeMessage, IsNotCopiedOnItsWay) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<bytes>("t", with_chunks(gated(4, overflow::block), 100 * kib)).value();
    auto sub = me.subscriber<bytes>("t", lossless()).value();
    auto fast = me.subscriber<bytes>("t", lossy()).value();
    tampered_topic topic(me, "t");
    auto loan = pub.loan().value();
    EXPECT_EQ((*loan).size(), 100 * kib);
    write_pattern(*loan, 7);
    ASSERT_TRUE(loan.send());
    auto const held = sub.try_receive();
    auto const pinned = fast.try_receive();
    // Through another mapping of the same file: what changes there changes here.
    auto& there = *reinterpret_cast<std::uint64_t*>(reinterpret_cast<std::byte*>(&topic.ring()) +
                                                    topic.ring().constants.pool.offset);
    EXPECT_EQ(there, 7U);
    there = 8;
    EXPECT_EQ(number_in(*held), 8U);
    EXPECT_EQ(number_in(*pinned), 8U);
}

TEST(LargeMessage, ThatIsHeldHoldsNobodyBack) {
    scratch_root root;
    participant me = joined(root.path());
    for (delivery const kind : {delivery::lossless, delivery::lossy}) {
        auto pub = me.publisher<picture>("t", pictures(4, overflow::reject)).value();
        subscriber_options options;
        options.delivery = kind;
        auto sub = me.subscriber<picture>("t", options).value();
        ASSERT_TRUE(pub.send(picture::of(0)));
        auto const first = sub.try_receive();
        std::optional<sample<picture>> last;
        for (std::uint64_t i = 1; i < 200; ++i) {
            ASSERT_TRUE(pub.send(picture::of(i))) << i;
            last.reset();
            last = sub.try_receive();
            ASSERT_TRUE(*last) << to_string(last->error());
            ASSERT_EQ((*last)->number, i);
            ASSERT_TRUE((*last)->whole());
        }
        EXPECT_EQ(first->number, 0U);
        EXPECT_TRUE(first->whole());
        EXPECT_EQ(sub.missed(), 0U);
    }
}

TEST(LargeMessage, OfALosslessSubscriptionWithoutPinsHoldsThePublisherBack) {
    scratch_root root;
    participant me = joined(root.path());
    publisher_options options = pictures(4, overflow::reject);
    options.pins_max = 0;
    auto pub = me.publisher<picture>("t", options).value();
    auto sub = me.subscriber<picture>("t", lossless()).value();
    for (std::uint64_t i = 0; i < 4; ++i) {
        ASSERT_TRUE(pub.send(picture::of(i)));
    }
    auto first = sub.try_receive();
    ASSERT_TRUE(sub.try_receive());
    EXPECT_EQ(pub.send(picture::of(4)).error(), send_errc::full);
    EXPECT_TRUE(first->whole());
    first.reset();
    EXPECT_TRUE(pub.send(picture::of(4)));
}

TEST(LargeMessage, OfALossySubscriptionWithoutPinsIsACopy) {
    scratch_root root;
    participant me = joined(root.path());
    publisher_options options = pictures(4);
    options.pins_per_subscriber = 1;
    options.pins_max = 1; // for who comes first
    auto pub = me.publisher<picture>("t", options).value();
    auto first = me.subscriber<picture>("t", lossy()).value();
    auto second = me.subscriber<picture>("t", lossy()).value();
    ASSERT_TRUE(pub.send(picture::of(0)));
    auto const a = first.try_receive();
    auto const b = second.try_receive();
    ASSERT_TRUE(pub.send(picture::of(1)));
    auto const c = first.try_receive(); // its one pin is in use
    for (std::uint64_t i = 2; i < 50; ++i) {
        ASSERT_TRUE(pub.send(picture::of(i)));
    }
    EXPECT_EQ(a->number, 0U);
    EXPECT_EQ(b->number, 0U);
    EXPECT_EQ(c->number, 1U);
    EXPECT_TRUE(a->whole() && b->whole() && c->whole());
    tampered_topic topic(me, "t");
    EXPECT_NE(topic.slots()[0].pins[0], 0U);
    EXPECT_EQ(topic.slots()[1].pins[0], 0U);
}

TEST(LargeMessage, IsUnpinnedWhenItsSampleGoesWhereverThatIs) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<picture>("t", pictures(4)).value();
    auto sub = std::make_optional(me.subscriber<picture>("t", lossy()).value());
    tampered_topic topic(me, "t");
    auto const pins = [&] {
        return (topic.slots()[0].pins[0] != 0 ? 1 : 0) + (topic.slots()[0].pins[1] != 0 ? 1 : 0);
    };
    ASSERT_TRUE(pub.send(picture::of(0)));
    ASSERT_TRUE(pub.send(picture::of(1)));
    auto one = sub->try_receive();
    auto two = sub->try_receive();
    EXPECT_EQ(pins(), 2);
    std::thread([gone = std::move(one)] {}).join();
    EXPECT_FALSE(sub->try_receive()); // counts what came back
    EXPECT_EQ(pins(), 1);
    sub.reset(); // the other one outlives its subscriber
    for (std::uint64_t i = 2; i < 50; ++i) {
        ASSERT_TRUE(pub.send(picture::of(i)));
    }
    EXPECT_EQ(two->number, 1U);
    EXPECT_TRUE(two->whole());
    two.reset();
    EXPECT_EQ(pins(), 0);
    EXPECT_EQ(topic.used_slots(), 0U);
}

TEST(LargeMessage, IsThereForWhoComesLater) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<bytes>("t", with_chunks(gated(8), 10 * kib)).value();
    for (std::uint64_t i = 0; i < 20; ++i) {
        ASSERT_TRUE(pub.send(pattern(i, i % 2 == 0 ? 10 * kib : 40)));
    }
    for (delivery const kind : {delivery::lossy, delivery::lossless, delivery::looking}) {
        subscriber_options options = lossy(5);
        options.delivery = kind;
        auto sub = me.subscriber<bytes>("t", options).value();
        EXPECT_EQ(take_patterns(sub), numbers(15, 5));
    }
}

TEST(LargeMessage, SentBeforeItsPublisherClosedIsStillRead) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<bytes>("t", with_chunks(gated(8), 10 * kib)).value();
    auto sub = me.subscriber<bytes>("t", lossless(true)).value();
    for (std::uint64_t i = 0; i < 8; ++i) {
        ASSERT_TRUE(pub.send(pattern(i, 10 * kib)));
    }
    pub.close();
    EXPECT_EQ(take_patterns(sub), numbers(0, 8));
    EXPECT_EQ(topic_files(root), std::vector<std::string>());
}

TEST(LargeMessage, ThatIsTheLatestIsHeldForWhoAsksAgain) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = std::make_optional(me.publisher<picture>("t", pictures(4)).value());
    auto value = me.latest<picture>("t").value();
    tampered_topic topic(me, "t");
    EXPECT_EQ(value.get().error(), receive_errc::empty);
    for (std::uint64_t i = 0; i < 30; ++i) {
        ASSERT_TRUE(pub->send(picture::of(i)));
        auto const first = value.get();
        auto const again = value.get();
        ASSERT_TRUE(first && again);
        EXPECT_EQ(&*first, &*again) << "one message, one place";
        EXPECT_EQ(first->number, i);
        EXPECT_TRUE(first->whole());
    }
    for (std::uint64_t i = 30; i < 60; ++i) { // nobody looks meanwhile
        ASSERT_TRUE(pub->send(picture::of(i)));
    }
    auto const last = value.get();
    EXPECT_EQ(last->number, 59U);
    EXPECT_EQ((topic.slots()[0].pins[0] != 0) + (topic.slots()[0].pins[1] != 0), 1);
    pub.reset();
    EXPECT_EQ(value.get()->number, 59U) << "it outlives its publisher";
    EXPECT_TRUE(value.get()->whole());
    value.close();
    EXPECT_TRUE(last->whole());
}

TEST(LargeMessage, ThatIsAbandonedLeavesNothing) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<picture>("t", pictures(4)).value();
    auto sub = me.subscriber<picture>("t", lossy()).value();
    for (std::uint64_t i = 0; i < 4; ++i) {
        ASSERT_TRUE(pub.send(picture::of(i)));
    }
    for (int i = 0; i < 100; ++i) {
        *pub.loan().value() = picture::of(99);
    }
    for (std::uint64_t i = 0; i < 4; ++i) { // not even the oldest message was given up
        auto const s = sub.try_receive();
        ASSERT_TRUE(s);
        EXPECT_EQ(s->number, i);
        EXPECT_TRUE(s->whole());
    }
    EXPECT_FALSE(sub.try_receive());
}

TEST(LargeMessages, AreSentInBatchesLikeOthers) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<picture>("t", pictures(4, overflow::reject)).value();
    auto sub = me.subscriber<picture>("t", lossless()).value();
    std::vector<picture> many;
    for (std::uint64_t i = 0; i < 6; ++i) {
        many.push_back(picture::of(i));
    }
    EXPECT_EQ(pub.send_batch(many).value(), 4U);
    for (std::uint64_t i = 0; i < 4; ++i) {
        EXPECT_EQ(sub.try_receive()->number, i);
    }
    EXPECT_EQ(pub.send_batch(std::span(many).subspan(4)).value(), 2U);
}

TEST(LargeMessages, KeepTheirPublishersMemoryAsItIs) {
    scratch_root root;
    participant me = joined(root.path());
    publisher_options options = with_chunks(dropping(4), 1000 * kib);
    options.subscribers_max = 3;
    options.pins_max = 6;
    auto pub = me.publisher<bytes>("t", options).value();
    std::uint64_t const chunks = 4 + 6 + 1;
    EXPECT_GE(pub.memory().bytes, chunks * 1000 * kib);
    EXPECT_LE(pub.memory().bytes, chunks * 1001 * kib + 16 * kib);
    EXPECT_EQ(pub.memory().backed, pub.memory().bytes);
    EXPECT_FALSE(pub.memory().prefaulted);
    EXPECT_FALSE(pub.memory().locked);
    auto sub = me.subscriber<bytes>("t").value();
    EXPECT_EQ(sub.memory().bytes, pub.memory().bytes);
}

TEST(LargeMessages, CanHaveTheirMemoryFaultedInAndLockedAsFarAsThatIsAllowed) {
    scratch_root root;
    participant me = joined(root.path());
    publisher_options options = with_chunks(dropping(4), 100 * kib);
    options.memory.prefault = true;
    options.memory.lock = true;
    subscriber_options reading;
    reading.memory = options.memory;
    struct rlimit before {};
    ASSERT_EQ(::getrlimit(RLIMIT_MEMLOCK, &before), 0);
    {
        auto pub = me.publisher<bytes>("t", options).value();
        auto sub = me.subscriber<bytes>("t", reading).value();
        EXPECT_TRUE(pub.memory().prefaulted);
        EXPECT_TRUE(sub.memory().prefaulted);
        bool const unlimited =
            ::geteuid() == 0 || before.rlim_cur >= 2 * pub.memory().bytes; // root may
        EXPECT_EQ(pub.memory().locked, unlimited);
        auto loan = pub.loan().value();
        std::byte const* const here = (*loan).data();
        EXPECT_EQ(kib_at(here, "Rss:"), kib_at(here, "Size:"));
        EXPECT_GT(kib_at(here, "Rss:"), 2000U);
        write_pattern(*loan, 1);
        ASSERT_TRUE(loan.send());
        auto const s = sub.try_receive();
        std::byte const* const there = (*s).data();
        EXPECT_EQ(kib_at(there, "Rss:"), kib_at(there, "Size:"));
        EXPECT_GT(kib_at(there, "Rss:"), 2000U);
    }
}

TEST(LargeMessages, OfMoreThanFourGibibytesInAllAreEachWhereTheyBelong) {
    scratch_root root;
    participant me = joined(root.path());
    constexpr std::uint64_t gib = std::uint64_t{1} << 30;
    publisher_options options = gated(4, overflow::reject);
    options.payload_bytes_max = gib + 12345; // six chunks, mostly never touched
    options.subscribers_max = 1;
    options.pins_per_subscriber = 1;
    options.pins_max = 1;
    options.memory.backing = backing::reserved;
    auto pub = me.publisher<bytes>("t", options).value();
    EXPECT_GT(pub.memory().bytes, 6 * gib);
    EXPECT_LT(pub.memory().backed, gib / 64);
    auto sub = me.subscriber<bytes>("t", lossless()).value();
    for (std::uint64_t round = 0; round < 3; ++round) {
        for (std::uint64_t i = 0; i < 4; ++i) {
            auto loan = pub.loan().value();
            ASSERT_EQ((*loan).size(), options.payload_bytes_max);
            write_pattern((*loan).first(64), 10 * round + i);
            write_pattern((*loan).last(64), 10 * round + i);
            loan.resize(options.payload_bytes_max - i);
            ASSERT_TRUE(loan.send());
        }
        EXPECT_EQ(pub.loan().error(), send_errc::full);
        for (std::uint64_t i = 0; i < 4; ++i) {
            auto const s = sub.try_receive();
            ASSERT_EQ((*s).size(), options.payload_bytes_max - i);
            EXPECT_EQ(number_in(*s), 10 * round + i);
            EXPECT_TRUE(is_pattern((*s).first(64)));
            if (i == 0) {
                EXPECT_TRUE(is_pattern((*s).last(64)));
            }
        }
    }
}

TEST(LargeMessages, ThatCannotBeAreRefusedWithTheNumbersThatSayWhy) {
    scratch_root root;
    participant me = joined(root.path());
    auto const refused = [&](auto change) {
        publisher_options options;
        change(options);
        auto const made = me.publisher<bytes>("t", options);
        EXPECT_FALSE(made);
        EXPECT_EQ(made.error().code, endpoint_errc::bad_option);
        return made.error().message;
    };
    EXPECT_NE(refused([](auto& o) { o.pins_per_subscriber = 9; }).find("0..8"), std::string::npos);
    EXPECT_NE(refused([](auto& o) {
                  o.payload_bytes_max = std::uint64_t{1} << 36;
              }).find("273 messages of 68719476736 bytes"),
              std::string::npos);
    EXPECT_NE(refused([](auto& o) {
                  o.payload_bytes_max = (std::uint64_t{1} << 36) + 1;
              }).find("payload_bytes_max"),
              std::string::npos);
    EXPECT_NE(refused([](auto& o) {
                  o.depth = cells_max;
                  o.payload_bytes_max = 5000;
              }).find("segment"),
              std::string::npos);
}

} // namespace
} // namespace partywall::test
