// SPDX-License-Identifier: BSL-1.0
// What a survey costs, for any number of respondents: asking while they are attached and do not look;
// a whole round, when one other process answers for all of them; and, in one process, what the surveyor
// takes for each answer that is there.
//
// The respondents of a round share a process and its thread: so the figure is what the surveyor waits
// for, and grows with what they do one after the other. A process for each would need as many
// processors; with fewer it would measure the scheduler.
#include "../support/domain.hpp"
#include "../support/instructions.hpp"
#include "../two_processes.hpp"

#include <partywall/os/clock.hpp>
#include <partywall/partywall.hpp>

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

namespace partywall::bench {

struct survey_words { // messages have names that compilers agree on
    std::uint64_t words[8];
};

namespace {

using namespace std::chrono_literals;
using surveyor_type = surveyor<survey_words, survey_words>;
using respondent_type = respondent<survey_words, survey_words>;

/// So many respondents of one name in this process.
std::vector<respondent_type> respondents_of(participant const& me, std::int64_t count) {
    std::vector<respondent_type> all;
    for (std::int64_t i = 0; i < count; ++i) {
        all.push_back(
            me.respondent<survey_words, survey_words>("s", [](survey_words const& question) {
                  return question;
              }).value());
    }
    return all;
}

/// The process with the respondents; killed at the end. It looks at them in turn, or at none.
class other_process {
  public:
    other_process(std::string const& root, std::int64_t count, bool answers) {
        int ready[2];
        if (::pipe(ready) != 0) {
            give_up("pipe");
        }
        std::vector<int> const cpus = processors_;
        pid_t const parent = ::getpid();
        pin(cpus.back()); // the child is born there: nobody waits for a processor on which we spin
        child_ = ::fork();
        if (child_ < 0) {
            give_up("fork");
        }
        if (child_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (::getppid() == parent) {
                run(root, count, answers, ready[1]);
            }
            std::_Exit(1);
        }
        pin(cpus.front());
        char byte = 0;
        ::close(ready[1]);
        if (::read(ready[0], &byte, 1) != 1) {
            give_up("the other process failed");
        }
        ::close(ready[0]);
    }
    ~other_process() {
        ::kill(child_, SIGKILL);
        ::waitpid(child_, nullptr, 0);
    }
    other_process(other_process const&) = delete;
    other_process& operator=(other_process const&) = delete;

  private:
    [[noreturn]] static void run(std::string const& root, std::int64_t count, bool answers,
                                 int ready) {
        join_options options;
        options.root = root;
        participant const me = join("respondents", options).value();
        std::vector<respondent_type> all = respondents_of(me, count);
        (void)!::write(ready, "", 1);
        for (;;) {
            if (!answers) {
                ::pause();
            }
            for (respondent_type& one : all) {
                one.poll();
            }
        }
    }

    // Before anybody is pinned.
    static inline std::vector<int> const processors_ = processors();
    pid_t child_ = -1;
};

surveyor_type surveyor_of(participant const& me) {
    surveyor_options how;
    how.respondents_max = 32;
    how.waiting = waiting::spin;
    return me.surveyor<survey_words, survey_words>("s", how).value();
}

/// Asking, and letting go of the survey. Must not grow with the respondents.
void ask(benchmark::State& state) {
    domain where;
    surveyor_type from = surveyor_of(where.me());
    other_process const others(where.root(), state.range(0), false);
    from.wait_for_respondents(static_cast<std::uint32_t>(state.range(0)), 20s).value();
    survey_words const question{{1, 2, 3, 4, 5, 6, 7, 8}};
    for (instruction_count counted(state); auto _ : state) {
        benchmark::DoNotOptimize(from.ask(question));
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(ask)->ArgName("respondents")->Arg(1)->Arg(2)->Arg(8)->Arg(32);

/// From asking until the last answer was read.
void round(benchmark::State& state) {
    domain where;
    surveyor_type from = surveyor_of(where.me());
    other_process const others(where.root(), state.range(0), true);
    auto const count = static_cast<std::uint32_t>(state.range(0));
    from.wait_for_respondents(count, 20s).value();
    survey_words const question{{1, 2, 3, 4, 5, 6, 7, 8}};
    for (auto _ : state) {
        auto asked = from.ask(question, {.deadline = 20s}).value();
        std::uint32_t answers = 0;
        for (auto const& answer : asked) {
            answers += answer->words[7] == question.words[7] ? 1 : 0;
        }
        if (answers != count) {
            state.SkipWithError("not all have answered");
            return;
        }
    }
    state.SetItemsProcessed(state.iterations() * count); // answers
}
BENCHMARK(round)->ArgName("respondents")->Arg(1)->Arg(2)->Arg(8)->Arg(32)->UseRealTime();

/// What the surveyor takes for answers that are there, with everything in the cache: all of them, and
/// the table at the end.
void collect(benchmark::State& state) {
    domain where;
    surveyor_type from = surveyor_of(where.me());
    std::vector<respondent_type> all = respondents_of(where.me(), state.range(0));
    auto const count = static_cast<std::uint32_t>(state.range(0));
    survey_words const question{{1, 2, 3, 4, 5, 6, 7, 8}};
    for (auto _ : state) {
        auto asked = from.ask(question, {.deadline = 20s}).value();
        for (respondent_type& one : all) {
            one.poll();
        }
        std::uint64_t const start = os::monotonic_ns();
        while (auto const* const answer = asked.next()) {
            benchmark::DoNotOptimize((*answer)->words[7]);
        }
        bool const whole = asked.result().answered == count;
        state.SetIterationTime(static_cast<double>(os::monotonic_ns() - start) * 1e-9);
        if (!whole) {
            state.SkipWithError("not all have answered");
            return;
        }
    }
    state.SetItemsProcessed(state.iterations() * count); // answers
}
BENCHMARK(collect)->ArgName("respondents")->Arg(1)->Arg(2)->Arg(8)->Arg(32)->UseManualTime();

} // namespace
} // namespace partywall::bench

BENCHMARK_MAIN();
