// SPDX-License-Identifier: BSL-1.0
#include <partywall/registry/registry_view.hpp>

#include "support.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>

namespace partywall {
namespace {

using namespace test;

std::string content_of(std::string const& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

TEST(RegistryView, FindsNothingWhereNothingIsAndCreatesNothing) {
    scratch_root const root;
    auto const missing_root = registry_view::open(place(root.path() + "/none"));
    ASSERT_FALSE(missing_root);
    EXPECT_EQ(missing_root.error(), join_errc::not_found);
    auto const missing_domain = registry_view::open(place(root.path()));
    ASSERT_FALSE(missing_domain);
    EXPECT_EQ(missing_domain.error(), join_errc::not_found);
    EXPECT_TRUE(root.leftovers().empty());
    std::filesystem::create_directory(root.path() + "/d");
    std::filesystem::permissions(root.path() + "/d", std::filesystem::perms::owner_all);
    EXPECT_EQ(registry_view::open(place(root.path())).error(), join_errc::not_found);
    EXPECT_EQ(registry_view::open(place(root.path(), std::string("a\0", 2))).error(),
              join_errc::bad_domain);
}

TEST(RegistryView, ShowsTheLivingAndTheDeadAndChangesNothing) {
    scratch_root const root;
    resident living(root.path(), "living");
    resident victim(root.path(), "victim");
    registry_view const view = registry_view::open(place(root.path())).value();
    victim.kill();
    while (!view.proven_dead(victim.ticket)) {
        ::sched_yield();
    }
    std::string const before = content_of(root.path() + "/d/registry");
    domain_snapshot const all = view.snapshot();
    ASSERT_EQ(all.participants.size(), 2U);
    for (participant_info const& one : all.participants) {
        EXPECT_EQ(one.alive, one.ticket == living.ticket);
    }
    EXPECT_EQ(all.entries.size(), 2U);
    EXPECT_EQ(view.domain(), "d");
    EXPECT_FALSE(view.domain_gone());
    EXPECT_EQ(content_of(root.path() + "/d/registry"), before);
    EXPECT_EQ(root.leftovers(), files_of({living.ticket, victim.ticket}));
}

TEST(RegistryView, SeesThatTheRegistryIsGone) {
    scratch_root const root;
    auto const me = member(root.path());
    registry_view const view = registry_view::open(place(root.path())).value();
    std::filesystem::remove(root.path() + "/d/registry");
    EXPECT_TRUE(view.domain_gone());
    EXPECT_FALSE(view.proven_dead(me->ticket()));
    EXPECT_EQ(view.snapshot().participants.size(), 1U);
}

TEST(RegistryView, RefusesARegistryOfAnotherLayout) {
    scratch_root const root;
    member(root.path()).reset();
    {
        std::fstream file(root.path() + "/d/registry",
                          std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(8);
        file.put(1);
    }
    auto const refused = registry_view::open(place(root.path()));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error(), join_errc::incompatible);
    EXPECT_NE(refused.error().message.find("version"), std::string::npos)
        << refused.error().message;
}

} // namespace
} // namespace partywall
