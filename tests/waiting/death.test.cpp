// SPDX-License-Identifier: BSL-1.0
// What a descriptor hears of the deaths of others: of processes with much memory, which the kernel
// takes long to take apart, and of processes that say that they are another.
#include "support.hpp"

#include <partywall/os/process.hpp>
#include <partywall/registry/death_watch.hpp>
#include <partywall/registry/life_layout.hpp>
#include <partywall/registry/participant_core.hpp>
#include <process/puppet.hpp>
#include <support/counts.hpp>
#include <support/watchdog.hpp>

#include <csignal>
#include <cstdint>
#include <memory>
#include <optional>
#include <sys/mman.h>

namespace partywall::test {
namespace {

using detail::death_notice;
using detail::death_watch;

constexpr std::uint64_t mib = std::uint64_t{1} << 20;
constexpr std::uint64_t much_mib = death_watch::memory_told_soon_max / mib + 16;

/// What a descriptor knows of deaths, and an epoll instance for it.
class DeathWatch : public testing::Test {
  protected:
    DeathWatch() { watch_.open(epoll_.get(), me_.ticket()); }
    detail::life_sign sign_of(puppet const& who) {
        views_.push_back(me_.core()->life_of(who.ticket()));
        return views_.back().sign(who.ticket());
    }
    /// As at an arming.
    death_notice notice_of(detail::life_sign const& peer) {
        death_notice const notice = watch_.listen_for(peer);
        watch_.forget_others();
        return notice;
    }

