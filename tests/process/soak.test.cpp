// SPDX-License-Identifier: BSL-1.0
// A long day: publishers and subscribers of all kinds that are killed every 200 ms and stopped at random,
// and next to them processes whose accounts stay exact. What those have at the end they had at the beginning.
// PARTYWALL_TEST_SOAK_S says how many seconds it takes.
#include "puppet.hpp"

#include <calls/support.hpp>
#include <support/counts.hpp>
#include <support/watchdog.hpp>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

namespace partywall::test {
namespace {

using clock = std::chrono::steady_clock;

std::chrono::seconds soak_time() {
    char const* const asked = std::getenv("PARTYWALL_TEST_SOAK_S");
    return std::chrono::seconds(asked != nullptr ? std::stoull(asked) : count(8, 600));
}

/// What a process has that lives through it all.
struct belongings {
    std::size_t files;
    std::size_t descriptors;
    std::uint64_t pages; ///< of its own, in memory
};

belongings what_we_have(scratch_root const& root) {
    std::ifstream memory("/proc/self/statm");
    std::uint64_t size = 0;
    std::uint64_t resident = 0;
    std::uint64_t shared = 0;
    memory >> size >> resident >> shared;
    auto const open = std::filesystem::directory_iterator("/proc/self/fd");
    return {root.leftovers().size(),
            static_cast<std::size_t>(std::distance(begin(open), end(open))), resident - shared};
}

class day {
  public:
    day() {
        honest_.expect("serves");
        EXPECT_TRUE(good_.wait_for_server(1h));
        entries_ = me_.snapshot().entries.size();
        for (std::size_t i = 0; i < 4; ++i) {
            victims_.push_back(born());
        }
    }

    /// One message there and back, one call, and what came on the topic of the others.
    void talk(bool last = false) {
        ASSERT_TRUE(out_.send(tick::of(next_, last ? 1 : 0)));
        auto const s = back_.receive(1h);
        ASSERT_TRUE(s) << to_string(s.error());
        ASSERT_TRUE(s->whole());
        ASSERT_EQ(s->number, next_);
        if (!last) {
            auto const reply = good_.call(ask::of(next_));
            ASSERT_TRUE(reply) << to_string(reply.error().reason);
            ASSERT_TRUE((**reply).answers(next_));
        }
        next_ += 1;
        (void)pub_.send(tick::of(next_, 999)); // a stopped subscriber may hold it up: no wait
        for (int takes = 0; takes < 64; ++takes) {
            auto const t = sub_.try_receive();
            if (!t) {
                ASSERT_TRUE(t.error() == receive_errc::empty ||
                            t.error() == receive_errc::peer_died)
                    << to_string(t.error()) << ": " << sub_.refusal();
                break;
            }
            ASSERT_TRUE(t->whole());
            taken_ += 1;
        }
    }

    /// Kills one and starts another; stops one, and lets the one go on that stood still.
    void strike() {
        std::size_t const one = random_() % victims_.size();
        if (stopped_ < victims_.size()) {
            victims_[stopped_].resume();
        }
        victims_[one].kill(SIGKILL);
        ASSERT_EQ(victims_[one].wait(), killed_by(SIGKILL)) << "it ended before it was killed";
        victims_[one] = born();
        stopped_ = random_() % (2 * victims_.size()); // half of the time nobody
        if (stopped_ < victims_.size()) {
            victims_[stopped_].stop();
        }
        kills_ += 1;
    }

    /// Everybody else is dead for this moment.
    belongings census() {
        for (child& one : victims_) {
            one.kill(SIGKILL);
            EXPECT_EQ(one.wait(), killed_by(SIGKILL));
        }
        victims_.clear();
        eventually([&] {
            (void)sub_.receive(1ms);
            (void)me_.recover();
            return me_.snapshot().participants.size() == 2 &&
                   me_.snapshot().entries.size() == entries_ && sub_.publisher_count() == 1;
        });
        belongings const now = what_we_have(root_);
        for (std::size_t i = 0; i < 4; ++i) {
            victims_.push_back(born());
        }
        stopped_ = victims_.size();
        return now;
    }

    void end() {
        ASSERT_NO_FATAL_FAILURE(talk(true));
        honest_.expect(std::to_string(next_ - 1));
        honest_.send("leave");
        EXPECT_EQ(honest_.wait(), exited(0));
        std::printf("%llu kills; %llu messages there and back, %llu of those who were killed\n",
                    static_cast<unsigned long long>(kills_), static_cast<unsigned long long>(next_),
                    static_cast<unsigned long long>(taken_));
        EXPECT_GT(taken_, 0u);
    }

  private:
    child born() {
        static constexpr char const* roles[] = {"publisher", "lossless", "lossy", "latest"};
        child one = spawn("storm_member", {root_.path(), roles[random_() % 4], "400"});
        one.expect("runs");
        return one;
    }
    static publisher_options without_waiting() {
        publisher_options options = gated(16, overflow::block);
        options.block_for = 0ms;
        return options;
    }

    scratch_root root_;
    ledger counts_{root_.path()};
    participant me_ = joined(root_.path());
    publisher<tick> out_ = me_.publisher<tick>("there", gated(8, overflow::block)).value();
    subscriber<tick> back_ = me_.subscriber<tick>("back", lossless()).value();
    publisher<tick> pub_ = me_.publisher<tick>("t", without_waiting()).value();
    subscriber<tick> sub_ = me_.subscriber<tick>("t", lossless()).value();
    child honest_ = spawn("honest_neighbour", {root_.path()});
    client<ask, told> good_ = me_.client<ask, told>("good", calling()).value();
    std::mt19937_64 random_{run_seed()};
    std::vector<child> victims_;
    std::size_t stopped_ = 4;
    std::size_t entries_ = 0; ///< of those who are never killed
    std::uint64_t next_ = 0;
    std::uint64_t taken_ = 0;
    std::uint64_t kills_ = 0;
};

TEST(Soak, OfKillsAndStopsLeavesAccountsExactAndBelongingsAsTheyWere) {
    watchdog::extend(soak_time() + 5min);
    day d;
    auto const until = clock::now() + soak_time();
    auto const warm = clock::now() + soak_time() / 4; // what is allocated once is there by then
    belongings at_first{};
    for (auto next = clock::now(); clock::now() < until && !testing::Test::HasFailure();) {
        ASSERT_NO_FATAL_FAILURE(d.talk());
        if (at_first.files == 0 && clock::now() > warm) {
            at_first = d.census();
        }
        if (clock::now() > next) {
            ASSERT_NO_FATAL_FAILURE(d.strike());
            next += 200ms;
        }
    }
    belongings const at_last = d.census();
    EXPECT_EQ(at_last.files, at_first.files);
    EXPECT_EQ(at_last.descriptors, at_first.descriptors);
    constexpr std::uint64_t slack_pages = 256; // of an allocator, whose pages come and go
    EXPECT_TRUE(sanitized() || at_last.pages <= at_first.pages + slack_pages)
        << at_last.pages << " pages, and " << at_first.pages << " at first";
    d.end();
}

} // namespace
} // namespace partywall::test
