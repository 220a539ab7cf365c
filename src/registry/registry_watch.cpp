// SPDX-License-Identifier: BSL-1.0
#include <partywall/registry/registry_watch.hpp>

#include "registry_reading.hpp"

#include <partywall/limits.hpp>
#include <partywall/os/clock.hpp>
#include <partywall/os/futex.hpp>
#include <partywall/os/robust_word.hpp>
#include <partywall/registry/participant_core.hpp>

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

std::uint64_t to_ns(std::chrono::steady_clock::time_point time) noexcept {
    auto const ns =
        std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
    return ns < 0 ? 0 : static_cast<std::uint64_t>(ns);
}

watch_failure fail(registry_errc code, participant_core const& core, char const* reason) {
    return {code, 0, "watching domain '" + core.domain() + "': " + reason};
}

} // namespace

struct registry_watch::state {
    explicit state(std::shared_ptr<participant_core> p) : participant(std::move(p)) {}

    result<domain_snapshot, watch_failure> next(std::uint64_t until_ns);
    /// One sleep. Leaves `noticed` true when somebody's death was noticed but not yet proven.
    void sleep(std::uint32_t epoch, std::uint64_t until_ns);

    struct life {
        std::uint64_t ticket;
        participant_core::life_view view;
        std::uint32_t value;
    };
    /// The life words of the others, as they are now.
    std::vector<life> look_at_lives() const;

    std::shared_ptr<participant_core> participant;
    std::uint32_t interrupts = 0; // futex, private; changed by interrupt() alone
    std::uint32_t interrupts_seen = 0;
    bool delivered = false;
    std::uint32_t sequence = 0; // of the snapshot that was delivered last
    std::uint64_t digest = 0;   // of the registry as it was then, or earlier
    std::uint64_t proof_wait_ns = proof_wait_min_ns;
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
}

result<domain_snapshot, watch_failure> registry_watch::state::next(std::uint64_t until_ns) {
    participant_core& core = *participant;
    for (;;) {
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
            domain_snapshot all = core.snapshot();
            delivered = true;
            sequence = all.sequence;
            digest = now_digest;
            return all;
        }
        if (os::monotonic_ns() >= until_ns) {
            return fail(registry_errc::timed_out, core, "nothing changed before the deadline");
        }
        sleep(epoch, until_ns);
    }
}

std::vector<registry_watch::state::life> registry_watch::state::look_at_lives() const {
    std::vector<life> lives;
    for (std::uint64_t const ticket : participant->tickets()) {
        auto view = participant->life_of(ticket);
        std::uint32_t const value = view.word != nullptr ? os::robust_value(view.word) : 0;
        lives.push_back({ticket, std::move(view), value});
    }
    return lives;
}

void registry_watch::state::sleep(std::uint32_t epoch, std::uint64_t until_ns) {
    std::array<os::futex_word, wait_words_max> words;
    std::size_t count = 0;
    words[count++] = {&participant->epoch_word(), epoch, true};
    words[count++] = {&interrupts, interrupts_seen, false};
    std::uint64_t slice_ns = os::have_futex_waitv() ? look_slice_ns : blind_slice_ns;
    bool suspects = false;
    bool proven = false;
    std::vector<life> const lives = look_at_lives();
    for (life const& one : lives) {
        bool const died = one.view.word != nullptr && os::robust_owner_died(one.value);
        if (died) {
            // The kernel woke one of those who slept here; the others are ours to wake.
            os::futex_wake(*os::robust_futex(one.view.word), INT_MAX, true);
        }
        if (os::robust_is_held(one.value) && count < words.size()) {
            words[count++] = {os::robust_futex(one.view.word), one.value, true};
        } else if (participant->proven_dead(one.ticket)) {
            proven = true; // noticed, or without a held word to notice it by
        } else {
            suspects = suspects || died;
            slice_ns = std::min(slice_ns, blind_slice_ns);
        }
    }
    if (proven) {
        proof_wait_ns = proof_wait_min_ns;
        if (!participant->recover().nothing()) {
            return; // a change like any other
        }
        slice_ns = blind_slice_ns; // others are at it, or it cannot be done now
    }
    if (suspects) {
        slice_ns = std::min(slice_ns, proof_wait_ns);
        proof_wait_ns = std::min(2 * proof_wait_ns, proof_wait_max_ns);
    } else {
        proof_wait_ns = proof_wait_min_ns;
    }
    std::uint64_t const now = os::monotonic_ns();
    std::uint64_t const slice_end = now > no_limit - slice_ns ? no_limit : now + slice_ns;
    os::futex_wait_any({words.data(), count}, std::min(until_ns, slice_end));
}

} // namespace partywall::inline v0
