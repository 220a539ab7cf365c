// SPDX-License-Identifier: BSL-1.0
// Bytes of a breaker's record: private memory, or shared with those who look, or (scope host)
// with those who use the same breaker. Behaviour: breaker_core.hpp and what it includes.
// Golden bytes: tests/golden/breaker_record_v1.hex.
//
//      0 +-------------------------------------------------------------------+
//        | breaker_constants: the rules; written before anybody else looks   |
//    128 +-------------------------------------------------------------------+
//        | state u64 | trip u64 | rejected_before u64 | incarnation u64      |
//        | met u64                                                           |
//    256 +-------------------------------------------------------------------+
//        | buckets: 16 x u64             results, by the time they came      |
//    384 +-------------------------------------------------------------------+
//        | neutral: 16 x u64             the same, for ignored and cancelled |
//    512 +-------------------------------------------------------------------+
//        | streak u64 | ring_totals u64 | ring_next u64                      |
//        | settled: calls, failures, slow, ignored, cancelled      5 x u64   |
//    640 +-------------------------------------------------------------------+
//        | probes u64                    results while half-open             |
//    768 +-------------------------------------------------------------------+
//        | permits: 16 x u64             who may probe: owner words          |
//    896 +-------------------------------------------------------------------+
//        | rejected u64 | stale u64 | opened u64                             |
//   1024 +-------------------------------------------------------------------+
//
//   state        63..61 state | 60..56 step | 55..40 generation | 39..0 milliseconds
//                open, half_open: when that ends; closed, metrics_only: when it began
//   bucket       63..56 generation | 55..39 lap | 38..26 slow | 25..13 failures | 12..0 calls
//   neutral      63..56 generation | 55..39 lap | 38..20 cancelled | 19..0 ignored
//   streak       63..48 generation | 47..24 failures in a row | 23..0 successes in a row
//   ring_totals  63..48 generation | 47..32 slow | 31..16 failures | 15..0 calls, each + 16,384
//   probes, trip 63..48 generation | 47..32 slow | 31..16 failures | 15..0 calls
//   permit       63..24 ticket | 23..22 phase | 21..6 generation | 5..0 count
//
// Every word but the constants changes by one compare-exchange or one addition. Whoever is killed
// before or after it loses at most one count; a step that it still owed (opening after the last
// failure, closing after the last probe) is taken by whoever comes next.
//
// What is counted carries the generation of the state in which its call began, so a change of
// state empties all windows without touching them, and nothing of an older state is ever added.
#pragma once

#include <partywall/limits.hpp>
#include <partywall/segment/segment_layout.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace partywall::inline v0::detail {

inline constexpr std::uint32_t breaker_layout_version = 1;

/// The rules of one breaker, in integers. Whoever decides by them has a private copy.
struct breaker_constants {
    std::uint32_t window_kind;     ///< enum class window_kind
    std::uint32_t bucket_count;    ///< 1 to breaker_buckets_max
    std::uint64_t bucket_ns;       ///< length of a bucket; 0: one bucket for ever
    std::uint32_t window_calls;    ///< consecutive, count: how many
    std::uint32_t minimum_calls;   ///< below it no rate is judged
    std::uint32_t failure_ppb;     ///< threshold in parts per billion; 0: not judged
    std::uint32_t slow_ppb;        ///< the same for slow calls
    std::uint64_t slow_ns;         ///< longer is slow; 0: nothing is, but timeouts
    std::uint32_t evaluate_always; ///< 0: after failures and slow calls only
    std::uint32_t probe_rule;      ///< enum class probe_rule
    std::uint32_t probe_calls;     ///< results that decide
    std::uint32_t probe_successes; ///< k of n: how many must succeed
    std::uint32_t probe_permits;   ///< probes at a time, 1 to breaker_permits_max
    std::uint32_t jitter_ppb;      ///< largest part by which an open time is shortened
    std::uint32_t step_milli;      ///< an open time is so many thousandths of the one before
    std::uint32_t reserved_1;
    std::uint64_t open_ms;      ///< the first open time
    std::uint64_t open_ms_max;  ///< no open time is longer
    std::uint64_t half_open_ms; ///< longest time half-open
    std::uint64_t seed;         ///< of the jitter
    std::uint8_t reserved_2[24];
};
static_assert(sizeof(breaker_constants) == 128 && std::is_trivially_copyable_v<breaker_constants>);
static_assert(offsetof(breaker_constants, slow_ns) == 32);
static_assert(offsetof(breaker_constants, open_ms) == 72);
static_assert(offsetof(breaker_constants, seed) == 96);

struct breaker_record {
    breaker_constants constants;

    // Changes with the state only. Every admission reads `state`.
    std::uint64_t state;
    std::uint64_t trip;            ///< what the window held when it opened, as in `probes`
    std::uint64_t rejected_before; ///< `rejected` when the present state began
    std::uint64_t incarnation;     ///< the callee's, as far as known; 0: it is not
    std::uint64_t met;             ///< the incarnation for which it went half-open, if it was open
    std::uint8_t reserved_1[88];

