// SPDX-License-Identifier: BSL-1.0
#include <partywall/registry/registry_watch.hpp>

#include "registry_reading.hpp"

#include <partywall/limits.hpp>
#include <partywall/os/clock.hpp>
#include <partywall/os/futex.hpp>
#include <partywall/os/robust_word.hpp>
#include <partywall/registry/participant_core.hpp>
#include <partywall/registry/wait_descriptor.hpp>
#include <partywall/wait/waitable.hpp>
#include <partywall/wait/wake_word.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <new>

namespace partywall::inline v0 {

namespace {

using detail::participant_core;
using watch_failure = failure<registry_errc>;

/// However little happens, the registry is looked at this often: the maker of a change may have
/// been stopped or killed before it could tell.
constexpr std::uint64_t look_slice_ns = 100'000'000;
/// The same where a death cannot wake us.
constexpr std::uint64_t blind_slice_ns = 10'000'000;
/// Between notice and proof lies the kernel's tearing down of the dead process's memory: ask
/// again after 50, 100, ... µs.
constexpr std::uint64_t proof_wait_min_ns = 50'000;
constexpr std::uint64_t proof_wait_max_ns = 10'000'000;

constexpr std::uint64_t no_limit = ~std::uint64_t{0};
/// How often one call arms its descriptor: others could go on waking it for ever.
constexpr int armings_max = 8;

std::uint64_t to_ns(std::chrono::steady_clock::time_point time) noexcept {
    auto const ns =
        std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
    return ns < 0 ? 0 : static_cast<std::uint64_t>(ns);
}

watch_failure fail(registry_errc code, participant_core const& core, char const* reason) {
    return {code, 0, "watching domain '" + core.domain() + "': " + reason};
}

} // namespace

struct registry_watch::state final : detail::waitable {
    explicit state(std::shared_ptr<participant_core> p) : participant(std::move(p)) {}

    result<domain_snapshot, watch_failure> next(std::uint64_t until_ns);
    result<int, failure<descriptor_errc>> fd();
    /// One sleep.
    void sleep(std::uint32_t epoch, std::uint64_t until_ns);

    bool glance() noexcept override;
    bool look() noexcept override;
    participant_core const& belongs_to() const noexcept override { return *participant; }
    void arm(detail::arming& a) noexcept override;
    bool arming_is_stale() const noexcept override { return false; }
    void after_sleep() noexcept override {}

    struct life {
        std::uint64_t ticket;
        participant_core::life_view view;
        std::uint32_t value;
    };
    /// What the life words of the others say about how to wait.
    struct outlook {
        std::uint64_t slice_ns = look_slice_ns;
        bool recovered = false; ///< do not wait: that was a change
    };
    /// Calls add(life) for those that can tell of a death. Recovers those that are proven dead.
    template <class Add>
    outlook tend(Add add);
    void look_at_lives();

