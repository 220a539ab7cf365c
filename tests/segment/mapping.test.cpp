// SPDX-License-Identifier: BSL-1.0
// A mapping that somebody may still point into when its segment is of no use any more.
#include <partywall/segment/segment.hpp>

#include "support/scratch_root.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>

namespace partywall {
namespace {

/// Of files below `path`, whether they have a name or not.
int mappings_below(std::string const& path) {
    std::ifstream maps("/proc/self/maps");
    int count = 0;
    for (std::string line; std::getline(maps, line);) {
        count += line.find(path + "/") != std::string::npos ? 1 : 0;
    }
    return count;
}

TEST(ForsakenMapping, LeavesZerosOfItsOwnInPlaceOfTheSegment) {
    test::scratch_root root;
    auto const where = open_directory(root.path(), "d", sharing::owner_only, true).value();
    segment_id const id{segment_kind::ring, 7, 1};
    auto mine = create_segment(where, {id, 1, 1, 5000, 9}, nullptr, nullptr).value();
    auto const others = attach_segment(where, {id, 1, 1}, access::read_only).value();
    ASSERT_EQ(mappings_below(root.path()), 2);
    std::byte* const pointer = mine.data();
    pointer[300] = std::byte{1};
    ASSERT_EQ(others.data()[300], std::byte{1});

    mine.forsake();
    EXPECT_EQ(mappings_below(root.path()), 1);
    EXPECT_TRUE(std::all_of(pointer, pointer + 5000, [](std::byte b) { return b == std::byte{}; }));
    pointer[300] = std::byte{2};
    pointer[4999] = std::byte{2};
    EXPECT_EQ(others.data()[300], std::byte{1});
    EXPECT_EQ(others.header().owner_ticket, 7u);
    mine.reset();
    mine.forsake(); // nothing there: nothing happens
}

} // namespace
} // namespace partywall
