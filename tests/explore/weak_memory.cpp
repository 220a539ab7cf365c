// SPDX-License-Identifier: BSL-1.0
#include "weak_memory.hpp"

#include <algorithm>
#include <cstring>

namespace partywall::test::explore {
namespace {

void join(view& into, view const& other) {
    for (std::size_t i = 0; i < into.size(); ++i) {
        into[i] = std::max(into[i], other[i]);
    }
}

} // namespace

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
    hash ^= value + 0x9e37'79b9'7f4a'7c15 + (hash << 6) + (hash >> 2);
    hash *= 0xff51'afd7'ed55'8ccd;
    return hash ^ (hash >> 33);
}

void fingerprint::add(std::uint64_t value) {
    a = mix(a, value);
    b = mix(b ^ 0x5555, value * 3);
}

void weak_memory::reset(unsigned thread_count) {
    thread_count_ = thread_count;
    for (auto& values : words_) {
        values.clear();
    }
    threads_ = {};
    in_place_ = {};
    reads_in_place_ = false;
    common_ = {};
}

std::size_t weak_memory::find(void const* address) const {
    auto const at = std::find(addresses_.begin(), addresses_.end(), address);
    return at == addresses_.end() ? words_max : static_cast<std::size_t>(at - addresses_.begin());
}

std::size_t weak_memory::word(void const* address, std::uint64_t raw) {
    std::size_t index = find(address);
    if (index == words_max) {
        if (addresses_.size() == words_max) {
            return words_max;
        }
        index = addresses_.size();
        addresses_.push_back(address);
        words_.emplace_back();
    }
    if (words_[index].empty()) {
        words_[index].push_back({raw, {}, false});
    }
    return index;
}

void weak_memory::readable(unsigned thread, std::size_t index, choices& out) const {
    unsigned const oldest = threads_[thread].current[index];
    out.count = 0;
    for (auto at = static_cast<unsigned>(words_[index].size()); at-- > oldest;) {
        out.index[out.count++] = static_cast<std::uint8_t>(at);
    }
}

void weak_memory::writable(unsigned thread, std::size_t index, choices& out) const {
    auto const& values = words_[index];
    unsigned const oldest = threads_[thread].current[index];
    out.count = 0;
    for (auto at = static_cast<unsigned>(values.size()); at-- > oldest;) {
        if (at + 1 == values.size() || !values[at + 1].extends) {
            out.index[out.count++] = static_cast<std::uint8_t>(at);
        }
    }
}

void weak_memory::exchangeable(unsigned thread, std::size_t index, std::uint64_t expected,
                               choices& out) const {
    auto const& values = words_[index];
    unsigned const oldest = threads_[thread].current[index];
    out.count = 0;
    for (auto at = static_cast<unsigned>(values.size()); at-- > oldest;) {
        bool const last = at + 1 == values.size() || !values[at + 1].extends;
        if (values[at].value != expected || last) {
            out.index[out.count++] = static_cast<std::uint8_t>(at);
        }
    }
}

std::uint64_t weak_memory::read(unsigned thread, std::size_t index, unsigned at,
                                std::memory_order order) {
    knowledge& me = threads_[thread];
    message const& m = words_[index][at];
    me.current[index] = static_cast<std::uint8_t>(at);
    join(me.acquirable, m.known);
    if (acquires(order)) {
        join(me.current, m.known);
    }
    return m.value;
}

/// Values from number `at` on move up by one.
void weak_memory::make_room(std::size_t index, unsigned at) {
    auto const shift = [&](view& v) {
        v[index] = static_cast<std::uint8_t>(v[index] + (v[index] >= at));
    };
    for (auto& values : words_) {
        for (message& m : values) {
            shift(m.known);
        }
    }
    for (knowledge& k : threads_) {
        shift(k.current);
        shift(k.acquirable);
        shift(k.released);
    }
    shift(common_);
}

