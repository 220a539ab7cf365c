// SPDX-License-Identifier: BSL-1.0
// Every memory order earns its place: weakened, dropped, taken apart or moved, one at a time, it
// must break a scenario. What is found stands in docs/memory_orders.md, line by line, so that the
// page cannot be wrong; there the orders that no scenario needs have their reasons.
#include "orders.hpp"

#include "support/watchdog.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iostream>

namespace partywall::test::explore {
namespace {

constexpr char page[] = PARTYWALL_EXPLORE_DOCS "/memory_orders.md";
constexpr std::string_view undecided = "not decided by the model: ";

/// The files whose orders are tried, and those that the scenarios stand in for in part.
constexpr std::array files{
    "atomics.hpp",       "chunk_pool.hpp",  "bell.hpp",        "copy_words.hpp",
    "gate.hpp",          "lane.hpp",        "owner_word.hpp",  "reader_seat.hpp",
    "waitable.hpp",      "ring_reader.hpp", "ring_writer.hpp", "registry_slots.hpp",
    "receiver_core.cpp", "writing_end.cpp", "taking.hpp",      "client_core.cpp",
};

std::string row_of(finding const& f) { return "| " + f.place + " | " + f.changed + " | "; }

/// The rows of the page, by what stands before the last column.
std::map<std::string, std::string> rows_of(std::string const& file) {
    std::map<std::string, std::string> rows;
    std::ifstream in(page);
    bool here = false;
    for (std::string line; std::getline(in, line);) {
        if (line.starts_with("## ")) {
            here = line == "## " + file;
        } else if (here && line.starts_with("| ") && line.ends_with(" |")) {
            std::size_t const last = line.rfind(" | ") + 3;
            rows[line.substr(0, last)] = line.substr(last, line.size() - last - 2);
        }
    }
    rows.erase("| where | changed to | ");
    return rows;
}

class Orders : public testing::TestWithParam<char const*> {};

TEST_P(Orders, BreakAScenarioWhenWeakenedOrThePageSaysWhyNot) {
    watchdog::extend(std::chrono::minutes(15));
    auto rows = rows_of(GetParam());
    std::size_t broken = 0;
    auto const found = weaken_everything(all_scenarios(false), GetParam());
    for (finding const& f : found) {
        std::string const row = row_of(f);
        std::cout << row << f.fails << " |\n";
        broken += f.fails.empty() ? 0 : 1;
        auto const said = rows.find(row);
        if (said == rows.end()) {
            ADD_FAILURE() << "not in " << page << ":\n" << row << f.fails << " |";
            continue;
        }
        if (f.fails.empty()) {
            EXPECT_TRUE(said->second.starts_with(undecided) &&
                        said->second.size() > undecided.size())
                << row << " breaks nothing; the page says: " << said->second;
        } else {
            EXPECT_EQ(said->second, f.fails) << row;
        }
        rows.erase(said);
    }
    for (auto const& [row, what] : rows) {
        ADD_FAILURE() << "in " << page << ", but there is no such order: " << row << what;
    }
    std::cout << GetParam() << ": " << found.size() << " changes, " << broken
              << " of which break something\n";
}

std::string test_name(testing::TestParamInfo<char const*> const& one) {
    std::string name = one.param;
    std::replace(name.begin(), name.end(), '.', '_');
    return name;
}

INSTANTIATE_TEST_SUITE_P(Of, Orders, testing::ValuesIn(files), test_name);

TEST(OrdersOf, EveryFileThatAScenarioComesByAreTried) {
    auto const known = files_of(cover(all_scenarios(false)));
    for (std::string const& file : known) {
        EXPECT_NE(std::find(files.begin(), files.end(), file), files.end()) << file;
    }
    EXPECT_EQ(known.size(), files.size());
}

} // namespace
} // namespace partywall::test::explore
