// SPDX-License-Identifier: BSL-1.0
// What a publisher does when a subscriber has not kept up, and what everybody learns of it.
#include "support.hpp"

#include <support/counts.hpp>

#include <random>

namespace partywall::test {
namespace {

TEST(DropOldest, NeverFailsAndTheSubscriberLearnsExactlyWhatItMissed) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<tick>("t", dropping(4)).value();
    auto sub = me.subscriber<tick>("t").value();
    send_ticks(pub, 0, 11);
    {
        auto const s = sub.try_receive();
        ASSERT_TRUE(s);
        EXPECT_EQ(s->number, 7u);
        EXPECT_EQ(s.missed(), 7u);
        EXPECT_EQ(s.position(), 7u);
    }
    EXPECT_EQ(take_all(sub), numbers(8, 3));
    EXPECT_EQ(sub.received(), 4u);
    EXPECT_EQ(sub.missed(), 7u);
    EXPECT_EQ(pub.position() - pub.start_position(), sub.received() + sub.missed());
}

TEST(Reject, SaysFullAndNothingWasSent) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<tick>("t", gated(4)).value();
    auto sub = me.subscriber<tick>("t", lossless()).value();
    send_ticks(pub, 0, 4);
    for (int i = 0; i < 3; ++i) {
        auto const full = pub.send(tick::of(99));
        ASSERT_FALSE(full);
        EXPECT_EQ(full.error(), send_errc::full);
    }
    EXPECT_EQ(pub.position(), 4u);
    EXPECT_EQ(sub.try_receive()->number, 0u); // and gives it back
    send_ticks(pub, 4, 1);
    EXPECT_EQ(pub.send(tick::of(99)).error(), send_errc::full);
    EXPECT_EQ(take_all(sub), numbers(1, 4));
    EXPECT_EQ(sub.missed(), 0u);
}

TEST(Reject, IsNotMadeToWaitByADeadlineOfTheCall) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<tick>("t", gated(4)).value();
    auto sub = me.subscriber<tick>("t", lossless()).value();
    send_ticks(pub, 0, 4);
    EXPECT_EQ(pub.send(tick::of(99), 24h).error(), send_errc::full); // the watchdog is faster
}

TEST(Block, TimesOutNoSoonerThanItsDeadlineAndNothingWasSent) {
    scratch_root root;
    participant me = joined(root.path());
    publisher_options options = gated(4, overflow::block);
    options.block_for = 5ms;
    auto pub = me.publisher<tick>("t", options).value();
    auto sub = me.subscriber<tick>("t", lossless()).value();
    send_ticks(pub, 0, 4);
    auto const start = std::chrono::steady_clock::now();
    EXPECT_EQ(pub.send(tick::of(99)).error(), send_errc::timed_out);
    EXPECT_GE(std::chrono::steady_clock::now() - start, 5ms);
    auto const start_2 = std::chrono::steady_clock::now();
    EXPECT_EQ(pub.send(tick::of(99), 20ms).error(), send_errc::timed_out);
    EXPECT_GE(std::chrono::steady_clock::now() - start_2, 20ms);
    EXPECT_EQ(pub.send(tick::of(99), 0ms).error(), send_errc::timed_out);
    EXPECT_EQ(pub.send(tick::of(99), -1s).error(), send_errc::timed_out);
    EXPECT_EQ(pub.position(), 4u);
    EXPECT_EQ(take_all(sub), numbers(0, 4));
}

TEST(Gate, IsHeldByLosslessSubscribersOnly) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<tick>("t", gated(4)).value();
    auto drops = me.subscriber<tick>("t").value();
    auto looks = me.subscriber<tick>("t", looking()).value();
    auto newest = me.latest<tick>("t").value();
    send_ticks(pub, 0, 100);
    EXPECT_EQ(take_all(drops), numbers(96, 4));
    EXPECT_EQ(take_all(looks), numbers(96, 4));
    EXPECT_EQ(newest.get()->number, 99u);
    EXPECT_EQ(drops.missed(), 96u);
}

TEST(Gate, IsHeldByTheSlowestOfSeveral) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<tick>("t", gated(8)).value();
    auto fast = me.subscriber<tick>("t", lossless()).value();
    auto slow = me.subscriber<tick>("t", lossless()).value();
    send_ticks(pub, 0, 8);
    EXPECT_EQ(take_all(fast), numbers(0, 8));
    EXPECT_EQ(pub.send(tick::of(99)).error(), send_errc::full);
    EXPECT_EQ(take_all(slow), numbers(0, 8));
    send_ticks(pub, 8, 8);
    EXPECT_EQ(take_all(fast), numbers(8, 8));
    EXPECT_EQ(take_all(slow), numbers(8, 8));
}

TEST(Gate, OpensWhenTheSubscriberThatHeldItCloses) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<tick>("t", gated(4)).value();
    auto sub = me.subscriber<tick>("t", lossless()).value();
    send_ticks(pub, 0, 4);
    EXPECT_EQ(pub.send(tick::of(99)).error(), send_errc::full);
    sub.close();
    send_ticks(pub, 4, 100);
    EXPECT_EQ(pub.subscriber_count(), 0u);
}

