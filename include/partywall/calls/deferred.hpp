// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <partywall/calls/call_context.hpp>
#include <partywall/calls/frame.hpp>
#include <partywall/calls/server_core.hpp>
#include <partywall/export.hpp>

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

namespace partywall::inline v0 {

namespace detail {

/// The half of deferred<Res> that does not depend on the type.
class PARTYWALL_API deferred_core {
  public:
    deferred_core() noexcept = default;
    /// Where the request is taken, in the server's thread.
    explicit deferred_core(exchange const& x) noexcept;
    deferred_core(deferred_core&& other) noexcept = default;
    deferred_core& operator=(deferred_core&& other) noexcept;
    ~deferred_core() { let_go(); }

    /// False: it was answered before, or nobody is there to hear it.
    bool answer(std::byte const* message, std::uint64_t bytes) noexcept;
    /// One of several: the duty stays.
    bool item(std::byte const* message, std::uint64_t bytes) noexcept;
    /// After those: there are no more.
    bool end() noexcept;
    bool fail(reply_status why, std::int32_t code, std::string_view text) noexcept;
    bool wanted() const noexcept;
    /// Whether it has still to be answered, whoever hears it.
    bool owed() const noexcept { return load_ != nullptr; }
    /// Bytes that an answer may have; 0: nobody wants one.
    std::uint64_t room() const noexcept;
    call_context const& context() const noexcept { return context_; }
    void set_header(call_header const& header) noexcept { header_ = header; }

  private:
    void let_go() noexcept;
    bool send(struct answer_head const& head, std::byte const* message,
              std::uint64_t bytes) noexcept;

    std::shared_ptr<server_load> load_; ///< nullptr: answered, or moved from
    std::shared_ptr<reply_port> port_;  ///< of whose request it is
    bool wants_ = false;                ///< ... and who wants an answer
    std::uint64_t id_ = 0;
    call_header header_{};
    call_context context_;
};

} // namespace detail

/// The duty to answer one request, later.
///
/// Use when   the answer comes from elsewhere: a thread, another call, a device.
/// Not when   it is known when the handler returns: return it.
/// Callers    one thread at a time; any thread of the server's process, also after the server was
///            closed (then nobody hears it). The request itself is only there while the handler
///            runs: copy what is needed.
/// Progress   never waits for a client. Threads that answer the same client wait for each other, for
///            as long as writing an answer takes.
/// Peer dies  answering a client that is gone does nothing.
/// Unanswered whoever destroys it fails the call (server_fault::unanswered).
template <class Res>
class deferred {
    using element = typename detail::payload<Res>::element;
    static constexpr bool variable_length = detail::payload<Res>::variable_length;

  public:
    /// Not for users.
    explicit deferred(detail::deferred_core&& core) noexcept : core_(std::move(core)) {}

    /// True: the client has it, or will when it looks.
    bool answer(element const& message) noexcept requires(!variable_length) {
        return core_.answer(reinterpret_cast<std::byte const*>(&message), sizeof message);
    }
    bool answer(std::span<element const> message) noexcept requires(variable_length) {
        return core_.answer(reinterpret_cast<std::byte const*>(message.data()),
                            message.size_bytes());
    }
    bool answer(std::string_view text) noexcept requires(std::is_same_v<Res, bytes>) {
        return core_.answer(reinterpret_cast<std::byte const*>(text.data()), text.size());
    }
    /// Ends the call with server_error, server_fault::failed.
    bool fail(std::int32_t code, std::string_view text = {}) noexcept {
        return core_.fail(detail::reply_status::failed, code, text);
    }
    /// There is nothing to say: see response::decline().
    bool decline() noexcept { return core_.fail(detail::reply_status::declined, 0, {}); }
    /// False: nobody waits for an answer (post()), it was given, or the client is gone.
    bool wanted() const noexcept { return core_.wanted(); }
    /// The deadline and what came beside the request, for the calls that it takes.
    call_context const& context() const noexcept { return core_.context(); }
    /// What goes back beside the reply.
    void set_header(call_header const& header) noexcept { core_.set_header(header); }

  private:
    detail::deferred_core core_;
};

} // namespace partywall::inline v0
