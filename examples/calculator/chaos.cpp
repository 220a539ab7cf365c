// SPDX-License-Identifier: BSL-1.0
// Kills, stops and slows the calculator's services while a client computes, and says each second
// what the caller saw:
//
//     partywall-calculator-chaos [SECONDS]
//
// Whatever happens, a caller gets the right number or an error; there are no wrong answers.
#include "arguments.hpp"
#include "expression.hpp"
#include "remote.hpp"

#include <array>
#include <csignal>
#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace calculator {
namespace {

using namespace std::chrono_literals;
constexpr std::uint64_t ms = 1'000'000;
std::uint64_t now_ns() { return partywall::monotonic_clock{}.now_ns(); }

/// A service in a process of its own, beside this program's file.
class process {
  public:
    explicit process(std::string const& name) : name_(name) { start(); }
    ~process() { end(SIGTERM); }
    process(process const&) = delete;
    process& operator=(process const&) = delete;

    void start() {
        std::string file(4096, '\0');
        ssize_t const length = ::readlink("/proc/self/exe", file.data(), file.size());
        file.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
        file = file.substr(0, file.rfind('/') + 1) + "partywall-calculator-service";
        pid_ = ::fork();
        if (pid_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            (void)std::freopen("/dev/null", "w", stdout);
            ::execl(file.c_str(), file.c_str(), name_.c_str(), nullptr);
            ::_exit(127);
        }
    }
    void signal(int number) const { ::kill(pid_, number); }
    void end(int number) {
        if (pid_ > 0) {
            signal(SIGCONT);
            signal(number);
            ::waitpid(pid_, nullptr, 0);
            pid_ = -1;
        }
    }

  private:
    std::string name_;
    pid_t pid_ = -1;
};

/// What is done to a service, and how it is undone.
struct trouble {
    char const* what;
    void (*begin)(process&);
    void (*mend)(process&);
    std::uint64_t lasts_ms;
};
constexpr std::array troubles = {
    trouble{"killed", [](process& p) { p.end(SIGKILL); }, [](process& p) { p.start(); }, 300},
    trouble{"stopped", [](process& p) { p.signal(SIGSTOP); }, [](process& p) { p.signal(SIGCONT); },
            500},
    trouble{"slow", [](process& p) { p.signal(SIGUSR1); }, [](process& p) { p.signal(SIGUSR1); },
            500},
};

struct second {
    std::array<std::uint64_t, 16> by_error{}; ///< [0]: answers
    std::uint64_t retries = 0;
    std::uint64_t longest_ns = 0;
    std::string events;
};

std::string random_expression(std::mt19937_64& random, int depth) {
    if (depth == 0 || random() % 5 == 0) {
        return std::to_string(random() % 1000) + "." + std::to_string(random() % 100);
    }
    constexpr std::array signs = {'+', '-', '*', '/'};
    return "(" + random_expression(random, depth - 1) + signs[random() % 4] +
           random_expression(random, depth - 1) + ")";
}

class stage {
  public:
    stage() : me_(partywall::join("calculator chaos").value()), by_(me_, 300ms) {
        for (operation const o : all_operations) {
            services_.push_back(std::make_unique<process>(std::string(name_of(o))));
        }
    }

    int run(std::uint64_t seconds) {
        while (!by_.ready()) {
            partywall::monotonic_clock{}.sleep_until(now_ns() + ms);
        }
        std::puts("second  answers  circuit open  deadline  died  no service  retries  longest ms");
        std::uint64_t const begun = now_ns();
        for (std::uint64_t n = 1; n <= seconds; ++n) {
            // Nothing is done to anybody in the last one.
            second const s = one_second(begun + n * 1000 * ms, n < seconds ? n : 0);
            tell(n, s);
        }
        bool const well = wrong_ == 0 && mended_ns_ == 0 && troubles_ != 0;
        std::printf("wrong answers: %llu; troubles: %llu, recovered from: %llu\n",
                    static_cast<unsigned long long>(wrong_),
                    static_cast<unsigned long long>(troubles_),
                    static_cast<unsigned long long>(recoveries_));
        for (operation const o : all_operations) {
            call_counts const& c = by_.counts(o);
            std::printf("service=%-8s calls=%llu answers=%llu retries=%llu refused=%llu "
                        "timeouts=%llu deaths=%llu opened=%llu\n",
                        std::string(name_of(o)).c_str(), static_cast<unsigned long long>(c.calls),
                        static_cast<unsigned long long>(c.answers),
                        static_cast<unsigned long long>(c.retries),
                        static_cast<unsigned long long>(c.refused),
                        static_cast<unsigned long long>(c.timeouts),
                        static_cast<unsigned long long>(c.deaths),
                        static_cast<unsigned long long>(by_.circuit(o).opened_total));
        }
        return well ? 0 : 1;
    }

