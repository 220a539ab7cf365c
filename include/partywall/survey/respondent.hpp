// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <partywall/calls/handler.hpp>
#include <partywall/endpoint/wait_errc.hpp>
#include <partywall/endpoint/writing_end.hpp>
#include <partywall/os/clock.hpp>
#include <partywall/registry/wait_descriptor.hpp>
#include <partywall/survey/respondent_core.hpp>
#include <partywall/survey/survey_options.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace partywall::inline v0 {

/// Answers the questions of any number of surveyors.
///
/// Use when   one of many that may know something: those who ask want all answers, or the first.
/// Handler    as server's: what it can be called with says how it answers; Req const& is a std::span
///            of elements for variable length:
///              Res  f(Req const&[, call_context&])      by value; std::optional<Res>: nothing
///                   declines; result<Res, call_failure> fails; also a result of an optional
///              void f(Req const&, response<Res>&, call_context&)    in place, in the surveyor's
///                   memory; response::decline(), fail()
///              void f(Req const&, deferred<Res>, call_context&)     later, from any thread;
///                   deferred::decline(), fail()
///            Runs inside run() and poll(), one question at a time. What it throws is an answer of
///            its own (respondent_status::failed, server_fault::threw). call_context::deadline() is
///            the survey's, client() the surveyor, cancelled() whether that is gone.
/// Delivery   each question at most once. One whose survey is over, or whose surveyor has closed or
///            died, is left out, and counted. Who is more questions behind than the surveyor's ring
///            holds loses the oldest, counts them (missed()), and says so to the surveyor.
/// Order      of each surveyor, as asked; surveyors take turns, question by question.
/// Callers    one thread at a time; the handle may move between threads. stop() and interrupt()
///            from any thread and from signal handlers.
/// Progress   never waits for a surveyor. run(): until stop().
/// Cost       per question, when there is one: a copy of it; no heap, no system call unless the
///            surveyor sleeps.
/// Memory     the surveyors'; a buffer for a question.
/// Peer dies  what a dead surveyor had asked is left out. Its place is free for another one at once.
/// Errors     of making one: see endpoint_errc.
///
///     auto me     = partywall::join("vendor").value();
///     auto prices = me.respondent<symbol, quote>("quotes", [](symbol const& s) { return price_of(s); }).value();
///     prices.run();
template <class Req, class Res>
class respondent {
    using core_handle = detail::respondent_core::handle;

  public:
    explicit respondent(core_handle core) noexcept : core_(std::move(core)) {}
    respondent(respondent&&) noexcept = default;
    respondent& operator=(respondent&&) noexcept = default;
    ~respondent() = default; // closes; never blocks

    /// Deals with the questions that are there, up to `most`. Returns how many.
    std::size_t poll(std::size_t most = ~std::size_t{0}) noexcept {
        return core_ ? core_->poll(most) : 0;
    }
    /// Deals with questions until stop(). Returns why it ended: interrupted; closed, forked.
    wait_errc run() noexcept {
        return core_ ? core_->run_until(~std::uint64_t{0}) : wait_errc::closed;
    }
    /// The same until the time: timed_out.
    wait_errc run_until(std::chrono::steady_clock::time_point deadline) noexcept {
        auto const since =
            std::chrono::duration_cast<std::chrono::nanoseconds>(deadline.time_since_epoch());
        return core_ ? core_->run_until(detail::wait_ns(since)) : wait_errc::closed;
    }
    wait_errc run_for(std::chrono::nanoseconds time) noexcept {
        return core_
                   ? core_->run_until(os::deadline_after(os::monotonic_ns(), detail::wait_ns(time)))
                   : wait_errc::closed;
    }
    /// Ends the run() that runs, or else the next one. Any thread, any signal handler.
    void stop() noexcept {
        if (core_) {
            core_->interrupt();
        }
    }
    /// As every handle has it: stop().
    void interrupt() noexcept { stop(); }

