// SPDX-License-Identifier: BSL-1.0
#include "tally.hpp"

#include <gtest/gtest.h>

#include <cstdio>

namespace partywall::test {
namespace {

tally sum;

using number = unsigned long long;

class last_line : public testing::Environment {
    void TearDown() override {
        if (sum.checks != 0) {
            std::printf("%llu survivor checks, %llu freezes, %llu kills, %llu violations\n",
                        static_cast<number>(sum.checks), static_cast<number>(sum.freezes),
                        static_cast<number>(sum.kills), static_cast<number>(sum.violations));
        }
    }
};

[[maybe_unused]] testing::Environment* const last =
    testing::AddGlobalTestEnvironment(new last_line); // GoogleTest owns it

} // namespace

void tally::report(std::string const& what) const {
    std::printf("%-44s %4llu stores, %3llu system calls, %4llu kills, %3llu freezes, "
                "%4llu survivor checks, %llu violations\n",
                what.c_str(), static_cast<number>(stores), static_cast<number>(system_calls),
                static_cast<number>(kills), static_cast<number>(freezes),
                static_cast<number>(checks), static_cast<number>(violations));
    std::fflush(stdout);
    auto const record = [](char const* name, std::uint64_t value) {
        testing::Test::RecordProperty(name, std::to_string(value));
    };
    record("stores", stores);
    record("system_calls", system_calls);
    record("rounds", rounds);
    record("kills", kills);
    record("freezes", freezes);
    record("survivor_checks", checks);
    record("violations", violations);
    sum.kills += kills;
    sum.freezes += freezes;
    sum.checks += checks;
    sum.violations += violations;
}

} // namespace partywall::test
