// SPDX-License-Identifier: BSL-1.0
// A wall clock that jumps by days, both ways, all the time, for two processes that talk: no deadline
// moves, nobody is taken for dead, and nobody looks at it.
#include "puppet.hpp"

#include <calls/support.hpp>
#include <support/counts.hpp>
#include <support/watchdog.hpp>

#include <atomic>
#include <chrono>
#include <ctime>
#include <dlfcn.h>
#include <sys/syscall.h>
#include <thread>

namespace partywall::test {
namespace {

/// Of the ledger: seconds that the wall clock is wrong by, and how often somebody looked at it.
constexpr std::size_t step_word = 0;
constexpr std::size_t looks_word = 1;
std::atomic<ledger const*> wrong_by{nullptr};

using clock_function = int(clockid_t, timespec*);
// Before this is known, which is before main(), the kernel is asked.
auto* const real_clock_gettime =
    reinterpret_cast<clock_function*>(::dlsym(RTLD_NEXT, "clock_gettime"));

} // namespace
} // namespace partywall::test

/// In place of the C library's, for all of this program, the library under test included.
extern "C" int clock_gettime(clockid_t clock, timespec* now) noexcept {
    using namespace partywall::test;
    int const result = real_clock_gettime != nullptr
                           ? real_clock_gettime(clock, now)
                           : static_cast<int>(::syscall(SYS_clock_gettime, clock, now));
    ledger const* const wrong = wrong_by.load(std::memory_order_relaxed);
    if (clock == CLOCK_REALTIME && wrong != nullptr) {
        now->tv_sec += static_cast<std::time_t>((*wrong)[step_word].load());
        (*wrong)[looks_word].fetch_add(1);
    }
    return result;
}

namespace partywall::test {
namespace {

/// This process's wall clock is what the ledger says.
class wrong_wall_clock {
  public:
    explicit wrong_wall_clock(ledger const& all) { wrong_by.store(&all); }
    ~wrong_wall_clock() { wrong_by.store(nullptr); }
    wrong_wall_clock(wrong_wall_clock const&) = delete;
    wrong_wall_clock& operator=(wrong_wall_clock const&) = delete;
};

/// root: answers, and sends back what comes, until a message says that it was the last
PARTYWALL_ROLE(lives_by_a_wrong_clock) {
    ledger const all(context.arg(0));
    wrong_wall_clock const wrong(all);
    participant me = joined(context.arg(0), "other");
    auto in = me.subscriber<tick>("there", lossless()).value();
    auto out = me.publisher<tick>("back", gated(8, overflow::block)).value();
    auto s = me.server<ask, told>(
                   "s", [](ask const& a) { return told::of(a.number); }, serving())
                 .value();
    running const answers(s);
    context.send("ready");
    for (;;) {
        auto const got = in.receive(1h);
        PARTYWALL_ROLE_CHECK(got && got->whole());
        PARTYWALL_ROLE_CHECK(out.send(*got).has_value());
        if (got->sender == 1) {
            return 0;
        }
    }
}

TEST(WallClock, MayJumpByDaysWhileNoDeadlineMovesAndNobodyLooksAtIt) {
    scratch_root root;
    ledger const all(root.path());
    wrong_wall_clock const wrong(all);
    auto const before = std::chrono::system_clock::now();
    all[step_word] = 86'400;
    ASSERT_GT(std::chrono::system_clock::now() - before, 23h) << "this test has no hold of it";
    ASSERT_GT(all.get(looks_word), 0u);

    participant me = joined(root.path());
    auto back = me.subscriber<tick>("back", lossless()).value();
    auto out = me.publisher<tick>("there", gated(8, overflow::block)).value();
    child other = spawn("lives_by_a_wrong_clock", {root.path()});
    other.expect("ready");
    auto silent = me.subscriber<tick>("silent").value();
    auto full = me.publisher<tick>("full", gated(4, overflow::block)).value();
    auto unread = me.subscriber<tick>("full", lossless()).value();
    send_ticks(full, 0, 4);
    auto mute = me.receiver<tick>("mute", lanes_of(4)).value();
    auto to_mute = me.sender<tick>("mute", sending(overflow::block)).value();
    send_ticks(to_mute, 0, 4);
    auto c = me.client<ask, told>("s", calling()).value();
    ASSERT_TRUE(c.wait_for_server(1h));

    std::atomic<bool> over{false};
    std::thread steps([&] {
        for (std::uint64_t day = 0; !over; day += 1) { // two's complement: also into the past
            all[step_word] = (day % 2 == 0 ? 1 : ~std::uint64_t{0}) * 86'400 * (1 + day % 400);
        }
    });
    all[looks_word] = 0;
    std::uint64_t const rounds = count(60, 2'000);
    auto const takes_its_time = [](auto const& act) {
        auto const begun = std::chrono::steady_clock::now();
        act();
        EXPECT_GE(std::chrono::steady_clock::now() - begun, 5ms);
    };
    for (std::uint64_t i = 0; i < rounds && !testing::Test::HasFailure(); ++i) {
        takes_its_time([&] { EXPECT_EQ(silent.receive(5ms).error(), receive_errc::timed_out); });
        takes_its_time(
            [&] { EXPECT_EQ(full.send(tick::of(4), 5ms).error(), send_errc::timed_out); });
        takes_its_time(
            [&] { EXPECT_EQ(to_mute.send(tick::of(4), 5ms).error(), send_errc::timed_out); });
        auto const reply = c.call(ask::of(i));
        EXPECT_TRUE(reply && (**reply).answers(i));
        EXPECT_TRUE(out.send(tick::of(i, i + 1 == rounds ? 1 : 0)));
        auto const s = back.receive(1h);
        EXPECT_TRUE(s && s->whole() && s->number == i);
        EXPECT_TRUE(i + 1 == rounds || me.recover().nothing()) << "the other one lives";
    }
    EXPECT_EQ(all.get(looks_word), 0u) << "somebody went by it";
    over = true;
    steps.join();
    EXPECT_EQ(other.wait(), exited(0));
}

} // namespace
} // namespace partywall::test
