// SPDX-License-Identifier: BSL-1.0
// The half of a receiver that does not depend on the message type. Users see receiver<T>. A source
// is a lane that a sender has opened; finding them, their ends and freeing lanes are in src/oneway.
//
// Looking at many idle lanes has to be cheap: their next stamps are looked at through a packed list
// of {where, what it would be}. Beyond 64 senders that list is left alone where a lane's hint, two
// bytes, is what it was when the lane was empty, or what the last message that was taken leaves; it
// is gone through at every 1,024th look and before sleeping, because a hint may be late, or never
// stored. (It may also be equal, 65,535 messages and more later: only in lanes that have so many
// cells, or drop their oldest.)
#pragma once

#include <partywall/endpoint/reading_end.hpp>
#include <partywall/export.hpp>
#include <partywall/inbox/lanes_layout.hpp>
#include <partywall/oneway/oneway_options.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace partywall::inline v0::detail {

struct inbox_segment;

/// What an inbox is for: how those who send to it find it.
struct inbox_purpose {
    std::string_view doing; ///< for messages
    std::string_view name;
    type_info type;
    payload_shape shape;
    receiver_options options;
    entry_kind kind = entry_kind::inbox;
    bool has_entry = true; ///< in the registry; otherwise they are told its number
    bool alone = true;     ///< a second one of that name is refused
};

class PARTYWALL_API receiver_core : public reading_end {
  public:
    using handle = std::unique_ptr<receiver_core, closer>;

    /// Nothing, and `why`, where it cannot be had.
    static handle create(std::shared_ptr<participant_core> participant, std::string_view name,
                         type_facts const& type, payload_shape const& shape,
                         receiver_options const& options, failure<endpoint_errc>& why) noexcept;

    /// Takes the next message if it is the turn of its sender, and there is nothing else to do: the
    /// way that most messages go, inlined, and straight into the sample.
    template <class Copy>
    [[gnu::always_inline]] quick take_now(taken& t) noexcept {
        std::size_t const i = next_;
        if (!nothing_else_to_do() || i >= watched_.size() ||
            watched_.size() > sources_without_hints) [[unlikely]] {
            return quick::unknown;
        }
        // Not by what is watched: that is written behind every message, to be read by later looks.
        source& s = *sources_[i];
        cell_state const state = s.reader.look();
        if (state != cell_state::ready) {
            return watched_.size() == 1 && state == cell_state::not_yet && nothing_new()
                       ? quick::nothing
                       : quick::unknown;
        }
        if (!take<Copy>(s, t)) [[unlikely]] {
            return quick::unknown;
        }
        calm_ = false;
        watch(i);
        next_ = i + 1 == watched_.size() ? 0 : i + 1;
        return quick::took;
    }

    /// Hands over messages of the sender whose turn it is, as take_now() would take them; how many.
    /// 0: ask that.
    template <class Copy, class Handler>
    [[gnu::always_inline]] std::size_t hand_over_now(std::size_t limit, Handler& handler) {
        std::size_t const i = next_;
        if (!nothing_else_to_do() || i >= watched_.size() ||
            watched_.size() > sources_without_hints) [[unlikely]] {
            return 0;
        }
        source& s = *sources_[i];
        if (s.reader.look() != cell_state::ready) {
            return 0;
        }
        calm_ = false;
        next_ = i + 1 == watched_.size() ? 0 : i + 1;
        // What is watched may lag behind, but not stay behind; the handler may have changed the list.
        struct moving_on {
            receiver_core& core;
            std::size_t i;
            source const* from;
            ~moving_on() {
                if (i < core.watched_.size() && core.sources_[i].get() == from) {
                    core.watch(i);
                }
            }
        } const guard{*this, i, &s};
        return hand_over<Copy>(s, limit, handler);
    }

