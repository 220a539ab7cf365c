// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <partywall/calls/deferred.hpp>
#include <partywall/calls/server_core.hpp>
#include <partywall/endpoint/writing_end.hpp>
#include <partywall/export.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

namespace partywall::inline v0 {

/// Why a reply of a stream was not sent.
enum class stream_errc : std::uint8_t {
    full = 1,  ///< the window is full: the client has not read on
    gone,      ///< nobody reads it any more, or it has ended
    too_large, ///< longer than the client's reply_bytes_max
};
/// A text for people; a zero follows it.
[[nodiscard]] PARTYWALL_API std::string_view to_string(stream_errc e) noexcept;
template <>
struct is_error_enum<stream_errc> : std::true_type {};

namespace detail {

struct stream_body;

/// The half of stream_writer<Res> that does not depend on the type.
class PARTYWALL_API stream_core {
  public:
    stream_core() noexcept = default;
    /// In the server's thread. What cannot be a stream is answered: has_begun() says no.
    explicit stream_core(exchange& x) noexcept;
    bool has_begun() const noexcept { return body_ != nullptr; }
    /// The same one. Whoever lets go of it last has not finished it.
    stream_core shared() const noexcept {
        stream_core other;
        other.body_ = body_;
        return other;
    }
    /// Who shared it has thrown.
    void threw(std::string_view text) noexcept;

    /// stream_errc{}: sent.
    stream_errc send(std::byte const* message, std::uint64_t bytes, std::uint64_t wait_ns) noexcept;
    bool finish() noexcept;
    bool fail(std::int32_t code, std::string_view text) noexcept;
    bool wanted() const noexcept;
    call_context const& context() const noexcept;
    void set_header(call_header const& header) noexcept;

  private:
    std::shared_ptr<stream_body> body_; ///< nullptr: there is nothing to be said
};

} // namespace detail

/// The duty to answer one request, in any number of replies and an end.
///
/// Use when   there is more to say than fits one reply, or it is said bit by bit.
/// Not when   all are to hear it (that is a topic), or one reply will do.
/// Callers    one thread at a time; any thread of the server's process, also after the server was
///            closed (then nobody reads it). With server_options::workers the handler runs in one of
///            those, and may simply send until it is done.
/// Window     as the client says (call_options::window): so many replies are under way at most.
/// Progress   try_send() never waits. send() waits until the client has read on, at most so long, and
///            never beyond the stream's deadline; in the thread that took the request it does not
///            wait, because that thread has to hear of it.
/// Cost       a copy into the client's lane, behind a lock of this process; no heap, no system call
///            unless the client sleeps. Two pieces of heap per stream.
/// Peer dies  a client that is gone, has stopped reading or is too late is `gone`, once the server's
///            thread has looked.
/// Unfinished whoever destroys it without finish() or fail() fails the call: server_fault::unanswered,
///            and `threw` while a handler throws.
/// Errors     stream_errc, as a value.
template <class Res>
class stream_writer {
    using element = typename detail::payload<Res>::element;
    static constexpr bool variable_length = detail::payload<Res>::variable_length;
    using sent = result<void, stream_errc>;

  public:
    /// Not for users.
    explicit stream_writer(detail::stream_core&& core) noexcept : core_(std::move(core)) {}

    /// Sends a reply. full: the window is; nothing was sent.
    sent try_send(element const& message) noexcept requires(!variable_length) {
        return put(&message, sizeof message, std::chrono::nanoseconds(0));
    }
    /// The same, waiting at most so long for room in the window.
    sent send(element const& message, std::chrono::nanoseconds timeout) noexcept
        requires(!variable_length) {
        return put(&message, sizeof message, timeout);
    }
    sent try_send(std::span<element const> message) noexcept requires(variable_length) {
        return put(message.data(), message.size_bytes(), std::chrono::nanoseconds(0));
    }
    sent send(std::span<element const> message, std::chrono::nanoseconds timeout) noexcept
        requires(variable_length) {
        return put(message.data(), message.size_bytes(), timeout);
    }
    sent try_send(std::string_view text) noexcept requires(std::is_same_v<Res, bytes>) {
        return put(text.data(), text.size(), std::chrono::nanoseconds(0));
    }
    sent send(std::string_view text, std::chrono::nanoseconds timeout) noexcept
        requires(std::is_same_v<Res, bytes>) {
        return put(text.data(), text.size(), timeout);
    }

    /// There are no more. Once; needs no room in the window. True: the client hears of it.
    bool finish() noexcept { return core_.finish(); }
    /// Ends the stream with server_error, server_fault::failed.
    bool fail(std::int32_t code, std::string_view text = {}) noexcept {
        return core_.fail(code, text);
    }
    /// False: nobody reads on (as `gone`), it has ended, or its deadline has passed.
    bool wanted() const noexcept { return core_.wanted(); }
    /// The deadline and what came beside the request, for the calls that it takes.
    call_context const& context() const noexcept { return core_.context(); }
    /// What goes back beside the replies that follow.
    void set_header(call_header const& header) noexcept { core_.set_header(header); }

  private:
    sent put(void const* message, std::uint64_t bytes, std::chrono::nanoseconds timeout) noexcept {
        stream_errc const e =
            core_.send(static_cast<std::byte const*>(message), bytes, detail::wait_ns(timeout));
        return e == stream_errc{} ? sent() : sent(e);
    }

    detail::stream_core core_;
};

} // namespace partywall::inline v0
