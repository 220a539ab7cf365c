// SPDX-License-Identifier: BSL-1.0
// Life of a subscriber, and the newest value. Attaching is in subscriber_attach.cpp, waiting for
// publishers and their ends in subscriber_wait.cpp.
#include <partywall/topic/subscriber_core.hpp>

#include "../endpoint/reading_wait.hpp"
#include "subscriber_attach.hpp"

#include <partywall/name.hpp>
#include <partywall/os/membarrier.hpp>
#include <partywall/os/robust_word.hpp>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <new>
#include <thread>
#include <utility>

namespace partywall::inline v0::detail {
namespace {

/// Without notice (no life word to look at) a poller asks for proof once in so many polls.
/// Of those that look at everything: one in looks_while_calm.
constexpr std::uint32_t polls_between_proofs = 1 << 12;

std::string check_options(subscriber_options const& o, payload_shape const& shape, bool latest) {
    if (o.delivery != delivery::lossy && o.delivery != delivery::lossless &&
        o.delivery != delivery::looking) {
        return "unknown delivery";
    }
    if (o.any_type && o.delivery == delivery::lossless) {
        return "any_type and lossless contradict each other: a monitor holds nobody back";
    }
    if (o.any_type && !(shape.variable_length && shape.element_bytes == 1)) {
        return "any_type needs a subscriber of bytes: another type says how long messages are";
    }
    if (latest && o.delivery == delivery::lossless) {
        return "latest reads the newest value only and cannot be lossless";
    }
    return check_reading(o.samples_held_max, o.spin_for);
}

} // namespace

subscriber_core::subscriber_core(std::shared_ptr<participant_core> participant)
    : reading_end(std::move(participant)), epoch_(&participant_->epoch_word()),
      polls_until_proof_(polls_between_proofs) {}
subscriber_core::~subscriber_core() = default;

subscriber_core::handle subscriber_core::create(std::shared_ptr<participant_core> participant,
                                                std::string_view topic, type_facts const& type,
                                                payload_shape const& shape,
                                                subscriber_options const& options, bool latest,
                                                endpoint_failure& why) noexcept {
    return made_or_why<handle>(why, [&]() -> result<handle, endpoint_failure> {
        std::string const doing = "cannot subscribe to topic '" + std::string(topic) + "'";
        if (auto const ok = may_make(*participant, doing, topic); !ok) {
            return ok.error();
        }
        handle core(new subscriber_core(std::move(participant)));
        if (auto const ok = core->open({doing, topic, type_of(type), shape}, options, latest);
            !ok) {
            return ok.error();
        }
        return core;
    });
}

result<void, endpoint_failure>
subscriber_core::open(ring_purpose const& purpose, subscriber_options const& options, bool latest) {
    std::string const doing(purpose.doing);
    if (std::string const bad = check_options(options, purpose.shape, latest); !bad.empty()) {
        return fail(endpoint_errc::bad_option, doing + ": " + bad);
    }
    if (participant_->domain_gone()) { // nobody will come where nobody looks
        return fail(endpoint_errc::domain_gone,
                    doing + ": domain '" + participant_->domain() + "' was removed");
    }
    if (lingering_publishers().exchange(0, std::memory_order_relaxed) != 0) {
        participant_->recover();
    }
    // First what closing relies on: from here on anything may fail.
    use({options.samples_held_max, options.waiting, options.spin_for, options.report_close,
         options.memory});
    wanted_ = options;
    publishers_ = purpose.kind;
    topic_ = purpose.name;
    type_ = purpose.type;
    shape_ = purpose.shape;
    latest_ = latest;
    counts_missed_ = !latest;
    if (latest) {
        wanted_.history = 1;
    }
    bool const lossless = options.delivery == delivery::lossless;
    if (lossless) {
        entry_spec spec;
        spec.kind = entry_kind::topic_subscription;
        spec.name = purpose.name;
        spec.type = purpose.type;
        spec.flags = subscription_lossless;
        spec.initial = health::ready;
        auto entry = participant_->add_entry(spec);
        if (!entry) {
            return from_registry(entry.error(), doing);
        }
        entry_ = std::move(*entry);
        has_entry_ = true;
    }
    if (publishers_ == entry_kind::topic_publisher) {
        if (auto ok = check_topic(*participant_, lossless ? &entry_ : nullptr, topic_, type_,
                                  options.any_type, lossless);
            !ok) {
            return ok.error();
        }
    }
    if (auto ok = subscriber_attach::refresh(*this, true); !ok) {
        return ok.error();
    }
    return {};
}

/// Leaves whatever no held sample needs, and the registry: a sample that outlives its subscriber
/// holds back the publisher that it is of, and nobody else.
void subscriber_core::let_go() noexcept {
    forget();
    bool left = false;
    for (auto* const list : {&sources_, &detached_}) {
        for (auto const& s : *list) {
            if (s->seat && s->held == 0) {
                s->seat.leave();
                left = true;
            } else if (s->lossless) {
                flush(*s);
            }
        }
    }
    if (has_entry_) {
        (void)participant_->remove_entry(entry_);
    } else if (left) {
        participant_->bump_epoch(); // others may wait for the room
    }
    // What was kept for us alone goes with us, as far as its owner's death is proven by now: read
    // or not, and whether we ever came to looking at it.
    if (has_entry_ && somebody_left()) {
        participant_->recover();
    } else if (!recover_due_.empty()) {
        recover_after_deaths();
    }
}

/// Whether the topic has a publisher whose process has ended.
bool subscriber_core::somebody_left() const noexcept {
    try {
        auto const all = participant_->entries(entry_kind::topic_publisher, topic_);
        return std::any_of(all.begin(), all.end(), [&](entry_info const& e) {
            return participant_->proven_dead(e.owner_ticket);
        });
    } catch (...) {
        return true; // out of memory: recovery looks by itself
    }
}

/// Notice was enough to report a death; what the dead left is removed only with proof.
void subscriber_core::recover_after_deaths() noexcept {
    bool proven = false;
    std::erase_if(recover_due_, [&](std::uint64_t ticket) {
        bool const dead = participant_->proven_dead(ticket);
        proven = proven || dead;
        return dead;
    });
    if (proven) {
        participant_->recover();
    }
}

/// Cheap signs that a publisher has ended: its own word, and the kernel's mark on its life word.
void subscriber_core::notice_ends(std::uint32_t polls) noexcept {
    bool const ask_for_proof = polls_until_proof_ <= polls;
    polls_until_proof_ = ask_for_proof ? polls_between_proofs : polls_until_proof_ - polls;
    for (auto const& p : sources_) {
        source& s = *p;
        if (s.ending) {
            continue;
        }
        // acquire: pairs with the release in publisher_core::close(): every message comes first.
        if (std_atomics::load(s.control->closed, std::memory_order_acquire) != 0) {
            s.ending = true;
            continue;
        }
        std::uint32_t const life = s.life.word != nullptr ? os::robust_value(s.life.word) : 0;
        if (os::robust_owner_died(life) ||
            (ask_for_proof && !os::robust_is_held(life) && participant_->proven_dead(s.ticket))) {
            mark_ended(s);
        }
    }
    if (ask_for_proof && !recover_due_.empty()) {
        recover_after_deaths();
    }
    retry_refused();
}

/// A publisher that was refused for a reason that may pass is tried again now and then.
void subscriber_core::retry_refused() noexcept {
    constexpr std::uint64_t interval_ns = 100'000'000;
    if (retry_refused_ && os::monotonic_ns() - retried_ns_ >= interval_ns) {
        retried_ns_ = os::monotonic_ns();
        epoch_seen_ -= 1; // the next look at the epoch looks at the registry
    }
}

bool subscriber_core::refresh() noexcept {
    try {
        auto const changed = subscriber_attach::refresh(*this, false);
        return changed && *changed;
    } catch (...) {
        epoch_seen_ -= 1; // out of memory: the next look tries again
        return false;
    }
}

bool subscriber_core::go_to_newest(source& s) noexcept {
    cell_state const state = s.reader.look();
    if (state != cell_state::ready && state != cell_state::lapped) {
        return false;
    }
    std::uint64_t const from = s.reader.position();
    std::uint64_t const newest = s.reader.find_end(from + 1) - 1;
    if (static_cast<std::int64_t>(newest - from) > 0) {
        s.reader.set_position(newest);
    }
    return s.reader.look() == cell_state::ready;
}

/// What was taken is kept for who asks again: a pinned message with its pin, others as a copy.
void subscriber_core::remember(taken const& t) noexcept {
    hold_slot& h = holds_.back();
    forget();
    if (holds_[t.hold].pin_code != 0) {
        share_pin(holds_[t.hold], h);
        last_ = t;
        last_.missed = 0;
        return;
    }
    std::uint64_t const bytes_max = holds_[t.hold].from->reader.geometry().payload_bytes_max;
    if (h.capacity < t.bytes && !grow(h, std::max(bytes_max, t.bytes))) {
        no_memory_ = false; // this value was delivered; only a repetition is not to be had
        last_.error = receive_errc::empty;
        return;
    }
    std::memcpy(h.buffer, t.data, t.bytes);
    last_ = t;
    last_.missed = 0;
}

/// Two samples, or a sample and the value that is kept, of one message: the last one unpins it.
void subscriber_core::share_pin(hold_slot const& with, hold_slot& h) noexcept {
    h.from = with.from;
    h.in_place = false;
    h.pin = with.pin;
    h.pin_code = with.pin_code;
    h.from->held += 1;
    h.from->pin_uses[h.pin] += 1;
}

void subscriber_core::forget() noexcept {
    hold_slot& kept = holds_.back();
    last_.error = receive_errc::empty;
    if (kept.pin_code != 0) {
        release_pin(kept);
        kept.from->held -= 1;
        if (kept.from->detached) {
            sweep_detached();
        }
    }
}

taken subscriber_core::again() noexcept {
    if (last_.error != receive_errc::none) {
        return error(receive_errc::empty);
    }
    auto const hold = static_cast<std::uint32_t>(std::countr_zero(free_holds_));
    hold_slot& h = holds_[hold];
    hold_slot const& kept = holds_.back();
    if (kept.pin_code != 0) {
        share_pin(kept, h);
        free_holds_ &= free_holds_ - 1;
        taken t = last_;
        t.hold = hold;
        return t;
    }
    if (h.capacity < last_.bytes && !grow(h, kept.capacity)) {
        no_memory_ = false;
        return error(receive_errc::no_memory);
    }
    std::memcpy(h.buffer, kept.buffer, last_.bytes);
    free_holds_ &= free_holds_ - 1;
    h.from = &kept_;
    h.in_place = false;
    kept_.held += 1;
    taken t = last_;
    t.data = h.buffer;
    t.hold = hold;
    return t;
}

void subscriber_core::source_ended(source& s) noexcept {
    finished_.push_back(s.incarnation);
    subscriber_attach::free_surplus(*this, s);
    // A publisher that closed and left before we came stayed for us alone.
    if (s.dead || (s.lossless && participant_->proven_dead(s.ticket))) {
        recover_due_.push_back(s.ticket);
    }
    if (retry_refused_) {
        epoch_seen_ -= 1; // there may be room for another one now
    }
}

void subscriber_core::give_back(source& s) noexcept { s.seat.leave(); }

void subscriber_core::gave_back() noexcept {
    participant_->bump_epoch(); // others may wait for the room
}

bool subscriber_core::report(taken& event) noexcept {
    if (!refused_) {
        return false;
    }
    refused_ = false;
    event = error(receive_errc::refused);
    return true;
}

} // namespace partywall::inline v0::detail