    /// Takes the next message, from each sender in turn. Never waits.
    template <class Copy>
    taken try_take() noexcept {
        taken event;
        bool const ends_are_due = look_due_; // then sources may go although there is no event
        if (!may_take(event)) [[unlikely]] {
            follow();
            return event;
        }
        if (ends_are_due) [[unlikely]] {
            follow();
        }
        for (std::uint32_t round = 0;; ++round) {
            taken t;
            if (take_ready<Copy>(t)) [[likely]] {
                return t;
            }
            if (nothing_new()) {
                return error(receive_errc::empty);
            }
            if (round == 0 && sources_.size() == 1 && let_gather(*sources_.front())) {
                continue;
            }
            calm_ = false; // until that look says so
            bool const again = look_around(event, round < rounds_max);
            follow();
            if (!again) {
                calm_ = event.error == receive_errc::empty;
                return event;
            }
        }
    }

    /// Messages taken of, and senders that are attached.
    std::string const& name() const noexcept { return name_; }
    std::uint64_t incarnation() const noexcept { return entry_.incarnation; }
    std::uint32_t senders_max() const noexcept;
    result<void, failure<registry_errc>> set_metadata(metadata const& meta);

  private:
    /// A lane whose next message is looked for.
    struct watched {
        std::uint64_t const* stamp;
        std::uint64_t ready; ///< what it is when the message is there; more if we were overtaken
    };
    static constexpr std::uint32_t looks_between_sweeps = 1024;
    static constexpr std::size_t sources_without_hints = 64;
    static constexpr std::size_t lives_slept_on_max = 16;

  protected:
    explicit receiver_core(std::shared_ptr<participant_core> participant);
    ~receiver_core() override;
    /// Makes the segment and the entry, which stays `starting`. What was done before a failure is
    /// taken back by close().
    result<void, failure<endpoint_errc>> open(inbox_purpose const& purpose);
    /// Others may use it from now on.
    result<void, failure<endpoint_errc>> begin_service(std::string_view doing);
    result<void, failure<registry_errc>> set_health(health value) {
        return participant_->set_health(entry_, value);
    }
    inbox_segment& segment() const noexcept { return *segment_; }
    /// A look that finds nothing looks at every lane.
    void look_at_lanes_soon() noexcept { look_anyway_ = true; }
    /// `s`, whose number is its lane's, is read from now on. May throw std::bad_alloc: then it is
    /// not, and the next look tries again.
    virtual void lane_opened(source& s) { (void)s; }

  private:
    template <class Copy>
    bool take_ready(taken& t) noexcept {
        if (watched_.size() > sources_without_hints && hints_ != nullptr) [[unlikely]] {
            return take_hinted<Copy>(t);
        }
        std::size_t const count = watched_.size();
        std::size_t i = next_;
        for (std::size_t left = count; left != 0; --left) {
            if (is_there(i)) {
                next_ = i + 1 == count ? 0 : i + 1;
                return take_from<Copy>(i, t);
            }
            i = i + 1 == count ? 0 : i + 1;
        }
        return false;
    }
    template <class Copy>
    bool take_hinted(taken& t) noexcept {
        if (sweep_ == 0) {
            if (--looks_until_sweep_ == 0) {
                sweep_ = watched_.size();
            }
        }
        while (sweep_ != 0) { // a message found goes first; the sweep goes on at the next
            std::size_t const i = --sweep_;
            if (sweep_ == 0) {
                looks_until_sweep_ = looks_between_sweeps;
            }
            if (i < watched_.size() && is_there(i) && take_by_hint<Copy>(i, t)) {
                return true;
            }
        }
        std::size_t const i = find_hinted();
        return i < watched_.size() && take_by_hint<Copy>(i, t);
    }
    /// Afterwards its hint says whether there is more: without another look.
    template <class Copy>
    bool take_by_hint(std::size_t i, taken& t) noexcept {
        if (!take_from<Copy>(i, t)) [[unlikely]] {
            return false;
        }
        source const& s = *sources_[i];
        hints_seen_[s.number] = hint_of(s.reader.position());
        return true;
    }
    /// Whether the next cell of sources_[i] is ready, or says that we were overtaken.
    [[gnu::always_inline]] bool is_there(std::size_t i) const noexcept {
        // acquire: pairs with the release in ring_writer::publish().
        std::uint64_t const stamp =
            std_atomics::load(*watched_[i].stamp, std::memory_order_acquire);
        return static_cast<std::int64_t>(stamp - watched_[i].ready) >= 0;
    }
    template <class Copy>
    [[gnu::always_inline]] bool take_from(std::size_t i, taken& t) noexcept {
        source& s = *sources_[i];
        calm_ = false;
        cell_state state = s.reader.look();
        if (state == cell_state::lapped) [[unlikely]] {
            jump(s);
            state = s.reader.look();
        }
        bool const took = state == cell_state::ready && take<Copy>(s, t);
        if (took) [[likely]] {
            watch(i);
        }
        return took;
    }
    /// A source has moved on.
    void watch(std::size_t i) noexcept {
        std::uint64_t const position = sources_[i]->reader.position();
        watched_[i] = {&sources_[i]->reader.geometry().stamp(position), ready_stamp(position)};
    }
    /// The sources have changed, or moved on by themselves.
    void follow() noexcept;
    /// Nobody came or closed, nothing of ours is to be done, and it is not yet time to look all the
    /// same.
    [[gnu::always_inline]] bool nothing_new() noexcept {
        return calm_ && --calm_looks_ != 0 && !has_news();
    }
    std::uint64_t hints_changed(std::uint32_t word) const noexcept;
    std::size_t find_hinted() noexcept;

