// SPDX-License-Identifier: BSL-1.0
#include "puppet.hpp"

#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>

namespace partywall::test {
namespace {

/// What the role "topic_puppet" has, and how it answers.
class strings {
  public:
    strings(role_context& context, participant me) : context_(context), me_(std::move(me)) {}

    /// False when it is to leave.
    bool pull(std::string const& line) {
        std::istringstream words(line);
        std::string verb;
        int id = 0;
        words >> verb;
        if (verb == "leave") {
            return false;
        }
        words >> id;
        if (verb == "publish") {
            publish(id, words);
        } else if (verb == "subscribe") {
            subscribe(id, words);
        } else if (verb == "send") {
            send(publishers_.at(id), words);
        } else if (verb == "receive") {
            std::uint64_t timeout_ms = 0;
            words >> timeout_ms;
            context_.send(
                in_words(subscribers_.at(id).receive(std::chrono::milliseconds(timeout_ms))));
        } else if (verb == "hold") {
            held_.push_back(subscribers_.at(id).receive(1h));
            context_.send(in_words(held_.back()));
        } else if (verb == "memory") {
            context_.send(hold_memory(static_cast<std::size_t>(id) << 20) ? "ok" : "none");
        } else if (verb == "close") {
            publishers_.erase(id);
            subscribers_.erase(id);
            context_.send("ok");
        } else {
            throw std::invalid_argument(line);
        }
        return true;
    }

  private:
    /// Pages of the kernel's: an allocator may keep what it is given back, a sanitizer's does.
    struct unmap {
        std::size_t bytes;
        void operator()(void* memory) const { ::munmap(memory, bytes); }
    };
    bool hold_memory(std::size_t bytes) {
        memory_.reset();
        if (bytes == 0) {
            return true;
        }
        void* const memory =
            ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) {
            return false;
        }
        std::memset(memory, 1, bytes);
        memory_ = {memory, unmap{bytes}};
        return true;
    }
    void publish(int id, std::istringstream& words) {
        std::string topic;
        std::string policy;
        std::uint64_t depth = 0;
        std::uint64_t block_ms = 0;
        int wakes = 0;
        words >> topic >> policy >> depth >> block_ms >> wakes;
        publisher_options options = gated(depth, policy == "drop"     ? overflow::drop_oldest
                                                 : policy == "reject" ? overflow::reject
                                                                      : overflow::block);
        options.block_for = std::chrono::milliseconds(block_ms);
        options.wake = wakes != 0 ? wake::sleepers : wake::never;
        auto made = me_.publisher<tick>(topic, options);
        context_.send(made ? "ok" : made.error().message);
        if (made) {
            publishers_.emplace(id, std::move(*made));
        }
    }

    void subscribe(int id, std::istringstream& words) {
        std::string topic;
        std::string kind;
        subscriber_options options;
        words >> topic >> kind >> options.history;
        options.delivery = kind == "lossless" ? delivery::lossless
                           : kind == "lossy"  ? delivery::lossy
                                              : delivery::looking;
        options.report_close = true;
        auto made = me_.subscriber<tick>(topic, options);
        context_.send(made ? "ok" : made.error().message);
        if (made) {
            subscribers_.emplace(id, std::move(*made));
        }
    }

    void send(publisher<tick>& to, std::istringstream& words) {
        std::uint64_t first = 0;
        std::uint64_t count = 0;
        std::uint64_t sender = 0;
        words >> first >> count >> sender;
        std::string why;
        std::uint64_t sent = 0;
        for (; sent < count; ++sent) {
            if (auto const r = to.send(tick::of(first + sent, sender)); !r) {
                why = " " + std::string(to_string(r.error()));
                break;
            }
        }
        context_.send(std::to_string(sent) + why);
    }

    role_context& context_;
    participant me_;
    std::map<int, publisher<tick>> publishers_;
    std::map<int, subscriber<tick>> subscribers_;
    std::vector<sample<tick>> held_;
    std::unique_ptr<void, unmap> memory_{nullptr, unmap{0}};
};

} // namespace

PARTYWALL_ROLE(topic_puppet) {
    std::optional<participant> me;
    if (context.arg(1) == "thread") {
        std::thread([&] { me.emplace(joined(context.arg(0), "puppet")); }).join();
    } else {
        me.emplace(joined(context.arg(0), "puppet"));
    }
    context.send(std::to_string(me->ticket()));
    strings all(context, *std::move(me));
    me.reset();
    while (all.pull(context.receive())) {
    }
    return 0;
}

puppet::puppet(std::string const& root, std::string const& joined_by)
    : process(spawn("topic_puppet", {root, joined_by})), ticket_(std::stoull(process.receive())) {}

ledger::ledger(std::string const& root) {
    std::string const path = root + "/ledger";
    int const file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    constexpr std::size_t bytes = size * sizeof(std::atomic<std::uint64_t>);
    void* const memory = file >= 0 && ::ftruncate(file, bytes) == 0
                             ? ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)
                             : MAP_FAILED;
    ::close(file);
    if (memory == MAP_FAILED) {
        throw std::runtime_error("no ledger: " + path);
    }
    words_ = static_cast<std::atomic<std::uint64_t>*>(memory);
}

ledger::~ledger() { ::munmap(static_cast<void*>(words_), size * sizeof *words_); }

void times::report(std::string const& what) {
    if (ns_.empty()) {
        return;
    }
    std::sort(ns_.begin(), ns_.end());
    auto const us = [&](std::size_t i) { return static_cast<double>(ns_[i]) / 1000; };
    std::size_t const p50 = ns_.size() / 2;
    std::size_t const p99 = ns_.size() * 99 / 100;
    std::size_t const p90 = ns_.size() * 9 / 10;
    std::printf("%s: %zu times, p50 %.0f us, p90 %.0f us, p99 %.0f us, most %.0f us\n   ",
                what.c_str(), ns_.size(), us(p50), us(p90), us(p99), us(ns_.size() - 1));
    for (std::uint64_t from_us = 0, to_us = 128; from_us * 1000 <= ns_.back(); to_us *= 2) {
        auto const within = std::count_if(ns_.begin(), ns_.end(), [&](std::uint64_t ns) {
            return ns >= from_us * 1000 && ns < to_us * 1000;
        });
        if (within != 0) {
            std::printf(" %td below %llu us,", within, static_cast<unsigned long long>(to_us));
        }
        from_us = to_us;
    }
    std::printf("\n");
    testing::Test::RecordProperty(what + " p50 us", std::to_string(us(p50)));
    testing::Test::RecordProperty(what + " p99 us", std::to_string(us(p99)));
}

} // namespace partywall::test
