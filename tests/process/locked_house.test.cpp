// SPDX-License-Identifier: BSL-1.0
// A domain whose directory, or whose registry, loses all permissions while it is in use: who is inside
// goes on, whoever wants something new is told why not, and when it is given back nothing is left over.
#include "puppet.hpp"

#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

namespace partywall::test {
namespace {

// Permissions do not hold root back; then all roles are this user.
constexpr uid_t lodger = 1001;

participant enter(role_context& context, char const* name) {
    PARTYWALL_ROLE_CHECK(::geteuid() != 0 || become(lodger, lodger));
    return joined(context.arg(0), name);
}

/// place, whose topic is its own, whose the other's
PARTYWALL_ROLE(lives_in_a_locked_house) {
    participant me = enter(context, context.arg(1).c_str());
    auto out = me.publisher<tick>(context.arg(1), gated(8, overflow::block)).value();
    auto in = me.subscriber<tick>(context.arg(2), lossless()).value();
    context.send("lives");
    for (std::uint64_t next = 0;;) {
        std::string const line = context.receive();
        if (line == "talk") {
            for (std::uint64_t const end = next + 100; next < end; ++next) {
                PARTYWALL_ROLE_CHECK(out.send(tick::of(next)).has_value());
                auto const s = in.receive(1h);
                PARTYWALL_ROLE_CHECK(s && s->whole() && s->number == next);
            }
            context.send("talked");
        } else if (line == "publish") {
            auto const made = me.publisher<tick>("new");
            context.send(made ? "made" : to_string(made.error().code));
        } else if (line == "recover") {
            context.send(me.recover().nothing() ? "nothing" : "something");
        } else {
            return 0;
        }
    }
}

PARTYWALL_ROLE(comes_to_a_locked_house) {
    if (::geteuid() == 0 && !become(lodger, lodger)) {
        return 1;
    }
    join_options options;
    options.domain = "d";
    options.root = context.arg(0);
    auto const me = join("newcomer", options);
    context.send(me ? "joined" : to_string(me.error().code));
    return 0;
}

void expect_of_newcomer(std::string const& place, std::string const& answer) {
    child newcomer = spawn("comes_to_a_locked_house", {place});
    newcomer.expect(answer);
    EXPECT_EQ(newcomer.wait(), exited(0));
}

void talk(child& a, child& b) {
    a.send("talk");
    b.send("talk");
    a.expect("talked");
    b.expect("talked");
}

class LockedHouse : public testing::TestWithParam<char const*> {};

TEST_P(LockedHouse, IsNoMatterToThoseInsideAndAClearErrorToOthers) {
    scratch_root root;
    std::string const place = root.path() + "/of-a-lodger";
    ASSERT_EQ(::mkdir(place.c_str(), 0700), 0);
    if (::geteuid() == 0) {
        std::filesystem::permissions(root.path(), std::filesystem::perms{0755});
        ASSERT_EQ(::chown(place.c_str(), lodger, lodger), 0);
    }
    child a = spawn("lives_in_a_locked_house", {place, "a", "b"});
    a.expect("lives");
    child b = spawn("lives_in_a_locked_house", {place, "b", "a"});
    b.expect("lives");
    talk(a, b);
    std::filesystem::path const locked = place + GetParam();
    auto const before = std::filesystem::status(locked).permissions();
    std::filesystem::permissions(locked, std::filesystem::perms::none);

    talk(a, b);
    for (child* const one : {&a, &b}) {
        one->send("recover");
        one->expect("nothing");
    }
    expect_of_newcomer(place, "permission denied");
    if (std::filesystem::path(GetParam()) == "/d") {
        a.send("publish");
        a.expect("permission denied");
    }
    talk(a, b);

    std::filesystem::permissions(locked, before);
    expect_of_newcomer(place, "joined");
    a.send("publish");
    a.expect("made");
    talk(a, b);
    for (child* const one : {&a, &b}) {
        one->send("leave");
        EXPECT_EQ(one->wait(), exited(0));
    }
    EXPECT_EQ(root.leftovers(), (std::vector<std::string>{"of-a-lodger/", "of-a-lodger/d/",
                                                          "of-a-lodger/d/registry"}));
}

INSTANTIATE_TEST_SUITE_P(Of, LockedHouse, testing::Values("/d", "/d/registry"),
                         [](auto const& one) {
                             return std::string(one.param) == "/d" ? "Directory" : "Registry";
                         });

} // namespace
} // namespace partywall::test