bool weak_memory::write(unsigned thread, std::size_t index, unsigned behind, std::uint64_t value,
                        std::memory_order order, bool extends) {
    auto& values = words_[index];
    auto const at = static_cast<std::uint8_t>(behind + 1);
    if (at != values.size()) {
        make_room(index, at);
    }
    knowledge& me = threads_[thread];
    me.current[index] = at;
    message m{value, releases(order) ? me.current : me.released, extends};
    m.known[index] = at;
    if (extends) {
        join(m.known, values[behind].known); // it continues the release sequence
    }
    values.insert(values.begin() + at, m);
    bool ordered = true;
    for (unsigned t = 0; reads_in_place_ && t < thread_count_; ++t) {
        ordered = ordered && (t == thread || in_place_[t][index] <= me.current[words_max + t]);
    }
    return ordered;
}

bool weak_memory::read_in_place(unsigned thread, std::size_t index) {
    view& mine = threads_[thread].current;
    reads_in_place_ = true;
    mine[words_max + thread] = static_cast<std::uint8_t>(mine[words_max + thread] + 1);
    in_place_[thread][index] = mine[words_max + thread];
    return mine[index] + 1U == words_[index].size();
}

void weak_memory::fence(unsigned thread, std::memory_order order) {
    knowledge& me = threads_[thread];
    if (acquires(order)) {
        join(me.current, me.acquirable);
    }
    if (releases(order)) {
        me.released = me.current;
    }
}

void weak_memory::full_fence(unsigned thread) {
    knowledge& me = threads_[thread];
    join(me.current, me.acquirable);
    join(me.current, common_);
    common_ = me.current;
    me.released = me.current;
}

void weak_memory::full_fence_everywhere(unsigned thread) {
    full_fence(thread);
    for (unsigned i = 0; i < thread_count_; ++i) {
        if (i != thread) {
            full_fence(i);
        }
    }
    full_fence(thread);
}

void weak_memory::catch_up(unsigned thread, std::size_t index) {
    threads_[thread].current[index] = static_cast<std::uint8_t>(words_[index].size() - 1);
}

void weak_memory::learn_all_of(unsigned thread, unsigned other) {
    join(threads_[thread].current, threads_[other].current);
    join(threads_[thread].current, threads_[other].acquirable);
}

void weak_memory::add_to(fingerprint& print, unsigned gone) const {
    // What no thread can read any more does not matter, and how much of it there was neither.
    view oldest;
    oldest.fill(255);
    for (unsigned i = 0; i < thread_count_; ++i) {
        if ((gone >> i & 1) == 0) {
            for (std::size_t w = 0; w < words_max; ++w) {
                oldest[w] = std::min(oldest[w], threads_[i].current[w]);
            }
        }
    }
    std::fill(oldest.begin() + words_max, oldest.end(), std::uint8_t{0});
    for (std::size_t w = 0; w < words_.size(); ++w) {
        if (!words_[w].empty()) { // the newest always counts: the end looks at it
            oldest[w] = std::min(oldest[w], static_cast<std::uint8_t>(words_[w].size() - 1));
        }
    }
    auto const add = [&](view const& v) {
        view above;
        for (std::size_t i = 0; i < v.size(); ++i) {
            above[i] = static_cast<std::uint8_t>(std::max(v[i], oldest[i]) - oldest[i]);
        }
        for (std::size_t i = 0; i < above.size(); i += 8) {
            std::uint64_t part;
            std::memcpy(&part, above.data() + i, 8);
            print.add(part);
        }
    };
    for (std::size_t w = 0; w < words_.size(); ++w) {
        auto const& values = words_[w];
        print.add(values.size() - (values.empty() ? 0 : oldest[w]));
        for (std::size_t i = values.empty() ? 0 : oldest[w]; i < values.size(); ++i) {
            print.add(values[i].value * 2 + (values[i].extends ? 1 : 0));
            add(values[i].known);
        }
    }
    for (unsigned i = 0; i < thread_count_; ++i) {
        if ((gone >> i & 1) == 0) {
            add(threads_[i].current);
            add(threads_[i].acquirable);
            add(threads_[i].released);
        }
        for (std::size_t w = 0; reads_in_place_ && w < words_.size(); ++w) {
            print.add(in_place_[i][w]);
        }
    }
    add(common_);
}

} // namespace partywall::test::explore
