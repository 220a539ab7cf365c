// SPDX-License-Identifier: BSL-1.0
#include "suite.hpp"

#include <partywall/os/clock.hpp>

#include "limits.hpp"

#include <algorithm>
#include <exception>
#include <fmt/core.h>
#include <map>
#include <memory>
#include <set>

namespace partywall::bench {
namespace {

struct cell_result {
    cell what;
    std::vector<measurement> repetitions;
    std::string failure;
};

std::string describe(cell const& c) {
    std::string const variant = variant_text(c);
    return fmt::format("{} {} {} {} bytes, {}, {} receiver(s)", to_string(c.what.figure),
                       c.who->name, variant.empty() ? "-" : variant, c.what.bytes,
                       to_string(c.what.wait), c.what.readers);
}

/// That another library has no figure is a line of the report. That one of ours has none, or that
/// anybody's messages come wrong or not at all, makes a run fail.
bool is_only_slow(cell const& c, measurement const& m) {
    return m.too_slow && c.who->name != "partywall" && c.who->name != "raw";
}

/// Why a measurement does not count; empty if it does.
std::string fault_of(cell const& c, measurement const& m) {
    if (!m.error.empty()) {
        return m.error;
    }
    if (m.wrong != 0) {
        return fmt::format("{} wrong message(s): damaged, repeated, out of order, or from the "
                           "future",
                           m.wrong);
    }
    if (m.lost != 0 && c.what.lossy == 0) {
        return fmt::format("{} message(s) lost", m.lost);
    }
    return {};
}

/// Programs beside the measured ones, while they are needed.
class companions {
  public:
    explicit companions(std::string scratch) : scratch_(std::move(scratch)) {}

    /// Only what this group needs: a daemon takes processor time from everybody else.
    void keep(group const& g, std::vector<std::string>& failures) {
        std::set<subject const*> needed;
        for (cell const& c : g) {
            if (c.who->start != nullptr) {
                needed.insert(c.who);
            }
        }
        std::erase_if(running_, [&](auto const& one) { return !needed.contains(one.first); });
        for (subject const* who : needed) {
            if (!running_.contains(who) && !broken_.contains(who)) {
                try {
                    running_.emplace(who, who->start(scratch_));
                } catch (std::exception const& e) {
                    broken_.insert(who);
                    failures.push_back(fmt::format("{}: {}", who->name, e.what()));
                }
            }
        }
    }
    bool can(subject const& who) const { return !broken_.contains(&who); }

  private:
    std::string scratch_;
    std::map<subject const*, std::unique_ptr<companion>> running_;
    std::set<subject const*> broken_;
};

/// When a group should end, of so many that are to end by then.
std::uint64_t share_of(std::uint64_t end, std::size_t groups) {
    std::uint64_t const now = os::monotonic_ns();
    return now >= end ? now : now + (end - now) / groups;
}

row row_of(runner const& with, cell_result const& from, int wanted) {
    row r = summarize(from.what.what, from.repetitions);
    r.subject = from.what.who->name;
    r.variant = variant_text(from.what);
    r.placement = with.placement();
    if (from.repetitions.size() < static_cast<std::size_t>(wanted)) {
        add_label(r, true, fmt::format("{} repetition(s)", from.repetitions.size()));
    }
    add_label(r, with.oversubscribes(from.what.what), "oversubscribed");
    return r;
}

void compare(row& r, cell_result const& own, std::vector<cell_result> const& all) {
    limit const l = limit_of(own.what.what);
    if (l.bare_line) {
        // Both of the same moment: the line may be another one in the next repetition.
        std::vector<double> ratios;
        for (measurement const& m : own.repetitions) {
            if (m.p50 && m.probe > 0) {
                ratios.push_back(*m.p50 / m.probe);
            }
        }
        r.raw_figure = r.probe;
        r.ratio_to_raw = median(std::move(ratios));
        return;
    }
    auto const raw = std::find_if(all.begin(), all.end(), [&](cell_result const& other) {
        return other.what.who->name == "raw" && same_job(other.what.what, *l.raw);
    });
    if (raw == all.end() || raw->repetitions.empty()) {
        return;
    }
    row const limit_row = summarize(raw->what.what, raw->repetitions);
    if (limit_row.headline() && r.headline()) {
        r.raw_figure = limit_row.headline();
        r.ratio_to_raw = *r.headline() / *limit_row.headline();
    }
}

} // namespace

suite_result run_suite(runner& with, plan const& what, effort const& how_much,
                       std::function<void(std::string const&)> const& tell) {
    suite_result result;
    std::vector<cell_result> all;
    companions beside(with.scratch_root());
    limit_log limits(with);
    std::uint64_t const started = os::monotonic_ns();
    std::size_t groups_left = what.groups.size();
    for (group const& g : what.groups) {
        std::uint64_t const until = share_of(started + how_much.budget_ns, groups_left--);
        limits.look();
        beside.keep(g, result.failures);
        std::size_t const first = all.size();
        for (cell const& c : g) {
            if (beside.can(*c.who)) {
                all.push_back({c, {}, {}});
            }
        }
        tell(fmt::format("{} ({} rows)", to_string(g.front().what.figure), all.size() - first));
        for (int i = 0; i < how_much.repetitions; ++i) {
            if (i > 0 && how_much.budget_ns != 0 && os::monotonic_ns() >= until) {
                tell(fmt::format("  {} of {} repetitions, for want of time", i,
                                 how_much.repetitions));
                break;
            }
            for (std::size_t k = first; k < all.size(); ++k) {
                cell_result& one = all[k];
                if (!one.failure.empty()) {
                    continue;
                }
                measurement m = with.measure(*one.what.who, one.what.variant, one.what.what);
                one.failure = fault_of(one.what, m);
                if (one.failure.empty()) {
                    one.repetitions.push_back(std::move(m));
                } else if (is_only_slow(one.what, m)) {
                    result.notes.push_back(describe(one.what) + ": " + one.failure);
                    tell(result.notes.back());
                } else {
                    result.failures.push_back(describe(one.what) + ": " + one.failure);
                    tell("FAILED " + result.failures.back());
                }
            }
        }
    }
    for (cell_result const& one : all) {
        if (!one.repetitions.empty()) {
            result.rows.push_back(row_of(with, one, how_much.repetitions));
            compare(result.rows.back(), one, all);
        }
    }
    for (row& r : limits.rows()) {
        result.rows.push_back(std::move(r));
    }
    return result;
}

} // namespace partywall::bench
