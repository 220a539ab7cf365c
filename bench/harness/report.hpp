// SPDX-License-Identifier: BSL-1.0
// Rows as Markdown for people, JSON for programs, SVG for both.
#pragma once

#include "environment.hpp"
#include "row.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace partywall::bench {

enum class sort_key { p50, p90, p99, p999 };

/// A table for each figure, best row first within what is comparable: size, wait, receivers.
std::string markdown(environment const& e, std::vector<row> const& rows, sort_key by);
/// What stands at the head of that: the environment, and the targets with what became of them.
std::string markdown_summary(environment const& e, std::vector<row> const& rows);
/// {"environment": {...}, "rows": [...], "targets": [...]}: a row to a line.
std::string json(environment const& e, std::vector<row> const& rows);

/// What such a text says. Throws where it is none.
struct report {
    environment e;
    std::vector<row> rows;
};
report read_json(std::string const& text);
/// Percentile curves and bars, drawn by gnuplot into a folder. Returns what it could not do; empty
/// if all is well.
std::string draw(std::string const& folder, environment const& e, std::vector<row> const& rows);

} // namespace partywall::bench
