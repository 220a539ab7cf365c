// SPDX-License-Identifier: BSL-1.0
// wait_set in one process: what is ready, in which order, and what becomes of members that go.
#include "support.hpp"

#include <partywall/endpoint/wait_set.hpp>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <map>
#include <optional>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <thread>

namespace partywall::test {
namespace {

/// Keys of what is ready, sorted; empty if nothing was before the time.
std::vector<std::uint64_t> keys(wait_set& set, std::chrono::nanoseconds timeout = 0ns) {
    std::vector<std::uint64_t> found;
    if (auto const ready = set.wait(timeout)) {
        for (wait_event const& e : *ready) {
            found.push_back(e.key);
        }
    }
    std::sort(found.begin(), found.end());
    return found;
}
using list = std::vector<std::uint64_t>;

enum class how { by_words, by_descriptor, without_waitv };

/// Each way to sleep, without slices that would hide a wake-up that is lost.
struct WaitSet : testing::TestWithParam<how> {
    WaitSet() {
        os::for_test::disable_futex_waitv(GetParam() == how::without_waitv);
        set.emplace(me.wait_set());
        if (GetParam() == how::by_descriptor) {
            EXPECT_TRUE(set->fd());
        }
    }
    ~WaitSet() override { os::for_test::disable_futex_waitv(false); }

