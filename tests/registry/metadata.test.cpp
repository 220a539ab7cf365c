// SPDX-License-Identifier: BSL-1.0
#include <partywall/registry/metadata.hpp>

#include <gtest/gtest.h>

#include <random>

namespace partywall {
namespace {

using detail::decode_metadata;
using detail::encode_metadata;

std::vector<std::byte> bytes(std::initializer_list<int> values) {
    std::vector<std::byte> out;
    for (int const value : values) {
        out.push_back(static_cast<std::byte>(value));
    }
    return out;
}

TEST(Metadata, ComesBackAsItWasGiven) {
    metadata const pairs{{"unit", "EUR"}, {"empty", ""}, {"bytes", std::string("\0\xff/", 3)}};
    auto const encoded = encode_metadata(pairs).value();
    EXPECT_EQ(decode_metadata(encoded), pairs);
}

TEST(Metadata, OfNothingIsNothing) {
    EXPECT_TRUE(encode_metadata({}).value().empty());
    EXPECT_EQ(decode_metadata({}), metadata{});
}

TEST(Metadata, FitsExactlyOrIsRefused) {
    std::string const value(metadata_bytes_max - 4 - 1, 'v');
    EXPECT_EQ(encode_metadata({{"k", value}}).value().size(), metadata_bytes_max);
    auto const refused = encode_metadata({{"k", value + "v"}});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error(), registry_errc::bad_metadata);
    // Many small pairs reach the same limit.
    metadata many;
    for (int i = 0; i < 58; ++i) {
        many.emplace_back(std::to_string(100 + i), "");
    }
    EXPECT_FALSE(encode_metadata(many)); // 58 pairs of 7 bytes
    many.pop_back();
    EXPECT_TRUE(encode_metadata(many));
}

TEST(Metadata, RefusesKeysThatAreNone) {
    EXPECT_EQ(encode_metadata({{"", "x"}}).error(), registry_errc::bad_metadata);
    EXPECT_EQ(encode_metadata({{"k", "1"}, {"k", "2"}}).error(), registry_errc::bad_metadata);
    std::string const longest(metadata_key_bytes_max, 'k');
    EXPECT_TRUE(encode_metadata({{longest, ""}}));
    EXPECT_EQ(encode_metadata({{longest + "k", ""}}).error(), registry_errc::bad_metadata);
}

TEST(Metadata, IsNotReadFromBytesThatCannotBeMetadata) {
    EXPECT_FALSE(decode_metadata(bytes({1})));
    EXPECT_FALSE(decode_metadata(bytes({1, 0, 0}))) << "a length is cut off";
    EXPECT_FALSE(decode_metadata(bytes({1, 0, 0, 0}))) << "the key is missing";
    EXPECT_FALSE(decode_metadata(bytes({0, 0, 0, 0}))) << "an empty key";
    EXPECT_FALSE(decode_metadata(bytes({1, 0, 2, 0, 'k', 'v'}))) << "the value is too short";
    EXPECT_FALSE(decode_metadata(bytes({0xff, 0xff, 0xff, 0xff, 'k'})));
    EXPECT_FALSE(decode_metadata(bytes({1, 0, 0, 0, 'k', 1, 0, 0, 0, 'k'}))) << "twice";
    EXPECT_TRUE(decode_metadata(bytes({1, 0, 1, 0, 'k', 'v'})));
}

TEST(Metadata, SurvivesAnyBytes) {
    std::mt19937 random(20);
    std::uniform_int_distribution<int> value(0, 255);
    std::size_t accepted = 0;
    for (int round = 0; round < 20000; ++round) {
        std::vector<std::byte> any(static_cast<std::size_t>(round) % (metadata_bytes_max + 1));
        for (std::byte& byte : any) {
            // Small numbers, so that lengths often fit.
            byte = static_cast<std::byte>(value(random) & (round % 2 == 0 ? 0x03 : 0xff));
        }
        if (auto const read = decode_metadata(any)) {
            ++accepted;
            EXPECT_EQ(encode_metadata(*read).value(), any); // accepted means: could be ours
        }
    }
    EXPECT_GT(accepted, 0U);
}

} // namespace
} // namespace partywall
