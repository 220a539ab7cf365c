// SPDX-License-Identifier: BSL-1.0
// Breakers of a domain: those of one process, which others may look at, and those that all
// participants share under one name. And looking at all of them.
//
//   scope process   a segment `breaker.<ticket>.<number>`: a name and a record, mapped read-write by
//                   its owner alone. No registry entry: who looks lists the directory, and recovery
//                   sweeps it as it sweeps every file of the dead that no entry names.
//   scope host      the words of a shared record of the registry, which is there as long as somebody
//                   who lives uses it (registry/shared_records.hpp).
//
// Peer dies  a killed owner's breaker goes with its file. A killed user of a shared one leaves
//            permits, which are taken back with proof by whoever needs one, or by recovery.
#pragma once

#include <partywall/breaker/breaker_body.hpp>
#include <partywall/breaker/breaker_options.hpp>
#include <partywall/breaker/breaker_stats.hpp>
#include <partywall/export.hpp>
#include <partywall/registry/participant_core.hpp>
#include <partywall/registry/registry_view.hpp>
#include <partywall/result.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace partywall::inline v0 {

/// A breaker of a domain, as somebody sees it who only looks.
struct breaker_info {
    std::string name;
    breaker_scope scope = breaker_scope::process;
    /// process: its owner's ticket. host: the tickets of those who use it.
    std::vector<std::uint64_t> participants;
    std::uint64_t number = 0;           ///< process: of its segment
    std::optional<breaker_stats> stats; ///< nothing: `problem` says why
    std::string problem;
};

/// All breakers of a domain, by name. Times in the statistics are of CLOCK_MONOTONIC. May throw
/// std::bad_alloc.
PARTYWALL_API std::vector<breaker_info> read_breakers(registry_view const& view);

namespace detail {

/// Errors: those of the options; not_here (scope host, count window), mismatch (scope host, other
/// rules), and everything from bad_name on.
PARTYWALL_API result<std::unique_ptr<breaker_body>, failure<breaker_errc>>
make_domain_breaker(std::shared_ptr<participant_core> participant, std::string_view name,
                    breaker_options const& options);

/// For recovery: gives back the permits that the dead hold in a shared breaker.
PARTYWALL_API void clean_breaker_record(participant_core const& participant, record_kind kind,
                                        std::uint64_t* words) noexcept;

} // namespace detail
} // namespace partywall::inline v0
