// SPDX-License-Identifier: BSL-1.0
// What a message costs, as functions that hot_path_check.py finds in the object file and reads.
// Compiled as in a release, never run.
#include <partywall/ring/gate.hpp>
#include <partywall/ring/ring_reader.hpp>
#include <partywall/ring/ring_writer.hpp>
#include <partywall/wait/bell.hpp>

#include <atomic>

using namespace partywall;
using namespace partywall::detail;

/// With its stamp exactly a line.
struct probe_message {
    std::uint64_t number;
    double bid;
    double ask;
    std::uint32_t sizes[8];
};
static_assert(sizeof(probe_message) == 56);

struct probe_block {
    std::uint64_t words[32];
};

extern "C" {

// hot_*: nothing but loads, stores and arithmetic.

void hot_publish(ring_writer<>& out, probe_message const& message) { out.put(message); }

void hot_publish_fields(ring_writer<>& out, std::uint64_t number, double bid, double ask) {
    out.put(probe_message{number, bid, ask, {1, 2, 3, 4, 5, 6, 7, 8}});
}

void hot_publish_block(ring_writer<>& out, probe_block const& message) { out.put(message); }

void hot_publish_loan(ring_writer<>& out, std::uint64_t number) {
    *reinterpret_cast<std::uint64_t*>(out.begin()) = number;
    out.commit();
}

void hot_publish_bytes(ring_writer<>& out, std::byte const* message, std::uint32_t bytes) {
    out.put(message, bytes);
}

/// False: the gate has to look again, off this path.
bool hot_publish_gated(ring_writer<>& out, gate<> const& ahead, probe_message const& message) {
    if (!ahead.open(out.position())) {
        return false;
    }
    out.put(message);
    return true;
}

bool hot_read(ring_reader<>& in, probe_message& message) {
    if (in.look() != cell_state::ready ||
        !in.copy_fixed<sizeof message>(reinterpret_cast<std::byte*>(&message))) {
        return false;
    }
    in.advance();
    return true;
}

bool hot_read_block(ring_reader<>& in, probe_block& message) {
    return in.copy_fixed<sizeof message>(reinterpret_cast<std::byte*>(&message));
}

bool hot_read_bytes(ring_reader<>& in, std::byte* target, std::uint64_t& bytes) {
    if (in.look() != cell_state::ready) {
        return false;
    }
    bytes = in.length();
    if (bytes > in.geometry().payload_bytes_max || !in.copy(target, bytes)) {
        return false;
    }
    in.advance();
    return true;
}

bool hot_read_in_place(ring_reader<>& in, probe_message const*& message) {
    if (in.look() != cell_state::ready) {
        return false;
    }
    message = reinterpret_cast<probe_message const*>(in.geometry().payload(in.position()));
    in.advance();
    return true;
}

// fenced_*: one fence instruction, jumped over unless the endpoint asked for it.

bool fenced_bell(bell_ringer<> const& bell) { return bell.armed(); }

// bad_*: what the check must find, or it finds nothing at all.

std::uint64_t bad_exchange(std::uint64_t& word) {
    return std::atomic_ref<std::uint64_t>(word).exchange(1, std::memory_order_relaxed);
}
void bad_add(std::uint64_t& word) {
    std_atomics::fetch_add(word, std::uint64_t{1}, std::memory_order_relaxed);
}
void bad_store(std::uint64_t& word) {
    std_atomics::store(word, std::uint64_t{1}, std::memory_order_seq_cst);
}
void bad_fence() { std_atomics::fence(std::memory_order_seq_cst); }
int bad_call();
int bad_caller() { return bad_call() + 1; }
int bad_tail_caller() { return bad_call(); }

} // extern "C"
