// SPDX-License-Identifier: BSL-1.0
// What is refused when an endpoint is created, in which words, and that nothing is left of it.
#include "support.hpp"

#include <support/counts.hpp>

#include <barrier>
#include <filesystem>
#include <functional>
#include <optional>
#include <thread>

namespace partywall::test {

struct other_type {
    std::uint64_t a;
    std::uint64_t b;
    std::uint64_t c;
};

namespace {

template <class Result>
void expect_refused(Result const& made, endpoint_errc code,
                    std::initializer_list<std::string_view> words) {
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, code) << made.error().message;
    for (std::string_view const word : words) {
        EXPECT_NE(made.error().message.find(word), std::string::npos)
            << "'" << word << "' is not in: " << made.error().message;
    }
}

TEST(Create, RefusesBadNames) {
    scratch_root root;
    participant me = joined(root.path());
    for (std::string const& name :
         {std::string(), std::string("/a"), std::string("a//b"), std::string("a/../b"),
          std::string("a\0b", 3), std::string(name_bytes_max + 1, 'x')}) {
        expect_refused(me.publisher<tick>(name), endpoint_errc::bad_name, {});
        expect_refused(me.subscriber<tick>(name), endpoint_errc::bad_name, {});
        expect_refused(me.latest<tick>(name), endpoint_errc::bad_name, {});
    }
    EXPECT_TRUE(me.publisher<tick>(std::string(name_bytes_max, 'x')));
    EXPECT_TRUE(me.snapshot().entries.empty());
    EXPECT_TRUE(topic_files(root).empty());
}

TEST(Create, RefusesOptionsThatMakeNoSense) {
    scratch_root root;
    participant me = joined(root.path());
    auto const bad_publisher = [&](std::function<void(publisher_options&)> const& spoil,
                                   std::string_view word) {
        publisher_options options;
        spoil(options);
        expect_refused(me.publisher<bytes>("t", options), endpoint_errc::bad_option, {"'t'", word});
    };
    using o = publisher_options;
    bad_publisher([](o& p) { p.overflow = static_cast<overflow>(0); }, "policy");
    bad_publisher([](o& p) { p.depth = 0; }, "depth 0");
    bad_publisher([](o& p) { p.depth = cells_max + 1; }, std::to_string(cells_max));
    bad_publisher([](o& p) { p.depth = ~std::uint64_t{0}; }, "depth");
    bad_publisher([](o& p) { p.subscribers_max = 0; }, "subscribers_max 0");
    bad_publisher([](o& p) { p.subscribers_max = subscribers_max + 1; }, "subscribers_max");
    bad_publisher([](o& p) { p.payload_bytes_max = 0; }, "payload_bytes_max 0");
    bad_publisher([](o& p) { p.payload_bytes_max = payload_bytes_max_limit + 1; }, "payload");
    bad_publisher([](o& p) { p.payload_bytes_max = ~std::uint64_t{0}; }, "payload");
    bad_publisher([](o& p) { p.block_for = -1ns; }, "negative");
    bad_publisher([](o& p) { p.spin_for = -1ns; }, "negative");
    bad_publisher(
        [](o& p) {
            p.depth = cells_max;
            p.payload_bytes_max = payload_bytes_max_limit;
        },
        "segment");
    bad_publisher(
        [](o& p) {
            p.metadata = {{"k", std::string(metadata_bytes_max, 'v')}};
        },
        "metadata");

    auto const bad_subscriber = [&](std::function<void(subscriber_options&)> const& spoil,
                                    std::string_view word) {
        subscriber_options options;
        spoil(options);
        expect_refused(me.subscriber<bytes>("t", options), endpoint_errc::bad_option,
                       {"'t'", word});
    };
    using s = subscriber_options;
    bad_subscriber([](s& p) { p.delivery = static_cast<delivery>(9); }, "delivery");
    bad_subscriber([](s& p) { p.samples_held_max = 0; }, "samples_held_max 0");
    bad_subscriber([](s& p) { p.samples_held_max = samples_held_limit + 1; }, "samples_held_max");
    bad_subscriber([](s& p) { p.spin_for = -1ns; }, "negative");
    bad_subscriber(
        [](s& p) {
            p.any_type = true;
            p.delivery = delivery::lossless;
        },
        "any_type");
    expect_refused(me.latest<tick>("t", lossless()), endpoint_errc::bad_option, {"latest"});
    EXPECT_TRUE(me.snapshot().entries.empty());
    EXPECT_TRUE(topic_files(root).empty());
}

// A T that is longer than what is sent would be copied from beyond the cell.
TEST(Create, LetsOnlyBytesAttachToAnyType) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<std::uint32_t>("t").value();
    ASSERT_TRUE(pub.send(7));
    subscriber_options any = looking(1);
    any.any_type = true;
    expect_refused(me.subscriber<tick>("t", any), endpoint_errc::bad_option, {"any_type"});
    expect_refused(me.latest<tick>("t", any), endpoint_errc::bad_option, {"any_type"});
    expect_refused(me.subscriber<tick[]>("t", any), endpoint_errc::bad_option, {"any_type"});
    auto monitor = me.subscriber<bytes>("t", any).value();
    auto const s = monitor.try_receive();
    ASSERT_EQ((*s).size(), 4u);
    EXPECT_EQ((*s)[0], std::byte{7});
    auto value = me.latest<bytes>("t", any).value();
    EXPECT_EQ((*value.get()).size(), 4u);
}

