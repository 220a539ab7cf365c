// SPDX-License-Identifier: BSL-1.0
// Messages of up to 16 MiB whose sender is killed while it copies, and whose reader is killed while it
// looks at them: whole or absent, and every chunk is used again.
#include <topic/large.hpp>

#include <support/counts.hpp>
#include <support/role.hpp>
#include <support/sandbox.hpp>
#include <support/watchdog.hpp>

#include <chrono>
#include <random>
#include <thread>
#include <vector>

namespace partywall::test {
namespace {

constexpr std::uint64_t mib = std::uint64_t{1} << 20;

/// Any of the 16 sizes from 64 KiB to the longest.
std::size_t some_size(std::uint64_t number, std::uint64_t longest) {
    std::uint64_t const least = 64 * 1024;
    return static_cast<std::size_t>(least + (number * 7 % 16) * (longest - least) / 15 / 8 * 8);
}

receiver_options large_lanes(std::uint64_t longest) {
    receiver_options options = with_chunks(receiver_options(), longest);
    options.depth = 4;
    options.senders_max = 2;
    return options;
}

sender_options blocked() {
    sender_options options;
    options.block_for = 1h;
    return options;
}

/// root, longest message, "topic" or "inbox". Sends for ever, by copy and by loan in turn.
PARTYWALL_ROLE(sends_large_messages) {
    participant me = joined(context.arg(0), "sender");
    std::uint64_t const longest = context.number(1);
    auto const send_for_ever = [&](auto to) {
        for (std::uint64_t i = 0;; ++i) {
            std::size_t const size = some_size(i, longest);
            if (i % 2 == 0) {
                auto const message = pattern(i, size);
                if (i == 0) {
                    context.send("sends");
                }
                PARTYWALL_ROLE_CHECK(to.send(message, 1h).has_value());
            } else {
                auto loan = to.loan().value();
                loan.resize(size);
                write_pattern(*loan, i);
                PARTYWALL_ROLE_CHECK(loan.send().has_value());
            }
        }
    };
    if (context.arg(2) == "inbox") {
        send_for_ever(me.sender<bytes>("t", blocked()).value());
    }
    publisher_options options = with_chunks(gated(4, overflow::drop_oldest), longest);
    options.subscribers_max = 4;
    options.pins_max = 4;
    send_for_ever(me.publisher<bytes>("t", options).value());
    return 0;
}

void live_for_a_moment(std::mt19937& random) {
    auto const until =
        std::chrono::steady_clock::now() + std::chrono::microseconds(random() % 20'000);
    while (std::chrono::steady_clock::now() < until) {
        std::this_thread::yield();
    }
}

/// Takes until the sender's end was reported; how many whole messages there were.
template <class Reader>
std::uint64_t take_to_the_end(Reader& from) {
    std::uint64_t whole = 0;
    std::uint64_t last = 0;
    for (;;) {
        auto const s = from.receive(1h);
        if (!s) {
            EXPECT_EQ(s.error(), receive_errc::peer_died);
            return whole;
        }
        EXPECT_TRUE(is_pattern(*s)) << "torn, of " << (*s).size();
        EXPECT_TRUE(whole == 0 || number_in(*s) > last) << "again, or of another";
        last = number_in(*s);
        whole += 1;
    }
}

TEST(LargeMessage, IsWholeOrAbsentWhereverItsPublisherIsKilled) {
    watchdog::extend(full_counts() ? std::chrono::milliseconds(2h)
                                   : std::chrono::milliseconds(5min));
    scratch_root root;
    participant me = joined(root.path());
    std::mt19937 random(run_seed());
    std::uint64_t whole = 0;
    auto sub = me.subscriber<bytes>("t").value();
    for (std::uint64_t i = count(30, 5000); i != 0; --i) {
        std::uint64_t const longest = i % 5 == 0 ? 16 * mib : mib;
        child victim =
            spawn("sends_large_messages", {root.path(), std::to_string(longest), "topic"});
        victim.expect("sends");
        // A lossy subscriber does not hear of the end of a publisher that it had not found.
        while (sub.publisher_count() == 0) {
            if (auto const s = sub.try_receive()) {
                EXPECT_TRUE(is_pattern(*s));
                whole += 1;
            }
        }
        std::thread killer([&] {
            live_for_a_moment(random);
            victim.kill(SIGKILL);
        });
        whole += take_to_the_end(sub);
        killer.join();
        ASSERT_EQ(victim.wait(), killed_by(SIGKILL));
        eventually([&] {
            (void)me.recover();
            return topic_files(root).empty();
        });
    }
    std::printf("%llu whole messages\n", static_cast<unsigned long long>(whole));
}

TEST(LargeMessage, ThroughALaneIsWholeOrAbsentWhereverItsSenderIsKilled) {
    watchdog::extend(full_counts() ? std::chrono::milliseconds(2h)
                                   : std::chrono::milliseconds(5min));
    scratch_root root;
    participant me = joined(root.path());
    std::mt19937 random(run_seed());
    auto in = me.receiver<bytes>("t", large_lanes(mib)).value();
    std::uint64_t whole = 0;
    for (std::uint64_t i = count(30, 5000); i != 0; --i) { // in two lanes: they change hands often
        child victim = spawn("sends_large_messages", {root.path(), std::to_string(mib), "inbox"});
        victim.expect("sends");
        std::thread killer([&] {
            live_for_a_moment(random);
            victim.kill(SIGKILL);
        });
        whole += take_to_the_end(in);
        killer.join();
        ASSERT_EQ(victim.wait(), killed_by(SIGKILL));
    }
    std::printf("%llu whole messages\n", static_cast<unsigned long long>(whole));
}

/// root, delivery. Subscribes and looks at messages for ever, two at a time.
PARTYWALL_ROLE(looks_at_large_messages) {
    participant me = joined(context.arg(0), "looks");
    auto sub =
        me.subscriber<bytes>("t", context.arg(1) == "lossless" ? lossless() : lossy()).value();
    context.send("looks");
    sample<bytes> before;
    for (;;) {
        auto s = sub.receive(1h);
        PARTYWALL_ROLE_CHECK(s && is_pattern(*s));
        PARTYWALL_ROLE_CHECK(!before || is_pattern(*before));
        before = std::move(s);
    }
}

TEST(LargeMessage, ThatAKilledReaderHeldIsMemoryAgain) {
    watchdog::extend(full_counts() ? std::chrono::milliseconds(2h)
                                   : std::chrono::milliseconds(5min));
    scratch_root root;
    participant me = joined(root.path());
    std::mt19937 random(run_seed());
    for (bool const blocks : {false, true}) {
        publisher_options options =
            with_chunks(gated(4, blocks ? overflow::block : overflow::drop_oldest), 256 * 1024);
        options.subscribers_max = 2;
        options.pins_max = 4;
        options.block_for = 1h;
        auto pub = me.publisher<bytes>("t", options).value();
        tampered_topic topic(me, "t");
        auto const message = pattern(1, 256 * 1024);
        for (std::uint64_t i = count(20, 2000); i != 0; --i) {
            child victim =
                spawn("looks_at_large_messages", {root.path(), blocks ? "lossless" : "lossy"});
            victim.expect("looks");
            auto const until =
                std::chrono::steady_clock::now() + std::chrono::microseconds(random() % 5000);
            while (std::chrono::steady_clock::now() < until) {
                ASSERT_TRUE(pub.send(message));
            }
            victim.kill(SIGKILL);
            for (int k = 0; k < 20; ++k) { // goes on, whatever it held
                ASSERT_TRUE(pub.send(message));
            }
            ASSERT_EQ(victim.wait(), killed_by(SIGKILL));
            eventually([&] {
                (void)me.recover();
                return topic.used_slots() == 0;
            });
            for (std::uint32_t k = 0; k < 16; ++k) {
                ASSERT_EQ(topic.slots()[k / 8].pins[k % 8], 0U);
            }
        }
    }
}

} // namespace
} // namespace partywall::test
