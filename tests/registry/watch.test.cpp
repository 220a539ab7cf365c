// SPDX-License-Identifier: BSL-1.0
#include <partywall/registry/registry_watch.hpp>

#include "support.hpp"

#include <partywall/os/futex.hpp>
#include <partywall/registry/registry_slots.hpp>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace partywall {
namespace {

using namespace test;
using namespace std::chrono_literals;

constexpr auto at_once = 0ns;
constexpr auto long_enough = 40s; // shorter than the watchdog: a missing wake-up has a name

/// Delivers snapshots until one is as it should be.
domain_snapshot watch_until(registry_watch& watch,
                            std::function<bool(domain_snapshot const&)> const& good) {
    for (;;) {
        domain_snapshot all = watch.next(long_enough).value();
        if (good(all)) {
            return all;
        }
    }
}

bool has_entry(domain_snapshot const& all, std::string const& name) {
    return std::any_of(all.entries.begin(), all.entries.end(),
                       [&](entry_info const& one) { return one.name == name; });
}

/// The same tests with and without futex_waitv.
class RegistryWatch : public testing::TestWithParam<bool> {
  protected:
    void SetUp() override { os::for_test::disable_futex_waitv(!GetParam()); }
    void TearDown() override { os::for_test::disable_futex_waitv(false); }

