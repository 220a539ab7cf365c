// SPDX-License-Identifier: BSL-1.0
// What the tests of streams share: a server that keeps what it owes, and reading to the end.
#pragma once

#include "support.hpp"

#include <vector>

namespace partywall::test {

using writer = stream_writer<told>;

inline call_options window(std::uint32_t replies, std::chrono::nanoseconds deadline = 1h) {
    call_options o;
    o.window = replies;
    o.deadline = deadline;
    return o;
}

struct streaming_test : testing::Test {
    scratch_root root;
    participant me = joined(root.path());
    participant other = joined(root.path(), "other");
    std::vector<writer> writers; ///< of requests that were taken

    auto keeper(server_options const& options = serving()) {
        return me
            .server<ask, told>(
                "s",
                [this](ask const&, writer out, call_context&) {
                    writers.push_back(std::move(out));
                },
                options)
            .value();
    }
    /// Answers a request for `n` with n replies and an end, in the thread that runs it.
    static void count_up(ask const& a, writer& out) {
        for (std::uint64_t i = 0; i < a.number; ++i) {
            if (!out.send(told::of(i), 1h)) {
                return;
            }
        }
        (void)out.finish();
    }
    auto counter(std::uint32_t workers = 2, char const* name = "s") {
        server_options o = serving();
        o.workers = workers;
        return me
            .server<ask, told>(
                name, [](ask const& a, writer out, call_context&) { count_up(a, out); }, o)
            .value();
    }
    auto caller(client_options const& options = calling()) {
        return other.client<ask, told>("s", options).value();
    }
    static void expect_next(reply_stream<told>& in, std::uint64_t number) {
        auto const r = in.next();
        ASSERT_TRUE(r.has_value()) << number << ": " << to_string(r.error().reason);
        EXPECT_TRUE((*r)->answers(number)) << number;
    }
    static void expect_rest(reply_stream<told>& in, std::uint64_t from, std::uint64_t to) {
        for (std::uint64_t i = from; i < to; ++i) {
            ASSERT_NO_FATAL_FAILURE(expect_next(in, i));
        }
        EXPECT_EQ(in.next().error(), call_errc::end_of_stream);
        EXPECT_TRUE(in.has_ended());
    }
};

} // namespace partywall::test
