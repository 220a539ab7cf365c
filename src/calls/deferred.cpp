// SPDX-License-Identifier: BSL-1.0
#include <partywall/calls/deferred.hpp>

#include "../endpoint/reading_wait.hpp"
#include "reply_port.hpp"

#include <exception>

namespace partywall::inline v0::detail {

deferred_core::deferred_core(exchange const& x) noexcept
    : load_(*x.load), port_(x.port != nullptr ? *x.port : nullptr),
      wants_(port_ != nullptr && x.context->wants_reply()), id_(x.id), header_(x.context->header()),
      context_(*x.context) {
    load_->deferred.fetch_add(1, std::memory_order_relaxed); // relaxed: this thread reads it
    if (port_ != nullptr) {
        port_->defer();
    }
}

deferred_core& deferred_core::operator=(deferred_core&& other) noexcept {
    if (this != &other) {
        let_go();
        load_ = std::move(other.load_);
        port_ = std::move(other.port_);
        wants_ = other.wants_;
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
    return owed() && wants_ && bytes <= port_->room() &&
           port_->answer({id_, reply_status::item, 0, {}, header_}, message, bytes);
}

bool deferred_core::end() noexcept {
    return send({id_, reply_status::end, 0, {}, header_}, nullptr, 0);
}

bool deferred_core::fail(reply_status why, std::int32_t code, std::string_view text) noexcept {
    return send({id_, why, code, text, header_}, nullptr, 0);
}

bool deferred_core::wanted() const noexcept { return owed() && wants_ && port_->usable(); }

std::uint64_t deferred_core::room() const noexcept { return owed() && wants_ ? port_->room() : 0; }

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
    bool const is_answer = head.status == reply_status::value || head.status == reply_status::end;
    bool const is_error = !is_answer || bytes > room();
    bool const sent = wants_ && port_->answer_deferred(head, message, bytes);
    // Nobody minds that a request which wants no answer gets none.
    bool const counts = wants_ ? sent : !is_answer && head.status != reply_status::unanswered;
    if (is_error && counts) {
        load_->failed.fetch_add(1, std::memory_order_relaxed); // relaxed: a figure
    }
    if (!wants_ && port_ != nullptr) {
        port_->leave_deferred();
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
