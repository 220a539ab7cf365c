// SPDX-License-Identifier: BSL-1.0
// A respondent's life: its name, surveyors that come and go, and questions one after the other.
#include <partywall/survey/respondent_core.hpp>

#include "../calls/reply_port.hpp"
#include "../calls/serving.hpp"
#include "../calls/worker_pool.hpp"
#include "survey_parts.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

namespace partywall::inline v0::detail {
namespace {

/// What answers of workers are made in, at least.
constexpr std::uint64_t scratch_bytes = 65'536;

} // namespace

respondent_core::respondent_core(std::shared_ptr<participant_core> participant)
    : subscriber_core(std::move(participant)) {}

respondent_core::~respondent_core() = default;

respondent_core::handle respondent_core::create(std::shared_ptr<participant_core> participant,
                                                std::string_view name, call_types const& types,
                                                respondent_options const& options,
                                                std::unique_ptr<request_handler> handler,
                                                endpoint_failure& why) noexcept {
    return made_or_why<handle>(why, [&]() -> result<handle, endpoint_failure> {
        std::string const doing = "cannot answer for '" + std::string(name) + "'";
        if (auto const ok = may_make(*participant, doing, name); !ok) {
            return ok.error();
        }
        if (options.workers > workers_max || options.workers_queue == 0 ||
            options.workers_queue > workers_queue_max) {
            return fail(endpoint_errc::bad_option,
                        doing + ": workers are not in 0.." + std::to_string(workers_max) +
                            ", or their queue is not in 1.." + std::to_string(workers_queue_max));
        }
        auto const number = new_number(*participant, doing);
        if (!number) {
            return number.error();
        }
        handle core(new respondent_core(std::move(participant)));
        respondent_core& me = *core;
        me.types_ = types;
        me.body_offset_ = types.request_shape.body_offset;
        me.answer_body_offset_ = types.reply_shape.body_offset;
        me.answer_type_ = survey_type(types, call_way::reply);
        me.deferred_max_ = options.deferred_max;
        me.load_ = std::make_shared<server_load>();
        if (options.workers != 0 && !handler->defers) {
            handler = std::make_unique<worker_pool>(
                std::move(handler), options.workers, options.workers_queue,
                std::max(types.reply_shape.body_bytes, scratch_bytes));
        }
        me.handler_ = std::move(handler);
        // Who it is has to be known before the first lane is opened, and the lanes be open before
        // anybody expects it (I1).
        me.patient_ = true; // one surveyor that has no room keeps nobody from answering the others
        me.mine_.number = *number;
        me.mine_.incarnation = incarnation_of(me.participant_->ticket(), *number);
        ring_purpose purpose;
        purpose.doing = doing;
        purpose.name = name;
        purpose.type = survey_type(types, call_way::request);
        purpose.shape = types.request_shape.payload;
        purpose.kind = entry_kind::surveyor;
        subscriber_options reading;
        reading.waiting = options.waiting;
        reading.spin_for = options.spin_for;
        reading.memory = options.memory;
        if (auto const ok = me.subscriber_core::open(purpose, reading, false); !ok) {
            return ok.error();
        }
        entry_spec spec;
        spec.kind = entry_kind::respondent;
        spec.name = name;
        spec.type = purpose.type;
        spec.number = *number;
        spec.initial = health::starting;
        spec.meta = options.metadata;
        auto entry = me.participant_->add_entry(spec);
        if (!entry) {
            return from_registry(entry.error(), doing);
        }
        me.mine_ = std::move(*entry);
        me.has_mine_ = true;
        if (auto const ok = check_survey(*me.participant_, me.mine_, doing); !ok) {
            return ok.error();
        }
        if (options.starts_ready) {
            if (auto const ok = me.say_health(health::ready); !ok) {
                return from_registry(ok.error(), doing);
            }
        }
        return core;
    });
}

// ---- surveyors ------------------------------------------------------------------------------------

/// The way back to whoever made the ring: its inbox has the same number.
result<void, endpoint_failure> respondent_core::source_attached(source& s, entry_info const& e) {
    entry_info target = e;
    target.kind = entry_kind::inbox;
    target.type = answer_type_;
    sender_options options;
    // The newest answers are those that somebody may still want. Who does not look at them sees how
    // many it lost, and we wait for nobody.
    options.overflow = overflow::drop_oldest;
    ways_.reserve(ways_.size() + 1);
    endpoint_failure why;
    auto out = sender_core::attach_to(participant_, target, answer_type_,
                                      types_.reply_shape.payload, options, mine_.incarnation, why);
    if (out == nullptr) {
        if (why.code == endpoint_errc::no_receiver) {
            why.code =
                endpoint_errc::domain_gone; // it closes this moment: it is not there any more
        }
        return why;
    }
    if (out->ring.geometry().message_bytes_max() < answer_body_offset_ + call_text_bytes_max) {
        return fail(endpoint_errc::corrupt,
                    "cannot answer for '" + e.name +
                        "': the surveyor's lanes have no room for an answer");
    }
    auto port = std::make_shared<reply_port>(std::move(out), answer_body_offset_, handler_->defers);
    ways_.push_back({&s, std::move(port)});
    return {};
}

std::shared_ptr<reply_port> const* respondent_core::port_of(source const& s) const noexcept {
    for (way_back const& w : ways_) {
        if (w.from == &s) {
            return &w.port;
        }
    }
    return nullptr;
}

void respondent_core::source_ended(source& s) noexcept {
    subscriber_core::source_ended(s);
    std::erase_if(ways_, [&s](way_back const& w) {
        if (w.from == &s) {
            w.port->close(); // deferred answers may still have it
        }
        return w.from == &s;
    });
}

void respondent_core::let_go() noexcept {
    if (closed_too_ != nullptr) {
        *closed_too_ = true;
    }
    if (std::exchange(has_mine_, false)) {
        (void)participant_->remove_entry(mine_);
    }
    for (way_back const& w : ways_) {
        w.port->close(); // wakes the surveyor, who sees that we have left
    }
    subscriber_core::let_go();
}

// ---- questions ------------------------------------------------------------------------------------

std::size_t respondent_core::poll(std::size_t most) noexcept {
    return serving::poll(*this, most).count;
}

wait_errc respondent_core::run_until(std::uint64_t until_ns) noexcept {
    return serving::run_until(*this, until_ns);
}

bool respondent_core::drain(std::uint64_t until_ns) noexcept {
    return serving::drain(*this, until_ns);
}

void respondent_core::deal_with(taken const& t, std::uint64_t now_ns) noexcept {
    source& s = *holds_[t.hold].from;
    std::shared_ptr<reply_port> const* const port = port_of(s);
    if (t.bytes < body_offset_ || port == nullptr) [[unlikely]] {
        s.corrupt = true; // no surveyor of ours
        return;
    }
    if (t.missed != 0) [[unlikely]] {
        tell_missed(**port, t); // I3
    }
    auto const& request = *reinterpret_cast<request_header const*>(t.data);
    constexpr auto relaxed =
        std::memory_order_relaxed; // a copy, or held by a pin: hints in any case
    std::uint64_t const deadline_ns = std_atomics::load(request.deadline_ns, relaxed);
    if (std_atomics::load(request.cancel, relaxed) != 0 || !(*port)->usable()) [[unlikely]] {
        figures_.cancelled += 1; // nobody wants to know
        return;
    }
    if (now_ns >= deadline_ns) [[unlikely]] {
        figures_.expired += 1;
        return;
    }
    if (health_ == health::starting) {
        figures_.refused += 1; // nobody expects it yet
        return;
    }
    call_context context;
    context.cancel_ = &request.cancel;
    context.closed_ = &s.control->closed;
    context.life_ = s.life.word;
    context.deadline_ns_ = deadline_ns;
    context.client_ = t.publisher;
    context.wants_reply_ = true;
    std::copy_n(request.user, call_header_bytes, context.header_.begin());
    context.reply_header_ = context.header_;

    exchange x;
    x.request = t.data + body_offset_;
    x.request_bytes = t.bytes - body_offset_;
    x.context = &context;
    x.id = std_atomics::load(request.id, relaxed);
    reply_status refused{};
    if (health_ == health::draining) [[unlikely]] {
        refused = reply_status::draining;
    } else if (handler_->defers && (load_->deferred.load(relaxed) >= deferred_max_ ||
                                    !handler_->may_begin())) [[unlikely]] {
        refused = reply_status::overloaded;
    }
    if (refused != reply_status{}) [[unlikely]] {
        figures_.refused += 1;
        figures_.lost +=
            (*port)->answer({x.id, refused, 0, {}, context.header_}, nullptr, 0) ? 0 : 1;
        return;
    }
    execute(x, *port);
}

void respondent_core::execute(exchange& x, std::shared_ptr<reply_port> const& port) noexcept {
    if (handler_->defers) {
        x.port = &port;
        x.load = &load_;
        figures_.executed += 1;
        handler_->handle(x);
        return;
    }
    if (!serving::answer(*handler_, x, *port)) [[unlikely]] {
        figures_.lost += 1;
        return;
    }
    figures_.executed += 1;
    if (x.status == reply_status::declined) {
        figures_.declined += 1;
    } else if (x.status != reply_status::value) {
        figures_.failed += 1;
    }
}

/// Those between the question before and this one: their positions, to be marked as lost.
void respondent_core::tell_missed(reply_port& port, taken const& t) noexcept {
    std::uint64_t const range[2] = {t.position - t.missed, t.position};
    call_header where;
    static_assert(sizeof range == sizeof where);
    std::memcpy(where.data(), range, sizeof range);
    auto const count = static_cast<std::int32_t>(
        std::min<std::uint64_t>(t.missed, std::numeric_limits<std::int32_t>::max()));
    (void)port.answer({0, reply_status::missed, count, {}, where}, nullptr, 0);
}

// ---- health ---------------------------------------------------------------------------------------

result<void, failure<registry_errc>> respondent_core::say_health(health value) noexcept {
    health_ = value;
    return participant_->set_health(mine_, value);
}

result<void, failure<registry_errc>> respondent_core::set_metadata(metadata const& meta) {
    return participant_->set_metadata(mine_, meta);
}

std::uint32_t respondent_core::deferred() const noexcept {
    return load_->deferred.load(std::memory_order_relaxed); // relaxed: a figure
}

} // namespace partywall::inline v0::detail
