// SPDX-License-Identifier: BSL-1.0
// A surveyor's life, asking, and waiting. Who is there, and who ended, is in survey_peers.cpp; what
// becomes of an answer in survey_answers.cpp.
#include <partywall/survey/surveyor_core.hpp>

#include "survey_drive.hpp"
#include "survey_parts.hpp"

#include <algorithm>
#include <utility>

namespace partywall::inline v0::detail {
namespace {

std::string wrong_with(surveyor_options const& o) {
    if (o.deadline.count() <= 0) {
        return "deadline is not positive";
    }
    if (o.surveys_max == 0 || o.surveys_max > surveys_per_surveyor_max) {
        return "surveys_max " + std::to_string(o.surveys_max) + " is not in 1.." +
               std::to_string(surveys_per_surveyor_max);
    }
    if (o.respondents_max == 0 || o.respondents_max > respondents_max) {
        return "respondents_max " + std::to_string(o.respondents_max) + " is not in 1.." +
               std::to_string(respondents_max);
    }
    if (o.depth < o.surveys_max) {
        return "depth " + std::to_string(o.depth) + " is less than surveys_max " +
               std::to_string(o.surveys_max);
    }
    if (o.request_bytes_max > payload_bytes_max_limit / 2 ||
        o.answer_bytes_max > payload_bytes_max_limit / 2) {
        return "request_bytes_max or answer_bytes_max is too much";
    }
    return {};
}

receiver_options inbox_options(surveyor_options const& o, call_types const& types) {
    receiver_options inbox;
    inbox.depth = 2 * std::uint64_t{o.surveys_max};
    inbox.payload_bytes_max =
        framed_bytes_max(types.reply_shape, o.answer_bytes_max, call_text_bytes_max);
    inbox.inline_bytes_max = o.inline_bytes_max;
    inbox.senders_max = o.respondents_max;
    inbox.samples_held_max = 2; // one to look at, one that keeps the core
    inbox.wake = o.wake;
    inbox.waiting = o.waiting;
    inbox.spin_for = o.spin_for;
    inbox.memory = o.memory;
    return inbox;
}

publisher_options ring_options(surveyor_options const& o, call_types const& types) {
    publisher_options ring;
    ring.overflow = overflow::drop_oldest;
    ring.depth = o.depth;
    ring.payload_bytes_max = framed_bytes_max(types.request_shape, o.request_bytes_max, 0);
    ring.inline_bytes_max = o.inline_bytes_max;
    ring.subscribers_max = o.respondents_max;
    ring.wake = o.wake;
    ring.fence = o.fence;
    ring.waiting = o.waiting;
    ring.spin_for = o.spin_for;
    ring.memory = o.memory;
    ring.metadata = o.metadata;
    return ring;
}

} // namespace

surveyor_core::surveyor_core(std::shared_ptr<participant_core> participant)
    : receiver_core(std::move(participant)) {}

surveyor_core::~surveyor_core() = default;

surveyor_core::handle surveyor_core::create(std::shared_ptr<participant_core> participant,
                                            std::string_view name, call_types const& types,
                                            surveyor_options const& options,
                                            endpoint_failure& why) noexcept {
    return made_or_why<handle>(why, [&]() -> result<handle, endpoint_failure> {
        std::string const doing = "cannot ask '" + std::string(name) + "'";
        if (auto const ok = may_make(*participant, doing, name); !ok) {
            return ok.error();
        }
        if (std::string const bad = wrong_with(options); !bad.empty()) {
            return fail(endpoint_errc::bad_option, doing + ": " + bad);
        }
        inbox_purpose answers;
        answers.doing = doing;
        answers.name = name;
        answers.type = survey_type(types, call_way::reply);
        answers.shape = types.reply_shape.payload;
        answers.options = inbox_options(options, types);
        answers.has_entry = false;
        handle core(new surveyor_core(std::move(participant)));
        surveyor_core& me = *core;
        me.make_places(options);
        me.body_offset_ = types.request_shape.body_offset;
        me.answer_body_offset_ = types.reply_shape.body_offset;
        me.answer_body_bytes_ = types.reply_shape.body_bytes;
        me.default_deadline_ns_ = static_cast<std::uint64_t>(options.deadline.count());
        if (auto const ok = me.open(answers); !ok) {
            return ok.error();
        }
        me.keeping_hold_ = answers.options.samples_held_max - 1;
        me.free_holds_ &= ~(std::uint64_t{1} << me.keeping_hold_);
        // One number for ring and inbox: who finds the one finds the other, and one entry names the
        // files of both.
        ring_purpose questions;
        questions.doing = doing;
        questions.name = name;
        questions.type = survey_type(types, call_way::request);
        questions.shape = types.request_shape.payload;
        questions.kind = entry_kind::surveyor;
        questions.number = me.incarnation() & endpoints_max;
        me.question_type_ = questions.type.fingerprint;
        me.questions_ =
            publisher_core::create(me.participant_, questions, ring_options(options, types), why);
        if (me.questions_ == nullptr) {
            return why;
        }
        me.memory_.bytes += me.questions_->memory().bytes;
        me.memory_.backed += me.questions_->memory().backed;
        entry_info mine;
        mine.name = name;
        mine.type = questions.type;
        mine.incarnation = me.incarnation();
        if (auto const ok = check_survey(*me.participant_, mine, doing); !ok) {
            return ok.error();
        }
        return core;
    });
}

void surveyor_core::make_places(surveyor_options const& options) {
    // Those that ended are kept while a survey tells of them.
    std::size_t const peers = 2 * std::size_t{options.respondents_max};
    respondents_max_ = options.respondents_max;
    peers_.resize(peers);
    peer_of_lane_.assign(options.respondents_max, none);
    rosters_.resize(options.surveys_max + std::size_t{2}); // the current one, and its successor
    for (roster& r : rosters_) {
        r.members.reserve(options.respondents_max);
        r.has.resize(peers);
    }
    slots_.resize(options.surveys_max);
    free_slots_.reserve(options.surveys_max);
    for (std::uint32_t i = options.surveys_max; i != 0; --i) {
        survey_slot& s = slots_[i - 1];
        s.generation = options.first_generation;
        s.answers.reserve(peers);
        s.late.reserve(peers);
        s.results.reserve(2 * peers);
        s.marks.resize(peers);
        free_slots_.push_back(i - 1);
    }
}

// ---- asking ---------------------------------------------------------------------------------------

std::uint64_t surveyor_core::request_bytes_max() const noexcept {
    return over_ ? 0 : questions_->ring.geometry().message_bytes_max() - body_offset_;
}

survey_errc surveyor_core::begin(survey_draft& draft, survey_options const& options,
                                 std::uint64_t until_ns) noexcept {
    if (mark_.is_child() || over_) [[unlikely]] {
        return over_ ? survey_errc::closed : survey_errc::forked;
    }
    enter();
    if (free_slots_.empty()) [[unlikely]] {
        return survey_errc::too_many_surveys;
    }
    if (is_stale() && !follow_registry()) [[unlikely]] {
        return survey_errc::no_memory;
    }
    std::uint64_t const now = os::monotonic_ns();
    std::uint64_t const wait = options.deadline.count() > 0
                                   ? static_cast<std::uint64_t>(options.deadline.count())
                                   : default_deadline_ns_;
    draft.slot = free_slots_.back();
    draft.deadline_ns = std::min(until_ns, os::deadline_after(now, wait));
    draft.late = draft.deadline_ns <= now; // what was inherited is used up
    draft.room = questions_->ring.geometry().message_bytes_max() - body_offset_;
    return survey_ok;
}

std::byte* surveyor_core::memory_of(survey_draft& draft) noexcept {
    if (draft.late || rosters_[current_].members.empty() || questions_->admit() != send_ok) {
        return nullptr;
    }
    draft.frame = questions_->begin();
    return draft.frame + body_offset_;
}

void surveyor_core::submit(survey_draft const& draft, survey_options const& options,
                           std::uint64_t bytes) noexcept {
    free_slots_.pop_back();
    survey_slot& s = slots_[draft.slot];
    roster& expected = rosters_[current_];
    expected.uses += 1;
    s.roster = current_;
    s.pending = static_cast<std::uint32_t>(expected.members.size());
    s.held = true;
    s.open = true;
    s.asked = draft.frame != nullptr;
    s.concluded = false;
    s.ending = survey_ending::none;
    s.number = ++numbers_;
    s.at_least = options.at_least;
    s.deadline_ns = draft.deadline_ns;
    s.quiet_ns = wait_ns(options.quiet_for);
    s.quiet_from_ns = never;
    s.given = 0;
    open_surveys_ += 1;
    keep_alive();
    if (draft.frame == nullptr) {
        end(s,
            draft.late && s.pending != 0 ? survey_ending::deadline : survey_ending::no_respondents);
        return;
    }
    // Plain stores: nobody reads the cell before it is stamped.
    auto& header = *reinterpret_cast<request_header*>(draft.frame);
    header.id = call_id(draft.slot, s.generation);
    header.deadline_ns = draft.deadline_ns;
    header.flags = request_flag::wants_reply;
    header.cancel = 0;
    std::copy_n(options.header.begin(), call_header_bytes, header.user);
    s.request = &header;
    s.position = questions_->ring.position();
    asked_ += 1;
    questions_->commit(body_offset_ + bytes);
    questions_->announce();
}

// ---- waiting --------------------------------------------------------------------------------------

answer_record const* surveyor_core::next(std::uint32_t slot, std::uint64_t until_ns) noexcept {
    survey_slot& s = slots_[slot];
    if (s.given == s.answers.size() && s.open) {
        survey_errc const e =
            drive([&s] { return s.given != s.answers.size() || !s.open; }, until_ns);
        if (e == survey_errc::interrupted) {
            cancel(slot);
        }
    }
    return s.given < s.answers.size() ? &s.answers[s.given++] : nullptr;
}

bool surveyor_core::wait_over(std::uint32_t slot, std::uint64_t until_ns) noexcept {
    survey_slot& s = slots_[slot];
    if (s.open && drive([&s] { return !s.open; }, until_ns) == survey_errc::interrupted) {
        cancel(slot);
    }
    return !s.open;
}

void surveyor_core::cancel(std::uint32_t slot) noexcept {
    if (slots_[slot].open && !mark_.is_child()) {
        end(slots_[slot], survey_ending::cancelled);
    }
}

survey_result surveyor_core::result_of(std::uint32_t slot) noexcept {
    survey_slot& s = slots_[slot];
    (void)wait_over(slot, never);
    if (!s.concluded) {
        conclude(s);
    }
    survey_result r;
    r.ending = s.ending;
    r.expected = static_cast<std::uint32_t>(rosters_[s.roster].members.size());
    r.joined_late = static_cast<std::uint32_t>(s.late.size());
    r.respondents = s.results;
    for (std::size_t i = 0; i < r.expected; ++i) {
        switch (s.results[i].status) {
        case respondent_status::silent: r.silent += 1; break;
        case respondent_status::answered: r.answered += 1; break;
        case respondent_status::declined: r.declined += 1; break;
        case respondent_status::failed: r.failed += 1; break;
        case respondent_status::busy: r.busy += 1; break;
        case respondent_status::died: r.died += 1; break;
        case respondent_status::left: r.left += 1; break;
        case respondent_status::overflowed: r.overflowed += 1; break;
        }
    }
    return r;
}

void surveyor_core::abandon(std::uint32_t slot) noexcept {
    if (!mark_.is_child()) {
        survey_slot& s = slots_[slot];
        cancel(slot);
        leave_roster(s.roster);
        for (std::uint32_t const p : s.late) {
            leave_peer(p);
        }
        s.roster = none;
        s.late.clear();
        s.answers.clear();
        s.results.clear();
        s.memory.reset();
        s.held = false;
        s.generation += 1;           // I1
        free_slots_.push_back(slot); // there is room: reserved
    }
    let_die();
}

std::size_t surveyor_core::poll() noexcept {
    if (mark_.is_child() || over_) {
        return 0;
    }
    enter();
    std::uint64_t const before = events_;
    thorough_ = true;
    for (;;) {
        taken const t = try_for_descriptor([this] { return take(); });
        if (t.error == receive_errc::none) {
            accept(t);
        } else if (t.error == receive_errc::empty) {
            if (!note_ends()) {
                break;
            }
        } else if (!is_end_of_one(t.error)) {
            break;
        }
    }
    if (std::uint64_t const now = os::monotonic_ns(); now >= next_due()) {
        expire(now);
    }
    return static_cast<std::size_t>(events_ - before);
}

survey_errc surveyor_core::wait_for_respondents(std::uint32_t count,
                                                std::uint64_t until_ns) noexcept {
    for (;;) {
        if (mark_.is_child() || over_) {
            return over_ ? survey_errc::closed : survey_errc::forked;
        }
        participant_->keep_notice();
        // acquire, before looking: whoever comes after the look has changed it.
        std::uint32_t const seen =
            std_atomics::load(participant_->epoch_word(), std::memory_order_acquire);
        if (is_stale() && !follow_registry()) {
            return survey_errc::no_memory;
        }
        if (respondents() >= count) {
            return survey_ok;
        }
        if (interrupted()) {
            return survey_errc::interrupted;
        }
        if (os::monotonic_ns() >= until_ns) {
            return survey_errc::timed_out;
        }
        wait_list words;
        words.add({reinterpret_cast<std::uint32_t const*>(&interrupts_), interrupts_seen_, false});
        words.add_data({&participant_->epoch_word(), seen, true});
        words.park(until_ns);
    }
}

// ---- the end --------------------------------------------------------------------------------------

void surveyor_core::let_die() noexcept {
    keepers_ -= 1;
    if (keepers_ == 0 && over_ && !mark_.is_child()) {
        release(keeping_hold_); // this may be gone
    }
}

void surveyor_core::let_go() noexcept {
    if (over_) {
        return;
    }
    over_ = true;
    for (survey_slot& s : slots_) {
        if (s.open) {
            end(s, survey_ending::closed);
        }
    }
    questions_.reset(); // says that it is closed, and takes the entry back
    receiver_core::let_go();
    if (keepers_ == 0) {
        free_holds_ |= std::uint64_t{1} << keeping_hold_; // nothing keeps us
    }
}

} // namespace partywall::inline v0::detail
