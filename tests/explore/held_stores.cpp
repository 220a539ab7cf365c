// SPDX-License-Identifier: BSL-1.0
// Stores that a mutation keeps back, and when they land after all.
#include "machine_state.hpp"

#include <utility>

namespace partywall::test::explore {

void machine::state::release_held() {
    if (self().held.empty()) {
        return;
    }
    std::vector<held_store> const due = std::move(self().held);
    self().held.clear();
    for (held_store const& h : due) {
        put(h.word, h.value, h.order, h.where);
    }
}

/// A thread reads its own stores, so they must be there.
void machine::state::before_load(std::size_t index) {
    for (held_store const& h : self().held) {
        if (h.word == index || (h.until == hold_back::until_loaded && !h.behind_full_fence)) {
            release_held();
            return;
        }
    }
}

/// What comes after something that stores were kept back for.
void machine::state::after(access_kind kind, std::memory_order order, site const& where) {
    bool due = false;
    bool const writes = kind != access_kind::load;
    for (held_store const& h : self().held) {
        bool const elsewhere = where.line != h.where.line;
        due = due || h.behind_full_fence || (writes && h.behind_fence && elsewhere) ||
              (writes && elsewhere && (releases(order) || releases(h.order)));
    }
    if (due) {
        release_held();
    }
}

void machine::state::passed_fence(bool releasing, bool full) {
    if (full && !self().held.empty() && self().held.front().until == hold_back::until_loaded) {
        release_held(); // this one is not left out
    }
    for (held_store& h : self().held) {
        h.behind_fence = h.behind_fence || releasing;
        h.behind_full_fence = h.behind_full_fence || full;
    }
}

} // namespace partywall::test::explore
