// SPDX-License-Identifier: BSL-1.0
#include "domain_report.hpp"

#include <partywall/breaker/clock.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <map>
#include <memory>
#include <sys/stat.h>
#include <tuple>

namespace partywall::cli {
namespace {

bool still_there(registry_view const& view, entry_info const& entry) {
    auto const now = view.snapshot().entries;
    return std::any_of(now.begin(), now.end(), [&](entry_info const& e) {
        return e.incarnation == entry.incarnation && e.kind == entry.kind &&
               e.owner_ticket == entry.owner_ticket;
    });
}

/// A publisher_report or a receiver_report. Nothing: it left while we looked.
template <class Report, class Read>
std::optional<Report> read_endpoint(registry_view const& view, entry_info const& entry, bool alive,
                                    Read read) {
    Report one{entry, alive, std::nullopt, {}};
    auto stats = read(view.dir(), entry);
    if (stats) {
        one.stats = std::move(*stats);
        return one;
    }
    if (!still_there(view, entry)) {
        return std::nullopt;
    }
    one.problem = stats.error().message;
    return one;
}

std::optional<surveyor_report> read_surveyor(registry_view const& view, entry_info const& entry,
                                             bool alive) {
    surveyor_report one{entry, alive, std::nullopt, std::nullopt, {}};
    auto questions = read_topic_stats(view.dir(), entry);
    auto answers = read_inbox_stats(view.dir(), entry);
    if (!questions || !answers) {
        if (!still_there(view, entry)) {
            return std::nullopt;
        }
        one.problem = !questions ? questions.error().message : answers.error().message;
    }
    if (questions) {
        one.questions = std::move(*questions);
    }
    if (answers) {
        one.answers = std::move(*answers);
    }
    return one;
}

/// What was gathered by name, without the names of which nothing was left.
template <class Report, class IsEmpty>
std::vector<Report> by_name(std::map<std::string, Report>& all, IsEmpty is_empty) {
    std::vector<Report> some;
    for (auto& [name, one] : all) {
        if (!is_empty(one)) {
            one.name = name;
            some.push_back(std::move(one));
        }
    }
    return some;
}

std::vector<breaker_report> breakers_of(registry_view const& view) {
    std::uint64_t const now = monotonic_clock{}.now_ns();
    std::vector<breaker_report> all;
    for (breaker_info& info : read_breakers(view)) {
        breaker_report one;
        for (std::uint64_t const ticket : info.participants) {
            one.alive.push_back(!view.proven_dead(ticket));
        }
        if (info.stats && info.stats->until_ns > now) {
            one.left_ms = (info.stats->until_ns - now) / 1'000'000;
        }
        one.info = std::move(info);
        all.push_back(std::move(one));
    }
    return all;
}

} // namespace

bool domain_report::healthy() const {
    auto const is_read = [](auto const& one) { return one.stats.has_value(); };
    return std::all_of(breakers.begin(), breakers.end(),
                       [](breaker_report const& b) { return b.is_good(); }) &&
           std::all_of(receivers.begin(), receivers.end(), is_read) &&
           std::all_of(services.begin(), services.end(), is_read) &&
           std::all_of(surveys.begin(), surveys.end(),
                       [](survey_report const& s) {
                           return std::all_of(
                               s.surveyors.begin(), s.surveyors.end(),
                               [](surveyor_report const& one) { return one.is_good(); });
                       }) &&
           std::all_of(topics.begin(), topics.end(), [&](topic_report const& t) {
               return std::all_of(t.publishers.begin(), t.publishers.end(), is_read);
           });
}

std::uint64_t executed(inbox_stats const& server) noexcept {
    std::uint64_t const others = server.expired + server.cancelled + server.refused;
    // What is told late may be told after what is told at once.
    return server.received > others ? server.received - others : 0;
}

domain_report read_domain(registry_view const& view) {
    domain_snapshot const snapshot = view.snapshot();
    domain_report report;
    report.domain = view.domain();
    report.path = view.dir().path();
    report.sequence = snapshot.sequence;
    report.participants = snapshot.participants;
    std::sort(report.participants.begin(), report.participants.end(),
              [](auto const& a, auto const& b) { return a.ticket < b.ticket; });
    std::map<std::string, topic_report> topics;
    std::map<std::string, survey_report> surveys;
    for (entry_info const& e : snapshot.entries) {
        bool const alive = !view.proven_dead(e.owner_ticket);
        if (e.kind == entry_kind::inbox || e.kind == entry_kind::service) {
            if (auto r = read_endpoint<receiver_report>(view, e, alive, read_inbox_stats)) {
                auto& its = e.kind == entry_kind::inbox ? report.receivers : report.services;
                its.push_back(std::move(*r));
            }
            continue;
        }
        if (e.kind == entry_kind::respondent) {
            surveys[e.name].respondents.push_back({e, alive});
            continue;
        }
        if (e.kind == entry_kind::surveyor) {
            if (auto s = read_surveyor(view, e, alive)) {
                surveys[e.name].surveyors.push_back(std::move(*s));
            }
            continue;
        }
        topic_report& topic = topics[e.name];
        if (e.kind == entry_kind::topic_subscription) {
            topic.subscriptions.push_back({e, alive});
        } else if (auto p = read_endpoint<publisher_report>(view, e, alive, read_topic_stats)) {
            topic.publishers.push_back(std::move(*p));
        }
    }
    report.topics = by_name(topics, [](topic_report const& t) {
        return t.publishers.empty() && t.subscriptions.empty();
    });
    report.surveys = by_name(surveys, [](survey_report const& s) {
        return s.surveyors.empty() && s.respondents.empty();
    });
    for (auto* const all : {&report.receivers, &report.services}) {
        std::sort(all->begin(), all->end(), [](auto const& a, auto const& b) {
            return std::tie(a.entry.name, a.entry.incarnation) <
                   std::tie(b.entry.name, b.entry.incarnation);
        });
    }
    report.breakers = breakers_of(view);
    report.files = read_files(view.dir());
    for (file_report const& f : report.files) {
        report.bytes_total += f.bytes;
    }
    return report;
}

std::vector<file_report> read_files(directory const& where) {
    std::vector<file_report> files;
    auto fd = where.open();
    if (!fd) {
        return files;
    }
    std::unique_ptr<DIR, int (*)(DIR*)> const stream(::fdopendir(fd->get()), ::closedir);
    if (!stream) {
        return files;
    }
    (void)fd->release(); // the stream's now
    while (dirent const* const one = ::readdir(stream.get())) {
        struct stat status {};
        if (std::strcmp(one->d_name, ".") != 0 && std::strcmp(one->d_name, "..") != 0 &&
            ::fstatat(::dirfd(stream.get()), one->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
            files.push_back({one->d_name, static_cast<std::uint64_t>(status.st_size)});
        }
    }
    std::sort(files.begin(), files.end(),
              [](auto const& a, auto const& b) { return a.name < b.name; });
    return files;
}

char const* policy_name(std::uint32_t policy) noexcept {
    switch (static_cast<overflow>(policy)) {
    case overflow::drop_oldest: return "drop_oldest";
    case overflow::block: return "block";
    case overflow::reject: return "reject";
    }
    return "unknown";
}

char const* kind_name(reader_kind kind) noexcept {
    switch (kind) {
    case reader_kind::lossless: return "lossless";
    case reader_kind::lossy: return "lossy";
    case reader_kind::reserved: return "reserved";
    }
    return "unknown";
}

} // namespace partywall::cli
