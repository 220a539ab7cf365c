// SPDX-License-Identifier: BSL-1.0
// Who is there to be asked, and what happens when one ends.
#include <partywall/survey/surveyor_core.hpp>

#include "../endpoint/reading_wait.hpp"
#include "survey_drive.hpp"

#include <partywall/os/futex.hpp>
#include <partywall/os/robust_word.hpp>

#include <climits>

namespace partywall::inline v0::detail {
namespace {

/// So many looks in vain before somebody looks for ends: who sleeps is woken by them.
constexpr std::uint32_t looks_between_ends = 16;

bool is_dying(participant_core::life_view const& life) noexcept {
    return life.word != nullptr && os::robust_died_now(life.word);
}

} // namespace

// ---- peers ----------------------------------------------------------------------------------------

std::uint32_t surveyor_core::find_peer(std::uint64_t incarnation) const noexcept {
    for (std::uint32_t i = 0; i < peers_.size(); ++i) {
        if (peers_[i].incarnation == incarnation) {
            return i;
        }
    }
    return none;
}

/// none: there is no place, as long as surveys are held that tell of many that ended.
std::uint32_t surveyor_core::make_peer(std::uint64_t incarnation, std::uint64_t ticket) {
    std::uint32_t const index = find_peer(0);
    if (index == none) {
        return none;
    }
    peer p;
    p.life = participant_->life_of(ticket);
    p.incarnation = incarnation;
    p.ticket = ticket;
    for (auto const& s : sources_) {
        if (s->incarnation == incarnation) { // its lane came before there was a place
            p.from = s.get();
            peer_of_lane_[s->number] = index;
        }
    }
    peers_[index] = std::move(p);
    return index;
}

void surveyor_core::leave_peer(std::uint32_t index) noexcept {
    peer& p = peers_[index];
    p.uses -= 1;
    if (p.uses == 0 && p.from == nullptr) {
        p = peer();
    }
}

void surveyor_core::leave_roster(std::uint32_t index) noexcept {
    roster& r = rosters_[index];
    r.uses -= 1;
    if (r.uses != 0) {
        return;
    }
    for (std::uint32_t const p : r.members) {
        r.has[p] = 0;
        leave_peer(p);
    }
    r.members.clear();
}

bool surveyor_core::is_stale() const noexcept {
    // acquire: pairs with the release in bump_epoch(): whoever is in service by then is found.
    return !registry_read_ ||
           std_atomics::load(participant_->epoch_word(), std::memory_order_acquire) != epoch_seen_;
}

/// Reads the list of respondents again. False: no memory.
bool surveyor_core::follow_registry() noexcept {
    participant_->keep_notice();
    // acquire, before looking: whoever comes after the look has changed it.
    std::uint32_t const epoch =
        std_atomics::load(participant_->epoch_word(), std::memory_order_acquire);
    try {
        auto const all = participant_->entries(entry_kind::respondent, name());
        for (peer& p : peers_) {
            p.present = false;
            p.listed = false;
        }
        for (entry_info const& e : all) {
            list_peer(e);
        }
    } catch (...) {
        registry_read_ = false;
        return false;
    }
    epoch_seen_ = epoch;
    registry_read_ = true;
    make_roster();
    return true;
}

void surveyor_core::list_peer(entry_info const& e) {
    std::uint32_t index = find_peer(e.incarnation);
    if (index != none) {
        peers_[index].present = true;
    }
    if (e.state != health::ready || e.type.fingerprint != question_type_ ||
        participant_->proven_dead(e.owner_ticket)) {
        return;
    }
    if (index == none) {
        index = make_peer(e.incarnation, e.owner_ticket);
    }
    if (index != none) {
        peer& p = peers_[index];
        p.present = true;
        p.listed = !p.over && !is_dying(p.life);
    }
}

/// Of those that are listed. What is not used otherwise is let go.
void surveyor_core::make_roster() noexcept {
    std::uint32_t fresh = 0;
    while (rosters_[fresh].uses != 0) {
        fresh += 1; // there is one: each survey uses one at most, and we another
    }
    roster& r = rosters_[fresh];
    r.uses = 1;
    for (std::uint32_t i = 0; i < peers_.size(); ++i) {
        peer& p = peers_[i];
        if (p.listed && r.members.size() < respondents_max_) {
            r.members.push_back(i);
            r.has[i] = 1;
            p.uses += 1;
        }
    }
    std::uint32_t const before = current_;
    current_ = fresh;
    if (before != none) {
        leave_roster(before);
    }
    for (peer& p : peers_) {
        if (p.incarnation != 0 && p.uses == 0 && p.from == nullptr) {
            p = peer();
        }
    }
}

std::uint32_t surveyor_core::respondents() noexcept {
    if (mark_.is_child() || over_ || (is_stale() && !follow_registry())) {
        return 0;
    }
    std::uint32_t count = 0;
    for (std::uint32_t const p : rosters_[current_].members) {
        count += peers_[p].over || is_dying(peers_[p].life) ? 0 : 1;
    }
    return count;
}

// ---- ends -----------------------------------------------------------------------------------------

bool surveyor_core::is_pending(survey_slot const& s, std::uint32_t at) const noexcept {
    return s.open && rosters_[s.roster].has[at] != 0 && s.marks[at].survey != s.number;
}

/// f(peer), once for each that an open survey waits for.
template <class F>
void surveyor_core::for_pending_peers(F f) noexcept {
    if (open_surveys_ == 0) {
        return;
    }
    look_number_ += 1;
    for (survey_slot const& s : slots_) {
        if (!s.open) {
            continue;
        }
        for (std::uint32_t const i : rosters_[s.roster].members) {
            peer& p = peers_[i];
            if (p.seen != look_number_ && s.marks[i].survey != s.number) {
                p.seen = look_number_;
                f(p);
            }
        }
    }
}

/// I3: of one that has a lane, that lane has been looked at.
void surveyor_core::peer_ended(std::uint32_t index, respondent_status how) noexcept {
    peers_[index].over = true;
    registry_read_ = false; // it is not to be expected again
    for (survey_slot& s : slots_) {
        if (is_pending(s, index)) {
            mark m;
            m.status = how;
            settle_peer(s, index, m);
            end_if_due(s);
        }
    }
}

bool surveyor_core::has_ended(peer const& p) const noexcept { return p.proof || is_dying(p.life); }

/// Of those that surveys wait for. True: something may be there to be taken.
bool surveyor_core::note_ends() noexcept {
    if (open_surveys_ == 0 || (!thorough_ && ++looks_ % looks_between_ends != 0)) [[likely]] {
        return false;
    }
    thorough_ = false;
    bool heard = false;
    bool unheard = false;
    for_pending_peers([&](peer const& p) {
        if (p.from == nullptr) {
            unheard = true; // it may end without our lanes' showing it
        } else {
            heard = heard || has_ended(p);
        }
    });
    if (heard) {
        look_at_lanes_soon(); // finds its end, and takes what it left
    }
    return (unheard && end_those_unheard()) || heard;
}

/// Those that have no lane yet, and will never have one.
bool surveyor_core::end_those_unheard() noexcept {
    if (is_stale()) {
        (void)follow_registry();
    }
    bool ended = false;
    for_pending_peers([&](peer const& p) {
        ended = ended || (p.from == nullptr && (!p.present || has_ended(p)));
    });
    if (!ended) {
        return false;
    }
    // I3. It may have opened a lane, and answered, before it ended.
    look_at_lanes_soon();
    take_all();
    for_pending_peers([&](peer const& p) {
        if (p.from == nullptr && (!p.present || has_ended(p))) {
            bool const died = has_ended(p) || participant_->proven_dead(p.ticket);
            peer_ended(static_cast<std::uint32_t>(&p - peers_.data()),
                       died ? respondent_status::died : respondent_status::left);
        }
    });
    return true;
}

// ---- the inbox ------------------------------------------------------------------------------------

void surveyor_core::lane_opened(source& s) {
    std::uint32_t index = find_peer(s.incarnation);
    if (index == none) {
        index = make_peer(s.incarnation, s.ticket);
    }
    peer_of_lane_[s.number] = index;
    if (index != none) {
        peers_[index].from = &s;
    }
}

void surveyor_core::source_ended(source& s) noexcept {
    receiver_core::source_ended(s);
    std::uint32_t const index = std::exchange(peer_of_lane_[s.number], none);
    if (index == none || peers_[index].from != &s) {
        return;
    }
    peer& p = peers_[index];
    p.from = nullptr;
    if (s.missed_now != 0) {
        p.gap_up_to = numbers_;
    }
    p.uses += 1;
    peer_ended(index, s.corrupt                            ? respondent_status::failed
                      : s.dead || has_ended(peers_[index]) ? respondent_status::died
                                                           : respondent_status::left);
    leave_peer(index);
}

void surveyor_core::add_words(arming& a) noexcept {
    receiver_core::add_words(a);
    if (open_surveys_ == 0) {
        return;
    }
    thorough_ = true;             // the re-check
    a.words.peer_death_matters(); // deadlines too are looked for once per slice
    bool unheard = false;
    for_pending_peers([&](peer const& p) {
        (void)a.add_life(p.life.sign(p.ticket));
        unheard = unheard || p.from == nullptr;
    });
    if (unheard) {
        a.words.add({&participant_->epoch_word(), epoch_seen_, true});
    }
}

/// Wakes the others that wait for a death (the kernel wakes one), and asks for proof where there can
/// be no notice.
void surveyor_core::after_sleep() noexcept {
    receiver_core::after_sleep();
    thorough_ = true;
    for_pending_peers([&](peer& p) {
        std::uint32_t const value = p.life.word != nullptr ? os::robust_value(p.life.word) : 0;
        if (os::robust_owner_died(value)) {
            os::futex_wake(*os::robust_futex(p.life.word), INT_MAX, true);
        } else if (!os::robust_is_held(value) && !p.proof) {
            p.proof = participant_->proven_dead(p.ticket);
        }
    });
}

bool surveyor_core::is_due() noexcept {
    if (open_surveys_ == 0) {
        return false;
    }
    bool ended = os::monotonic_ns() >= next_due();
    bool unheard = false;
    for_pending_peers([&](peer const& p) {
        ended = ended || has_ended(p);
        unheard = unheard || p.from == nullptr;
    });
    return ended || (unheard && is_stale());
}

bool surveyor_core::look() noexcept { return is_due() || receiver_core::look(); }

} // namespace partywall::inline v0::detail
