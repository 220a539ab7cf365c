// SPDX-License-Identifier: BSL-1.0
// The data plane makes no system call while everybody keeps up: a process that has warmed up
// forbids itself all of them, and sends and receives a million times.
#include "puppet.hpp"

#include <partywall/os/membarrier.hpp>
#include <support/counts.hpp>
#include <support/sandbox.hpp>

#include <array>
#include <sys/syscall.h>
#include <unistd.h>

namespace partywall::test {
namespace {

PARTYWALL_ROLE(forbids_itself_system_calls) {
    os::for_test::disable_membarrier(context.number(5) == 0);
    participant me = joined(context.arg(0));
    auto const policy = static_cast<overflow>(context.number(1));
    auto const kind = static_cast<delivery>(context.number(2));
    std::uint64_t const operations = context.number(3);
    bool const makes_one = context.number(4) != 0;
    auto pub = me.publisher<tick>("t", gated(64, policy)).value();
    subscriber_options options;
    options.delivery = kind;
    auto sub = me.subscriber<tick>("t", options).value();
    auto value = me.latest<tick>("t").value();
    publisher_options variable = gated(64, policy);
    auto text = me.publisher<bytes>("b", variable).value();
    auto text_sub = me.subscriber<bytes>("b", options).value();
    receiver_options lanes;
    lanes.depth = 64;
    lanes.senders_max = 4;
    auto in = me.receiver<tick>("in", lanes).value();
    sender_options posts;
    posts.overflow = policy;
    std::array out{me.sender<tick>("in", posts).value(), me.sender<tick>("in", posts).value()};
    std::array<tick, 8> batch{};
    std::uint64_t wrong = 0;
    auto const round = [&](std::uint64_t i) {
        wrong += pub.send(tick::of(i)) ? 0 : 1;
        auto const s = sub.try_receive();
        wrong += s && s->number == i ? 0 : 1;
        wrong += out[i % 2].send(tick::of(i)) ? 0 : 1;
        auto const letter = in.try_receive();
        wrong += letter && letter->number == i ? 0 : 1;
        if (i % 8 == 0) {
            auto l = pub.loan();
            **l = tick::of(i);
            wrong += l->send() ? 0 : 1;
            wrong += pub.send_batch(batch).value() == 8 ? 0 : 1;
            wrong += sub.receive_batch(batch) == 8 ? 0 : 1;
            wrong += sub.receive(1h) ? 0 : 1;
            wrong += sub.try_receive() ? 1 : 0;
            auto lent = out[0].loan();
            **lent = tick::of(i);
            wrong += lent->send() ? 0 : 1;
            wrong += out[1].send_batch(batch).value() == 8 ? 0 : 1;
            wrong += in.receive_batch(batch) == 8 ? 0 : 1;
            wrong += in.receive(1h) ? 0 : 1;
            wrong += in.try_receive() ? 1 : 0;
            wrong += value.get() ? 0 : 1;
            wrong += text.send("hello, world") ? 0 : 1;
            wrong += text_sub.try_receive().text() == "hello, world" ? 0 : 1;
        }
    };
    for (std::uint64_t i = 0; i < 64; ++i) {
        round(i);
    }
    context.send("warm");
    forbid_system_calls();
    for (std::uint64_t i = 0; i < operations / 2; ++i) {
        round(i);
    }
    if (makes_one) {
        (void)me.recover();
    }
    ::syscall(SYS_exit_group, wrong == 0 ? 0 : 1);
    return 1;
}

exit_status run(overflow policy, delivery kind, std::uint64_t operations, bool makes_one = false,
                bool membarrier = true) {
    scratch_root root;
    child role = spawn("forbids_itself_system_calls",
                       {root.path(), std::to_string(static_cast<int>(policy)),
                        std::to_string(static_cast<int>(kind)), std::to_string(operations),
                        makes_one ? "1" : "0", membarrier ? "1" : "0"});
    role.expect("warm");
    return role.wait();
}

TEST(DataPlane, MakesNoSystemCall) {
    std::uint64_t const operations = count(1'000'000, 10'000'000);
    EXPECT_EQ(run(overflow::drop_oldest, delivery::lossy, operations), exited(0));
    EXPECT_EQ(run(overflow::drop_oldest, delivery::looking, operations), exited(0));
    EXPECT_EQ(run(overflow::block, delivery::lossless, operations), exited(0));
    EXPECT_EQ(run(overflow::reject, delivery::lossless, operations), exited(0));
}

TEST(DataPlane, MakesNoSystemCallWhereThereIsNoMembarrier) {
    std::uint64_t const operations = count(200'000, 10'000'000);
    EXPECT_EQ(run(overflow::drop_oldest, delivery::lossy, operations, false, false), exited(0));
    EXPECT_EQ(run(overflow::block, delivery::lossless, operations, false, false), exited(0));
}

TEST(DataPlane, IsSeenMakingOne) { // or the test above could not fail
    EXPECT_EQ(run(overflow::block, delivery::lossless, 0, true), killed_by(SIGSYS));
}

} // namespace
} // namespace partywall::test