    /// In service from now on: after respondent_options::starts_ready = false, or drain(). Errors: as
    /// publisher::set_metadata().
    result<void, failure<registry_errc>> ready() noexcept { return say(health::ready); }
    /// Later surveys do not expect it, and what it is asked all the same it refuses
    /// (respondent_status::busy).
    result<void, failure<registry_errc>> drain() noexcept { return say(health::draining); }
    /// Drains, waits until every deferred answer was given, or the deadline, and closes. True: every
    /// question that was begun has got its answer.
    bool shutdown(std::chrono::nanoseconds timeout) noexcept {
        if (!core_) {
            return true;
        }
        bool const all =
            core_->drain(os::deadline_after(os::monotonic_ns(), detail::wait_ns(timeout)));
        core_.reset();
        return all;
    }
    health state() const noexcept { return core_ ? core_->state() : health::closed; }

    /// Questions whose handler was run, and what became of the others: too late; of surveys that were
    /// over or surveyors that were gone; refused while draining or beyond deferred_max; overwritten
    /// before they could be taken. Of those that were run: failed, declined (without those that
    /// were deferred); answers that found nobody.
    std::uint64_t executed() const noexcept { return core_ ? core_->figures().executed : 0; }
    std::uint64_t expired() const noexcept { return core_ ? core_->figures().expired : 0; }
    std::uint64_t cancelled() const noexcept { return core_ ? core_->figures().cancelled : 0; }
    std::uint64_t refused() const noexcept { return core_ ? core_->figures().refused : 0; }
    std::uint64_t missed() const noexcept { return core_ ? core_->missed() : 0; }
    std::uint64_t failed() const noexcept { return core_ ? core_->figures().failed : 0; }
    std::uint64_t declined() const noexcept { return core_ ? core_->figures().declined : 0; }
    std::uint64_t lost() const noexcept { return core_ ? core_->figures().lost : 0; }
    /// Answers that are still owed.
    std::uint32_t deferred() const noexcept { return core_ ? core_->deferred() : 0; }
    /// Surveyors that are attached now, and that ever were.
    std::uint32_t surveyor_count() const noexcept { return core_ ? core_->source_count() : 0; }
    std::uint64_t surveyors_seen() const noexcept { return core_ ? core_->sources_seen() : 0; }
    /// Tells this respondent from every other, dead ones included: survey_answer::respondent().
    std::uint64_t incarnation() const noexcept { return core_ ? core_->incarnation() : 0; }
    memory_report memory() const noexcept { return core_ ? core_->memory() : memory_report(); }
    /// What is wrong with the surveyor that was refused last; empty: none was.
    std::string const& refusal() const noexcept {
        static std::string const none;
        return core_ ? core_->refusal() : none;
    }
    /// Replaces what the registry shows of this respondent. Errors: as publisher::set_metadata().
    [[nodiscard]] result<void, failure<registry_errc>> set_metadata(metadata const& meta) {
        return core_ ? core_->set_metadata(meta)
                     : failure<registry_errc>{registry_errc::not_found, 0,
                                              "the respondent is closed"};
    }

    /// A descriptor for event loops: readable when poll() may have something to do. As
    /// reading_handle::fd(); drained by the poll() that finds nothing.
    [[nodiscard]] result<int, failure<descriptor_errc>> fd() noexcept {
        if (!core_) {
            return detail::no_descriptor_of_closed();
        }
        return core_->descriptor();
    }
    /// Also done by the destructor. Surveys that still expect an answer are told that it left.
    void close() noexcept { core_.reset(); }

  private:
    friend struct detail::wait_access;
    detail::waitable* to_be_waited_for() noexcept { return core_.get(); }
    result<void, failure<registry_errc>> say(health value) noexcept {
        return core_ ? core_->say_health(value)
                     : failure<registry_errc>{registry_errc::not_found, 0,
                                              "the respondent is closed"};
    }

    core_handle core_;
};

} // namespace partywall::inline v0
