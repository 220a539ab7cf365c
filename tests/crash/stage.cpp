// SPDX-License-Identifier: BSL-1.0
#include "stage.hpp"

#include <partywall/os/clock.hpp>
#include <support/counts.hpp>
#include <support/sandbox.hpp>

#include <algorithm>

namespace partywall::test {
std::uint64_t messages_per_check() { return count(50, 1000); }

stage::stage(operation const& what) : what_(what) {
    moment_ = "before anything happened";
    open();
    check(false);
    look();
    (void)count(); // what is allocated once is there afterwards
    baseline_.emplace(count());
    slots_.emplace(count_slots());
    if (what_.where.nobody) {
        close();
    }
}

stage::~stage() {
    try {
        if (there_) {
            there_->leave();
        }
    } catch (std::exception const& gone) {
        ADD_FAILURE() << gone.what();
    }
}

/// A new domain, with survivors where there are any.
void stage::open() {
    root_.emplace();
    record_ = &open_trap_record(root());
    ledger_.emplace(root());
    if (!what_.where.nobody) {
        here_.emplace(root(), 1, what_.where);
        observer_.emplace(here_->me());
        there_.emplace(root(), 2, what_.where);
    }
}
void stage::close() {
    observer_.reset();
    here_.reset();
    second_.reset();
    ledger_.reset();
    root_.reset();
}

void stage::violation(std::string const& what) {
    tally_.violations += 1;
    ADD_FAILURE() << what_.name << ", " << moment_ << ": " << what;
}

void stage::heard(std::string const& answer) {
    if (!answer.starts_with("ok")) {
        violation(answer);
    }
}

void stage::begin_round(std::string const& action, std::uint64_t at) {
    if (what_.where.nobody) {
        open();
    }
    rounds_ += 1;
    tally_.rounds += 1;
    moment_ = action + " at point " + std::to_string(at);
    for (std::size_t i = noted::of_victim; i < noted::end_of_victim; ++i) {
        (*ledger_)[i] = 0;
    }
    (*ledger_)[noted::victim_sender] = 100 + rounds_;
    if (here_) {
        words_ = observer_->owner_words();
    }
    if (what_.prepare != nullptr) {
        what_.prepare(*this);
    }
    victim_.emplace(spawn("crash_victim", {what_.name, root(), action, std::to_string(at)}));
    victim_->expect("ready");
    if (action == "step") {
        follow(victim_->pid());
    }
    if (what_.before != nullptr) {
        what_.before(*this);
    }
    victim_->send("go");
}

bool stage::is_over() const {
    char const state = state_of(victim_->pid());
    return state == 'Z' || state == '\0' || state == 'T' || ledger_->get(noted::victim_done) != 0;
}

/// Once the victim sleeps within its operation; not if it comes to its end without. A process that
/// only looks at its words before it sleeps is shown as asleep too: hence two looks.
void stage::while_asleep(std::function<void()> const& act) {
    std::uint64_t since_ns = 0;
    eventually([&] {
        std::uint64_t const now = os::monotonic_ns();
        bool const asleep =
            ledger_->get(noted::victim_armed) != 0 && state_of(victim_->pid()) == 'S';
        since_ns = !asleep ? 0 : since_ns == 0 ? now : since_ns;
        return (asleep && now - since_ns > 1'000'000) || is_over();
    });
    if (since_ns != 0 && ledger_->get(noted::victim_done) == 0) {
        if (guest_) {
            here_->read_guest(); // it holds the victim back like the others
        }
        act();
    }
}

/// True if the victim has completed.
bool stage::wait_for_end() {
    try {
        victim_->expect("done");
        return true;
    } catch (std::runtime_error const& gone) {
        if (exit_status const status = victim_->wait(); status != killed_by(SIGKILL)) {
            violation(gone.what());
        }
        tally_.kills += 1;
        return false;
    }
}

bool stage::round(trap_action action, std::uint64_t at) {
    begin_round(action == trap_action::kill   ? "kill"
                : action == trap_action::stop ? "stop"
                                              : "count",
                at);
    auto const help = [&] {
        if (what_.when_asleep != nullptr) {
            while_asleep([&] { what_.when_asleep(*this); });
        }
    };
    help();
    if (action == trap_action::stop) {
        eventually([&] { return is_over(); });
        if (state_of(victim_->pid()) == 'T') {
            moment_ += " (" + in_words(record_->at(record_->points)) + ")";
            at_death_.reset(); // from here on it is not trapped
            frozen();
            victim_->resume();
            help();
        }
    }
    bool const completed = wait_for_end();
    if (action != trap_action::stop) {
        moment_ += " (" + in_words(record_->at(record_->points)) + ")";
    }
    bool const reached = !completed || (action == trap_action::stop && at <= record_->points);
    if (action == trap_action::count || !reached) {
        tally_.stores = record_->stores;
        tally_.system_calls = record_->system_calls();
    }
    finish_round(completed);
    return reached;
}

void stage::round_asleep() {
    begin_round("count", 0);
    while_asleep([&] { victim_->kill(SIGKILL); });
    moment_ = "killed asleep";
    finish_round(wait_for_end());
}

void stage::round_stopped_asleep() {
    begin_round("count", 0);
    bool stopped = false;
    while_asleep([&] {
        victim_->stop();
        stopped = true;
    });
    if (stopped) {
        moment_ = "stopped asleep";
        at_death_.reset();
        frozen();
        victim_->resume();
        while_asleep([&] { what_.when_asleep(*this); });
    }
    finish_round(wait_for_end());
}

/// The victim is stopped inside its operation.
void stage::frozen() {
    tally_.freezes += 1;
    wake_other();
    auto const until = std::chrono::steady_clock::now() + stopped_for_;
    do {
        check(true);
    } while (std::chrono::steady_clock::now() < until);
    std::uint64_t const ticket = ledger_->get(noted::victim_ticket);
    if (!here_) {
        return;
    }
    // Who has left in good order gives its lock back last: then it is no participant any more.
    auto const members = here_->me().snapshot().participants;
    bool const member = std::any_of(members.begin(), members.end(),
                                    [&](auto const& one) { return one.ticket == ticket; });
    if (member && here_->me().core()->proven_dead(ticket)) {
        violation("a stopped participant was declared dead");
    }
    if (auto const report = here_->me().recover(); !what_.corpses && !report.nothing()) {
        violation("something of a stopped participant was recovered");
    }
    if (second_) {
        observer_.reset();
        here_.reset();
        second_.reset();
    } else if (what_.where.lossless()) {
        here_->open_guest(); // gets the slots that the victim has just left, if it has
        guest_ = true;
    }
}

/// The other survivor sleeps until the victim sends or dies; if it is stopped, until we send.
void stage::wake_other() {
    if (!other_sleeps_) {
        return;
    }
    other_sleeps_ = false;
    if (victim_ && state_of(victim_->pid()) == 'T') {
        sleeps_at_ == 0 ? here_->send(1) : here_->post_to(sleeps_at_, 1);
    }
    std::uint64_t const begun_ns = os::monotonic_ns();
    heard(there_->hear());
    expect_quick(begun_ns, "a sleeping receiver was not woken for a second");
}

void stage::finish_round(bool completed) {
    wake_other();
    if (completed) {
        victim_->send("leave");
        if (exit_status const status = victim_->wait(); status != exited(0)) {
            violation("the victim completed and then did not leave in good order");
        }
    }
    victim_.reset();
    keep_log();
    if (what_.after != nullptr) {
        what_.after(*this);
    }
    corpses_.clear();
    corpse_tickets_.clear();
    if (guest_) {
        guest_ = false;
        here_->fill();
        ask_other("drain");
        here_->close_guest();
    }
    check(false);
    settle();
    if (what_.where.nobody) {
        close();
    }
}

void stage::check(bool patient) {
    tally_.checks += 1;
    checks_ += 1;
    if (what_.where.nobody) {
        check_alone(patient);
        return;
    }
    there_->say("check " + std::to_string(checks_) + " " + std::to_string(messages_per_check()) +
                " 1 " + (patient ? "1" : "0"));
    here_->begin(checks_, messages_per_check(), {2}, patient);
    while (here_->step()) {
    }
    heard(there_->hear());
    if (std::string const complaints = here_->take_complaints(); !complaints.empty()) {
        violation(complaints);
    }
}

/// Both survivors come only now.
void stage::check_alone(bool patient) {
    if (!here_) {
        std::uint64_t const begun_ns = os::monotonic_ns();
        for (std::uint64_t id = 1; id < noted::senders_max; ++id) {
            (*ledger_)[noted::sent(id)] = 0;
            (*ledger_)[noted::done(id)] = 0;
            for (std::uint64_t inbox = 0; inbox < inboxes_max; ++inbox) {
                (*ledger_)[noted::posted(id, inbox)] = 0;
            }
        }
        here_.emplace(root(), 1, what_.where);
        second_.emplace(root(), 2, what_.where);
        observer_.emplace(here_->me());
        expect_quick(begun_ns, "the next ones took more than a second to join");
    }
    here_->begin(checks_, messages_per_check(), {2}, patient);
    second_->begin(checks_, messages_per_check(), {1}, patient);
    for (bool one = true, other = true; one || other;) {
        one = one && here_->step();
        other = other && second_->step();
    }
    for (auto* const each : {&here_, &second_}) {
        if (std::string const complaints = (*each)->take_complaints(); !complaints.empty()) {
            violation(complaints);
        }
    }
}

/// One recovery, and then there is what the living have.
void stage::settle() {
    std::uint64_t const ticket = ledger_->get(noted::victim_ticket);
    if (ticket != 0) {
        wait_for_proof(*here_->me().core(), ticket);
    }
    // By a survivor, or by somebody who joins; what survivors still have to take of a dead
    // publisher goes when they have taken it.
    bool const by_joining = rounds_ % 2 == 0 && !here_->has_had_extra();
    if (by_joining) {
        look_at_words(); // what survivors have freed by now may be the passer-by's slot
        (void)joined(root(), "passer-by");
    } else if (!here_->me().recover().complete) {
        violation("the recovery was not complete");
    }
    look();
    here_->expect_no_victim();
    if (second_) {
        second_->expect_no_victim();
    } else {
        ask_other("alone");
    }
    if (census const now = count_slots(); !(now == *slots_)) {
        violation(std::string("after one recovery, by ") +
                  (by_joining ? "joining\n" : "a survivor\n") + census::difference(*slots_, now));
    }
    if (census const now = count(); !(now == *baseline_)) {
        violation("in the end\n" + census::difference(*baseline_, now));
    }
    if (!here_->me().recover().nothing()) {
        violation("another recovery found more");
    }
    check_frees();
    if (std::string const back = went_back(words_, observer_->owner_words()); !back.empty()) {
        violation(back);
    }
}

void stage::look() {
    here_->look();
    if (second_) {
        second_->look();
    } else {
        ask_other("look");
    }
}

std::map<std::uint64_t, std::string> stage::names() const {
    return {{here_->ticket(), "survivor 1"},
            {second_ ? second_->ticket() : there_->ticket(), "survivor 2"}};
}

census stage::count_slots() { return census(*root_, *observer_, names()); }

census stage::count() {
    std::string const mine = here_->settle();
    std::string const others = second_ ? second_->settle() : there_->ask("settle");
    if (!second_) {
        heard(others);
    }
    census now = count_slots();
    now.add("descriptors and mappings of survivor 1: " + mine);
    now.add("descriptors and mappings of survivor 2: " + others);
    return now;
}

} // namespace partywall::test