    // Changes with every result.
    std::uint64_t buckets[breaker_buckets_max];
    std::uint64_t neutral[breaker_buckets_max];
    std::uint64_t streak;
    std::uint64_t ring_totals;   ///< count window: the sums over its slots, which are private
    std::uint64_t ring_next;     ///< count window: results so far
    std::uint64_t settled_calls; ///< settled: what has left the buckets, for the totals
    std::uint64_t settled_failures;
    std::uint64_t settled_slow;
    std::uint64_t settled_ignored;
    std::uint64_t settled_cancelled;
    std::uint8_t reserved_2[64];

    // Changes while half-open only.
    std::uint64_t probes;
    std::uint8_t reserved_3[120];
    std::uint64_t permits[breaker_permits_max];

    // Changes with every rejection, and with what is dropped.
    std::uint64_t rejected;
    std::uint64_t stale;  ///< results of calls begun in an older state, dropped
    std::uint64_t opened; ///< times that it opened
    std::uint8_t reserved_4[104];
};
static_assert(sizeof(breaker_record) == 1024 && std::is_trivially_copyable_v<breaker_record>);
static_assert(std::is_standard_layout_v<breaker_record>);
static_assert(offsetof(breaker_record, state) == 128);
static_assert(offsetof(breaker_record, buckets) == 256);
static_assert(offsetof(breaker_record, neutral) == 384);
static_assert(offsetof(breaker_record, streak) == 512);
static_assert(offsetof(breaker_record, probes) == 640);
static_assert(offsetof(breaker_record, permits) == 768);
static_assert(offsetof(breaker_record, rejected) == 896);

/// Who has a breaker of scope process, before its record in a segment `breaker.<ticket>.<number>`:
///
///      0 +--------------------------------------------------------------+
///        | segment_header                                               |
///    128 +--------------------------------------------------------------+
///        | name_bytes u32 | reserved u32 | name, 200 bytes | reserved   |
///    384 +--------------------------------------------------------------+
///        | breaker_record                                               |
///   1408 +--------------------------------------------------------------+
///
/// Mapped read-write by its owner alone, and constant but for the record. A record of scope host is
/// the words of a shared record of the registry.
struct breaker_segment {
    segment_header header;
    std::uint32_t name_bytes;
    std::uint32_t reserved_0;
    char name[name_bytes_max];
    std::uint64_t reserved_1[6];
    breaker_record record;
};
static_assert(offsetof(breaker_segment, name) == 136 && offsetof(breaker_segment, record) == 384);
static_assert(sizeof(breaker_segment) == 1408 && std::is_trivially_copyable_v<breaker_segment>);

inline constexpr std::uint64_t breaker_fingerprint =
    layout_fingerprint({breaker_layout_version,
                        sizeof(breaker_constants),
                        sizeof(breaker_record),
                        breaker_buckets_max,
                        breaker_permits_max,
                        offsetof(breaker_constants, window_kind),
                        offsetof(breaker_constants, bucket_count),
                        offsetof(breaker_constants, bucket_ns),
                        offsetof(breaker_constants, window_calls),
                        offsetof(breaker_constants, minimum_calls),
                        offsetof(breaker_constants, failure_ppb),
                        offsetof(breaker_constants, slow_ppb),
                        offsetof(breaker_constants, slow_ns),
                        offsetof(breaker_constants, evaluate_always),
                        offsetof(breaker_constants, probe_rule),
                        offsetof(breaker_constants, probe_calls),
                        offsetof(breaker_constants, probe_successes),
                        offsetof(breaker_constants, probe_permits),
                        offsetof(breaker_constants, jitter_ppb),
                        offsetof(breaker_constants, step_milli),
                        offsetof(breaker_constants, open_ms),
                        offsetof(breaker_constants, open_ms_max),
                        offsetof(breaker_constants, half_open_ms),
                        offsetof(breaker_constants, seed),
                        offsetof(breaker_record, state),
                        offsetof(breaker_record, trip),
                        offsetof(breaker_record, rejected_before),
                        offsetof(breaker_record, incarnation),
                        offsetof(breaker_record, met),
                        offsetof(breaker_record, buckets),
                        offsetof(breaker_record, neutral),
                        offsetof(breaker_record, streak),
                        offsetof(breaker_record, ring_totals),
                        offsetof(breaker_record, ring_next),
                        offsetof(breaker_record, settled_calls),
                        offsetof(breaker_record, settled_failures),
                        offsetof(breaker_record, settled_slow),
                        offsetof(breaker_record, settled_ignored),
                        offsetof(breaker_record, settled_cancelled),
                        offsetof(breaker_record, probes),
                        offsetof(breaker_record, permits),
                        offsetof(breaker_record, rejected),
                        offsetof(breaker_record, stale),
                        offsetof(breaker_record, opened),
                        offsetof(breaker_segment, name),
                        offsetof(breaker_segment, record)});

} // namespace partywall::inline v0::detail
