// SPDX-License-Identifier: BSL-1.0
// One receiver and more than it can take: every message that was sent is delivered, or counted as
// missed, or still in its lane; and a process that is stopped holds up nobody but whom its user
// chose, is never taken for dead, and goes on where it was.
#include "puppet.hpp"

#include <partywall/oneway/inbox_stats.hpp>
#include <partywall/os/process.hpp>
#include <support/counts.hpp>
#include <support/watchdog.hpp>

#include <array>
#include <filesystem>
#include <map>

namespace partywall::test {
namespace {

constexpr std::uint64_t depth = 16;
constexpr std::size_t stop_word = 500;

/// Of an allocator and of a C library, whose pages come and go.
constexpr std::uint64_t slack_bytes = 1 << 20;

constexpr std::array<std::string_view, 3> policies = {"block", "reject", "drop"};

overflow policy_of(std::string_view name) {
    return name == "drop"     ? overflow::drop_oldest
           : name == "reject" ? overflow::reject
                              : overflow::block;
}

/// Words of sender or receiver `who` in the ledger.
struct account {
    account(ledger const& all, std::uint64_t who)
        : attempts(all[8 * who]), sent(all[8 * who + 1]), refused(all[8 * who + 2]),
          taken(all[8 * who + 3]), missed(all[8 * who + 4]) {}
    std::atomic<std::uint64_t>& attempts;
    std::atomic<std::uint64_t>& sent;
    std::atomic<std::uint64_t>& refused;
    std::atomic<std::uint64_t>& taken;  ///< by whoever receives
    std::atomic<std::uint64_t>& missed; ///< the same
};

/// root, who, policy, name: sends numbered messages as fast as it can until it is told to stop.
PARTYWALL_ROLE(floods) {
    std::string const& root = context.arg(0);
    std::uint64_t const who = context.number(1);
    ledger const all(root);
    account const mine(all, who);
    participant me = joined(root, "floods");
    sender_options options;
    options.overflow = policy_of(context.arg(2));
    options.block_for = 2ms;
    auto out = me.sender<tick>(context.arg(3), options).value();
    PARTYWALL_ROLE_CHECK(out.wait_for_receiver(1h).has_value());
    context.send(std::to_string(out.incarnation()));
    while (all[stop_word] == 0) {
        mine.attempts += 1;
        auto const r = out.send(tick::of(mine.sent, who));
        PARTYWALL_ROLE_CHECK(r || r.error() == send_errc::timed_out ||
                             r.error() == send_errc::full);
        (r ? mine.sent : mine.refused) += 1;
    }
    PARTYWALL_ROLE_CHECK(out.sent() == mine.sent);
    PARTYWALL_ROLE_CHECK(out.lost() == 0);
    out.close();
    context.send("closed");
    context.expect("leave");
    return 0;
}

/// Counts what came. False: it was no message.
bool enter(ledger const& all, sample<tick> const& s) {
    if (!s) {
        return false;
    }
    PARTYWALL_ROLE_CHECK(s->whole());
    account const of(all, s->sender);
    of.missed += s.missed();
    // In order, and exactly as many are absent as it says.
    PARTYWALL_ROLE_CHECK(s->number == of.taken + of.missed);
    of.taken += 1;
    return true;
}

/// root, name: takes one message at a time, whenever ten more were to be sent.
PARTYWALL_ROLE(takes_one_in_ten) {
    ledger const all(context.arg(0));
    participant me = joined(context.arg(0), "slow");
    receiver_options options;
    options.depth = depth;
    options.senders_max = 8;
    auto in = me.receiver<tick>(context.arg(1), options).value();
    context.send("receiving");
    std::uint64_t const senders = context.number(2);
    auto const attempts = [&] {
        std::uint64_t sum = 0;
        for (std::uint64_t who = 0; who < senders; ++who) {
            sum += account(all, who).attempts;
        }
        return sum;
    };
    for (std::uint64_t got = 0; all[stop_word] == 0;) {
        if (attempts() < 10 * got) {
            std::this_thread::yield();
        } else {
            auto const s = in.receive(1ms);
            PARTYWALL_ROLE_CHECK(s || s.error() == receive_errc::timed_out);
            got += enter(all, s) ? 1 : 0;
        }
    }
    context.expect("senders have closed");
    while (enter(all, in.receive(0ns))) {
    }
    PARTYWALL_ROLE_CHECK(in.sender_count() == 0);
    auto const entry = me.core()->entries(entry_kind::inbox, context.arg(1)).at(0);
    auto const stats = read_inbox_stats(me.core()->dir(), entry).value();
    PARTYWALL_ROLE_CHECK(stats.received == in.received() && stats.missed == in.missed());
    context.send(std::to_string(in.received()) + " " + std::to_string(in.missed()));
    context.expect("leave");
    return 0;
}

class Overload : public testing::Test {
  protected:
    void start(std::uint64_t each) {
        watchdog::extend(20min);
        receiving_ =
            spawn("takes_one_in_ten", {root.path(), "in", std::to_string(each * policies.size())});
        receiving_.expect("receiving");
        for (std::uint64_t who = 0; who < each * policies.size(); ++who) {
            senders_.push_back(spawn("floods", {root.path(), std::to_string(who),
                                                std::string(policies[who % 3]), "in"}));
            senders_.back().receive();
        }
        files_ = files();
    }
    account of(std::uint64_t who) const { return {all, who}; }
    /// Of the receiver and of each sender, in bytes.
    std::vector<std::uint64_t> memory() const {
        std::vector<std::uint64_t> all_bytes{os::resident_bytes(receiving_.pid())};
        for (child const& one : senders_) {
            all_bytes.push_back(os::resident_bytes(one.pid()));
        }
        return all_bytes;
    }
    /// Until every sender but `except` has tried so many times more.
    void others_go_on(std::uint64_t times, std::size_t except = ~std::size_t{0}) {
        for (std::size_t who = 0; who < senders_.size(); ++who) {
            std::uint64_t const from = of(who).attempts;
            eventually([&] { return who == except || of(who).attempts >= from + times; });
        }
    }
    void taken_goes_on(std::uint64_t times) {
        auto const taken = [&] {
            std::uint64_t sum = 0;
            for (std::size_t who = 0; who < senders_.size(); ++who) {
                sum += of(who).taken;
            }
            return sum;
        };
        std::uint64_t const from = taken();
        eventually([&] { return taken() >= from + times; });
    }
    /// Until each sender has found no room: it was refused, or has more under way than there is
    /// room for.
    void everybody_meets_overload() {
        for (std::size_t who = 0; who < senders_.size(); ++who) {
            account const a = of(who);
            eventually([&] {
                std::uint64_t const sent = a.sent; // before `taken`, which can only be too large
                return policies[who % 3] == "drop" ? sent > a.taken + 4 * depth : a.refused > 0;
            });
        }
    }
    /// Everybody stops sending; what is left is taken, and all of it accounted for.
    void finish() {
        everybody_meets_overload();
        all[stop_word] = 1;
        for (child& one : senders_) {
            one.expect("closed");
        }
        receiving_.send("senders have closed");
        std::uint64_t taken = 0;
        std::uint64_t missed = 0;
        std::string const totals = receiving_.receive();
        for (std::size_t who = 0; who < senders_.size(); ++who) {
            SCOPED_TRACE(std::string(policies[who % 3]) + " " + std::to_string(who));
            EXPECT_EQ(of(who).taken + of(who).missed, of(who).sent);
            EXPECT_EQ(of(who).sent + of(who).refused, of(who).attempts);
            if (policies[who % 3] == "drop") {
                EXPECT_GT(of(who).missed, 0u);
                EXPECT_EQ(of(who).refused, 0u);
            } else {
                EXPECT_EQ(of(who).missed, 0u);
                EXPECT_GT(of(who).refused, 0u);
            }
            taken += of(who).taken;
            missed += of(who).missed;
        }
        EXPECT_EQ(totals, std::to_string(taken) + " " + std::to_string(missed));
        EXPECT_EQ(files(), files_) << "memory is what it was when everybody had come";
        for (child& one : senders_) {
            one.send("leave");
            EXPECT_EQ(one.wait(), exited(0));
        }
        receiving_.send("leave");
        EXPECT_EQ(receiving_.wait(), exited(0));
    }
    /// Names and sizes.
    std::map<std::string, std::uintmax_t> files() const {
        std::map<std::string, std::uintmax_t> sizes;
        for (auto const& file : std::filesystem::directory_iterator(root.path() + "/d")) {
            sizes[file.path().filename()] = file.file_size();
        }
        return sizes;
    }

