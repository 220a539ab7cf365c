// SPDX-License-Identifier: BSL-1.0
// Who else is on the stage: corpses, those who wait, recoverers that die first; and what the dead had.
#include "stage.hpp"

#include <partywall/os/clock.hpp>
#include <support/counts.hpp>
#include <support/sandbox.hpp>

#include <algorithm>
#include <fstream>
#include <stdexcept>

namespace partywall::test {

char state_of(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string text;
    std::getline(file, text);
    std::size_t const end = text.rfind(") "); // the name before it may hold anything
    return end != std::string::npos && text.size() > end + 2 ? text[end + 2] : '\0';
}

child& stage::corpse(std::string const& role, std::vector<std::string> more) {
    more.insert(more.begin(), root());
    corpses_.push_back(spawn(role, std::move(more)));
    corpse_tickets_.push_back(std::stoull(corpses_.back().receive()));
    return corpses_.back();
}

void stage::kill_corpses() {
    for (child& one : corpses_) {
        one.kill(SIGKILL);
    }
    for (child& one : corpses_) {
        one.wait();
    }
    for (std::uint64_t const ticket : corpse_tickets_) {
        wait_for_proof(*here_->me().core(), ticket);
    }
}

void stage::until_asleep(child const& process) {
    eventually([&] { return state_of(process.pid()) == 'S'; });
}

void stage::expect_soon(child& process, std::vector<std::string> const& answers) {
    std::uint64_t const begun_ns = os::monotonic_ns();
    std::string const answer = process.receive();
    if (std::find(answers.begin(), answers.end(), answer) == answers.end()) {
        violation("who waited said: " + answer);
    }
    expect_quick(begun_ns, "one who waited went on only after more than a second");
}

void stage::expect_quick(std::uint64_t begun_ns, char const* otherwise) {
    if (os::monotonic_ns() - begun_ns >
        static_cast<std::uint64_t>(scaled(1s).count()) * 1'000'000) {
        violation(otherwise);
    }
}

void stage::let_other_sleep(std::uint64_t inbox) {
    there_->say(inbox == 0 ? "wait" : "wait-letter");
    until_asleep(there_->process());
    other_sleeps_ = true;
    sleeps_at_ = inbox;
}

void stage::everybody_reads() {
    here_->drain();
    ask_other("drain");
}

/// Joined before the corpses die, or its joining would recover them.
void stage::prepare_first_recoverer() {
    std::uint64_t const ticket = ledger_->get(noted::victim_ticket);
    corpses_.push_back(spawn(
        "crash_victim", {"recover", root(), "kill", std::to_string(first_recoverer_dies_at_)}));
    corpses_.back().expect("ready");
    first_recoverer_ = std::exchange(corpses_.back(), child());
    corpses_.pop_back();
    first_recoverer_ticket_ = (*ledger_)[noted::victim_ticket].exchange(ticket);
}

void stage::run_first_recoverer() {
    first_recoverer_.send("go");
    try {
        first_recoverer_.expect("done");
        first_recoverer_.kill(SIGKILL);
    } catch (std::runtime_error const&) { // as it is meant to be
    }
    if (first_recoverer_.wait() != killed_by(SIGKILL)) {
        violation("the first recoverer failed");
    }
    tally_.kills += 1;
    corpse_tickets_.push_back(first_recoverer_ticket_);
    dead_.insert(first_recoverer_ticket_);
    keep_log();
    first_recoverer_ = child();
    (*ledger_)[noted::victim_armed] = 0;
    (*ledger_)[noted::victim_done] = 0;
    kill_corpses(); // again, for the proof
}

std::array<footprint, 2> stage::footprints() {
    std::string const there = there_->ask("footprint");
    heard(there);
    return {here_->memory(), footprint::from(there.substr(there.find(' ') + 1))};
}

std::uint64_t stage::work_of(operation const& other) {
    for (std::size_t i = noted::of_victim; i < noted::end_of_victim; ++i) {
        (*ledger_)[i] = 0;
    }
    (*ledger_)[noted::victim_sender] = noted::corpse_sender - 1;
    child newcomer = spawn("crash_victim", {other.name, root(), "count", "0"});
    newcomer.expect("ready");
    newcomer.send("go");
    newcomer.expect("done");
    newcomer.send("leave");
    EXPECT_EQ(newcomer.wait(), exited(0));
    look();
    (void)count(); // what it left that was to be read
    return record_->points;
}

void stage::follow_frees() {
    at_death_ = observer_->owner_words();
    log_.clear();
    later_.clear();
    dead_ = {corpse_tickets_.begin(), corpse_tickets_.end()};
}

/// What the trap has seen of the one who has just died or completed.
void stage::keep_log() {
    if (at_death_) {
        std::uint64_t const points = std::min(record_->points.load(), trap_record::points_max);
        log_.insert(log_.end(), record_->log.begin(),
                    record_->log.begin() + static_cast<std::ptrdiff_t>(points));
    }
}

void stage::look_at_words() {
    if (at_death_) {
        later_.push_back(observer_->owner_words());
    }
}

void stage::check_frees() {
    if (!at_death_) {
        return;
    }
    for (auto const& [place, word] : *at_death_) {
        frees_ += dead_.count(word.ticket());
    }
    look_at_words();
    if (std::string const wrong = not_freed_once(*at_death_, log_, later_, dead_); !wrong.empty()) {
        violation(wrong);
    }
    at_death_.reset();
}

} // namespace partywall::test
