// SPDX-License-Identifier: BSL-1.0
// The half of a surveyor that does not depend on its types. Users see surveyor<Req, Res> and
// survey<Res>.
//
// A surveyor is a topic's ring, for questions, and an inbox, for answers. Both have one number, and
// one entry in the registry: whoever reads the ring finds the inbox. What travels is what calls send
// (calls_layout.hpp).
//
// A respondent that is known is a *peer*; who is expected by a question asked now is the *roster*,
// which the surveys share that were asked while it did not change.
//
// Invariants
//   I1  A survey's place has a generation that changes when it becomes free. An answer counts only if
//       it names place and generation of a survey that is open, and only for the peer in whose lane
//       it came: which is known by the lane, not by what the answer says.
//   I2  A peer of a survey's roster gets one status in it, once: whatever comes later changes nothing.
//   I3  A peer is said to have died, or left, only after the last look into its lane that came after
//       its end was known.
//   I4  A roster, and the peers that it names, stay as long as a survey that is held needs them.
#pragma once

#include <partywall/calls/calls_layout.hpp>
#include <partywall/calls/frame.hpp>
#include <partywall/export.hpp>
#include <partywall/oneway/receiver_core.hpp>
#include <partywall/survey/survey_options.hpp>
#include <partywall/survey/survey_result.hpp>
#include <partywall/topic/publisher_core.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace partywall::inline v0::detail {

/// No error.
inline constexpr survey_errc survey_ok{};

/// An answer as it is kept.
struct answer_record {
    std::byte const* body = nullptr;
    std::uint64_t bytes = 0;
    std::uint64_t respondent = 0;
    std::uint64_t ticket = 0;
    call_header user{};
    bool joined_late = false;
};

/// A question in the making.
struct survey_draft {
    std::uint32_t slot = 0;
    std::byte* frame = nullptr; ///< nullptr: nobody is there to read it, or it is too late
    std::uint64_t room = 0;     ///< bytes for the message
    std::uint64_t deadline_ns = 0;
    bool late = false;
};

/// Memory that grows in blocks, which stay where they are, and is given back as a whole.
class answer_memory {
  public:
    /// nullptr: there is none.
    std::byte* take(std::uint64_t bytes) noexcept;
    void reset() noexcept {
        block_ = 0;
        used_ = 0;
    }

  private:
    struct block {
        std::unique_ptr<std::byte[]> memory;
        std::uint64_t bytes = 0;
    };
    std::vector<block> blocks_;
    std::size_t block_ = 0;
    std::uint64_t used_ = 0; ///< of blocks_[block_]
};

class PARTYWALL_API surveyor_core final : public receiver_core {
  public:
    using handle = std::unique_ptr<surveyor_core, closer>;

    static handle create(std::shared_ptr<participant_core> participant, std::string_view name,
                         call_types const& types, surveyor_options const& options,
                         failure<endpoint_errc>& why) noexcept;

    // ---- asking ----

    /// Finds a place, and who is there. `until_ns`: no later than that (a context's).
    survey_errc begin(survey_draft& draft, survey_options const& options,
                      std::uint64_t until_ns) noexcept;
    /// Where the message goes; nullptr: nowhere. submit() follows.
    std::byte* memory_of(survey_draft& draft) noexcept;
    void submit(survey_draft const& draft, survey_options const& options,
                std::uint64_t bytes) noexcept;

    // ---- surveys that are held ----

    answer_record const* next(std::uint32_t slot, std::uint64_t until_ns) noexcept;
    /// True: it is over.
    bool wait_over(std::uint32_t slot, std::uint64_t until_ns) noexcept;
    bool is_ready(std::uint32_t slot) const noexcept {
        return slots_[slot].given < slots_[slot].answers.size() || !slots_[slot].open;
    }
    survey_ending ending(std::uint32_t slot) const noexcept { return slots_[slot].ending; }
    void cancel(std::uint32_t slot) noexcept;
    survey_result result_of(std::uint32_t slot) noexcept;
    /// Its place is free.
    void abandon(std::uint32_t slot) noexcept;

    // ---- the surveyor ----

    std::size_t poll() noexcept;
    survey_errc wait_for_respondents(std::uint32_t count, std::uint64_t until_ns) noexcept;
    std::uint32_t respondents() noexcept;
    std::uint32_t open_surveys() const noexcept { return open_surveys_; }
    std::uint32_t held_surveys() const noexcept {
        return static_cast<std::uint32_t>(slots_.size() - free_slots_.size());
    }
    std::uint64_t late_answers() const noexcept { return late_; }
    std::uint64_t asked() const noexcept { return asked_; }
    std::uint64_t request_bytes_max() const noexcept;

  private:
    static constexpr std::uint32_t none = ~std::uint32_t{0};
    static constexpr std::uint64_t never = ~std::uint64_t{0};

