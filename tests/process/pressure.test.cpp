// SPDX-License-Identifier: BSL-1.0
// Eight readers, of which one stands still; and a participant that the kernel kills because it has
// taken all the memory that it may have.
#include "puppet.hpp"

#include <calls/support.hpp>
#include <partywall/os/process.hpp>
#include <support/counts.hpp>
#include <support/watchdog.hpp>

#include <filesystem>
#include <fstream>
#include <optional>
#include <sys/mman.h>

namespace partywall::test {
namespace {

using clock = std::chrono::steady_clock;

constexpr std::uint64_t fast_ones = 7; ///< and one more at a time
constexpr std::uint64_t depth = 256;
constexpr std::uint64_t last_one = 1; ///< the sender's number in the last message

/// Words of the ledger.
constexpr std::size_t taken(std::uint64_t reader) { return 8 * reader; }
constexpr std::size_t missed(std::uint64_t reader) { return 8 * reader + 1; }
constexpr std::size_t first(std::uint64_t reader) { return 8 * reader + 2; } ///< for it to take

/// Takes what comes until the last one, and keeps account.
template <class Reader>
void takes_all(role_context& context, Reader& from) {
    ledger const all(context.arg(0));
    std::uint64_t const me = context.number(1);
    context.send("ready");
    for (bool last = false; !last;) {
        auto const s = from.receive(1h);
        PARTYWALL_ROLE_CHECK(s && s->whole());
        all[missed(me)].fetch_add(s.missed());
        // Exactly as many are absent as it says.
        PARTYWALL_ROLE_CHECK(s->number == all[first(me)] + all[taken(me)] + all[missed(me)]);
        all[taken(me)].fetch_add(1);
        last = s->sender == last_one;
    }
    context.expect("leave");
}

/// root, number, style: one of the readers.
PARTYWALL_ROLE(one_of_eight) {
    participant me = joined(context.arg(0), "reader");
    if (context.arg(2) == "topic") {
        auto sub = me.subscriber<tick>("t", lossy()).value();
        takes_all(context, sub);
    } else {
        auto in = me.receiver<tick>("in/" + context.arg(1), lanes_of(depth)).value();
        takes_all(context, in);
    }
    return 0;
}

/// Sends the same to all of them, as fast as those who run can take it.
class OneOfEight : public testing::TestWithParam<char const*> {
  protected:
    OneOfEight() {
        watchdog::extend(20min);
        if (topic()) {
            pub_.emplace(me_.publisher<tick>("t", dropping(depth)).value());
        }
        while (all_.size() < fast_ones) {
            one_more();
        }
    }

    bool topic() const { return GetParam() == std::string("topic"); }
    void one_more() {
        std::uint64_t const number = born_++;
        counts_[first(number)] = sent_;
        all_.push_back(spawn("one_of_eight", {root_.path(), std::to_string(number), GetParam()}));
        all_.back().expect("ready");
        if (topic()) {
            eventually([&] { return pub_->subscriber_count() == all_.size(); });
            return;
        }
        std::string const name = "in/" + std::to_string(number);
        out_.push_back(me_.sender<tick>(name, sending(overflow::drop_oldest)).value());
        EXPECT_TRUE(out_.back().wait_for_receiver(1h));
    }
    void one_less() {
        all_.back().kill();
        EXPECT_EQ(all_.back().wait(), killed_by(SIGKILL));
        all_.pop_back();
        if (!topic()) {
            out_.pop_back();
        }
    }
    /// Of the messages that there were for it.
    std::uint64_t seen(std::uint64_t reader) const {
        return counts_.get(first(reader)) + counts_.get(taken(reader)) +
               counts_.get(missed(reader));
    }
    /// So many messages, never further ahead of the fast ones than half a ring; nor of `also`.
    void send(std::uint64_t count, std::uint64_t also = 0, std::uint64_t sender = 0) {
        for (std::uint64_t i = 0; i < count; ++i) {
            for (std::uint64_t r = 0; r <= fast_ones; ++r) {
                while (sent_ - seen(r < fast_ones ? r : also) >= depth / 2) {
                    std::this_thread::yield();
                }
            }
            tick const one = tick::of(sent_, sender);
            if (topic()) {
                ASSERT_TRUE(pub_->send(one));
            }
            for (auto& out : out_) {
                ASSERT_TRUE(out.send(one));
            }
            sent_ += 1;
        }
    }
    /// Messages in a second, for so long.
    double rate(std::chrono::milliseconds time) {
        auto const begun = clock::now();
        std::uint64_t const before = sent_;
        do {
            send(64);
        } while (clock::now() - begun < time && !HasFailure());
        std::chrono::duration<double> const took = clock::now() - begun;
        return static_cast<double>(sent_ - before) / took.count();
    }

