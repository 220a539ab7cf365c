// SPDX-License-Identifier: BSL-1.0
// Handlers that run in threads of the library, and callers that are coroutines.
#include "support.hpp"

#include <partywall/calls/co_call.hpp>

#include <atomic>
#include <coroutine>
#include <exception>
#include <latch>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

namespace partywall::test {
namespace {

struct CallWorkers : testing::Test {
    scratch_root root;
    participant me = joined(root.path());
    participant other = joined(root.path(), "other");

    static server_options with(std::uint32_t workers, std::uint32_t queue = 64) {
        server_options o = serving();
        o.workers = workers;
        o.workers_queue = queue;
        return o;
    }
};

TEST_F(CallWorkers, RunTheHandlerAtTheSameTime) {
    std::latch all(4); // none returns before four are inside
    auto s = me.server<ask, told>(
                   "s",
                   [&](ask const& a, call_context& context) {
                       EXPECT_EQ(context.header(), call_header{5});
                       all.arrive_and_wait();
                       context.set_reply_header({6});
                       return told::of(a.number);
                   },
                   with(4))
                 .value();
    auto c = other.client<ask, told>("s", calling()).value();
    running thread(s);
    std::vector<pending_call<told>> calls;
    call_options o;
    o.header = {5};
    for (std::uint64_t i = 0; i < 4; ++i) {
        calls.push_back(c.call_async(ask::of(i), o));
    }
    for (std::uint64_t i = 0; i < 4; ++i) {
        auto const r = calls[i].get();
        ASSERT_TRUE(r.has_value());
        EXPECT_TRUE((*r)->answers(i));
        EXPECT_EQ(r->header(), call_header{6});
    }
}

TEST_F(CallWorkers, AnswerThousandsOfCallsOfSeveralClients) {
    auto s = me.server<bytes, bytes>(
                   "s",
                   [](std::span<std::byte const> in, response<bytes>& out, call_context&) {
                       if (in.size() == 13) {
                           throw std::runtime_error("13");
                       }
                       std::copy(in.begin(), in.end(), (*out).begin());
                       out.resize(in.size());
                   },
                   with(3))
                 .value();
    running thread(s);
    std::vector<std::thread> clients;
    for (int k = 0; k < 3; ++k) {
        clients.emplace_back([&] {
            auto c = other.client<bytes, bytes>("s", calling()).value();
            for (std::size_t i = 0; i < 500; ++i) {
                std::string const text(i % 50, static_cast<char>('a' + i % 26));
                auto const r = c.call(text);
                if (text.size() == 13) {
                    ASSERT_FALSE(r.has_value());
                    EXPECT_EQ(r.error().fault, server_fault::threw);
                    EXPECT_EQ(r.error().text(), "13");
                } else {
                    ASSERT_TRUE(r.has_value()) << to_string(r.error().reason);
                    ASSERT_EQ(r->text(), text);
                }
            }
        });
    }
    for (auto& t : clients) {
        t.join();
    }
}

TEST_F(CallWorkers, RefuseWhatTheirQueueHasNoRoomFor) {
    std::latch go(1);
    auto s = me.server<ask, told>(
                   "s",
                   [&](ask const& a) {
                       go.wait();
                       return told::of(a.number);
                   },
                   with(1, 2))
                 .value();
    auto c = other.client<ask, told>("s", calling()).value();
    std::vector<pending_call<told>> calls;
    for (std::uint64_t i = 0; i < 3; ++i) {
        calls.push_back(c.call_async(ask::of(i)));
    }
    EXPECT_EQ(s.poll(), 3u);
    auto const r = calls[2].get();
    EXPECT_EQ(r.error(), call_errc::overloaded);
    EXPECT_EQ(r.error().executed, executed::no);
    go.count_down();
    EXPECT_TRUE(calls[0].get().value()->answers(0));
    EXPECT_TRUE(calls[1].get().value()->answers(1));
}

TEST_F(CallWorkers, FinishWhatTheyHaveBegunBeforeAShutdown) {
    std::atomic<int> executions{0};
    auto s = me.server<ask, told>(
                   "s",
                   [&](ask const& a) {
                       executions += 1;
                       return told::of(a.number);
                   },
                   with(2))
                 .value();
    auto c = other.client<ask, told>("s", calling()).value();
    std::vector<pending_call<told>> calls;
    for (std::uint64_t i = 0; i < 20; ++i) {
        calls.push_back(c.call_async(ask::of(i)));
        EXPECT_TRUE(c.post(ask::of(100 + i)).has_value());
    }
    EXPECT_EQ(s.poll(), 40u);
    EXPECT_TRUE(s.shutdown(1h));
    EXPECT_EQ(executions, 40);
    for (std::uint64_t i = 0; i < 20; ++i) {
        EXPECT_TRUE(calls[i].get().value()->answers(i));
    }
}

TEST_F(CallWorkers, MoreThanThereMayBeAreRefused) {
    auto const s = me.server<ask, told>(
        "s", [](ask const& a) { return told::of(a.number); }, with(workers_max + 1));
    ASSERT_FALSE(s.has_value());
    EXPECT_EQ(s.error(), endpoint_errc::bad_option);
}

// ---- coroutines -------------------------------------------------------------------------------------

struct fire {
    struct promise_type {
        fire get_return_object() noexcept { return {}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() noexcept {}
        void unhandled_exception() noexcept { std::terminate(); }
    };
};

fire ask_in_turn(client<ask, told>& c, std::uint64_t count, std::uint64_t& done) {
    for (std::uint64_t i = 0; i < count; ++i) {
        auto const r = co_await c.call_async(ask::of(i));
        EXPECT_TRUE(r.has_value() && (*r)->answers(i));
        done += 1;
    }
    auto const r = co_await c.call_async(ask::of(0), -1ns);
    EXPECT_EQ(r.error(), call_errc::deadline) << "one that cannot begin";
    done += 1;
}

TEST_F(CallWorkers, CoroutinesGoOnInsidePoll) {
    auto s = me.server<ask, told>("s", [](ask const& a) { return told::of(a.number); }).value();
    auto c = other.client<ask, told>("s", calling()).value();
    std::uint64_t done = 0;
    for (int i = 0; i < 3; ++i) {
        ask_in_turn(c, 50, done);
    }
    EXPECT_EQ(done, 0u);
    running thread(s);
    while (done < 153) {
        ASSERT_TRUE(c.poll(1h).has_value());
    }
    EXPECT_EQ(c.open_calls(), 0u);
}

} // namespace
} // namespace partywall::test
