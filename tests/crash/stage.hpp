// SPDX-License-Identifier: BSL-1.0
// Where an operation is tried: a domain, two survivors (one here, one in a process of its own), and
// one victim after the other.
#pragma once

#include "census.hpp"
#include "freed.hpp"
#include "operation.hpp"
#include "tally.hpp"

#include <array>
#include <chrono>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace partywall::test {

class stage {
  public:
    explicit stage(operation const& what);
    ~stage();

    /// Runs the operation in a new victim that does `action` at point `at`; then everything that
    /// has to hold is checked. False when the victim completed without reaching the point.
    bool round(trap_action action, std::uint64_t at);
    /// The victim is killed while it sleeps.
    void round_asleep();
    /// The victim is stopped while it sleeps, and goes on when others have.
    void round_stopped_asleep();
    /// The victim runs `steps` instructions and is killed. False when it had completed.
    bool round_stepped(std::uint64_t steps);
    /// The victim is killed that long after it began, untrapped.
    void round_timed(std::chrono::microseconds life);
    /// At least; the survivors go on checking meanwhile.
    void stay_stopped_for(std::chrono::milliseconds time) { stopped_for_ = time; }

    tally const& figures() const { return tally_; }
    std::string const& moment() const { return moment_; }
    trap_record const& record() const { return *record_; }
    /// Instructions of the last stepped round that completed.
    std::uint64_t instructions() const { return instructions_; }

    /// The survivors' memory, between two rounds.
    std::array<footprint, 2> footprints();
    /// Stores and system calls of a newcomer who does another operation, between two rounds.
    std::uint64_t work_of(operation const& other);

    // For operations: their prepare, before, when_asleep and after.

    world const& where() const { return what_.where; }
    survivor& here() { return *here_; }
    peer& there() { return *there_; }
    std::string const& root() const { return root_->path(); }
    /// Receiving, from the topic or its inbox. What it has to say is heard before the check.
    void let_other_sleep(std::uint64_t inbox = 0);
    void everybody_reads();
    /// Starts a process that runs `role` in this domain, with the root and `more`, to be killed.
    /// Kept until the round ends.
    child& corpse(std::string const& role, std::vector<std::string> more = {});
    void note(std::size_t word, std::uint64_t value) { (*ledger_)[word] = value; }
    std::uint64_t noted_at(std::size_t word) const { return ledger_->get(word); }
    child& last_corpse() { return corpses_.back(); }
    static void until_asleep(child const& process);
    /// It says one of these, within a second.
    void expect_soon(child& process, std::vector<std::string> const& answers);
    /// Kills all of them, and waits until that is proven.
    void kill_corpses();
    /// From now on it is kept account of what the corpses had.
    void follow_frees();
    /// Slots of corpses that were followed.
    std::uint64_t frees() const { return frees_; }
    /// Another one that recovers before the victim does, and dies at point `at`.
    void first_recoverer_dies_at(std::uint64_t at) { first_recoverer_dies_at_ = at; }
    void prepare_first_recoverer();
    void run_first_recoverer();
    /// What the other survivor is told; complaints are counted.
    void ask_other(std::string const& command) { heard(there_->ask(command)); }

  private:
    void open();
    void close();
    void begin_round(std::string const& action, std::uint64_t at);
    bool wait_for_end();
    void wait_for_stop();
    bool is_over() const;
    void while_asleep(std::function<void()> const& act);
    static void follow(pid_t pid);
    bool step_to_end(std::uint64_t steps);
    void finish_round(bool completed);
    void frozen();
    void wake_other();
    void expect_quick(std::uint64_t begun_ns, char const* otherwise);
    void check(bool patient);
    void check_alone(bool patient);
    void settle();
    void look();
    census count_slots();
    census count();
    std::map<std::uint64_t, std::string> names() const;
    void heard(std::string const& answer);
    void violation(std::string const& what);
    void keep_log();
    void look_at_words();
    void check_frees();

    operation const& what_;
    std::optional<scratch_root> root_;
    trap_record* record_ = nullptr;
    std::optional<ledger> ledger_;
    std::optional<survivor> here_;
    std::optional<survivor> second_; ///< where nobody was there: both are here
    std::optional<peer> there_;
    std::optional<observer> observer_;
    std::optional<census> slots_; ///< when nobody has died
    std::optional<census> baseline_;
    std::map<std::string, owner> words_;
    std::optional<child> victim_;
    std::vector<child> corpses_;
    std::vector<std::uint64_t> corpse_tickets_;
    std::uint64_t first_recoverer_dies_at_ = 0;
    std::uint64_t first_recoverer_ticket_ = 0;
    child first_recoverer_;
    std::optional<owners_by_place> at_death_;
    std::vector<trap_point> log_;
    std::vector<owners_by_place> later_; ///< what became of these words, after the log
    std::set<std::uint64_t> dead_;
    std::uint64_t frees_ = 0;
    bool other_sleeps_ = false;
    std::uint64_t sleeps_at_ = 0;
    bool guest_ = false;
    std::chrono::milliseconds stopped_for_{0};
    std::uint64_t rounds_ = 0;
    std::uint64_t checks_ = 0;
    std::uint64_t instructions_ = 0;
    std::string moment_; ///< for violations: where the victim died
    tally tally_;
};

/// R, S, T, Z ...; 0 if there is no such process.
char state_of(pid_t pid);
/// How many messages a survivor sends in a check.
std::uint64_t messages_per_check();

} // namespace partywall::test
