// SPDX-License-Identifier: BSL-1.0
#include "limits.hpp"

#include <partywall/os/clock.hpp>

#include <algorithm>
#include <cstring>
#include <string>

namespace partywall::bench {

limit_log::limit_log(runner& with)
    : with_(with), from_(copy_bytes, std::byte{1}), to_(copy_bytes, std::byte{2}) {}

double limit_log::copy_ns() {
    std::uint64_t const start = os::monotonic_ns();
    std::memcpy(to_.data(), from_.data(), copy_bytes);
    from_[0] = to_[copy_bytes - 1]; // so that it cannot be left out
    return static_cast<double>(os::monotonic_ns() - start);
}

void limit_log::look() {
    one_line_.push_back(with_.bare_lines(1));
    two_lines_.push_back(with_.bare_lines(2));
    copy_.push_back(copy_ns());
    clock_.push_back(with_.clock_cost());
    monotonic_.push_back(with_.monotonic_cost());
}

std::vector<row> limit_log::rows() const {
    std::vector<row> all;
    double const probe = median(one_line_);
    auto const add = [&](char const* variant, std::uint64_t bytes,
                         std::vector<double> const& seen) -> row& {
        row r;
        r.figure = figure::limit;
        r.subject = "raw";
        r.variant = variant;
        r.bytes = bytes;
        r.placement = with_.placement();
        r.probe = probe;
        r.p50 = median(seen);
        r.least = *std::min_element(seen.begin(), seen.end());
        r.most = *std::max_element(seen.begin(), seen.end());
        r.per_second = 1e9 / *r.p50;
        all.push_back(std::move(r));
        return all.back();
    };
    if (one_line_.empty()) {
        return all;
    }
    add("one line, there and back", 8, one_line_);
    all.back().raw_figure = probe;
    all.back().ratio_to_raw = 1;
    row& two = add("two lines, there and back", 16, two_lines_);
    two.raw_figure = probe;
    two.ratio_to_raw = *two.p50 / probe;
    add("memcpy", copy_bytes, copy_);
    add("the clock", 0, clock_);
    add("CLOCK_MONOTONIC", 0, monotonic_);
    return all;
}

} // namespace partywall::bench
