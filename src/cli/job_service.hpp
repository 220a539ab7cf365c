// SPDX-License-Identifier: BSL-1.0
// What `serve` and `respond` have in common: a command for every request, as many at a time as there
// may be, and an end in good order.
#pragma once

#include "command.hpp"
#include "job.hpp"
#include "signals.hpp"
#include "stream_options.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <poll.h>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace partywall::cli {

inline constexpr std::uint64_t message_bytes_default = 64 * 1024;
inline constexpr std::chrono::seconds job_drain_default{5};

struct job_options : stream_options {
    std::string command; ///< its first word
    job_rules rules;
    std::uint64_t concurrency = 1;
    std::optional<std::chrono::nanoseconds> drain;
};

/// COMMAND and what belongs to it: --block, --concurrency, --count, --drain, and `--<reply>-max`.
/// `request`, `reply`: what they are called here.
void add_job_options(CLI::App& app, job_options& options, std::string const& request,
                     std::string const& reply);
/// The command's words, which follow "--" and are nobody's but its own; fails if it cannot be
/// executed, so that who mistypes hears it now, and not from the first caller.
void take_command(job_options& options, CLI::App const& app);

/// Takes requests while commands may be started, and leaves the others where they are until their
/// deadlines. `Answering` is a server or a respondent.
template <class Answering>
class job_service {
  public:
    /// `itself`: what is said to end when commands are killed at the end.
    job_service(job_options const& options, std::string_view itself)
        : options_(options), itself_(itself) {}

    /// What `Answering` is to be made with. Refers to this.
    auto handler() {
        return [this](std::span<std::byte const> request, deferred<bytes> answer, call_context&) {
            taken_ += 1;
            jobs_.push_back(std::make_unique<job>(options_.rules, request, std::move(answer)));
        };
    }

    /// Until a signal, or until enough was answered. Returns the exit code.
    int run(Answering answering) {
        answering_ = &answering;
        auto const fd = answering.fd();
        if (!fd) {
            fail(exit_failed, "cannot wait for requests to '{}': {}", options_.topic,
                 fd.error().message);
        }
        fd_ = *fd;
        while (stop_signal() == 0 && (wanted() != 0 || !jobs_.empty())) {
            turn(clock::time_point::max());
        }
        bool const whole = drain();
        check_stopped();
        return whole ? exit_ok : exit_failed;
    }

  private:
    using clock = std::chrono::steady_clock;

    /// How many commands may be started now.
    std::size_t wanted() const noexcept {
        auto const counted = options_.count == 0 ? std::numeric_limits<std::uint64_t>::max()
                                                 : options_.count - taken_;
        return static_cast<std::size_t>(std::min(counted, options_.concurrency));
    }
    std::size_t room() const noexcept {
        return draining_ ? std::numeric_limits<std::size_t>::max() // to be refused
                         : std::min(wanted(),
                                    static_cast<std::size_t>(options_.concurrency) - jobs_.size());
    }

    /// Waits until something happens, and deals with it.
    void turn(clock::time_point until) {
        waited_for_.clear();
        if (room() != 0) {
            waited_for_.push_back({fd_, POLLIN, 0});
        }
        for (auto const& one : jobs_) {
            one->add_to(waited_for_);
            until = std::min(until, one->due());
        }
        if (::poll(waited_for_.data(), waited_for_.size(), milliseconds_to(until)) < 0 &&
            errno != EINTR) {
            fail(exit_failed, "cannot wait: {}", std::strerror(errno));
        }
        if (stop_signal() != 0 && !draining_) {
            return; // takes nothing more
        }
        for (auto const& one : jobs_) {
            one->step();
        }
        std::erase_if(jobs_, [](auto const& one) { return one->over(); });
        if (std::size_t const most = room(); most != 0) {
            answering_->poll(most);
        }
    }

    static int milliseconds_to(clock::time_point when) noexcept {
        if (when == clock::time_point::max()) {
            return -1;
        }
        auto const left = std::chrono::ceil<std::chrono::milliseconds>(when - clock::now());
        return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, INT_MAX));
    }

    /// Takes nothing new, and lets commands that run come to their end. False: not all of them did.
    bool drain() {
        draining_ = true;
        (void)answering_->drain(); // what cannot be said will be seen: nothing is taken
        auto const until = clock::now() + options_.drain.value_or(job_drain_default);
        while (!jobs_.empty() && clock::now() < until) {
            turn(until);
        }
        bool const whole = jobs_.empty();
        for (auto const& one : jobs_) {
            one->kill(job_too_late, fmt::format("killed: the {} ends", itself_));
        }
        jobs_.clear();
        (void)answering_->shutdown(std::chrono::nanoseconds(0)); // nothing is owed
        return whole;
    }

    job_options const& options_;
    std::string itself_;
    std::vector<std::unique_ptr<job>> jobs_;
    Answering* answering_ = nullptr;
    int fd_ = -1;
    std::vector<pollfd> waited_for_;
    std::uint64_t taken_ = 0;
    bool draining_ = false;
};

} // namespace partywall::cli
