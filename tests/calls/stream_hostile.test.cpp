// SPDX-License-Identifier: BSL-1.0
// What no client and no server of ours says about a stream.
#include "forger.hpp"
#include "streaming.hpp"

#include <thread>

namespace partywall::test {
namespace {

using detail::call_id;
using detail::reply_status;
namespace request_flag = detail::request_flag;

struct HostileStream : streaming_test {
    std::vector<std::byte> const body = bytes_of(told::of(0));
};

TEST_F(HostileStream, AnItemOrAnEndIsNoReplyToACall) {
    auto s = keeper();
    auto c = caller();
    auto first = c.call_async(ask::of(1)); // slot 0, generation 0
    auto second = c.call_async(ask::of(2));
    forger<told> forged(me, c.incarnation(), s.incarnation());
    forged.send(header(call_id(0, 0), reply_status::item), body);
    forged.send(header(call_id(1, 0), reply_status::end));
    for (auto* call : {&first, &second}) {
        auto const r = call->get();
        EXPECT_EQ(r.error(), call_errc::corrupt);
        EXPECT_EQ(r.error().executed, executed::maybe);
    }
    EXPECT_EQ(c.open_calls(), 0u);
}

TEST_F(HostileStream, MoreThanTheWindowIsCorruptAfterWhatFitted) {
    auto s = keeper();
    auto c = caller();
    auto in = c.stream(ask::of(0), window(2));
    forger<told> forged(me, c.incarnation(), s.incarnation());
    for (int i = 0; i < 20; ++i) {
        forged.send(header(call_id(0, 0), reply_status::item), body);
    }
    EXPECT_NE(c.poll(), 0u);
    expect_next(in, 0);
    expect_next(in, 0);
    EXPECT_EQ(in.next().error(), call_errc::corrupt);
    EXPECT_EQ(c.late_replies(), 18u);
    EXPECT_EQ(c.open_calls(), 1u);
    forged.send(header(call_id(0, 0), reply_status::end));
    forged.send(header(call_id(0, 0), reply_status::end));
    (void)c.poll();
    EXPECT_EQ(c.open_calls(), 0u);
}

TEST_F(HostileStream, WhatIsSaidOfAStreamThatEndedIsNobodys) {
    auto s = keeper();
    auto c = caller();
    auto in = c.stream(ask::of(0), window(2));
    EXPECT_EQ(s.poll(), 1u);
    EXPECT_TRUE(writers[0].finish());
    expect_rest(in, 0, 0);
    auto next = c.stream(ask::of(0), window(2)); // the same slot
    forger<told> forged(me, c.incarnation(), s.incarnation());
    forged.send(header(call_id(0, 0), reply_status::item), body);
    forged.send(header(call_id(0, 0), reply_status::end));
    EXPECT_EQ(c.poll(), 0u);
    EXPECT_EQ(c.late_replies(), 2u);
    EXPECT_EQ(s.poll(), 1u);
    EXPECT_TRUE(writers[1].finish());
    expect_rest(next, 0, 0);
}

/// A second lane in a server's inbox, in the name of a client that it knows.
class forged_client {
  public:
    forged_client(participant const& as, std::uint64_t client) {
        entry_info const server = as.core()->entries(entry_kind::service, "s").at(0);
        sender_options options;
        options.overflow = overflow::reject;
        failure<endpoint_errc> why;
        out_ = detail::sender_core::attach_to(as.core(), server, server.type,
                                              detail::request_frame<ask>::shape().payload, options,
                                              client, why);
        EXPECT_NE(out_, nullptr) << why.message;
    }
    void send(std::uint64_t id, std::uint32_t flags, std::uint64_t deadline_ns) {
        ASSERT_EQ(out_->admit_attached(), detail::send_ok);
        detail::request_header const h{id, deadline_ns, flags, 0, {}};
        ask const a = ask::of(0);
        std::memcpy(out_->begin(), &h, sizeof h);
        std::memcpy(out_->begin() + sizeof h, &a, sizeof a);
        out_->commit(sizeof h + sizeof a);
        out_->announce();
    }
    void stream(std::uint64_t id, std::uint32_t size) {
        send(id,
             request_flag::wants_reply | request_flag::stream | size << request_flag::window_shift,
             ~std::uint64_t{0});
    }

