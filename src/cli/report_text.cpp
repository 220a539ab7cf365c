// SPDX-License-Identifier: BSL-1.0
// `list` for people, and `list --plain` for line-oriented tools.
#include "domain_report.hpp"
#include "units.hpp"

#include <ctime>
#include <iterator>

namespace partywall::cli {
namespace {

using sink = std::back_insert_iterator<std::string>;

std::string time_of(std::uint64_t unix_ns) {
    auto const seconds = static_cast<std::time_t>(unix_ns / 1'000'000'000);
    std::tm parts{};
    char text[32] = "-";
    if (::localtime_r(&seconds, &parts) != nullptr) {
        std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
    }
    return text;
}

std::string lag_of(reader_stats const& r) { return r.lag ? std::to_string(*r.lag) : "-"; }

char const* life(bool alive) noexcept { return alive ? "alive" : "dead"; }

std::string show_metadata(entry_info const& entry) {
    std::string text;
    for (auto const& [key, value] : entry.meta) {
        text += (text.empty() ? "" : " ") + printable(key) + "=" + printable(value);
    }
    return text;
}

void show(sink out, publisher_report const& p) {
    entry_info const& e = p.entry;
    fmt::format_to(out, "  publisher of {}: {}, {}, type {}, {}, depth {}, messages up to {}\n",
                   e.owner_ticket, life(p.alive), to_string(e.state), printable(e.type.name),
                   policy_name(e.policy), e.depth, show_size(e.payload_bytes_max));
    if (!e.meta.empty()) {
        fmt::format_to(out, "    metadata: {}\n", show_metadata(e));
    }
    if (!p.stats) {
        fmt::format_to(out, "    PROBLEM: {}\n", printable(p.problem));
        return;
    }
    topic_stats const& s = *p.stats;
    fmt::format_to(out, "    sent {}, rejected {}, blocked {} times for {}, wakes {}, {}\n", s.sent,
                   s.rejected, s.blocked_count,
                   show_duration(std::chrono::nanoseconds(s.blocked_ns)), s.wakes,
                   show_size(s.ring_bytes + s.readers_bytes));
    for (reader_stats const& r : s.readers) {
        fmt::format_to(out, "    reader {}: {}, received {}, missed {}, lag {}, sleeps {}\n",
                       r.ticket, kind_name(r.kind), r.received, r.missed, lag_of(r), r.sleeps);
    }
}

/// What receivers and servers have in common. False: there is nothing more to show.
bool show_inbox(sink out, receiver_report const& r, char const* what, char const* messages) {
    entry_info const& e = r.entry;
    fmt::format_to(out, "{}\n  {} of {}: {}, {}, type {}, depth {}, {} up to {}\n",
                   printable(e.name), what, e.owner_ticket, life(r.alive), to_string(e.state),
                   printable(e.type.name), e.depth, messages, show_size(e.payload_bytes_max));
    if (!e.meta.empty()) {
        fmt::format_to(out, "    metadata: {}\n", show_metadata(e));
    }
    if (!r.stats) {
        fmt::format_to(out, "    PROBLEM: {}\n", printable(r.problem));
    }
    return r.stats.has_value();
}

void show_receiver(sink out, receiver_report const& r) {
    if (!show_inbox(out, r, "receiver", "messages")) {
        return;
    }
    inbox_stats const& s = *r.stats;
    fmt::format_to(out, "    received {}, missed {}, sleeps {}, {} of {} lanes in use, {}\n",
                   s.received, s.missed, s.sleeps, s.senders.size(), s.senders_max,
                   show_size(s.bytes));
    for (sender_stats const& one : s.senders) {
        fmt::format_to(out,
                       "    sender {}: {}, received {}, missed {}, rejected {}, blocked {} "
                       "times for {}\n",
                       one.ticket, policy_name(one.overflow), one.received, one.missed,
                       one.rejected, one.blocked_count,
                       show_duration(std::chrono::nanoseconds(one.blocked_ns)));
    }
}

/// "3 (dead), 4"
std::string users_of(breaker_report const& b) {
    std::string text;
    for (std::size_t i = 0; i < b.alive.size(); ++i) {
        text += (text.empty() ? "" : ", ") + std::to_string(b.info.participants[i]) +
                (b.alive[i] ? "" : " (dead)");
    }
    return text.empty() ? "nobody" : text;
}

void show(sink out, breaker_report const& b) {
    fmt::format_to(out, "{}\n  scope {}, of {}", printable(b.info.name), to_string(b.info.scope),
                   users_of(b));
    if (!b.info.stats) {
        fmt::format_to(out, "\n    PROBLEM: {}\n", printable(b.info.problem));
        return;
    }
    breaker_stats const& s = *b.info.stats;
    fmt::format_to(out, ": {}", to_string(s.state));
    if (b.left_ms) {
        fmt::format_to(out, " for {}", show_duration(std::chrono::milliseconds(*b.left_ms)));
    }
    fmt::format_to(
        out,
        ", generation {}, opened {} times, callee {}\n"
        "    calls {}, failed {}, slow {}, ignored {}, cancelled {}, rejected {}, stale {}\n",
        s.generation, s.opened_total, s.callee, s.total.calls, s.total.failures, s.total.slow,
        s.total.ignored, s.total.cancelled, s.rejected_total, s.stale_total);
    breaker_stats::counts const& w = s.state == breaker_state::open ? s.tripped_by : s.window;
    fmt::format_to(out, "    {}: calls {}, failed {}, slow {}\n",
                   s.state == breaker_state::open        ? "opened by"
                   : s.state == breaker_state::half_open ? "probes"
                                                         : "window",
                   w.calls, w.failures, w.slow);
}

void show_service(sink out, receiver_report const& r) {
    if (!show_inbox(out, r, "server", "requests")) {
        return;
    }
    inbox_stats const& s = *r.stats;
    fmt::format_to(out,
                   "    executed {}, expired {}, cancelled {}, refused {}, failed {}, lost {}, "
                   "sleeps {}\n    {} of {} clients, {}\n",
                   executed(s), s.expired, s.cancelled, s.refused, s.failed, s.lost, s.sleeps,
                   s.senders.size(), s.senders_max, show_size(s.bytes));
    for (sender_stats const& one : s.senders) {
        fmt::format_to(out, "    client {}: requests {}\n", one.ticket, one.received);
    }
}

void show(sink out, surveyor_report const& s) {
    entry_info const& e = s.entry;
    fmt::format_to(out, "  surveyor of {}: {}, {}, type {}, depth {}, questions up to {}\n",
                   e.owner_ticket, life(s.alive), to_string(e.state), printable(e.type.name),
                   e.depth, show_size(e.payload_bytes_max));
    if (!e.meta.empty()) {
        fmt::format_to(out, "    metadata: {}\n", show_metadata(e));
    }
    if (!s.is_good()) {
        fmt::format_to(out, "    PROBLEM: {}\n", printable(s.problem));
        return;
    }
    topic_stats const& q = *s.questions;
    inbox_stats const& a = *s.answers;
    fmt::format_to(out,
                   "    asked {}, answers {}, missed {}, sleeps {}, {} of {} respondents, {}\n",
                   q.sent, a.received, a.missed, a.sleeps, a.senders.size(), a.senders_max,
                   show_size(q.ring_bytes + q.readers_bytes + a.bytes));
    for (sender_stats const& one : a.senders) {
        fmt::format_to(out, "    respondent {}.{}: answers {}, missed {}\n", one.ticket,
                       one.incarnation & endpoints_max, one.received, one.missed);
    }
    for (reader_stats const& one : q.readers) {
        fmt::format_to(out, "    reader {}: questions {}, missed {}, sleeps {}\n", one.ticket,
                       one.received, one.missed, one.sleeps);
    }
}

void show(sink out, respondent_report const& r) {
    entry_info const& e = r.entry;
    fmt::format_to(out, "  respondent {}.{}: {}, {}, type {}\n", e.owner_ticket, e.number,
                   life(r.alive), to_string(e.state), printable(e.type.name));
    if (!e.meta.empty()) {
        fmt::format_to(out, "    metadata: {}\n", show_metadata(e));
    }
}

} // namespace

std::string report_as_text(domain_report const& report) {
    std::string text;
    sink const out = std::back_inserter(text);
    fmt::format_to(out, "domain {} in {}\n\nparticipants: {}\n", printable(report.domain),
                   printable(report.path), report.participants.size());
    for (participant_info const& p : report.participants) {
        fmt::format_to(out, "  {:>4}  pid {:<8} {:<6} since {}  {}\n", p.ticket, p.pid,
                       life(p.alive), time_of(p.start_time_ns), printable(p.name));
    }
    fmt::format_to(out, "\ntopics: {}\n", report.topics.size());
    for (topic_report const& t : report.topics) {
        fmt::format_to(out, "{}\n", printable(t.name));
        for (publisher_report const& p : t.publishers) {
            show(out, p);
        }
        for (subscription_report const& s : t.subscriptions) {
            fmt::format_to(out, "  lossless subscription of {}: {}, type {}\n",
                           s.entry.owner_ticket, life(s.alive), printable(s.entry.type.name));
        }
    }
    fmt::format_to(out, "\nreceivers: {}\n", report.receivers.size());
    for (receiver_report const& r : report.receivers) {
        show_receiver(out, r);
    }
    fmt::format_to(out, "\nservices: {}\n", report.services.size());
    for (receiver_report const& r : report.services) {
        show_service(out, r);
    }
    fmt::format_to(out, "\nsurveys: {}\n", report.surveys.size());
    for (survey_report const& survey : report.surveys) {
        fmt::format_to(out, "{}\n", printable(survey.name));
        for (surveyor_report const& s : survey.surveyors) {
            show(out, s);
        }
        for (respondent_report const& r : survey.respondents) {
            show(out, r);
        }
    }
    fmt::format_to(out, "\nbreakers: {}\n", report.breakers.size());
    for (breaker_report const& b : report.breakers) {
        show(out, b);
    }
    fmt::format_to(out, "\nfiles: {}, {} bytes\n", report.files.size(), report.bytes_total);
    for (file_report const& f : report.files) {
        fmt::format_to(out, "  {:>12}  {}\n", f.bytes, printable(f.name));
    }
    return text;
}

std::string report_as_plain(domain_report const& report) {
    std::string text;
    sink const out = std::back_inserter(text);
    fmt::format_to(out, "domain\t{}\t{}\n", printable(report.domain), printable(report.path));
    for (participant_info const& p : report.participants) {
        fmt::format_to(out, "participant\t{}\t{}\t{}\t{}\n", p.ticket, p.pid, life(p.alive),
                       printable(p.name));
    }
    for (topic_report const& t : report.topics) {
        std::string const name = printable(t.name);
        for (publisher_report const& p : t.publishers) {
            entry_info const& e = p.entry;
            topic_stats const s = p.stats.value_or(topic_stats{});
            fmt::format_to(out, "publisher\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n",
                           name, e.owner_ticket, life(p.alive),
                           p.stats ? to_string(e.state) : "broken", printable(e.type.name),
                           policy_name(e.policy), e.depth, e.payload_bytes_max, s.sent, s.rejected,
                           s.blocked_count, s.blocked_ns, s.wakes);
            for (reader_stats const& r : s.readers) {
                fmt::format_to(out, "reader\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n", name,
                               e.owner_ticket, r.ticket, kind_name(r.kind), r.received, r.missed,
                               lag_of(r), r.sleeps);
            }
        }
        for (subscription_report const& s : t.subscriptions) {
            fmt::format_to(out, "subscription\t{}\t{}\t{}\t{}\n", name, s.entry.owner_ticket,
                           life(s.alive), printable(s.entry.type.name));
        }
    }
    for (receiver_report const& r : report.receivers) {
        entry_info const& e = r.entry;
        inbox_stats const s = r.stats.value_or(inbox_stats{});
        std::string const name = printable(e.name);
        fmt::format_to(out, "receiver\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n", name,
                       e.owner_ticket, life(r.alive), r.stats ? to_string(e.state) : "broken",
                       printable(e.type.name), e.depth, e.payload_bytes_max, s.received, s.missed,
                       s.sleeps);
        for (sender_stats const& one : s.senders) {
            fmt::format_to(out, "sender\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n", name,
                           e.owner_ticket, one.ticket, policy_name(one.overflow), one.received,
                           one.missed, one.rejected, one.blocked_count, one.blocked_ns);
        }
    }
    for (breaker_report const& b : report.breakers) {
        breaker_stats const s = b.info.stats.value_or(breaker_stats{});
        fmt::format_to(out, "breaker\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n",
                       printable(b.info.name), to_string(b.info.scope), users_of(b),
                       b.is_good() ? to_string(s.state) : "broken", s.generation, s.total.calls,
                       s.total.failures, s.total.slow, s.rejected_total, s.opened_total,
                       s.stale_total, s.callee);
    }
    for (receiver_report const& r : report.services) {
        entry_info const& e = r.entry;
        inbox_stats const s = r.stats.value_or(inbox_stats{});
        std::string const name = printable(e.name);
        fmt::format_to(out, "server\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n", name,
                       e.owner_ticket, life(r.alive), r.stats ? to_string(e.state) : "broken",
                       printable(e.type.name), e.depth, e.payload_bytes_max, executed(s), s.expired,
                       s.cancelled, s.refused, s.failed, s.lost);
        for (sender_stats const& one : s.senders) {
            fmt::format_to(out, "client\t{}\t{}\t{}\t{}\n", name, e.owner_ticket, one.ticket,
                           one.received);
        }
    }
    for (survey_report const& survey : report.surveys) {
        std::string const name = printable(survey.name);
        for (surveyor_report const& s : survey.surveyors) {
            entry_info const& e = s.entry;
            topic_stats const q = s.questions.value_or(topic_stats{});
            inbox_stats const a = s.answers.value_or(inbox_stats{});
            fmt::format_to(out, "surveyor\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n", name,
                           e.owner_ticket, life(s.alive),
                           s.is_good() ? to_string(e.state) : "broken", printable(e.type.name),
                           e.depth, e.payload_bytes_max, q.sent, a.received, a.missed);
        }
        for (respondent_report const& r : survey.respondents) {
            entry_info const& e = r.entry;
            fmt::format_to(out, "respondent\t{}\t{}\t{}\t{}\t{}\t{}\n", name, e.owner_ticket,
                           e.number, life(r.alive), to_string(e.state), printable(e.type.name));
        }
    }
    for (file_report const& f : report.files) {
        fmt::format_to(out, "file\t{}\t{}\n", printable(f.name), f.bytes);
    }
    fmt::format_to(out, "total\t{}\n", report.bytes_total);
    return text;
}

} // namespace partywall::cli
