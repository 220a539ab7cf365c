// SPDX-License-Identifier: BSL-1.0
// The last act: pieces of a large binary file, from one process to another without a copy.
#pragma once

#include "report.hpp"

#include <string>

namespace demo {

/// The largest program of this machine that is not too large.
std::string some_large_file();

/// Roles: the sender sends growing pieces of `file`; the viewer says `ready`, `piece BYTES TIME
/// TIME` (median times until one was handed over, and until all of it was read) for each size, and
/// `all NUMBER WRONG`.
int send_large(std::string const& domain, std::string const& file);
int view_large(std::string const& domain);

/// Starts both, and prints what they say.
void show_large(std::string const& domain, std::string const& file, report& r);

} // namespace demo
