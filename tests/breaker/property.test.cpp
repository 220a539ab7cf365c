// SPDX-License-Identifier: BSL-1.0
// Random operations, for every window and every rule, on a breaker and on the model of it.
#include "fake_clock.hpp"
#include "model.hpp"

#include "support/counts.hpp"
#include "support/watchdog.hpp"

#include <partywall/breaker/breaker.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <sstream>
#include <string>
#include <vector>

namespace partywall::test {
namespace {

using namespace std::chrono_literals;
using random = std::mt19937;

std::uint32_t below(random& luck, std::uint32_t n) {
    return std::uniform_int_distribution<std::uint32_t>(0, n - 1)(luck);
}

breaker_window any_window(random& luck, std::uint32_t kind) {
    switch (kind) {
    case 0: return breaker_window::consecutive(1 + below(luck, 4));
    case 1: return breaker_window::count(2 + below(luck, 12));
    case 2: return breaker_window::fixed(std::chrono::milliseconds(1 + below(luck, 20)));
    default: {
        std::uint32_t const buckets = 2 + below(luck, 15);
        return breaker_window::rolling(buckets * std::chrono::milliseconds(1 + below(luck, 5)),
                                       buckets);
    }
    }
}

breaker_probing any_probing(random& luck, std::uint32_t rule) {
    std::uint32_t const n = 1 + below(luck, 5);
    switch (rule) {
    case 0: return breaker_probing::all_must_pass(n);
    case 1: return breaker_probing::k_of_n(1 + below(luck, n), n);
    default: return breaker_probing::rate_over(n);
    }
}

breaker_options any_options(random& luck, std::uint32_t kind, std::uint32_t rule) {
    constexpr std::array rates = {0.25, 0.5, 0.75, 1.0};
    breaker_options o;
    o.window = any_window(luck, kind);
    o.failure_rate = rates.at(below(luck, rates.size()));
    if (o.window.kind != window_kind::consecutive && below(luck, 2) == 0) {
        o.slow_call_rate = rates.at(below(luck, rates.size()));
        o.slow_call_duration = std::chrono::milliseconds(below(luck, 3));
    }
    std::uint32_t const most = o.window.kind == window_kind::count ? o.window.calls : 6;
    o.minimum_calls = 1 + below(luck, most);
    o.evaluate_on = below(luck, 2) == 0 ? evaluate_on::failure : evaluate_on::any_outcome;
    o.open_for = std::chrono::milliseconds(1 + below(luck, 5));
    o.open_for_max = o.open_for * (1 + below(luck, 6));
    o.open_factor = 1 + below(luck, 3);
    o.open_jitter = 0;
    o.probing = any_probing(luck, rule);
    o.probes_at_a_time = below(luck, o.probing.calls + 1);
    o.half_open_max = std::chrono::milliseconds(1 + below(luck, 10));
    return o;
}

std::string shown(breaker_rejection const& r) {
    return std::string(to_string(r.reason)) + ", after " + std::to_string(r.retry_after.count());
}

std::string to_text(breaker_state s) { return std::string(to_string(s)); }

/// Both of them, and the calls under way.
class pair {
  public:
    pair(breaker_options const& options, random& luck)
        : luck_(luck), real_(basic_breaker<fake_clock>::make(options, fake_clock(now_)).value()),
          model_(options, now_) {}

    /// One random step; what differed, if anything did.
    std::string step() {
        std::uint32_t const dice = below(luck_, 100);
        if (dice < 45) {
            return admit();
        }
        if (dice < 80) {
            end_one();
        } else if (dice < 94) {
            // To the next millisecond, by some nanoseconds, or by some milliseconds.
            std::uint32_t const how = below(luck_, 3);
            now_ = how == 0   ? now_ / 1'000'000 * 1'000'000 + 1'000'000
                   : how == 1 ? now_ + below(luck_, 1000)
                              : now_ + below(luck_, 4'000'000);
        } else if (dice < 97) {
            auto const to = static_cast<breaker_state>(below(luck_, 7));
            log_ << " move " << to_string(to);
            bool const moved = real_.move_to(to).has_value();
            if (moved != model_.move_to(to, now_)) {
                return "a move";
            }
        } else if (dice < 98) {
            log_ << " died";
            real_.callee_died();
            model_.died(now_);
        } else if (dice < 99) {
            log_ << " new";
            incarnation_ += 1;
            real_.callee_is_new(incarnation_);
            model_.renewed(now_);
        } else {
            // Out of the states that do nothing, or most sequences would end in one.
            log_ << " close";
            (void)real_.move_to(breaker_state::closed).has_value();
            model_.move_to(breaker_state::closed, now_);
        }
        return compare();
    }
    /// The last steps.
    std::string log() const {
        std::string const all = log_.str();
        return all.size() < 600 ? all : "..." + all.substr(all.size() - 600);
    }
    std::uint64_t opened() const { return model_.opened(); }
    std::uint64_t stale() const { return model_.stale(); }

