// SPDX-License-Identifier: BSL-1.0
#include <partywall/breaker/breaker_body.hpp>

#include <algorithm>
#include <exception>
#include <new>
#include <utility>

namespace partywall::inline v0::detail {
namespace {

constexpr std::size_t events_waiting_max = 64;

std::int64_t distance(std::uint16_t a, std::uint16_t b) noexcept {
    return signed_distance<16>(a, b);
}

failure<breaker_errc> no_memory() {
    return {breaker_errc::no_memory, 0, "cannot make a breaker: no memory"};
}

} // namespace

breaker_events::breaker_events(std::vector<breaker_listener> listeners, std::uint16_t generation,
                               bool gapless)
    : listeners_(std::move(listeners)), last_(generation), gapless_(gapless) {
    if (!listeners_.empty()) {
        queue_.reserve(events_waiting_max);
    }
}

std::uint64_t breaker_events::missed() const noexcept {
    std::lock_guard const lock(mutex_);
    return missed_;
}

void breaker_events::hear(void* self, breaker_event const& event) noexcept {
    static_cast<breaker_events*>(self)->bring(event);
}

void breaker_events::bring(breaker_event const& event) noexcept {
    {
        std::lock_guard const lock(mutex_);
        // Where others change the state too, any number of generations may lie between two events.
        std::int64_t const ahead = distance(event.generation, last_);
        bool const late = ahead < 0 && (gapless_ || ahead > -1024);
        if (queue_.size() == queue_.capacity() || late) {
            missed_ += 1;
            return;
        }
        auto const later = [](breaker_event const& a, breaker_event const& b) {
            return distance(a.generation, b.generation) < 0;
        };
        queue_.insert(std::upper_bound(queue_.begin(), queue_.end(), event, later), event);
        if (delivering_) {
            return;
        }
        delivering_ = true;
    }
    for (breaker_event next; take(next);) {
        for (breaker_listener const& listener : listeners_) {
            try {
                listener(next);
            } catch (...) { // NOLINT(bugprone-empty-catch): promised in breaker_event.hpp
            }
        }
    }
}

bool breaker_events::take(breaker_event& event) noexcept {
    std::lock_guard const lock(mutex_);
    // A generation that is missing was stored already, and its thread is about to bring it; unless
    // it was dropped because the queue was full.
    bool const waits = gapless_ && missed_ == 0 && !queue_.empty() &&
                       distance(queue_.front().generation, last_) > 1;
    if (queue_.empty() || waits) {
        delivering_ = false;
        return false;
    }
    event = queue_.front();
    queue_.erase(queue_.begin());
    last_ = event.generation;
    return true;
}

breaker_body::breaker_body(breaker_constants const& rules, breaker_record* record,
                           std::vector<std::uint32_t> slots,
                           std::vector<breaker_listener> listeners,
                           breaker_identity const& identity, std::uint64_t now_ns, record_use use)
    : home_(identity.home), ticket_(identity.ticket), mark_(identity.mark), rules_(rules),
      record_(use == record_use::own ? &own_ : record), slots_(std::move(slots)),
      events_(std::move(listeners), 0, use != record_use::join),
      core_(*record_, rules_, slots_.data(), identity.ticket, events_.sink(), identity.oracle) {
    if (identity.mark) {
        core_.belong_to(*identity.mark);
    }
    if (use == record_use::own || use == record_use::format) {
        breaker_core<>::format(*record_, rules_, now_ns);
    }
}

result<std::unique_ptr<breaker_body>, failure<breaker_errc>>
make_breaker(breaker_options const& options, breaker_record* record, record_use use,
             breaker_identity const& identity, std::uint64_t now_ns) {
    try {
        auto rules = breaker_rules(options);
        if (!rules) {
            return rules.error();
        }
        bool const counts = options.window.kind == window_kind::count;
        bool const in_domain = use == record_use::fill || use == record_use::join;
        if (options.scope == breaker_scope::host && !in_domain) {
            return failure<breaker_errc>{
                breaker_errc::not_here, 0,
                "cannot make a breaker: one of scope host is shared by the "
                "participants of a domain; ask participant::breaker()"};
        }
        if (use == record_use::join && counts) {
            return failure<breaker_errc>{
                breaker_errc::not_here, 0,
                "cannot share a breaker: a count window changes two words for a result, and one "
                "who "
                "is killed in between would spoil it for everybody; take a time window"};
        }
        if (in_domain) {
            breaker_constants const there = record->constants;
            if (!are_sane(there) || !same_rules(there, *rules)) {
                return failure<breaker_errc>{breaker_errc::mismatch, 0,
                                             "cannot share a breaker: " +
                                                 difference_of(there, *rules)};
            }
            rules->seed = there.seed; // everybody computes the same open times
        }
        std::vector<std::uint32_t> slots(counts ? options.window.calls : 0);
        return std::make_unique<breaker_body>(*rules, record, std::move(slots), options.listeners,
                                              identity, now_ns, use);
    } catch (std::exception const&) {
        return no_memory();
    }
}

result<breaker_stats, failure<breaker_errc>> read_breaker(breaker_record const& record,
                                                          std::uint64_t now_ns) {
    breaker_constants const rules = record.constants;
    if (!are_sane(rules)) {
        return failure<breaker_errc>{breaker_errc::mismatch, 0,
                                     "cannot read a breaker: no breaker has such rules"};
    }
    // stats() loads and does nothing else, so a mapping for reading will do.
    return breaker_core<>(const_cast<breaker_record&>(record), rules, nullptr, 1).stats(now_ns);
}

} // namespace partywall::inline v0::detail
