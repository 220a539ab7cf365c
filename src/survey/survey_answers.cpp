// SPDX-License-Identifier: BSL-1.0
// What becomes of answers, and how surveys end.
#include <partywall/survey/surveyor_core.hpp>

#include "survey_drive.hpp"
#include "survey_parts.hpp"

#include <cstring>
#include <new>

namespace partywall::inline v0::detail {
namespace {

constexpr std::uint64_t block_bytes = 1 << 14;

/// Positions of questions, as a respondent says that it lost them.
struct lost_range {
    std::uint64_t first = 0;
    std::uint64_t behind = 0;
};
static_assert(sizeof(lost_range) == call_header_bytes);

respondent_status status_of(reply_status s) noexcept {
    switch (s) {
    case reply_status::value: return respondent_status::answered;
    case reply_status::declined: return respondent_status::declined;
    case reply_status::expired:
    case reply_status::cancelled:
    case reply_status::draining:
    case reply_status::overloaded: return respondent_status::busy;
    default: return respondent_status::failed; // whatever else it may have written
    }
}

} // namespace

std::byte* answer_memory::take(std::uint64_t bytes) noexcept {
    // What begins at the start of a block suits any message, and so does what follows.
    std::uint64_t const needed =
        (std::max<std::uint64_t>(bytes, 1) + spacing_bytes - 1) / spacing_bytes * spacing_bytes;
    while (block_ < blocks_.size() && blocks_[block_].bytes - used_ < needed) {
        block_ += 1;
        used_ = 0;
    }
    if (block_ == blocks_.size()) {
        block b;
        b.bytes = std::max(needed, block_bytes);
        b.memory.reset(new (std::nothrow) std::byte[b.bytes + spacing_bytes]);
        if (b.memory == nullptr) {
            return nullptr;
        }
        try {
            blocks_.push_back(std::move(b));
        } catch (...) {
            return nullptr;
        }
        used_ = 0;
    }
    std::byte* const at = message_memory::aligned(blocks_[block_].memory.get()) + used_;
    used_ += needed;
    return at;
}

surveyor_core::survey_slot* surveyor_core::addressee(std::uint64_t id) noexcept {
    std::uint32_t const index = slot_of(id);
    if (index >= slots_.size()) {
        return nullptr;
    }
    survey_slot& s = slots_[index];
    return s.open && s.asked && s.generation == generation_of(id) ? &s : nullptr;
}

void surveyor_core::accept(taken const& t) noexcept {
    std::uint32_t const from = peer_of_lane_[holds_[t.hold].from->number];
    if (t.missed != 0 && from != none) {
        peers_[from].gap_up_to = numbers_; // which of them it answered nobody knows
    }
    survey_slot* s = nullptr;
    reply_header header{};
    if (t.bytes >= answer_body_offset_ && from != none) {
        header = header_at<reply_header>(t.data); // a chunk is read where it lies
        if (static_cast<reply_status>(header.status) == reply_status::missed) {
            lost_range range;
            std::memcpy(&range, header.user, sizeof range);
            lost_questions(from, range.first, range.behind);
            release(t.hold);
            return;
        }
        s = addressee(header.id);
    }
    if (s != nullptr && s->marks[from].survey != s->number) { // I1, I2
        accept_answer(*s, from, t, header);
    } else {
        late_ += 1;
    }
    release(t.hold);
}

void surveyor_core::accept_answer(survey_slot& s, std::uint32_t from, taken const& t,
                                  reply_header const& header) noexcept {
    auto const said = static_cast<reply_status>(header.status);
    mark m;
    m.status = status_of(said);
    if (m.status == respondent_status::answered) {
        if (!keep(s, from, t, header)) {
            m.status = respondent_status::overflowed; // no memory for it
        } else if (s.quiet_ns != 0) {
            s.quiet_from_ns = os::monotonic_ns();
        }
    } else if (m.status == respondent_status::failed) {
        m.fault = fault_of(said);
        m.code = header.code;
        std::uint64_t const bytes = std::min<std::uint64_t>(
            {header.text_bytes, call_text_bytes_max, t.bytes - answer_body_offset_});
        if (std::byte* const text = bytes != 0 ? s.memory.take(bytes) : nullptr; text != nullptr) {
            std::memcpy(text, t.data + answer_body_offset_, bytes);
            m.text = {reinterpret_cast<char const*>(text), static_cast<std::size_t>(bytes)};
        }
    }
    events_ += 1;
    settle_peer(s, from, m);
    end_if_due(s);
}

/// Out of the lane, which is for others.
bool surveyor_core::keep(survey_slot& s, std::uint32_t from, taken const& t,
                         reply_header const& header) noexcept {
    std::uint64_t const room = t.bytes - answer_body_offset_;
    answer_record a;
    a.bytes = answer_body_bytes_ != 0 ? answer_body_bytes_ : room;
    std::byte* const body = a.bytes <= room ? s.memory.take(a.bytes) : nullptr;
    if (body == nullptr) {
        return false;
    }
    if (a.bytes != 0) {
        std::memcpy(body, t.data + answer_body_offset_, a.bytes);
    }
    a.body = body;
    a.respondent = peers_[from].incarnation;
    a.ticket = peers_[from].ticket;
    a.joined_late = rosters_[s.roster].has[from] == 0;
    std::copy_n(header.user, call_header_bytes, a.user.begin());
    s.answers.push_back(a); // there is room: reserved, and at most one of each peer
    return true;
}

/// `from` says that it will never see those.
void surveyor_core::lost_questions(std::uint32_t from, std::uint64_t first,
                                   std::uint64_t behind) noexcept {
    for (survey_slot& s : slots_) {
        if (is_pending(s, from) && s.position - first < behind - first) {
            mark m;
            m.status = respondent_status::overflowed;
            settle_peer(s, from, m);
            end_if_due(s);
        }
    }
}

/// I2: the caller has made sure that it has none yet.
void surveyor_core::settle_peer(survey_slot& s, std::uint32_t of, mark const& how) noexcept {
    s.marks[of] = how;
    s.marks[of].survey = s.number;
    if (rosters_[s.roster].has[of] != 0) {
        s.pending -= 1;
    } else {
        s.late.push_back(of); // there is room: reserved
        peers_[of].uses += 1; // I4
    }
}

void surveyor_core::store_cancel(survey_slot& s) noexcept {
    // Not in a cell, or a chunk, that is another question's by now.
    ring_writer<> const& ring = questions_->ring;
    if (s.asked && ring.position() - s.position < ring.geometry().cell_count) {
        // relaxed: a hint to whoever has not begun.
        std_atomics::store(s.request->cancel, std::uint32_t{1}, std::memory_order_relaxed);
    }
}

void surveyor_core::end(survey_slot& s, survey_ending why) noexcept {
    s.open = false;
    s.ending = why;
    open_surveys_ -= 1;
    events_ += 1;
    if (s.pending != 0 && why != survey_ending::deadline) { // which they see themselves
        store_cancel(s);
    }
}

void surveyor_core::end_if_due(survey_slot& s) noexcept {
    if (!s.open) {
        return;
    }
    if (s.at_least != 0 && s.answers.size() >= s.at_least) {
        end(s, survey_ending::enough);
    } else if (s.pending == 0) {
        end(s, survey_ending::all_answered);
    }
}

std::uint64_t surveyor_core::next_due() const noexcept {
    std::uint64_t due = never;
    if (open_surveys_ == 0) {
        return due;
    }
    for (survey_slot const& s : slots_) {
        if (s.open) {
            due = std::min(due, s.deadline_ns);
            if (s.quiet_from_ns != never) {
                due = std::min(due, os::deadline_after(s.quiet_from_ns, s.quiet_ns));
            }
        }
    }
    return due;
}

/// The time of some is up: after a last look.
void surveyor_core::expire(std::uint64_t now_ns) noexcept {
    take_all();
    for (survey_slot& s : slots_) {
        if (s.open && s.deadline_ns <= now_ns) {
            end(s, survey_ending::deadline);
        } else if (s.open && s.quiet_from_ns != never &&
                   os::deadline_after(s.quiet_from_ns, s.quiet_ns) <= now_ns) {
            end(s, survey_ending::quiet);
        }
    }
}

void surveyor_core::take_all() noexcept {
    for (;;) {
        taken const t = take();
        if (t.error == receive_errc::none) {
            accept(t);
        } else if (!is_end_of_one(t.error)) {
            return;
        }
    }
}

void surveyor_core::conclude(survey_slot& s) noexcept {
    auto const add = [&](std::uint32_t index, bool late) {
        peer const& p = peers_[index];
        respondent_result r;
        r.respondent = p.incarnation;
        r.ticket = p.ticket;
        r.joined_late = late;
        if (mark const& m = s.marks[index]; m.survey == s.number) {
            r.status = m.status;
            r.fault = m.fault;
            r.code = m.code;
            r.text = m.text;
        } else if (s.asked && s.number <= p.gap_up_to) {
            r.status = respondent_status::overflowed;
        }
        s.results.push_back(r); // there is room: reserved
    };
    for (std::uint32_t const p : rosters_[s.roster].members) {
        add(p, false);
    }
    for (std::uint32_t const p : s.late) {
        add(p, true);
    }
    s.concluded = true;
}

} // namespace partywall::inline v0::detail
