// SPDX-License-Identifier: BSL-1.0
// Who is measured, as the runner sees it.
#pragma once

#include "../harness/job.hpp"
#include "../harness/session.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace partywall::bench {

/// A program beside the measured ones that a subject needs; ended by its destructor.
class companion {
  public:
    companion() = default;
    companion(companion const&) = delete;
    companion& operator=(companion const&) = delete;
    virtual ~companion() = default;
};

struct subject {
    std::string_view name;
    /// Ways to use it that are worth telling apart; {""} if there is one.
    std::vector<std::string_view> variants;
    /// Whether it can do a job, in one of these ways.
    bool (*can)(job const& j, std::string_view variant);
    /// The part of one process in a measurement. Throws if something failed.
    void (*play)(session& s, std::uint32_t role);
    /// Null if nothing is needed. Throws if it cannot be started.
    std::unique_ptr<companion> (*start)(std::string const& scratch) = nullptr;
    /// Not run unless asked for by name.
    bool hidden = false;
    /// Needs a daemon, or threads of its own that get no processor while others spin: not for
    /// tests that have to be quick everywhere.
    bool takes_time = false;
};

/// Those that are compiled in.
std::vector<subject> const& subjects();
subject const* find_subject(std::string_view name);

/// Those that are not, and what would bring them in.
struct missing_subject {
    std::string_view name;
    std::string_view remedy;
};
std::vector<missing_subject> const& missing_subjects();

} // namespace partywall::bench
