// SPDX-License-Identifier: BSL-1.0
// partywall survey: one question to all respondents of a name, and their answers to standard output
// as they come.
#include "command.hpp"
#include "file_io.hpp"
#include "question.hpp"
#include "signals.hpp"
#include "stream_options.hpp"
#include "units.hpp"

#include <CLI/App.hpp>

#include <algorithm>
#include <memory>

namespace partywall::cli {
namespace {

constexpr std::chrono::seconds wait_default{1};
constexpr std::uint64_t answer_bytes_default = 64 * 1024;
/// What a question may have, whoever hears it.
constexpr std::uint64_t question_bytes_max = 64 * 1024 * 1024;

struct survey_arguments : stream_options, question_options {
    std::optional<std::chrono::nanoseconds> wait;
    std::optional<std::chrono::nanoseconds> quiet_for;
    std::uint64_t at_least = 0;
    bool first = false;
    std::uint64_t respondents = respondents_default;
    std::uint64_t answer_max = answer_bytes_default;

    std::uint64_t wanted() const noexcept { return first ? 1 : at_least; } ///< 0: all
};

using bytes_surveyor = surveyor<bytes, bytes>;

void wait_for_respondents(survey_arguments const& o, bytes_surveyor& from) {
    if (o.wait_for == 0) {
        return;
    }
    auto const there =
        from.wait_for_respondents(static_cast<std::uint32_t>(o.wait_for), o.patience());
    if (there) {
        return;
    }
    check_stopped();
    if (there.error() != survey_errc::timed_out) {
        fail(exit_failed, "cannot wait for respondents of '{}': {}", o.topic,
             to_string(there.error()));
    }
    fail(exit_not_found, "{} of {} respondents of '{}' came{}", from.respondents(), o.wait_for,
         o.topic, within(o));
}

/// A number that no two respondents of a domain share, ever: the participant's, and the respondent's.
std::string number_of(std::uint64_t respondent) {
    return fmt::format("{}.{}", respondent >> 24, respondent & endpoints_max);
}

/// A respondent answers once, so its lines belong together.
void print(output& out, survey_answer<bytes> const& answer) {
    std::string const who = number_of(answer.respondent());
    std::string_view left = answer.text();
    for (bool more = true; more;) {
        std::size_t const end = left.find('\n');
        out.line(fmt::format("{}\t{}", who, left.substr(0, end)));
        more = end != std::string_view::npos;
        left.remove_prefix(more ? end + 1 : left.size());
    }
    out.flush(); // whoever reads them wants the first one first
}

/// "7.1 (vendor): failed (failed, code 3): no such share"
std::string show(respondent_result const& one, domain_snapshot const& all) {
    std::string text = number_of(one.respondent);
    auto const who =
        std::find_if(all.participants.begin(), all.participants.end(),
                     [&](participant_info const& p) { return p.ticket == one.ticket; });
    if (who != all.participants.end()) {
        text += fmt::format(" ({})", printable(who->name));
    }
    text += fmt::format(": {}", to_string(one.status));
    if (one.fault != server_fault::none) {
        text += fmt::format(" ({}, code {})", to_string(one.fault), one.code);
    }
    if (!one.text.empty()) {
        text += ": " + printable(one.text);
    }
    return text;
}

/// Whether the answers that were asked for came: so many, or of all who had something to say.
bool is_enough(survey_arguments const& o, survey_result const& came,
               std::uint64_t answers) noexcept {
    return o.wanted() != 0 ? answers >= o.wanted()
                           : answers != 0 && came.answered + came.declined == came.expected;
}

/// What it came to, on standard error: the ending, and every respondent that did not answer.
void tell(survey_arguments const& o, survey_result const& came, participant const& me) {
    std::string ending = fmt::format("survey of '{}': {}, {} of {} answered", o.topic,
                                     to_string(came.ending), came.answered, came.expected);
    auto const late = std::count_if(
        came.respondents.begin(), came.respondents.end(), [](respondent_result const& one) {
            return one.joined_late && one.status == respondent_status::answered;
        });
    if (late != 0) {
        ending += fmt::format(", and {} that came late", late);
    }
    say(ending);
    domain_snapshot const all = me.snapshot();
    for (respondent_result const& one : came.respondents) {
        if (one.status != respondent_status::answered) {
            say(show(one, all));
        }
    }
}

surveyor_options options_of(survey_arguments const& o, std::uint64_t question_bytes) {
    surveyor_options how;
    how.deadline = o.wait.value_or(wait_default);
    how.surveys_max = 1;
    how.depth = 1;
    how.respondents_max = static_cast<std::uint32_t>(o.respondents);
    how.request_bytes_max = std::max<std::uint64_t>(question_bytes, 1);
    how.answer_bytes_max = o.answer_max;
    return how;
}

int run_survey(survey_arguments const& o, common_options const& common) {
    if (o.respondents > respondents_max) {
        fail(exit_usage, "--respondents {}: a surveyor hears at most {}", o.respondents,
             respondents_max);
    }
    if (std::max(o.wait_for, o.at_least) > o.respondents) {
        fail(exit_usage, "{} {}: there is room for {} (--respondents)",
             o.wait_for > o.respondents ? "--wait-for" : "--at-least",
             std::max(o.wait_for, o.at_least), o.respondents);
    }
    std::vector<std::byte> const text = question(o).read(question_bytes_max);
    if (text.size() > question_bytes_max) {
        fail(exit_failed, "the question has more than {}", show_size(question_bytes_max));
    }
    participant const me = join_as(o, common);
    auto from = me.surveyor<bytes, bytes>(o.topic, options_of(o, text.size()));
    if (!from) {
        fail(from.error());
    }
    interruptible const guard(*from);
    wait_for_respondents(o, *from);
    survey_options when;
    when.at_least = static_cast<std::uint32_t>(o.wanted());
    when.quiet_for = o.quiet_for.value_or(std::chrono::nanoseconds(0));
    auto asked = from->ask(text, when);
    if (!asked) {
        check_stopped();
        fail(exit_failed, "survey of '{}': {}", o.topic, to_string(asked.error()));
    }
    output out;
    std::uint64_t answers = 0;
    for (survey_answer<bytes> const& answer : *asked) {
        print(out, answer);
        answers += 1;
    }
    out.close();
    check_stopped();
    survey_result const came = asked->result();
    bool const enough = is_enough(o, came, answers);
    if (!enough || !common.quiet) {
        tell(o, came, me);
    }
    return enough                                         ? exit_ok
           : came.ending == survey_ending::no_respondents ? exit_not_found
                                                          : exit_failed;
}

} // namespace

command make_survey(CLI::App& parent, common_options const& common) {
    auto o = std::make_shared<survey_arguments>();
    o->name = "partywall survey";
    CLI::App& app = *parent.add_subcommand("survey", "Ask all respondents of a name, and write "
                                                     "their answers to standard output");
    add_stream_options(app, *o, "NAME", "Whom to ask, such as quotes");
    add_question(app, *o, "question");
    add_duration(app, "--wait", o->wait,
                 "How long to wait for answers; seconds, or with a unit: 200ms, 1.5s, 2min "
                 "(default " +
                     show_duration(wait_default) + ")");
    CLI::Option* const at_least =
        add_count(app, "--at-least", o->at_least, "So many answers are enough");
    app.add_flag("--first", o->first, "The first answer is enough: --at-least 1")
        ->excludes(at_least);
    add_duration(app, "--quiet-for", o->quiet_for,
                 "So long after the last answer nobody is waited for any more");
    add_count(app, "--wait-for", o->wait_for, "Ask when N respondents are there");
    add_duration(app, "--timeout", o->timeout,
                 "How long to wait for respondents (--wait-for); default: for ever");
    add_count(app, "--respondents", o->respondents,
              fmt::format("Respondents at a time, each with memory of its own (default {})",
                          respondents_default));
    add_size(app, "--answer-max", o->answer_max,
             "Longest answer (default " + show_size(answer_bytes_default) + ")");
    app.footer(
        "Each line of an answer is a line: who answered, a tab, and the line. Standard error "
        "says how the\nsurvey ended, and of each respondent that did not answer, why. Ends "
        "with 0 if the answers that\nwere asked for came: --at-least so many, or those of "
        "all who had something to say.\n\n"
        "  partywall survey quotes EURUSD --wait 50ms --at-least 2\n"
        "  partywall survey health '' --quiet-for 200ms");
    return {&app, [o, &common] { return run_survey(*o, common); }};
}

} // namespace partywall::cli
