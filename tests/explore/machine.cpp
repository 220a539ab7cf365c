// SPDX-License-Identifier: BSL-1.0
#include "machine.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <ucontext.h>
#include <unordered_map>
#include <unordered_set>

namespace partywall::test::explore {

namespace {

constexpr std::size_t words_max = 40;
constexpr unsigned threads_max = 3;
constexpr std::size_t stack_bytes = 64 * 1024;

/// For every word the index of the oldest value that may still be read.
using view = std::array<std::uint8_t, words_max>;

void join(view& into, view const& other) {
    for (std::size_t i = 0; i < into.size(); ++i) {
        into[i] = std::max(into[i], other[i]);
    }
}

struct message {
    std::uint64_t value;
    view known; ///< what an acquiring reader learns
};

struct fiber {
    ucontext_t context;
    std::vector<char> stack = std::vector<char>(stack_bytes);
    std::function<void()> body;
    view current{};    ///< what this thread knows
    view acquirable{}; ///< what its relaxed loads would have taught it: for acquire fences
    view released{};   ///< what it knew at its last release fence
    bool ended = false;
    int sleep_word = -1; ///< asleep while the newest value of this word is sleep_value
    std::uint64_t sleep_value = 0;
    std::uint64_t changes_seen = 0; ///< asleep until the number of changes differs
    bool wants_change = false;
    std::uint64_t history = 0; ///< hash of everything that its accesses returned
    std::unordered_map<std::uint64_t, unsigned> counts; // only kept for mutations
    std::array<std::uint64_t, words_max> last_load{};
    std::array<bool, words_max> has_loaded{};
};

/// What an execution did, to be told if it broke something.
struct step {
    unsigned thread;
    char const* what;
    std::size_t word; ///< words_max: none
    std::uint64_t value;
};

constexpr std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
    hash ^= value + 0x9e37'79b9'7f4a'7c15 + (hash << 6) + (hash >> 2);
    hash *= 0xff51'afd7'ed55'8ccd;
    return hash ^ (hash >> 33);
}

struct key {
    std::uint64_t a, b;
    bool operator==(key const&) const = default;
};
struct key_hash {
    std::size_t operator()(key const& k) const { return k.a; }
};

machine* the_machine = nullptr;

bool acquires(std::memory_order order) {
    return order == std::memory_order_acquire || order == std::memory_order_acq_rel ||
           order == std::memory_order_seq_cst;
}
bool releases(std::memory_order order) {
    return order == std::memory_order_release || order == std::memory_order_acq_rel ||
           order == std::memory_order_seq_cst;
}

} // namespace

struct machine::state {
    struct choice {
        unsigned taken;
        unsigned among;
    };

    std::vector<void const*> addresses; // by index; kept across executions
    std::vector<std::vector<message>> words;
    std::array<fiber, threads_max> fibers;
    unsigned thread_count = 0;
    unsigned running = 0;
    view common{}; // what seq_cst fences pass on
    std::uint64_t changes = 0;

    ucontext_t main_context;
    std::vector<choice> choices;
    std::size_t next_choice = 0;
    std::unordered_set<key, key_hash> seen;
    bool pruned = false;
    std::string violation;
    std::vector<step> trace;
    std::function<void(access&)> mutate;

    static void rewind(fiber& thread);
    void reset(scenario const& what);
    void run();
    std::size_t word(void const* address, std::uint64_t raw);
    unsigned choose(unsigned among, unsigned stage);
    key hash(unsigned stage) const;
    void refuse(char const* what);
    bool enabled(unsigned thread) const;
    bool others_ended(unsigned thread) const;
    void reschedule();
    void switch_to(unsigned thread);
    [[noreturn]] void leave();
    fiber& self() { return fibers[running]; }
    void returned(std::uint64_t value) { self().history = mix(self().history, value); }
    access look(access_kind kind, void const* address, std::memory_order order);
    void append(std::size_t index, std::uint64_t value, std::memory_order order, bool extends);
    void note(char const* what, std::size_t index = words_max, std::uint64_t value = 0);
    std::string story() const;
    void full_fence(fiber& thread);
    static void enter();
};

machine::machine() : state_(std::make_unique<state>()) { the_machine = this; }
machine::~machine() { the_machine = nullptr; }
machine& machine::current() { return *the_machine; }