    scratch_root root;
    participant me = joined(root.path());
    ledger const all{root.path()};
    child receiving_;
    std::vector<child> senders_;
    std::map<std::string, std::uintmax_t> files_;
};

TEST_F(Overload, IsAccountedForByEverySenderWhateverItsPolicy) {
    start(2);
    auto const until = std::chrono::steady_clock::now() + std::chrono::minutes(count(0, 10));
    taken_goes_on(2'000);
    std::vector<std::uint64_t> const before = memory();
    do {
        taken_goes_on(2'000);
    } while (std::chrono::steady_clock::now() < until);
    for (std::size_t i = 0; i < before.size() && !sanitized(); ++i) {
        EXPECT_LE(memory()[i], before[i] + slack_bytes) << "of process " << i;
    }
    finish();
}

TEST_F(Overload, GoesOnForTheOthersWhileASenderIsStopped) {
    start(1);
    for (std::uint64_t round = 0; round < count(6, 300); ++round) {
        std::size_t const who = round % senders_.size();
        senders_[who].stop();
        std::uint64_t const before = of(who).sent;
        others_go_on(100, who);
        taken_goes_on(2 * depth); // more than is left of it
        (void)me.recover();
        EXPECT_EQ(me.snapshot().participants.size(), 5u) << "nobody was declared dead";
        EXPECT_EQ(of(who).sent, before);
        senders_[who].resume();
        others_go_on(100);
        EXPECT_GT(of(who).sent + of(who).refused, before);
    }
    finish();
}

TEST_F(Overload, OfAStoppedReceiverIsItsSendersAffairAndNobodyElses) {
    start(1);
    auto elsewhere = me.receiver<tick>("elsewhere").value();
    participant other = joined(root.path(), "other");
    auto to_elsewhere = other.sender<tick>("elsewhere").value();
    std::uint64_t sent = 0;
    for (std::uint64_t round = 0; round < count(4, 200); ++round) {
        taken_goes_on(10);
        receiving_.stop();
        others_go_on(20);
        std::array<std::uint64_t, 3> before{};
        for (std::size_t who = 0; who < 3; ++who) {
            before[who] = of(who).sent;
        }
        others_go_on(20);
        EXPECT_EQ(of(0).sent, before[0]) << "block: its deadline ends each";
        EXPECT_EQ(of(1).sent, before[1]) << "reject";
        EXPECT_GT(of(2).sent, before[2]) << "drop_oldest goes on";
        send_ticks(to_elsewhere, sent, 100);
        EXPECT_EQ(take_all(elsewhere), numbers(sent, 100));
        sent += 100;
        (void)me.recover();
        EXPECT_EQ(other.receiver<tick>("in").error().code, endpoint_errc::name_taken);
        receiving_.resume();
        std::uint64_t const blocked = of(0).sent;
        eventually([&] { return of(0).sent > blocked; });
    }
    elsewhere.close();
    to_elsewhere.close();
    files_ = files();
    finish();
}

} // namespace
} // namespace partywall::test
