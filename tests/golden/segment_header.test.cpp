// SPDX-License-Identifier: BSL-1.0
// The first 128 bytes of every segment, byte by byte. A change here is a new layout version of
// every kind of segment, and a decision.
#include <partywall/segment/segment.hpp>
#include <partywall/segment/segment_layout.hpp>

#include "support/scratch_root.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

namespace partywall {
namespace {

std::string hex_of(std::string const& bytes) {
    std::string text;
    for (char const c : bytes) {
        constexpr char const* digits = "0123456789abcdef";
        text += digits[static_cast<unsigned char>(c) >> 4];
        text += digits[static_cast<unsigned char>(c) & 15];
    }
    return text;
}

TEST(GoldenSegmentHeader, IsTheseBytes) {
    test::scratch_root root;
    directory const where =
        open_directory(root.path(), "golden", sharing::owner_only, true).value();
    segment_spec const spec{{segment_kind::readers, 0x0102030405, 0x1112131415161718},
                            0x21222324,
                            0x3132333435363738,
                            1000,
                            0x4142434445464748};
    ASSERT_TRUE(create_segment(where, spec, nullptr, nullptr));
    std::ifstream file(where.path_of(file_name(spec.id)), std::ios::binary);
    std::string const bytes{std::istreambuf_iterator<char>(file), {}};
    ASSERT_EQ(bytes.size(), 1000U);
    EXPECT_EQ(hex_of(bytes.substr(0, 128)), "706172747977616c"            // magic: "partywal"
                                            "24232221"                    // layout_version
                                            "04000000"                    // kind
                                            "3837363534333231"            // layout_fingerprint
                                            "e803000000000000"            // total_bytes
                                            "0504030201000000"            // owner_ticket
                                            "1817161514131211"            // number
                                            "4847464544434241"            // incarnation
                                                + std::string(144, '0')); // reserved
    EXPECT_EQ(hex_of(bytes.substr(128)), std::string(2 * 872, '0'));
}

TEST(GoldenSegmentHeader, KindsHaveTheseNumbers) {
    EXPECT_EQ(static_cast<std::uint32_t>(segment_kind::registry), 1U);
    EXPECT_EQ(static_cast<std::uint32_t>(segment_kind::life), 2U);
    EXPECT_EQ(static_cast<std::uint32_t>(segment_kind::ring), 3U);
    EXPECT_EQ(static_cast<std::uint32_t>(segment_kind::readers), 4U);
}

TEST(GoldenSegmentHeader, FingerprintsAreTheseNumbers) {
    EXPECT_EQ(layout_fingerprint({}), 0x8bcc'abc6'da53'91a4);
    EXPECT_EQ(layout_fingerprint({1, 2, 3}), 0x9b67'ec49'd05f'8084);
    EXPECT_NE(layout_fingerprint({1, 2}), layout_fingerprint({2, 1}));
    EXPECT_NE(layout_fingerprint({0}), layout_fingerprint({}));
    EXPECT_NE(layout_fingerprint({0, 0}), layout_fingerprint({0}));
}

} // namespace
} // namespace partywall
