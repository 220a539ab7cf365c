// SPDX-License-Identifier: BSL-1.0
// The registry's bytes as one participant with one entry leaves them, byte by byte. A change here
// is a new registry_layout_version, and a decision.
#include <partywall/registry/participant_core.hpp>
#include <partywall/registry/registry_layout.hpp>
#include <partywall/registry/registry_watch.hpp>

#include "support/scratch_root.hpp"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
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

std::string zeros(std::size_t bytes) { return std::string(2 * bytes, '0'); }

/// Takes `count` bytes out of `bytes`, as hexadecimal, and leaves zeros there.
std::string take(std::string& bytes, std::size_t offset, std::size_t count) {
    std::string const text = hex_of(bytes.substr(offset, count));
    bytes.replace(offset, count, count, '\0');
    return text;
}

entry_spec spec() {
    entry_spec one;
    one.kind = entry_kind::topic_subscription;
    one.name = "market/eurusd";
    one.type = {0x0102030405060708, 0x11121314, 0x21222324, "quote"};
    one.number = 0x3132333435363738;
    one.policy = 0x41424344;
    one.flags = 0x51525354;
    one.depth = 0x6162636465666768;
    one.payload_bytes_max = 0x7172737475767778;
    one.initial = health::starting;
    one.meta = {{"unit", "EUR"}};
    return one;
}

std::string registry_of_one_participant_with_one_entry(std::string const& root) {
    join_options options;
    options.domain = "golden";
    options.root = root;
    auto const me = detail::participant_core::join("pricer", options).value();
    entry_info entry = me->add_entry(spec()).value();
    EXPECT_TRUE(me->set_metadata(entry, {{"k", "v"}, {"empty", ""}}));
    EXPECT_TRUE(me->set_health(entry, health::draining));
    std::array<std::uint64_t, 128> words{};
    words.fill(0x8182838485868788);
    EXPECT_TRUE(
        me->use_record(record_kind::circuit_breaker, "calc/add", 0x9192939495969798, words.data()));
    registry_watch watch(me); // it waits through descriptor 1, and the participant's pipe is 2
    EXPECT_TRUE(watch.fd());
    EXPECT_TRUE(watch.next(std::chrono::nanoseconds(0)));
    EXPECT_EQ(watch.next(std::chrono::nanoseconds(0)).error(), registry_errc::timed_out);
    std::ifstream file(root + "/golden/registry", std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

TEST(GoldenRegistry, IsTheseBytes) {
    test::scratch_root const root;
    std::string bytes = registry_of_one_participant_with_one_entry(root.path());
    ASSERT_EQ(bytes.size(), 1540480U);

    EXPECT_EQ(take(bytes, 0, 128), "706172747977616c" // magic: "partywal"
                                   "03000000"         // layout_version
                                   "01000000"         // kind
                                   "02556bdf4561bbbf" // layout_fingerprint
                                   "8081170000000000" // total_bytes
                                       + zeros(96));
    EXPECT_EQ(take(bytes, 128, 8), "0200000000000000"); // next_ticket
    // Joined, added, metadata, health, record.
    EXPECT_EQ(take(bytes, 256, 4), "05000000"); // epoch
    EXPECT_EQ(take(bytes, 260, 4), "01000000"); // wake_arm

    // participants[0]
    EXPECT_EQ(take(bytes, 384, 8), "0200800100000000"); // owner: ticket 1, ready, sequence 2
    EXPECT_NE(take(bytes, 392, 4), "00000000");         // pid
    EXPECT_EQ(take(bytes, 396, 4), "06000000");         // name_bytes
    EXPECT_NE(take(bytes, 400, 8), zeros(8));           // start_time_ns
    EXPECT_EQ(take(bytes, 408, 6), hex_of("pricer"));   // name
    EXPECT_EQ(take(bytes, 472, 3), "020000");           // wake: the number
    EXPECT_NE(take(bytes, 475, 5), zeros(5));           // and the generation

    EXPECT_EQ(take(bytes, 480, 8), "0100000000000000"); // uses: record 0

    // entries[0]
    std::size_t const entry = 65920;
    EXPECT_EQ(take(bytes, entry, 8), "0200800100000000");            // owner
    EXPECT_EQ(take(bytes, entry + 8, 4), "03000000");                // health
    EXPECT_EQ(take(bytes, entry + 16, 8), "0100000000000000");       // metadata_version
    EXPECT_EQ(take(bytes, entry + 24, 72), "02000000"                // kind
                                           "14131211"                // type_size
                                           "3837363534333231"        // number
                                           "3837360100000000"        // incarnation
                                           "0807060504030201"        // type_fingerprint
                                           "24232221"                // type_alignment
                                           "44434241"                // policy
                                           "54535251"                // flags
                                           "00000000"                // reserved
                                           "6867666564636261"        // depth
                                           "7877767574737271"        // payload_bytes_max
                                           "0d000000"                // name_bytes
                                           "05000000");              // type_name_bytes
    EXPECT_EQ(take(bytes, entry + 96, 13), hex_of("market/eurusd")); // name
    EXPECT_EQ(take(bytes, entry + 296, 5), hex_of("quote"));         // type_name
    EXPECT_EQ(take(bytes, entry + 416, 19), "0b00000000000000"       // metadata 0: as added
                                            "04000300" +
                                                hex_of("unitEUR"));
    EXPECT_EQ(take(bytes, entry + 824, 23), "0f00000000000000" // metadata 1: as set
                                            "01000100" +
                                                hex_of("kv") + "05000000" + hex_of("empty"));

    // records[0]
    std::size_t const record = 1376640;
    EXPECT_EQ(take(bytes, record, 8), "0300800000000000");      // owner: nobody, ready, 3
    EXPECT_EQ(take(bytes, record + 8, 16), "01000000"           // kind
                                           "08000000"           // name_bytes
                                           "9897969594939291"); // fingerprint
    EXPECT_EQ(take(bytes, record + 24, 8), hex_of("calc/add")); // name
    for (std::size_t i = 0; i < 128; ++i) {
        EXPECT_EQ(take(bytes, record + 256 + 8 * i, 8), "8887868584838281"); // words
    }

    EXPECT_EQ(bytes.find_first_not_of('\0'), std::string::npos) << "and everything else is zero";
}

TEST(GoldenRegistry, NumbersAreThese) {
    EXPECT_EQ(detail::registry_layout_version, 3U);
    EXPECT_EQ(detail::registry_layout_fingerprint, 0xbfbb'6145'df6b'5502U);
    EXPECT_EQ(static_cast<std::uint32_t>(entry_kind::topic_publisher), 1U);
    EXPECT_EQ(static_cast<std::uint32_t>(entry_kind::topic_subscription), 2U);
    EXPECT_EQ(static_cast<std::uint32_t>(entry_kind::inbox), 3U);
    EXPECT_EQ(static_cast<std::uint32_t>(entry_kind::service), 4U);
    EXPECT_EQ(static_cast<std::uint32_t>(entry_kind::surveyor), 5U);
    EXPECT_EQ(static_cast<std::uint32_t>(entry_kind::respondent), 6U);
    EXPECT_EQ(static_cast<std::uint32_t>(health::starting), 1U);
    EXPECT_EQ(static_cast<std::uint32_t>(health::ready), 2U);
    EXPECT_EQ(static_cast<std::uint32_t>(health::draining), 3U);
    EXPECT_EQ(static_cast<std::uint32_t>(health::closed), 4U);
}

} // namespace
} // namespace partywall