    scratch_root root_;
    participant me_ = joined(root_.path());
    os::unique_fd epoll_{::epoll_create1(EPOLL_CLOEXEC)};
    death_watch watch_;
    std::vector<detail::participant_core::life_view> views_;
};

TEST_F(DeathWatch, SaysThatItWillBeLateWhereAProcessHasMuchMemoryAndOnlyWhileItHas) {
    puppet peer(root_.path());
    detail::life_sign const sign = sign_of(peer);
    if (os::resident_bytes(peer.pid()) > death_watch::memory_told_soon_max) {
        EXPECT_EQ(notice_of(sign), death_notice::late); // a sanitizer's
        return;
    }
    EXPECT_EQ(notice_of(sign), death_notice::soon);
    ASSERT_EQ(peer.hold_memory(much_mib), "ok");
    while (notice_of(sign) != death_notice::late) { // else the watchdog speaks
        ::sched_yield();
    }
    ASSERT_EQ(peer.hold_memory(0), "ok");
    while (notice_of(sign) != death_notice::soon) {
        ::sched_yield();
    }
}

TEST_F(DeathWatch, AsksEachOfManyForItsMemoryInTurn) {
    std::vector<std::unique_ptr<puppet>> peers;
    std::vector<detail::life_sign> signs;
    for (int i = 0; i < 4; ++i) {
        peers.push_back(std::make_unique<puppet>(root_.path()));
        signs.push_back(sign_of(*peers.back()));
    }
    auto const how_many_late = [&] {
        std::size_t late = 0;
        for (auto const& sign : signs) {
            late += watch_.listen_for(sign) == death_notice::late ? 1U : 0U;
        }
        watch_.forget_others();
        return late;
    };
    (void)how_many_late();
    for (auto const& one : peers) {
        ASSERT_EQ(one->hold_memory(much_mib), "ok");
    }
    while (how_many_late() != peers.size()) {
        ::sched_yield();
    }
}

TEST_F(DeathWatch, MakesTheSlicesShortForWhoeverItTellsOfLate) {
    puppet peer(root_.path());
    ASSERT_EQ(peer.hold_memory(much_mib), "ok");
    detail::life_sign const sign = sign_of(peer);
    auto words = detail::wait_list::of_descriptor();
    detail::arming a{words, 1};
    a.deaths = &watch_;
    EXPECT_TRUE(a.add_life(sign)) << "it is told, too";
    EXPECT_EQ(words.tick_ns(), detail::slice::peer_ns);
}

// ---- how long it takes ----------------------------------------------------------------------------

/// Kills publishers under an event loop; times are reported, and judged by nobody.
void time_a_loop(std::uint64_t memory_mib, std::uint64_t rounds) {
    watchdog::extend(10min);
    scratch_root root;
    participant me = joined(root.path());
    auto sub = me.subscriber<tick>("t").value();
    event_loop loop;
    loop.add(sub.fd().value(), 1);
    times until_told;
    for (std::uint64_t i = 0; i < rounds; ++i) {
        puppet victim(root.path());
        ASSERT_EQ(victim.hold_memory(memory_mib), "ok");
        ASSERT_EQ(victim.publish(1, "t", "drop", 8), "ok");
        ASSERT_EQ(victim.send(1, i, 1), "1");
        for (bool got = false; !got; (void)loop.next()) {
            auto s = sub.try_receive();
            got = static_cast<bool>(s);
        }
        while (sub.try_receive().error() != receive_errc::empty) {
        }
        for (int turn = 0; turn < static_cast<int>(i % 7); ++turn) { // anywhere in a slice
            (void)is_readable(sub.fd().value(), 1);
        }
        std::uint64_t const killed_ns = os::monotonic_ns();
        victim.process.kill(SIGKILL);
        while (sub.try_receive().error() != receive_errc::peer_died) {
            (void)loop.next();
        }
        until_told.add(os::monotonic_ns() - killed_ns);
        EXPECT_EQ(victim.process.wait(), killed_by(SIGKILL));
    }
    until_told.report("kill of " + std::to_string(memory_mib) +
                      " MiB to peer_died in an event loop");
}

TEST(KilledInALoop, IsHeardOfWhenItIsSmall) { time_a_loop(4, count(20, 1'000)); }
TEST(KilledInALoop, IsHeardOfHoweverMuchMemoryItHas) {
    time_a_loop(full_counts() ? 1024 : 128, count(5, 200));
}

// ---- who says that it is another ------------------------------------------------------------------

/// Another pid in the life segment of a participant, written by somebody of the same user.
void say_its_pid_is(scratch_root const& root, puppet const& who, std::uint32_t pid) {
    std::string const path = root.path() + "/d/life." + std::to_string(who.ticket());
    os::unique_fd const file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    ASSERT_TRUE(file) << path;
    ASSERT_EQ(::pwrite(file.get(), &pid, sizeof pid, offsetof(detail::life_layout, pid)),
              static_cast<ssize_t>(sizeof pid));
}

PARTYWALL_ROLE(is_innocent) {
    context.send("here");
    context.hang();
}

/// What a loop on `handle` is told next, other than that there is nothing.
template <class Handle>
std::string next_of(Handle& handle) {
    for (;;) {
        auto s = handle.try_receive();
        if (s || s.error() != receive_errc::empty) {
            return in_words(s);
        }
        EXPECT_TRUE(is_readable(handle.fd().value(), -1)); // at its slice at the latest
    }
}

TEST(WrongPid, MakesNoLivingPeerDeadAndHidesNoDeath) {
    for (std::uint32_t const pid : {0U, 1U, static_cast<std::uint32_t>(::getpid()), 0x3f'ffffU,
                                    0x7fff'ffffU, 0x8000'0000U, 0xffff'ffffU}) {
        scratch_root root;
        participant me = joined(root.path());
        auto sub = me.subscriber<tick>("t").value();
        (void)sub.fd().value();
        puppet peer(root.path());
        say_its_pid_is(root, peer, pid);
        ASSERT_EQ(peer.publish(1, "t", "drop", 8), "ok");
        ASSERT_EQ(peer.send(1, 0, 1, 5), "1");
        EXPECT_EQ(next_of(sub), "5:0") << pid;
        EXPECT_EQ(sub.try_receive().error(),
                  receive_errc::empty); // armed: listens for the wrong one
        EXPECT_FALSE(me.core()->proven_dead(peer.ticket())) << pid;
        ASSERT_EQ(peer.send(1, 1, 1, 5), "1");
        EXPECT_EQ(next_of(sub), "5:1") << pid;
        (void)me.recover();
        EXPECT_EQ(me.snapshot().participants.size(), 2U) << pid;
        peer.kill();
        EXPECT_EQ(next_of(sub), "publisher died") << pid;
    }
}

TEST(WrongPid, OfAnInnocentWhoDiesMakesNobodyElseDead) {
    scratch_root root;
    participant me = joined(root.path());
    auto sub = me.subscriber<tick>("t").value();
    (void)sub.fd().value();
    child innocent = spawn("is_innocent");
    innocent.expect("here");
    puppet peer(root.path());
    say_its_pid_is(root, peer, static_cast<std::uint32_t>(innocent.pid()));
    ASSERT_EQ(peer.publish(1, "t", "drop", 8), "ok");
    ASSERT_EQ(peer.send(1, 0, 1, 5), "1");
    EXPECT_EQ(next_of(sub), "5:0");
    EXPECT_EQ(sub.try_receive().error(), receive_errc::empty);
    innocent.kill(SIGKILL);
    EXPECT_EQ(innocent.wait(), killed_by(SIGKILL));
    for (int i = 0; i < 5; ++i) { // more than one slice
        EXPECT_TRUE(is_readable(sub.fd().value(), -1));
        EXPECT_EQ(sub.try_receive().error(), receive_errc::empty) << "it lives";
    }
    EXPECT_FALSE(me.core()->proven_dead(peer.ticket()));
    ASSERT_EQ(peer.send(1, 1, 1, 5), "1");
    EXPECT_EQ(next_of(sub), "5:1");
    peer.kill();
    EXPECT_EQ(next_of(sub), "publisher died");
}

} // namespace
} // namespace partywall::test
