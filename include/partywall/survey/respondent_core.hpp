// SPDX-License-Identifier: BSL-1.0
// The half of a respondent that does not depend on its types. Users see respondent<Req, Res>.
//
// A respondent reads the rings of all surveyors of its name, as a lossy subscriber does, and has a
// lane in the inbox of each, through which it answers (reply_port). Those lanes drop their oldest: a
// surveyor that does not look loses answers of long ago, and sees how many.
//
// Invariants
//   I1  Who is in service (its entry is ready) hears every question that is asked from then on, unless
//       it is overtaken: it reads each surveyor that was there before from a place that it took
//       before it was ready, and each that came later from its first question on.
//   I2  A question that was taken is answered once, refused, or left out where nobody wants to know.
//   I3  Questions that were overwritten before they were taken are told to their surveyor, by position,
//       before anything that is answered later.
#pragma once

#include <partywall/calls/frame.hpp>
#include <partywall/calls/server_core.hpp>
#include <partywall/endpoint/wait_errc.hpp>
#include <partywall/export.hpp>
#include <partywall/survey/survey_options.hpp>
#include <partywall/topic/subscriber_core.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace partywall::inline v0::detail {

/// What became of the questions of one respondent.
struct respondent_figures {
    std::uint64_t executed = 0;
    std::uint64_t expired = 0;
    std::uint64_t cancelled = 0;
    std::uint64_t refused = 0;
    std::uint64_t failed = 0;
    std::uint64_t declined = 0;
    std::uint64_t lost = 0;
};

class PARTYWALL_API respondent_core final : public subscriber_core {
  public:
    using handle = std::unique_ptr<respondent_core, closer>;

    static handle create(std::shared_ptr<participant_core> participant, std::string_view name,
                         call_types const& types, respondent_options const& options,
                         std::unique_ptr<request_handler> handler,
                         failure<endpoint_errc>& why) noexcept;

    /// Deals with questions that are there, up to `most`. Returns how many.
    std::size_t poll(std::size_t most) noexcept;
    /// Deals with questions until the time, or interrupt(). timed_out, interrupted, closed, forked.
    wait_errc run_until(std::uint64_t until_ns) noexcept;
    /// Refuses what is there and what comes until nothing is left to be answered, or the time.
    bool drain(std::uint64_t until_ns) noexcept;
    result<void, failure<registry_errc>> say_health(health value) noexcept;
    health state() const noexcept { return health_; }
    result<void, failure<registry_errc>> set_metadata(metadata const& meta);
    respondent_figures const& figures() const noexcept { return figures_; }
    std::uint32_t deferred() const noexcept;
    std::uint64_t incarnation() const noexcept { return mine_.incarnation; }

  private:
    friend struct serving;

    struct way_back {
        source const* from = nullptr;
        std::shared_ptr<reply_port> port;
    };

    explicit respondent_core(std::shared_ptr<participant_core> participant);
    ~respondent_core() override;

    taken take() noexcept { return try_take<copy_any_size>(); }
    void deal_with(taken const& t, std::uint64_t now_ns) noexcept;
    static void tell_missed(reply_port& port, taken const& t) noexcept;
    void execute(exchange& x, std::shared_ptr<reply_port> const& port) noexcept;
    std::shared_ptr<reply_port> const* port_of(source const& s) const noexcept;

    result<void, failure<endpoint_errc>> source_attached(source& s, entry_info const& e) override;
    void source_ended(source& s) noexcept override;
    void let_go() noexcept override;

    std::uint32_t body_offset_ = 0;
    std::uint32_t answer_body_offset_ = 0;
    std::uint32_t deferred_max_ = 0;
    bool serving_ = false;
    bool* closed_too_ = nullptr; ///< of the serve() that is under way
    health health_ = health::starting;
    respondent_figures figures_;
    std::unique_ptr<request_handler> handler_;
    std::vector<way_back> ways_;
    std::shared_ptr<server_load> load_;
    call_types types_;
    type_info answer_type_;
    entry_info mine_; ///< our entry
    bool has_mine_ = false;
};

} // namespace partywall::inline v0::detail
