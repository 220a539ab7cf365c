// SPDX-License-Identifier: BSL-1.0
// The half of a sender that does not depend on the message type. Users see sender<T>. A sender owns
// a lane of its receiver's inbox; when the receiver ends it lets go of the lane, says so once, and
// looks for a successor at every call that follows.
#pragma once

#include <partywall/endpoint/payload.hpp>
#include <partywall/endpoint/writing_end.hpp>
#include <partywall/export.hpp>
#include <partywall/inbox/lanes_layout.hpp>
#include <partywall/oneway/oneway_options.hpp>
#include <partywall/os/robust_word.hpp>
#include <partywall/wait/wake_word.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace partywall::inline v0::detail {

struct inbox_segment;

class PARTYWALL_API sender_core : public writing_end {
  public:
    /// Nothing, and `why`, where it cannot be had.
    static std::unique_ptr<sender_core> create(std::shared_ptr<participant_core> participant,
                                               std::string_view name, type_facts const& type,
                                               payload_shape const& shape,
                                               sender_options const& options,
                                               failure<endpoint_errc>& why) noexcept;
    ~sender_core() override;
    /// For one inbox alone, whose entry need not be in the registry: when that has ended it is of no
    /// use any more. What says where it is: owner, number, incarnation, kind and name of `target`.
    static std::unique_ptr<sender_core>
    attach_to(std::shared_ptr<participant_core> participant, entry_info const& target,
              type_info const& type, payload_shape const& shape, sender_options const& options,
              std::uint64_t incarnation, failure<endpoint_errc>& why) noexcept;

    /// Makes sure that the cell at ring.position() may be written, and that somebody is there to
    /// read it. What is too large is up to whoever that is.
    [[gnu::always_inline]] send_errc admit(std::uint64_t bytes = 0) noexcept {
        if (!attached() && !find_receiver()) [[unlikely]] {
            return not_attached_;
        }
        send_errc const e = writing_end::admit(bytes);
        return e >= send_errc::peer_died ? let_go(e) : e;
    }
    send_errc admit_for(std::uint64_t wait_ns, std::uint64_t bytes = 0) noexcept {
        if (!attached() && !find_receiver()) {
            return not_attached_;
        }
        send_errc const e = writing_end::admit_for(wait_ns, bytes);
        return e >= send_errc::peer_died ? let_go(e) : e;
    }

    /// The same for who came by attach_to(): an end is found by attached(), and changes nothing.
    [[gnu::always_inline]] send_errc admit_attached() noexcept { return writing_end::admit(); }
    send_errc admit_attached_for(std::uint64_t wait_ns) noexcept {
        return writing_end::admit_for(wait_ns);
    }
    /// The memory of a loan stays as long as this does, or until the next loan.
    void lends() noexcept { lent_from_ = rings_used; }
    /// The receiver is there: neither closed nor dead, as far as anybody knows.
    [[gnu::always_inline]] bool attached() const noexcept {
        // relaxed, both: hints to look; what is concluded from them is checked again.
        return inbox_ != nullptr &&
               std_atomics::load(inbox_->closed, std::memory_order_relaxed) == 0 &&
               (life_.word == nullptr || !os::robust_died_now(life_.word)) && open_;
    }
    /// Why the receiver that was attached is of no use any more: peer_died, no_receiver.
    send_errc ended() const noexcept;
    /// Nobody noticed, but perhaps it is proven: asked where there is no notice.
    bool proven_dead() const noexcept;
    participant_core::life_view const& life() const noexcept { return life_; }
    std::uint64_t receiver_ticket() const noexcept { return receiver_ticket_; }
    /// How far the receiver has taken, where it says so, and its half of the fence pair for that.
    std::uint64_t const& taken_word() const noexcept { return *taken_; }
    fence_pair receiver_fences() const noexcept { return receiver_fences_; }
    /// Whether the receiver has given back the message at `position`: from then on its memory, a
    /// cell or a chunk, may be that of another one, which only we write.
    bool gave_back(std::uint64_t position) const noexcept {
        // relaxed: what is older than our last look for room says "not yet", and then nothing was
        // written anew.
        std::uint64_t const cursor =
            std_atomics::load(slots()[0].cursor, std::memory_order_relaxed);
        return static_cast<std::int64_t>(cursor - cursor_at(position)) > 0;
    }

