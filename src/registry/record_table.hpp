// SPDX-License-Identifier: BSL-1.0
// The registry's shared records, as shared_records.hpp wants to see them.
#pragma once

#include <partywall/registry/record_info.hpp>
#include <partywall/registry/registry_layout.hpp>
#include <partywall/registry/registry_slots.hpp>
#include <partywall/registry/shared_records.hpp>
#include <partywall/segment/copy_words.hpp>

#include <cstdint>
#include <cstring>
#include <string_view>

namespace partywall::inline v0::detail {

constexpr bool is_record_kind(std::uint32_t kind) noexcept {
    return kind == static_cast<std::uint32_t>(record_kind::circuit_breaker);
}

/// The slot's contents but its words: constant while it is ready.
struct record_head {
    std::uint32_t kind;
    std::uint32_t name_bytes;
    std::uint64_t fingerprint;
    char name[name_bytes_max];
};
static_assert(sizeof(record_head) == offsetof(record_slot, reserved) - offsetof(record_slot, kind));

inline record_head load_head(record_slot const& slot) noexcept {
    record_head head;
    copy_words<>::load(reinterpret_cast<std::byte*>(&head),
                       reinterpret_cast<std::byte const*>(&slot) + offsetof(record_slot, kind),
                       sizeof head);
    return head;
}

/// Whether the participant in that slot says that it uses the record.
inline bool marks(participant_slot const& slot, std::uint32_t record) noexcept {
    // relaxed: the record's owner word orders it, see shared_records.hpp, I1.
    return ((std_atomics::load(slot.uses[record / 64], std::memory_order_relaxed) >>
             (record % 64)) &
            1) != 0;
}

struct record_table {
    registry_layout& registry;
    std::uint64_t me;
    std::uint32_t my_slot;
    // For join():
    record_head head = {};
    std::uint64_t const* initial = nullptr;
    // Users who are proven dead do not count. nullptr: all count.
    bool (*dead)(void* context, std::uint64_t ticket) = nullptr;
    void* context = nullptr;

    static constexpr std::uint32_t count() noexcept { return records_max; }
    std::uint64_t ticket() const noexcept { return me; }
    std::uint64_t& word(std::uint32_t k) const noexcept { return registry.records[k].owner; }

    bool is_wanted(std::uint32_t k) const noexcept {
        record_head const there = load_head(registry.records[k]);
        return there.kind == head.kind && there.name_bytes == head.name_bytes &&
               std::memcmp(there.name, head.name, sizeof head.name) == 0;
    }
    void fill(std::uint32_t k) const noexcept {
        record_slot& slot = registry.records[k];
        copy_words<>::store(reinterpret_cast<std::byte*>(&slot) + offsetof(record_slot, kind),
                            reinterpret_cast<std::byte const*>(&head), sizeof head);
        copy_words<>::store(reinterpret_cast<std::byte*>(slot.words),
                            reinterpret_cast<std::byte const*>(initial), sizeof slot.words);
    }
    void wipe(std::uint32_t k) const noexcept {
        auto* const words = reinterpret_cast<std::uint64_t*>(&registry.records[k]);
        for (std::size_t i = 1; i < sizeof(record_slot) / 8; ++i) {
            // relaxed: followed by the change of the owner word.
            std_atomics::store(words[i], std::uint64_t{0}, std::memory_order_relaxed);
        }
    }
    void mark(std::uint32_t k, bool used) const noexcept {
        std::uint64_t& uses = registry.participants[my_slot].uses[k / 64];
        std::uint64_t const bit = std::uint64_t{1} << (k % 64);
        // relaxed: only we write it; followed by the change of the owner word (I1), or by a fence.
        std::uint64_t const now = std_atomics::load(uses, std::memory_order_relaxed);
        std_atomics::store(uses, used ? now | bit : now & ~bit, std::memory_order_relaxed);
    }
    bool is_used(std::uint32_t k) const {
        for (participant_slot const& slot : registry.participants) {
            owner const seen = owner_word<>::load(slot.owner);
            if (!seen.is_free() && seen.ticket() != 0 && marks(slot, k) &&
                (dead == nullptr || !dead(context, seen.ticket()))) {
                return true;
            }
        }
        return false;
    }
};
using record_steps = shared_records<std_atomics, record_table>;

} // namespace partywall::inline v0::detail