    scratch_root root_;
    ledger counts_{root_.path()};
    participant me_ = joined(root_.path());
    std::optional<publisher<tick>> pub_;
    std::vector<sender<tick>> out_;
    std::vector<child> all_;
    std::uint64_t born_ = 0;
    std::uint64_t sent_ = 0;
};

TEST_P(OneOfEight, StandsStillAndCostsTheOthersNothingAndLearnsWhatItMissed) {
    double with = 0;
    double without = 0;
    std::uint64_t gaps = 0;
    std::uint64_t const rounds = count(3, 12);
    auto const time = std::chrono::milliseconds(count(100, 5'000));
    for (std::uint64_t i = 0; i < rounds && !HasFailure(); ++i) {
        without += rate(time);
        std::uint64_t const eighth = born_;
        one_more();
        send(depth, eighth); // it has taken part before it is stopped
        all_.back().stop();
        std::uint64_t const before = seen(eighth);
        with += rate(time);
        send(4 * depth);
        EXPECT_EQ(seen(eighth), before) << "it is stopped";
        all_.back().resume();
        send(1); // this one it takes, after it has counted what it missed
        eventually([&] { return seen(eighth) == sent_; });
        std::uint64_t const gap = counts_.get(missed(eighth));
        EXPECT_GE(gap, 2 * depth);
        gaps += gap;
        one_less();
    }
    send(1, 0, last_one);
    for (std::uint64_t i = 0; i < fast_ones; ++i) {
        all_[i].send("leave");
        EXPECT_EQ(all_[i].wait(), exited(0));
        EXPECT_EQ(counts_.get(taken(i)), sent_) << "one that ran";
        EXPECT_EQ(counts_.get(missed(i)), 0u) << "one that ran";
    }
    std::printf("%s: %.0f messages a second to seven, %.0f while an eighth stands still: %.0f %%; "
                "they missed none, it %llu\n",
                GetParam(), without / static_cast<double>(rounds),
                with / static_cast<double>(rounds), 100 * with / without,
                static_cast<unsigned long long>(gaps));
    EXPECT_GT(with, without / 3) << "so much the machine does not change meanwhile";
}

INSTANTIATE_TEST_SUITE_P(Of, OneOfEight, testing::Values("topic", "inboxes"),
                         [](auto const& one) { return std::string(one.param); });

/// A memory cgroup of version 1 or 2, for one process.
class small_memory {
  public:
    explicit small_memory(pid_t pid, std::uint64_t bytes) {
        namespace fs = std::filesystem;
        for (std::string const parent : {"/sys/fs/cgroup/memory", "/sys/fs/cgroup"}) {
            bool const first = parent.ends_with("/memory");
            std::string const limit = first ? "/memory.limit_in_bytes" : "/memory.max";
            path_ = parent + "/partywall-test-" + std::to_string(pid);
            std::error_code failed;
            if (fs::create_directory(path_, failed) && write(path_ + limit, bytes) &&
                write(path_ + "/cgroup.procs", static_cast<std::uint64_t>(pid))) {
                return;
            }
            fs::remove(path_, failed);
        }
        path_.clear();
    }
    ~small_memory() {
        if (!path_.empty()) {
            // The kernel forgets the dead process when it likes.
            eventually([&] { return ::rmdir(path_.c_str()) == 0; });
        }
    }
    small_memory(small_memory const&) = delete;
    small_memory& operator=(small_memory const&) = delete;
    bool there() const { return !path_.empty(); }

  private:
    static bool write(std::string const& file, std::uint64_t value) {
        std::ofstream to(file);
        to << value << std::endl;
        return static_cast<bool>(to);
    }
    std::string path_;
};

/// root: serves, subscribes and receives; a call makes it take memory until it may not.
PARTYWALL_ROLE(takes_memory_when_called) {
    participant me = joined(context.arg(0), "hungry");
    auto sub = me.subscriber<tick>("t", lossless()).value();
    auto in = me.receiver<tick>("in").value();
    auto s = me.server<ask, told>(
                   "s",
                   [](ask const& a) {
                       constexpr std::size_t bytes = 1 << 20;
                       for (bool taken = a.number != 0; taken;) {
                           void* const more =
                               ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
                           taken = more != MAP_FAILED;
                       }
                       return told::of(a.number);
                   },
                   serving())
                 .value();
    context.send("serves");
    (void)s.run();
    return 0;
}

TEST(KilledForItsMemory, IsAsDeadAsAnybodyWhoIsKilled) {
    watchdog::extend(5min);
    constexpr std::uint64_t more = 64 << 20;
    for (std::uint64_t i = count(2, 50); i != 0; --i) {
        scratch_root root;
        participant me = joined(root.path());
        auto pub = me.publisher<tick>("t", gated(4, overflow::block)).value();
        auto calls = me.client<ask, told>("s", calling()).value();
        child hungry = spawn("takes_memory_when_called", {root.path()});
        hungry.expect("serves");
        small_memory const limit(hungry.pid(), os::resident_bytes(hungry.pid()) + more);
        if (!limit.there()) {
            GTEST_SKIP() << "no right to make a memory cgroup";
        }
        auto out = me.sender<tick>("in").value();
        ASSERT_TRUE(calls.wait_for_server(1h));
        ASSERT_TRUE(calls.call(ask::of(0)));
        send_ticks(pub, 0, 4); // full: the next one needs room
        ASSERT_TRUE(out.wait_for_receiver(1h));
        ASSERT_TRUE(out.send(tick::of(0)));
        auto const reply = calls.call(ask::of(1));
        ASSERT_FALSE(reply);
        EXPECT_EQ(reply.error().reason, call_errc::peer_died);
        EXPECT_EQ(reply.error().executed, executed::maybe);
        EXPECT_EQ(hungry.wait(), killed_by(SIGKILL));
        EXPECT_TRUE(pub.send(tick::of(4), 1h)) << "nobody holds it up any more";
        eventually([&] { return out.send(tick::of(1), 0ns).error() == send_errc::peer_died; });
        calls.close();
        out.close();
        (void)me.recover();
        EXPECT_EQ(me.snapshot().participants.size(), 1u);
        EXPECT_EQ(me.snapshot().entries.size(), 1u);
        EXPECT_EQ(root.leftovers().size(), 5u) << "the directory, the registry, a life, a topic";
    }
}

} // namespace
} // namespace partywall::test
