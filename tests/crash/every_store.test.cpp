// SPDX-License-Identifier: BSL-1.0
// Each operation in victims that die, or stop, at each of its stores to shared memory and each of
// its system calls. What survivors then do, and what has to hold, is in stage.cpp.
#include "stage.hpp"

#include <support/counts.hpp>
#include <support/watchdog.hpp>

#include <algorithm>
#include <exception>
#include <random>
#include <string_view>
#include <vector>

namespace partywall::test {
namespace {

/// Whether the point is one of a run: stores one behind the other, or system calls.
bool continues(trap_point const& before, trap_point const& point) {
    if (!before.is_store() || !point.is_store()) {
        return before.is_store() == point.is_store();
    }
    return std::string_view(before.segment) == point.segment && point.where > before.where &&
           point.where - before.where <= 64;
}

/// Points to act at: all, or, if they are too many, so many evenly from a random one on, and the
/// ends of all runs.
std::vector<std::uint64_t> chosen(trap_record const& record, std::uint64_t total,
                                  std::uint64_t wanted, bool ends) {
    std::vector<std::uint64_t> points;
    std::uint64_t const stride = total <= 2 * wanted ? 1 : total / wanted;
    std::uint64_t const first = run_seed() % stride;
    for (std::uint64_t at = 1; at <= total; ++at) {
        bool const inside = at > 1 && at < total && continues(record.at(at - 1), record.at(at)) &&
                            continues(record.at(at), record.at(at + 1));
        if (at % stride == first || (ends && !inside)) {
            points.push_back(at);
        }
    }
    return points;
}

/// So many points in a row that an operation does not come to: its end was before them.
constexpr std::uint64_t unreached_max = 3;

std::vector<operation> tried_everywhere() {
    std::vector<operation> all;
    for (operation const& one : operations()) {
        if (one.everywhere) {
            all.push_back(one);
        }
    }
    return all;
}

/// Calls: another process comes and goes in each round.
bool takes_long(operation const& one) {
    static std::vector<operation> const calls = call_operations();
    return std::any_of(calls.begin(), calls.end(), [&](operation const& call) {
        return one.name == call.name || one.name == call.name + "_large";
    });
}

class EveryStore : public testing::TestWithParam<operation> {
  protected:
    void SetUp() override {
        if (char const* const why = store_trap::unsupported()) {
            GTEST_SKIP() << why;
        }
        watchdog::extend(full_counts() ? std::chrono::milliseconds(1h)
                                       : std::chrono::milliseconds(2min));
    }

    static void run(trap_action action, std::uint64_t wanted) {
        stage s(GetParam());
        try {
            run(s, action, wanted);
        } catch (std::exception const& e) {
            ADD_FAILURE() << GetParam().name << ", " << s.moment() << ": " << e.what();
        }
        s.figures().report(GetParam().name + (action == trap_action::kill ? "" : ", stopped"));
        EXPECT_GT(s.figures().kills + s.figures().freezes, 0u);
        EXPECT_EQ(s.figures().violations, 0u);
    }

    /// How many points; fewer in quick runs where only the place of the messages is another, or a
    /// round takes long.
    static std::uint64_t wanted(std::uint64_t quick, std::uint64_t quick_large) {
        bool const few = GetParam().where.chunks || takes_long(GetParam());
        return count(few ? quick_large : quick, 1'000'000);
    }

    static void run(stage& s, trap_action action, std::uint64_t wanted) {
        (void)s.round(trap_action::count, 0);
        std::uint64_t const total = s.record().points;
        std::vector<std::uint64_t> const points =
            chosen(s.record(), total, wanted,
                   action == trap_action::kill && (!takes_long(GetParam()) || full_counts()));
        std::uint64_t last = total;
        std::uint64_t unreached = 0; // in a row
        for (std::uint64_t const at : points) {
            // It may be shorter this time, since it depends on what others do when, and longer again
            // the next time.
            unreached = s.round(action, at) ? 0 : unreached + 1;
            if (unreached == unreached_max || s.figures().violations > 9) {
                last = 0;
                break;
            }
        }
        while (last != 0 && s.figures().violations < 10 && s.round(action, ++last)) {
        }
        if (points.size() < total) {
            std::printf("%zu of %llu points, from %llu\n", points.size(),
                        static_cast<unsigned long long>(total),
                        static_cast<unsigned long long>(points.front()));
        }
        if (GetParam().when_asleep != nullptr) {
            action == trap_action::kill ? s.round_asleep() : s.round_stopped_asleep();
        }
    }
};

TEST_P(EveryStore, MayBeTheLastOfAProcess) { run(trap_action::kill, wanted(14, 6)); }

TEST_P(EveryStore, MayBeAPlaceToStopForAnyTime) { run(trap_action::stop, wanted(3, 2)); }

INSTANTIATE_TEST_SUITE_P(Operation, EveryStore, testing::ValuesIn(tried_everywhere()),
                         [](auto const& one) { return one.param.name; });

} // namespace

void PrintTo(operation const& one, std::ostream* out) { *out << one.name; }

} // namespace partywall::test