/// Back to the beginning of its body.
void machine::state::rewind(fiber& thread) {
    getcontext(&thread.context);
    thread.context.uc_stack.ss_sp = thread.stack.data();
    thread.context.uc_stack.ss_size = thread.stack.size();
    thread.context.uc_link = nullptr;
    makecontext(&thread.context, &state::enter, 0);
}

void machine::state::reset(scenario const& what) {
    thread_count = static_cast<unsigned>(what.threads.size());
    for (auto& values : words) {
        values.clear();
    }
    common = {};
    changes = 0;
    next_choice = 0;
    pruned = false;
    trace.clear();
    for (unsigned i = 0; i < thread_count; ++i) {
        fiber& thread = fibers[i];
        thread.body = what.threads[i];
        thread.current = thread.acquirable = thread.released = {};
        thread.ended = thread.wants_change = false;
        thread.sleep_word = -1;
        thread.history = 0;
        thread.counts.clear();
        thread.has_loaded = {};
        rewind(thread);
    }
}

void machine::state::enter() {
    state& me = *the_machine->state_;
    me.self().body();
    me.self().ended = true;
    me.reschedule();
    me.leave(); // never scheduled again
}

/// A scenario that this machine cannot run. Not an exception: those do not cross contexts.
void machine::state::refuse(char const* what) {
    violation = what;
    leave();
}

void machine::state::leave() {
    setcontext(&main_context);
    std::abort();
}

std::size_t machine::state::word(void const* address, std::uint64_t raw) {
    std::size_t index = 0;
    while (index < addresses.size() && addresses[index] != address) {
        index += 1;
    }
    if (index == words_max) {
        refuse("too many words");
    }
    if (index == addresses.size()) {
        addresses.push_back(address);
        words.emplace_back();
    }
    if (words[index].empty()) {
        words[index].push_back({raw, {}});
    }
    return index;
}

/// `stage` 0: which thread goes on. Else 1 + the thread that chooses what its load returns.
unsigned machine::state::choose(unsigned among, unsigned stage) {
    if (among == 1) {
        return 0;
    }
    if (next_choice == choices.size()) {
        if (!seen.insert(hash(stage)).second) {
            pruned = true;
            leave();
        }
        choices.push_back({0, among});
    }
    if (choices[next_choice].among != among) {
        refuse("the scenario is not deterministic");
    }
    return choices[next_choice++].taken;
}

key machine::state::hash(unsigned stage) const {
    key k{1, 2};
    auto const add = [&k](std::uint64_t value) {
        k.a = mix(k.a, value);
        k.b = mix(k.b ^ 0x5555, value * 3);
    };
    auto const add_view = [&](view const& v) {
        for (std::size_t i = 0; i < words_max; i += 8) {
            std::uint64_t part;
            std::memcpy(&part, v.data() + i, 8);
            add(part);
        }
    };
    add(stage);
    for (auto const& values : words) {
        add(values.size());
        for (std::size_t i = 1; i < values.size(); ++i) {
            add(values[i].value);
            add_view(values[i].known);
        }
    }
    for (unsigned i = 0; i < thread_count; ++i) {
        fiber const& thread = fibers[i];
        add_view(thread.current);
        add_view(thread.acquirable);
        add_view(thread.released);
        add(thread.history);
        add(static_cast<std::uint64_t>(thread.sleep_word + 1) * 4 + (thread.ended ? 1 : 0) +
            (thread.wants_change ? 2 : 0));
        add(thread.wants_change && thread.changes_seen == changes ? 1 : 0);
    }
    add_view(common);
    return k;
}

bool machine::state::others_ended(unsigned thread) const {
    for (unsigned i = 0; i < thread_count; ++i) {
        if (i != thread && !fibers[i].ended) {
            return false;
        }
    }
    return true;
}

bool machine::state::enabled(unsigned thread) const {
    fiber const& it = fibers[thread];
    if (it.ended) {
        return false;
    }
    if (it.sleep_word >= 0) {
        auto const& values = words[static_cast<std::size_t>(it.sleep_word)];
        return values.back().value != it.sleep_value;
    }
    return !it.wants_change || it.changes_seen != changes || others_ended(thread);
}

/// Called by a thread before every access: another may go first.
void machine::state::reschedule() {
    std::array<unsigned, threads_max> ready{};
    unsigned count = 0;
    for (unsigned i = 0; i < thread_count; ++i) {
        if (enabled(i)) {
            ready[count++] = i;
        }
    }
    if (count == 0) {
        leave();
    }
    switch_to(ready[choose(count, 0)]);
}