TEST(TypeMismatch, IsRefusedOnEitherSideAndNamesBoth) {
    scratch_root root;
    participant me = joined(root.path());
    participant other = joined(root.path(), "other");
    std::string const mine = "tick";
    {
        auto pub = me.publisher<tick>("t", gated(4)).value();
        expect_refused(other.publisher<std::uint64_t>("t", gated(4)), endpoint_errc::type_mismatch,
                       {"'t'", "tick", "u64"});
        expect_refused(other.subscriber<std::uint64_t>("t"), endpoint_errc::type_mismatch,
                       {"tick", "u64"});
        expect_refused(other.subscriber<bytes>("t"), endpoint_errc::type_mismatch,
                       {"tick", "bytes"});
        expect_refused(other.subscriber<tick[]>("t", lossless()), endpoint_errc::type_mismatch,
                       {"tick"});
        expect_refused(other.latest<bytes>("t"), endpoint_errc::type_mismatch, {"tick", "bytes"});
        EXPECT_TRUE(other.subscriber<tick>("t"));
    }
    {
        auto sub = me.subscriber<tick>("t", lossless()).value();
        expect_refused(other.publisher<std::uint64_t>("t", gated(4)), endpoint_errc::type_mismatch,
                       {"tick", "u64"});
        expect_refused(other.subscriber<std::uint64_t>("t", lossless()),
                       endpoint_errc::type_mismatch, {"tick", "u64"});
        EXPECT_EQ(sub.try_receive().error(), receive_errc::empty)
            << "a publisher that was refused is no event for those who were there";
    }
    EXPECT_TRUE(other.publisher<std::uint64_t>("t")) << "the topic is free again";
    EXPECT_TRUE(other.snapshot().entries.empty());
    EXPECT_TRUE(topic_files(root).empty());
}

TEST(OptionMismatch, IsRefusedOnEitherSideAndNamesBoth) {
    scratch_root root;
    participant me = joined(root.path());
    participant other = joined(root.path(), "other");
    {
        auto pub = me.publisher<tick>("t", gated(8)).value();
        expect_refused(other.publisher<tick>("t", gated(16)), endpoint_errc::option_mismatch,
                       {"depth 16", "depth 8"});
        expect_refused(other.publisher<tick>("t", gated(8, overflow::block)),
                       endpoint_errc::option_mismatch, {"block", "reject"});
        expect_refused(other.publisher<tick>("t", dropping(8)), endpoint_errc::option_mismatch,
                       {"drop_oldest", "reject"});
        publisher_options same = gated(7); // rounded up to 8
        EXPECT_TRUE(other.publisher<tick>("t", same));
    }
    {
        auto pub = me.publisher<tick>("t", dropping(8)).value();
        expect_refused(other.subscriber<tick>("t", lossless()), endpoint_errc::option_mismatch,
                       {"lossless", "drop_oldest"});
    }
    {
        auto sub = me.subscriber<tick>("t", lossless()).value();
        expect_refused(other.publisher<tick>("t", dropping(8)), endpoint_errc::option_mismatch,
                       {"lossless", "drop_oldest"});
        EXPECT_EQ(sub.try_receive().error(), receive_errc::empty);
        EXPECT_EQ(sub.publishers_seen(), 0u);
    }
    {
        publisher_options options;
        options.payload_bytes_max = 100;
        auto pub = me.publisher<bytes>("t", options).value();
        options.payload_bytes_max = 101;
        expect_refused(other.publisher<bytes>("t", options), endpoint_errc::option_mismatch,
                       {"100", "101"});
    }
    EXPECT_TRUE(other.snapshot().entries.empty());
    EXPECT_TRUE(topic_files(root).empty());
}

