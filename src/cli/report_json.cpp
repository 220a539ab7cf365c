// SPDX-License-Identifier: BSL-1.0
// `list --json`. The schema is an interface (docs/cli.md): fields are added, never changed or
// removed, unless `version` changes.
#include "domain_report.hpp"

#include <boost/json.hpp>

namespace partywall::cli {
namespace {

namespace json = boost::json;

constexpr int schema_version = 1;

/// Whether JSON can hold the bytes as a string.
bool is_utf8(std::string_view bytes) {
    while (!bytes.empty()) {
        auto const lead = static_cast<unsigned char>(bytes[0]);
        std::size_t const length = lead < 0x80   ? 1
                                   : lead < 0xc2 ? 0
                                   : lead < 0xe0 ? 2
                                   : lead < 0xf0 ? 3
                                   : lead < 0xf5 ? 4
                                                 : 0;
        if (length == 0 || bytes.size() < length) {
            return false;
        }
        std::uint32_t code = length == 1 ? lead : lead & (0x7fU >> length);
        for (std::size_t i = 1; i < length; ++i) {
            auto const next = static_cast<unsigned char>(bytes[i]);
            if ((next & 0xc0) != 0x80) {
                return false;
            }
            code = code << 6 | (next & 0x3f);
        }
        bool const overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
        if (overlong || (code >= 0xd800 && code < 0xe000) || code > 0x10ffff) {
            return false;
        }
        bytes.remove_prefix(length);
    }
    return true;
}

/// Any bytes: a string, or {"base16": "..."} where JSON has no string for them.
json::value any_bytes(std::string_view bytes) {
    if (is_utf8(bytes)) {
        return json::string(bytes);
    }
    std::string hex;
    for (char const c : bytes) {
        hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
    }
    return json::object{{"base16", json::string(hex)}};
}

template <class Items, class Convert>
json::array array_of(Items const& items, Convert convert) {
    json::array all;
    for (auto const& item : items) {
        all.push_back(convert(item));
    }
    return all;
}

json::object metadata_of(entry_info const& entry) {
    json::object all;
    for (auto const& [key, value] : entry.meta) {
        all[is_utf8(key) ? key : printable(key)] = any_bytes(value);
    }
    return all;
}

json::object type_of(entry_info const& entry) {
    return {{"name", any_bytes(entry.type.name)},
            {"fingerprint", fmt::format("{:016x}", entry.type.fingerprint)},
            {"bytes", entry.type.size == 0 ? json::value() : json::value(entry.type.size)},
            {"alignment", entry.type.alignment}};
}

json::object reader_of(reader_stats const& r) {
    return {{"participant", r.ticket},
            {"kind", kind_name(r.kind)},
            {"received", r.received},
            {"missed", r.missed},
            {"lag", r.lag ? json::value(*r.lag) : json::value()},
            {"sleeps", r.sleeps},
            {"corrupt", r.corrupt}};
}

json::object publisher_of(publisher_report const& p) {
    json::object o{{"participant", p.entry.owner_ticket},
                   {"number", p.entry.number},
                   {"incarnation", std::to_string(p.entry.incarnation)},
                   {"alive", p.alive},
                   {"health", to_string(p.entry.state)},
                   {"type", type_of(p.entry)},
                   {"policy", policy_name(p.entry.policy)},
                   {"depth", p.entry.depth},
                   {"payload_bytes_max", p.entry.payload_bytes_max},
                   {"metadata", metadata_of(p.entry)},
                   {"problem", p.stats ? json::value() : json::value(p.problem)},
                   {"counters", nullptr},
                   {"readers", json::array()}};
    if (p.stats) {
        topic_stats const& s = *p.stats;
        o["counters"] = json::object{{"sent", s.sent},
                                     {"rejected", s.rejected},
                                     {"blocked_count", s.blocked_count},
                                     {"blocked_ns", s.blocked_ns},
                                     {"wakes", s.wakes},
                                     {"scans", s.scans},
                                     {"readers_reclaimed", s.readers_reclaimed},
                                     {"readers_max", s.readers_max},
                                     {"ring_bytes", s.ring_bytes},
                                     {"readers_bytes", s.readers_bytes}};
        json::array& readers = o["readers"].as_array();
        for (reader_stats const& r : s.readers) {
            readers.push_back(reader_of(r));
        }
    }
    return o;
}

json::object subscription_of(subscription_report const& s) {
    return {{"participant", s.entry.owner_ticket},
            {"alive", s.alive},
            {"health", to_string(s.entry.state)},
            {"delivery", "lossless"},
            {"type", type_of(s.entry)},
            {"metadata", metadata_of(s.entry)}};
}

json::object sender_of(sender_stats const& s) {
    return {{"participant", s.ticket},
            {"incarnation", std::to_string(s.incarnation)},
            {"policy", policy_name(s.overflow)},
            {"closed", s.closed},
            {"received", s.received},
            {"missed", s.missed},
            {"rejected", s.rejected},
            {"blocked_count", s.blocked_count},
            {"blocked_ns", s.blocked_ns},
            {"wakes", s.wakes}};
}

/// What receivers and servers have in common.
json::object inbox_of(receiver_report const& r) {
    return {{"name", r.entry.name},
            {"participant", r.entry.owner_ticket},
            {"number", r.entry.number},
            {"incarnation", std::to_string(r.entry.incarnation)},
            {"alive", r.alive},
            {"health", to_string(r.entry.state)},
            {"type", type_of(r.entry)},
            {"depth", r.entry.depth},
            {"payload_bytes_max", r.entry.payload_bytes_max},
            {"metadata", metadata_of(r.entry)},
            {"problem", r.stats ? json::value() : json::value(r.problem)},
            {"counters", nullptr}};
}

json::object receiver_of(receiver_report const& r) {
    json::object o = inbox_of(r);
    json::array senders;
    if (r.stats) {
        inbox_stats const& s = *r.stats;
        o["counters"] = json::object{{"received", s.received},       {"missed", s.missed},
                                     {"sleeps", s.sleeps},           {"lanes_freed", s.lanes_freed},
                                     {"senders_max", s.senders_max}, {"bytes", s.bytes}};
        for (sender_stats const& one : s.senders) {
            senders.push_back(sender_of(one));
        }
    }
    o["senders"] = std::move(senders);
    return o;
}

json::object client_of(sender_stats const& s) {
    return {{"participant", s.ticket},
            {"incarnation", std::to_string(s.incarnation)},
            {"closed", s.closed},
            {"requests", s.received},
            {"wakes", s.wakes}};
}

json::object service_of(receiver_report const& r) {
    json::object o = inbox_of(r);
    json::array clients;
    if (r.stats) {
        inbox_stats const& s = *r.stats;
        o["counters"] =
            json::object{{"executed", executed(s)},      {"expired", s.expired},
                         {"cancelled", s.cancelled},     {"refused", s.refused},
                         {"failed", s.failed},           {"lost", s.lost},
                         {"sleeps", s.sleeps},           {"clients_gone", s.lanes_freed},
                         {"clients_max", s.senders_max}, {"bytes", s.bytes}};
        for (sender_stats const& one : s.senders) {
            clients.push_back(client_of(one));
        }
    }
    o["clients"] = std::move(clients);
    return o;
}

json::object surveyor_of(surveyor_report const& s) {
    json::object o{{"participant", s.entry.owner_ticket},
                   {"number", s.entry.number},
                   {"incarnation", std::to_string(s.entry.incarnation)},
                   {"alive", s.alive},
                   {"health", to_string(s.entry.state)},
                   {"type", type_of(s.entry)},
                   {"depth", s.entry.depth},
                   {"payload_bytes_max", s.entry.payload_bytes_max},
                   {"metadata", metadata_of(s.entry)},
                   {"problem", s.is_good() ? json::value() : json::value(s.problem)},
                   {"counters", nullptr},
                   {"readers", json::array()},
                   {"respondents", json::array()}};
    if (s.is_good()) {
        topic_stats const& q = *s.questions;
        inbox_stats const& a = *s.answers;
        o["counters"] = json::object{{"asked", q.sent},
                                     {"wakes", q.wakes},
                                     {"answers", a.received},
                                     {"missed", a.missed},
                                     {"sleeps", a.sleeps},
                                     {"respondents_gone", a.lanes_freed},
                                     {"respondents_max", a.senders_max},
                                     {"bytes", q.ring_bytes + q.readers_bytes + a.bytes}};
        o["readers"] = array_of(q.readers, reader_of);
        o["respondents"] = array_of(a.senders, [](sender_stats const& one) {
            return json::object{
                {"participant", one.ticket}, {"incarnation", std::to_string(one.incarnation)},
                {"closed", one.closed},      {"answers", one.received},
                {"missed", one.missed},      {"wakes", one.wakes}};
        });
    }
    return o;
}

json::object respondent_of(respondent_report const& r) {
    return {{"participant", r.entry.owner_ticket},
            {"number", r.entry.number},
            {"incarnation", std::to_string(r.entry.incarnation)},
            {"alive", r.alive},
            {"health", to_string(r.entry.state)},
            {"type", type_of(r.entry)},
            {"metadata", metadata_of(r.entry)}};
}

json::object counts_of(breaker_stats::counts const& c) {
    return {{"calls", c.calls},
            {"failures", c.failures},
            {"slow", c.slow},
            {"ignored", c.ignored},
            {"cancelled", c.cancelled}};
}

json::object breaker_of(breaker_report const& b) {
    json::array users;
    for (std::size_t i = 0; i < b.alive.size(); ++i) {
        users.push_back(
            json::object{{"participant", b.info.participants[i]}, {"alive", bool(b.alive[i])}});
    }
    json::object o{{"name", b.info.name},
                   {"scope", to_string(b.info.scope)},
                   {"participants", std::move(users)},
                   {"problem", b.is_good() ? json::value() : json::value(b.info.problem)},
                   {"state", nullptr},
                   {"counters", nullptr}};
    if (b.info.stats) {
        breaker_stats const& s = *b.info.stats;
        o["state"] = to_string(s.state);
        o["generation"] = s.generation;
        o["step"] = s.step;
        o["left_ms"] = b.left_ms ? json::value(*b.left_ms) : json::value();
        o["callee"] = std::to_string(s.callee);
        o["probes_flying"] = s.probes_flying;
        o["window"] = counts_of(s.window);
        o["opened_by"] = counts_of(s.tripped_by);
        o["counters"] = counts_of(s.total);
        json::object& counters = o["counters"].as_object();
        counters["rejected"] = s.rejected_total;
        counters["stale"] = s.stale_total;
        counters["opened"] = s.opened_total;
    }
    return o;
}

} // namespace

std::string report_as_json(domain_report const& report) {
    json::object const all{
        {"format", "partywall-list"},
        {"version", schema_version},
        {"domain", report.domain},
        {"path", any_bytes(report.path)},
        {"sequence", report.sequence},
        {"healthy", report.healthy()},
        {"participants", array_of(report.participants,
                                  [](participant_info const& p) {
                                      return json::object{
                                          {"ticket", p.ticket},
                                          {"pid", p.pid},
                                          {"name", p.name},
                                          {"alive", p.alive},
                                          {"joined_unix_ms", p.start_time_ns / 1'000'000}};
                                  })},
        {"topics", array_of(report.topics,
                            [](topic_report const& t) {
                                return json::object{
                                    {"name", t.name},
                                    {"publishers", array_of(t.publishers, publisher_of)},
                                    {"subscriptions", array_of(t.subscriptions, subscription_of)}};
                            })},
        {"receivers", array_of(report.receivers, receiver_of)},
        {"breakers", array_of(report.breakers, breaker_of)},
        {"services", array_of(report.services, service_of)},
        {"surveys", array_of(report.surveys,
                             [](survey_report const& s) {
                                 return json::object{
                                     {"name", s.name},
                                     {"surveyors", array_of(s.surveyors, surveyor_of)},
                                     {"respondents", array_of(s.respondents, respondent_of)}};
                             })},
        {"files", array_of(report.files,
                           [](file_report const& f) {
                               return json::object{{"name", any_bytes(f.name)}, {"bytes", f.bytes}};
                           })},
        {"bytes_total", report.bytes_total}};
    return json::serialize(all) + "\n";
}

} // namespace partywall::cli
