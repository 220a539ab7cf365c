// SPDX-License-Identifier: BSL-1.0
// One writer that waits for nobody, and readers that it does not know.
#include "ring_memory.hpp"
#include "scenarios.hpp"

#include <partywall/ring/ring_reader.hpp>
#include <partywall/ring/ring_writer.hpp>

namespace partywall::test::explore {
namespace {

using ring_reader = detail::ring_reader<explored_atomics>;
using ring_writer = detail::ring_writer<explored_atomics>;

/// Two cells, and what everybody did.
struct room : ring_memory<2> {
    std::uint64_t begun = 0;    ///< messages that the writer has begun
    std::uint64_t sent = 0;     ///< messages that it has sent
    std::uint64_t position = 0; ///< of the reader, from the start
    std::uint64_t taken = 0;
    std::uint64_t missed = 0;

    void clear(std::uint64_t first, bool lengths = false) {
        format(first, lengths);
        begun = sent = position = taken = missed = 0;
    }
    std::uint64_t ghost() const { return begun * 16 + sent; }
};

void write(room& shared, std::uint64_t messages) {
    detail::ring_geometry const g = shared.geometry();
    ring_writer out(g);
    for (std::uint64_t i = 0; i < messages; ++i) {
        shared.begun = i + 1;
        ring_message const m = ring_message::at(g.start_position + i);
        if (g.variable_length) {
            out.put(reinterpret_cast<std::byte const*>(&m), ring_message::bytes_at(i));
        } else {
            out.put(m);
        }
        shared.sent = i + 1;
    }
}

void take(machine& run, room& shared, ring_reader& in) {
    ring_message got{};
    std::uint64_t const length = in.length();
    if (length > sizeof got) {
        if (in.still_there(in.position())) {
            run.fail("a torn or foreign length");
        }
        shared.missed += 1;
    } else if (in.copy(reinterpret_cast<std::byte*>(&got), length)) {
        if (length != (shared.variable ? ring_message::bytes_at(shared.position) : sizeof got) ||
            !got.is_at(in.position(), length)) {
            run.fail("a torn or foreign message");
        }
        shared.taken += 1;
    } else {
        shared.missed += 1;
    }
}

/// Takes up to `takes` messages and whatever lapped cells lie between; all if it never has enough.
void read(machine& run, room& shared, std::uint64_t takes) {
    detail::ring_geometry const g = shared.geometry();
    ring_reader in(g, g.start_position);
    while (shared.taken < takes) {
        run.settle({shared.position, shared.taken, shared.missed});
        switch (in.look()) {
        case detail::cell_state::not_yet:
            if (!run.wait_for_newer({g.stamp(in.position())})) {
                return;
            }
            continue;
        case detail::cell_state::ready: take(run, shared, in); break;
        case detail::cell_state::lapped:
            if (shared.begun <= shared.position + g.cell_count) {
                run.fail("counted as lost, but still there");
            }
            shared.missed += 1;
            break;
        case detail::cell_state::corrupt: run.fail("corrupt");
        }
        in.advance();
        shared.position += 1;
    }
}

std::string at_the_end(room const& shared, std::uint64_t takes) {
    if (shared.taken + shared.missed != shared.position) {
        return "the count of lost messages is not exact";
    }
    if (shared.taken < takes && shared.position < shared.sent) {
        return "empty, but there was a message";
    }
    return "";
}

scenario lossy(machine& run, room& shared, std::uint64_t messages, std::uint64_t takes,
               std::uint64_t start, bool variable) {
    shared.clear(start, variable);
    scenario s;
    s.threads = {[&shared, messages] { write(shared, messages); },
                 [&run, &shared, takes] { read(run, shared, takes); }};
    s.at_end = [&shared, takes](bool) { return at_the_end(shared, takes); };
    return s;
}

constexpr std::uint64_t all = ~std::uint64_t{0};

scenario dying_writer(machine& run, room& shared, std::uint64_t messages) {
    scenario s = lossy(run, shared, messages, all, 0, false);
    s.mortals = 1;
    s.deaths_max = 1;
    s.ghost = [&shared] { return shared.ghost(); };
    return s;
}

/// A late reader looks for the end while the writer goes on: never past it, never corrupt.
scenario late_reader(machine& run, room& shared, std::uint64_t messages) {
    shared.clear(0);
    scenario s;
    s.threads = {[&shared, messages] { write(shared, messages); },
                 [&run, &shared] {
                     ring_reader in(shared.geometry(), 0);
                     std::uint64_t const end = in.find_end(99);
                     if (end > shared.begun) {
                         run.fail("an end that is not there yet");
                     }
                     if (end != 0) {
                         in.set_position(end - 1); // the newest message of all
                         take(run, shared, in);
                     }
                 }};
    return s;
}

/// A joiner walks from a cell that is safe to the newest message.
scenario walker(machine& run, room& shared) {
    shared.clear(0);
    scenario s;
    s.threads = {[&shared] { write(shared, 2); },
                 [&run, &shared] {
                     ring_reader in(shared.geometry(), 0);
                     std::uint64_t const end = in.walk_to_end(0);
                     if (end > shared.sent) {
                         run.fail("an end that is not there yet");
                     }
                     for (; in.position() < end; in.advance()) {
                         shared.position = in.position();
                         take(run, shared, in);
                     }
                     if (shared.taken != end) {
                         run.fail("walked past a message that is not there");
                     }
                 }};
    return s;
}

/// What the creator formats, the first writer goes on with.
scenario formatted(machine& run, room& shared) {
    shared.clear(0);
    shared.words.fill(0xbad);
    scenario s;
    s.threads = {[&run, &shared] {
        ring_writer::format(shared.geometry());
        shared.sent = 0;
        read(run, shared, all);
        write(shared, 1);
        read(run, shared, all);
    }};
    s.at_end = [&shared](bool) { return shared.taken == 1 ? "" : "the message was not there"; };
    return s;
}

} // namespace

scenarios ring_scenarios(bool large) {
    std::uint64_t const takes = large ? 2 : 1;
    scenarios list;
    auto const add = [&list](char const* name, auto make) {
        list.push_back(name_scenario<room>(name, make));
    };
    add("RingLossy",
        [takes](machine& run, room& shared) { return lossy(run, shared, 3, takes, 0, false); });
    add("RingLossyToTheEnd", [large](machine& run, room& shared) {
        return lossy(run, shared, large ? 4 : 3, all, 0, false);
    });
    add("RingLossyAcrossTheEndOfThePositions", [takes](machine& run, room& shared) {
        return lossy(run, shared, 3, takes, std::uint64_t{0} - 3, false);
    });
    add("RingOfMessagesOfAnyLength",
        [takes](machine& run, room& shared) { return lossy(run, shared, 3, takes, 0, true); });
    add("RingWriterDies",
        [large](machine& run, room& shared) { return dying_writer(run, shared, large ? 4 : 3); });
    add("RingLateReader",
        [large](machine& run, room& shared) { return late_reader(run, shared, large ? 4 : 3); });
    add("RingWalk", [](machine& run, room& shared) { return walker(run, shared); });
    add("RingFormat", [](machine& run, room& shared) { return formatted(run, shared); });
    return list;
}

} // namespace partywall::test::explore