  private:
    second one_second(std::uint64_t end_ns, std::uint64_t number) {
        second s;
        std::uint64_t const retries = all_retries();
        trouble const& t = troubles[number % troubles.size()];
        process& victim = *services_[number % services_.size()];
        operation const o = all_operations[number % all_operations.size()];
        std::uint64_t mend_at = 0;
        if (number != 0) {
            troubles_ += 1;
            s.events = std::string(name_of(o)) + " " + t.what;
            t.begin(victim);
            mend_at = now_ns() + t.lasts_ms * ms;
        }
        while (now_ns() < end_ns || mend_at != 0) {
            if (mend_at != 0 && now_ns() >= mend_at) {
                t.mend(victim);
                mend_at = 0;
                mended_ns_ = now_ns();
                mended_ = o;
            }
            compute_one(s);
            if (mended_ns_ != 0 && by_.counts(mended_).answers > answers_when_mended()) {
                s.events +=
                    ", recovered after " + std::to_string((now_ns() - mended_ns_) / ms) + " ms";
                recoveries_ += 1;
                mended_ns_ = 0;
                answers_then_ = ~std::uint64_t{0};
            }
        }
        s.retries = all_retries() - retries;
        return s;
    }

    /// Answers of the service that was in trouble, when it was mended.
    std::uint64_t answers_when_mended() {
        if (answers_then_ == ~std::uint64_t{0}) {
            answers_then_ = by_.counts(mended_).answers;
        }
        return answers_then_;
    }

    void compute_one(second& s) {
        auto const parsed = expression::parse(random_expression(random_, 3)).value();
        std::uint64_t const begun = now_ns();
        answer const got = evaluate(parsed, by_, {begun + 300 * ms});
        s.longest_ns = std::max(s.longest_ns, now_ns() - begun);
        answer const right = evaluate(parsed, here_, {});
        bool const of_arithmetic = !got && (got.error().what == error::overflow ||
                                            got.error().what == error::division_by_zero);
        if (got || of_arithmetic) {
            bool const same =
                got ? right && *right == *got : !right && right.error().what == got.error().what;
            wrong_ += same ? 0 : 1;
            s.by_error[0] += 1;
        } else {
            s.by_error[static_cast<std::size_t>(got.error().what)] += 1;
        }
    }

    std::uint64_t all_retries() const {
        std::uint64_t all = 0;
        for (operation const o : all_operations) {
            all += by_.counts(o).retries;
        }
        return all;
    }

    static void tell(std::uint64_t n, second const& s) {
        auto const of = [&s](error e) {
            return static_cast<unsigned long long>(s.by_error[static_cast<std::size_t>(e)]);
        };
        std::printf("%6llu  %7llu  %12llu  %8llu  %4llu  %10llu  %7llu  %10.1f  %s\n",
                    static_cast<unsigned long long>(n),
                    static_cast<unsigned long long>(s.by_error[0]), of(error::circuit_open),
                    of(error::deadline), of(error::service_died), of(error::no_service),
                    static_cast<unsigned long long>(s.retries),
                    static_cast<double>(s.longest_ns) / 1e6, s.events.c_str());
        std::fflush(stdout);
    }

    partywall::participant me_;
    remote_operations by_;
    local_operations here_;
    std::vector<std::unique_ptr<process>> services_;
    std::mt19937_64 random_{7};
    std::uint64_t wrong_ = 0;
    std::uint64_t troubles_ = 0;
    std::uint64_t recoveries_ = 0;
    std::uint64_t mended_ns_ = 0; ///< 0: everybody is well
    operation mended_ = operation::sum;
    std::uint64_t answers_then_ = ~std::uint64_t{0};
};

} // namespace
} // namespace calculator

int main(int argc, char** argv) {
    if (argc > 2) {
        return calculator::usage("too many arguments", "partywall-calculator-chaos [SECONDS]");
    }
    auto const seconds = calculator::number_of("SECONDS", argc == 2 ? argv[1] : "12", 1, 86'400);
    if (!seconds) {
        return 2;
    }
    calculator::stage stage;
    return stage.run(static_cast<std::uint64_t>(*seconds));
}
