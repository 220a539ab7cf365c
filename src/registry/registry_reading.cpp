// SPDX-License-Identifier: BSL-1.0
#include "registry_reading.hpp"

#include <partywall/name.hpp>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <unistd.h>

namespace partywall::inline v0::detail {

namespace {

using slots = registry_slots<>;
using owners = owner_word<>;

/// A reader that is disturbed this often by changes of one slot leaves it to the next look.
constexpr int attempts_max = 16;

bool is_kind(std::uint32_t value) noexcept {
    switch (static_cast<entry_kind>(value)) {
    case entry_kind::topic_publisher:
    case entry_kind::topic_subscription:
    case entry_kind::inbox:
    case entry_kind::service:
    case entry_kind::surveyor:
    case entry_kind::respondent: return true;
    }
    return false;
}

bool is_health(std::uint32_t value) noexcept {
    return value >= static_cast<std::uint32_t>(health::starting) &&
           value <= static_cast<std::uint32_t>(health::closed);
}

/// Ready words name somebody. A ready word of ticket 0 is nobody's, so it was never written.
bool is_usable(owner seen) noexcept {
    return seen.phase() == slot_phase::ready && seen.ticket() != 0;
}

bool copy_all(participant_slot const& slot, owner seen, participant_record& raw) noexcept {
    return slots::copy(slot, seen, raw);
}

/// Whether an entry is there never depends on its metadata: if the owner replaces them faster
/// than we can read, they read as none.
bool copy_all(entry_slot const& slot, owner seen, raw_entry& raw) noexcept {
    if (!slots::copy(slot, seen, raw)) {
        return false;
    }
    for (int attempt = 0; attempt < attempts_max; ++attempt) {
        if (slots::copy_metadata(slot, seen, raw.meta)) {
            return true;
        }
    }
    raw.meta.bytes = 0;
    return true;
}

template <class Info, class Raw, class Slot, class Decode>
slot_reading<Info> read_slot(Slot const& slot, Decode decode) {
    for (int attempt = 0; attempt < attempts_max; ++attempt) {
        owner const seen = owners::load(slot.owner);
        if (!is_usable(seen)) {
            return {reading::not_ready, seen, std::nullopt};
        }
        Raw raw;
        if (copy_all(slot, seen, raw)) {
            std::optional<Info> info = decode(raw, seen);
            reading const outcome = info ? reading::value : reading::corrupt;
            return {outcome, seen, std::move(info)};
        }
    }
    return {reading::unstable, {}, std::nullopt};
}

} // namespace

std::optional<entry_info> decode_entry(raw_entry const& raw, owner seen, std::uint32_t index) {
    entry_record const& record = raw.record;
    if (!is_kind(record.kind) || !is_health(raw.health) || record.name_bytes > name_bytes_max ||
        record.type_name_bytes > type_name_bytes_max || raw.meta.bytes > metadata_bytes_max) {
        return std::nullopt;
    }
    std::string_view const name(record.name, record.name_bytes);
    if (!check_name(name)) {
        return std::nullopt;
    }
    auto meta = decode_metadata({raw.meta.data, static_cast<std::size_t>(raw.meta.bytes)});
    if (!meta) {
        return std::nullopt;
    }
    entry_info info;
    info.kind = static_cast<entry_kind>(record.kind);
    info.name = name;
    info.type.fingerprint = record.type_fingerprint;
    info.type.size = record.type_size;
    info.type.alignment = record.type_alignment;
    info.type.name.assign(record.type_name, record.type_name_bytes);
    info.number = record.number;
    info.policy = record.policy;
    info.flags = record.flags;
    info.depth = record.depth;
    info.payload_bytes_max = record.payload_bytes_max;
    info.state = static_cast<health>(raw.health);
    info.initial = info.state;
    info.meta = std::move(*meta);
    info.index = index;
    info.owner = seen.word;
    info.owner_ticket = seen.ticket();
    info.incarnation = record.incarnation;
    return info;
}

std::optional<participant_info> decode_participant(participant_record const& raw, owner seen,
                                                   std::uint32_t index) {
    if (raw.name_bytes > participant_name_bytes_max) {
        return std::nullopt;
    }
    std::string_view const name(raw.name, raw.name_bytes);
    if (!check_participant_name(name)) {
        return std::nullopt;
    }
    participant_info info;
    info.index = index;
    info.ticket = seen.ticket();
    info.pid = raw.pid;
    info.start_time_ns = raw.start_time_ns;
    info.name = name;
    return info;
}

metadata_area encode_area(std::span<std::byte const> encoded_metadata) noexcept {
    metadata_area area{};
    area.bytes = std::min(encoded_metadata.size(), metadata_bytes_max);
    std::copy_n(encoded_metadata.begin(), area.bytes, area.data);
    return area;
}

raw_entry encode_entry(entry_spec const& spec, std::uint64_t incarnation,
                       std::span<std::byte const> encoded_metadata) noexcept {
    raw_entry raw{};
    entry_record& record = raw.record;
    record.kind = static_cast<std::uint32_t>(spec.kind);
    record.type_size = spec.type.size;
    record.number = spec.number;
    record.incarnation = incarnation;
    record.type_fingerprint = spec.type.fingerprint;
    record.type_alignment = spec.type.alignment;
    record.policy = spec.policy;
    record.flags = spec.flags;
    record.depth = spec.depth;
    record.payload_bytes_max = spec.payload_bytes_max;
    record.name_bytes = static_cast<std::uint32_t>(std::min(spec.name.size(), name_bytes_max));
    std::memcpy(record.name, spec.name.data(), record.name_bytes);
    record.type_name_bytes =
        static_cast<std::uint32_t>(std::min(spec.type.name.size(), type_name_bytes_max));
    std::memcpy(record.type_name, spec.type.name.data(), record.type_name_bytes);
    raw.health = static_cast<std::uint32_t>(spec.initial);
    raw.meta = encode_area(encoded_metadata);
    return raw;
}

participant_record encode_participant(std::string_view name) noexcept {
    participant_record record{};
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    record.pid = static_cast<std::uint32_t>(::getpid());
    record.start_time_ns = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
                           static_cast<std::uint64_t>(now.tv_nsec);
    record.name_bytes =
        static_cast<std::uint32_t>(std::min(name.size(), participant_name_bytes_max));
    std::memcpy(record.name, name.data(), record.name_bytes);
    return record;
}

slot_reading<entry_info> read_entry(registry_layout const& registry, std::uint32_t index) {
    return read_slot<entry_info, raw_entry>(
        registry.entries[index],
        [&](raw_entry const& raw, owner seen) { return decode_entry(raw, seen, index); });
}

slot_reading<participant_info> read_participant(registry_layout const& registry,
                                                std::uint32_t index) {
    return read_slot<participant_info, participant_record>(
        registry.participants[index], [&](participant_record const& raw, owner seen) {
            return decode_participant(raw, seen, index);
        });
}

domain_snapshot read_all(registry_layout const& registry) {
    domain_snapshot all;
    // Before everything else: whatever changes from here on is followed by another number.
    // Pairs with the release in bump_epoch().
    all.sequence = std_atomics::load(registry.epoch, std::memory_order_acquire);
    for (std::uint32_t i = 0; i < participants_max; ++i) {
        if (auto one = read_participant(registry, i); one.outcome == reading::value) {
            all.participants.push_back(std::move(*one.info));
        }
    }
    for (std::uint32_t i = 0; i < entries_max; ++i) {
        if (auto one = read_entry(registry, i); one.outcome == reading::value) {
            all.entries.push_back(std::move(*one.info));
        }
    }
    return all;
}

std::uint64_t digest_of(registry_layout const& registry) noexcept {
    std::uint64_t digest = 0xcbf2'9ce4'8422'2325;
    auto const add = [&digest](std::uint64_t number) {
        digest = (digest ^ number) * 0x9e37'79b9'7f4a'7c15;
        digest ^= digest >> 29;
    };
    for (std::uint32_t i = 0; i < participants_max; ++i) {
        if (owner const seen = owners::load(registry.participants[i].owner); is_usable(seen)) {
            add(i);
            add(seen.word);
        }
    }
    for (std::uint32_t i = 0; i < entries_max; ++i) {
        entry_slot const& slot = registry.entries[i];
        if (owner const seen = owners::load(slot.owner); is_usable(seen)) {
            add(participants_max + i);
            add(seen.word);
            add(std_atomics::load(slot.health, std::memory_order_relaxed));
            add(std_atomics::load(slot.metadata_version, std::memory_order_relaxed));
        }
    }
    return digest;
}

} // namespace partywall::inline v0::detail
