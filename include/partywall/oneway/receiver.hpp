// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <partywall/endpoint/reading_handle.hpp>
#include <partywall/oneway/receiver_core.hpp>

#include <cstdint>
#include <utility>

namespace partywall::inline v0 {

/// The one receiver of a name: takes what any number of senders, up to senders_max, send to it.
///
/// Use when   many tell one.
/// Not when   several processes are to get each message (subscriber), or one of several is to.
/// Order      of each sender, as sent; senders take turns, message by message.
/// Delivery   every message of a sender whose policy is `block` or `reject`, once, also if that
///            sender has died since; of a `drop_oldest` sender what was not overwritten, and how
///            many were (sample::missed()).
/// Callers    one thread at a time; the handle may move between threads. interrupt() from any
///            thread and from signal handlers.
/// Progress   try_receive: wait-free but for senders that come and go, whose lanes the next call
///            that finds nothing attaches or frees. receive: waits at most its timeout;
///            nanoseconds::max() is for ever.
/// Cost       one load per idle sender, up to 64 of them, and a few for all when there are more;
///            nothing is copied (but of drop_oldest senders); per quarter of a lane one store.
/// Memory     senders_max lanes of depth messages (and where messages may be longer than
///            inline_bytes_max, samples_held_max + 1 more of the longest), all of it backed at
///            creation.
/// Name       is ours while this lives: a second receiver gets `name_taken`. Restarted at once after
///            being killed it waits for the kernel to confirm the death, up to five seconds.
/// Peer dies  everything that a dead sender had sent is taken first; then `peer_died` is reported,
///            once per sender. Its lane is free for another one when the death is proven.
/// Errors     see receive_errc. `publisher_closed` and publisher() of a sample are a sender's.
///
///     auto me  = partywall::join("logger").value();
///     auto log = me.receiver<partywall::bytes>("log").value();
///     while (auto line = log.receive(std::chrono::nanoseconds::max())) { write(line.text()); }
template <class T>
class receiver : public reading_handle<T, detail::receiver_core> {
  public:
    using reading_handle<T, detail::receiver_core>::reading_handle;

    /// Senders that are attached now: alive, or with messages still to be taken.
    std::uint32_t sender_count() const noexcept {
        return this->core_ ? this->core_->source_count() : 0;
    }
    /// Senders that were ever attached.
    std::uint64_t senders_seen() const noexcept {
        return this->core_ ? this->core_->sources_seen() : 0;
    }
    std::uint32_t senders_max() const noexcept {
        return this->core_ ? this->core_->senders_max() : 0;
    }
    std::uint64_t incarnation() const noexcept {
        return this->core_ ? this->core_->incarnation() : 0;
    }
    /// Replaces what the registry shows of this receiver. Errors: as publisher::set_metadata().
    [[nodiscard]] result<void, failure<registry_errc>> set_metadata(metadata const& meta) {
        return this->core_
                   ? this->core_->set_metadata(meta)
                   : failure<registry_errc>{registry_errc::not_found, 0, "the receiver is closed"};
    }
};

} // namespace partywall::inline v0
