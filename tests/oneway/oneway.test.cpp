// SPDX-License-Identifier: BSL-1.0
// Many tell one: order, policies, lanes that change hands, names.
#include "support.hpp"

#include <partywall/oneway/inbox_stats.hpp>
#include <support/counts.hpp>
#include <support/sandbox.hpp>

#include <map>
#include <optional>
#include <set>
#include <thread>

namespace partywall::test {
namespace {

TEST(OneWay, MessagesArriveInOrderAndOnce) {
    scratch_root root;
    participant me = joined(root.path());
    auto in = me.receiver<tick>("in", lanes_of(8)).value();
    auto out = me.sender<tick>("in", sending(overflow::reject)).value();
    for (std::uint64_t round = 0; round < 10; ++round) {
        send_ticks(out, 8 * round, 8);
        EXPECT_EQ(take_all(in), numbers(8 * round, 8));
    }
    EXPECT_EQ(in.received(), 80u);
    EXPECT_EQ(out.sent(), 80u);
    EXPECT_EQ(in.sender_count(), 1u);
}

TEST(OneWay, ASampleSaysWhoSentIt) {
    scratch_root root;
    participant me = joined(root.path());
    auto in = me.receiver<bytes>("in").value();
    auto a = me.sender<bytes>("in").value();
    auto b = me.sender<bytes>("in").value();
    ASSERT_TRUE(a.send("of a"));
    ASSERT_TRUE(b.send("of b"));
    std::map<std::uint64_t, std::string> said;
    for (auto& s : in) {
        said[s.sender()] = s.text();
    }
    EXPECT_EQ(said.size(), 2u);
    EXPECT_EQ(said[a.incarnation()], "of a");
    EXPECT_EQ(said[b.incarnation()], "of b");
}

TEST(OneWay, SendersTakeTurns) {
    scratch_root root;
    participant me = joined(root.path());
    auto in = me.receiver<tick>("in", lanes_of(16, 4)).value();
    std::vector<sender<tick>> senders;
    for (std::uint64_t i = 0; i < 4; ++i) {
        senders.push_back(me.sender<tick>("in").value());
        send_ticks(senders.back(), 0, 16, i);
    }
    for (std::uint64_t round = 0; round < 16; ++round) {
        std::map<std::uint64_t, std::uint64_t> of;
        for (int i = 0; i < 4; ++i) {
            auto const s = in.try_receive();
            ASSERT_TRUE(s);
            of[s->sender] += 1;
            EXPECT_EQ(s->number, round);
        }
        EXPECT_EQ(of.size(), 4u) << "each once per round";
    }
}

TEST(OneWay, PoliciesAreTheSenders) {
    scratch_root root;
    participant me = joined(root.path());
    auto in = me.receiver<tick>("in", lanes_of(4)).value();
    auto rejects = me.sender<tick>("in", sending(overflow::reject)).value();
    auto blocks = me.sender<tick>("in", sending(overflow::block, 1ms)).value();
    auto drops = me.sender<tick>("in", sending(overflow::drop_oldest)).value();
    send_ticks(rejects, 0, 4, 1);
    EXPECT_EQ(rejects.send(tick::of(4)).error(), send_errc::full);
    send_ticks(blocks, 0, 4, 2);
    EXPECT_EQ(blocks.send(tick::of(4)).error(), send_errc::timed_out);
    EXPECT_EQ(blocks.send(tick::of(4), 0ms).error(), send_errc::timed_out);
    send_ticks(drops, 0, 11, 3);
    std::map<std::uint64_t, std::vector<std::uint64_t>> got;
    std::uint64_t missed = 0;
    for (auto& s : in) {
        got[s->sender].push_back(s->number);
        missed += s.missed();
    }
    EXPECT_EQ(got[1], numbers(0, 4));
    EXPECT_EQ(got[2], numbers(0, 4));
    EXPECT_EQ(got[3], numbers(7, 4));
    EXPECT_EQ(missed, 7u);
    EXPECT_EQ(in.missed(), 7u);
    EXPECT_EQ(drops.sent(), 11u);
}

TEST(OneWay, LoansAndBatchesWork) {
    scratch_root root;
    participant me = joined(root.path());
    auto in = me.receiver<tick>("in", lanes_of(8)).value();
    auto out = me.sender<tick>("in", sending(overflow::reject)).value();
    auto loan = out.loan().value();
    *loan = tick::of(0);
    ASSERT_TRUE(loan.send());
    EXPECT_EQ(loan.send().error(), send_errc::closed);
    std::vector<tick> batch;
    for (std::uint64_t i = 1; i < 20; ++i) {
        batch.push_back(tick::of(i));
    }
    EXPECT_EQ(out.send_batch(batch).value(), 7u);
    EXPECT_EQ(out.send_batch(batch).error(), send_errc::full);
    std::vector<tick> got(20);
    EXPECT_EQ(in.receive_batch(got), 8u);
    for (std::uint64_t i = 0; i < 8; ++i) {
        EXPECT_EQ(got[i].number, i);
    }
}

TEST(OneWay, ASenderMayComeBeforeItsReceiver) {
    scratch_root root;
    participant me = joined(root.path());
    auto out = me.sender<tick>("in").value();
    EXPECT_EQ(out.send(tick::of(0)).error(), send_errc::no_receiver);
    EXPECT_EQ(out.wait_for_receiver(1ms).error(), send_errc::timed_out);
    auto in = me.receiver<tick>("in").value();
    send_ticks(out, 0, 3);
    EXPECT_EQ(take_all(in), numbers(0, 3));
    EXPECT_TRUE(out.wait_for_receiver(0ms));
    EXPECT_EQ(out.lost(), 0u);
}

TEST(OneWay, AReceiverThatClosesIsSeenAndItsSuccessorFound) {
    scratch_root root;
    participant me = joined(root.path());
    auto in = std::make_optional(me.receiver<tick>("in", lanes_of(8)).value());
    auto out = me.sender<tick>("in").value();
    std::uint64_t const first = in->incarnation();
    EXPECT_EQ(out.receiver(), first);
    send_ticks(out, 0, 5);
    EXPECT_EQ(in->try_receive()->number, 0u);
    EXPECT_EQ(in->try_receive()->number, 1u);
    in.reset();
    EXPECT_EQ(out.send(tick::of(5)).error(), send_errc::no_receiver);
    EXPECT_EQ(out.send(tick::of(5)).error(), send_errc::no_receiver);
    EXPECT_EQ(out.lost(), 3u) << "taken: 2 of 5";
    auto next = me.receiver<tick>("in", lanes_of(8)).value();
    EXPECT_NE(next.incarnation(), first);
    send_ticks(out, 10, 3);
    EXPECT_EQ(take_all(next), numbers(10, 3)) << "and nothing of its predecessor's";
    EXPECT_EQ(out.sent(), 8u);
    EXPECT_EQ(out.receiver(), next.incarnation());
}

TEST(OneWay, AMessageTooLongIsRefusedAndNobodyWaitsForIt) {
    scratch_root root;
    participant me = joined(root.path());
    receiver_options options = lanes_of(4);
    options.payload_bytes_max = 8;
    auto in = me.receiver<bytes>("in", options).value();
    auto out = me.sender<bytes>("in", sending(overflow::block)).value();
    for (int i = 0; i < 4; ++i) {
        ASSERT_TRUE(out.send("12345678"));
    }
    EXPECT_EQ(out.send("123456789").error(), send_errc::too_large);
}

TEST(OneWay, WhatIsTooLongIsUpToTheReceiverThatIsThere) {
    scratch_root root;
    participant me = joined(root.path());
    auto out = me.sender<bytes>("in", sending(overflow::reject)).value();
    EXPECT_EQ(out.send("12345678").error(), send_errc::no_receiver);
    EXPECT_EQ(out.send("12345678", 1ms).error(), send_errc::no_receiver);
    receiver_options options = lanes_of(4);
    options.payload_bytes_max = 8;
    auto in = std::make_optional(me.receiver<bytes>("in", options).value());
    ASSERT_TRUE(out.send("12345678"));
    EXPECT_EQ(in->try_receive().text(), "12345678");
    EXPECT_EQ(out.send("123456789").error(), send_errc::too_large);
    in.reset();
    options.payload_bytes_max = 16;
    EXPECT_EQ(out.send("123456789").error(), send_errc::no_receiver);
    in.emplace(me.receiver<bytes>("in", options).value());
    ASSERT_TRUE(out.send("123456789", 1ms)) << "its successor takes more";
    EXPECT_EQ(in->try_receive().text(), "123456789");
    in.reset();
    options.payload_bytes_max = 8;
    EXPECT_EQ(out.send("1").error(), send_errc::no_receiver);
    in.emplace(me.receiver<bytes>("in", options).value());
    EXPECT_EQ(out.send("123456789").error(), send_errc::too_large) << "and the next one less";
    ASSERT_TRUE(out.send("12345678"));
    EXPECT_EQ(in->try_receive().text(), "12345678");
    EXPECT_EQ(out.sent(), 3U);
}

TEST(OneWay, AnotherTypeIsRefusedAndBothAreNamed) {
    scratch_root root;
    participant me = joined(root.path());
    auto in = me.receiver<bytes>("in").value();
    auto const refused = me.sender<tick>("in");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, endpoint_errc::type_mismatch);
    EXPECT_NE(refused.error().message.find("tick"), std::string::npos) << refused.error().message;
    EXPECT_NE(refused.error().message.find("bytes"), std::string::npos) << refused.error().message;
    auto early = me.sender<tick>("later").value();
    auto later = me.receiver<bytes>("later").value();
    EXPECT_EQ(early.send(tick::of(0)).error(), send_errc::refused);
    EXPECT_EQ(early.refusal_code(), endpoint_errc::type_mismatch);
    EXPECT_EQ(early.wait_for_receiver(1h).error(), send_errc::refused);
}

TEST(OneWay, OptionsThatMakeNoSenseAreRefused) {
    scratch_root root;
    participant me = joined(root.path());
    auto const code = [&](auto change) {
        receiver_options o;
        change(o);
        auto const made = me.receiver<bytes>("in", o);
        return made ? endpoint_errc{} : made.error().code;
    };
    using o = receiver_options;
    EXPECT_EQ(code([](o& x) { x.depth = 0; }), endpoint_errc::bad_option);
    EXPECT_EQ(code([](o& x) { x.depth = cells_max + 1; }), endpoint_errc::bad_option);
    EXPECT_EQ(code([](o& x) { x.senders_max = 0; }), endpoint_errc::bad_option);
    EXPECT_EQ(code([](o& x) { x.senders_max = senders_max + 1; }), endpoint_errc::bad_option);
    EXPECT_EQ(code([](o& x) { x.payload_bytes_max = 0; }), endpoint_errc::bad_option);
    EXPECT_EQ(code([](o& x) { x.payload_bytes_max = ~0ull; }), endpoint_errc::bad_option);
    EXPECT_EQ(code([](o& x) { x.samples_held_max = 0; }), endpoint_errc::bad_option);
    EXPECT_EQ(code([](o& x) { x.spin_for = -1ns; }), endpoint_errc::bad_option);
    EXPECT_EQ(code([](o& x) {
                  x.depth = cells_max;
                  x.senders_max = senders_max;
                  x.payload_bytes_max = payload_bytes_max_limit;
              }),
              endpoint_errc::bad_option);
    EXPECT_EQ(me.receiver<bytes>("../in").error().code, endpoint_errc::bad_name);
    EXPECT_EQ(me.sender<bytes>("").error().code, endpoint_errc::bad_name);
    EXPECT_EQ(me.sender<bytes>("in", sending(overflow::block, -1ns)).error().code,
              endpoint_errc::bad_option);
    std::vector<std::string> const expected{"d/", "d/life." + std::to_string(me.ticket()),
                                            "d/registry"};
    EXPECT_EQ(root.leftovers(), expected);
}

// ---- names --------------------------------------------------------------------------------------

TEST(ReceiverName, IsOneReceivers) {
    scratch_root root;
    participant me = joined(root.path());
    participant other = joined(root.path(), "other");
    auto in = std::make_optional(me.receiver<bytes>("in").value());
    auto const taken = other.receiver<bytes>("in");
    ASSERT_FALSE(taken);
    EXPECT_EQ(taken.error().code, endpoint_errc::name_taken);
    EXPECT_NE(taken.error().message.find("'in'"), std::string::npos) << taken.error().message;
    EXPECT_TRUE(other.receiver<bytes>("out"));
    EXPECT_EQ(me.snapshot().entries.size(), 1u) << "nothing is left of who was refused";
    in.reset();
    EXPECT_TRUE(other.receiver<bytes>("in"));
}

TEST(ReceiverNameThreads, GoesToExactlyOneOfThoseWhoComeAtTheSameTime) {
    scratch_root root;
    participant me = joined(root.path());
    participant other = joined(root.path(), "other");
    for (std::uint64_t round = 0; round < count(50, 5000); ++round) {
        std::optional<receiver<bytes>> a;
        std::optional<receiver<bytes>> b;
        auto const try_it = [](participant& as, auto& to) {
            auto made = as.receiver<bytes>("in", lanes_of(4, 2));
            if (made) {
                to.emplace(std::move(*made));
            } else {
                EXPECT_EQ(made.error().code, endpoint_errc::name_taken);
            }
        };
        std::thread competitor([&] { try_it(other, b); });
        try_it(me, a);
        competitor.join();
        ASSERT_EQ(a.has_value() + b.has_value(), 1);
    }
}

// ---- lanes --------------------------------------------------------------------------------------

TEST(Lane, IsFreeAgainWhenItsSenderHasClosedAndEverythingWasRead) {
    scratch_root root;
    participant me = joined(root.path());
    auto in = me.receiver<tick>("in", lanes_of(4, 1)).value();
    for (std::uint64_t i = 0; i < count(1000, 100'000); ++i) {
        auto out = me.sender<tick>("in", sending(overflow::reject)).value();
        send_ticks(out, i, i % 5);
        EXPECT_EQ(me.sender<tick>("in").error().code, endpoint_errc::no_lane);
        out.close();
        EXPECT_EQ(out.send(tick::of(0)).error(), send_errc::closed);
        EXPECT_EQ(me.sender<tick>("in").error().code, endpoint_errc::no_lane) << "not yet read";
        EXPECT_EQ(take_all(in), numbers(i, i % 5));
    }
    EXPECT_EQ(in.sender_count(), 0u);
    EXPECT_EQ(tampered_inbox(me, "in").used_lanes(), 0u);
}

TEST(Lane, IsReadToItsEndAlthoughItsEndIsSeenBefore) {
    scratch_root root;
    participant me = joined(root.path());
    auto in = me.receiver<tick>("in", lanes_of(4096, 2)).value();
    auto out = me.sender<tick>("in", sending(overflow::reject)).value();
    send_ticks(out, 0, 4000); // more than are taken between two looks for ends
    out.close();
    EXPECT_EQ(take_all(in), numbers(0, 4000));
}

TEST(Lane, ThatBecomesFreeIsFoundByASenderThatWaitsForIt) {
    scratch_root root;
    participant me = joined(root.path());
    auto in = me.receiver<tick>("in", lanes_of(4, 1)).value();
    auto late = me.sender<tick>("in");
    ASSERT_TRUE(late); // alone
    auto first = std::move(*late);
    EXPECT_EQ(me.sender<tick>("in").error().code, endpoint_errc::no_lane);
    auto waits = me.sender<tick>("elsewhere").value();
    EXPECT_EQ(waits.send(tick::of(0)).error(), send_errc::no_receiver);
    first.close();
    EXPECT_TRUE(take_all(in).empty());
    EXPECT_TRUE(me.sender<tick>("in"));
}

TEST(Lane, IsKeptWhileASampleOfItIsHeld) {
    scratch_root root;
    participant me = joined(root.path());
    auto in = me.receiver<tick>("in", lanes_of(4, 1)).value();
    auto out = me.sender<tick>("in").value();
    send_ticks(out, 7, 1);
    auto held = in.try_receive();
    ASSERT_TRUE(held);
    out.close();
    EXPECT_TRUE(take_all(in).empty());
    EXPECT_EQ(me.sender<tick>("in").error().code, endpoint_errc::no_lane);
    EXPECT_EQ(held->number, 7u);
    held.reset();
    auto next = me.sender<tick>("in").value();
    send_ticks(next, 8, 1);
    EXPECT_EQ(take_all(in), numbers(8, 1));
}

TEST(Lane, CountsEachMessageOnceWhetherItsSenderIsThereOrGone) {
    scratch_root root;
    participant me = joined(root.path());
    auto in = me.receiver<tick>("in", lanes_of(4, 2)).value();
    auto const received = [&] {
        auto const entry = me.core()->entries(entry_kind::inbox, "in").at(0);
        return read_inbox_stats(me.core()->dir(), entry).value().received;
    };
    auto out = me.sender<tick>("in").value();
    send_ticks(out, 0, 3);
    EXPECT_EQ(take_all(in), numbers(0, 3));
    EXPECT_EQ(received(), 3u);
    send_ticks(out, 3, 1);
    {
        auto const held = in.try_receive();
        out.close();
        EXPECT_TRUE(take_all(in).empty()); // it has ended, and its lane is not free yet
        EXPECT_EQ(received(), 4u);
    }
    EXPECT_TRUE(take_all(in).empty());
    EXPECT_EQ(received(), 4u);
    EXPECT_EQ(in.received(), 4u);
}

// The end of a sender is looked for now and then even if there is always a message: then the lanes that
// are looked at are others.
TEST(Lane, OfASenderThatClosesGoesAlthoughOthersAreAlwaysReady) {
    scratch_root root;
    participant me = joined(root.path());
    auto in = me.receiver<tick>("in", lanes_of(4)).value();
    std::vector<sender<tick>> out;
    for (std::uint64_t who = 0; who < 8; ++who) {
        out.push_back(me.sender<tick>("in", sending(overflow::reject)).value());
    }
    std::map<std::uint64_t, std::uint64_t> next;
    for (std::uint64_t i = 0; i < 40'000; ++i) {
        if (i % 4000 == 2000 && out.size() > 1) {
            out.erase(out.begin());
        }
        for (auto& one : out) { // as many as it takes, and more
            if (one.send(tick::of(one.sent(), one.incarnation()))) {
                break;
            }
        }
        auto const s = in.try_receive();
        ASSERT_TRUE(s) << to_string(s.error());
        ASSERT_TRUE(s->whole());
        ASSERT_EQ(s->number, next[s->sender]++);
    }
    EXPECT_EQ(in.sender_count(), out.size());
}

TEST(Lane, SamplesOutliveTheirReceiver) {
    scratch_root root;
    participant me = joined(root.path());
    auto in = std::make_optional(me.receiver<tick>("in", lanes_of(4, 1)).value());
    auto out = me.sender<tick>("in").value();
    send_ticks(out, 7, 1);
    auto held = in->try_receive();
    in.reset();
    EXPECT_EQ(out.send(tick::of(0)).error(), send_errc::no_receiver);
    EXPECT_TRUE(held->whole());
    EXPECT_EQ(held->number, 7u);
}

class Positions : public testing::TestWithParam<std::uint64_t> {};

TEST_P(Positions, WrapAndNothingHappens) {
    scratch_root root;
    participant me = joined(root.path());
    for (overflow const policy : {overflow::reject, overflow::drop_oldest}) {
        receiver_options options = lanes_of(4, 2);
        options.start_position = GetParam();
        auto in = me.receiver<tick>("in", options).value();
        for (std::uint64_t owner = 0; owner < 10; ++owner) {
            auto out = me.sender<tick>("in", sending(policy)).value();
            for (std::uint64_t round = 0; round < 5; ++round) {
                send_ticks(out, 3 * round, 3);
                EXPECT_EQ(take_all(in), numbers(3 * round, 3));
            }
        }
        EXPECT_EQ(in.missed(), 0u);
    }
}
INSTANTIATE_TEST_SUITE_P(Edges, Positions,
                         testing::Values(0, (1ull << 32) - 7, (1ull << 63) - 7, ~0ull - 6, ~0ull));

// ---- many ---------------------------------------------------------------------------------------

TEST(ManyLanes, AreAllReadAlthoughOnlyHintsAreLookedAt) {
    scratch_root root;
    participant me = joined(root.path());
    auto in = me.receiver<tick>("in", lanes_of(4, 1024)).value();
    std::vector<sender<tick>> senders;
    for (std::uint64_t i = 0; i < 1024; ++i) {
        senders.push_back(me.sender<tick>("in", sending(overflow::reject)).value());
    }
    EXPECT_EQ(me.sender<tick>("in").error().code, endpoint_errc::no_lane);
    for (std::uint64_t round = 0; round < 3; ++round) {
        for (std::uint64_t i = 0; i < 1024; ++i) {
            send_ticks(senders[i], 4 * round, 4, i);
        }
        std::map<std::uint64_t, std::uint64_t> next;
        for (auto& s : in) {
            EXPECT_EQ(s->number, 4 * round + next[s->sender]++);
        }
        EXPECT_EQ(next.size(), 1024u);
        for (auto const& [who, got] : next) {
            EXPECT_EQ(got, 4u) << "of sender " << who;
        }
    }
    EXPECT_EQ(in.received(), 3u * 4 * 1024);
}

TEST(ManyLanes, OfNewcomersAreReadAtTheNextLook) {
    scratch_root root;
    participant me = joined(root.path());
    auto in = me.receiver<tick>("in", lanes_of(4, 256)).value();
    std::vector<sender<tick>> senders;
    for (std::uint64_t i = 0; i < 256; ++i) {
        senders.push_back(me.sender<tick>("in", sending(overflow::reject)).value());
        send_ticks(senders.back(), i, 1);
        EXPECT_EQ(take_all(in), numbers(i, 1)) << "of sender " << i;
    }
}

// The sweep has to go on while it finds something.
TEST(ManyLanes, AreTakenInTurnAlthoughOneIsAlwaysReady) {
    scratch_root root;
    participant me = joined(root.path());
    auto in = me.receiver<tick>("in", lanes_of(64, 128)).value();
    std::vector<sender<tick>> senders;
    for (std::uint64_t i = 0; i < 100; ++i) {
        senders.push_back(me.sender<tick>("in", sending(overflow::reject)).value());
        send_ticks(senders.back(), 0, 1, i);
    }
    EXPECT_EQ(take_all(in).size(), 100u);
    for (std::uint64_t const busy : {0u, 50u, 99u}) {
        std::uint64_t next = 0;
        for (int round = 0; round < 40; ++round) {
            for (std::uint64_t i = 0; i < 100; ++i) {
                if (i != busy) {
                    send_ticks(senders[i], 1, 1, i);
                }
            }
            std::set<std::uint64_t> heard;
            for (int n = 0; n < 400; ++n) {
                next += senders[busy].send(tick::of(next, busy)) ? 1 : 0;
                if (auto const s = in.try_receive()) { // whose hint has always changed
                    heard.insert(s->sender);
                }
            }
            ASSERT_EQ(heard.size(), 100u) << "in round " << round << ", busy: " << busy;
        }
        (void)take_all(in);
    }
}

TEST(ManyLanes, ThatAreFullAreFoundAtTheNextLook) {
    scratch_root root;
    participant me = joined(root.path());
    auto in = me.receiver<tick>("in", lanes_of(256, 65)).value();
    std::vector<sender<tick>> senders;
    for (std::uint64_t i = 0; i < 65; ++i) {
        senders.push_back(me.sender<tick>("in", sending(overflow::reject)).value());
        send_ticks(senders.back(), 0, 1, i);
    }
    EXPECT_EQ(take_all(in).size(), 65u);
    EXPECT_FALSE(in.try_receive());
    for (std::uint64_t round = 0; round < 4; ++round) {
        for (std::uint64_t i = 0; i < 65; i += 8) {
            send_ticks(senders[i], 1 + 256 * round, 256, i);
            EXPECT_EQ(take_all(in), numbers(1 + 256 * round, 256)) << "of sender " << i;
        }
    }
}

// Who always finds something never sees that a lane has become empty.
TEST(ManyLanes, AreFoundHoweverManyMessagesCameBetweenLooksThatFoundNothing) {
    scratch_root root;
    participant me = joined(root.path());
    auto in = me.receiver<tick>("in", lanes_of(16, 65)).value();
    std::vector<sender<tick>> senders;
    for (std::uint64_t i = 0; i < 65; ++i) {
        senders.push_back(me.sender<tick>("in", sending(overflow::reject)).value());
        send_ticks(senders.back(), 0, 1, i);
    }
    EXPECT_EQ(take_all(in).size(), 65u);
    for (std::uint64_t n = 1; n < 70'000; n += 16) { // 16 bits and more
        send_ticks(senders[40], n, 16, 40);
        for (std::uint64_t i = 0; i < 16; ++i) {
            auto const s = in.try_receive();
            ASSERT_TRUE(s) << to_string(s.error()) << " at message " << n + i;
            ASSERT_EQ(s->number, n + i);
        }
    }
}

TEST(ManyLanes, WithoutAHintAreFoundByTheSweep) {
    scratch_root root;
    participant me = joined(root.path());
    auto in = me.receiver<tick>("in", lanes_of(4, 128)).value();
    std::vector<sender<tick>> senders;
    for (std::uint64_t i = 0; i < 100; ++i) {
        senders.push_back(me.sender<tick>("in", sending(overflow::reject)).value());
        send_ticks(senders.back(), 0, 1, i);
    }
    EXPECT_EQ(take_all(in).size(), 100u);
    tampered_inbox const inbox(me, "in");
    std::vector<std::uint16_t> hints(128);
    for (std::uint32_t i = 0; i < 128; ++i) {
        hints[i] = inbox.hint(i);
    }
    send_ticks(senders[50], 1, 1, 50);
    for (std::uint32_t i = 0; i < 128; ++i) {
        inbox.hint(i) = hints[i]; // as if its sender had been killed before it stored the hint
    }
    EXPECT_FALSE(in.try_receive());
    eventually([&] { return static_cast<bool>(in.try_receive()); });
    send_ticks(senders[51], 1, 1, 51);
    for (std::uint32_t i = 0; i < 128; ++i) {
        inbox.hint(i) = hints[i];
    }
    EXPECT_TRUE(in.receive(1h)) << "and before sleeping";
}

} // namespace
} // namespace partywall::test
