// SPDX-License-Identifier: BSL-1.0
// The half of a publisher that does not depend on the message type. Users see publisher<T>. What it
// has in common with other senders is writing_end; here is what is a topic's: readers that come and
// go, reservations, the registry.
#pragma once

#include <partywall/endpoint/payload.hpp>
#include <partywall/endpoint/writing_end.hpp>
#include <partywall/export.hpp>
#include <partywall/topic/ring_purpose.hpp>
#include <partywall/topic/topic_options.hpp>
#include <partywall/wait/wake_word.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace partywall::inline v0::detail {

struct publisher_plan;

class PARTYWALL_API publisher_core final : public writing_end {
  public:
    /// Nothing, and `why`, where it cannot be had.
    static std::unique_ptr<publisher_core> create(std::shared_ptr<participant_core> participant,
                                                  std::string_view topic, type_facts const& type,
                                                  payload_shape const& shape,
                                                  publisher_options const& options,
                                                  failure<endpoint_errc>& why) noexcept;
    /// The same for a ring that is not a topic's: its readers are lossy, and who else may have such a
    /// ring under that name is up to the caller.
    static std::unique_ptr<publisher_core> create(std::shared_ptr<participant_core> participant,
                                                  ring_purpose const& purpose,
                                                  publisher_options const& options,
                                                  failure<endpoint_errc>& why) noexcept;
    ~publisher_core() override;

    void close() noexcept;
    std::uint32_t subscriber_count() noexcept;
    send_errc wait_for_subscribers(std::uint32_t count, std::uint64_t wait_ns) noexcept;
    result<void, failure<registry_errc>> set_draining(bool draining);
    result<void, failure<registry_errc>> set_metadata(metadata const& meta);

    std::string const& topic() const noexcept { return entry_.name; }
    std::uint64_t incarnation() const noexcept { return entry_.incarnation; }
    std::uint64_t start_position() const noexcept { return ring.geometry().start_position; }

  private:
    publisher_core() = default;
    static result<std::unique_ptr<publisher_core>, failure<endpoint_errc>>
    make(std::shared_ptr<participant_core> participant, ring_purpose const& purpose,
         publisher_options const& options);
    result<void, failure<endpoint_errc>> meet_subscriptions(ring_purpose const& purpose,
                                                            publisher_options const& options);
    result<void, failure<endpoint_errc>>
    make_segments(publisher_plan& plan, memory_options const& memory, std::string_view doing);
    void use_segments(publisher_plan const& plan, publisher_options const& options) noexcept;
    void withdraw() noexcept;
    bool counts_as_subscriber(std::uint32_t slot) noexcept;

    bool free_laggard(gate<>::laggard const& held_by) noexcept override;
    send_errc in_vain() noexcept override;
    std::uint64_t life_of_laggard(gate<>::laggard const& held_by,
                                  wait_list& words) noexcept override;
    void wake_descriptors() noexcept override;

    std::uint32_t wake_arm_seen_ = 0;
    std::vector<wake_memory<>> wakes_seen_; ///< of each reader slot
    entry_info entry_;
    mapping ring_map_;
    mapping readers_map_;
};

} // namespace partywall::inline v0::detail