TEST(Create, IsOfNoConsequenceToOthersWhereItIsRefused) {
    scratch_root root;
    participant me = joined(root.path());
    participant other = joined(root.path(), "other");
    publisher_options options = gated(8);
    auto pub = me.publisher<tick>("t", options).value();
    std::vector<subscriber<tick>> subs;
    for (subscriber_options o : {lossless(true), lossy(), looking()}) {
        o.report_close = true;
        subs.push_back(me.subscriber<tick>("t", o).value());
    }
    for (int i = 0; i < 5; ++i) {
        EXPECT_FALSE(other.publisher<tick>("t", gated(16)));
        EXPECT_FALSE(other.publisher<other_type>("t", options));
        EXPECT_FALSE(other.subscriber<other_type>("t", lossless()));
        for (auto& sub : subs) {
            EXPECT_EQ(sub.try_receive().error(), receive_errc::empty);
            EXPECT_EQ(sub.publishers_seen(), 1u);
        }
    }
    (void)other.recover();
    EXPECT_EQ(topic_files(root).size(), 2u);
    EXPECT_EQ(me.snapshot().entries.size(), 2u);
    EXPECT_EQ(pub.subscriber_count(), 2u);
}

TEST(Create, InADomainThatSomebodyRemovedSaysSoAndWhatIsThereGoesOn) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<tick>("t", gated(8)).value();
    auto sub = me.subscriber<tick>("t", lossless()).value();
    std::filesystem::remove_all(root.path() + "/d");
    expect_refused(me.publisher<tick>("t", gated(8)), endpoint_errc::domain_gone, {"'t'"});
    expect_refused(me.subscriber<tick>("t", lossless()), endpoint_errc::domain_gone, {"'t'"});
    expect_refused(me.subscriber<tick>("t"), endpoint_errc::domain_gone, {"'t'", "'d'"});
    expect_refused(me.latest<tick>("t"), endpoint_errc::domain_gone, {"'t'", "'d'"});
    send_ticks(pub, 0, 8);
    EXPECT_EQ(pub.send(tick::of(9)).error(), send_errc::full);
    EXPECT_EQ(take_all(sub), numbers(0, 8));
    EXPECT_FALSE(me.recover().complete);
    pub.close();
    EXPECT_EQ(sub.receive(0ms).error(), receive_errc::timed_out);
}

TEST(Create, EndsWithAnErrorWhenAParticipantHasUsedUpItsNumbers) {
    scratch_root root;
    participant me = joined(root.path());
    while (me.core()->next_number() != 0) {
    }
    EXPECT_EQ(me.core()->next_number(), 0u);
    expect_refused(me.publisher<tick>("t"), endpoint_errc::too_many_entries, {"'t'", "16777215"});
    expect_refused(me.subscriber<tick>("t", lossless()), endpoint_errc::too_many_entries,
                   {"'t'", "16777215"});
    EXPECT_TRUE(topic_files(root).empty());
    EXPECT_TRUE(joined(root.path()).publisher<tick>("t"));
}

TEST(Create, ShowsThatAPublisherIsGoingToLeave) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<tick>("t", gated(4)).value();
    auto sub = me.subscriber<tick>("t", lossless()).value();
    ASSERT_TRUE(pub.set_draining(true));
    EXPECT_EQ(me.publishers("t").at(0).state, health::draining);
    auto late = me.subscriber<tick>("t", lossless()).value();
    send_ticks(pub, 0, 3);
    EXPECT_EQ(take_all(sub), numbers(0, 3)) << "delivery does not change";
    EXPECT_EQ(take_all(late), numbers(0, 3));
    ASSERT_TRUE(pub.set_draining(false));
    EXPECT_EQ(me.publishers("t").at(0).state, health::ready);
    pub.close();
    EXPECT_EQ(pub.set_draining(true).error(), registry_errc::not_found);
}

TEST(Create, RestartedEndpointsFindTheTopicFree) {
    scratch_root root;
    participant me = joined(root.path());
    for (int i = 0; i < 20; ++i) {
        auto pub = me.publisher<tick>("t", i % 2 == 0 ? gated(4) : dropping(8)).value();
        auto sub = me.subscriber<tick>("t", i % 2 == 0 ? lossless() : lossy()).value();
        send_ticks(pub, 0, 3);
        EXPECT_EQ(take_all(sub), numbers(0, 3));
    }
    EXPECT_TRUE(me.snapshot().entries.empty());
    EXPECT_TRUE(topic_files(root).empty());
}