void machine::state::switch_to(unsigned thread) {
    if (thread == running) {
        return;
    }
    unsigned const before = running;
    running = thread;
    swapcontext(&fibers[before].context, &fibers[thread].context);
}

access machine::state::look(access_kind kind, void const* address, std::memory_order order) {
    // An acquire or release fence changes only what its own thread knows: no other thread can
    // tell when it ran.
    if (kind != access_kind::fence || order == std::memory_order_seq_cst) {
        reschedule();
    }
    access a;
    a.thread = running;
    a.kind = kind;
    a.address = address;
    a.order = order;
    if (mutate) {
        std::uint64_t const flavour = kind == access_kind::fence ? static_cast<unsigned>(order) : 0;
        a.nth = self().counts[mix(reinterpret_cast<std::uintptr_t>(address),
                                  static_cast<std::uint64_t>(kind) * 16 + flavour)]++;
        mutate(a);
    }
    return a;
}

void machine::state::note(char const* what, std::size_t index, std::uint64_t value) {
    trace.push_back({running, what, index, value});
}

std::string machine::state::story() const {
    std::string text = "\n";
    for (step const& it : trace) {
        text += "  " + std::to_string(it.thread) + ": " + it.what;
        if (it.word != words_max) {
            text += " w" + std::to_string(it.word) + " = " + std::to_string(it.value);
        }
        text += "\n";
    }
    return text;
}

void machine::state::append(std::size_t index, std::uint64_t value, std::memory_order order,
                            bool extends) {
    auto& values = words[index];
    if (values.size() > 250) {
        refuse("too many values of one word");
    }
    fiber& me = self();
    view const before = values.back().known;
    me.current[index] = static_cast<std::uint8_t>(values.size());
    message m{value, releases(order) ? me.current : me.released};
    m.known[index] = static_cast<std::uint8_t>(values.size());
    if (extends) {
        join(m.known, before); // a read-modify-write continues the release sequence
    }
    values.push_back(m);
    changes += 1;
}

std::uint64_t machine::load(void const* address, std::uint64_t raw, std::memory_order order) {
    state& s = *state_;
    access const a = s.look(access_kind::load, address, order);
    std::size_t const index = s.word(address, raw);
    fiber& me = s.self();
    if (a.repeat && me.has_loaded[index]) {
        s.returned(6);
        return me.last_load[index];
    }
    auto const newest_index = static_cast<unsigned>(s.words[index].size() - 1);
    // Newest first: the common case is explored first.
    unsigned const among = newest_index - me.current[index] + 1;
    unsigned const at = newest_index - s.choose(among, 1 + s.running);
    message const& m = s.words[index][at];
    me.current[index] = static_cast<std::uint8_t>(at);
    join(me.acquirable, m.known);
    if (acquires(a.order)) {
        join(me.current, m.known);
    }
    me.last_load[index] = m.value;
    me.has_loaded[index] = true;
    s.returned(m.value);
    s.note("load ", index, m.value);
    return m.value;
}

void machine::store(void const* address, std::uint64_t raw, std::uint64_t value,
                    std::memory_order order) {
    state& s = *state_;
    access const a = s.look(access_kind::store, address, order);
    std::size_t const index = s.word(address, raw);
    s.append(index, value, a.order, false);
    s.returned(1);
    s.note("store", index, value);
}

bool machine::compare_exchange(void const* address, std::uint64_t raw, std::uint64_t& expected,
                               std::uint64_t desired) {
    state& s = *state_;
    s.look(access_kind::exchange, address, std::memory_order_acq_rel);
    std::size_t const index = s.word(address, raw);
    fiber& me = s.self();
    message const m = s.words[index].back();
    me.current[index] = static_cast<std::uint8_t>(s.words[index].size() - 1);
    join(me.acquirable, m.known);
    join(me.current, m.known);
    bool const equal = m.value == expected;
    if (equal) {
        s.append(index, desired, std::memory_order_acq_rel, true);
    }
    s.returned(m.value);
    s.note(equal ? "cas  " : "cas!=", index, equal ? desired : m.value);
    expected = m.value;
    return equal;
}

std::uint64_t machine::fetch_add(void const* address, std::uint64_t raw, std::uint64_t increment,
                                 std::memory_order order) {
    state& s = *state_;
    access const a = s.look(access_kind::add, address, order);
    std::size_t const index = s.word(address, raw);
    fiber& me = s.self();
    message const m = s.words[index].back();
    me.current[index] = static_cast<std::uint8_t>(s.words[index].size() - 1);
    join(me.acquirable, m.known);
    if (acquires(a.order)) {
        join(me.current, m.known);
    }
    s.append(index, m.value + increment, a.order, true);
    s.returned(m.value);
    s.note("add  ", index, m.value + increment);
    return m.value;
}

