// SPDX-License-Identifier: BSL-1.0
// partywall list: who is there, and what they do. Joins nothing and changes nothing.
#include "domain_report.hpp"
#include "file_io.hpp"

#include <CLI/App.hpp>

#include <memory>

namespace partywall::cli {
namespace {

struct list_options {
    bool json = false;
    bool plain = false;
};

int run_list(list_options const& o, common_options const& common) {
    auto view = registry_view::open(common.where());
    if (!view) {
        fail(view.error());
    }
    domain_report const report = read_domain(*view);
    output out;
    out.write(o.json    ? report_as_json(report)
              : o.plain ? report_as_plain(report)
                        : report_as_text(report));
    out.close();
    for (topic_report const& t : report.topics) {
        for (publisher_report const& p : t.publishers) {
            if (!p.stats) {
                say(printable(p.problem));
            }
        }
    }
    for (survey_report const& survey : report.surveys) {
        for (surveyor_report const& s : survey.surveyors) {
            if (!s.is_good()) {
                say(printable(s.problem));
            }
        }
    }
    for (auto const* const all : {&report.receivers, &report.services}) {
        for (receiver_report const& r : *all) {
            if (!r.stats) {
                say(printable(r.problem));
            }
        }
    }
    for (breaker_report const& b : report.breakers) {
        if (!b.is_good()) {
            say(printable(b.info.problem));
        }
    }
    return report.healthy() ? exit_ok : exit_unhealthy;
}

} // namespace

command make_list(CLI::App& parent, common_options const& common) {
    auto o = std::make_shared<list_options>();
    CLI::App& app = *parent.add_subcommand(
        "list",
        "Show participants, topics, services, surveys, breakers, counters and files of a domain");
    CLI::Option* const json =
        app.add_flag("--json", o->json, "One JSON object, with a version of its schema");
    app.add_flag("--plain", o->plain, "One record per line, fields separated by tabs")
        ->excludes(json);
    app.footer(
        "Joins nothing and changes nothing. Readers bring their counters up to date now and\n"
        "then, not with every message. Ends with 4 if something there cannot be read.");
    return {&app, [o, &common] { return run_list(*o, common); }};
}

} // namespace partywall::cli
