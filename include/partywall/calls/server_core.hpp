// SPDX-License-Identifier: BSL-1.0
// The half of a server that does not depend on its types. Users see server<Req, Res>.
//
// A server reads an inbox as a receiver does. Its senders are clients, and for each it has a lane in
// that client's own inbox, through which it answers (reply_port).
//
// Invariants
//   I1  Before a request is executed, `taken` of its lane says so, and only then its cancel word is
//       looked at: who gave up before that, and sees `taken` not there yet, knows that it never is.
//   I2  A request that wants a reply and was taken gets one, and only one, as long as its client
//       lives: the client keeps its slot until then.
//   I3  A server never waits for a client: what finds no room in its lane is dropped, and counted. A
//       client of ours sees to it that there is room.
#pragma once

#include <partywall/calls/call_context.hpp>
#include <partywall/calls/call_options.hpp>
#include <partywall/calls/frame.hpp>
#include <partywall/endpoint/wait_errc.hpp>
#include <partywall/export.hpp>
#include <partywall/oneway/receiver_core.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace partywall::inline v0::detail {

class reply_port; ///< the way back to one client: src/calls
class stream_core;

/// What the ports of one server have in common, and what outlives it.
struct server_load {
    std::atomic<std::uint32_t> deferred{0}; ///< answers that are still to be given
    std::atomic<std::uint64_t> failed{0};   ///< of those that were given, errors
};

/// A request as its handler gets it, and what becomes of it.
struct exchange {
    std::byte const* request = nullptr;
    std::uint64_t request_bytes = 0;
    call_context* context = nullptr;
    std::byte* answer = nullptr; ///< where the reply's message goes
    std::uint64_t room = 0;      ///< bytes there
    std::uint64_t answer_bytes = 0;
    reply_status status = reply_status::value;
    std::int32_t code = 0;
    std::uint16_t text_bytes = 0;
    std::array<char, call_text_bytes_max> text;
    std::shared_ptr<reply_port> const* port =
        nullptr; ///< handlers that defer; nullptr: the client is gone
    std::uint64_t id = 0;
    std::uint32_t window = 0;      ///< of a stream; 0: one reply is wanted
    stream_core* stream = nullptr; ///< which was begun before
    std::shared_ptr<server_load> const* load = nullptr;

    void fail(reply_status why, std::int32_t with, std::string_view words) noexcept {
        status = why;
        code = with;
        text_bytes = static_cast<std::uint16_t>(std::min(words.size(), text.size()));
        std::copy_n(words.data(), text_bytes, text.data());
    }
};

/// A user's handler, whatever its shape.
class request_handler {
  public:
    explicit request_handler(bool later, bool in_stream = false) noexcept
        : defers(later), streams(in_stream) {}
    request_handler(request_handler const&) = delete;
    request_handler& operator=(request_handler const&) = delete;
    virtual ~request_handler() = default;
    virtual void handle(exchange& x) noexcept = 0;
    /// Whether another request may be begun with; of those that defer.
    virtual bool may_begin() noexcept { return true; }
    bool const defers;  ///< answers later, from any thread
    bool const streams; ///< several times; defers, too
};

class PARTYWALL_API server_core final : public receiver_core {
  public:
    using handle = std::unique_ptr<server_core, closer>;

    static handle create(std::shared_ptr<participant_core> participant, std::string_view name,
                         call_types const& types, server_options const& options,
                         std::unique_ptr<request_handler> handler,
                         failure<endpoint_errc>& why) noexcept;

    /// Deals with requests that are there, up to `most`. Returns how many.
    std::size_t poll(std::size_t most) noexcept;
    /// Deals with requests until the time, or interrupt(). timed_out, interrupted, closed, forked.
    wait_errc run_until(std::uint64_t until_ns) noexcept;
    /// Refuses what is there and what comes until nothing is left to be answered, or the time.
    bool drain(std::uint64_t until_ns) noexcept;
    result<void, failure<registry_errc>> say_health(health value) noexcept;
    health state() const noexcept { return health_; }

    std::uint64_t executed() const noexcept { return executed_; }
    std::uint64_t expired() const noexcept;
    std::uint64_t cancelled() const noexcept;
    std::uint64_t refused() const noexcept;
    std::uint64_t failed() const noexcept;
    std::uint64_t lost() const noexcept;
    std::uint32_t deferred() const noexcept;

  private:
    friend struct serving;

    explicit server_core(std::shared_ptr<participant_core> participant);
    ~server_core() override;

    taken take() noexcept { return try_take<copy_any_size>(); }
    void deal_with(taken const& t, std::uint64_t now_ns) noexcept;
    [[gnu::always_inline]] void consider(taken const& t, source& s, std::uint64_t now_ns) noexcept;
    void execute(exchange& x, std::shared_ptr<reply_port> const& port) noexcept;
    void execute_unanswered(exchange& x, std::shared_ptr<reply_port> const& port) noexcept;
    void refuse(reply_port& port, std::uint64_t id, reply_status why,
                call_header const& user) noexcept;

    void lane_opened(source& s) override;
    void source_ended(source& s) noexcept override;
    void after_sleep() noexcept override;
    void let_go() noexcept override;
    void count_failures() noexcept;

    lane_header* headers_ = nullptr;
    inbox_control* counters_ = nullptr;
    fence_pair light_ = fence_pair::publisher; ///< our half, between `taken` and a cancel word
    std::uint32_t body_offset_ = 0;
    std::uint32_t reply_body_offset_ = 0;
    std::uint32_t deferred_max_ = 0;
    bool serving_ = false;
    bool* closed_too_ = nullptr; ///< of the serve() that is under way
    health health_ = health::starting;
    std::uint64_t executed_ = 0;
    std::uint64_t failed_later_ = 0; ///< of load_->failed, what is in the counter
    std::unique_ptr<request_handler> handler_;
    std::vector<std::shared_ptr<reply_port>> ports_; ///< by lane
    std::shared_ptr<server_load> load_;
    call_types types_;
    type_info reply_type_;
    std::unique_ptr<std::byte[]> scratch_; ///< for answers that nobody wants
    std::byte* scratch_answer_ = nullptr;
    std::uint64_t scratch_bytes_ = 0;
};

} // namespace partywall::inline v0::detail