  private:
    struct flight {
        basic_ticket<fake_clock> ticket;
        breaker_model::call call;
    };

    std::string admit() {
        breaker_rejection why;
        auto ticket = real_.admit();
        auto const call = model_.admit(now_, why);
        log_ << (ticket ? " A" : " R");
        if (ticket.has_value() != call.has_value()) {
            return "an admission";
        }
        if (ticket) {
            flights_.push_back({std::move(*ticket), *call});
        } else if (!(ticket.error() == why)) {
            return "a rejection: " + shown(ticket.error()) + ", not " + shown(why);
        }
        return compare();
    }

    void end_one() {
        if (flights_.empty()) {
            return;
        }
        auto const at =
            flights_.begin() + below(luck_, static_cast<std::uint32_t>(flights_.size()));
        std::uint32_t const how = below(luck_, 12);
        if (how == 11) {
            log_ << " release";
            model_.release(at->call);
        } else {
            auto const what = how < 5   ? outcome::success
                              : how < 8 ? outcome::failure
                                        : static_cast<outcome>(how - 6);
            log_ << " " << to_string(what);
            at->ticket.end(what);
            model_.end(at->call, what, now_);
        }
        flights_.erase(at);
    }

    std::string compare() {
        log_ << "@" << now_ - fake_start_ns;
        breaker_stats const s = real_.stats();
        breaker_state const m = model_.state(now_);
        if (s.state != m || real_.state() != m) {
            return "the state: " + to_text(s.state) + ", not " + to_text(m);
        }
        bool const counts = m == breaker_state::closed || m == breaker_state::metrics_only;
        breaker_model::sums const seen{s.window.calls, s.window.failures, s.window.slow};
        if (counts && !(seen == model_.window(now_))) {
            return "the window";
        }
        if (s.stale_total != model_.stale()) {
            return "the dropped results";
        }
        return "";
    }

    random& luck_;
    std::uint64_t now_ = fake_start_ns;
    basic_breaker<fake_clock> real_;
    breaker_model model_;
    std::vector<flight> flights_;
    std::uint64_t incarnation_ = 0;
    std::ostringstream log_;
};

TEST(BreakerProperty, DoesWhatItsModelDoesForEveryWindowAndRule) {
    std::uint64_t const rounds = count(150, 2000);
    watchdog::extend(std::chrono::minutes(full_counts() ? 5 : 1));
    random luck(run_seed());
    std::uint64_t opened = 0;
    std::uint64_t stale = 0;
    for (std::uint32_t kind = 0; kind < 4; ++kind) {
        for (std::uint32_t rule = 0; rule < 3; ++rule) {
            if (kind == 0 && rule == 2) {
                continue; // refused: failures in a row have no rate
            }
            for (std::uint64_t round = 0; round < rounds; ++round) {
                pair both(any_options(luck, kind, rule), luck);
                for (int i = 0; i < 400; ++i) {
                    std::string const wrong = both.step();
                    ASSERT_EQ(wrong, "") << "window " << kind << ", rule " << rule << ", round "
                                         << round << ", step " << i << ":" << both.log();
                }
                opened += both.opened();
                stale += both.stale();
            }
        }
    }
    EXPECT_GT(opened, rounds * 11); // or it would have said little
    EXPECT_GT(stale, rounds * 11);
    RecordProperty("opened", static_cast<int>(opened));
}

} // namespace
} // namespace partywall::test
