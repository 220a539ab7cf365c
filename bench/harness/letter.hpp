// SPDX-License-Identifier: BSL-1.0
// What is in the messages, so that a receiver can tell a right one from every other.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace partywall::bench {

/// First word of a message: who wrote it, and the how manieth of that writer it is.
struct tag {
    static constexpr std::uint64_t number_bits = 56;
    static constexpr std::uint64_t number_mask = (std::uint64_t{1} << number_bits) - 1;
    /// Sent until everybody is known to hear; not counted.
    static constexpr std::uint64_t hello = number_mask;
    /// The last one.
    static constexpr std::uint64_t goodbye = number_mask - 1;

    std::uint64_t word;

    static constexpr tag of(std::uint64_t writer, std::uint64_t number) noexcept {
        return {(writer << number_bits) | number};
    }
    constexpr std::uint64_t writer() const noexcept { return word >> number_bits; }
    constexpr std::uint64_t number() const noexcept { return word & number_mask; }
};

/// Size known when the program runs, not when it is compiled.
inline constexpr std::size_t any_size = 0;

/// Writes and checks messages of one size. Every word follows from the tag, so that no message is
/// a piece of another. `ends_only`: only the first and the last word are written and looked at,
/// for large messages whose transport is to be measured and not the memory.
template <std::size_t Bytes>
class letter {
  public:
    explicit letter(std::size_t bytes, bool ends_only = false) noexcept
        : bytes_(bytes), ends_only_(ends_only) {}

    std::size_t bytes() const noexcept { return Bytes != any_size ? Bytes : bytes_; }

    void write(void* to, tag t) const noexcept {
        auto* const bytes_to = static_cast<std::byte*>(to);
        if (ends_only()) {
            store(bytes_to, 0, t.word);
            store(bytes_to, words() - 1, word_of(t, words() - 1));
            return;
        }
        for (std::size_t i = 0; i < words(); ++i) {
            store(bytes_to, i, word_of(t, i));
        }
    }

    /// The tag of a message; `right` says whether every word fits it and the size is right.
    tag read(void const* from, std::size_t bytes_there, bool& right) const noexcept {
        right = bytes_there == bytes();
        if (!right) {
            return {0};
        }
        auto const* const bytes_from = static_cast<std::byte const*>(from);
        tag const t{load(bytes_from, 0)};
        std::uint64_t wrong = 0;
        if (ends_only()) {
            wrong = load(bytes_from, words() - 1) ^ word_of(t, words() - 1);
        } else {
            for (std::size_t i = 1; i < words(); ++i) {
                wrong |= load(bytes_from, i) ^ word_of(t, i);
            }
        }
        right = wrong == 0;
        return t;
    }

  private:
    bool ends_only() const noexcept { return Bytes == any_size && ends_only_; }
    std::size_t words() const noexcept { return bytes() / sizeof(std::uint64_t); }
    static std::uint64_t word_of(tag t, std::size_t i) noexcept {
        return t.word + i * 0x9e37'79b9'7f4a'7c15U;
    }
    static void store(std::byte* to, std::size_t i, std::uint64_t word) noexcept {
        std::memcpy(to + i * sizeof word, &word, sizeof word);
    }
    static std::uint64_t load(std::byte const* from, std::size_t i) noexcept {
        std::uint64_t word;
        std::memcpy(&word, from + i * sizeof word, sizeof word);
        return word;
    }

    std::size_t bytes_;
    bool ends_only_;
};

/// What one receiver took, against what it should have.
class ledger {
  public:
    static constexpr std::size_t writers_max = 16;

    void take(tag t, bool right) noexcept {
        if (!right || t.writer() >= writers_max) [[unlikely]] {
            wrong_ += 1;
            return;
        }
        std::uint64_t& next = next_[t.writer()];
        if (t.number() != next) [[unlikely]] {
            if (t.number() < next) { // again, or in another order
                wrong_ += 1;
                return;
            }
            lost_ += t.number() - next;
        }
        next = t.number() + 1;
        taken_ += 1;
    }
    /// The writer says how many it has sent: what is missing at the end was lost, too.
    void close(std::uint64_t writer, std::uint64_t sent) noexcept {
        if (writer < writers_max && next_[writer] < sent) {
            lost_ += sent - next_[writer];
            next_[writer] = sent;
        } else if (writer >= writers_max || next_[writer] > sent) {
            wrong_ += 1;
        }
    }

    std::uint64_t taken() const noexcept { return taken_; }
    std::uint64_t lost() const noexcept { return lost_; }
    std::uint64_t wrong() const noexcept { return wrong_; }

  private:
    std::array<std::uint64_t, writers_max> next_{};
    std::uint64_t taken_ = 0;
    std::uint64_t lost_ = 0;
    std::uint64_t wrong_ = 0;
};

} // namespace partywall::bench
