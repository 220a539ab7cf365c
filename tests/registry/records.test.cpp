// SPDX-License-Identifier: BSL-1.0
// Shared records: one for each name, whoever comes first; there as long as somebody who lives uses
// it.
#include "support.hpp"

#include <partywall/registry/registry_view.hpp>
#include <partywall/registry/shared_records.hpp>

#include <support/counts.hpp>

#include <array>
#include <csignal>
#include <optional>
#include <set>
#include <sys/wait.h>

namespace partywall::test {
namespace {

using words_type = std::array<std::uint64_t, ::partywall::detail::record_words>;
constexpr std::uint64_t print = 7;

words_type words_of(std::uint64_t value) {
    words_type words;
    words.fill(value);
    return words;
}
auto use(participant_core& core, std::string const& name, std::uint64_t value = 1,
         std::uint64_t fingerprint = print) {
    words_type const words = words_of(value);
    return core.use_record(record_kind::circuit_breaker, name, fingerprint, words.data());
}
std::vector<record_info> records(std::string const& root) {
    return registry_view::open(place(root)).value().records();
}

TEST(SharedRecords, AreOneForEachNameAndKeepWhatTheFirstOneWrote) {
    scratch_root const root;
    auto const a = member(root.path());
    auto const b = member(root.path());
    auto const one = use(*a, "calc/add", 1).value();
    auto const other = use(*b, "calc/add", 2).value();
    auto const third = use(*b, "calc/sub", 3).value();
    EXPECT_EQ(one.index, other.index);
    EXPECT_NE(one.index, third.index);
    EXPECT_EQ(other.words[127], 1U);
    EXPECT_EQ(third.words[0], 3U);
    one.words[5] = 55;
    EXPECT_EQ(other.words[5], 55U) << "it is the same memory";
    auto const all = records(root.path());
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all[0].name, "calc/add");
    EXPECT_EQ(all[0].fingerprint, print);
    EXPECT_EQ(all[0].words[5], 55U);
    EXPECT_EQ(std::set(all[0].users.begin(), all[0].users.end()),
              (std::set{a->ticket(), b->ticket()}));
    EXPECT_EQ(all[1].users, std::vector{b->ticket()});
}

TEST(SharedRecords, GoWithTheirLastUserAndComeAnew) {
    scratch_root const root;
    auto const a = member(root.path());
    {
        auto const b = member(root.path());
        auto const first = use(*a, "x", 1).value();
        auto const again = use(*a, "x", 2).value();
        EXPECT_EQ(first.index, again.index);
        (void)use(*b, "x", 3).value();
        a->leave_record(first);
        EXPECT_EQ(records(root.path()).at(0).users.size(), 2U) << "a has another handle";
        a->leave_record(again);
        EXPECT_EQ(records(root.path()).at(0).users, std::vector{b->ticket()});
    } // b leaves with what it uses
    EXPECT_TRUE(records(root.path()).empty());
    auto const anew = use(*a, "x", 4).value();
    EXPECT_EQ(anew.words[0], 4U);
    a->leave_record(anew);
    EXPECT_TRUE(records(root.path()).empty());
    EXPECT_TRUE(a->recover().nothing());
    EXPECT_EQ(slots_in_use(*registry_bytes(a->dir())), 1U);
}

TEST(SharedRecords, RefuseBadNamesOtherLayoutsAndOneTooMany) {
    scratch_root const root;
    auto const a = member(root.path());
    EXPECT_EQ(use(*a, "x//y").error(), registry_errc::bad_name);
    EXPECT_EQ(use(*a, "").error(), registry_errc::bad_name);
    (void)use(*a, "0").value();
    EXPECT_EQ(use(*a, "0", 1, print + 1).error(), registry_errc::incompatible);
    for (std::uint32_t i = 1; i < records_max; ++i) {
        ASSERT_TRUE(use(*a, std::to_string(i)));
    }
    EXPECT_EQ(use(*a, "one more").error(), registry_errc::too_many_records);
    EXPECT_TRUE(use(*a, "7")) << "what is there is there";
}

/// root, name; says its ticket when it uses it.
PARTYWALL_ROLE(registry_uses_a_record) {
    auto const me = member(context.arg(0), "user");
    PARTYWALL_ROLE_CHECK(use(*me, context.arg(1), 9).has_value());
    context.send(std::to_string(me->ticket()));
    context.expect("leave");
    return 0;
}

TEST(SharedRecords, OfTheDeadGoAndThoseOfTheLivingStay) {
    scratch_root const root;
    auto const a = member(root.path());
    child user = spawn("registry_uses_a_record", {root.path(), "x"});
    std::uint64_t const ticket = std::stoull(user.receive());
    child other = spawn("registry_uses_a_record", {root.path(), "y"});
    std::uint64_t const other_ticket = std::stoull(other.receive());
    auto const mine = use(*a, "x").value();
    EXPECT_EQ(mine.words[0], 9U);
    for (child* const one : {&user, &other}) {
        one->kill(SIGKILL);
        EXPECT_EQ(one->wait(), killed_by(SIGKILL));
    }
    wait_for_proof(*a, ticket);
    wait_for_proof(*a, other_ticket);
    auto const report = a->recover();
    EXPECT_EQ(report.records, 1U);
    auto const all = records(root.path());
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[0].name, "x");
    EXPECT_EQ(all[0].users, std::vector{a->ticket()});
    EXPECT_EQ(mine.words[0], 9U);
}

