// SPDX-License-Identifier: BSL-1.0
// Recovery that is killed, of what a killed recovery left, of what the dead left. Depth two, at
// every point, is the operation `recover` of EveryStore; here is depth three.
#include "stage.hpp"

#include <support/counts.hpp>
#include <support/watchdog.hpp>

#include <random>

namespace partywall::test {
namespace {

TEST(KilledRecoverers, AreRecoveredLikeAnybodyByTheThird) {
    if (char const* const why = store_trap::unsupported()) {
        GTEST_SKIP() << why;
    }
    watchdog::extend(1h);
    std::uint64_t points = 0;
    {
        stage alone(operation_named("recover"));
        (void)alone.round(trap_action::count, 0);
        points = alone.record().points;
    }
    unsigned const seed = run_seed();
    std::printf("seed %u, %llu points each\n", seed, static_cast<unsigned long long>(points));
    std::mt19937_64 random(seed);
    stage s(operation_named("recover_after_a_recoverer"));
    for (std::uint64_t i = count(25, 1000); i != 0 && s.figures().violations < 10; --i) {
        s.first_recoverer_dies_at(1 + random() % points);
        (void)s.round(trap_action::kill, 1 + random() % points);
    }
    s.figures().report("recovery at depth three");
    std::printf("%llu slots of the dead, each freed once\n",
                static_cast<unsigned long long>(s.frees()));
    EXPECT_GT(s.frees(), 0u);
    EXPECT_EQ(s.figures().violations, 0u);
}

// That the log of frees would show what it is to show.
TEST(FreeLog, TellsASlotThatWasFreedTwiceOrNeverFromOneFreedOnce) {
    auto const word = [](std::uint64_t ticket, slot_phase phase, std::uint64_t sequence) {
        return owner::make(ticket, phase, sequence);
    };
    auto const change = [](owner from, owner to) {
        return trap_point{0, 0x180, from.word, to.word, "registry"};
    };
    owner const dead = word(7, slot_phase::ready, 10);
    owner const taken = word(8, slot_phase::cleaning, 11);
    owner const retaken = word(9, slot_phase::cleaning, 12);
    owner const freed = word(0, slot_phase::free, 13);
    auto const verdict = [&](std::vector<trap_point> const& log, owner end) {
        return not_freed_once({{"registry+0x180", dead}}, log, {{{"registry+0x180", end}}}, {7});
    };
    EXPECT_EQ(verdict({change(dead, taken), change(taken, retaken), change(retaken, freed)}, freed),
              "");
    EXPECT_EQ(verdict({change(dead, taken), change(taken, retaken)}, freed), "");
    EXPECT_EQ(verdict({}, word(0, slot_phase::free, 12)), "") << "by a survivor";
    EXPECT_EQ(verdict({change(dead, taken), change(taken, word(0, slot_phase::free, 12))},
                      word(3, slot_phase::ready, 14)),
              "")
        << "and claimed since";
    EXPECT_NE(verdict({}, dead), "") << "never";
    EXPECT_NE(verdict({change(dead, taken)}, retaken), "") << "never";
    EXPECT_NE(verdict({change(dead, taken), change(taken, word(0, slot_phase::free, 12)),
                       change(word(0, slot_phase::free, 12), freed)},
                      freed),
              "")
        << "twice";
    EXPECT_NE(verdict({change(dead, taken)}, word(0, slot_phase::free, 14)), "")
        << "taken, freed, and something else";
    // Somebody's whole life in the slot, after a survivor had freed it.
    owner const left = word(0, slot_phase::free, 16);
    auto const seen = [](owner now) { return owners_by_place{{"registry+0x180", now}}; };
    auto const twice_seen = [&](owner between) {
        return not_freed_once({seen(dead)}, {}, {seen(between), seen(left)}, {7});
    };
    EXPECT_EQ(twice_seen(word(0, slot_phase::free, 12)), "");
    EXPECT_NE(twice_seen(dead), "") << "six changes that nobody can explain";
    EXPECT_NE(verdict({}, left), "") << "the same, not looked at in between";
}

} // namespace
} // namespace partywall::test
