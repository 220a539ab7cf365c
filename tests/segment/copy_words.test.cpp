// SPDX-License-Identifier: BSL-1.0
#include <partywall/segment/copy_words.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cstring>

namespace partywall::test {
namespace {

constexpr std::size_t longest = 67;

TEST(CopyWords, BringsEveryLengthThereAndBackFromAnyAlignment) {
    for (std::size_t bytes = 0; bytes <= longest; ++bytes) {
        for (std::size_t shift = 0; shift < 8; ++shift) {
            std::array<std::byte, longest + 8> source{};
            for (std::size_t i = 0; i < source.size(); ++i) {
                source[i] = static_cast<std::byte>(i * 37 + bytes);
            }
            alignas(8) std::array<std::byte, 80> shared{};
            copy_words<>::store(shared.data(), source.data() + shift, bytes);
            std::array<std::byte, longest + 8> target{};
            copy_words<>::load(target.data() + shift, shared.data(), bytes);
            ASSERT_EQ(std::memcmp(target.data() + shift, source.data() + shift, bytes), 0);
            for (std::size_t i = shift + bytes; i < target.size(); ++i) {
                ASSERT_EQ(target[i], std::byte{0}) << "byte " << i << " of " << bytes;
            }
        }
    }
}

TEST(CopyWords, ClearsTheRestOfTheLastWordAndNothingBehindIt) {
    for (std::size_t bytes = 0; bytes <= longest; ++bytes) {
        alignas(8) std::array<std::byte, 80> shared;
        shared.fill(std::byte{0xa5});
        std::array<std::byte, longest> const source{};
        copy_words<>::store(shared.data(), source.data(), bytes);
        std::size_t const end = (bytes + 7) / 8 * 8;
        for (std::size_t i = 0; i < shared.size(); ++i) {
            ASSERT_EQ(shared[i], i < end ? std::byte{0} : std::byte{0xa5}) << i << " of " << bytes;
        }
    }
}

} // namespace
} // namespace partywall::test
