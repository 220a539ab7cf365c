// SPDX-License-Identifier: BSL-1.0
// Random histories of three or four processes, some of which are killed: is there an order of
// their operations, one after the other, that gives what they saw? Each history is a seed; memory
// is sequentially consistent here, since stale values have the scenarios.
#include "histories.hpp"

#include <partywall/registry/registry_slots.hpp>

#include <gtest/gtest.h>

#include <array>
#include <compare>
#include <random>

namespace partywall::test::explore {
namespace {

// ---- the checker itself -------------------------------------------------------------------------

/// A word that is written and read.
struct access_of_word {
    bool writes;
    std::uint64_t value;
};
struct word_state {
    std::uint64_t value = 0;
    auto operator<=>(word_state const&) const = default;
    std::vector<word_state> after(access_of_word const& it, bool known) const {
        if (it.writes) {
            return {{it.value}};
        }
        return known && it.value != value ? std::vector<word_state>{}
                                          : std::vector<word_state>{*this};
    }
};
bool is_linearizable(history<access_of_word> const& all) {
    return linearization<access_of_word, word_state>(all).exists({});
}

TEST(Linearization, AllowsOverlappingOperationsInEitherOrder) {
    EXPECT_TRUE(is_linearizable({{{true, 1}, 0, 5}, {{false, 0}, 1, 2}, {{false, 1}, 3, 4}}));
    EXPECT_FALSE(is_linearizable({{{true, 1}, 0, 5}, {{false, 1}, 1, 2}, {{false, 0}, 3, 4}}));
}

TEST(Linearization, RefusesAStaleRead) {
    EXPECT_FALSE(is_linearizable({{{true, 1}, 0, 1}, {{false, 0}, 2, 3}}));
}

TEST(Linearization, LetsThePendingHappenOrNot) {
    constexpr std::uint64_t never = happened<access_of_word>::never;
    EXPECT_TRUE(is_linearizable({{{true, 1}, 0, never}, {{false, 0}, 1, 2}}));
    EXPECT_TRUE(is_linearizable({{{true, 1}, 0, never}, {{false, 1}, 1, 2}}));
    EXPECT_FALSE(is_linearizable({{{true, 1}, 0, never}, {{false, 1}, 1, 2}, {{false, 0}, 3, 4}}));
}

// ---- the registry -------------------------------------------------------------------------------

struct small_entry {
    std::uint64_t owner;
    std::uint32_t health;
    std::uint32_t reserved;
    std::uint64_t metadata_version;
    std::uint64_t record[2];
    struct area {
        std::uint64_t words[2];
    } meta[2];
};
using slots = detail::registry_slots<explored_atomics, small_entry>;
constexpr std::size_t slot_count = 2;

struct slot_operation {
    enum kind { claim, publish, rewrite, take, finish, read_record, read_meta } what;
    std::size_t slot;
    std::uint64_t ticket;       ///< of the owner; of whoever it is taken from
    std::uint64_t value;        ///< written, or read; 0: there is none to read
    bool done;                  ///< claim, take: it was successful. Others: the reading held
    std::uint64_t sequence = 0; ///< take: of the word that was seen
};

struct slot_state {
    struct one {
        slot_phase phase = slot_phase::free;
        std::uint64_t ticket = 0;
        std::uint64_t record = 0;
        std::uint64_t meta = 0;
        std::uint64_t sequence = 0;
        auto operator<=>(one const&) const = default;
    };
    std::array<one, slot_count> slots;
    auto operator<=>(slot_state const&) const = default;

    std::vector<slot_state> after(slot_operation const& it, bool known) const {
        slot_state next = *this;
        one& s = next.slots[it.slot];
        switch (it.what) {
        case slot_operation::claim:
            if (known && it.done != (s.phase == slot_phase::free)) {
                return {};
            }
            if (s.phase == slot_phase::free) {
                s = {slot_phase::filling, it.ticket, 0, 0, s.sequence + 1};
            }
            return {next};
        case slot_operation::publish:
            if (s.phase != slot_phase::filling || s.ticket != it.ticket) {
                return {};
            }
            s = {slot_phase::ready, it.ticket, it.value, it.value, s.sequence + 1};
            return {next};
        case slot_operation::rewrite:
            if (s.phase != slot_phase::ready || s.ticket != it.ticket) {
                return {};
            }
            s.meta = it.value;
            return {next};
        case slot_operation::take: // by `value`, who has seen it; fails if it was changed since
            if (known && it.done != (s.sequence == it.sequence)) {
                return {};
            }
            if (s.sequence == it.sequence) {
                s = {slot_phase::cleaning, it.value, 0, 0, s.sequence + 1};
            }
            return {next};
        case slot_operation::finish:
            if (s.phase != slot_phase::cleaning || s.ticket != it.ticket) {
                return {};
            }
            s = {slot_phase::free, 0, 0, 0, s.sequence + 1};
            return {next};
        case slot_operation::read_record: return read(s, s.record, it, known);
        case slot_operation::read_meta: return read(s, s.meta, it, known);
        }
        return {};
    }