    /// Messages of the other senders that the receiver has still to deal with, or to answer, where it
    /// says how far it is. A figure: some lanes are looked at before others. Costs three cache lines
    /// for each lane.
    std::uint64_t under_way_of_others() const noexcept;
    std::uint32_t lane_count() const noexcept;

    void close() noexcept;
    /// Waits until a receiver is attached. send_ok, timed_out, interrupted, closed, forked, refused.
    send_errc wait_for_receiver(std::uint64_t wait_ns) noexcept;

    std::string const& receiver_name() const noexcept { return name_; }
    std::uint64_t payload_bytes_max() const noexcept {
        return inbox_ != nullptr ? ring.geometry().message_bytes_max() : 0;
    }
    std::uint64_t incarnation() const noexcept { return incarnation_; }
    std::uint64_t receiver() const noexcept { return receiver_incarnation_; }
    /// Messages that a receiver which has ended is not known to have taken.
    std::uint64_t lost() const noexcept { return lost_; }
    std::uint64_t sent() const noexcept;
    std::string const& refusal() const noexcept { return refusal_; }
    endpoint_errc refusal_code() const noexcept { return refusal_code_; }

  private:
    sender_core();
    [[gnu::noinline, gnu::cold]] bool find_receiver() noexcept;
    [[gnu::noinline, gnu::cold]] send_errc let_go(send_errc why) noexcept;
    bool is_dying(entry_info const& receiver);
    failure<endpoint_errc> attach();
    void belong_to(std::shared_ptr<participant_core> participant, type_info const& type,
                   payload_shape const& shape, sender_options const& options);
    failure<endpoint_errc> take_lane(entry_info const& receiver);

    bool free_laggard(gate<>::laggard const& held_by) noexcept override;
    send_errc in_vain() noexcept override;
    std::uint64_t life_of_laggard(gate<>::laggard const& held_by,
                                  wait_list& words) noexcept override;
    void wake_descriptors() noexcept override;
    void say_arrival() noexcept;

    wake_memory<> wake_seen_;
    inbox_control const* inbox_ = nullptr; ///< nullptr: not attached
    participant_core::life_view life_;
    send_errc not_attached_ = send_errc::no_receiver;
    std::uint32_t lane_ = 0;
    owner lane_owner_;
    std::uint64_t receiver_ticket_ = 0;
    std::uint64_t receiver_incarnation_ = 0;
    std::uint32_t epoch_seen_ = 0;
    bool looked_ = false; ///< at the registry as it was at epoch_seen_
    bool closed_ = false;
    bool fixed_ = false;      ///< came by attach_to()
    bool life_proof_ = false; ///< the receiver's death was proven, where it could not be noticed
    std::uint64_t incarnation_ = 0;
    std::uint64_t lost_ = 0;
    std::uint64_t sent_before_ = 0; ///< to receivers that have ended
    std::string name_;
    type_info type_;
    payload_shape shape_;
    sender_options options_;
    fence_pair fences_ = fence_pair::publisher;
    std::unique_ptr<inbox_segment> segment_;
    std::uint32_t lent_from_ = 0;         ///< the ring of the last loan; 0: there was none
    std::unique_ptr<inbox_segment> lent_; ///< of a receiver that has ended, where that loan may
                                          ///< still write; forsaken
    std::uint64_t const* taken_ = nullptr;
    fence_pair receiver_fences_ = fence_pair::publisher;
    std::string refusal_;
    endpoint_errc refusal_code_{};
};

} // namespace partywall::inline v0::detail
