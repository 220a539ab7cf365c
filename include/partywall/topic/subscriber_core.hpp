// SPDX-License-Identifier: BSL-1.0
// The half of a subscriber that does not depend on the message type. Users see subscriber<T>,
// sample<T> and latest<T>. What it has in common with other receivers is reading_end; here is what
// is a topic's: a source per publisher, found in the registry (src/topic).
#pragma once

#include <partywall/endpoint/reading_end.hpp>
#include <partywall/export.hpp>
#include <partywall/os/robust_word.hpp>
#include <partywall/topic/ring_purpose.hpp>
#include <partywall/topic/topic_options.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace partywall::inline v0::detail {

class PARTYWALL_API subscriber_core : public reading_end {
  public:
    using handle = std::unique_ptr<subscriber_core, closer>;

    /// `latest`: reads the end of the rings only. Nothing, and `why`, where it cannot be had.
    static handle create(std::shared_ptr<participant_core> participant, std::string_view topic,
                         type_facts const& type, payload_shape const& shape,
                         subscriber_options const& options, bool latest,
                         failure<endpoint_errc>& why) noexcept;

    /// Takes the next message if it is the turn of its publisher, and there is nothing else to do:
    /// the way that most messages go, inlined, and straight into the sample.
    template <class Copy>
    [[gnu::always_inline]] quick take_now(taken& t) noexcept {
        if (!nothing_else_to_do() || next_ >= sources_.size()) [[unlikely]] {
            return quick::unknown;
        }
        source& s = *sources_[next_];
        cell_state const state = s.reader.look();
        if (state != cell_state::ready) {
            return sources_.size() == 1 && state == cell_state::not_yet && nothing_new()
                       ? quick::nothing
                       : quick::unknown;
        }
        if (!take<Copy>(s, t)) [[unlikely]] {
            return quick::unknown;
        }
        next_ = next_ + 1 == sources_.size() ? 0 : next_ + 1;
        return quick::took;
    }

    /// Hands over messages of the publisher whose turn it is, as take_now() would take them; how
    /// many. 0: ask that.
    template <class Copy, class Handler>
    [[gnu::always_inline]] std::size_t hand_over_now(std::size_t limit, Handler& handler) {
        if (!nothing_else_to_do() || next_ >= sources_.size()) [[unlikely]] {
            return 0;
        }
        source& s = *sources_[next_];
        if (s.reader.look() != cell_state::ready) {
            return 0;
        }
        next_ = next_ + 1 == sources_.size() ? 0 : next_ + 1;
        return hand_over<Copy>(s, limit, handler);
    }

    /// Takes the next message, from each publisher in turn. Never waits.
    template <class Copy>
    taken try_take() noexcept {
        taken event;
        if (!may_take(event)) [[unlikely]] {
            return event;
        }
        for (std::uint32_t round = 0;; ++round) {
            for (std::size_t left = sources_.size(); left != 0; --left) {
                source& s = *sources_[next_];
                next_ = next_ + 1 == sources_.size() ? 0 : next_ + 1;
                cell_state state = s.reader.look();
                if (state == cell_state::lapped) [[unlikely]] {
                    jump(s); // now: others that are always ready must not keep us from it
                    state = s.reader.look();
                }
                if (state == cell_state::ready) [[likely]] {
                    taken t;
                    if (take<Copy>(s, t)) [[likely]] {
                        return t;
                    }
                }
            }
            if (nothing_new()) {
                return error(receive_errc::empty);
            }
            if (round == 0 && sources_.size() == 1 && let_gather(*sources_.front())) {
                continue;
            }
            calm_ = false; // until that look says so
            if (!look_around(event, round < rounds_max)) {
                calm_ = event.error == receive_errc::empty;
                calm_looks_ = looks_while_calm;
                return event;
            }
        }
    }

    /// The newest message of any publisher that has not been taken yet; otherwise, unless
    /// `only_new`, the one that was taken last once more.
    template <class Copy>
    taken try_take_latest(bool only_new) noexcept {
        taken event;
        if (!may_take(event)) [[unlikely]] {
            return event;
        }
        for (std::uint32_t round = 0;; ++round) {
            for (std::size_t left = sources_.size(); left != 0; --left) {
                source& s = *sources_[next_];
                next_ = next_ + 1 == sources_.size() ? 0 : next_ + 1;
                taken t;
                if (go_to_newest(s) && take<Copy>(s, t)) {
                    remember(t);
                    return t;
                }
            }
            if (!look_around(event, round < rounds_max)) {
                return event.error == receive_errc::empty && !only_new ? again() : event;
            }
        }
    }

