// SPDX-License-Identifier: BSL-1.0
// Space, descriptors or address space run out while receivers and senders are made: an error that
// says so, and nothing is left behind.
#include "support.hpp"

#include <support/role.hpp>
#include <support/sandbox.hpp>

#include <optional>
#include <sched.h>
#include <sys/resource.h>

namespace partywall::test {
namespace {

bool scarcity(endpoint_errc code) {
    return code == endpoint_errc::no_memory || code == endpoint_errc::system;
}

TEST(ScarceDescriptors, RefuseAReceiverAndLeaveNothing) {
    scratch_root root;
    participant me = joined(root.path());
    // UBSan needs descriptors to look at an object of a class that it has not seen before.
    (void)me.receiver<tick>("elsewhere", lanes_of(8)).value();
    auto const before = root.leftovers();
    int refused = 0;
    for (int left = 0; left < 6; ++left) {
        {
            few_descriptors const limit(left);
            auto const made = me.receiver<tick>("in", lanes_of(8));
            if (!made) {
                refused += 1;
                EXPECT_TRUE(scarcity(made.error().code)) << made.error().message;
                EXPECT_NE(made.error().message.find("'in'"), std::string::npos)
                    << made.error().message;
            }
        }
        EXPECT_EQ(root.leftovers(), before) << left << " descriptors";
        EXPECT_TRUE(me.snapshot().entries.empty()) << left << " descriptors";
    }
    EXPECT_GE(refused, 1);
    EXPECT_LT(refused, 6) << "it needs no more than that";
    EXPECT_TRUE(me.receiver<tick>("in", lanes_of(8)));
}

TEST(ScarceDescriptors, RefuseASenderWhoseLaneStaysFree) {
    scratch_root root;
    participant me = joined(root.path());
    participant other = joined(root.path(), "other");
    auto in = me.receiver<tick>("in", lanes_of(8, 2)).value();
    (void)other.sender<tick>("in").value();
    EXPECT_TRUE(take_all(in).empty());
    tampered_inbox const box(me, "in");
    int refused = 0;
    for (int left = 0; left < 6; ++left) {
        {
            few_descriptors const limit(left);
            auto const made = other.sender<tick>("in");
            if (!made) {
                refused += 1;
                EXPECT_TRUE(scarcity(made.error().code)) << made.error().message;
                EXPECT_EQ(box.used_lanes(), 0u) << left << " descriptors";
            }
        }
        EXPECT_TRUE(take_all(in).empty());
    }
    EXPECT_GE(refused, 1);
    EXPECT_LT(refused, 6);
}

TEST(ScarceDescriptors, ThatComeBackLetASenderFindItsReceiverAfterAll) {
    scratch_root root;
    participant me = joined(root.path());
    participant other = joined(root.path(), "other");
    auto out = other.sender<tick>("in", sending(overflow::reject)).value();
    EXPECT_EQ(out.send(tick::of(0)).error(), send_errc::no_receiver);
    auto in = me.receiver<tick>("in", lanes_of(8, 2)).value();
    {
        few_descriptors const limit(0);
        EXPECT_EQ(out.send(tick::of(0)).error(), send_errc::refused);
        EXPECT_TRUE(scarcity(out.refusal_code()));
    }
    send_ticks(out, 0, 3);
    EXPECT_EQ(take_all(in), numbers(0, 3));
}

// Its life file cannot be mapped: death is found at the slices, and until then nothing is missing.
TEST(ScarceDescriptors, DoNotKeepAReceiverFromTakingWhatANewcomerSends) {
    scratch_root root;
    participant me = joined(root.path());
    participant other = joined(root.path(), "other");
    auto in = me.receiver<tick>("in", lanes_of(8, 2)).value();
    (void)take_all(in);
    auto out = std::make_optional(other.sender<tick>("in", sending(overflow::reject)).value());
    send_ticks(*out, 0, 5);
    {
        few_descriptors const limit(0);
        EXPECT_EQ(take_all(in), numbers(0, 5));
    }
    send_ticks(*out, 5, 5);
    EXPECT_EQ(take_all(in), numbers(5, 5));
    out.reset();
    EXPECT_TRUE(take_all(in).empty());
    EXPECT_EQ(tampered_inbox(me, "in").used_lanes(), 0u);
}

constexpr int code_no_namespaces = 77;

PARTYWALL_ROLE(receives_in_a_small_file_system) {
    std::string const& where = context.arg(0);
    if (!enter_namespaces(CLONE_NEWNS) || !mount_tmpfs(where, "size=3m,mode=700")) {
        return code_no_namespaces;
    }
    participant me = joined(where);
    receiver_options options = lanes_of(16, 8);
    options.payload_bytes_max = 16 * 1024; // 2 MiB of cells
    auto const too_large = me.receiver<bytes>("in", options);
    PARTYWALL_ROLE_CHECK(!too_large);
    PARTYWALL_ROLE_CHECK(too_large.error().code == endpoint_errc::no_space);
    PARTYWALL_ROLE_CHECK(too_large.error().message.find("'in'") != std::string::npos);
    PARTYWALL_ROLE_CHECK(me.snapshot().entries.empty());
    PARTYWALL_ROLE_CHECK(list_segments(me.core()->dir()).size() == 2); // registry, life

    options.senders_max = 4; // with 4 lanes there is room, but not for two such receivers
    auto in = me.receiver<bytes>("in", options).value();
    PARTYWALL_ROLE_CHECK(me.receiver<bytes>("second", options).error().code ==
                         endpoint_errc::no_space);
    // Every page of what was created is there, and a sender needs none of its own.
    std::string const message(16 * 1024, 'x');
    std::vector<sender<bytes>> senders;
    for (int i = 0; i < 4; ++i) {
        senders.push_back(me.sender<bytes>("in", sending(overflow::reject)).value());
        for (int n = 0; n < 16; ++n) {
            PARTYWALL_ROLE_CHECK(senders.back().send(message).has_value());
        }
        PARTYWALL_ROLE_CHECK(senders.back().send(message).error() == send_errc::full);
    }
    for (int i = 0; i < 64; ++i) {
        PARTYWALL_ROLE_CHECK(in.try_receive().text() == message);
    }
    return 0;
}

TEST(NoSpace, ForAReceiverIsAnErrorThatLeavesNothingBehind) {
    scratch_root root;
    exit_status const end = spawn("receives_in_a_small_file_system", {root.path()}).wait();
    if (end == exited(code_no_namespaces)) {
        GTEST_SKIP() << "no mount namespaces";
    }
    EXPECT_EQ(end, exited(0));
}

PARTYWALL_ROLE(has_little_address_space_to_send_and_receive) {
    participant me = joined(context.arg(0), "poor");
    std::uint64_t pages = 0;
    FILE* const statm = std::fopen("/proc/self/statm", "r");
    PARTYWALL_ROLE_CHECK(statm != nullptr && std::fscanf(statm, "%lu", &pages) == 1);
    std::fclose(statm);
    rlimit const limit{pages * 4096 + (4U << 20), RLIM_INFINITY};
    PARTYWALL_ROLE_CHECK(::setrlimit(RLIMIT_AS, &limit) == 0);
    receiver_options options = lanes_of(64, 64);
    options.payload_bytes_max = 4096; // 16 MiB
    auto const made = me.receiver<bytes>("mine", options);
    PARTYWALL_ROLE_CHECK(!made && made.error().code == endpoint_errc::no_memory);
    PARTYWALL_ROLE_CHECK(made.error().message.find("'mine'") != std::string::npos);
    auto const out = me.sender<bytes>("in");
    PARTYWALL_ROLE_CHECK(!out && out.error().code == endpoint_errc::no_memory);
    context.send("refused");
    context.expect("leave");
    return 0;
}

TEST(ScarceMemory, RefusesAReceiverAndASenderAndLeavesNothing) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "sanitizers need all the memory there is";
#endif
    scratch_root root;
    participant me = joined(root.path());
    receiver_options options = lanes_of(64, 64);
    options.payload_bytes_max = 4096;
    auto in = me.receiver<bytes>("in", options).value();
    auto const before = root.leftovers().size();
    child poor = spawn("has_little_address_space_to_send_and_receive", {root.path()});
    poor.expect("refused");
    EXPECT_EQ(root.leftovers().size(), before + 1) << "its life file";
    EXPECT_EQ(me.snapshot().entries.size(), 1u);
    EXPECT_EQ(tampered_inbox(me, "in").used_lanes(), 0u);
    poor.send("leave");
    EXPECT_EQ(poor.wait(), exited(0));
}

} // namespace
} // namespace partywall::test
