// SPDX-License-Identifier: BSL-1.0
// `partywall clean` removes what the dead left, and nothing else.
#include "fixture.hpp"

namespace partywall::test {
namespace {

class Clean : public Command {};

TEST_F(Clean, LeavesOnlyTheRegistryWhenEverybodyIsDead) {
    tool pub(root(), {"pub", "x", "--policy", "block", "--wait-for", "1"}, from_pipe());
    await_publisher("x"); // and nobody else: a subscriber would clean up behind it
    kill_and_bury(pub);
    auto const before = root_.leftovers();
    EXPECT_GT(before.size(), 2U);

    finished const dry = partywall({"clean", "--dry-run"});
    EXPECT_EQ(dry.status, exited(0));
    EXPECT_THAT(dry.out, has("would remove 1 dead participants, 1 endpoints, 3 files"));
    EXPECT_THAT(dry.out, has("ring."));
    EXPECT_EQ(root_.leftovers(), before);

    finished const clean = partywall({"clean"});
    EXPECT_EQ(clean.status, exited(0)) << clean.err;
    EXPECT_THAT(clean.out, has("removed 1 dead participants, 1 endpoints, 3 files"));
    expect_nothing_left();

    EXPECT_THAT(partywall({"clean"}).out, has("removed 0 dead participants, 0 endpoints, 0 files"));
    EXPECT_EQ(partywall({"clean", "--quiet"}).out, "");
    expect_nothing_left();
}

TEST_F(Clean, FreesWhatDeadReadersHeldAndLeavesTheLivingAlone) {
    auto const me = join("tester", where()).value();
    publisher_options options;
    options.overflow = overflow::block;
    auto pub = me.publisher<bytes>("x", options).value();
    tool sub(root(), {"sub", "x", "--lossless"});
    await_readers("x", 1);
    ASSERT_TRUE(pub.send("message"));
    kill_and_bury(sub);
    finished const clean = partywall({"clean"});
    EXPECT_EQ(clean.status, exited(0)) << clean.err;
    EXPECT_THAT(clean.out, has("removed 1 dead participants"));
    EXPECT_TRUE(stats("x")->readers.empty());
    ASSERT_TRUE(pub.send("still here"));
    EXPECT_EQ(stats("x")->sent, 2U);
}

TEST_F(Clean, OfADomainThatIsNotThereCreatesNothing) {
    EXPECT_EQ(partywall({"clean"}).status, exited(3));
    EXPECT_EQ(partywall({"clean", "--dry-run"}).status, exited(3));
    EXPECT_THAT(root_.leftovers(), testing::IsEmpty());
}

} // namespace
} // namespace partywall::test
