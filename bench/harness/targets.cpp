// SPDX-License-Identifier: BSL-1.0
#include "targets.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <string_view>

namespace partywall::bench {
namespace {

/// Which rows a target is about.
struct place {
    bench::figure figure;
    std::uint64_t bytes;
    bench::wait wait = wait::spin;
    std::uint32_t receivers = 1;
};

bool lies_in(row const& r, place const& p) {
    return r.figure == p.figure && r.bytes == p.bytes && r.wait == p.wait &&
           r.receivers == p.receivers && r.headline();
}
bool ends_with(std::string_view text, std::string_view end) {
    return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

class judge_of {
  public:
    explicit judge_of(std::vector<row> const& rows) : rows_(rows) {}

    void ratio(std::string const& target, place const& p, double limit, bool at_least) {
        bool any = false;
        for (row const& r : rows_) {
            if (r.subject == "partywall" && lies_in(r, p) && r.ratio_to_raw) {
                say(target, r.variant, limit, at_least, "× raw", r.ratio_to_raw, r.labels);
                any = true;
            }
        }
        if (!any) {
            missing(target, limit, at_least, "× raw");
        }
    }
    /// More messages than any other library in the same place; its variant ends with `kind`.
    void ahead(std::string const& target, place const& p, std::string_view kind) {
        row const* best = nullptr;
        for (row const& r : rows_) {
            if (r.subject != "partywall" && r.subject != "raw" && lies_in(r, p) &&
                ends_with(r.variant, kind) &&
                (best == nullptr || *r.headline() > *best->headline())) {
                best = &r;
            }
        }
        bool any = false;
        for (row const& r : rows_) {
            if (best != nullptr && r.subject == "partywall" && lies_in(r, p) &&
                ends_with(r.variant, kind)) {
                say(target, r.variant, 1.0, true, "× " + best->subject,
                    *r.headline() / *best->headline(), r.labels);
                any = true;
            }
        }
        if (!any) {
            missing(target, 1.0, true, "× the best peer");
        }
    }
    /// What publishing costs at most, whoever is attached; and how much it depends on that.
    void publishing(double limit, double spread) {
        std::map<std::string, std::vector<row const*>> by_variant;
        for (row const& r : rows_) {
            if (r.subject == "partywall" && r.figure == figure::publish_cost && r.bytes == 64 &&
                r.p50 && r.ratio_to_raw) {
                by_variant[r.variant].push_back(&r);
            }
        }
        std::string const dear = "publish, 64 B, 0 to 256 who do not read, the dearest";
        std::string const flat = "the same, farthest from what it costs with nobody there";
        if (by_variant.empty()) {
            missing(dear, limit, false, "× raw");
            missing(flat, spread, false, "× with none");
        }
        for (auto const& [variant, those] : by_variant) {
            double most = 0;
            for (row const* r : those) {
                most = std::max(most, *r->ratio_to_raw);
            }
            say(dear, variant, limit, false, "× raw", most, "");
        }
        for (auto const& [variant, those] : by_variant) {
            auto const none = std::find_if(those.begin(), those.end(),
                                           [](row const* r) { return r->receivers == 0; });
            if (none == those.end() || those.size() == 1) {
                missing(flat, spread, false, "× with none");
                continue;
            }
            double farthest = 1;
            for (row const* r : those) {
                double const times = *r->p50 / *(*none)->p50;
                farthest = std::max({farthest, times, 1 / times});
            }
            say(flat, variant, spread, false, "× with none", farthest, "");
        }
    }
    void time(std::string const& target, place const& p, std::string_view variant,
              double limit_ns) {
        for (row const& r : rows_) {
            if (r.subject == "partywall" && lies_in(r, p) && r.variant == variant) {
                say(target, r.variant, limit_ns, false, "ns", r.p50, r.labels);
                return;
            }
        }
        missing(target, limit_ns, false, "ns");
    }

    std::vector<verdict> all;

  private:
    void say(std::string target, std::string variant, double limit, bool at_least, std::string unit,
             std::optional<double> measured, std::string remark) {
        all.push_back({std::move(target), std::move(variant), limit, at_least, std::move(unit),
                       measured, std::move(remark)});
    }
    void missing(std::string const& target, double limit, bool at_least, char const* unit) {
        say(target, "", limit, at_least, unit, std::nullopt, "");
    }

    std::vector<row> const& rows_;
};

} // namespace

std::vector<verdict> judge(std::vector<row> const& rows) {
    constexpr std::uint64_t mib = 1024 * 1024;
    judge_of j(rows);
    j.ratio("round trip, 48 B, spinning", {figure::round_trip, 48}, 1.25, false);
    j.ratio("round trip, 64 B, spinning", {figure::round_trip, 64}, 1.4, false);
    j.ratio("one to one, nothing lost, 64 B, one by one", {figure::throughput, 64}, 0.9, true);
    j.ratio("the same in batches of 64", {figure::throughput_batch, 64}, 1.1, true);
    j.ahead("one to one, one by one, ahead of every peer", {figure::throughput, 64}, "");
    j.ahead("one to one, in batches, ahead of every peer", {figure::throughput_batch, 64}, "");
    j.publishing(2.0, 1.1);
    j.ahead("one to two, nothing lost, ahead of every peer", {figure::fan_out, 64, wait::spin, 2},
            "lossless");
    j.ratio("synchronous call, 64 B, spinning", {figure::call, 64}, 1.6, false);
    j.ratio("1 MiB by loan, there and back, untouched", {figure::large_round_trip, mib}, 2.5,
            false);
    j.ratio("64 MiB by loan, there and back, untouched", {figure::large_round_trip, 64 * mib}, 2.5,
            false);
    j.ratio("round trip, 64 B, both sides sleep", {figure::round_trip, 64, wait::park}, 1.15,
            false);
    j.time("a breaker lets a call through, without the clock", {figure::breaker_admit, 0},
           "breaker", 30);
    return std::move(j.all);
}

} // namespace partywall::bench