  protected:
    bool has_news() const noexcept override {
        // acquire: pairs with the release in the sender's ring_for_arrival().
        return look_anyway_ ||
               std_atomics::load(*arrivals_, std::memory_order_acquire) != arrivals_seen_;
    }
    bool refresh() noexcept override;
    void notice_ends(std::uint32_t polls) noexcept override;
    void source_ended(source& s) noexcept override;
    void give_back(source& s) noexcept override;
    void let_go() noexcept override;
    void follow_sources() noexcept override { follow(); }
    void catch_up() noexcept override;
    void add_words(arming& a) noexcept override;
    bool follows_registry() const noexcept override { return false; }
    void after_sleep() noexcept override;

  private:
    bool look_at_lane(std::uint32_t lane);
    void attach(std::uint32_t lane, owner seen);
    bool free_lane(std::uint32_t lane, owner seen, std::uint64_t start) noexcept;
    void free_after_deaths() noexcept;
    void wake_senders() noexcept;
    static result<void, failure<endpoint_errc>> check_name_is_free(participant_core& participant,
                                                                   entry_info const& mine,
                                                                   std::string_view doing);

    struct lane_state {
        std::uint64_t start = 0; ///< of the next sender; ours, whatever the segment says
        owner seen;              ///< of who is read, or was and is not yet gone
        source* from = nullptr;
        std::uint64_t received = 0; ///< of who was read to the end; 0 again with the lane
        std::uint64_t missed = 0;
        bool held = false;            ///< read to the end, but samples of it are still out
        bool waits_for_proof = false; ///< nothing of it is needed; its owner's death is not proven
    };

    std::uint32_t const* arrivals_ = nullptr;
    std::uint16_t const* hints_ = nullptr; ///< nullptr: senders store none
    std::vector<watched> watched_;         ///< of sources_[i]
    std::uint32_t calm_looks_ = looks_between_sweeps;
    std::uint32_t looks_until_sweep_ = looks_between_sweeps;
    std::size_t sweep_ = 0; ///< lanes that the sweep has still to look at
    std::uint32_t arrivals_seen_ = 0;
    bool look_anyway_ = true;
    std::uint32_t hint_lane_ = 0; ///< where find_hinted() begins
    bool closing_ = false;
    std::uint32_t waiting_for_proof_ = 0;
    bell_sleeper<> bell_;
    wake_sign<> sign_;
    bool wakes_ = true;
    bool slept_through_ = false; ///< nobody has rung when the last sleep ended
    bool slept_on_lives_ = false;
    std::vector<lane_state> lanes_;
    std::vector<std::uint16_t> hints_seen_;    ///< those that need not be looked after; whole lines
    std::vector<std::uint32_t> index_of_lane_; ///< in sources_, +1; 0: none
    std::unique_ptr<inbox_segment> segment_;
    std::string name_;
    entry_info entry_;
    bool has_entry_ = false;
};

} // namespace partywall::inline v0::detail
