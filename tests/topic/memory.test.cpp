// SPDX-License-Identifier: BSL-1.0
// The heap: the data plane does not use it, and the control plane reports when there is none.
#include "large.hpp"

#include <support/counting_new.hpp>
#if PARTYWALL_TEST_COUNTS_NEW
#include <support/counts.hpp>
#include <support/sandbox.hpp>

#include <array>
#include <atomic>
#include <optional>

namespace partywall::test {
namespace {

/// While it lives, allocation `n` of this thread (from 1) fails; every later one too if `for_good`.
class no_memory {
  public:
    explicit no_memory(std::uint64_t n, bool for_good = false) {
        fails_from_then_on = for_good;
        fails_in = n;
    }
    ~no_memory() { fails_in = 0; }
};

TEST(DataPlane, DoesNotUseTheHeap) {
    scratch_root root;
    participant me = joined(root.path());
    std::uint64_t const operations = count(1'000'000, 10'000'000);
    publisher_options variable = gated(64);
    variable.payload_bytes_max = 100;
    for (overflow const policy : {overflow::drop_oldest, overflow::reject, overflow::block}) {
        std::string const topic = "t" + std::to_string(static_cast<int>(policy));
        auto pub = me.publisher<tick>(topic, gated(64, policy)).value();
        auto sub =
            me.subscriber<tick>(topic, policy == overflow::drop_oldest ? lossy() : lossless())
                .value();
        auto looks = me.subscriber<tick>(topic, looking()).value();
        auto value = me.latest<tick>(topic).value();
        auto text = me.publisher<bytes>(topic + "b", variable).value();
        auto text_sub = me.subscriber<bytes>(topic + "b", lossless()).value();
        std::array<tick, 8> batch{};
        std::uint64_t wrong = 0;
        auto const round = [&](std::uint64_t i) {
            wrong += pub.send(tick::of(i)) ? 0 : 1;
            wrong += sub.try_receive() ? 0 : 1;
            if (i % 8 == 0) {
                auto l = pub.loan();
                **l = tick::of(i);
                wrong += l->send() ? 0 : 1;
                wrong += pub.send_batch(batch).value() == 8 ? 0 : 1;
                wrong += sub.receive_batch(batch) == 8 ? 0 : 1;
                wrong += sub.receive(0ns) ? 0 : 1;
                wrong += sub.try_receive() ? 1 : 0; // nothing there
                wrong += value.get() ? 0 : 1;
                wrong += value.get() ? 0 : 1;
                wrong += text.send("hello, world") ? 0 : 1;
                wrong += text_sub.try_receive().text() == "hello, world" ? 0 : 1;
                for (auto& s : looks) {
                    wrong += s->number != ~std::uint64_t{0} ? 0 : 1;
                }
                auto held = sub.try_receive();
                wrong += held ? 1 : 0;
            }
        };
        for (std::uint64_t i = 0; i < 10'000; ++i) {
            round(i); // warm up: everybody has also looked at the registry
        }
        std::uint64_t const before = allocations;
        for (std::uint64_t i = 0; i < operations / 2; ++i) {
            round(i);
        }
        EXPECT_EQ(allocations, before);
        EXPECT_EQ(wrong, 0u);
    }
}

TEST(DataPlane, DoesNotUseTheHeapForLargeMessages) {
    scratch_root root;
    participant me = joined(root.path());
    for (overflow const policy : {overflow::drop_oldest, overflow::reject}) {
        auto pub = me.publisher<bytes>("t", with_chunks(gated(8, policy), 3000)).value();
        auto sub = me.subscriber<bytes>("t", policy == overflow::drop_oldest ? lossy() : lossless())
                       .value();
        auto looks = me.subscriber<bytes>("t", looking()).value();
        auto value = me.latest<bytes>("t").value();
        auto const large = pattern(1, 3000);
        std::uint64_t wrong = 0;
        std::uint64_t before = 0;
        for (std::uint64_t i = 0; i < count(100'000, 1'000'000); ++i) {
            if (i == 5000) {
                before = allocations;
            }
            wrong += pub.send(std::span(large).first(i % 2 == 0 ? 3000 : 40)) ? 0 : 1;
            auto const held = sub.try_receive();
            wrong += held ? 0 : 1;
            auto l = pub.loan();
            (**l)[0] = std::byte{1};
            wrong += l->send() ? 0 : 1;
            wrong += sub.try_receive() ? 0 : 1;
            wrong += looks.try_receive() ? 0 : 1;
            wrong += value.get() ? 0 : 1;
            wrong += value.get() ? 0 : 1;
        }
        EXPECT_EQ(allocations, before);
        EXPECT_EQ(wrong, 0u);
    }
}

// A full ring and an empty one: the slow paths of sending and receiving do without as well.
TEST(DataPlane, DoesNotUseTheHeapWhereItHasToWaitForARunningPeer) {
    scratch_root root;
    participant me = joined(root.path());
    publisher_options options = gated(4, overflow::block);
    options.waiting = waiting::park;
    auto pub = me.publisher<tick>("t", options).value();
    auto sub = me.subscriber<tick>("t", lossless()).value();
    subscriber_options parks;
    parks.waiting = waiting::park;
    auto idle = me.subscriber<tick>("t", parks).value();
    send_ticks(pub, 0, 4);
    (void)take_all(idle);
    (void)idle.receive(1ms);
    (void)pub.send(tick::of(9), 1ms);
    std::uint64_t const before = allocations;
    for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(pub.send(tick::of(9), 1ms).error(), send_errc::timed_out);
        EXPECT_EQ(idle.receive(1ms).error(), receive_errc::timed_out);
    }
    EXPECT_EQ(allocations, before + 0);
}

/// Creates with every single allocation failing, then with every one from some point on.
template <class Create>
void create_without_memory(participant& me, scratch_root& root, Create const& create) {
    for (bool const for_good : {false, true}) {
        bool done = false;
        for (std::uint64_t n = 1; !done; ++n) {
            ASSERT_LT(n, 5000u);
            {
                no_memory const hungry(n, for_good);
                auto made = create(me);
                if (made) {
                    done = fails_in > 1 || (!for_good && fails_in == 0 && n > 2000);
                } else {
                    EXPECT_TRUE(made.error().code == endpoint_errc::no_memory ||
                                made.error().code == endpoint_errc::system ||
                                made.error().code == endpoint_errc::domain_gone)
                        << made.error().message;
                }
            }
            (void)me.recover();
            ASSERT_EQ(me.snapshot().entries.size(), 1u) << "left by failure " << n;
            ASSERT_EQ(topic_files(root).size(), 2u) << "left by failure " << n;
        }
    }
}

TEST(Create, ReportsThatThereIsNoMemoryAndLeavesNothing) {
    scratch_root root;
    participant other = joined(root.path(), "other");
    std::optional<participant> hungry(joined(root.path()));
    participant& me = *hungry;
    auto there = other.publisher<tick>("t", gated(4)).value();
    tampered_topic topic(other, "t");
    create_without_memory(me, root,
                          [](participant& p) { return p.publisher<tick>("t", gated(4)); });
    create_without_memory(me, root,
                          [](participant& p) { return p.subscriber<tick>("t", lossless()); });
    create_without_memory(me, root, [](participant& p) {
        return p.publisher<bytes>("u", with_chunks(gated(4), 3000));
    });
    create_without_memory(me, root, [](participant& p) { return p.subscriber<tick>("t"); });
    create_without_memory(me, root, [](participant& p) { return p.latest<tick>("t"); });
    EXPECT_EQ(topic.used_slots(), 0u);
    hungry.reset();
    EXPECT_EQ(other.snapshot().participants.size(), 1u) << "something keeps it a member";
}

// A look at the registry that failed for want of memory is made good later.
TEST(Subscriber, ThatHadNoMemoryForALookLooksAgain) {
    scratch_root root;
    participant me = joined(root.path());
    participant other = joined(root.path(), "other");
    for (std::uint64_t n = 1; n < 200; ++n) {
        auto sub = me.subscriber<tick>("t", lossless()).value();
        auto pub = other.publisher<tick>("t", gated(4)).value();
        send_ticks(pub, 10 * n, 4);
        std::vector<std::uint64_t> found;
        {
            no_memory const hungry(n);
            auto const s = sub.try_receive(); // has to look, and may not be able to
            if (s) {
                ASSERT_EQ(s->number, 10 * n);
            } else {
                ASSERT_TRUE(s.error() == receive_errc::empty ||
                            s.error() == receive_errc::refused ||
                            s.error() == receive_errc::no_memory)
                    << to_string(s.error());
            }
        }
        eventually([&] {
            (void)sub.receive(1ms);
            return sub.received() == 4;
        });
        ASSERT_EQ(sub.received(), 4u) << "allocation " << n << " failed";
        pub.close();
        (void)take_all(sub);
    }
}

} // namespace
} // namespace partywall::test

#endif // PARTYWALL_TEST_COUNTS_NEW
