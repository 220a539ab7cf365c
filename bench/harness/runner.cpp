// SPDX-License-Identifier: BSL-1.0
#include "runner.hpp"

#include <partywall/os/clock.hpp>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <poll.h>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

namespace partywall::bench {
namespace {

[[noreturn]] void fail(char const* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

/// The processes of one measurement. Whoever is left when this ends is killed.
class troupe {
  public:
    troupe(std::string const& program, session& s, int descriptor) : session_(s) {
        for (std::uint32_t role = 0; role < s.roles; ++role) {
            start(program, descriptor, role);
        }
    }
    ~troupe() {
        for (member const& m : members_) {
            if (m.pid > 0) {
                ::kill(m.pid, SIGKILL);
                ::waitpid(m.pid, nullptr, 0);
                ::close(m.pidfd);
            }
        }
    }
    troupe(troupe const&) = delete;
    troupe& operator=(troupe const&) = delete;

    /// Returns what went wrong; empty if nothing did.
    std::string wait(std::uint64_t deadline_ns) {
        std::string error;
        while (std::any_of(members_.begin(), members_.end(),
                           [](member const& m) { return m.pid > 0; })) {
            std::uint64_t const now = os::monotonic_ns();
            if (now >= deadline_ns) {
                late_ = error.empty();
                return late_ ? "it did not end in time" : error;
            }
            if (!await_one(static_cast<int>((deadline_ns - now) / 1'000'000 + 1))) {
                continue;
            }
            for (std::size_t i = 0; i < members_.size(); ++i) {
                if (!failed(i)) {
                    continue;
                }
                if (error.empty()) {
                    auto const told = session_.results[i].error.view();
                    error = told.empty() ? "a process of it died" : std::string(told);
                }
                session_.failed.store(1);
                // The others may spin on messages that never come.
                deadline_ns = std::min(deadline_ns, os::monotonic_ns() + 500'000'000U);
            }
        }
        return error;
    }
    bool late() const noexcept { return late_; }

  private:
    struct member {
        pid_t pid;
        int pidfd;
    };

    void start(std::string const& program, int descriptor, std::uint32_t role) {
        std::string const role_text = std::to_string(role);
        std::string const session_text = std::to_string(descriptor);
        pid_t const parent = ::getpid();
        pid_t const pid = ::fork();
        if (pid < 0) {
            fail("fork");
        }
        if (pid == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL); // it may spin: it must not outlive us
            if (::getppid() == parent) {
                ::execl(program.c_str(), program.c_str(), "--role", role_text.c_str(), "--session",
                        session_text.c_str(), static_cast<char*>(nullptr));
            }
            ::_exit(127);
        }
        int const pidfd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
        if (pidfd < 0) {
            fail("pidfd_open");
        }
        members_.push_back({pid, pidfd});
    }
    bool await_one(int timeout_ms) {
        std::vector<pollfd> fds;
        for (member const& m : members_) {
            if (m.pid > 0) {
                fds.push_back({m.pidfd, POLLIN, 0});
            }
        }
        return ::poll(fds.data(), fds.size(), timeout_ms) > 0;
    }
    /// Whether this one has ended just now, and not well.
    bool failed(std::size_t i) {
        member& m = members_[i];
        int status = 0;
        if (m.pid <= 0 || ::waitpid(m.pid, &status, WNOHANG) != m.pid) {
            return false;
        }
        ::close(m.pidfd);
        m.pid = 0;
        return status != 0;
    }

    session& session_;
    std::vector<member> members_;
    bool late_ = false;
};

bool counts_cpu_of_all(job const& j) noexcept { return is_round_trip(j.figure); }
/// Roles whose records are the figure.
bool is_found_by(job const& j, std::uint32_t role) noexcept {
    switch (j.figure) {
    case figure::one_way:
    case figure::wake_up:
    case figure::throughput:
    case figure::throughput_batch: return role == 1;
    case figure::fan_out: return role >= 1;
    case figure::fan_in: return role == j.writers;
    default: return role == 0;
    }
}

void evaluate(session const& s, double ns_per_tick, measurement& m) {
    job const& j = s.what;
    double cpu = 0;
    double cpu_messages = 0;
    for (std::uint32_t role = 0; role < s.roles; ++role) {
        role_result const& r = s.results[role];
        m.lost += r.lost;
        m.wrong += r.wrong;
        m.overloaded = m.overloaded || r.overloaded != 0;
        if (counts_cpu_of_all(j) || is_rate(j.figure) || is_found_by(j, role)) {
            cpu += static_cast<double>(r.cpu_ns);
        }
        if (!is_found_by(j, role)) {
            continue;
        }
        cpu_messages += static_cast<double>(r.cpu_messages);
        m.ticks.add(r.ticks);
        m.ns_per_record_tick = ns_per_tick / static_cast<double>(r.per_record);
        if (is_rate(j.figure) && r.rate_ticks != 0) {
            double const rate = static_cast<double>(r.messages) * 1e9 /
                                (static_cast<double>(r.rate_ticks) * ns_per_tick);
            m.per_second = std::min(m.per_second.value_or(rate), rate); // the slowest reader's
        }
        if (r.idle_ns != 0 && j.figure == figure::wake_up) {
            m.cpu_idle_percent =
                100.0 * static_cast<double>(r.idle_cpu_ns) / static_cast<double>(r.idle_ns);
        }
    }
    if (m.ticks.count() == 0) {
        m.error = "nothing was measured: too slow for the time it had";
        m.too_slow = true;
        return;
    }
    auto const ns = [&](double fraction) {
        return static_cast<double>(m.ticks.percentile(fraction)) * m.ns_per_record_tick;
    };
    m.p50 = ns(0.5);
    m.p90 = ns(0.9);
    m.p99 = ns(0.99);
    m.p999 = ns(0.999);
    m.max = static_cast<double>(m.ticks.max()) * m.ns_per_record_tick;
    m.mean = m.ticks.mean() * m.ns_per_record_tick;
    // Of round trips and publications, one after the other is all there is.
    if (!m.per_second && (is_round_trip(j.figure) || j.figure == figure::publish_cost ||
                          is_breaker_figure(j.figure))) {
        m.per_second = 1e9 / *m.mean;
    }
    if (cpu_messages > 0) {
        m.cpu_per_message = cpu / cpu_messages;
    }
}

double cost_of(stop_watch watch, double ns_per_tick) {
    constexpr int looks = 100'000;
    std::uint64_t const from = watch.now();
    for (int i = 1; i < looks; ++i) {
        static_cast<void>(watch.now());
    }
    return static_cast<double>(watch.now() - from) * ns_per_tick / looks;
}

} // namespace

std::uint32_t roles_of(job const& what) noexcept {
    switch (what.figure) {
    case figure::publish_cost: return what.readers == 0 ? 1 : 2;
    case figure::fan_out: return 1 + what.readers;
    case figure::fan_in: return what.writers + 1;
    case figure::breaker_admit:
    case figure::breaker_reject: return 1;
    default: return 2;
    }
}

runner::runner(std::string program, std::vector<int> cpus, std::string scratch_root)
    : program_(std::move(program)), cpus_(std::move(cpus)), scratch_root_(std::move(scratch_root)),
      counter_(counters_agree()), watch_(counter_), ns_per_tick_(nanoseconds_per_tick(watch_)),
      placement_(placement_of(cpus_.at(0), cpus_.at(1))),
      probe_(watch_, ns_per_tick_, cpus_.at(0), cpus_.at(1)) {}

runner::~runner() = default;

double runner::clock_cost() const { return cost_of(watch_, ns_per_tick_); }
double runner::monotonic_cost() const { return cost_of(stop_watch(false), 1); }

bool runner::oversubscribes(job const& what) const noexcept {
    bool const spin = what.wait == wait::spin || what.wait == wait::spin_then_park;
    std::uint32_t const awake = what.figure == figure::publish_cost ? 1 : roles_of(what);
    auto distinct = cpus_;
    std::sort(distinct.begin(), distinct.end());
    distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
    return spin && awake > distinct.size();
}

std::string runner::fresh_scratch() {
    std::string const path = scratch_root_ + "/" + std::to_string(runs_++);
    if (::mkdir(path.c_str(), 0700) != 0) {
        fail(path.c_str());
    }
    return path;
}

measurement runner::once(subject const& who, std::string_view variant, job const& what) {
    measurement m;
    shared_session s;
    std::string const scratch = fresh_scratch();
    s->what = what;
    s->subject = who.name;
    s->variant = variant;
    s->scratch = scratch;
    s->roles = roles_of(what);
    s->oversubscribed = oversubscribes(what) ? 1 : 0;
    s->counter = counter_ ? 1 : 0;
    s->ns_per_tick = ns_per_tick_;
    for (std::size_t i = 0; i < roles_max; ++i) {
        s->cpus[i] = cpus_[i % cpus_.size()];
    }
    if (s->roles > roles_max) {
        throw std::runtime_error("too many processes");
    }
    {
        troupe all(program_, *s, s.descriptor());
        m.error = all.wait(os::monotonic_ns() + what.duration_ns * 25 + 20'000'000'000U);
        m.too_slow = all.late();
    }
    std::error_code ignored;
    std::filesystem::remove_all(scratch, ignored);
    if (m.error.empty()) {
        evaluate(*s, ns_per_tick_, m);
    }
    return m;
}

measurement runner::measure(subject const& who, std::string_view variant, job const& what) {
    constexpr int attempts = 4;
    measurement m;
    for (int i = 0; i < attempts; ++i) {
        // The probe after one measurement is the one before the next.
        double const before = last_probe_ != 0 ? last_probe_ : probe_.measure();
        m = once(who, variant, what);
        last_probe_ = probe_.measure();
        m.probe = (before + last_probe_) / 2;
        m.unsettled = !same_line(before, last_probe_);
        if (!m.unsettled || !m.error.empty() || m.wrong != 0) {
            break;
        }
        repeated_ += 1;
    }
    return m;
}

int play_role(int session_descriptor, std::uint32_t role) {
    shared_session s(session_descriptor);
    try {
        subject const* const who = find_subject(s->subject.view());
        if (who == nullptr || role >= s->roles) {
            throw std::runtime_error("no such role");
        }
        who->play(*s, role);
        return 0;
    } catch (std::exception const& e) {
        s->results[role].error = e.what();
        s->failed.store(1);
        return 1;
    }
}

} // namespace partywall::bench
