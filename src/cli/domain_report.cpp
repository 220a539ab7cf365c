// SPDX-License-Identifier: BSL-1.0
#include "domain_report.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <map>
#include <memory>
#include <sys/stat.h>

namespace partywall::cli {
namespace {

bool still_there(registry_view const& view, entry_info const& entry) {
    auto const now = view.snapshot().entries;
    return std::any_of(now.begin(), now.end(), [&](entry_info const& e) {
        return e.incarnation == entry.incarnation && e.kind == entry.kind &&
               e.owner_ticket == entry.owner_ticket;
    });
}

/// Nothing: it left while we looked.
std::optional<publisher_report> read_publisher(registry_view const& view, entry_info const& entry,
                                               bool alive) {
    publisher_report p{entry, alive, std::nullopt, {}};
    auto stats = read_topic_stats(view.dir(), entry);
    if (stats) {
        p.stats = std::move(*stats);
        return p;
    }
    if (!still_there(view, entry)) {
        return std::nullopt;
    }
    p.problem = stats.error().message;
    return p;
}

} // namespace

bool domain_report::healthy() const {
    return std::all_of(topics.begin(), topics.end(), [](topic_report const& t) {
        return std::all_of(t.publishers.begin(), t.publishers.end(),
                           [](publisher_report const& p) { return p.stats.has_value(); });
    });
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
    for (entry_info const& e : snapshot.entries) {
        bool const alive = !view.proven_dead(e.owner_ticket);
        topic_report& topic = topics[e.name];
        if (e.kind == entry_kind::topic_subscription) {
            topic.subscriptions.push_back({e, alive});
        } else if (auto p = read_publisher(view, e, alive)) {
            topic.publishers.push_back(std::move(*p));
        }
    }
    for (auto& [name, topic] : topics) {
        if (!topic.publishers.empty() || !topic.subscriptions.empty()) {
            topic.name = name;
            report.topics.push_back(std::move(topic));
        }
    }
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
