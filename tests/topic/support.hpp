// SPDX-License-Identifier: BSL-1.0
// What the tests of this room share: a message that says whether it is whole, joining, and the
// bytes of a publisher's segments, to be looked at and tampered with.
#pragma once

#include <partywall/os/futex.hpp>
#include <partywall/participant.hpp>
#include <partywall/ring/readers_layout.hpp>
#include <partywall/ring/ring_layout.hpp>
#include <partywall/segment/owner_word.hpp>
#include <partywall/segment/segment.hpp>

#include <support/scratch_root.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

namespace partywall::test {

using namespace std::chrono_literals;

/// A message with a number, its sender, and a checksum over both.
struct tick {
    std::uint64_t number;
    std::uint64_t sender;
    std::uint64_t check;

    static constexpr std::uint64_t mix(std::uint64_t a, std::uint64_t b) noexcept {
        std::uint64_t x = (a + 1) * 0x9e37'79b9'7f4a'7c15 ^ (b + 1) * 0xc2b2'ae3d'27d4'eb4f;
        x ^= x >> 31;
        return x * 0x1656'67b1'9e37'79f9;
    }
    static constexpr tick of(std::uint64_t number, std::uint64_t sender = 0) noexcept {
        return {number, sender, mix(number, sender)};
    }
    constexpr bool whole() const noexcept { return check == mix(number, sender); }
};

inline participant joined(std::string const& root, std::string const& name = "test") {
    join_options options;
    options.domain = "d";
    options.root = root;
    return join(name, options).value();
}

inline publisher_options gated(std::uint64_t depth, overflow policy = overflow::reject) {
    publisher_options options;
    options.overflow = policy;
    options.depth = depth;
    return options;
}
inline publisher_options dropping(std::uint64_t depth) {
    return gated(depth, overflow::drop_oldest);
}
inline subscriber_options lossless(bool report_close = false) {
    subscriber_options options;
    options.delivery = delivery::lossless;
    options.report_close = report_close;
    return options;
}
inline subscriber_options lossy(std::uint64_t history = 0) {
    subscriber_options options;
    options.history = history;
    return options;
}
inline subscriber_options looking(std::uint64_t history = 0) {
    subscriber_options options = lossy(history);
    options.delivery = delivery::looking;
    return options;
}

/// Sends ticks numbered from `first`; all of them, or the test fails.
template <class Writer> // publisher<tick> or sender<tick>
void send_ticks(Writer& to, std::uint64_t first, std::uint64_t count, std::uint64_t sender = 0) {
    for (std::uint64_t i = 0; i < count; ++i) {
        auto const sent = to.send(tick::of(first + i, sender));
        ASSERT_TRUE(sent.has_value()) << "message " << first + i << ": " << to_string(sent.error());
    }
}

/// Numbers of the whole messages that are there now. What ends it, if that is an event, is left
/// in `event`.
template <class Reader> // subscriber<tick> or receiver<tick>
std::vector<std::uint64_t> take_all(Reader& from, receive_errc* event = nullptr) {
    std::vector<std::uint64_t> numbers;
    for (;;) {
        auto const s = from.try_receive();
        if (!s) {
            if (event != nullptr) {
                *event = s.error();
            }
            return numbers;
        }
        EXPECT_TRUE(s->whole());
        numbers.push_back(s->number);
    }
}

/// Takes from what a hostile writer has left until there is nothing; never for ever. `also`: errors
/// that it may report beside those of every hostile writer.
template <class Reader>
void use_up(Reader& from, std::uint64_t calls_max = 10'000,
            std::initializer_list<receive_errc> also = {}) {
    for (std::uint64_t i = 0; i < calls_max; ++i) {
        auto const s = from.try_receive();
        if (!s && s.error() == receive_errc::empty) {
            return;
        }
        ASSERT_TRUE(s || s.error() == receive_errc::corrupt ||
                    s.error() == receive_errc::publisher_closed ||
                    s.error() == receive_errc::refused ||
                    std::find(also.begin(), also.end(), s.error()) != also.end())
            << to_string(s.error());
    }
}

/// first, first + 1, ... , first + count - 1
inline std::vector<std::uint64_t> numbers(std::uint64_t first, std::uint64_t count) {
    std::vector<std::uint64_t> all(count);
    for (std::uint64_t i = 0; i < count; ++i) {
        all[i] = first + i;
    }
    return all;
}

/// Without slices, which would hide it, a lost wake-up is a hang, and the watchdog ends it.
struct no_slices {
    no_slices() { os::for_test::endless_slices(true); }
    ~no_slices() { os::for_test::endless_slices(false); }
};

/// A publisher's two segments, mapped writable as only a hostile process would.
class tampered_topic {
  public:
    tampered_topic(participant const& as, entry_info const& publisher)
        : ring_(attach_segment(as.core()->dir(),
                               {{segment_kind::ring, publisher.owner_ticket, publisher.number},
                                detail::ring_layout_version,
                                detail::ring_fingerprint},
                               access::read_write)
                    .value()),
          readers_(
              attach_segment(as.core()->dir(),
                             {{segment_kind::readers, publisher.owner_ticket, publisher.number},
                              detail::readers_layout_version,
                              detail::readers_fingerprint},
                             access::read_write)
                  .value()) {}
    /// Of the only publisher of `topic`.
    tampered_topic(participant const& as, std::string const& topic)
        : tampered_topic(as, as.publishers(topic).at(0)) {}

    detail::ring_segment& ring() const {
        return *reinterpret_cast<detail::ring_segment*>(ring_.data());
    }
    detail::readers_segment& readers() const {
        return *reinterpret_cast<detail::readers_segment*>(readers_.data());
    }
    detail::reader_slot* slots() const {
        return reinterpret_cast<detail::reader_slot*>(readers_.data() +
                                                      detail::reader_slots_offset);
    }
    std::uint32_t slot_count() const { return readers().constants.slot_count; }
    std::uint64_t* cell(std::uint64_t index) const {
        return reinterpret_cast<std::uint64_t*>(ring_.data() + detail::ring_cells_offset +
                                                index * ring().constants.stride);
    }
    std::uint32_t used_slots() const {
        return static_cast<std::uint32_t>(
            std::count_if(slots(), slots() + slot_count(), [](detail::reader_slot const& s) {
                return !owner_word<>::load(s.owner).is_free();
            }));
    }

  private:
    mapping ring_;
    mapping readers_;
};

/// What is in the domain's directory, sorted, without the registry and life files.
inline std::vector<std::string> topic_files(scratch_root const& root) {
    std::vector<std::string> files;
    for (std::string const& name : root.leftovers()) {
        if (name.starts_with("d/ring.") || name.starts_with("d/readers.") ||
            name.find("tmp") != std::string::npos) {
            files.push_back(name.substr(2));
        }
    }
    return files;
}

} // namespace partywall::test