void machine::state::full_fence(fiber& thread) {
    join(thread.current, thread.acquirable);
    join(thread.current, common);
    common = thread.current;
    thread.released = thread.current;
}

void machine::fence(std::memory_order order) {
    state& s = *state_;
    access const a = s.look(access_kind::fence, nullptr, order);
    s.returned(2);
    if (a.skip) {
        return;
    }
    fiber& me = s.self();
    if (a.order == std::memory_order_seq_cst) {
        s.full_fence(me);
        s.note("fence");
        return;
    }
    if (acquires(a.order)) {
        join(me.current, me.acquirable);
    }
    if (releases(a.order)) {
        me.released = me.current;
    }
}

void machine::heavy_fence() {
    state& s = *state_;
    access const a = s.look(access_kind::fence, nullptr, std::memory_order_seq_cst);
    s.returned(3);
    if (a.skip) {
        return;
    }
    s.note("heavy fence");
    s.full_fence(s.self());
    for (unsigned i = 0; i < s.thread_count; ++i) {
        if (i != s.running) {
            s.full_fence(s.fibers[i]);
        }
    }
    s.full_fence(s.self());
}

unsigned machine::pick(unsigned among) {
    state& s = *state_;
    unsigned const taken = s.choose(among, 1 + s.running);
    s.returned(7 + taken);
    return taken;
}

void machine::sleep_while(std::uint32_t const& address, std::uint32_t expected) {
    state& s = *state_;
    std::size_t const index = s.word(&address, address);
    fiber& me = s.self();
    me.sleep_word = static_cast<int>(index);
    me.sleep_value = expected;
    s.reschedule();
    me.sleep_word = -1;
    // The kernel compared with the newest value: nothing older can be read afterwards.
    me.current[index] = static_cast<std::uint8_t>(s.words[index].size() - 1);
    s.returned(s.words[index].back().value);
    s.note("wakes");
}

bool machine::wait_for_change() {
    state& s = *state_;
    fiber& me = s.self();
    me.wants_change = true;
    me.changes_seen = s.changes;
    s.reschedule();
    me.wants_change = false;
    bool const changed = me.changes_seen != s.changes;
    s.returned(changed ? 4 : 5);
    return changed;
}

void machine::fail(std::string const& what) {
    state& s = *state_;
    s.violation = what + s.story();
    s.leave();
}

std::uint64_t machine::newest(void const* word) const {
    auto const& all = state_->addresses;
    auto const index =
        static_cast<std::size_t>(std::find(all.begin(), all.end(), word) - all.begin());
    if (index == all.size() || state_->words[index].empty()) {
        throw std::out_of_range("a word that nobody used");
    }
    return state_->words[index].back().value;
}

void machine::state::run() {
    running = 0; // until its first access; who goes first is the first choice
    swapcontext(&main_context, &fibers[0].context);
}

outcome machine::explore(std::function<scenario()> const& make,
                         std::function<void(access&)> const& mutate, std::uint64_t executions_max) {
    state& s = *state_;
    s.mutate = mutate;
    s.choices.clear();
    s.seen.clear();
    s.violation.clear();
    outcome result;
    while (result.executions < executions_max) {
        scenario const what = make();
        if (what.threads.empty() || what.threads.size() > threads_max) {
            throw std::invalid_argument("one to three threads");
        }
        s.reset(what);
        s.run();
        result.executions += 1;
        result.states = s.seen.size();
        if (s.violation.empty() && !s.pruned && what.at_end) {
            bool const stuck = std::any_of(s.fibers.begin(), s.fibers.begin() + s.thread_count,
                                           [](fiber const& thread) { return !thread.ended; });
            if (std::string const broken = what.at_end(stuck); !broken.empty()) {
                s.violation = broken + s.story();
            }
        }
        if (!s.violation.empty()) {
            result.violation = s.violation;
            return result;
        }
        while (!s.choices.empty() && s.choices.back().taken + 1 == s.choices.back().among) {
            s.choices.pop_back();
        }
        if (s.choices.empty()) {
            result.complete = true;
            return result;
        }
        s.choices.back().taken += 1;
    }
    return result;
}

} // namespace partywall::test::explore
