// SPDX-License-Identifier: BSL-1.0
// A participant in a process of its own that does what the test says, line by line; and counters
// that survive whoever is killed.
#pragma once

#include <support/role.hpp>
#include <support/sandbox.hpp>
#include <topic/support.hpp>

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

namespace partywall::test {

/// Counters in a file that several processes map. What a process has counted it has done, even
/// if it is killed in the next instruction.
class ledger {
  public:
    static constexpr std::size_t size = 512;
    /// Opens `<root>/ledger`; creates it if it is not there.
    explicit ledger(std::string const& root);
    ~ledger();
    ledger(ledger const&) = delete;
    ledger& operator=(ledger const&) = delete;

    std::atomic<std::uint64_t>& operator[](std::size_t i) const { return words_[i]; }
    std::uint64_t get(std::size_t i) const { return words_[i].load(); }

  private:
    std::atomic<std::uint64_t>* words_;
};

/// What a receive returned, in words: "sender:number", or what to_string() says of the error.
template <class Sample>
std::string in_words(Sample const& s) {
    if (!s) {
        return std::string(to_string(s.error()));
    }
    return s->whole() ? std::to_string(s->sender) + ":" + std::to_string(s->number) : "torn";
}

/// The process. Endpoints have numbers; policies are "drop", "reject", "block", deliveries
/// "lossy", "lossless", "looking".
class puppet {
  public:
    /// `joined_by`: "thread" if the thread that joins is to end at once.
    explicit puppet(std::string const& root, std::string const& joined_by = "main");

    std::uint64_t ticket() const { return ticket_; }
    pid_t pid() const { return process.pid(); }

    /// Sends a command and returns the answer.
    std::string ask(std::string const& command) {
        process.send(command);
        return process.receive();
    }
    /// "ok", or the error's message.
    std::string publish(int id, std::string const& topic, std::string const& policy,
                        std::uint64_t depth, std::uint64_t block_ms = 3'600'000,
                        bool wakes = true) {
        return ask("publish " + std::to_string(id) + " " + topic + " " + policy + " " +
                   std::to_string(depth) + " " + std::to_string(block_ms) + " " +
                   (wakes ? "1" : "0"));
    }
    std::string subscribe(int id, std::string const& topic, std::string const& kind,
                          std::uint64_t history = 0) {
        return ask("subscribe " + std::to_string(id) + " " + topic + " " + kind + " " +
                   std::to_string(history));
    }
    /// How many were sent, and why no more: "5", "3 full".
    std::string send(int id, std::uint64_t first, std::uint64_t count, std::uint64_t sender = 0) {
        return ask("send " + std::to_string(id) + " " + std::to_string(first) + " " +
                   std::to_string(count) + " " + std::to_string(sender));
    }
    /// in_words() of receive(timeout).
    std::string receive(int id, std::uint64_t timeout_ms) {
        return ask("receive " + std::to_string(id) + " " + std::to_string(timeout_ms));
    }
    /// Has so much memory, and has written to all of it. What must be torn down delays the proof.
    std::string hold_memory(std::uint64_t mib) { return ask("memory " + std::to_string(mib)); }
    std::string close(int id) { return ask("close " + std::to_string(id)); }

    void kill() {
        process.kill(SIGKILL);
        EXPECT_EQ(process.wait(), killed_by(SIGKILL));
    }
    /// Everything is closed and left in good order.
    void leave() {
        process.send("leave");
        EXPECT_EQ(process.wait(), exited(0));
    }

    child process;

  private:
    std::uint64_t ticket_;
};

/// Sorted times, in microseconds, for the record: nothing is asserted about them.
class times {
  public:
    void add(std::uint64_t ns) { ns_.push_back(ns); }
    /// Prints a histogram, p50, p90, p99 and the largest; records p50 and p99.
    void report(std::string const& what);

  private:
    std::vector<std::uint64_t> ns_;
};

} // namespace partywall::test