TEST(SharedRecords, OfTheDeadMakeRoomForOneThatIsNeeded) {
    scratch_root const root;
    auto const a = member(root.path());
    child user = spawn("registry_uses_a_record", {root.path(), "x"});
    std::uint64_t const ticket = std::stoull(user.receive());
    for (std::uint32_t i = 1; i < records_max; ++i) {
        ASSERT_TRUE(use(*a, std::to_string(i)));
    }
    EXPECT_EQ(use(*a, "y").error(), registry_errc::too_many_records);
    user.kill(SIGKILL);
    (void)user.wait();
    wait_for_proof(*a, ticket);
    EXPECT_TRUE(use(*a, "y"));
}

TEST(SharedRecords, OfAForkedChildAreNotItsOwn) {
    scratch_root const root;
    auto a = member(root.path());
    auto const mine = use(*a, "x").value();
    pid_t const pid = ::fork();
    if (pid == 0) {
        bool const refused = use(*a, "y").error() == registry_errc::forked;
        a->leave_record(mine);
        a.reset();
        ::_exit(refused ? 0 : 1);
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(records(root.path()).size(), 1U);
}

// Candidates of a name: one that its maker left is settled, or withdrawn for the one in use.
TEST(SharedRecords, ThatAKilledMakerProposedAreTakenByWhoeverComes) {
    scratch_root const root;
    auto const a = member(root.path());
    auto const b = member(root.path()); // before there is something to recover
    auto const first = use(*a, "x", 5).value();
    registry_bytes const registry(a->dir());
    auto& slot = registry->records[first.index];
    owner const used = owner_word<>::load(slot.owner);
    slot.owner = owner::make(ticket_max, slot_phase::ready, used.sequence()).word;
    EXPECT_EQ(use(*b, "x", 6).value().words[0], 5U) << "settled by b";
    EXPECT_EQ(owner_word<>::load(slot.owner).ticket(), 0U);
    auto& late = registry->records[first.index + 1];
    std::memcpy(&late, &slot, sizeof slot);
    late.owner = owner::make(ticket_max, slot_phase::ready, 3).word;
    auto const c = member(root.path()); // whose joining recovers
    EXPECT_EQ(use(*c, "x", 7).value().index, first.index);
    EXPECT_TRUE(owner_word<>::load(late.owner).is_free());
}

/// root, rounds: everybody joins and leaves the same names, again and again.
PARTYWALL_ROLE(registry_shares_at_once) {
    auto const me = member(context.arg(0), "sharer");
    context.send("ready");
    context.expect("go");
    for (std::uint64_t i = 0; i < context.number(1); ++i) {
        auto const got = use(*me, "n" + std::to_string(i % 3), me->ticket());
        PARTYWALL_ROLE_CHECK(got.has_value());
        // Nobody else may believe that another record has this name.
        int seen = 0;
        for (record_info const& one : records(context.arg(0))) {
            seen += one.name == "n" + std::to_string(i % 3) ? 1 : 0;
        }
        PARTYWALL_ROLE_CHECK(seen == 1);
        me->leave_record(*got);
    }
    context.send("done");
    return 0;
}

TEST(SharedRecords, AreOneForEachNameAlsoWhenManyComeAtOnce) {
    scratch_root const root;
    auto const a = member(root.path());
    std::vector<child> all;
    for (int i = 0; i < 4; ++i) {
        all.push_back(
            spawn("registry_shares_at_once", {root.path(), std::to_string(count(300, 20'000))}));
        all.back().expect("ready");
    }
    for (child& one : all) {
        one.send("go");
    }
    for (child& one : all) {
        one.expect("done");
        EXPECT_EQ(one.wait(), exited(0));
    }
    EXPECT_TRUE(records(root.path()).empty() || a->recover().records != 0);
    EXPECT_TRUE(records(root.path()).empty());
    EXPECT_TRUE(a->recover().nothing());
}

// Whoever may write the registry may write anything there.
TEST(SharedRecords, OfAnEnemyAreNotBelieved) {
    scratch_root const root;
    auto const a = member(root.path());
    registry_bytes const registry(a->dir());
    auto& slot = registry->records[3];
    slot.kind = 77;
    slot.name_bytes = 4'000'000'000;
    slot.owner = owner::make(0, slot_phase::ready, 1).word;
    EXPECT_TRUE(records(root.path()).empty());
    EXPECT_EQ(a->recover().records, 1U) << "nobody uses it";
    slot.owner = owner::make(0, slot_phase::cleaning, 1).word;
    EXPECT_EQ(a->recover().records, 1U) << "nobody's";
    EXPECT_TRUE(owner_word<>::load(slot.owner).is_free());
}

} // namespace
} // namespace partywall::test
