// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <partywall/calls/frame.hpp>
#include <partywall/os/clock.hpp>
#include <partywall/survey/survey_result.hpp>
#include <partywall/survey/surveyor_core.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

namespace partywall::inline v0 {

/// One answer to a survey.
///
/// Valid     as long as its survey: a copy of what the respondent sent, which nobody changes.
template <class Res>
class survey_answer {
    using frame = detail::reply_frame<Res>;
    using element = typename frame::element;
    static constexpr bool variable_length = frame::variable_length;

  public:
    survey_answer() noexcept = default;
    /// Not for users.
    explicit survey_answer(detail::answer_record const& record) noexcept : record_(&record) {}

    element const& operator*() const noexcept requires(!variable_length) {
        return frame::view(record_->body, record_->bytes);
    }
    element const* operator->() const noexcept requires(!variable_length) { return &**this; }
    std::span<element const> operator*() const noexcept requires(variable_length) {
        return frame::view(record_->body, record_->bytes);
    }
    std::string_view text() const noexcept requires(std::is_same_v<Res, bytes>) {
        return {reinterpret_cast<char const*>(record_->body),
                static_cast<std::size_t>(record_->bytes)};
    }

    /// Incarnation of who answered: tells it from every other, dead ones included.
    std::uint64_t respondent() const noexcept { return record_->respondent; }
    /// Ticket of its participant.
    std::uint64_t ticket() const noexcept { return record_->ticket; }
    /// It was not expected: it came when the question had been asked.
    bool joined_late() const noexcept { return record_->joined_late; }
    /// What came beside it.
    call_header const& header() const noexcept { return record_->user; }

  private:
    detail::answer_record const* record_ = nullptr;
};

/// A survey under way, or over: its answers as they come, why it ended, and what became of each
/// respondent. Ends by itself at its deadline.
///
/// Callers    the thread that uses the surveyor: this is a part of it. It may outlive the surveyor's
///            handle; then the survey has ended with `closed`.
/// Progress   nothing runs by itself: next(), wait(), and every call of the surveyor deal with the
///            answers of all its surveys. What waits, waits no longer than the survey's deadline.
/// Peer dies  the wait for a respondent ends as soon as the kernel says that it died, after a last
///            look for its answer.
/// Cost       an answer: a copy of it, no heap in steady state. result(): a look at each respondent.
/// Destroyed  before it is over: nobody wants the answers; respondents may leave it out.
///
///     auto survey = quotes.ask({"EURUSD"}, {.deadline = 5ms, .at_least = 2}).value();
///     for (auto& quote : survey) { use(quote.respondent(), *quote); }
///     if (survey.ending() == partywall::survey_ending::enough) { ... }
template <class Res>
class survey {
  public:
    /// Not for users.
    survey(detail::surveyor_core* core, std::uint32_t slot) noexcept : core_(core), slot_(slot) {}
    survey(survey&& other) noexcept
        : core_(std::exchange(other.core_, nullptr)), slot_(other.slot_), current_(other.current_) {
    }
    survey& operator=(survey&& other) noexcept {
        if (this != &other) {
            let_go();
            core_ = std::exchange(other.core_, nullptr);
            slot_ = other.slot_;
            current_ = other.current_;
        }
        return *this;
    }
    ~survey() { let_go(); }

    /// Waits for the next answer. nullptr: there is none to come, the survey is over. Each answer is
    /// given once; what failed or declined is not given, see result().
    [[nodiscard]] survey_answer<Res> const* next() noexcept { return next_until(no_limit); }
    /// The same, waiting no longer than that: nullptr is no end then, see over().
    [[nodiscard]] survey_answer<Res> const* next(std::chrono::nanoseconds timeout) noexcept {
        return next_until(os::deadline_after(os::monotonic_ns(), detail::wait_ns(timeout)));
    }
    /// The next answer if it is there.
    [[nodiscard]] survey_answer<Res> const* try_next() noexcept { return next_until(0); }

    /// Waits until the survey is over, keeping the answers for next(). True: it is over.
    bool wait() noexcept { return core_ == nullptr || core_->wait_over(slot_, no_limit); }
    bool wait(std::chrono::nanoseconds timeout) noexcept {
        return core_ == nullptr ||
               core_->wait_over(slot_,
                                os::deadline_after(os::monotonic_ns(), detail::wait_ns(timeout)));
    }
    /// Whether an answer that was not given yet is there, or the survey is over, as far as the
    /// surveyor has looked (surveyor::poll()).
    bool ready() const noexcept { return core_ == nullptr || core_->is_ready(slot_); }
    bool over() const noexcept { return ending() != survey_ending::none; }
    /// Why it is over; none: it is not, as far as the surveyor has looked.
    survey_ending ending() const noexcept {
        return core_ != nullptr ? core_->ending(slot_) : survey_ending::closed;
    }
    /// Ends it now, unless it is over. The answers that came stay.
    void cancel() noexcept {
        if (core_ != nullptr) {
            core_->cancel(slot_);
        }
    }
    /// What it came to. Waits until it is over. Answers are counted whether or not next() gave them.
    survey_result result() noexcept {
        survey_result r;
        r.ending = survey_ending::closed;
        return core_ != nullptr ? core_->result_of(slot_) : r;
    }
    /// The same: what became of each respondent.
    std::span<respondent_result const> statuses() noexcept { return result().respondents; }

    /// `for (auto& answer : survey)`: waits for each, and ends when the survey is over.
    class iterator {
      public:
        using iterator_concept = std::input_iterator_tag;
        using value_type = survey_answer<Res>;
        using difference_type = std::ptrdiff_t;

        iterator() noexcept = default;
        explicit iterator(survey& of) noexcept : of_(&of), at_(of.next()) {}
        survey_answer<Res> const& operator*() const noexcept { return *at_; }
        survey_answer<Res> const* operator->() const noexcept { return at_; }
        iterator& operator++() noexcept {
            at_ = of_->next();
            return *this;
        }
        void operator++(int) noexcept { ++*this; }
        friend bool operator==(iterator const& i, std::default_sentinel_t) noexcept {
            return i.at_ == nullptr;
        }

      private:
        survey* of_ = nullptr;
        survey_answer<Res> const* at_ = nullptr;
    };
    iterator begin() noexcept { return iterator(*this); }
    std::default_sentinel_t end() const noexcept { return {}; }

  private:
    static constexpr std::uint64_t no_limit = ~std::uint64_t{0};

    survey_answer<Res> const* next_until(std::uint64_t until_ns) noexcept {
        detail::answer_record const* const record =
            core_ != nullptr ? core_->next(slot_, until_ns) : nullptr;
        if (record == nullptr) {
            return nullptr;
        }
        current_ = survey_answer<Res>(*record);
        return &current_;
    }
    void let_go() noexcept {
        if (core_ != nullptr) {
            std::exchange(core_, nullptr)->abandon(slot_);
        }
    }

    detail::surveyor_core* core_ = nullptr; ///< nullptr: moved from
    std::uint32_t slot_ = 0;
    survey_answer<Res> current_;
};

} // namespace partywall::inline v0