    no_slices none;
    scratch_root root;
    participant me = joined(root.path());
    std::optional<wait_set> set;
};
INSTANTIATE_TEST_SUITE_P(Ways, WaitSet,
                         testing::Values(how::by_words, how::by_descriptor, how::without_waitv));

TEST_P(WaitSet, SaysWhichHandlesAreReadyUntilTheyAreNot) {
    auto a = me.publisher<tick>("a", dropping(8)).value();
    auto b = me.publisher<tick>("b", dropping(8)).value();
    auto on_a = me.subscriber<tick>("a").value();
    auto on_b = me.latest<tick>("b").value();
    auto in = me.receiver<tick>("in", lanes_of(8)).value();
    ASSERT_TRUE(set->add(on_a, 1));
    ASSERT_TRUE(set->add(on_b, 2));
    ASSERT_TRUE(set->add(in, 3));
    EXPECT_EQ(set->size(), 3U);
    EXPECT_EQ(keys(*set), list{});
    EXPECT_EQ(set->wait(0ns).error(), wait_errc::timed_out);
    send_ticks(a, 0, 2);
    EXPECT_EQ(keys(*set, 1h), list{1});
    EXPECT_TRUE(on_a.try_receive());
    EXPECT_EQ(keys(*set, 1h), list{1}) << "one is left";
    EXPECT_TRUE(on_a.try_receive());
    EXPECT_EQ(keys(*set), list{});
    send_ticks(b, 0, 3);
    auto to = me.sender<tick>("in").value();
    send_ticks(to, 0, 1);
    EXPECT_EQ(keys(*set, 1h), (list{2, 3}));
    EXPECT_TRUE(on_b.get());
    EXPECT_EQ(keys(*set, 1h), list{3});
    EXPECT_TRUE(in.try_receive());
    EXPECT_EQ(keys(*set), list{});
}

TEST_P(WaitSet, IsWokenByWhoeverSends) {
    std::vector<publisher<tick>> pubs;
    std::vector<subscriber<tick>> subs;
    for (int i = 0; i < 4; ++i) {
        pubs.push_back(me.publisher<tick>("t" + std::to_string(i), dropping(64)).value());
        subs.push_back(me.subscriber<tick>("t" + std::to_string(i)).value());
    }
    for (std::size_t i = 0; i < 4; ++i) {
        ASSERT_TRUE(set->add(subs[i], i));
    }
    constexpr std::uint64_t rounds = 200;
    std::atomic<std::uint64_t> taken{0};
    std::thread writer([&] {
        for (std::uint64_t i = 0; i < rounds; ++i) {
            send_ticks(pubs[i % 4], i, 1);
            while (taken.load() == i) {
                std::this_thread::yield();
            }
        }
    });
    while (taken.load() < rounds) {
        auto const ready = set->wait(std::chrono::nanoseconds::max());
        ASSERT_TRUE(ready);
        for (wait_event const& e : *ready) {
            EXPECT_EQ(e.kind, wait_event::what::handle);
            while (auto s = subs[e.key].try_receive()) {
                taken.fetch_add(1);
            }
        }
    }
    writer.join();
}

TEST_P(WaitSet, SeesPublishersComeAndEnd) {
    subscriber_options options;
    options.report_close = true;
    auto sub = me.subscriber<tick>("t", options).value();
    ASSERT_TRUE(set->add(sub, 7));
    EXPECT_EQ(keys(*set), list{});
    auto pub = me.publisher<tick>("t", dropping(8)).value();
    EXPECT_EQ(keys(*set), list{}) << "a newcomer is no event";
    send_ticks(pub, 0, 1);
    EXPECT_EQ(keys(*set, 1h), list{7});
    EXPECT_TRUE(sub.try_receive());
    EXPECT_EQ(keys(*set), list{});
    pub.close();
    EXPECT_EQ(keys(*set, 1h), list{7});
    EXPECT_EQ(sub.try_receive().error(), receive_errc::publisher_closed);
    EXPECT_EQ(keys(*set), list{});
}

TEST_P(WaitSet, BeginsWithAnotherMemberEachTime) {
    auto pub = me.publisher<tick>("t", dropping(8)).value();
    std::vector<subscriber<tick>> subs;
    for (std::uint64_t i = 0; i < 5; ++i) {
        subs.push_back(me.subscriber<tick>("t").value());
    }
    for (std::uint64_t i = 0; i < 5; ++i) {
        ASSERT_TRUE(set->add(subs[i], i));
    }
    send_ticks(pub, 0, 1);
    std::map<std::uint64_t, int> firsts;
    for (int i = 0; i < 50; ++i) {
        auto const ready = set->wait(1h);
        ASSERT_EQ(ready->size(), 5U);
        firsts[ready->front().key] += 1;
    }
    for (std::uint64_t i = 0; i < 5; ++i) {
        EXPECT_EQ(firsts[i], 10) << i;
    }
}

TEST_P(WaitSet, FindsAnEndAlthoughOthersAreAlwaysBusy) {
    auto busy = me.publisher<tick>("busy", dropping(8)).value();
    auto on_busy = me.subscriber<tick>("busy").value();
    subscriber_options options;
    options.report_close = true;
    auto quiet = me.publisher<tick>("quiet", dropping(8)).value();
    auto on_quiet = me.subscriber<tick>("quiet", options).value();
    ASSERT_TRUE(set->add(on_busy, 1));
    ASSERT_TRUE(set->add(on_quiet, 2));
    quiet.close();
    send_ticks(busy, 0, 1); // never taken
    bool found = false;
    for (int i = 0; i < 200 && !found; ++i) {
        auto const now = keys(*set, 1h);
        found = std::count(now.begin(), now.end(), 2) != 0;
    }
    EXPECT_TRUE(found);
}

TEST_P(WaitSet, KnowsTheTime) {
    using clock = std::chrono::steady_clock;
    auto const start = clock::now();
    auto const once = set->add_timer(start + 5ms, 0ns, 1);
    auto const often = set->add_timer(start + 10ms, 10ms, 2);
    ASSERT_TRUE(once);
    ASSERT_TRUE(often);
    std::uint64_t ticks = 0;
    std::uint64_t shots = 0;
    while (ticks < 5) {
        auto const ready = set->wait(1h);
        ASSERT_TRUE(ready);
        for (wait_event const& e : *ready) {
            EXPECT_EQ(e.kind, wait_event::what::timer);
            (e.key == 1 ? shots : ticks) += e.count;
        }
    }
    EXPECT_EQ(shots, 1U);
    EXPECT_GE(clock::now(), start + 50ms);
    EXPECT_TRUE(set->remove(*often));
    EXPECT_FALSE(set->remove(*often));
    EXPECT_EQ(set->wait(1ms).error(), wait_errc::timed_out);
    // One that could not be served for long says how often it was due.
    ASSERT_TRUE(set->add_timer(clock::now() - 1s, 100ms, 3));
    auto const late = set->wait(1h);
    ASSERT_EQ(late->size(), 1U);
    EXPECT_GE(late->front().count, 10U);
    EXPECT_EQ(set->add_timer(start, -1ns, 4).error(), wait_add_errc::bad_argument);
}

TEST_P(WaitSet, WaitsForOtherDescriptors) {
    int const event = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    auto pub = me.publisher<tick>("t", dropping(8)).value();
    auto sub = me.subscriber<tick>("t").value();
    ASSERT_TRUE(set->add(sub, 1));
    auto const id = set->add_descriptor(event, EPOLLIN, 2);
    ASSERT_TRUE(id);
    EXPECT_EQ(set->add_descriptor(event, EPOLLIN, 3).error(), wait_add_errc::already_waited_for);
    EXPECT_EQ(keys(*set), list{});
    std::uint64_t const one = 1;
    std::thread later([&] { ASSERT_EQ(::write(event, &one, 8), 8); });
    EXPECT_EQ(keys(*set, 1h), list{2});
    later.join();
    EXPECT_EQ(set->wait(0ns)->front().events, std::uint32_t{EPOLLIN});
    send_ticks(pub, 0, 1);
    EXPECT_EQ(keys(*set, 1h), (list{1, 2}));
    EXPECT_TRUE(set->remove(*id));
    EXPECT_EQ(keys(*set, 1h), list{1});
    EXPECT_TRUE(sub.try_receive());
    EXPECT_EQ(keys(*set), list{});
    ::close(event);
    int const file = ::open((root.path() + "/file").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    EXPECT_EQ(set->add_descriptor(file, EPOLLIN, 4).error(), wait_add_errc::not_pollable);
    EXPECT_EQ(set->add_descriptor(-1, EPOLLIN, 4).error(), wait_add_errc::bad_argument);
    EXPECT_EQ(set->add_descriptor(file, 0, 4).error(), wait_add_errc::bad_argument);
    ::close(file);
}

TEST_P(WaitSet, FollowsTheRegistry) {
    registry_watch watch = me.watch();
    ASSERT_TRUE(set->add(watch, 1));
    EXPECT_EQ(keys(*set, 1h), list{1});
    EXPECT_TRUE(watch.next(0ns));
    EXPECT_EQ(keys(*set), list{});
    std::thread other([&] { (void)me.publisher<tick>("t", dropping(8)).value(); });
    EXPECT_EQ(keys(*set, 1h), list{1});
    other.join();
    while (watch.next(0ns)) {
    }
    EXPECT_EQ(keys(*set), list{});
}

TEST_P(WaitSet, IsInterruptedNowOrNextTime) {
    set->interrupt();
    EXPECT_EQ(set->wait(1h).error(), wait_errc::interrupted);
    EXPECT_EQ(set->wait(0ns).error(), wait_errc::timed_out) << "once";
    auto sub = me.subscriber<tick>("t").value();
    ASSERT_TRUE(set->add(sub, 1));
    std::thread other([&] { set->interrupt(); });
    EXPECT_EQ(set->wait(std::chrono::nanoseconds::max()).error(), wait_errc::interrupted);
    other.join();
}

TEST_P(WaitSet, LetsHandlesMoveAndLosesThoseThatGo) {
    auto pub = me.publisher<tick>("t", dropping(8)).value();
    auto one = std::make_unique<subscriber<tick>>(me.subscriber<tick>("t").value());
    auto two = me.subscriber<tick>("t").value();
    ASSERT_TRUE(set->add(*one, 1));
    auto const id = set->add(two, 2);
    ASSERT_TRUE(id);
    EXPECT_EQ(set->add(two, 3).error(), wait_add_errc::already_waited_for);
    auto moved = std::move(*one);
    EXPECT_EQ(set->add(*one, 3).error(), wait_add_errc::closed);
    one.reset();
    send_ticks(pub, 0, 1);
    EXPECT_EQ(keys(*set, 1h), (list{1, 2}));
    two.close();
    EXPECT_EQ(set->size(), 1U);
    EXPECT_FALSE(set->remove(*id)) << "it is gone already";
    EXPECT_EQ(keys(*set, 1h), list{1});
    set.emplace(me.wait_set());
    ASSERT_TRUE(set->add(moved, 4)) << "the set went first";
    EXPECT_EQ(keys(*set, 1h), list{4});
    wait_set other = std::move(*set);
    EXPECT_EQ(set->wait(1h).error(), wait_errc::closed);
    EXPECT_EQ(keys(other, 1h), list{4});
    auto stranger = joined(root.path(), "another");
    auto foreign = stranger.subscriber<tick>("t").value();
    EXPECT_EQ(other.add(foreign, 5).error(), wait_add_errc::other_participant);
}

TEST_P(WaitSet, OfThreeHundredMembersHasRealWakeUps) {
    constexpr std::size_t count = 300;
    std::vector<publisher<tick>> pubs;
    std::vector<subscriber<tick>> subs;
    for (std::size_t i = 0; i < count; ++i) {
        pubs.push_back(me.publisher<tick>("t" + std::to_string(i), dropping(4)).value());
    }
    for (std::size_t i = 0; i < count; ++i) {
        subs.push_back(me.subscriber<tick>("t" + std::to_string(i)).value());
        ASSERT_TRUE(set->add(subs.back(), i));
    }
    std::size_t const files = open_descriptors();
    std::vector<subscriber<tick>> moved = std::move(subs); // they moved
    std::atomic<std::uint64_t> turn{0};
    std::thread writer([&] {
        for (std::uint64_t i = 0; i < count; ++i) {
            send_ticks(pubs[i * 7 % count], i, 1);
            while (turn.load() == i) {
                std::this_thread::yield();
            }
        }
    });
    while (turn.load() < count) {
        auto const ready = set->wait(std::chrono::nanoseconds::max());
        ASSERT_TRUE(ready);
        for (wait_event const& e : *ready) {
            EXPECT_EQ(e.key, turn.load() * 7 % count);
            EXPECT_TRUE(moved[e.key].try_receive());
        }
        turn.fetch_add(ready->size());
    }
    writer.join();
    EXPECT_LE(open_descriptors(), files + 4) << "a few for all of them";
}

TEST_P(WaitSet, CanBePolledByAnotherLoop) {
    auto pub = me.publisher<tick>("t", dropping(8)).value();
    auto sub = me.subscriber<tick>("t").value();
    ASSERT_TRUE(set->add(sub, 1));
    int const fd = set->fd().value();
    EXPECT_TRUE(is_readable(fd)) << "nobody has looked yet";
    EXPECT_EQ(keys(*set), list{});
    EXPECT_FALSE(is_readable(fd));
    send_ticks(pub, 0, 1);
    EXPECT_TRUE(is_readable(fd));
    EXPECT_EQ(keys(*set), list{1});
    EXPECT_TRUE(is_readable(fd)) << "until a wait finds nothing";
    EXPECT_TRUE(sub.try_receive());
    EXPECT_EQ(keys(*set), list{});
    EXPECT_FALSE(is_readable(fd));
    auto another = me.subscriber<tick>("t", lossy(1)).value();
    ASSERT_TRUE(set->add(another, 2));
    EXPECT_TRUE(is_readable(fd)) << "a newcomer may have something";
    EXPECT_EQ(keys(*set), list{2});
    EXPECT_TRUE(another.try_receive());
    ASSERT_TRUE(set->add_timer(std::chrono::steady_clock::now() + 5ms, 0ns, 3));
    EXPECT_EQ(keys(*set), list{});
    EXPECT_TRUE(is_readable(fd, -1)) << "at the time";
    EXPECT_EQ(keys(*set, 1h), list{3});
}

TEST_P(WaitSet, LeavesTheDescriptorsOfItsMembersReadable) {
    auto pub = me.publisher<tick>("t", dropping(8)).value();
    auto sub = me.subscriber<tick>("t").value();
    int const fd = sub.fd().value();
    EXPECT_FALSE(sub.try_receive());
    EXPECT_FALSE(is_readable(fd));
    auto const id = set->add(sub, 1);
    ASSERT_TRUE(id);
    EXPECT_EQ(set->wait(1ms).error(), wait_errc::timed_out);
    EXPECT_TRUE(is_readable(fd));
    EXPECT_FALSE(sub.try_receive());
    EXPECT_TRUE(is_readable(fd));
    send_ticks(pub, 0, 1);
    EXPECT_EQ(keys(*set, 1h), list{1});
    EXPECT_TRUE(set->remove(*id));
    EXPECT_TRUE(sub.try_receive());
    EXPECT_FALSE(sub.try_receive());
    EXPECT_FALSE(is_readable(fd)) << "it is its own again";
    send_ticks(pub, 1, 1);
    EXPECT_TRUE(is_readable(fd));
}

TEST_P(WaitSet, RefusesAForkedChild) {
    auto sub = me.subscriber<tick>("t").value();
    ASSERT_TRUE(set->add(sub, 1));
    pid_t const child = ::fork();
    if (child == 0) {
        bool const refused =
            set->wait(1h).error() == wait_errc::forked &&
            set->add_timer({}, 1s, 2).error() == wait_add_errc::forked &&
            (GetParam() == how::by_descriptor || set->fd().error() == descriptor_errc::forked);
        set->interrupt();
        set.reset();
        sub.close();
        ::_exit(refused ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    auto pub = me.publisher<tick>("t", dropping(8)).value();
    EXPECT_EQ(keys(*set), list{});
    send_ticks(pub, 0, 1);
    EXPECT_EQ(keys(*set, 1h), list{1});
}

TEST_P(WaitSet, LeavesNothingBehind) {
    std::size_t const before = open_descriptors();
    auto const files = wake_files(root);
    {
        wait_set another = me.wait_set();
        ASSERT_TRUE(another.fd());
        EXPECT_GT(open_descriptors(), before);
    }
    EXPECT_LE(open_descriptors(), before + 1) << "the participant's own pipe, if it was the first";
    EXPECT_LE(wake_files(root).size(), files.size() + 1);
}

TEST_P(WaitSet, SeesASampleThatAnotherThreadGaveBack) {
    auto pub = me.publisher<tick>("t", gated(4)).value();
    auto sub = me.subscriber<tick>("t", lossless()).value();
    ASSERT_TRUE(set->add(sub, 1));
    send_ticks(pub, 0, 4);
    auto held = sub.try_receive();
    while (sub.try_receive()) {
    }
    EXPECT_EQ(keys(*set), list{});
    std::thread other([&, s = std::move(held)]() mutable {
        s.reset();
        while (!pub.send(tick::of(4))) { // until the reader, asleep in the set, has said so
            std::this_thread::yield();
        }
    });
    EXPECT_EQ(keys(*set, 1h), list{1});
    other.join();
}

} // namespace
} // namespace partywall::test