    /// latest: the value that was taken last, once more.
    taken again() noexcept;

    std::string const& refusal() const noexcept { return refusal_; }
    endpoint_errc refusal_code() const noexcept { return refusal_code_; }
    std::string const& topic() const noexcept { return topic_; }

  private:
    friend struct subscriber_attach;

    /// Of so many looks that find nothing one looks at everything.
    static constexpr std::uint32_t looks_while_calm = 16;

    /// Nobody came, closed or died, nothing of ours is to be done, and it is not yet time to look all
    /// the same.
    [[gnu::always_inline]] bool nothing_new() noexcept {
        if (!calm_ || --calm_looks_ == 0 || has_news()) {
            return false;
        }
        for (auto const& s : sources_) {
            // relaxed: a hint to look; what is concluded is checked again by notice_ends().
            if (std_atomics::load(s->control->closed, std::memory_order_relaxed) != 0 ||
                (s->life.word != nullptr && os::robust_died_now(s->life.word))) {
                return false;
            }
        }
        return true;
    }

  protected:
    explicit subscriber_core(std::shared_ptr<participant_core> participant);
    ~subscriber_core() override;
    /// What was done before a failure is taken back by close().
    result<void, failure<endpoint_errc>> open(ring_purpose const& purpose,
                                              subscriber_options const& options, bool latest);
    /// `s`, the ring of entry `e`, is read from now on, unless this fails.
    virtual result<void, failure<endpoint_errc>> source_attached(source& s, entry_info const& e) {
        (void)s;
        (void)e;
        return {};
    }
    void source_ended(source& s) noexcept override;
    void let_go() noexcept override;
    /// A publisher that has no room for us now is tried again, also when it is there at open().
    bool patient_ = false;

  private:
    bool go_to_newest(source& s) noexcept;
    void remember(taken const& t) noexcept;
    void forget() noexcept;
    static void share_pin(hold_slot const& with, hold_slot& h) noexcept;

    bool has_news() const noexcept final {
        // acquire: pairs with the release in bump_epoch().
        return std_atomics::load(*epoch_, std::memory_order_acquire) != epoch_seen_;
    }
    bool refresh() noexcept final;
    void notice_ends(std::uint32_t polls) noexcept final;
    void give_back(source& s) noexcept final;
    void gave_back() noexcept final;
    bool report(taken& event) noexcept final;
    void catch_up() noexcept final;
    void add_words(arming& a) noexcept final;
    bool follows_registry() const noexcept final { return true; }
    void after_sleep() noexcept final;

    bool somebody_left() const noexcept;
    void retry_refused() noexcept;
    void recover_after_deaths() noexcept;

    std::uint32_t const* epoch_; ///< the registry's
    std::uint32_t epoch_seen_ = 0;
    std::uint32_t calm_looks_ = looks_while_calm;
    std::uint32_t polls_until_proof_;
    entry_kind publishers_ = entry_kind::topic_publisher; ///< what is subscribed to
    std::string topic_;
    type_info type_;
    payload_shape shape_;
    subscriber_options wanted_;
    entry_info entry_; ///< lossless: our subscription
    bool has_entry_ = false;
    bool latest_ = false;
    bool refused_ = false;       ///< not yet reported
    bool retry_refused_ = false; ///< one of them for a reason that may pass by itself
    std::uint64_t retried_ns_ = 0;
    std::vector<std::uint64_t> finished_;    ///< incarnations that must not be attached again
    std::vector<std::uint64_t> refused_by_;  ///< incarnations whose refusal was reported
    std::vector<std::uint64_t> recover_due_; ///< tickets whose death was noticed, not yet proven
    std::string refusal_;
    endpoint_errc refusal_code_{};
    taken last_;  ///< latest: what holds_.back() keeps
    source kept_; ///< latest: where samples of the kept value count as held
};

} // namespace partywall::inline v0::detail
