// SPDX-License-Identifier: BSL-1.0
// Options of surveyors, respondents and single surveys, with the defaults that suit most.
#pragma once

#include <partywall/calls/call_options.hpp>
#include <partywall/endpoint/endpoint_options.hpp>
#include <partywall/limits.hpp>
#include <partywall/registry/metadata.hpp>
#include <partywall/wait/waiting.hpp>

#include <chrono>
#include <cstdint>

namespace partywall::inline v0 {

/// The surveyor owns the memory of questions and of answers.
struct surveyor_options {
    /// Of a survey that says nothing else. Every survey has one.
    std::chrono::nanoseconds deadline = std::chrono::seconds(1);
    /// Surveys under way, or over and still held, at a time.
    std::uint32_t surveys_max = 16;
    /// Respondents at a time. Each has a lane for its answers, of 2 x surveys_max of them, whose
    /// memory is there from the beginning. Those beyond it are not expected, and not heard.
    std::uint32_t respondents_max = respondents_default;
    /// Questions that the ring holds, at least surveys_max: rounded up to a power of two. A
    /// respondent that is further behind loses the oldest (respondent_status::overflowed).
    std::uint64_t depth = 64;
    /// Longest question, in bytes. For variable-length types only (`bytes`, `T[]`).
    std::uint64_t request_bytes_max = 1024;
    /// Longest answer, in bytes. For variable-length types only.
    std::uint64_t answer_bytes_max = 1024;
    /// Longer questions and answers lie in chunks (see receiver_options).
    std::uint64_t inline_bytes_max = inline_bytes_default;
    partywall::wake wake = partywall::wake::sleepers;
    fencing fence = fencing::automatic;
    partywall::waiting waiting = partywall::waiting::spin_then_park;
    /// The longest spin of spin_then_park; how long it really is, is learned (see waiting).
    std::chrono::nanoseconds spin_for = spin_default;
    partywall::memory_options memory = {};
    /// Shown to everybody who looks the name up.
    partywall::metadata metadata = {};
    /// Generation of each place's first survey. Only tests have a reason to change it.
    std::uint32_t first_generation = 0;
};

/// When one survey is over, beside that all have answered; what is not said is the surveyor's.
struct survey_options {
    /// From now on; 0: the surveyor's. A call_context that is given as well can only shorten it.
    std::chrono::nanoseconds deadline{};
    /// So many answers are enough; 1: the first one wins. 0: whoever was expected. Failures and
    /// respondents that decline do not count.
    std::uint32_t at_least = 0;
    /// So long after the last answer nobody is waited for any more; 0: until the deadline. Before
    /// the first answer only the deadline counts.
    std::chrono::nanoseconds quiet_for{};
    /// Handed on to the handlers beside the question.
    call_header header{};
};

struct respondent_options {
    /// Questions whose answer is deferred, at a time; beyond it they are refused
    /// (respondent_status::busy), not executed.
    std::uint32_t deferred_max = 1024;
    /// Threads that run the handler, and questions that they have in hand or that wait for them: as
    /// server_options.
    std::uint32_t workers = 0;
    std::uint32_t workers_queue = 64;
    /// Not expected by surveys until ready() is called, where something has to be done first.
    bool starts_ready = true;
    partywall::waiting waiting = partywall::waiting::spin_then_park;
    /// The longest spin of spin_then_park; how long it really is, is learned (see waiting).
    std::chrono::nanoseconds spin_for = spin_default;
    partywall::memory_options memory = {};
    /// Shown to everybody who looks the name up.
    partywall::metadata metadata = {};
};

} // namespace partywall::inline v0
