// SPDX-License-Identifier: BSL-1.0
// Publishers and subscribers killed at random moments of their lives, start included. Whatever
// was sent is delivered, and after one recovery there is exactly what the living have.
#include "puppet.hpp"

#include <support/counts.hpp>
#include <support/sandbox.hpp>
#include <support/watchdog.hpp>

#include <chrono>
#include <optional>
#include <random>
#include <set>
#include <thread>

namespace partywall::test {
namespace {

/// root, role ("publisher", "flood", "lossless", "lossy", "latest"), ledger slot
PARTYWALL_ROLE(storm_member) {
    ledger counts(context.arg(0));
    std::string const& role = context.arg(1);
    std::atomic<std::uint64_t>& done = counts[context.number(2)];
    context.send("runs");
    participant me = joined(context.arg(0), role);
    publisher_options options = gated(16, overflow::block);
    options.block_for = 1h;
    if (role == "flood") {
        options.overflow = overflow::drop_oldest;
    }
    if (role == "publisher" || role == "flood") {
        auto pub = me.publisher<tick>("t", options).value();
        for (std::uint64_t i = 0;; ++i) {
            PARTYWALL_ROLE_CHECK(pub.send(tick::of(i, context.number(2))));
            done.store(i + 1);
        }
    }
    auto const check = [&](auto const& s) {
        PARTYWALL_ROLE_CHECK(s ? s->whole()
                               : s.error() == receive_errc::peer_died ||
                                     s.error() == receive_errc::timed_out);
        done.fetch_add(1);
    };
    if (role == "latest") {
        for (auto value = me.latest<tick>("t").value();;) {
            check(value.wait(1ms));
        }
    }
    for (auto sub = me.subscriber<tick>("t", role == "lossless" ? lossless() : lossy(10)).value();
         ;) {
        check(sub.receive(1ms));
    }
}

/// A moment of a victim's life: up to 5 ms after it runs.
void let_live(std::mt19937& random) {
    auto const until =
        std::chrono::steady_clock::now() + std::chrono::microseconds(random() % 5000);
    while (std::chrono::steady_clock::now() < until) {
        std::this_thread::yield();
    }
}

void expect_only_the_living(participant& me, scratch_root& root, std::size_t entries,
                            std::size_t participants, std::uint32_t slots) {
    auto const now = me.snapshot();
    EXPECT_EQ(now.entries.size(), entries);
    EXPECT_EQ(now.participants.size(), participants);
    std::set<std::string> expected = {"d/", "d/registry", "ledger"};
    for (auto const& one : now.participants) {
        EXPECT_TRUE(one.alive);
        expected.insert("d/life." + std::to_string(one.ticket));
    }
    for (auto const& one : now.entries) {
        if (one.kind != entry_kind::topic_publisher) {
            continue;
        }
        std::string const id = std::to_string(one.owner_ticket) + "." + std::to_string(one.number);
        expected.insert("d/ring." + id);
        expected.insert("d/readers." + id);
        EXPECT_EQ(tampered_topic(me, one).used_slots(), slots);
    }
    auto const files = root.leftovers();
    EXPECT_EQ(std::set<std::string>(files.begin(), files.end()), expected);
}

TEST(KillStorm, LeavesWhatTheLivingHaveAndNothingElse) {
    watchdog::extend(5min);
    scratch_root root;
    std::mt19937 random(17);
    participant me = joined(root.path());
    ledger counts(root.path());
    publisher_options options = gated(16, overflow::block);
    options.block_for = 0ms;
    auto pub = std::make_optional(me.publisher<tick>("t", options).value());
    auto sub = std::make_optional(me.subscriber<tick>("t", lossless()).value());
    std::string const roles[] = {"publisher", "lossless", "lossy", "latest"};
    std::set<pid_t> killed;
    std::vector<child> victims;
    std::uint64_t own = 0;
    for (std::uint64_t i = count(80, 10'000); i != 0; --i) {
        victims.push_back(spawn("storm_member", {root.path(), roles[random() % 4], "400"}));
        victims.back().expect("runs");
        let_live(random);
        while (victims.size() > random() % 4) { // up to three live on
            std::size_t const which = random() % victims.size();
            victims[which].kill(SIGKILL);
            ASSERT_EQ(victims[which].wait(), killed_by(SIGKILL)) << "it ended before it was killed";
            victims.erase(victims.begin() + static_cast<std::ptrdiff_t>(which));
        }
        own += pub->send(tick::of(own, 999)) ? 1 : 0;
        for (int takes = 0; takes < 2000; ++takes) {
            auto const s = sub->try_receive();
            ASSERT_TRUE(s || s.error() == receive_errc::empty ||
                        s.error() == receive_errc::peer_died)
                << to_string(s.error()) << ": " << sub->refusal();
            ASSERT_TRUE(!s || s->whole());
            if (!s && s.error() == receive_errc::empty) {
                break;
            }
        }
    }
    victims.clear();
    std::uint64_t const last = own;
    eventually([&] { return pub->send(tick::of(own, 999)).has_value() && ++own != last; });
    for (bool found = false; !found;) {
        auto const s = sub->receive(1h);
        found = s && s->sender == 999 && s->number == own - 1;
    }
    eventually([&] { // the last victims' proof, and their messages read to the end
        (void)sub->receive(1ms);
        return me.recover().nothing() && me.snapshot().participants.size() == 1;
    });
    expect_only_the_living(me, root, 2, 1, 1);
    sub.reset();
    pub.reset();
    expect_only_the_living(me, root, 0, 1, 0);
}

// P3: once send has returned, every subscription that was there gets the message.
TEST(KillStorm, LosesNothingThatWasSent) {
    watchdog::extend(5min);
    scratch_root root;
    std::mt19937 random(23);
    participant me = joined(root.path());
    ledger counts(root.path());
    auto sub = me.subscriber<tick>("t", lossless()).value();
    auto other = me.subscriber<tick>("t", lossless()).value();
    std::uint64_t with_messages = 0;
    for (std::uint64_t i = count(60, 5'000); i != 0; --i) {
        counts[1].store(0);
        child victim = spawn("storm_member", {root.path(), "publisher", "1"});
        victim.expect("runs");
        // Every second one is met at work, however slow the machine: some messages, then a moment.
        std::uint64_t const at_work = i % 2 == 0 ? 1 + random() % 8 : 0;
        eventually([&] { return counts.get(1) >= at_work; });
        let_live(random);
        bool const reads_on = random() % 2 == 0; // or only once it is dead
        std::uint64_t next = 0;
        for (int takes = 0; reads_on && takes < 50; ++takes) {
            if (auto const s = sub.try_receive()) {
                ASSERT_EQ(s->number, next);
                next += 1;
            }
        }
        victim.kill(SIGKILL);
        ASSERT_EQ(victim.wait(), killed_by(SIGKILL));
        std::uint64_t const sent = counts.get(1);
        for (auto* const reader : {&sub, &other}) {
            std::uint64_t expected = reader == &sub ? next : 0;
            for (bool ended = false; !ended;) {
                auto const s = reader->receive(sent == 0 ? 20ms : 1h);
                if (s) {
                    ASSERT_TRUE(s->whole());
                    ASSERT_EQ(s->number, expected);
                    expected += 1;
                } else {
                    ASSERT_TRUE(s.error() == receive_errc::peer_died || sent == 0)
                        << to_string(s.error());
                    ended = true;
                }
            }
            ASSERT_GE(expected, sent) << "sent and not delivered";
            ASSERT_LE(expected, sent + 1) << "more than the one that it was just counting";
        }
        with_messages += sent != 0 ? 1 : 0;
        // One that died before it had an entry is not known to anybody; its end is not awaited.
        eventually([&] {
            auto const s = sub.receive(1ms);
            auto const o = other.receive(1ms);
            (void)me.recover();
            return !s && !o && s.error() == receive_errc::timed_out &&
                   o.error() == receive_errc::timed_out && topic_files(root).empty();
        });
    }
    std::printf("%llu publishers were killed after their first message\n",
                static_cast<unsigned long long>(with_messages));
    EXPECT_GT(with_messages, 0u);
}

// Overload and a kill: every message is received or counted as missed, none twice.
TEST(KillStorm, LeavesLossySubscribersWithExactCounts) {
    watchdog::extend(5min);
    scratch_root root;
    std::mt19937 random(31);
    participant me = joined(root.path());
    ledger counts(root.path());
    auto sub = me.subscriber<tick>("t", lossy()).value();
    std::uint64_t with_misses = 0;
    for (std::uint64_t i = count(30, 5'000); i != 0; --i) {
        counts[1].store(0);
        child victim = spawn("storm_member", {root.path(), "flood", "1"});
        victim.expect("runs");
        eventually([&] { return counts.get(1) != 0; });
        std::uint64_t const received_before = sub.received();
        std::uint64_t const missed_before = sub.missed();
        std::uint64_t next = 0;
        receive_errc end = receive_errc::none;
        auto const take = [&] {
            auto const s = sub.receive(1h);
            if (!s) {
                end = s.error();
                return;
            }
            ASSERT_TRUE(s->whole());
            ASSERT_EQ(s->number, next + s.missed());
            next = s->number + 1;
        };
        for (std::uint64_t takes = random() % 3000; takes != 0; --takes) {
            ASSERT_NO_FATAL_FAILURE(take());
        }
        victim.kill(SIGKILL);
        while (end == receive_errc::none) {
            ASSERT_NO_FATAL_FAILURE(take());
        }
        ASSERT_EQ(victim.wait(), killed_by(SIGKILL));
        ASSERT_EQ(end, receive_errc::peer_died);
        std::uint64_t const received = sub.received() - received_before;
        std::uint64_t const missed = sub.missed() - missed_before;
        std::uint64_t const sent = counts.get(1);
        ASSERT_GE(received + missed, sent);
        ASSERT_LE(received + missed, sent + 1) << "more than the one that it was just counting";
        with_misses += missed != 0 ? 1 : 0;
    }
    std::printf("%llu of them had lapped the subscriber\n",
                static_cast<unsigned long long>(with_misses));
}

// Everybody dies at once, again and again; whoever comes next finds a clean house.
TEST(KillStorm, OfEverybodyLeavesNothingToTheNextGeneration) {
    watchdog::extend(5min);
    scratch_root root;
    std::mt19937 random(29);
    for (std::uint64_t i = count(15, 500); i != 0; --i) {
        {
            ledger counts(root.path());
            std::vector<child> all;
            for (char const* const role : {"lossless", "publisher", "lossy", "publisher"}) {
                all.push_back(spawn("storm_member", {root.path(), role, "3"}));
            }
            for (child& one : all) {
                one.expect("runs");
            }
            let_live(random);
            for (child& one : all) {
                one.kill(SIGKILL);
            }
            for (child& one : all) {
                ASSERT_EQ(one.wait(), killed_by(SIGKILL));
            }
        }
        participant me = joined(root.path());
        auto sub = me.subscriber<tick>("t", lossy(100)).value();
        auto pub = me.publisher<tick>("t", gated(16, overflow::block)).value();
        send_ticks(pub, 7, 3, 4);
        std::vector<std::uint64_t> mine;
        for (int takes = 0; mine.size() < 3; ++takes) {
            ASSERT_LT(takes, 1000);
            auto const s = sub.receive(1h);
            ASSERT_TRUE(!s || s.publisher() == pub.incarnation()) << "of those who are gone";
            if (s) {
                mine.push_back(s->number);
            }
        }
        EXPECT_EQ(mine, numbers(7, 3));
        eventually([&] {
            (void)me.recover();
            return me.snapshot().participants.size() == 1;
        });
        expect_only_the_living(me, root, 1, 1, 1);
    }
}

} // namespace
} // namespace partywall::test