  private:
    std::unique_ptr<detail::sender_core> out_;
};

TEST_F(HostileStream, OfAClientThatSaysItReadWhatWasNotSentIsGone) {
    auto s = keeper();
    auto c = caller();
    forged_client forged(other, c.incarnation());
    for (std::uint64_t const read :
         {std::uint64_t{2}, std::uint64_t{0x7fff'ffff}, std::uint64_t{0x8000'0000},
          std::uint64_t{0xffff'ffff}, std::uint64_t{1} << 63, ~std::uint64_t{0}}) {
        forged.stream(77, 4);
        EXPECT_EQ(s.poll(), 1u);
        EXPECT_TRUE(writers.at(0).try_send(told::of(0)));
        forged.send(77, request_flag::note, read);
        EXPECT_EQ(s.poll(), 1u);
        EXPECT_EQ(writers[0].try_send(told::of(1)).error(), stream_errc::gone) << read;
        writers.clear();
        (void)c.poll();
    }
    EXPECT_EQ(s.deferred(), 0u);
}

TEST_F(HostileStream, NotesOfNoStreamAndFlagsThatMeanNothingChangeNothing) {
    auto s = keeper();
    auto c = caller();
    auto in = c.stream(ask::of(0), window(2));
    EXPECT_EQ(s.poll(), 1u);
    forged_client forged(other, c.incarnation() + 1); // its inbox is not there
    for (std::uint64_t const id : {std::uint64_t{0}, std::uint64_t{1}, ~std::uint64_t{0}}) {
        forged.send(id, request_flag::note, 9);
        forged.send(id, request_flag::note | request_flag::stop, 9);
        forged.send(id, ~std::uint32_t{0}, 9);
        forged.send(id, request_flag::stop, ~std::uint64_t{0});
    }
    while (s.poll() != 0) {
    }
    EXPECT_TRUE(writers[0].try_send(told::of(0)));
    EXPECT_TRUE(writers[0].finish());
    expect_rest(in, 0, 1);
}

TEST_F(HostileStream, WhoseWindowIsNoneIsRefusedAndWhoseIsTooLargeNeverHoldsTheServerUp) {
    auto s = keeper();
    client_options o = calling();
    o.calls_max = 4; // 8 replies
    auto c = caller(o);
    forged_client forged(other, c.incarnation());
    forged.stream(1, 0);
    EXPECT_EQ(s.poll(), 1u);
    EXPECT_TRUE(writers.empty());
    EXPECT_EQ(s.deferred(), 0u);
    forged.stream(2, 0xffff);
    EXPECT_EQ(s.poll(), 1u);
    stream_errc e{};
    std::uint64_t sent = 0;
    std::thread sends([&] { // where it could wait
        for (; e == stream_errc{}; ++sent) {
            auto const r = writers.at(0).send(told::of(sent), 1h);
            e = r ? stream_errc{} : r.error();
        }
    });
    sends.join();
    EXPECT_EQ(e, stream_errc::gone);
    EXPECT_LE(sent, 9u);
}

TEST_F(HostileStream, TwoOfOneNumberAreBothToldAndBothEnd) {
    auto s = keeper();
    auto c = caller();
    forged_client forged(other, c.incarnation());
    forged.stream(5, 2);
    forged.stream(5, 2);
    forged.send(5, request_flag::note | request_flag::stop, 0);
    EXPECT_EQ(s.poll(), 3u);
    EXPECT_FALSE(writers.at(0).wanted());
    EXPECT_FALSE(writers.at(1).wanted());
    writers.clear();
    EXPECT_EQ(s.deferred(), 0u);
}

} // namespace
} // namespace partywall::test