  private:
    std::vector<slot_state> read(one const& s, std::uint64_t there, slot_operation const& it,
                                 bool known) const {
        std::uint64_t const visible = s.phase == slot_phase::ready ? there : 0;
        bool const possible = !known || !it.done || it.value == visible;
        return possible ? std::vector{*this} : std::vector<slot_state>{};
    }
};

/// What a process of the registry does by chance.
class registrant {
  public:
    registrant(machine& run, std::array<small_entry, slot_count>& entries,
               recorder<slot_operation>& all, unsigned me, std::uint64_t seed)
        : run_(run), entries_(entries), all_(all), me_(me), dice_(seed) {}

    void live(unsigned steps) {
        for (unsigned i = 0; i < steps; ++i) {
            auto const slot = static_cast<std::size_t>(dice_() % slot_count);
            switch (dice_() % 4) {
            case 0: change(slot); break;
            case 1: read(slot); break;
            case 2: read_meta(slot); break;
            case 3: recover(slot); break;
            }
        }
    }

  private:
    using op = slot_operation;
    std::uint64_t ticket() const { return ticket_of(me_); }
    std::uint64_t new_value() { return ticket() * 100 + ++values_; }

    /// What can be done next with the slot that it has, or that it would like to have.
    void change(std::size_t slot) {
        if (!holds_) {
            slot_ = slot;
            all_.record({op::claim, slot, ticket(), 0, false}, [&](op it) {
                mine_ = slots::owners::load(entries_[slot].owner);
                it.done = holds_ = slots::owners::claim(entries_[slot].owner, mine_, ticket());
                return it;
            });
            if (holds_) {
                publish();
            }
        } else if (dice_() % 2 == 0) {
            all_.record({op::rewrite, slot_, ticket(), new_value(), true}, [&](op it) {
                slots::set_metadata(entries_[slot_], {{it.value, it.value}});
                return it;
            });
        } else {
            holds_ = false;
            clean(slot_, mine_);
        }
    }
    void publish() {
        all_.record({op::publish, slot_, ticket(), new_value(), true}, [&](op it) {
            slots::fill(entries_[slot_], {{it.value, it.value}, 1, {{it.value, it.value}}});
            if (!slots::publish(entries_[slot_].owner, mine_)) {
                run_.fail("a living owner was robbed");
            }
            return it;
        });
    }
    void clean(std::size_t slot, owner seen) {
        bool taken = false;
        op const what{op::take, slot, seen.ticket(), ticket(), false, seen.sequence()};
        all_.record(what, [&](op it) {
            it.done = taken = slots::take(entries_[slot].owner, seen, ticket());
            return it;
        });
        if (taken) {
            all_.record({op::finish, slot, ticket(), 0, true}, [&](op it) {
                if (!slots::finish(entries_[slot], seen)) {
                    run_.fail("a living cleaner was robbed");
                }
                return it;
            });
        }
    }
    void read(std::size_t slot) {
        all_.record({op::read_record, slot, 0, 0, true}, [&](op it) {
            owner const seen = slots::owners::load(entries_[slot].owner);
            slots::raw copy{};
            if (seen.phase() == slot_phase::ready) {
                it.done = slots::copy(entries_[slot], seen, copy);
                it.value = copy.record[0];
            }
            return it;
        });
    }
    void read_meta(std::size_t slot) {
        all_.record({op::read_meta, slot, 0, 0, true}, [&](op it) {
            owner const seen = slots::owners::load(entries_[slot].owner);
            slots::raw copy{};
            if (seen.phase() == slot_phase::ready) {
                it.done = slots::copy_metadata(entries_[slot], seen, copy.meta);
                it.value = copy.meta.words[0];
            }
            return it;
        });
    }
    void recover(std::size_t slot) {
        owner const seen = slots::owners::load(entries_[slot].owner);
        if (!seen.is_free() && seen.ticket() != ticket() && run_.proven_dead(thread_of(seen))) {
            clean(slot, seen);
        }
    }

    machine& run_;
    std::array<small_entry, slot_count>& entries_;
    recorder<slot_operation>& all_;
    unsigned me_;
    std::mt19937_64 dice_;
    bool holds_ = false;
    std::size_t slot_ = 0;
    owner mine_;
    std::uint64_t values_ = 0;
};

TEST(Linearizable, HistoriesOfTheRegistryWithKills) {
    std::array<small_entry, slot_count> entries;
    recorder<slot_operation> all;
    expect_linearizable("registry", [&](machine& run, std::mt19937_64& dice) {
        entries = {};
        all.clear();
        scenario s;
        auto const processes = static_cast<unsigned>(3 + dice() % 2);
        for (unsigned i = 0; i < processes; ++i) {
            s.threads.push_back([&run, &entries, &all, i, seed = dice()] {
                registrant(run, entries, all, i, seed).live(5);
            });
        }
        s.mortals = 15;
        s.deaths_max = 2;
        s.at_end = [&all](bool) -> std::string {
            return linearization<slot_operation, slot_state>(all.all()).exists({})
                       ? ""
                       : "no order of these operations gives what was seen";
        };
        return s;
    });
}

} // namespace
} // namespace partywall::test::explore