    struct peer {
        std::uint64_t incarnation = 0; ///< 0: the place is free
        std::uint64_t ticket = 0;
        source* from = nullptr; ///< its lane, while that is read
        participant_core::life_view life;
        std::uint32_t uses = 0;      ///< rosters, and surveys that it joined late
        bool over = false;           ///< it died or left: nothing comes any more
        bool proof = false;          ///< its death was proven, where it could not be noticed
        bool present = false;        ///< in the registry when that was read last
        bool listed = false;         ///< and in service
        std::uint64_t gap_up_to = 0; ///< surveys up to this number may have lost its answer
        std::uint64_t seen = 0;      ///< by the look that has this number
    };
    struct roster {
        std::vector<std::uint32_t> members;
        std::vector<std::uint8_t> has; ///< by peer
        std::uint32_t uses = 0;        ///< surveys, and being the current one
    };
    /// What became of a survey at one peer, if `survey` is its number.
    struct mark {
        std::uint64_t survey = 0;
        respondent_status status = respondent_status::silent;
        server_fault fault = server_fault::none;
        std::int32_t code = 0;
        std::string_view text;
    };
    struct survey_slot {
        std::uint32_t generation = 0;
        bool held = false;
        bool open = false;
        bool asked = false;     ///< the question is in the ring, at `position`
        bool concluded = false; ///< results is what it came to
        survey_ending ending = survey_ending::none;
        std::uint32_t roster = none;
        std::uint32_t pending = 0; ///< of the roster, that have no status yet
        std::uint32_t at_least = 0;
        std::uint64_t number = 0; ///< of all surveys of this surveyor
        std::uint64_t position = 0;
        std::uint64_t deadline_ns = 0;
        std::uint64_t quiet_ns = 0;
        std::uint64_t quiet_from_ns = never; ///< the last answer
        request_header* request = nullptr;
        std::size_t given = 0; ///< of answers
        std::vector<answer_record> answers;
        std::vector<std::uint32_t> late; ///< peers that joined late
        std::vector<mark> marks;         ///< by peer
        std::vector<respondent_result> results;
        answer_memory memory;
    };

    explicit surveyor_core(std::shared_ptr<participant_core> participant);
    ~surveyor_core() override;

    void make_places(surveyor_options const& options);

    // Peers and rosters.
    bool follow_registry() noexcept;
    void list_peer(entry_info const& e);
    std::uint32_t find_peer(std::uint64_t incarnation) const noexcept;
    std::uint32_t make_peer(std::uint64_t incarnation, std::uint64_t ticket);
    void make_roster() noexcept;
    void leave_roster(std::uint32_t index) noexcept;
    void leave_peer(std::uint32_t index) noexcept;
    void peer_ended(std::uint32_t index, respondent_status how) noexcept;
    bool is_pending(survey_slot const& s, std::uint32_t at) const noexcept;
    bool is_stale() const noexcept;
    template <class F>
    void for_pending_peers(F f) noexcept;

    // Answers and ends.
    void accept(taken const& t) noexcept;
    survey_slot* addressee(std::uint64_t id) noexcept;
    void accept_answer(survey_slot& s, std::uint32_t from, taken const& t,
                       reply_header const& header) noexcept;
    void lost_questions(std::uint32_t from, std::uint64_t first, std::uint64_t behind) noexcept;
    bool keep(survey_slot& s, std::uint32_t from, taken const& t,
              reply_header const& header) noexcept;
    void store_cancel(survey_slot& s) noexcept;
    void settle_peer(survey_slot& s, std::uint32_t of, mark const& how) noexcept;
    void end(survey_slot& s, survey_ending why) noexcept;
    void end_if_due(survey_slot& s) noexcept;
    bool note_ends() noexcept;
    bool end_those_unheard() noexcept;
    bool has_ended(peer const& p) const noexcept;
    bool is_due() noexcept;
    void take_all() noexcept;
    void expire(std::uint64_t now_ns) noexcept;
    std::uint64_t next_due() const noexcept;
    void conclude(survey_slot& s) noexcept;
    template <class Over>
    survey_errc drive(Over over, std::uint64_t until_ns) noexcept;
    taken take() noexcept { return try_take<copy_any_size>(); }
    std::uint32_t index_of(survey_slot const& s) const noexcept {
        return static_cast<std::uint32_t>(&s - slots_.data());
    }
    void keep_alive() noexcept { keepers_ += 1; }
    /// Afterwards this may be gone.
    void let_die() noexcept;

    void lane_opened(source& s) override;
    void source_ended(source& s) noexcept override;
    void add_words(arming& a) noexcept override;
    void after_sleep() noexcept override;
    bool look() noexcept override;
    void let_go() noexcept override;

    std::vector<std::uint32_t> free_slots_;
    std::vector<survey_slot> slots_;
    std::unique_ptr<publisher_core> questions_;
    std::vector<peer> peers_;
    std::vector<roster> rosters_;
    std::vector<std::uint32_t> peer_of_lane_;
    std::uint32_t current_ = none; ///< roster
    std::uint32_t epoch_seen_ = 0;
    bool registry_read_ = false; ///< as it was at epoch_seen_
    std::uint32_t looks_ = 0;
    bool thorough_ = false; ///< the next look for ends is a whole one
    std::uint64_t look_number_ = 0;
    std::uint64_t numbers_ = 0; ///< of surveys
    std::uint64_t asked_ = 0;
    std::uint64_t late_ = 0;
    std::uint64_t events_ = 0; ///< answers that came, and surveys that ended
    std::uint32_t open_surveys_ = 0;
    std::uint32_t body_offset_ = 0; ///< of questions
    std::uint32_t answer_body_offset_ = 0;
    std::uint64_t answer_body_bytes_ = 0; ///< 0: variable
    std::uint64_t default_deadline_ns_ = 0;
    std::uint32_t respondents_max_ = 0;
    std::uint64_t question_type_ = 0; ///< fingerprint
    bool over_ = false;               ///< the handle is closed
    std::uint32_t keepers_ = 0;       ///< surveys that are held
    std::uint32_t keeping_hold_ = 0;  ///< out while keepers_ must find us alive after close()
};

} // namespace partywall::inline v0::detail
