// SPDX-License-Identifier: BSL-1.0
#include "stage.hpp"

#include <partywall/breaker/retry.hpp>

#include <cctype>
#include <cmath>
#include <cstdio>
#include <new>
#include <stdexcept>
#include <string_view>

namespace partywall::test {
namespace {

constexpr std::string_view letters = "COHZDMI"; // by the number of the state

char letter(breaker_state s) { return letters.at(static_cast<std::size_t>(s)); }
breaker_state state_of(char c) { return static_cast<breaker_state>(letters.find(c)); }

std::chrono::nanoseconds seconds(std::string const& text) {
    return std::chrono::nanoseconds(std::llround(std::stod(text) * 1e9));
}

std::string number(double n) { // as the table writes them
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.1f", n);
    std::string s = text.data();
    return s.ends_with(".0") ? s.substr(0, s.size() - 2) : s;
}

std::string list(std::vector<std::string> const& parts) {
    std::string s;
    for (std::string const& part : parts) {
        s += (s.empty() ? "" : ",") + part;
    }
    return s;
}

outcome outcome_of(char how) {
    switch (how) {
    case 'S':
    case 's': return outcome::success;
    case 'F':
    case 'f': return outcome::failure;
    case 'X': return outcome::ignored;
    default: throw std::runtime_error(std::string("no such outcome: ") + how);
    }
}

/// Words of text from `at` to the closing parenthesis or the end.
std::vector<std::string> read_words(std::string const& text, std::size_t& at) {
    std::vector<std::string> words;
    while (at < text.size() && text[at] != ')') {
        if (text[at] == ' ') {
            at += 1;
            continue;
        }
        std::size_t const star = text.find_first_not_of("0123456789", at);
        if (star != at && star != std::string::npos && text[star] == '*') {
            int const times = std::stoi(text.substr(at, star - at));
            std::vector<std::string> each;
            if (text.at(star + 1) == '(') {
                at = star + 2;
                each = read_words(text, at);
                at += 1;
            } else {
                each = {text.substr(star + 1, text.find_first_of(" )", star) - star - 1)};
                at = std::min(text.find_first_of(" )", star), text.size());
            }
            for (int i = 0; i < times; ++i) {
                words.insert(words.end(), each.begin(), each.end());
            }
            continue;
        }
        std::size_t const end = std::min(text.find_first_of(" )", at), text.size());
        words.push_back(text.substr(at, end - at));
        at = end;
    }
    return words;
}

bool proven_dead(void* context, std::uint64_t ticket) noexcept {
    return static_cast<std::set<std::uint64_t> const*>(context)->contains(ticket);
}

} // namespace

std::vector<std::string> words_of(std::string const& sequence) {
    std::size_t at = 0;
    return read_words(sequence, at);
}

stage::stage(std::string const& profile_name)
    : profile_(profile_called(profile_name)), family_(profile_name[0]) {
    profile_.options.listeners.push_back([this](breaker_event const& e) {
        events_.push_back(e.from != e.to ? std::string{letter(e.from), letter(e.to)}
                          : e.cause == breaker_cause::failure_rate ? "FR"
                                                                   : "??");
    });
    fake_clock const clock(now_ns_);
    if (profile_.shared_by == 0) {
        breakers_.push_back(breaker_type::make(profile_.options, clock).value());
        return;
    }
    auto const rules = detail::breaker_rules(profile_.options).value();
    detail::breaker_core<>::format(record_, rules, now_ns_);
    for (std::size_t i = 0; i < profile_.shared_by; ++i) {
        breakers_.push_back(breaker_type::over(profile_.options, &record_, detail::record_use::join,
                                               {i + 1, {&proven_dead, &dead_}}, clock)
                                .value());
    }
}

stage::~stage() = default;

std::string stage::play(std::vector<std::string> const& words) {
    for (std::size_t i = 0; i < words.size(); ++i) {
        std::string wrong;
        if (words[i] == "retry") {
            wrong = retry(words.at(i + 1), words.at(i + 2), words.at(i + 3));
            i += 3;
        } else {
            wrong = play_word(words[i]);
        }
        if (!wrong.empty()) {
            return "at word " + std::to_string(i + 1) + ", " + words[i] + ": " + wrong;
        }
    }
    return "";
}

std::string stage::play_word(std::string const& word) {
    auto const expect = [](std::string const& seen, std::string const& wanted) {
        return seen == wanted ? "" : "it is " + seen;
    };
    if (word == "rel") {
        flights_.pop_front();
        return "";
    }
    if (word == "kill") {
        kill_oldest();
        return "";
    }
    if (word == "dead") {
        now().callee_died(1);
        return "";
    }
    if (word == "new") {
        now().callee_is_new(2);
        return "";
    }
    switch (word[0]) {
    case '+': now_ns_ += ns(seconds(word.substr(1))); return "";
    case '[': return expect(std::string("[") + letter(now().state()) + "]", word);
    case '{': return expect(counts(), word);
    case '!': return move(word.substr(1));
    case '@': at_ = std::stoul(word.substr(1)) - 1; return "";
    case 'R': return reject(word.substr(1));
    case 'd': end_oldest(word.at(1)); return "";
    case 'e': return expect("ev:" + events(), word);
    case 'E': return now().move_to(state_of(word.at(2))) ? "the move was not refused" : "";
    default: return call(word[0]);
    }
}

std::string stage::call(char how) {
    if (how == 'P') {
        try {
            (void)now().run([]() -> int { throw std::runtime_error("thrown by a call"); });
        } catch (std::runtime_error const&) {
            return "";
        }
        return "the exception was swallowed";
    }
    auto ticket = now().admit();
    if (!ticket) {
        return "rejected: " + std::string(to_string(ticket.error().reason));
    }
    if (how == 'A') {
        flights_.push_back({at_, std::move(*ticket)});
        return "";
    }
    if (how == 's' || how == 'f') {
        now_ns_ += 5'000'000'000;
    }
    if (profile_.likes_everything) {
        ticket->record(how, [](char) { return outcome::success; });
    } else {
        ticket->end(outcome_of(how));
    }
    return "";
}

std::string stage::reject(std::string const& after) {
    auto const ticket = now().admit();
    if (ticket) {
        return "admitted";
    }
    std::chrono::nanoseconds const given = ticket.error().retry_after;
    return after.empty() || given == seconds(after)
               ? ""
               : "retry after " + std::to_string(given.count()) + " ns";
}

std::string stage::move(std::string const& to) {
    bool const timed = to.find('=') != std::string::npos;
    auto const moved =
        timed ? now().open_for(seconds(to.substr(2))) : now().move_to(state_of(to.at(0)));
    return moved ? "" : std::string(to_string(moved.error()));
}

std::string stage::retry(std::string const& attempts, std::string const& how,
                         std::string const& calls) {
    retry_options options;
    options.attempts = static_cast<std::uint32_t>(std::stoul(attempts));
    options.idempotent = true;
    retry_plan plan(options, 1);
    std::string made;
    std::uint64_t count = 0;
    call_facts facts;
    do {
        made += "+";
        auto const r = now().run(
            [&] {
                count += 1;
                return how[0];
            },
            outcome_of);
        facts = r ? call_facts{.what = outcome_of(*r)}
                  : call_facts{
                        .what = outcome::ignored, .executed = executed::no, .refused_here = true};
    } while (plan.after(facts, std::chrono::hours(1), nullptr)); // and no time passes
    if (made.size() != options.attempts || count != std::stoul(calls)) {
        return std::to_string(made.size()) + " attempts, " + std::to_string(count) + " calls";
    }
    return facts.refused_here ? "" : "the last attempt was not a rejection";
}

void stage::end_oldest(char how) {
    flights_.front().held.end(outcome_of(how));
    flights_.pop_front();
}

void stage::kill_oldest() {
    dead_.insert(flights_.front().by + 1);
    ::new (corpses_.emplace_back().bytes.data()) ticket_type(std::move(flights_.front().held));
    flights_.pop_front();
}

std::string stage::counts() const {
    breaker_stats const s = now().stats();
    auto const text = [](std::uint64_t n) { return std::to_string(n); };
    breaker_stats::counts const& w = s.state == breaker_state::open ? s.tripped_by : s.window;
    double const rate = s.failure_rate() ? *s.failure_rate() * 100 : -1;
    switch (family_) {
    case 'G':
        return "{" +
               list({text(s.window.calls + s.window.ignored), text(s.window.successes()),
                     text(s.window.failures), text(s.window.ignored), text(s.successes_in_a_row),
                     text(s.failures_in_a_row)}) +
               "}";
    case 'R':
        return "{" +
               list({number(rate), text(w.successes()), text(w.calls), text(w.failures),
                     text(s.rejected)}) +
               "}";
    default:
        return "{" + list({text(w.calls), number(rate < 0 ? 0 : rate), text(w.failures)}) + "}";
    }
}

std::string stage::events() const { return list(events_); }

} // namespace partywall::test
