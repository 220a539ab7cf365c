// SPDX-License-Identifier: BSL-1.0
// What everybody who can be waited for has in common, whoever waits: a call that blocks, a
// descriptor in somebody's event loop, a wait_set.
#pragma once

#include <partywall/os/membarrier.hpp>
#include <partywall/os/robust_word.hpp>
#include <partywall/segment/atomics.hpp>
#include <partywall/wait/bell.hpp>
#include <partywall/wait/waiting.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace partywall::inline v0::detail {

/// Whose death may end a wait.
struct life_sign {
    void const* word = nullptr; ///< the life word; nullptr: it could not be mapped
    std::uint64_t ticket = 0;
    int pid = 0; ///< in our PID namespace; 0: it is of another, or not known
};

/// How soon the end of a process makes a descriptor readable.
enum class death_notice : std::uint8_t {
    none, ///< never
    late, ///< after its memory is torn down, and that is so much that looking finds it sooner
    soon, ///< in time
};

/// Tells a sleep through a descriptor of deaths.
class death_bell {
  public:
    virtual death_notice listen_for(life_sign const& peer) noexcept = 0;

  protected:
    ~death_bell() = default;
};

/// One going to sleep: what it collects, and what is due before the re-check.
struct arming {
    explicit arming(wait_list& list, std::uint64_t through = 0) noexcept
        : words(list), wake(through) {}

    wait_list& words;
    /// 0: the sleep is on the words. Otherwise it is through a descriptor, and this says which: to
    /// be left wherever writers look whom to wake (wake_word.hpp).
    std::uint64_t wake = 0;
    /// The descriptor's pipe was written to since it was armed last. Whoever wrote may have been told
    /// by any word, also by one that was left while he was ringing: say it to all anew.
    bool heard = false;
    bool armed = false;           ///< something was: the re-check needs a fence before it
    bool membarrier = false;      ///< and some writers omit their half of it
    death_bell* deaths = nullptr; ///< where the sleep is through a descriptor

    /// The peer's death ends the wait. Whether it is told: a sleep on words by the life word, which
    /// the kernel marks; then the sleeper that was woken has to wake the others (after_sleep()).
    bool add_life(life_sign const& peer) noexcept {
        std::uint32_t const value = peer.word != nullptr ? os::robust_value(peer.word) : 0;
        // A thread that ends lets go of the word, and the next slow call of another holds it anew:
        // in between nobody is told.
        death_notice notice = death_notice::none;
        if (os::robust_is_held(value)) {
            if (deaths != nullptr) {
                notice = deaths->listen_for(peer);
            } else if (words.add({os::robust_futex(peer.word), value, true})) {
                notice = death_notice::soon;
            }
        }
        if (notice == death_notice::soon) {
            words.peer_death_is_told();
        } else {
            words.peer_death_matters();
        }
        return notice != death_notice::none;
    }

    /// A writer that omits its half unless `fencing` says otherwise was armed.
    void fenced_if(std::uint32_t const& fencing) noexcept {
        if (count_ == fencing_.size()) {
            membarrier = true;
        } else {
            fencing_[count_++] = &fencing;
        }
    }

    /// The heavy half of the bells' fence pairs. One for everything that was armed.
    void fence() noexcept {
        if (armed || wake != 0) {
            // Pairs with the fences in bell_ringer. Before the look at who fences.
            std_atomics::fence(std::memory_order_seq_cst);
        }
        for (std::size_t i = 0; i < count_ && !membarrier; ++i) {
            membarrier = omits_fence<>(*fencing_[i]);
        }
        // Pairs with the compiler fence in bell_ringer::ring_if_armed().
        if (membarrier && !os::heavy_fence()) {
            words.cannot_rely_on_wakes();
        }
    }

  private:
    std::size_t count_ = 0;
    std::array<std::uint32_t const*, 8> fencing_{};
};

class participant_core;
class waitable;

/// A waitable's place in a set. The set owns it; whoever goes first tells the other.
struct set_place {
    waitable* what = nullptr; ///< nullptr: it is gone
};

/// Callers   the thread that uses the object that this is of; none in a forked child.
/// Progress  nothing here waits.
class waitable {
  public:
    waitable(waitable const&) = delete;
    waitable& operator=(waitable const&) = delete;

    /// Whether something is there to be taken: a load or two per source. May miss what is no message.
    virtual bool glance() noexcept = 0;
    /// Whether a call that does not wait has something to say, be it an end or an error.
    virtual bool look() noexcept = 0;

    /// Arms whatever ends a sleep, and adds the words. What is armed already stays so.
    virtual void arm(arming& a) noexcept = 0;
    /// What was armed is not all any more that should be: arm again before sleeping.
    virtual bool arming_is_stale() const noexcept = 0;
    /// A sleep has ended, whatever ended it.
    virtual void after_sleep() noexcept = 0;

    /// Through whose slots it says that it waits.
    virtual participant_core const& belongs_to() const noexcept = 0;

    bool is_in_a_set() const noexcept { return place_ != nullptr; }
    void enter_set(set_place& place) noexcept {
        place.what = this;
        place_ = &place;
    }
    void leave_set() noexcept {
        if (place_ != nullptr) {
            place_->what = nullptr;
            place_ = nullptr;
        }
    }

  protected:
    waitable() = default;
    ~waitable() { leave_set(); }

  private:
    set_place* place_ = nullptr;
};

/// How a wait_set gets at what is behind a handle; nullptr: the handle was closed.
struct wait_access {
    template <class Handle>
    static waitable* of(Handle& handle) noexcept {
        return handle.to_be_waited_for();
    }
};

} // namespace partywall::inline v0::detail
