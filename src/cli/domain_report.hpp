// SPDX-License-Identifier: BSL-1.0
// Everything that `list` shows, as it was read without joining.
#pragma once

#include "command.hpp"

#include <partywall/breaker/domain_breaker.hpp>
#include <partywall/oneway/inbox_stats.hpp>
#include <partywall/topic/topic_stats.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace partywall::cli {

struct publisher_report {
    entry_info entry;
    bool alive = true;
    std::optional<topic_stats> stats; ///< nothing: `problem` says why
    std::string problem;
};

struct subscription_report {
    entry_info entry;
    bool alive = true;
};

/// Of a receiver, or of a server, whose requests lie in an inbox like any other.
struct receiver_report {
    entry_info entry;
    bool alive = true;
    std::optional<inbox_stats> stats; ///< nothing: `problem` says why
    std::string problem;
};

/// A surveyor's questions lie in a ring, as a publisher's messages do, and the answers in an inbox.
struct surveyor_report {
    entry_info entry;
    bool alive = true;
    std::optional<topic_stats> questions; ///< nothing: `problem` says why
    std::optional<inbox_stats> answers;   ///< the same
    std::string problem;

    bool is_good() const { return questions && answers; }
};

struct respondent_report {
    entry_info entry;
    bool alive = true;
};

struct survey_report {
    std::string name;
    std::vector<surveyor_report> surveyors;
    std::vector<respondent_report> respondents;
};

struct breaker_report {
    breaker_info info;
    std::vector<bool> alive;              ///< of each participant
    std::optional<std::uint64_t> left_ms; ///< open, half-open: until that ends

    bool is_good() const { return info.stats.has_value(); }
};

struct topic_report {
    std::string name;
    std::vector<publisher_report> publishers;
    std::vector<subscription_report> subscriptions;
};

struct file_report {
    std::string name;
    std::uint64_t bytes = 0;
};

struct domain_report {
    std::string domain;
    std::string path;
    std::uint32_t sequence = 0;
    std::vector<participant_info> participants; ///< by ticket
    std::vector<topic_report> topics;           ///< by name
    std::vector<receiver_report> receivers;     ///< by name
    std::vector<breaker_report> breakers;       ///< by name
    std::vector<receiver_report> services;      ///< by name
    std::vector<survey_report> surveys;         ///< by name
    std::vector<file_report> files;             ///< by name
    std::uint64_t bytes_total = 0;

    bool healthy() const;
};

domain_report read_domain(registry_view const& view);

/// Files of a domain's directory, sorted by name.
std::vector<file_report> read_files(directory const& where);

/// Requests that a server has begun with, as far as it has brought its counters up to date.
std::uint64_t executed(inbox_stats const& server) noexcept;

char const* policy_name(std::uint32_t policy) noexcept;
char const* kind_name(reader_kind kind) noexcept;

std::string report_as_text(domain_report const& report);
/// One record per line, fields separated by tabs, the first one says what it is.
std::string report_as_plain(domain_report const& report);
std::string report_as_json(domain_report const& report);

} // namespace partywall::cli
