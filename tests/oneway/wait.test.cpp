// SPDX-License-Identifier: BSL-1.0
// Sleeping receivers and senders that wait for room: woken, interrupted, and never forgotten.
#include "support.hpp"

#include <support/counts.hpp>
#include <support/sandbox.hpp>

#include <map>
#include <optional>
#include <thread>

namespace partywall::test {
namespace {

receiver_options parking(receiver_options options) {
    options.waiting = waiting::park;
    return options;
}
sender_options parking(sender_options options) {
    options.waiting = waiting::park;
    return options;
}

TEST(InboxThreads, ASleepingReceiverIsWokenByEverySender) {
    no_slices const on_their_own;
    scratch_root root;
    participant me = joined(root.path());
    auto in = me.receiver<tick>("in", parking(lanes_of(4, 8))).value();
    constexpr std::uint64_t senders = 4;
    std::uint64_t const messages = count(5000, 2'500'000);
    std::vector<std::thread> all;
    for (std::uint64_t who = 0; who < senders; ++who) {
        all.emplace_back([&, who] {
            auto options = parking(sending(overflow::block));
            options.fence = who % 2 == 0 ? fencing::automatic : fencing::publisher;
            auto out = me.sender<tick>("in", options).value();
            std::uint32_t pause = static_cast<std::uint32_t>(who) + 1;
            for (std::uint64_t i = 0; i < messages; ++i) {
                ASSERT_TRUE(out.send(tick::of(i, who)));
                pause = pause * 1664525 + 1013904223;
                for (std::uint32_t spin = 0; spin < pause >> 22; ++spin) {
                    asm volatile("");
                }
            }
        });
    }
    std::map<std::uint64_t, std::uint64_t> next;
    for (std::uint64_t i = 0; i < senders * messages; ++i) {
        auto const s = in.receive(1h);
        ASSERT_TRUE(s) << to_string(s.error());
        ASSERT_EQ(s->number, next[s->sender]++);
    }
    for (auto& one : all) {
        one.join();
    }
}

TEST(InboxThreads, SendersThatComeAndGoAreHeard) {
    no_slices const on_their_own;
    scratch_root root;
    participant me = joined(root.path());
    auto in = me.receiver<tick>("in", parking(lanes_of(4, 2))).value();
    std::uint64_t const rounds = count(500, 50'000);
    std::thread comes_and_goes([&] {
        for (std::uint64_t i = 0; i < rounds; ++i) {
            auto out = me.sender<tick>("in", parking(sending(overflow::block)));
            while (!out && out.error().code == endpoint_errc::no_lane) {
                out = me.sender<tick>("in", parking(sending(overflow::block)));
            }
            ASSERT_TRUE(out->send(tick::of(i)));
        }
    });
    for (std::uint64_t i = 0; i < rounds; ++i) {
        auto const s = in.receive(1h);
        ASSERT_TRUE(s) << to_string(s.error());
        EXPECT_TRUE(s->whole());
    }
    comes_and_goes.join();
}

TEST(InboxThreads, RoomWakesASender) {
    no_slices const on_their_own;
    scratch_root root;
    participant me = joined(root.path());
    auto in = me.receiver<tick>("in", lanes_of(4, 2)).value();
    std::uint64_t const messages = count(5000, 1'000'000);
    std::thread sends([&] {
        auto out = me.sender<tick>("in", parking(sending(overflow::block))).value();
        for (std::uint64_t i = 0; i < messages; ++i) {
            ASSERT_TRUE(out.send(tick::of(i)));
        }
    });
    for (std::uint64_t i = 0; i < messages; ++i) {
        auto const s = in.receive(1h);
        ASSERT_TRUE(s) << to_string(s.error());
        ASSERT_EQ(s->number, i);
    }
    sends.join();
}

TEST(InboxThreads, AReceiverThatClosesWakesASenderThatWaitsForRoom) {
    no_slices const on_their_own;
    scratch_root root;
    participant me = joined(root.path());
    for (int i = 0; i < 20; ++i) {
        auto in = std::make_optional(me.receiver<tick>("in", lanes_of(4, 2)).value());
        auto out = me.sender<tick>("in", parking(sending(overflow::block))).value();
        send_ticks(out, 0, 4);
        while_asleep([&] { EXPECT_EQ(out.send(tick::of(4)).error(), send_errc::no_receiver); },
                     [&] { in.reset(); });
    }
}

TEST(InboxThreads, InterruptEndsEveryWait) {
    scratch_root root;
    participant me = joined(root.path());
    auto in = me.receiver<tick>("in", parking(lanes_of(4, 2))).value();
    auto out = me.sender<tick>("in", parking(sending(overflow::block))).value();
    auto alone = me.sender<tick>("nobody").value();
    while_asleep([&] { EXPECT_EQ(in.receive(1h).error(), receive_errc::interrupted); },
                 [&] { in.interrupt(); });
    send_ticks(out, 0, 4);
    while_asleep([&] { EXPECT_EQ(out.send(tick::of(4)).error(), send_errc::interrupted); },
                 [&] { out.interrupt(); });
    while_asleep([&] { EXPECT_EQ(alone.wait_for_receiver(1h).error(), send_errc::interrupted); },
                 [&] { alone.interrupt(); });
    EXPECT_EQ(take_all(in), numbers(0, 4));
}

TEST(InboxThreads, AReceiverThatIsNeverWokenFindsMessagesAllTheSame) {
    scratch_root root;
    participant me = joined(root.path());
    receiver_options options = parking(lanes_of(4, 2));
    options.wake = wake::never;
    auto in = me.receiver<tick>("in", options).value();
    std::thread sends([&] {
        auto out = me.sender<tick>("in", parking(sending(overflow::block))).value();
        send_ticks(out, 0, 100);
    });
    for (std::uint64_t i = 0; i < 100; ++i) {
        ASSERT_EQ(in.receive(1h)->number, i);
    }
    sends.join();
}

} // namespace
} // namespace partywall::test
