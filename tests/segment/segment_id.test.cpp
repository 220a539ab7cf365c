// SPDX-License-Identifier: BSL-1.0
#include <partywall/segment/segment_id.hpp>

#include <gtest/gtest.h>

#include <string>

namespace partywall {
namespace {

constexpr std::uint64_t u64_max = UINT64_MAX;

TEST(SegmentId, NamesAreDerivedAndCanBeReadBack) {
    struct pair {
        segment_id id;
        char const* name;
    };
    for (auto const& [id, name] : {
             pair{{segment_kind::registry, 0, 0}, "registry"},
             pair{{segment_kind::life, 1, 0}, "life.1"},
             pair{{segment_kind::life, ticket_max, 0}, "life.1099511627775"},
             pair{{segment_kind::ring, 7, 1}, "ring.7.1"},
             pair{{segment_kind::ring, 10, u64_max}, "ring.10.18446744073709551615"},
             pair{{segment_kind::lanes, 7, 2}, "lanes.7.2"},
             pair{{segment_kind::wake, 7, 3}, "wake.7.3"},
             pair{{segment_kind::readers, ticket_max, u64_max},
                  "readers.1099511627775.18446744073709551615"},
         }) {
        EXPECT_TRUE(is_valid(id)) << name;
        EXPECT_EQ(file_name(id), name);
        EXPECT_EQ(parse_file_name(name), id) << name;
    }
}

TEST(SegmentId, OnlyNormalFormsAreValid) {
    for (segment_id const& id : {
             segment_id{segment_kind::registry, 1, 0},
             segment_id{segment_kind::registry, 0, 1},
             segment_id{segment_kind::life, 0, 0},
             segment_id{segment_kind::life, 1, 1},
             segment_id{segment_kind::life, ticket_max + 1, 0},
             segment_id{segment_kind::ring, 0, 1},
             segment_id{segment_kind::ring, 1, 0},
             segment_id{segment_kind::readers, ticket_max + 1, 1},
             segment_id{static_cast<segment_kind>(0), 0, 0},
             segment_id{static_cast<segment_kind>(6), 1, 1},
         }) {
        EXPECT_FALSE(is_valid(id)) << static_cast<int>(id.kind) << ' ' << id.ticket;
        EXPECT_EQ(file_name(id), "");
    }
}

TEST(SegmentId, NoOtherNameIsASegments) {
    using namespace std::string_literals;
    for (std::string const& name : {
             ""s,
             "."s,
             ".."s,
             "Registry"s,
             "registry "s,
             "registry.1"s,
             "registry."s,
             "registry.lock"s,
             "life"s,
             "life."s,
             "life.0"s,
             "life.01"s,
             "life.+1"s,
             "life.-1"s,
             "life. 1"s,
             "life.1 "s,
             "life.1."s,
             "life.1.1"s,
             "life.0x1"s,
             "life.1\0"s,
             "life.1\0x"s,
             "ring.1"s,
             "ring.1."s,
             "ring..1"s,
             "ring.1.0"s,
             "ring.1.01"s,
             "ring.1.1.1"s,
             "ring.1/2"s,
             "/ring.1.1"s,
             "ring.1.1/"s,
             ".tmp.1.0"s,
             "rings.1.1"s,
             "readers1.1"s,
             "life.1099511627776"s,
             "life.18446744073709551616"s,
             "ring.1.18446744073709551616"s,
             "ring.1.99999999999999999999999999999999"s,
         }) {
        EXPECT_EQ(parse_file_name(name), std::nullopt) << name;
    }
}

} // namespace
} // namespace partywall
