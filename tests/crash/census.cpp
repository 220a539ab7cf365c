// SPDX-License-Identifier: BSL-1.0
#include "census.hpp"

#include <partywall/breaker/breaker_layout.hpp>

#include <algorithm>
#include <iterator>
#include <span>
#include <sstream>

namespace partywall::test {
namespace {

/// "d/ring.17.1" -> "d/ring.survivor 1.1"
std::string renamed(std::string const& file, std::map<std::uint64_t, std::string> const& names) {
    std::size_t const begin = file.find('.');
    if (begin == std::string::npos || file.find_first_of("0123456789", begin) != begin + 1) {
        return file;
    }
    std::size_t const end = std::min(file.find('.', begin + 1), file.size());
    auto const name = names.find(std::stoull(file.substr(begin + 1, end - begin - 1)));
    return name == names.end() ? file : file.substr(0, begin + 1) + name->second + file.substr(end);
}

std::string name_of(std::uint64_t ticket, std::map<std::uint64_t, std::string> const& names) {
    auto const name = names.find(ticket);
    return name == names.end() ? "ticket " + std::to_string(ticket) : name->second;
}

} // namespace

census::census(scratch_root const& root, observer const& seen_by,
               std::map<std::uint64_t, std::string> const& names) {
    for (std::string const& file : root.leftovers()) {
        lines_.push_back("file " + renamed(file, names));
    }
    auto const count = [&](char const* kind, auto const& slots) {
        for (auto const& slot : slots) {
            if (owner const seen = owner_word<>::load(slot.owner); !seen.is_free()) {
                lines_.push_back(std::string(kind) + " of " + name_of(seen.ticket(), names) +
                                 ", phase " + std::to_string(static_cast<int>(seen.phase())));
            }
        }
    };
    count("participant slot", seen_by.registry().participants);
    count("entry slot", seen_by.registry().entries);
    count("record slot", seen_by.registry().records);
    for (detail::record_slot const& slot : seen_by.registry().records) {
        auto const& record = reinterpret_cast<detail::breaker_record const&>(slot.words);
        for (std::uint64_t const& permit : record.permits) {
            if (owner const held = owner_word<>::load(permit); !held.is_free()) {
                lines_.push_back("permit of " + name_of(held.ticket(), names));
            }
        }
    }
    auto const count_pins = [&](std::string const& where, detail::reader_slot const& slot) {
        for (std::uint64_t const pin : slot.pins) {
            if (pin != 0) {
                lines_.push_back("pin in " + where);
            }
        }
    };
    for (entry_info const& one : seen_by.receivers()) {
        tampered_inbox const inbox(seen_by.me(), one);
        std::string const at = "lane at " + name_of(one.owner_ticket, names);
        count(at.c_str(), std::span(inbox.lanes(), inbox.lane_count()));
        for (detail::lane_header const& lane : std::span(inbox.lanes(), inbox.lane_count())) {
            count_pins(at, lane.slot);
        }
    }
    for (entry_info const& one : seen_by.me().publishers()) {
        tampered_topic const topic(seen_by.me(), one);
        for (std::uint32_t i = 0; i < topic.slot_count(); ++i) {
            auto const& slot = topic.slots()[i];
            count_pins("reader slot", slot);
            if (owner const seen = owner_word<>::load(slot.owner); !seen.is_free()) {
                lines_.push_back("reader slot at " + name_of(one.owner_ticket, names) + " of " +
                                 name_of(seen.ticket(), names) + ", role " +
                                 std::to_string(slot.role));
            }
        }
    }
    std::sort(lines_.begin(), lines_.end());
}

std::string census::difference(census const& before, census const& after) {
    std::vector<std::string> gone;
    std::vector<std::string> come;
    auto a = before.lines_;
    auto b = after.lines_;
    std::sort(a.begin(), a.end());
    std::sort(b.begin(), b.end());
    std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(gone));
    std::set_difference(b.begin(), b.end(), a.begin(), a.end(), std::back_inserter(come));
    std::string text;
    for (std::string const& line : gone) {
        text += "  missing: " + line + "\n";
    }
    for (std::string const& line : come) {
        text += "  too much: " + line + "\n";
    }
    return text;
}

std::string place_of(std::string const& segment, std::uint64_t offset) {
    std::ostringstream text;
    text << segment << "+0x" << std::hex << offset;
    return text.str();
}

std::map<std::string, owner> observer::owner_words() const {
    std::map<std::string, owner> words;
    auto const add = [&](std::string const& segment, void const* begin, auto const& slots) {
        for (auto const& slot : slots) {
            if (owner const seen = owner_word<>::load(slot.owner); seen.word != 0) {
                auto const offset = reinterpret_cast<std::byte const*>(&slot.owner) -
                                    static_cast<std::byte const*>(begin);
                words.emplace(place_of(segment, static_cast<std::uint64_t>(offset)), seen);
            }
        }
    };
    add("registry", &registry(), registry().participants);
    add("registry", &registry(), registry().entries);
    add("registry", &registry(), registry().records);
    for (entry_info const& one : me_->publishers()) {
        tampered_topic const topic(*me_, one);
        add(file_name({segment_kind::readers, one.owner_ticket, one.number}), &topic.readers(),
            std::span(topic.slots(), topic.slot_count()));
    }
    for (entry_info const& one : receivers()) {
        tampered_inbox const inbox(*me_, one);
        add(file_name({segment_kind::lanes, one.owner_ticket, one.number}), &inbox.segment(),
            std::span(inbox.lanes(), inbox.lane_count()));
    }
    return words;
}

std::vector<entry_info> observer::receivers() const {
    auto all = me_->core()->entries(entry_kind::inbox, {});
    auto services = me_->core()->entries(entry_kind::service, {});
    std::move(services.begin(), services.end(), std::back_inserter(all));
    std::erase_if(all,
                  [this](entry_info const& e) { return me_->core()->proven_dead(e.owner_ticket); });
    return all;
}

std::string went_back(std::map<std::string, owner> const& before,
                      std::map<std::string, owner> const& after) {
    std::string text;
    for (auto const& [place, was] : before) {
        auto const now = after.find(place);
        if (now == after.end()) {
            continue; // its segment is gone
        }
        std::uint64_t const ahead =
            (now->second.sequence() - was.sequence()) & owner::sequence_mask;
        if (ahead > owner::sequence_mask / 2 || (ahead == 0 && now->second != was)) {
            text += place + ": sequence " + std::to_string(was.sequence()) + ", then " +
                    std::to_string(now->second.sequence()) + "\n";
        }
    }
    return text;
}

} // namespace partywall::test
