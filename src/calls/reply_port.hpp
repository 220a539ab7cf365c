// SPDX-License-Identifier: BSL-1.0
// A server's way back to one client: its lane in that client's inbox. Not for users.
//
// Whoever handles requests inline is the only one to write; where answers are deferred, any thread of
// the process may, one at a time, behind a lock of this process.
#pragma once

#include <partywall/calls/call_options.hpp>
#include <partywall/calls/calls_layout.hpp>
#include <partywall/inbox/lanes_layout.hpp>
#include <partywall/oneway/sender_core.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

namespace partywall::inline v0::detail {

class stream_flow;

/// An answer without its message.
struct answer_head {
    std::uint64_t id = 0;
    reply_status status = reply_status::value;
    std::int32_t code = 0;
    std::string_view text;
    call_header user{};
};

class reply_port {
  public:
    /// `requests`: the lane that the client's requests come by, where what is under way is counted.
    reply_port(std::unique_ptr<sender_core> out, std::uint32_t body_offset, bool shared,
               lane_header* requests = nullptr) noexcept
        : out_(std::move(out)), requests_(requests), body_offset_(body_offset), shared_(shared) {}

    // For the thread that handles requests, where no answer is deferred.

    /// Memory of the next reply's message; nullptr: the client is gone, or is no client of ours.
    std::byte* begin() noexcept {
        if (!out_->attached() || out_->admit_attached() != send_ok) [[unlikely]] {
            return nullptr;
        }
        head_ = out_->begin();
        return head_ + body_offset_;
    }
    /// Bytes that a message may have.
    std::uint64_t room() const noexcept {
        return out_->ring.geometry().message_bytes_max() - body_offset_;
    }
    /// Sends what was written since begin(); `bytes` of message.
    void commit(answer_head const& head, std::uint64_t bytes) noexcept;
    /// A request is left to whoever answers it later; for the thread that handles requests.
    void defer() noexcept;

    // For any thread.

    /// Where a stream over this port hears what its client says. May throw std::bad_alloc.
    void add_stream(std::uint64_t id, std::shared_ptr<stream_flow> const& flow);
    /// What the client says: how far it has read the stream, or that it reads no more.
    void note(std::uint64_t id, std::uint64_t read, bool stop) noexcept;
    /// False: the client is gone.
    bool answer(answer_head const& head, std::byte const* message, std::uint64_t bytes) noexcept;
    /// The same for one that was left to somebody: it is over.
    bool answer_deferred(answer_head const& head, std::byte const* message,
                         std::uint64_t bytes) noexcept;
    /// It is over without an answer, which nobody wanted.
    void leave_deferred() noexcept;
    bool usable() noexcept;
    /// Nothing is sent any more.
    void close() noexcept;

  private:
    bool answer_alone(answer_head const& head, std::byte const* message,
                      std::uint64_t bytes) noexcept;
    void count_deferred() noexcept;

    std::unique_ptr<sender_core> out_;
    lane_header* requests_; ///< nullptr: nobody looks, or the lane is not ours any more
    std::byte* head_ = nullptr;
    std::uint32_t body_offset_;
    bool const shared_; ///< by several threads
    std::mutex lock_;
    struct stream {
        std::uint64_t id;
        std::weak_ptr<stream_flow> flow;
    };
    std::vector<stream> streams_; ///< those that ended go when one is added
};

} // namespace partywall::inline v0::detail
