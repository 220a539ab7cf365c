// SPDX-License-Identifier: BSL-1.0
#include "verdict.hpp"

#include <algorithm>

namespace demo {

all_sent::all_sent(std::vector<record> const& publisher_log, std::vector<record> const& ledger,
                   text const& source) {
    auto const add = [&](record const& line) {
        if (!spans_.contains(line.publisher)) {
            spans_[line.publisher] = {lines_.size(), 0};
            lives_.push_back(line.publisher);
        }
        spans_[line.publisher].size += 1;
        lines_.push_back(line);
    };
    for (auto line = publisher_log.begin(); line != publisher_log.end(); ++line) {
        add(*line);
        if (line + 1 != publisher_log.end() && (line + 1)->publisher == line->publisher) {
            continue;
        }
        auto const beyond = std::find_if(ledger.begin(), ledger.end(), [&](record const& r) {
            return r.what == event::received && r.publisher == line->publisher &&
                   r.position == line->position + 1;
        });
        if (beyond != ledger.end()) {
            record unlogged = *line; // what it must have been, not what arrived
            unlogged.position += 1;
            unlogged.number += 1;
            unlogged.hash = hash_of(source.line(unlogged.number));
            unlogged.at_ns = beyond->at_ns - beyond->took_ns;
            add(unlogged);
            unlogged_ += 1;
        }
    }
}

std::optional<std::size_t> all_sent::index_of(record const& received) const {
    auto const life = spans_.find(received.publisher);
    if (life == spans_.end() || received.position >= life->second.size) {
        return std::nullopt;
    }
    return life->second.begin + received.position;
}

std::size_t all_sent::lines_of(std::uint64_t life) const { return spans_.at(life).size; }

account examine(reader const& r, all_sent const& sent) {
    account a;
    a.sent = r.to - r.from;
    std::vector<std::uint64_t> took;
    std::map<std::uint64_t, std::uint64_t> next;                    // position, by publisher
    std::vector<std::optional<std::uint64_t>> arrived(sent.size()); // hashes
    std::uint64_t subscribed_ns = 0;
    for (record const& line : r.log) {
        a.missed += line.missed;
        if (line.what == event::subscribed) {
            subscribed_ns = line.at_ns;
        }
        if (line.what != event::received) {
            continue;
        }
        a.received += 1;
        took.push_back(line.took_ns);
        auto const index = sent.index_of(line);
        if (!index || *index < r.from || *index >= r.to || line.position < next[line.publisher] ||
            line.number != sent[*index].number || line.hash != sent[*index].hash) {
            a.as_sent = false;
            continue;
        }
        next[line.publisher] = line.position + 1;
        arrived[*index] = line.hash;
    }
    for (std::size_t i = r.from; i < r.to; ++i) {
        // Sent while nobody was there to wait for, and overwritten: that was not for it to have.
        if (arrived[i] || sent[i].at_ns > subscribed_ns) {
            a.checksum_sent = add_hash(a.checksum_sent, sent[i].hash);
        }
        if (arrived[i]) {
            a.checksum_received = add_hash(a.checksum_received, *arrived[i]);
        } else if (sent[i].at_ns > subscribed_ns) {
            a.late += 1;
        }
    }
    if (!took.empty()) {
        std::sort(took.begin(), took.end());
        a.p50_ns = took[took.size() / 2];
        a.p99_ns = took[took.size() * 99 / 100];
    }
    return a;
}

obituary find_obituary(reader const& r, std::uint64_t publisher, std::uint64_t killed_ns) {
    obituary found;
    for (record const& line : r.log) {
        if (line.publisher != publisher) {
            continue;
        }
        if (line.what == event::publisher_died) {
            found.times += 1;
            found.after_ns = line.at_ns - killed_ns;
        } else if (line.what == event::received) {
            found.last = found.last && found.times == 0;
            found.read_between += line.at_ns > killed_ns ? 1 : 0;
        }
    }
    return found;
}

} // namespace demo
