// SPDX-License-Identifier: BSL-1.0
#include "machine_state.hpp"

#include <stdexcept>

namespace partywall::test::explore {
namespace {

machine* the_machine = nullptr;

} // namespace

machine::machine() : state_(std::make_unique<state>()) { the_machine = this; }
machine::~machine() { the_machine = nullptr; }
machine& machine::current() { return *the_machine; }

std::size_t machine::state::word(void const* address, std::uint64_t raw) {
    std::size_t const index = memory.word(address, raw);
    if (index == words_max) {
        refuse("too many words");
    }
    if (memory.full(index)) {
        refuse("too many values of one word");
    }
    return index;
}

bool machine::state::local(std::size_t index) const {
    return (users[index] & (users[index] - 1)) == 0 || writers[index] == 0;
}

/// Words of one thread's own, and words that nobody writes, need no schedule point. Who turns out to
/// have been wrong about that begins again.
void machine::state::use(std::size_t index, bool writes) {
    bool const was_local = local(index);
    auto const bit = static_cast<std::uint8_t>(1U << running);
    users[index] |= bit;
    writers[index] |= writes ? bit : std::uint8_t{0};
    if (was_local && !local(index)) {
        restart = true;
        leave();
    }
}

/// The place before an access where others may go first.
void machine::state::turn(std::size_t index, bool writes) {
    unsigned const me = running;
    use(index, writes);
    if (!local(index) || !begun) {
        reschedule();
        return;
    }
    self().chosen = false;
    if (may_die(me) && choose(2, 1 + me, 1) == 1) {
        kill(me);
        reschedule();
    }
}

access machine::state::look(access_kind kind, void const* address, std::memory_order order,
                            site const& where) {
    access a;
    a.thread = running;
    a.kind = kind;
    a.address = address;
    a.order = order;
    a.where = where;
    if (mutate) {
        std::uint64_t const flavour = kind == access_kind::fence ? static_cast<unsigned>(order) : 0;
        a.nth = self().counts[mix(reinterpret_cast<std::uintptr_t>(address),
                                  static_cast<std::uint64_t>(kind) * 16 + flavour)]++;
        mutate(a);
    }
    return a;
}

void machine::state::note(char const* what, site const& where, std::size_t index,
                          std::uint64_t value) {
    constexpr std::size_t steps_max = 5000;
    if (trace.size() == steps_max) {
        refuse("goes on for ever");
    }
    trace.push_back({running, what, index, value, where.function, where.line});
}

std::string machine::state::story() const {
    std::string text = "\n";
    for (step const& it : trace) {
        text += "  " + std::to_string(it.thread) + ": " + it.what;
        if (it.word != words_max) {
            text += " w" + std::to_string(it.word) + " = " + std::to_string(it.value);
        }
        if (it.line != 0) {
            text += std::string("   ") + it.function + ":" + std::to_string(it.line);
        }
        text += "\n";
    }
    return text;
}

/// Newest first: the common case is explored first.
unsigned machine::state::pick_from(weak_memory::choices const& from) {
    return limits.strong ? from.index[0] : from.index[choose(from.count, 1 + running)];
}

void machine::state::put_behind(std::size_t index, unsigned behind, std::uint64_t value,
                                std::memory_order order, bool extends) {
    if (!memory.write(running, index, behind, value, order, extends)) {
        broken("overwrites what is being read in place");
    }
}

void machine::state::put(std::size_t index, std::uint64_t value, std::memory_order order,
                         site const& where) {
    turn(index, true);
    weak_memory::choices places;
    memory.writable(running, index, places);
    put_behind(index, pick_from(places), value, order, false);
    returned(1);
    note("store", where, index, value);
}

// ---- accesses -----------------------------------------------------------------------------------

std::uint64_t machine::load(void const* address, std::uint64_t raw, std::memory_order order,
                            site const& where) {
    state& s = *state_;
    access const a = s.look(access_kind::load, address, order, where);
    std::size_t const index = s.word(address, raw);
    s.before_load(index);
    simulated& me = s.self();
    if (a.repeat && me.has_loaded[index]) {
        s.returned(6);
        return me.last_load[index];
    }
    s.turn(index, false);
    weak_memory::choices values;
    s.memory.readable(s.running, index, values);
    std::uint64_t const value = s.memory.read(s.running, index, s.pick_from(values), a.order);
    me.last_load[index] = value;
    me.has_loaded[index] = true;
    s.returned(value);
    s.note("load ", where, index, value);
    s.after(access_kind::load, a.order, where);
    return value;
}

void machine::store(void const* address, std::uint64_t raw, std::uint64_t value,
                    std::memory_order order, site const& where) {
    state& s = *state_;
    access const a = s.look(access_kind::store, address, order, where);
    std::size_t const index = s.word(address, raw);
    if (a.held == hold_back::until_loaded) {
        s.release_held();
    }
    if (a.held != hold_back::no) {
        s.use(index, true);
        s.self().held.push_back({index, value, a.order, where, a.held});
        s.returned(8);
        return;
    }
    s.put(index, value, a.order, where);
    s.after(access_kind::store, a.order, where);
}

bool machine::compare_exchange(void const* address, std::uint64_t raw, std::uint64_t& expected,
                               std::uint64_t desired, site const& where) {
    state& s = *state_;
    access const a = s.look(access_kind::exchange, address, std::memory_order_acq_rel, where);
    std::size_t const index = s.word(address, raw);
    s.before_load(index);
    s.turn(index, true);
    weak_memory::choices values;
    if (a.split) {
        s.memory.readable(s.running, index, values);
    } else {
        s.memory.exchangeable(s.running, index, expected, values);
    }
    unsigned const at = s.pick_from(values);
    std::uint64_t const value = s.memory.read(s.running, index, at, a.order);
    bool const equal = value == expected;
    s.returned(value);
    s.note(equal ? "cas  " : "cas!=", where, index, equal ? desired : value);
    if (equal && a.split) {
        s.put(index, desired, a.order, where);
    } else if (equal) {
        s.put_behind(index, at, desired, a.order, true);
    }
    expected = value;
    s.after(equal ? access_kind::exchange : access_kind::load, a.order, where);
    return equal;
}

std::uint64_t machine::fetch_add(void const* address, std::uint64_t raw, std::uint64_t increment,
                                 std::memory_order order, site const& where) {
    state& s = *state_;
    access const a = s.look(access_kind::add, address, order, where);
    std::size_t const index = s.word(address, raw);
    s.before_load(index);
    s.turn(index, true);
    weak_memory::choices values;
    if (a.split) {
        s.memory.readable(s.running, index, values);
    } else {
        s.memory.writable(s.running, index, values);
    }
    unsigned const at = s.pick_from(values);
    std::uint64_t const value = s.memory.read(s.running, index, at, a.order);
    s.returned(value);
    s.note("add  ", where, index, value + increment);
    if (a.split) {
        s.put(index, value + increment, a.order, where);
    } else {
        s.put_behind(index, at, value + increment, a.order, true);
    }
    s.after(access_kind::add, a.order, where);
    return value;
}

std::uint64_t machine::load_in_place(void const* address, std::uint64_t raw, site const& where) {
    state& s = *state_;
    (void)s.look(access_kind::in_place, address, std::memory_order_relaxed, where);
    std::size_t const index = s.word(address, raw);
    s.turn(index, false);
    bool const ordered = s.memory.read_in_place(s.running, index);
    std::uint64_t const value = s.memory.newest(index);
    s.returned(value);
    s.note("reads", where, index, value);
    if (!ordered) {
        s.broken("reads in place what is being written");
    }
    return value;
}

void machine::fence(std::memory_order order, site const& where) {
    state& s = *state_;
    access const a = s.look(access_kind::fence, nullptr, order, where);
    // An acquire or release fence changes only what its own thread knows: no other thread can
    // tell when it ran.
    if (order == std::memory_order_seq_cst) {
        s.reschedule();
    }
    s.returned(2);
    s.passed_fence(releases(order), order == std::memory_order_seq_cst);
    if (a.skip) {
        return;
    }
    if (a.order == std::memory_order_seq_cst) {
        s.memory.full_fence(s.running);
    } else {
        s.memory.fence(s.running, a.order);
    }
    s.note("fence", where);
}

/// Accesses keep their order here. A mutation that leaves it out keeps stores back until the load
/// behind it, which is what a compiler might do.
void machine::compiler_fence(site const& where) {
    state& s = *state_;
    (void)s.look(access_kind::compiler_fence, nullptr, std::memory_order_seq_cst, where);
    for (held_store& h : s.self().held) {
        h.behind_full_fence = true;
    }
}

void machine::heavy_fence(site where) {
    state& s = *state_;
    access const a = s.look(access_kind::heavy_fence, nullptr, std::memory_order_seq_cst, where);
    s.reschedule();
    s.returned(3);
    s.passed_fence(true, true);
    if (a.skip) {
        return;
    }
    if (a.order == std::memory_order_seq_cst) {
        s.memory.full_fence_everywhere(s.running);
        s.note("heavy fence", where);
    } else { // a mutation: only its own
        s.memory.full_fence(s.running);
    }
}

unsigned machine::pick(unsigned among) {
    state& s = *state_;
    unsigned const taken = s.choose(among, 1 + s.running);
    s.returned(7 + taken);
    return taken;
}

void machine::settle(std::initializer_list<std::uint64_t> numbers) {
    std::uint64_t history = 12;
    for (std::uint64_t const number : numbers) {
        history = mix(history, number);
    }
    state_->self().history = history;
}

// ---- sleep and death ----------------------------------------------------------------------------

void machine::sleep_while(std::uint32_t const& address, std::uint32_t expected, unsigned peers) {
    state& s = *state_;
    s.release_held();
    std::size_t const index = s.word(&address, address);
    s.use(index, false);
    simulated& me = s.self();
    me.sleep_word = static_cast<int>(index);
    me.sleep_value = expected;
    me.peers = peers;
    s.reschedule();
    me.sleep_word = -1;
    me.peers = 0;
    s.memory.catch_up(s.running, index);
    s.returned(s.memory.newest(index));
    s.note("wakes", site{}, index, s.memory.newest(index));
}

bool machine::wait_for_newer(std::initializer_list<word_ref> words, unsigned peers) {
    state& s = *state_;
    s.release_held();
    simulated& me = s.self();
    me.waits_for.clear();
    for (word_ref const& word : words) {
        std::size_t const index = s.word(word.address, word.raw);
        s.use(index, false);
        me.waits_for.push_back(index);
    }
    me.waits = true;
    me.peers = peers;
    s.reschedule();
    me.waits = false;
    me.peers = 0;
    // Reading an older value would be the look before once more. One of those that changed is seen.
    unsigned newer = 0;
    for (std::size_t const w : me.waits_for) {
        newer += s.memory.has_newer(s.running, w) ? 1 : 0;
    }
    unsigned chosen = newer == 0 ? 0 : s.choose(newer, 1 + s.running);
    for (std::size_t const w : me.waits_for) {
        if (s.memory.has_newer(s.running, w) && chosen-- == 0) {
            s.memory.catch_up(s.running, w);
            break;
        }
    }
    bool const died = (s.dead() & peers & ~me.proven) != 0;
    s.returned(newer != 0 ? 4 : died ? 9 : 5);
    return newer != 0 || died;
}

bool machine::proven_dead(unsigned thread, site where) {
    state& s = *state_;
    s.release_held();
    s.reschedule();
    bool const dead = s.threads[thread].dead;
    s.returned(dead ? 10 : 11);
    if (dead) {
        s.self().proven |= 1U << thread;
        s.memory.learn_all_of(s.running, thread);
        s.note("proves a death", where);
    }
    return dead;
}

void machine::fail(std::string const& what) { state_->broken(what); }

bool machine::is_dead(unsigned thread) const { return state_->threads[thread].dead; }

std::uint64_t machine::newest(void const* word) const {
    std::size_t const index = state_->memory.find(word);
    if (index == words_max || !state_->memory.used(index)) {
        throw std::out_of_range("a word that nobody used");
    }
    return state_->memory.newest(index);
}

std::uint64_t machine::newest_or(void const* word, std::uint64_t raw) const {
    std::size_t const index = state_->memory.find(word);
    return index == words_max || !state_->memory.used(index) ? raw : state_->memory.newest(index);
}

} // namespace partywall::test::explore
