// SPDX-License-Identifier: BSL-1.0
#include "reply_port.hpp"

#include "stream_flow.hpp"

#include <algorithm>
#include <cstring>

namespace partywall::inline v0::detail {

void reply_port::commit(answer_head const& head, std::uint64_t bytes) noexcept {
    // Plain stores: nobody reads the cell before it is stamped.
    auto& header = *reinterpret_cast<reply_header*>(head_);
    header.id = head.id;
    header.status = static_cast<std::uint16_t>(head.status);
    header.code = head.code;
    std::memcpy(header.user, head.user.data(), sizeof header.user);
    if (head.status == reply_status::value || head.status == reply_status::item) [[likely]] {
        header.text_bytes = 0;
    } else {
        bytes = std::min<std::uint64_t>({head.text.size(), call_text_bytes_max, room()});
        header.text_bytes = static_cast<std::uint16_t>(bytes);
        if (bytes != 0) { // no text: nothing to point at
            std::memcpy(head_ + body_offset_, head.text.data(), bytes);
        }
    }
    if (!out_->usable()) [[unlikely]] {
        return; // closed by the handler that this is the answer of
    }
    out_->commit(body_offset_ + bytes);
    out_->announce();
}

bool reply_port::answer(answer_head const& head, std::byte const* message,
                        std::uint64_t bytes) noexcept {
    if (!shared_) {
        return answer_alone(head, message, bytes);
    }
    std::lock_guard const one_at_a_time(lock_);
    return answer_alone(head, message, bytes);
}

bool reply_port::answer_deferred(answer_head const& head, std::byte const* message,
                                 std::uint64_t bytes) noexcept {
    std::lock_guard const one_at_a_time(lock_);
    bool const sent = answer_alone(head, message, bytes);
    count_deferred();
    return sent;
}

void reply_port::leave_deferred() noexcept {
    std::lock_guard const one_at_a_time(lock_);
    count_deferred();
}

void reply_port::defer() noexcept {
    if (requests_ != nullptr) {
        add_to_own(requests_->deferred, 1);
    }
}

/// Under the lock: the word's one writer is whoever has it.
void reply_port::count_deferred() noexcept {
    if (requests_ != nullptr && out_->usable()) { // a forked child lets go of its copies
        add_to_own(requests_->answered, 1);
    }
}

bool reply_port::answer_alone(answer_head const& head, std::byte const* message,
                              std::uint64_t bytes) noexcept {
    std::byte* const memory = begin();
    if (memory == nullptr) {
        return false;
    }
    if (bytes > room()) {
        answer_head refused = head;
        refused.status = reply_status::too_large;
        commit(refused, 0);
        return true;
    }
    if (bytes != 0) {
        std::memcpy(memory, message, bytes);
    }
    commit(head, bytes);
    return true;
}

bool reply_port::usable() noexcept {
    if (!shared_) {
        return out_->attached();
    }
    std::lock_guard const one_at_a_time(lock_); // it may be closed this moment
    return out_->attached();
}

void reply_port::close() noexcept {
    std::lock_guard const one_at_a_time(lock_);
    out_->close();
    requests_ = nullptr; // the lane is somebody else's, and then no memory at all
    for (stream const& s : streams_) {
        if (auto const flow = s.flow.lock()) {
            flow->stop();
        }
    }
    streams_.clear();
}

void reply_port::add_stream(std::uint64_t id, std::shared_ptr<stream_flow> const& flow) {
    std::lock_guard const one_at_a_time(lock_);
    std::erase_if(streams_, [](stream const& s) { return s.flow.expired(); });
    streams_.push_back({id, flow});
}

/// An id that no stream has says nothing: it may have ended meanwhile, or be invented.
void reply_port::note(std::uint64_t id, std::uint64_t read, bool stop) noexcept {
    std::lock_guard const one_at_a_time(lock_);
    for (stream const& s : streams_) {
        auto const flow = s.id == id ? s.flow.lock() : nullptr;
        if (flow != nullptr) {
            stop ? flow->stop() : flow->read_up_to(read);
        }
    }
}

} // namespace partywall::inline v0::detail
