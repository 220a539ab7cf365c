// SPDX-License-Identifier: BSL-1.0
// What stands before a request and before a reply. Both versions of a program must agree on it, and on
// what its numbers mean.
#include "golden.hpp"

#include <partywall/calls/calls_layout.hpp>
#include <partywall/calls/frame.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cstring>

namespace partywall::test {
struct alignas(32) wide {
    std::byte bytes[32];
};

namespace {

using namespace detail;

TEST(GoldenCalls, HeadersAreTheseBytes) {
    alignas(8) std::array<std::byte, sizeof(request_header) + sizeof(reply_header)> bytes{};
    request_header request{
        call_id(0x0102'0304, 0x0506'0708), 0x1112'1314'1516'1718, 0x21, 0x31, {}};
    reply_header reply{call_id(2, 3), 0x41, 0x42, 0x43, {}};
    for (std::uint8_t i = 0; i < call_header_bytes; ++i) {
        request.user[i] = static_cast<std::uint8_t>(0xa0 + i);
        reply.user[i] = static_cast<std::uint8_t>(0xb0 + i);
    }
    std::memcpy(bytes.data(), &request, sizeof request);
    std::memcpy(bytes.data() + sizeof request, &reply, sizeof reply);
    EXPECT_EQ(dump(bytes), golden("calls_v1.hex"));
}

TEST(GoldenCalls, NumbersAreThese) {
    EXPECT_EQ(calls_protocol_version, 1u);
    EXPECT_EQ(request_flag::wants_reply, 1u);
    EXPECT_EQ(request_flag::stream, 2u);
    EXPECT_EQ(request_flag::note, 4u);
    EXPECT_EQ(request_flag::stop, 8u);
    EXPECT_EQ(request_flag::window_shift, 16u);
    EXPECT_EQ(static_cast<int>(reply_status::value), 1);
    EXPECT_EQ(static_cast<int>(reply_status::failed), 2);
    EXPECT_EQ(static_cast<int>(reply_status::threw), 3);
    EXPECT_EQ(static_cast<int>(reply_status::unanswered), 4);
    EXPECT_EQ(static_cast<int>(reply_status::too_large), 5);
    EXPECT_EQ(static_cast<int>(reply_status::expired), 6);
    EXPECT_EQ(static_cast<int>(reply_status::cancelled), 7);
    EXPECT_EQ(static_cast<int>(reply_status::draining), 8);
    EXPECT_EQ(static_cast<int>(reply_status::overloaded), 9);
    EXPECT_EQ(static_cast<int>(reply_status::declined), 10);
    EXPECT_EQ(static_cast<int>(reply_status::missed), 11);
    EXPECT_EQ(static_cast<int>(reply_status::item), 12);
    EXPECT_EQ(static_cast<int>(reply_status::end), 13);
}

TEST(GoldenCalls, MessagesLieHereBehindTheirHeaders) {
    EXPECT_EQ((frame<std::uint64_t, request_header, 0>::body_offset), 40u);
    EXPECT_EQ((frame<std::uint64_t, reply_header, 88>::body_offset), 32u);
    EXPECT_EQ((frame<wide, request_header, 0>::body_offset), 64u);
    EXPECT_EQ((frame<std::uint64_t, reply_header, 88>::shape().payload.payload_bytes_max), 120u);
}

} // namespace
} // namespace partywall::test