/// What a subscriber should get, from the outside: a model in plain numbers.
struct model {
    subscriber<tick> real;
    bool holds_back;       ///< lossless
    std::uint64_t next;    ///< number of the message that comes next
    std::uint64_t counted; ///< first message that counts for it
};

/// Random sends and receives of one publisher and subscribers of every kind, against the model:
/// `sent = received + missed + in flight`, per subscriber, after every step.
struct accounting_case {
    overflow policy;
    std::uint64_t depth;
    std::uint64_t start;
    std::uint32_t seed;
};
class Accounting : public testing::TestWithParam<accounting_case> {};

void check(model& m, sample<tick> const& s, std::uint64_t sent, std::uint64_t depth) {
    if (!s) {
        EXPECT_EQ(s.error(), receive_errc::empty);
        EXPECT_EQ(m.next, sent) << "a message is not delivered";
        return;
    }
    ASSERT_TRUE(s->whole());
    ASSERT_EQ(s->number, m.next + s.missed());
    ASSERT_LT(s->number, sent);
    if (m.holds_back) {
        ASSERT_EQ(s.missed(), 0u);
    } else {
        ASSERT_GE(s->number + depth, sent) << "an overwritten message was delivered";
        // Nothing is given up that is still there, except half a lap after several failures.
        ASSERT_TRUE(s.missed() == 0 || s->number + depth == sent);
    }
    m.next = s->number + 1;
}

TEST_P(Accounting, IsExactAfterEveryStep) {
    auto const [policy, depth, start, seed] = GetParam();
    scratch_root root;
    participant me = joined(root.path());
    publisher_options options = gated(depth, policy);
    options.start_position = start;
    options.block_for = 0ms;
    auto pub = me.publisher<tick>("t", options).value();
    std::mt19937 random(seed);
    std::vector<model> subs;
    std::uint64_t sent = 0;
    auto const add = [&](subscriber_options const& o) {
        subs.push_back(
            {me.subscriber<tick>("t", o).value(), o.delivery == delivery::lossless, sent, sent});
    };
    std::uint64_t const steps = count(20'000, 1'000'000);
    for (std::uint64_t step = 0; step < steps; ++step) {
        if (step % (steps / 4) == 1) { // newcomers at all sorts of positions
            if (policy != overflow::drop_oldest && subs.size() < 6) {
                add(lossless());
            }
            add(lossy());
            add(looking());
        }
        bool const sends = random() % 100 < (step / 1000 % 2 == 0 ? 80u : 30u);
        if (sends) {
            std::uint64_t slowest = sent;
            for (model const& m : subs) {
                slowest = m.holds_back ? std::min(slowest, m.next) : slowest;
            }
            auto const r = pub.send(tick::of(sent));
            if (r) {
                ASSERT_LT(sent - slowest, depth)
                    << "a lossless subscriber's message was overwritten";
                sent += 1;
            } else {
                ASSERT_EQ(r.error(),
                          policy == overflow::block ? send_errc::timed_out : send_errc::full);
                // Readers tell after a quarter of a ring what they gave back.
                ASSERT_GE(sent - slowest + depth / 4, depth) << "full, and is not";
            }
            ASSERT_EQ(pub.position(), start + sent);
        } else if (!subs.empty()) {
            model& m = subs[random() % subs.size()];
            ASSERT_NO_FATAL_FAILURE(check(m, m.real.try_receive(), sent, depth));
            ASSERT_EQ(m.real.received() + m.real.missed() + (sent - m.next), sent - m.counted);
        }
    }
    for (model& m : subs) {
        while (m.next != sent) {
            ASSERT_NO_FATAL_FAILURE(check(m, m.real.try_receive(), sent, depth));
        }
        EXPECT_EQ(m.real.received() + m.real.missed(), sent - m.counted);
        EXPECT_FALSE(m.real.try_receive());
    }
}

constexpr std::uint64_t below(std::uint64_t edge) { return edge - 64; }

INSTANTIATE_TEST_SUITE_P(
    EveryPolicyAndEdge, Accounting, testing::ValuesIn([] {
        std::vector<accounting_case> all;
        for (overflow const policy : {overflow::drop_oldest, overflow::block, overflow::reject}) {
            for (std::uint64_t const depth : {4u, 256u}) {
                for (std::uint64_t const start : {std::uint64_t{0}, below(std::uint64_t{1} << 32),
                                                  below(std::uint64_t{1} << 63), below(0)}) {
                    all.push_back({policy, depth, start, static_cast<std::uint32_t>(all.size())});
                }
            }
        }
        return all;
    }()),
    [](auto const& one) {
        accounting_case const& c = one.param;
        std::string name = c.policy == overflow::drop_oldest ? "DropOldest"
                           : c.policy == overflow::block     ? "Block"
                                                             : "Reject";
        name += "Depth" + std::to_string(c.depth) + "From";
        return name + (c.start == 0          ? std::string("Zero")
                       : c.start == below(0) ? std::string("TwoTo64")
                       : c.start >> 32 == 0  ? std::string("TwoTo32")
                                             : std::string("TwoTo63"));
    });

} // namespace
} // namespace partywall::test
