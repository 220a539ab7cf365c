// SPDX-License-Identifier: BSL-1.0
#include "plan.hpp"

#include <algorithm>
#include <iterator>

namespace partywall::bench {
namespace {

constexpr std::uint64_t kib = 1024;
constexpr std::uint64_t mib = 1024 * kib;
constexpr std::uint64_t ms = 1'000'000;

/// What every subject is asked for, in the order of the report.
class agenda {
  public:
    explicit agenda(bool quick) : quick_(quick) {
        round_trips();
        streams();
        fans();
        large_ones();
        wake_ups();
        for (figure const f : {figure::breaker_admit, figure::breaker_reject}) {
            add(f, 0, wait::spin);
        }
    }
    std::vector<job> const& jobs() const noexcept { return jobs_; }

  private:
    job& add(figure f, std::uint64_t bytes, wait w) {
        job j;
        j.figure = f;
        j.bytes = bytes;
        j.wait = w;
        j.duration_ns = quick_ ? 100 * ms : 300 * ms;
        jobs_.push_back(j);
        return jobs_.back();
    }
    void add_due(figure f, std::uint64_t bytes, wait w, std::uint64_t per_second) {
        job& j = add(f, bytes, w);
        j.interval_ns = 1'000'000'000U / per_second;
    }

    void round_trips() {
        auto const sizes = quick_ ? std::vector<std::uint64_t>{48, 64, kib}
                                  : std::vector<std::uint64_t>{8, 48, 64, 256, kib, 64 * kib, mib};
        for (std::uint64_t const bytes : sizes) {
            add(figure::round_trip, bytes, wait::spin);
            if (!quick_ || bytes == 64) {
                add(figure::call, bytes, wait::spin);
            }
        }
        for (wait const w : {wait::spin_then_park, wait::park, wait::fd}) {
            add(figure::round_trip, 64, w);
            if (w != wait::fd) {
                add(figure::call, 64, w);
            }
        }
        if (!quick_) {
            add(figure::round_trip, kib, wait::park);
        }
        for (std::uint64_t const bytes : sizes) {
            if (!quick_ || bytes == 64) {
                add_due(figure::one_way, bytes, wait::spin, 10'000);
            }
        }
        for (std::uint64_t const rate : {std::uint64_t{100'000}, std::uint64_t{1'000'000}}) {
            if (!quick_ || rate == 1'000'000) {
                add_due(figure::one_way, 64, wait::spin, rate);
            }
        }
        for (wait const w : {wait::spin_then_park, wait::park, wait::fd}) {
            if (!quick_) {
                add_due(figure::one_way, 64, w, 10'000);
            }
        }
    }
    void streams() {
        auto const sizes = quick_ ? std::vector<std::uint64_t>{64}
                                  : std::vector<std::uint64_t>{8, 48, 64, 256, kib, 64 * kib};
        for (std::uint64_t const bytes : sizes) {
            add(figure::throughput, bytes, wait::spin);
            if (bytes <= kib) {
                add(figure::throughput_batch, bytes, wait::spin);
            }
        }
        if (!quick_) {
            add(figure::throughput, 64, wait::spin_then_park);
            add(figure::throughput, 64, wait::park);
        }
        for (std::uint32_t const readers : {0U, 1U, 8U, 64U, 256U}) {
            job& j = add(figure::publish_cost, 64, wait::spin);
            j.readers = readers;
            j.lossy = 1;
        }
    }
    void fans() {
        // Lossy to one: where there are two processors it is the only one that tells how fast a reader
        // is that may be overtaken.
        add(figure::fan_out, 64, wait::spin);
        add(figure::fan_out, 64, wait::spin).lossy = 1;
        for (std::uint32_t const many : {2U, 4U, 8U}) {
            if (quick_ && many != 2) {
                continue;
            }
            add(figure::fan_out, 64, wait::spin).readers = many;
            job& lossy = add(figure::fan_out, 64, wait::spin);
            lossy.readers = many;
            lossy.lossy = 1;
            add(figure::fan_in, 64, wait::spin).writers = many;
        }
    }
    void large_ones() {
        for (std::uint64_t const bytes : {mib, 64 * mib}) {
            job& j = add(figure::large_round_trip, bytes, wait::spin);
            if (bytes > mib) {
                j.duration_ns = 1000 * ms; // those that copy need it
            }
        }
        add(figure::large_round_trip_touched, mib, wait::spin);
        if (!quick_) {
            add(figure::large_round_trip_touched, 64 * mib, wait::spin).duration_ns = 2000 * ms;
        }
    }
    void wake_ups() {
        for (wait const w : {wait::spin_then_park, wait::park, wait::fd}) {
            if (!quick_ || w != wait::spin_then_park) {
                job& j = add(figure::wake_up, 64, w);
                j.interval_ns = 2 * ms;
                j.duration_ns = quick_ ? 400 * ms : 1000 * ms;
            }
        }
    }

    bool quick_;
    std::vector<job> jobs_;
};

bool wanted(plan_options const& o, subject const& s) {
    return o.subjects.empty()
               ? !s.hidden
               : std::find(o.subjects.begin(), o.subjects.end(), s.name) != o.subjects.end();
}
bool wanted(plan_options const& o, job const& j) {
    return (o.only.empty() || std::find(o.only.begin(), o.only.end(), j.figure) != o.only.end()) &&
           (o.bytes == 0 || o.bytes == j.bytes);
}
/// Whether the rows of both are compared with each other, or with the same limit, and so have to be
/// of one moment: that publishing costs the same for any number, that a batch is faster.
bool belongs_to(job const& j, job const& first) {
    if (j.figure == figure::publish_cost) {
        return first.figure == figure::publish_cost;
    }
    if (j.bytes != first.bytes || j.wait != first.wait) {
        return false;
    }
    return (j.figure == figure::throughput_batch && first.figure == figure::throughput) ||
           (j.figure == figure::call && first.figure == figure::round_trip) ||
           (j.figure == figure::fan_out && first.figure == figure::fan_out &&
            j.readers == first.readers);
}

void add_cells(group& to, subject const& s, job const& j) {
    for (std::string_view const variant : s.variants) {
        if (s.can(j, variant)) {
            to.push_back({&s, std::string(variant), j});
        }
    }
}

} // namespace

bool same_job(job const& a, job const& b) noexcept {
    return a.figure == b.figure && a.wait == b.wait && a.bytes == b.bytes &&
           a.writers == b.writers && a.readers == b.readers && a.lossy == b.lossy &&
           a.interval_ns == b.interval_ns;
}

limit limit_of(job const& what) {
    bool const sleeps = what.wait == wait::park || what.wait == wait::fd;
    if (is_round_trip(what.figure) && what.figure != figure::large_round_trip_touched && !sleeps) {
        return {true, std::nullopt};
    }
    job raw = what;
    if (what.wait == wait::fd) {
        raw.wait = wait::park;
    }
    if (what.figure == figure::call) {
        raw.figure = figure::round_trip;
    } else if (what.figure == figure::throughput_batch) {
        raw.figure = figure::throughput; // what a batch has to be better than
    } else if (what.figure == figure::publish_cost) {
        raw.readers = 0;
    } else if (what.figure == figure::fan_out) {
        raw.lossy = 0;
    }
    return {false, raw};
}

plan make_plan(plan_options const& options) {
    plan p;
    subject const& raw = *find_subject("raw");
    std::vector<job> raw_jobs;
    auto const add_raw = [&](group& g, job const& j) {
        bool const there = std::any_of(raw_jobs.begin(), raw_jobs.end(),
                                       [&](job const& other) { return same_job(j, other); });
        if (!there && raw.can(j, "")) {
            raw_jobs.push_back(j);
            add_cells(g, raw, j);
        }
    };
    agenda const all(options.quick);
    for (job const& j : all.jobs()) {
        if (!wanted(options, j)) {
            continue;
        }
        group g;
        if (wanted(options, raw)) {
            add_raw(g, j);
        }
        bool others = false;
        for (subject const& s : subjects()) {
            if (&s != &raw && wanted(options, s)) {
                std::size_t const before = g.size();
                add_cells(g, s, j);
                others = others || g.size() != before;
            }
        }
        if (auto const limit = limit_of(j); others && limit.raw) {
            add_raw(g, *limit.raw);
        }
        if (g.empty()) {
            continue;
        }
        if (!p.groups.empty() && belongs_to(j, p.groups.back().front().what)) {
            group& last = p.groups.back();
            last.insert(last.end(), std::make_move_iterator(g.begin()),
                        std::make_move_iterator(g.end()));
        } else {
            p.groups.push_back(std::move(g));
        }
    }
    subject const& ours = *find_subject("partywall");
    if (wanted(options, ours)) {
        for (std::size_t i = 0; i < figure_count; ++i) {
            auto const f = static_cast<figure>(i);
            bool const there = std::any_of(p.groups.begin(), p.groups.end(), [&](group const& g) {
                return std::any_of(g.begin(), g.end(), [&](cell const& c) {
                    return c.who == &ours && c.what.figure == f;
                });
            });
            bool const asked =
                options.bytes == 0 &&
                (options.only.empty() ||
                 std::find(options.only.begin(), options.only.end(), f) != options.only.end());
            if (asked && !there) {
                p.not_there.push_back(std::string(to_string(f)) + ": partywall has none yet");
            }
        }
    }
    return p;
}

std::string variant_text(cell const& c) {
    std::string text = c.variant;
    auto const add = [&](std::string const& more) { text += text.empty() ? more : ", " + more; };
    if (c.what.figure == figure::one_way) {
        add(std::to_string(1'000'000'000U / c.what.interval_ns) + "/s");
    }
    if (c.what.figure == figure::fan_in) {
        add(std::to_string(c.what.writers) + " senders");
    }
    if (c.what.figure == figure::fan_out) {
        add(c.what.lossy != 0 ? "lossy" : "lossless");
    }
    return text;
}

} // namespace partywall::bench
