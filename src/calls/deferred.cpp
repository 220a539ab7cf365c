// SPDX-License-Identifier: BSL-1.0
#include <partywall/calls/deferred.hpp>

#include "../endpoint/reading_wait.hpp"
#include "reply_port.hpp"

#include <exception>

namespace partywall::inline v0::detail {

deferred_core::deferred_core(std::shared_ptr<reply_port> port, std::shared_ptr<server_load> load,
                             std::uint64_t id, call_context const& context) noexcept
    : load_(std::move(load)), port_(std::move(port)), id_(id), header_(context.header()),
      context_(context) {
    load_->deferred.fetch_add(1, std::memory_order_relaxed); // relaxed: this thread reads it
}

deferred_core& deferred_core::operator=(deferred_core&& other) noexcept {
    if (this != &other) {
        let_go();
        load_ = std::move(other.load_);
        port_ = std::move(other.port_);
        id_ = other.id_;
        header_ = other.header_;
        context_ = other.context_;
    }
    return *this;
}

bool deferred_core::answer(std::byte const* message, std::uint64_t bytes) noexcept {
    return send({id_, reply_status::value, 0, {}, header_}, message, bytes);
}

bool deferred_core::item(std::byte const* message, std::uint64_t bytes) noexcept {
    return port_ != nullptr && bytes <= port_->room() &&
           port_->answer({id_, reply_status::item, 0, {}, header_}, message, bytes);
}

bool deferred_core::end() noexcept {
    return send({id_, reply_status::end, 0, {}, header_}, nullptr, 0);
}

bool deferred_core::fail(reply_status why, std::int32_t code, std::string_view text) noexcept {
    return send({id_, why, code, text, header_}, nullptr, 0);
}

bool deferred_core::wanted() const noexcept {
    return load_ != nullptr && port_ != nullptr && port_->usable();
}

std::uint64_t deferred_core::room() const noexcept { return port_ != nullptr ? port_->room() : 0; }

void deferred_core::let_go() noexcept {
    if (load_ != nullptr) {
        // By an exception: the handler's own, most likely.
        bool const thrown = std::uncaught_exceptions() != 0;
        (void)fail(thrown ? reply_status::threw : reply_status::unanswered, 0, {});
    }
}

bool deferred_core::send(answer_head const& head, std::byte const* message,
                         std::uint64_t bytes) noexcept {
    if (load_ == nullptr) {
        return false;
    }
    bool const wanted = port_ != nullptr;
    bool const is_answer = head.status == reply_status::value || head.status == reply_status::end;
    bool const is_error = !is_answer || bytes > room();
    bool const sent = wanted && port_->answer(head, message, bytes);
    // Nobody minds that a request which wants no answer gets none.
    bool const counts = wanted ? sent : !is_answer && head.status != reply_status::unanswered;
    if (is_error && counts) {
        load_->failed.fetch_add(1, std::memory_order_relaxed); // relaxed: a figure
    }
    port_ = nullptr;
    // release: pairs with the acquire of who drains; the answer comes first.
    if (load_->deferred.fetch_sub(1, std::memory_order_release) == 1) {
        kick_sleepers(); // somebody may wait for the last one
    }
    load_ = nullptr;
    return sent;
}

} // namespace partywall::inline v0::detail
