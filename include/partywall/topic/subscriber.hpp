// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <partywall/endpoint/reading_handle.hpp>
#include <partywall/topic/subscriber_core.hpp>

#include <cstdint>
#include <string>
#include <utility>

namespace partywall::inline v0 {

/// Receives the messages of every publisher of a topic, those that come later included.
///
/// Use when   a process wants what others publish, as others do.
/// Not when   only the newest value matters (latest).
/// Order      per publisher as sent; publishers take turns. Between publishers there is no order.
/// Delivery   lossy: may be overtaken, and learns by how much (sample::missed). lossless: every
///            message sent while subscribed, once, also of a publisher that dies, or that comes
///            and goes while this subscriber is busy.
/// Callers    one thread at a time; the handle may move between threads. interrupt() from any
///            thread and from signal handlers.
/// Progress   try_receive: wait-free but for a retry when a copy was overwritten meanwhile, and
///            for the registry: after a publisher came or went, the next call that finds nothing
///            attaches or lets go (system calls, memory, tens of microseconds).
///            receive: waits at most its timeout; nanoseconds::max() is for ever.
/// Cost       one load per publisher looked at, the copy (lossy) or nothing (lossless), and per
///            quarter of a ring one store of the cursor (lossless).
/// Memory     samples_held_max buffers of the longest message that lies in its cell, or, where large
///            messages cannot be pinned, of the longest; mappings of the publishers' rings.
/// Peer dies  everything that a dead publisher sent is delivered first; then `peer_died` is
///            reported once, and receive goes on with the others and waits for a successor.
/// Errors     see receive_errc.
///
///     auto quotes = me.subscriber<quote>("market/eurusd").value();
///     while (auto q = quotes.receive(100ms)) { use(*q); }
template <class T>
class subscriber : public reading_handle<T, detail::subscriber_core> {
  public:
    using reading_handle<T, detail::subscriber_core>::reading_handle;

    /// Publishers that are attached now: alive, or with messages still to be read.
    std::uint32_t publisher_count() const noexcept {
        return this->core_ ? this->core_->source_count() : 0;
    }
    /// Publishers that were ever attached.
    std::uint64_t publishers_seen() const noexcept {
        return this->core_ ? this->core_->sources_seen() : 0;
    }
    /// Why the last publisher that was `refused` cannot be read.
    std::string refusal() const { return this->core_ ? this->core_->refusal() : std::string(); }
    /// The same for programs; means nothing before the first refusal.
    endpoint_errc refusal_code() const noexcept {
        return this->core_ ? this->core_->refusal_code() : endpoint_errc{};
    }
};

} // namespace partywall::inline v0
