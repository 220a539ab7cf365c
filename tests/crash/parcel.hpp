// SPDX-License-Identifier: BSL-1.0
// The message of this room: one line of numbers that all follow from the first two.
#pragma once

#include <topic/support.hpp>

#include <cstdint>

namespace partywall::test {

struct parcel {
    std::uint64_t number;
    std::uint64_t sender;
    std::uint64_t body[5];
    std::uint64_t check; ///< over all of the above

    static constexpr parcel of(std::uint64_t number, std::uint64_t sender) noexcept {
        parcel p{number, sender, {}, 0};
        for (std::uint64_t i = 0; i < 5; ++i) {
            p.body[i] = tick::mix(number + i, sender);
        }
        p.check = p.sum();
        return p;
    }
    constexpr bool whole() const noexcept { return check == sum(); }

  private:
    constexpr std::uint64_t sum() const noexcept {
        std::uint64_t all = tick::mix(number, sender);
        for (std::uint64_t const word : body) {
            all = tick::mix(all, word);
        }
        return all;
    }
};

} // namespace partywall::test