    std::shared_ptr<participant_core> participant;
    std::uint32_t interrupts = 0; // futex, private; changed by interrupt() alone
    std::uint32_t interrupts_seen = 0;
    bool delivered = false;
    std::uint32_t sequence = 0; // of the snapshot that was delivered last
    std::uint64_t digest = 0;   // of the registry as it was then, or earlier
    std::uint64_t proof_wait_ns = proof_wait_min_ns;
    std::vector<life> lives; // of the others, when the epoch was lives_epoch
    std::uint32_t lives_epoch = 0;
    bool has_lives = false;
    detail::wait_list words;
    std::unique_ptr<detail::wait_descriptor> descriptor;
    std::atomic<detail::wait_descriptor const*> interrupted_too{nullptr};
    static_assert(std::atomic_ref<std::uint32_t>::is_always_lock_free);
};

registry_watch::registry_watch(std::shared_ptr<participant_core> participant)
    : state_(std::make_unique<state>(std::move(participant))) {}
registry_watch::registry_watch(registry_watch&&) noexcept = default;
registry_watch& registry_watch::operator=(registry_watch&&) noexcept = default;
registry_watch::~registry_watch() = default;

result<domain_snapshot, watch_failure>
registry_watch::next(std::chrono::steady_clock::time_point deadline) {
    try {
        return state_->next(to_ns(deadline));
    } catch (std::bad_alloc const&) {
        return watch_failure{registry_errc::system, ENOMEM, {}};
    } catch (...) {
        return watch_failure{registry_errc::system, 0, {}};
    }
}

result<domain_snapshot, watch_failure> registry_watch::next(std::chrono::nanoseconds timeout) {
    auto const now = std::chrono::steady_clock::now();
    auto const most = std::chrono::steady_clock::time_point::max() - now;
    return next(timeout < most ? now + std::max(timeout, std::chrono::nanoseconds{0})
                               : std::chrono::steady_clock::time_point::max());
}

void registry_watch::interrupt() noexcept {
    // Release: pairs with the acquire in next(), which then sees what was done before.
    std_atomics::fetch_add(state_->interrupts, std::uint32_t{1}, std::memory_order_release);
    os::futex_wake(state_->interrupts, INT_MAX, false);
    // Acquire: pairs with the release in fd().
    if (auto const* const d = state_->interrupted_too.load(std::memory_order_acquire);
        d != nullptr) {
        d->kick();
    }
}

detail::waitable* registry_watch::to_be_waited_for() noexcept { return state_.get(); }

result<int, failure<descriptor_errc>> registry_watch::fd() {
    return state_ ? state_->fd() : detail::no_descriptor_of_closed();
}

result<int, failure<descriptor_errc>> registry_watch::state::fd() {
    if (participant->forked()) {
        return failure<descriptor_errc>{descriptor_errc::forked, 0, "the watch is the parent's"};
    }
    if (descriptor == nullptr) {
        auto made = detail::wait_descriptor::make(participant, true);
        if (!made) {
            return made.error();
        }
        descriptor = std::move(*made);
        // Release: pairs with the acquire in interrupt().
        interrupted_too.store(descriptor.get(), std::memory_order_release);
    }
    return descriptor->fd();
}

result<domain_snapshot, watch_failure> registry_watch::state::next(std::uint64_t until_ns) {
    participant_core& core = *participant;
    for (int armings = 0;;) {
        if (core.forked()) {
            return fail(registry_errc::forked, core, "this process is a forked child; join anew");
        }
        core.keep_notice();
        // Acquire: pairs with the release in interrupt().
        if (std::uint32_t const now = std_atomics::load(interrupts, std::memory_order_acquire);
            now != interrupts_seen) {
            interrupts_seen = now;
            return fail(registry_errc::interrupted, core, "interrupted");
        }
        if (core.domain_gone()) {
            return fail(registry_errc::domain_gone, core, "its registry was removed");
        }
        // The number first: what changes after it was loaded changes it again.
        std::uint32_t const epoch = std_atomics::load(core.epoch_word(), std::memory_order_acquire);
        std::uint64_t const now_digest = core.digest();
        if (delivered && epoch == sequence && now_digest != digest) {
            // Its maker has not come to telling. So we do: this state gets a number of its own.
            core.bump_epoch();
            continue;
        }
        if (!delivered || epoch != sequence) {
            if (descriptor) {
                descriptor->disturb(); // until a call finds nothing
            }
            domain_snapshot all = core.snapshot();
            delivered = true;
            sequence = all.sequence;
            digest = now_digest;
            return all;
        }
        if (os::monotonic_ns() >= until_ns) {
            if (descriptor && !is_in_a_set() && descriptor->rearm(*this, words)) {
                if (++armings < armings_max) {
                    continue;
                }
                descriptor->disturb();
            }
            return fail(registry_errc::timed_out, core, "nothing changed before the deadline");
        }
        sleep(epoch, until_ns);
    }
}

/// Whoever comes or goes changes the epoch; without the heap while nobody does.
void registry_watch::state::look_at_lives() {
    // Acquire: pairs with the release in bump_epoch(). Before looking.
    std::uint32_t const epoch =
        std_atomics::load(participant->epoch_word(), std::memory_order_acquire);
    if (!has_lives || epoch != lives_epoch) {
        has_lives = false;
        lives.clear();
        for (std::uint64_t const ticket : participant->tickets()) {
            lives.push_back({ticket, participant->life_of(ticket), 0});
        }
        lives_epoch = epoch;
        has_lives = true;
    }
    for (life& one : lives) {
        one.value = one.view.word != nullptr ? os::robust_value(one.view.word) : 0;
    }
}

template <class Add>
registry_watch::state::outlook registry_watch::state::tend(Add add) {
    outlook o;
    if (!os::have_futex_waitv()) {
        o.slice_ns = blind_slice_ns;
    }
    bool suspects = false;
    bool proven = false;
    look_at_lives();
    for (life const& one : lives) {
        bool const died = one.view.word != nullptr && os::robust_owner_died(one.value);
        if (died) {
            // The kernel woke one of those who slept here; the others are ours to wake.
            os::futex_wake(*os::robust_futex(one.view.word), INT_MAX, true);
        }
        if (os::robust_is_held(one.value) && add(one)) {
            continue;
        }
        if (!os::robust_is_held(one.value) && participant->proven_dead(one.ticket)) {
            proven = true; // noticed, or without a held word to notice it by
        } else {
            suspects = suspects || died;
            o.slice_ns = std::min(o.slice_ns, blind_slice_ns);
        }
    }
    if (proven) {
        proof_wait_ns = proof_wait_min_ns;
        o.recovered = !participant->recover().nothing(); // a change like any other
        o.slice_ns = blind_slice_ns; // others are at it, or it cannot be done now
    } else if (suspects) {
        o.slice_ns = std::min(o.slice_ns, proof_wait_ns);
        proof_wait_ns = std::min(2 * proof_wait_ns, proof_wait_max_ns);
    } else {
        proof_wait_ns = proof_wait_min_ns;
    }
    return o;
}

void registry_watch::state::sleep(std::uint32_t epoch, std::uint64_t until_ns) {
    std::array<os::futex_word, wait_words_max> sleep_on;
    std::size_t count = 0;
    sleep_on[count++] = {&participant->epoch_word(), epoch, true};
    sleep_on[count++] = {&interrupts, interrupts_seen, false};
    if (descriptor) {
        descriptor->disturb(); // this call may take what it would tell of
    }
    outlook const o = tend([&](life const& one) {
        bool const fits = count < sleep_on.size();
        if (fits) {
            sleep_on[count++] = {os::robust_futex(one.view.word), one.value, true};
        }
        return fits;
    });
    if (o.recovered) {
        return;
    }
    std::uint64_t const now = os::monotonic_ns();
    std::uint64_t const slice_end = now > no_limit - o.slice_ns ? no_limit : now + o.slice_ns;
    os::futex_wait_any({sleep_on.data(), count}, std::min(until_ns, slice_end));
}

bool registry_watch::state::glance() noexcept {
    // Acquire: pairs with the release in bump_epoch().
    return !delivered ||
           std_atomics::load(participant->epoch_word(), std::memory_order_acquire) != sequence;
}

/// A change whose maker did not come to telling shows in the digest.
bool registry_watch::state::look() noexcept {
    return glance() || participant->digest() != digest || participant->domain_gone();
}

/// For a descriptor, which has no words, or a set. What no word tells is looked for once per slice.
void registry_watch::state::arm(detail::arming& a) noexcept {
    if (descriptor && detail::wake_number(a.wake) != descriptor->number()) {
        descriptor->disturb(); // a set waits
    }
    participant->keep_notice();
    a.words.add_data({&participant->epoch_word(), sequence, true});
    try {
        outlook const o =
            tend([&](life const& one) { return a.add_life(one.view.sign(one.ticket)); });
        if (o.slice_ns <= blind_slice_ns) {
            a.words.peer_death_matters();
        }
        if (o.slice_ns < blind_slice_ns) {
            a.words.cannot_rely_on_wakes(); // somebody is dying: ask soon
        }
    } catch (...) {
        a.words.cannot_rely_on_wakes(); // out of memory: soon again
    }
}

} // namespace partywall::inline v0
