// SPDX-License-Identifier: BSL-1.0
// What the tests of this room share.
#pragma once

#include <partywall/registry/participant_core.hpp>
#include <partywall/registry/registry_layout.hpp>
#include <partywall/segment/owner_word.hpp>
#include <partywall/segment/segment.hpp>

#include <support/role.hpp>
#include <support/scratch_root.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <sched.h>
#include <string>
#include <vector>

namespace partywall::test {

using ::partywall::detail::entry_slot;
using ::partywall::detail::participant_core;
using ::partywall::detail::recovery_hooks;
using ::partywall::detail::recovery_report;
using ::partywall::detail::registry_layout;

inline join_options place(std::string const& root, std::string const& domain = "d") {
    join_options options;
    options.domain = domain;
    options.root = root;
    return options;
}

/// Joins or throws, which fails the test.
inline std::shared_ptr<participant_core>
member(std::string const& root, std::string const& name = "test", recovery_hooks hooks = {}) {
    return participant_core::join(name, place(root), hooks).value();
}

inline entry_spec publisher_spec(std::string const& name, std::uint64_t number = 0) {
    entry_spec spec;
    spec.kind = entry_kind::topic_publisher;
    spec.name = name;
    spec.number = number;
    return spec;
}

/// A file of the kind that publishers have; only its name matters here.
inline bool make_ring_file(participant_core& core, std::uint64_t number) {
    return create_segment(core.dir(), {{segment_kind::ring, core.ticket(), number}, 1, 1, 4096, 0},
                          nullptr, nullptr)
        .has_value();
}

/// The registry's bytes, to be looked at and tampered with.
class registry_bytes {
  public:
    explicit registry_bytes(directory const& where)
        : map_(attach_segment(where,
                              {{segment_kind::registry, 0, 0},
                               ::partywall::detail::registry_layout_version,
                               ::partywall::detail::registry_layout_fingerprint},
                              access::read_write)
                   .value()) {}
    registry_layout& operator*() const { return *reinterpret_cast<registry_layout*>(map_.data()); }
    registry_layout* operator->() const { return &**this; }

  private:
    mapping map_;
};

/// Waits until the kernel has dropped the lock of a process that was killed.
inline void wait_for_proof(participant_core const& core, std::uint64_t ticket) {
    while (!core.proven_dead(ticket)) {
        ::sched_yield();
    }
}

/// A role that waits, living, until its test says "leave" or kills it: joined, with one entry
/// that has files. It is told the root, and says its ticket.
struct resident {
    explicit resident(std::string const& root, std::string const& entry = "a/b")
        : process(spawn("registry_resident", {root, entry})),
          ticket(std::stoull(process.receive())) {}

    void kill() {
        process.kill(SIGKILL);
        EXPECT_EQ(process.wait(), killed_by(SIGKILL));
    }
    void leave() {
        process.send("leave");
        EXPECT_EQ(process.wait(), exited(0));
    }

    child process;
    std::uint64_t ticket;
};

/// What should be in the directory when `tickets` live, each with one ring file.
inline std::vector<std::string> files_of(std::vector<std::uint64_t> const& residents,
                                         std::vector<std::uint64_t> const& bare = {}) {
    std::vector<std::string> names{"d/", "d/registry"};
    for (std::uint64_t const ticket : residents) {
        names.push_back("d/life." + std::to_string(ticket));
        names.push_back("d/ring." + std::to_string(ticket) + ".1");
    }
    for (std::uint64_t const ticket : bare) {
        names.push_back("d/life." + std::to_string(ticket));
    }
    std::sort(names.begin(), names.end());
    return names;
}

/// Slots that are not free.
inline std::size_t slots_in_use(registry_layout const& registry) {
    auto const used = [](auto const& slot) { return !owner_word<>::load(slot.owner).is_free(); };
    return static_cast<std::size_t>(
        std::count_if(std::begin(registry.participants), std::end(registry.participants), used) +
        std::count_if(std::begin(registry.entries), std::end(registry.entries), used) +
        std::count_if(std::begin(registry.records), std::end(registry.records), used));
}

} // namespace partywall::test
