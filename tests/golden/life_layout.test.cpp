// SPDX-License-Identifier: BSL-1.0
// The bytes of a life segment. A change here is a new life_layout_version, and a decision.
#include <partywall/os/process.hpp>
#include <partywall/os/robust_word.hpp>
#include <partywall/registry/life_layout.hpp>
#include <partywall/registry/participant_core.hpp>

#include "support/scratch_root.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <unistd.h>

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

TEST(GoldenLife, IsTheseBytes) {
    test::scratch_root const root;
    join_options options;
    options.domain = "golden";
    options.root = root.path();
    auto const me = detail::participant_core::join("pricer", options).value();
    std::ifstream file(root.path() + "/golden/life.1", std::ios::binary);
    std::string const bytes{std::istreambuf_iterator<char>(file), {}};
    ASSERT_EQ(bytes.size(), 256U);
    EXPECT_EQ(hex_of(bytes.substr(0, 128)), "706172747977616c"            // magic: "partywal"
                                            "02000000"                    // layout_version
                                            "02000000"                    // kind
                                            "c38e31881dd69b99"            // layout_fingerprint
                                            "0001000000000000"            // total_bytes
                                            "0100000000000000"            // owner_ticket
                                                + std::string(176, '0')); // and nothing else
    std::uint32_t word = 0;
    std::memcpy(&word, bytes.data() + 128, sizeof word);
    constexpr std::uint32_t waiters = 0x8000'0000;
    EXPECT_EQ(word, waiters | static_cast<std::uint32_t>(::gettid())) << "what sleepers expect";
    std::uint64_t pid_namespace = 0;
    std::memcpy(&pid_namespace, bytes.data() + 192, sizeof pid_namespace);
    EXPECT_EQ(pid_namespace, os::pid_namespace());
    std::uint32_t pid = 0;
    std::memcpy(&pid, bytes.data() + 200, sizeof pid);
    EXPECT_EQ(pid, static_cast<std::uint32_t>(::getpid()));
    EXPECT_EQ(hex_of(bytes.substr(204)), std::string(104, '0'));
}

TEST(GoldenLife, NumbersAreThese) {
    EXPECT_EQ(detail::life_layout_version, 2U);
    EXPECT_EQ(detail::life_layout_fingerprint, 0x999b'd61d'8831'8ec3U);
}

} // namespace
} // namespace partywall
