// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <partywall/calls/call_context.hpp>
#include <partywall/registry/wait_descriptor.hpp>
#include <partywall/segment/copy_words.hpp>
#include <partywall/survey/survey.hpp>
#include <partywall/survey/survey_options.hpp>

#include <chrono>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

namespace partywall::inline v0 {

/// Asks all respondents of a name at once, and collects their answers for a certain time.
///
/// Use when   many may know: prices of several vendors, the health of all services of a domain.
/// Not when   one of them is to answer (client), or nobody (publisher).
/// Req, Res   trivially copyable without pointers; or `bytes` or `U[]` for variable length. The
///            respondents' must be the same.
/// Expected   who is in service under the name when the question is asked. Each of them gets
///            exactly one status; whoever comes later and hears the question all the same is
///            reported as that.
/// Answers    at most one of each respondent to each question; those that come late belong to no
///            later survey.
/// Surveyors  of one name there may be several, in one process or in many.
/// Callers    one thread at a time, the surveyor and its surveys together; the handle may move
///            between threads. interrupt() from any thread and from signal handlers.
/// Progress   ask(): does not wait. What waits for answers, waits at most until a deadline.
/// Cost       asking costs the same for any number of respondents: one message into one ring, one
///            look at the registry's epoch; no heap, no system call unless somebody sleeps. Only
///            when the registry has changed is the list of respondents read again.
/// Memory     the ring of questions, and a lane of answers per possible respondent, backed at
///            creation.
/// Peer dies  see survey.
/// Errors     see survey_errc.
///
///     auto me     = partywall::join("shop").value();
///     auto quotes = me.surveyor<symbol, quote>("quotes").value();
///     auto survey = quotes.ask({"EURUSD"}, {.deadline = 5ms, .at_least = 2}).value();
///     for (auto& quote : survey) { use(*quote); }
template <class Req, class Res>
class surveyor {
    using frame = detail::request_frame<Req>;
    using element = typename frame::element;
    static constexpr bool variable_length = frame::variable_length;
    using core_handle = detail::surveyor_core::handle;
    static constexpr std::uint64_t no_limit = ~std::uint64_t{0};

  public:
    /// A question as it is given: a message, or elements of one.
    using request_type = std::conditional_t<variable_length, std::span<element const>, element>;
    using outcome = result<survey<Res>, survey_errc>;

    explicit surveyor(core_handle core) noexcept : core_(std::move(core)) {}
    surveyor(surveyor&&) noexcept = default;
    surveyor& operator=(surveyor&&) noexcept = default;
    ~surveyor() = default; // closes; never blocks

    /// Asks. Where nobody is there the survey is over at once: survey_ending::no_respondents.
    /// Errors: too_many_surveys, too_large, no_memory, closed, forked.
    [[nodiscard]] outcome ask(request_type const& request,
                              survey_options const& options = {}) noexcept {
        return ask_until(request, options, no_limit);
    }
    /// From inside a handler: with no more time than `context` has left, and its header.
    [[nodiscard]] outcome ask(request_type const& request, call_context const& context,
                              survey_options options = {}) noexcept {
        options.header = context.header();
        return ask_until(request, options, context.deadline_ns());
    }
    [[nodiscard]] outcome ask(std::string_view text, survey_options const& options = {}) noexcept
        requires(std::is_same_v<Req, bytes>) {
        return ask(std::as_bytes(std::span(text.data(), text.size())), options);
    }

    /// Deals with what is there: answers, ends of respondents, deadlines. Returns how many answers
    /// came and surveys ended; which is asked by survey::ready(), try_next() and over().
    std::size_t poll() noexcept { return core_ ? core_->poll() : 0; }

    /// Blocks until so many respondents are in service. Errors: timed_out, interrupted, no_memory,
    /// closed, forked.
    [[nodiscard]] result<void, survey_errc>
    wait_for_respondents(std::uint32_t count, std::chrono::nanoseconds timeout) noexcept {
        if (!core_) {
            return survey_errc::closed;
        }
        survey_errc const e = core_->wait_for_respondents(
            count, os::deadline_after(os::monotonic_ns(), detail::wait_ns(timeout)));
        return e == detail::survey_ok ? result<void, survey_errc>() : e;
    }
    /// Respondents that a question asked now would expect.
    std::uint32_t respondents() noexcept { return core_ ? core_->respondents() : 0; }
    /// Surveys that are not over, and that are held.
    std::uint32_t open_surveys() const noexcept { return core_ ? core_->open_surveys() : 0; }
    std::uint32_t held_surveys() const noexcept { return core_ ? core_->held_surveys() : 0; }
    /// Answers that came when nobody wanted them any more, or that nobody had asked for.
    std::uint64_t late_answers() const noexcept { return core_ ? core_->late_answers() : 0; }
    /// Answers that were overwritten before they could be looked at.
    std::uint64_t lost_answers() const noexcept { return core_ ? core_->missed() : 0; }
    /// Questions that were asked.
    std::uint64_t asked() const noexcept { return core_ ? core_->asked() : 0; }
    std::uint64_t request_bytes_max() const noexcept {
        return core_ ? core_->request_bytes_max() : 0;
    }
    /// Tells this surveyor from every other, dead ones included: call_context::client().
    std::uint64_t incarnation() const noexcept { return core_ ? core_->incarnation() : 0; }
    memory_report memory() const noexcept { return core_ ? core_->memory() : memory_report(); }

    /// Ends the survey that is waited for, or the next that would be, with `cancelled`. Any thread,
    /// any signal handler.
    void interrupt() noexcept {
        if (core_) {
            core_->interrupt();
        }
    }
    /// A descriptor for event loops: readable when poll() may have something to do. As
    /// reading_handle::fd(), drained by poll(). Deadlines are found at the end of a slice (8 ms).
    [[nodiscard]] result<int, failure<descriptor_errc>> fd() noexcept {
        if (!core_) {
            return detail::no_descriptor_of_closed();
        }
        return core_->descriptor();
    }
    /// Surveys under way end with `closed`, and respondents may leave them out. Also done by the
    /// destructor. Surveys that are held keep what they have.
    void close() noexcept { core_.reset(); }

  private:
    friend struct detail::wait_access;
    detail::waitable* to_be_waited_for() noexcept { return core_.get(); }

    outcome ask_until(request_type const& request, survey_options const& options,
                      std::uint64_t until_ns) noexcept {
        if (!core_) [[unlikely]] {
            return survey_errc::closed;
        }
        detail::survey_draft draft;
        if (survey_errc const e = core_->begin(draft, options, until_ns); e != detail::survey_ok)
            [[unlikely]] {
            return e;
        }
        if constexpr (variable_length) {
            if (request.size_bytes() > draft.room) [[unlikely]] {
                return survey_errc::too_large;
            }
            if (std::byte* const memory = core_->memory_of(draft);
                memory != nullptr && !request.empty()) {
                std::memcpy(memory, request.data(), request.size_bytes());
            }
            core_->submit(draft, options, request.size_bytes());
        } else {
            if (std::byte* const memory = core_->memory_of(draft); memory != nullptr) {
                copy_words<>::store_fixed<sizeof(element)>(
                    memory, reinterpret_cast<std::byte const*>(&request));
            }
            core_->submit(draft, options, sizeof(element));
        }
        return outcome(outcome::in_place_value, core_.get(), draft.slot);
    }

    core_handle core_;
};

} // namespace partywall::inline v0
