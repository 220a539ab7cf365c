// SPDX-License-Identifier: BSL-1.0
// Notice of death, and what is no death: the end of a thread, a fork, an application that closes
// its descriptors.
#include "support.hpp"

#include <partywall/os/clock.hpp>
#include <partywall/os/futex.hpp>
#include <partywall/os/robust_word.hpp>

#include <atomic>
#include <csignal>
#include <deque>
#include <fcntl.h>
#include <sstream>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace partywall {
namespace {

using namespace test;

bool is_held(participant_core::life_view const& view) {
    return os::robust_is_held(os::robust_value(view.word));
}

/// Sleeps on the life word until the kernel marks it.
void wait_for_notice(participant_core::life_view const& view) {
    for (;;) {
        std::uint32_t const value = os::robust_value(view.word);
        if (os::robust_owner_died(value)) {
            return;
        }
        os::futex_wait({os::robust_futex(view.word), value, true},
                       os::monotonic_ns() + 10'000'000'000);
    }
}

TEST(Life, IsNoticedByThoseWhoMapTheLifeWord) {
    scratch_root const root;
    auto const me = member(root.path());
    resident victim(root.path());
    participant_core::life_view const view = me->life_of(victim.ticket);
    ASSERT_NE(view.word, nullptr);
    EXPECT_TRUE(is_held(view));
    victim.process.kill();
    wait_for_notice(view); // the watchdog says if it never comes
    wait_for_proof(*me, victim.ticket);
    EXPECT_EQ(victim.process.wait(), killed_by(SIGKILL));
}

TEST(Life, WordsAreMappedOnceAndForgottenWhenNobodyUsesThem) {
    scratch_root const root;
    auto const me = member(root.path());
    resident other(root.path());
    void const* const first = me->life_of(other.ticket).word;
    EXPECT_EQ(me->life_of(other.ticket).word, first);
    EXPECT_NE(me->life_of(me->ticket()).word, nullptr);
    participant_core::life_view const held = me->life_of(other.ticket);
    other.leave();
    me->recover();
    EXPECT_EQ(me->life_of(other.ticket).word, held.word) << "in use, so still known";
    EXPECT_FALSE(is_held(held)) << "and released in good order: no notice of a death";
    EXPECT_FALSE(os::robust_owner_died(os::robust_value(held.word)));
    EXPECT_EQ(me->life_of(0).word, nullptr);
    EXPECT_EQ(me->life_of(ticket_max + 1).word, nullptr);
    EXPECT_EQ(me->life_of(12345).word, nullptr);
}

TEST(Life, IsNotOverWhenTheThreadThatJoinedEnds) {
    scratch_root const root;
    auto const me = member(root.path());
    std::shared_ptr<participant_core> other;
    std::thread([&] { other = member(root.path(), "other"); }).join();
    participant_core::life_view const view = me->life_of(other->ticket());
    EXPECT_FALSE(os::robust_owner_died(os::robust_value(view.word)));
    EXPECT_FALSE(me->proven_dead(other->ticket()));
    EXPECT_TRUE(me->recover().nothing());
    EXPECT_FALSE(is_held(view)) << "nobody adopted it yet";
    other->keep_notice();
    EXPECT_TRUE(is_held(view)) << "this thread has";
    std::thread([&] {
        other->keep_notice(); // held: nothing to do
    }).join();
    EXPECT_TRUE(is_held(view));
    EXPECT_FALSE(os::robust_owner_died(os::robust_value(view.word)));
}

TEST(Life, WordIsAdoptedByTheNextCallOfAnyKind) {
    scratch_root const root;
    auto const me = member(root.path());
    std::shared_ptr<participant_core> other;
    std::thread([&] { other = member(root.path(), "other"); }).join();
    participant_core::life_view const view = me->life_of(other->ticket());
    entry_info entry;
    // In a thread of its own, so that it is released again each time.
    auto const adopts = [&](auto call) {
        std::thread([&] {
            EXPECT_FALSE(is_held(view));
            call();
            EXPECT_TRUE(is_held(view));
        }).join();
    };
    adopts([&] { entry = other->add_entry(publisher_spec("a")).value(); });
    adopts([&] { EXPECT_TRUE(other->set_health(entry, health::ready)); });
    adopts([&] { EXPECT_TRUE(other->set_metadata(entry, {})); });
    adopts([&] { other->snapshot(); });
    adopts([&] { other->recover(); });
    adopts([&] { EXPECT_TRUE(other->remove_entry(entry)); });
}

PARTYWALL_ROLE(registry_joined_by_an_ended_thread) {
    std::shared_ptr<participant_core> me;
    std::thread([&] { me = member(context.arg(0)); }).join();
    context.send(std::to_string(me->ticket()));
    while (context.receive() == "adopt") {
        me->keep_notice();
        context.send("adopted");
    }
    return 0;
}

TEST(Life, OfAProcessWhoseJoiningThreadEndedIsNoticedAndProven) {
    scratch_root const root;
    auto const me = member(root.path());
    for (bool const adopt : {false, true}) {
        child process = spawn("registry_joined_by_an_ended_thread", {root.path()});
        std::uint64_t const ticket = std::stoull(process.receive());
        participant_core::life_view const view = me->life_of(ticket);
        EXPECT_FALSE(is_held(view));
        EXPECT_FALSE(me->proven_dead(ticket));
        if (adopt) {
            process.send("adopt");
            process.expect("adopted");
            EXPECT_TRUE(is_held(view));
        }
        process.kill();
        if (adopt) {
            wait_for_notice(view);
        }
        wait_for_proof(*me, ticket); // comes in any case
        process.wait();
    }
}

TEST(Life, WordStaysMappedForItsThreadWhenAnotherThreadDestroysTheParticipant) {
    scratch_root const root;
    auto const me = member(root.path());
    for (int round = 0; round < 20; ++round) {
        auto mine = member(root.path(), "mine");
        std::uint64_t const ticket = mine->ticket();
        std::thread([&] { mine.reset(); }).join();
        EXPECT_TRUE(me->proven_dead(ticket));
        // This thread's list of robust mutexes still runs through the word of `mine`. Joining
        // again walks and changes that list.
    }
    EXPECT_TRUE(me->recover().nothing());
    EXPECT_EQ(root.leftovers(), files_of({}, {me->ticket()}));
}

// ---- forks --------------------------------------------------------------------------------------

PARTYWALL_ROLE(registry_forks) {
    auto me = member(context.arg(0), "parent");
    entry_info entry = me->add_entry(publisher_spec("a")).value();
    pid_t const pid = ::fork();
    if (pid != 0) {
        context.send(std::to_string(me->ticket()));
        context.hang();
    }
    // The child: refused everywhere, and nothing shared is touched.
    PARTYWALL_ROLE_CHECK(me->forked());
    PARTYWALL_ROLE_CHECK(me->add_entry(publisher_spec("b")).error() == registry_errc::forked);
    PARTYWALL_ROLE_CHECK(me->set_health(entry, health::closed).error() == registry_errc::forked);
    PARTYWALL_ROLE_CHECK(me->set_metadata(entry, {}).error() == registry_errc::forked);
    PARTYWALL_ROLE_CHECK(me->remove_entry(entry).error() == registry_errc::forked);
    PARTYWALL_ROLE_CHECK(!me->remove_dead_entry(entry));
    PARTYWALL_ROLE_CHECK(me->entries(entry_kind::topic_publisher, "").empty());
    PARTYWALL_ROLE_CHECK(!me->entry_is_there(entry));
    PARTYWALL_ROLE_CHECK(me->snapshot().participants.empty());
    PARTYWALL_ROLE_CHECK(!me->proven_dead(me->ticket() + 1));
    PARTYWALL_ROLE_CHECK(me->life_of(me->ticket()).word == nullptr);
    PARTYWALL_ROLE_CHECK(!me->recover().complete);
    me->bump_epoch();
    me->keep_notice();
    std::uint64_t const inherited = me->ticket();
    me.reset(); // leaves the parent's slot, entry and files alone
    auto mine = member(context.arg(0), "child");
    PARTYWALL_ROLE_CHECK(!mine->forked());
    PARTYWALL_ROLE_CHECK(mine->ticket() != inherited);
    PARTYWALL_ROLE_CHECK(mine->add_entry(publisher_spec("from/child")).has_value());
    context.send("child " + std::to_string(::getpid()) + " " + std::to_string(mine->ticket()));
    context.receive(); // until the test is gone; the parent's death does not end it
    return 0;
}

TEST(Life, OfAParentEndsAlthoughItsForkedChildLives) {
    scratch_root const root;
    auto const me = member(root.path());
    child parent = spawn("registry_forks", {root.path()});
    std::uint64_t parent_ticket = 0;
    pid_t child_pid = 0;
    std::uint64_t child_ticket = 0;
    for (int i = 0; i < 2; ++i) { // in either order
        std::istringstream line(parent.receive());
        std::string first;
        line >> first;
        if (first == "child") {
            line >> child_pid >> child_ticket;
        } else {
            parent_ticket = std::stoull(first);
        }
    }
    EXPECT_FALSE(me->proven_dead(parent_ticket));
    EXPECT_EQ(me->entries(entry_kind::topic_publisher, "a").size(), 1U)
        << "the child's destructor left the entry";
    EXPECT_EQ(root.leftovers(), files_of({}, {me->ticket(), parent_ticket, child_ticket}));
    participant_core::life_view const view = me->life_of(parent_ticket);
    EXPECT_TRUE(is_held(view));

    ASSERT_EQ(::kill(parent.pid(), SIGKILL), 0);
    wait_for_notice(view);
    wait_for_proof(*me, parent_ticket);
    ASSERT_EQ(::kill(child_pid, 0), 0) << "the child lives";
    EXPECT_FALSE(me->proven_dead(child_ticket));
    EXPECT_EQ(me->recover().participants, 1U);
    EXPECT_EQ(root.leftovers(), files_of({}, {me->ticket(), child_ticket}));
    EXPECT_EQ(me->entries(entry_kind::topic_publisher, "from/child").size(), 1U);

    participant_core::life_view const child_view = me->life_of(child_ticket);
    EXPECT_TRUE(is_held(child_view));
    ASSERT_EQ(::kill(child_pid, SIGKILL), 0);
    wait_for_notice(child_view);
    wait_for_proof(*me, child_ticket);
    parent.wait();
}

// Forks of other threads, all the time, while one thread joins and leaves: no child ever keeps a
// lock of its parent alive.
TEST(Life, IsNotProlongedByForksOfOtherThreads) {
    scratch_root const root;
    auto const me = member(root.path());
    std::atomic<bool> stop{false};
    std::atomic<int> forks{0};
    std::thread forking([&] {
        // Each child lives until two more were forked: while participants come and go.
        std::deque<std::pair<pid_t, int>> children; // and the pipe that keeps it alive
        auto const end_first = [&] {
            ::close(children.front().second);
            ::waitpid(children.front().first, nullptr, 0);
            children.pop_front();
        };
        while (!stop) {
            int gate[2];
            ASSERT_EQ(::pipe2(gate, O_CLOEXEC), 0);
            pid_t const pid = ::fork();
            if (pid == 0) {
                ::close(gate[1]);
                for (auto const& [other, pipe] : children) {
                    ::close(pipe);
                }
                char byte;
                [[maybe_unused]] auto const ended = ::read(gate[0], &byte, 1);
                ::_exit(0);
            }
            ::close(gate[0]);
            children.emplace_back(pid, gate[1]);
            ++forks;
            if (children.size() > 2) {
                end_first();
            }
        }
        while (!children.empty()) {
            end_first();
        }
    });
    for (int round = 0; round < 200 || forks < 20; ++round) {
        auto other = member(root.path(), "other");
        std::uint64_t const ticket = other->ticket();
        other.reset();
        ASSERT_TRUE(me->proven_dead(ticket)) << "round " << round;
    }
    stop = true;
    forking.join();
}

} // namespace
} // namespace partywall
