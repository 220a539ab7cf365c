// SPDX-License-Identifier: BSL-1.0
// What the tests of the command share: a domain of the test's own, and looks into it.
#pragma once

#include "tool.hpp"

#include "support/sandbox.hpp"
#include "support/scratch_root.hpp"

#include <partywall/partywall.hpp>
#include <partywall/topic/topic_stats.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace partywall::test {

/// A directory for files that need not be in shared memory; removed at the end.
class scratch_files {
  public:
    scratch_files();
    ~scratch_files();
    scratch_files(scratch_files const&) = delete;
    scratch_files& operator=(scratch_files const&) = delete;
    std::string operator/(std::string const& name) const { return path_ + "/" + name; }

  private:
    std::string path_;
};

class Command : public testing::Test {
  protected:
    std::string const& root() const { return root_.path(); }
    join_options where() const { return {.domain = "default", .root = root()}; }

    finished partywall(arguments const& args, std::string_view input = {}) const {
        return run(root(), args, input);
    }

    /// Nobody, and nothing but the registry.
    void expect_nothing_left() const {
        EXPECT_THAT(root_.leftovers(), testing::ElementsAre("default/", "default/registry"));
    }

    std::vector<entry_info> entries(std::string_view topic) const {
        auto const view = registry_view::open(where());
        std::vector<entry_info> all;
        if (view) {
            all = view->snapshot().entries;
            std::erase_if(all, [&](entry_info const& e) { return e.name != topic; });
        }
        return all;
    }
    /// Counters of the topic's first publisher, once there is one.
    std::optional<topic_stats> stats(std::string_view topic) const {
        auto const view = registry_view::open(where());
        for (entry_info const& e : entries(topic)) {
            if (e.kind == entry_kind::topic_publisher && e.state == health::ready) {
                if (auto s = read_topic_stats(view->dir(), e)) {
                    return *s;
                }
            }
        }
        return std::nullopt;
    }

    void await_publisher(std::string_view topic) const {
        eventually([&] { return stats(topic).has_value(); });
    }
    void await_readers(std::string_view topic, std::size_t count) const {
        eventually([&] {
            auto const s = stats(topic);
            return s && s->readers.size() >= count;
        });
    }
    void await_sent(std::string_view topic, std::uint64_t count) const {
        eventually([&] {
            auto const s = stats(topic);
            return s && s->sent >= count;
        });
    }
    /// Until the process is a participant: then it has its signal handlers too.
    void await_joined(tool const& one) const {
        eventually([&] {
            auto const view = registry_view::open(where());
            if (!view) {
                return false;
            }
            auto const all = view->snapshot().participants;
            return std::any_of(all.begin(), all.end(), [&](participant_info const& p) {
                return p.pid == static_cast<std::uint32_t>(one.pid());
            });
        });
    }
    static void await_asleep(tool const& one) {
        eventually([&] { return is_asleep(one.pid()); });
    }
    /// Killed, and the kernel has taken everything apart.
    void kill_and_bury(tool& one) const {
        await_joined(one);
        auto const view = registry_view::open(where());
        std::uint64_t ticket = 0;
        for (participant_info const& p : view->snapshot().participants) {
            if (p.pid == static_cast<std::uint32_t>(one.pid())) {
                ticket = p.ticket;
            }
        }
        one.kill(SIGKILL);
        ASSERT_EQ(one.wait(), killed_by(SIGKILL));
        eventually([&] { return view->proven_dead(ticket); });
    }

    scratch_root root_;
};

inline auto has(std::string const& text) { return testing::HasSubstr(text); }

} // namespace partywall::test