/// Two that contradict each other start at the same time: at most one gets through.
template <class A, class B>
void race(A const& start_a, B const& start_b, std::uint64_t rounds) {
    std::barrier together(2);
    bool a_is_there = false;
    std::uint64_t both = 0;
    std::uint64_t one = 0;
    std::thread other([&] {
        for (std::uint64_t i = 0; i < rounds; ++i) {
            together.arrive_and_wait();
            auto made = start_a(std::to_string(i));
            a_is_there = made.has_value();
            together.arrive_and_wait(); // the endpoints of both are still there
        }
    });
    for (std::uint64_t i = 0; i < rounds; ++i) {
        together.arrive_and_wait();
        auto made = start_b(std::to_string(i));
        bool const b_is_there = made.has_value();
        together.arrive_and_wait();
        both += a_is_there && b_is_there ? 1 : 0;
        one += a_is_there != b_is_there ? 1 : 0;
    }
    other.join();
    EXPECT_EQ(both, 0u);
    testing::Test::RecordProperty("one_got_through", std::to_string(one));
}

TEST(CreateThreads, OfTwoThatContradictEachOtherAtMostOneGetsThrough) {
    scratch_root root;
    participant me = joined(root.path());
    participant other = joined(root.path(), "other");
    auto const small = [&](std::string const& t) { return me.publisher<tick>(t, gated(4)); };
    auto const large = [&](std::string const& t) { return other.publisher<tick>(t, gated(8)); };
    auto const drops = [&](std::string const& t) { return me.publisher<tick>(t, dropping(4)); };
    auto const all = [&](std::string const& t) { return other.subscriber<tick>(t, lossless()); };
    auto const another = [&](std::string const& t) {
        return me.subscriber<other_type>(t, lossless());
    };
    race(small, large, 100);
    race(drops, all, 100);
    race(another, all, 100);
}

// Whoever waited for a subscriber may send at once: that message does not lie before its place.
// The ring is long and its messages far apart, so that finding the place takes its time.
TEST(CreateThreads, ASubscriberThatIsCountedGetsTheNextMessage) {
    scratch_root root;
    participant me = joined(root.path());
    participant other = joined(root.path(), "other");
    publisher_options options = dropping(2048);
    options.payload_bytes_max = 4096;
    auto pub = other.publisher<bytes>("t", options).value();
    for (int i = 0; i < 3000; ++i) {
        ASSERT_TRUE(pub.send("before"));
    }
    std::barrier together(2);
    std::uint64_t const rounds = count(300, 30'000);
    std::thread sender([&] {
        for (std::uint64_t i = 0; i < rounds; ++i) {
            while (pub.subscriber_count() == 0) {
            }
            EXPECT_TRUE(pub.send(std::to_string(i)));
            together.arrive_and_wait(); // sent
            together.arrive_and_wait(); // and the subscriber is gone
        }
    });
    for (std::uint64_t i = 0; i < rounds; ++i) {
        {
            auto sub = me.subscriber<bytes>("t").value();
            together.arrive_and_wait();
            auto const message = sub.try_receive();
            EXPECT_TRUE(message && message.text() == std::to_string(i)) << i;
            EXPECT_EQ(sub.missed(), 0u);
        }
        together.arrive_and_wait();
    }
    sender.join();
}

// Publisher and lossless subscriber that start at the same time miss nothing, whichever found the
// other.
TEST(CreateThreads, PublisherAndLosslessSubscriptionThatStartTogetherMissNothing) {
    scratch_root root;
    participant me = joined(root.path());
    participant other = joined(root.path(), "other");
    std::barrier together(2);
    constexpr std::uint64_t rounds = 100;
    std::thread sender([&] {
        for (std::uint64_t i = 0; i < rounds; ++i) {
            together.arrive_and_wait();
            auto pub = other.publisher<tick>("t", gated(8)).value();
            together.arrive_and_wait(); // from here on the subscription is there
            send_ticks(pub, 100 * i, 8);
            pub.close();
            together.arrive_and_wait();
        }
    });
    for (std::uint64_t i = 0; i < rounds; ++i) {
        together.arrive_and_wait();
        auto sub = me.subscriber<tick>("t", lossless()).value();
        together.arrive_and_wait();
        together.arrive_and_wait();
        EXPECT_EQ(take_all(sub), numbers(100 * i, 8));
        EXPECT_EQ(sub.publishers_seen(), 1u);
    }
    sender.join();
    (void)me.recover();
    (void)other.recover();
    EXPECT_TRUE(me.snapshot().entries.empty());
    EXPECT_TRUE(topic_files(root).empty());
}

} // namespace
} // namespace partywall::test
