// SPDX-License-Identifier: BSL-1.0
// Endpoints that are killed and started again in the middle of the traffic: all talk again, and
// those who stayed have not missed anything.
#include "puppet.hpp"

#include <support/counts.hpp>
#include <support/sandbox.hpp>
#include <support/watchdog.hpp>

#include <map>
#include <optional>

namespace partywall::test {
namespace {

// Where what is counted.
constexpr std::size_t sent_at = 0;       // + publisher
constexpr std::size_t received_at = 16;  // + 8 * subscriber ...
constexpr std::size_t gaps_at = 17;      //   numbers that were left out, repeated or torn
constexpr std::size_t deaths_at = 18;    //   publishers whose death was reported
constexpr std::size_t last_from_at = 19; //   which life of a publisher the last one came from
constexpr std::size_t per_subscriber = 8;

/// root, topic, publisher's index, its life
PARTYWALL_ROLE(restart_publisher) {
    ledger counts(context.arg(0));
    participant me = joined(context.arg(0), "publisher");
    publisher_options options = gated(64, overflow::block);
    options.block_for = 1h;
    auto pub = me.publisher<tick>(context.arg(1), options).value();
    std::uint64_t const life = context.number(3);
    context.send("ready");
    for (std::uint64_t i = 0;; ++i) {
        PARTYWALL_ROLE_CHECK(pub.send(tick::of(i, life)));
        counts[sent_at + context.number(2)].fetch_add(1);
    }
}

/// root, topic, subscriber's index
PARTYWALL_ROLE(restart_subscriber) {
    ledger counts(context.arg(0));
    participant me = joined(context.arg(0), "subscriber");
    auto sub = me.subscriber<tick>(context.arg(1), lossless()).value();
    std::size_t const base = received_at + per_subscriber * context.number(2);
    bool const saw_nobody = sub.publisher_count() == 0;
    std::map<std::uint64_t, std::uint64_t> next; // by incarnation
    bool first = true;
    context.send("ready");
    for (;;) {
        auto const s = sub.receive(1h);
        if (!s) {
            PARTYWALL_ROLE_CHECK(s.error() == receive_errc::peer_died);
            counts[base + deaths_at - received_at].fetch_add(1);
            continue;
        }
        // Of a publisher that came later everything; of the one that was there, from some number.
        bool const from_the_start = saw_nobody || !first;
        auto const at = next.find(s.publisher());
        std::uint64_t const expected =
            at != next.end() ? at->second : (from_the_start ? 0 : s->number);
        if (s->number != expected || !s->whole() || s.missed() != 0) {
            counts[base + gaps_at - received_at].fetch_add(1);
        }
        first = false;
        next[s.publisher()] = s->number + 1;
        counts[base + last_from_at - received_at].store(s->sender);
        counts[base].fetch_add(1);
    }
}

class traffic {
  public:
    explicit traffic(std::string const& root) : counts(root), root_(root) {}

    void start_publisher() {
        life_ += 1;
        publisher = spawn("restart_publisher", {root_, "t", "0", std::to_string(life_)});
        publisher->expect("ready");
    }
    void start_subscriber(std::size_t i) {
        if (subscribers.size() <= i) {
            subscribers.resize(i + 1);
        }
        subscribers[i] = spawn("restart_subscriber", {root_, "t", std::to_string(i)});
        subscribers[i]->expect("ready");
    }
    static void kill(std::optional<child>& one) {
        one->kill(SIGKILL);
        EXPECT_EQ(one->wait(), killed_by(SIGKILL));
        one.reset();
    }
    std::uint64_t received(std::size_t i) const { return counts.get(received_at + 8 * i); }
    std::uint64_t gaps(std::size_t i) const { return counts.get(gaps_at + 8 * i); }
    std::uint64_t deaths(std::size_t i) const { return counts.get(deaths_at + 8 * i); }

    /// Every subscriber that runs gets `more` messages of the publisher's present life.
    void all_talk(std::uint64_t more) {
        for (std::size_t i = 0; i < subscribers.size(); ++i) {
            if (subscribers[i]) {
                eventually([&] { return counts.get(last_from_at + 8 * i) == life_; });
                std::uint64_t const from = received(i);
                eventually([&] { return received(i) >= from + more; });
            }
        }
    }

    ledger counts;
    std::optional<child> publisher;
    std::vector<std::optional<child>> subscribers;

  private:
    std::string root_;
    std::uint64_t life_ = 0;
};

TEST(Restart, OfAnyoneMidTrafficCostsTheOthersNothing) {
    watchdog::extend(5min);
    scratch_root root;
    traffic t(root.path());
    constexpr std::size_t subscribers = 8;
    std::uint64_t const messages = count(500, 20'000);
    t.start_publisher();
    for (std::size_t i = 0; i < subscribers; ++i) {
        t.start_subscriber(i);
    }
    t.all_talk(messages);
    std::uint64_t publishers_killed = 0;
    for (std::uint64_t round = 0; round < count(3, 30); ++round) {
        std::size_t const victim = (3 * round + 1) % (subscribers - 1); // the last one stays
        traffic::kill(t.subscribers[victim]);
        t.all_talk(messages);
        t.start_subscriber(victim);
        t.all_talk(messages);

        traffic::kill(t.publisher);
        publishers_killed += 1;
        eventually([&] { return t.deaths(subscribers - 1) == publishers_killed; });
        t.start_publisher();
        t.all_talk(messages);

        t.publisher->kill(SIGKILL); // and at once, before anybody has proof
        t.start_publisher();
        publishers_killed += 1;
        t.all_talk(messages);
    }
    for (std::size_t i = 0; i < subscribers; ++i) {
        EXPECT_EQ(t.gaps(i), 0u) << "subscriber " << i;
    }
    EXPECT_EQ(t.deaths(subscribers - 1), publishers_killed) << "each reported once";

    traffic::kill(t.publisher);
    for (auto& subscriber : t.subscribers) {
        traffic::kill(subscriber); // the last of them too
    }
    t.start_subscriber(0);
    t.start_publisher();
    t.all_talk(messages);
    EXPECT_EQ(t.gaps(0), 0u);
    traffic::kill(t.subscribers[0]);
    traffic::kill(t.publisher);
    participant me = joined(root.path());
    eventually([&] {
        (void)me.recover();
        return topic_files(root).empty() && me.snapshot().participants.size() == 1 &&
               me.snapshot().entries.empty();
    });
}

} // namespace
} // namespace partywall::test