    scratch_root root;
    std::shared_ptr<participant_core> me = member(root.path());
    registry_watch watch{me};
};
INSTANTIATE_TEST_SUITE_P(WaitingOn, RegistryWatch, testing::Bool(), [](auto const& one) {
    return one.param ? std::string("SeveralWords") : std::string("OneWord");
});

TEST_P(RegistryWatch, DeliversAtOnceAndThenOnlyChanges) {
    domain_snapshot const first = watch.next(at_once).value();
    EXPECT_EQ(first.participants.size(), 1U);
    auto const nothing = watch.next(at_once);
    ASSERT_FALSE(nothing);
    EXPECT_EQ(nothing.error(), registry_errc::timed_out);
    entry_info entry = me->add_entry(publisher_spec("a")).value();
    domain_snapshot const second = watch.next(at_once).value();
    EXPECT_NE(second.sequence, first.sequence);
    EXPECT_TRUE(has_entry(second, "a"));
    EXPECT_EQ(watch.next(at_once).error(), registry_errc::timed_out);
    ASSERT_TRUE(me->set_health(entry, health::ready));
    EXPECT_EQ(watch.next(at_once)->entries.at(0).state, health::ready);
    ASSERT_TRUE(me->set_metadata(entry, {{"k", "v"}}));
    EXPECT_EQ(watch.next(at_once)->entries.at(0).meta, (metadata{{"k", "v"}}));
    ASSERT_TRUE(me->remove_entry(entry));
    EXPECT_FALSE(has_entry(watch.next(at_once).value(), "a"));
    EXPECT_EQ(watch.next(at_once).error(), registry_errc::timed_out);
}

TEST_P(RegistryWatch, DeliversTheStateNotTheHistory) {
    watch.next(at_once).value();
    for (int i = 0; i < 100; ++i) {
        ASSERT_TRUE(me->remove_entry(me->add_entry(publisher_spec("a")).value()));
    }
    ASSERT_TRUE(me->add_entry(publisher_spec("b")));
    EXPECT_EQ(watch.next(at_once)->entries.size(), 1U);
    EXPECT_EQ(watch.next(at_once).error(), registry_errc::timed_out);
}

TEST_P(RegistryWatch, IsWokenByWhoJoinsRegistersUnregistersAndLeaves) {
    watch.next(at_once).value();
    auto const newcomer = std::make_unique<resident>(root.path(), "from/outside");
    domain_snapshot const with =
        watch_until(watch, [](auto const& all) { return has_entry(all, "from/outside"); });
    EXPECT_EQ(with.participants.size(), 2U);
    newcomer->leave();
    watch_until(
        watch, [](auto const& all) { return all.participants.size() == 1 && all.entries.empty(); });
}

TEST_P(RegistryWatch, DeliversADeathAsAChange) {
    std::vector<std::unique_ptr<resident>> victims;
    for (int i = 0; i < 3; ++i) {
        victims.push_back(std::make_unique<resident>(root.path(), "victim"));
    }
    watch_until(watch, [](auto const& all) { return all.participants.size() == 4; });
    for (std::size_t left = victims.size(); left > 0; --left) {
        victims[left - 1]->process.kill();
        domain_snapshot const all =
            watch_until(watch, [&](auto const& now) { return now.participants.size() == left; });
        EXPECT_EQ(all.entries.size(), left - 1) << "nobody else is there to recover";
    }
    EXPECT_EQ(root.leftovers(), files_of({}, {me->ticket()}));
}

TEST_P(RegistryWatch, LearnsOfADeathThatNobodyNotices) {
    // The joining thread of this one has ended, so nobody holds its life word.
    child quiet = spawn("registry_joined_by_an_ended_thread", {root.path()});
    quiet.receive();
    watch_until(watch, [](auto const& all) { return all.participants.size() == 2; });
    quiet.kill();
    watch_until(watch, [](auto const& all) { return all.participants.size() == 1; });
}

TEST_P(RegistryWatch, DeliversAChangeWhoseMakerWasStoppedBeforeItCouldTell) {
    entry_info const entry = me->add_entry(publisher_spec("a")).value();
    std::uint32_t const before = watch.next(at_once)->sequence;
    registry_bytes const registry(me->dir());
    entry_slot& slot = registry->entries[entry.index];
    // As set_health() does, but for the epoch.
    ::partywall::detail::registry_slots<>::set_health(slot,
                                                      static_cast<std::uint32_t>(health::draining));
    domain_snapshot const after = watch.next(long_enough).value();
    EXPECT_EQ(after.entries.at(0).state, health::draining);
    EXPECT_NE(after.sequence, before);
}

TEST_P(RegistryWatch, IsInterruptedNowOrNextTime) {
    watch.next(at_once).value();
    watch.interrupt();
    EXPECT_EQ(watch.next(long_enough).error(), registry_errc::interrupted);
    EXPECT_EQ(watch.next(at_once).error(), registry_errc::timed_out) << "once";
    std::thread other([&] { watch.interrupt(); });
    EXPECT_EQ(watch.next(long_enough).error(), registry_errc::interrupted);
    other.join();
}

TEST_P(RegistryWatch, EndsWhenTheDomainIsGone) {
    watch.next(at_once).value();
    std::filesystem::remove(root.path() + "/d/registry");
    EXPECT_EQ(watch.next(long_enough).error(), registry_errc::domain_gone);
}

TEST_P(RegistryWatch, MovesWithWhatItHasDelivered) {
    watch.next(at_once).value();
    registry_watch moved = std::move(watch);
    EXPECT_EQ(moved.next(at_once).error(), registry_errc::timed_out);
    moved.interrupt();
    EXPECT_EQ(moved.next(long_enough).error(), registry_errc::interrupted);
}

TEST_P(RegistryWatch, RefusesAForkedChild) {
    watch.next(at_once).value();
    pid_t const pid = ::fork();
    if (pid == 0) {
        auto const refused = watch.next(long_enough);
        ::_exit(!refused && refused.error() == registry_errc::forked ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST_P(RegistryWatch, TakesAnyDeadline) {
    watch.next(std::chrono::nanoseconds::min()).value();
    EXPECT_EQ(watch.next(std::chrono::nanoseconds::min()).error(), registry_errc::timed_out);
    EXPECT_EQ(watch.next(std::chrono::steady_clock::time_point::min()).error(),
              registry_errc::timed_out);
    std::thread other([&] { watch.interrupt(); });
    EXPECT_EQ(watch.next(std::chrono::nanoseconds::max()).error(), registry_errc::interrupted);
    other.join();
    other = std::thread([&] { watch.interrupt(); });
    EXPECT_EQ(watch.next(std::chrono::steady_clock::time_point::max()).error(),
              registry_errc::interrupted);
    other.join();
}

} // namespace
} // namespace partywall
