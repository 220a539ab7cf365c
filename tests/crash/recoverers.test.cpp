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
    EXPECT_EQ(s.figures().violations, 0u);
}

} // namespace
} // namespace partywall::test
