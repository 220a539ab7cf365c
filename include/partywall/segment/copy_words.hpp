// SPDX-License-Identifier: BSL-1.0
// Copies between private memory and shared memory that another process may be reading or
// writing at the same time. Every shared access is a relaxed atomic of a whole word: no data
// race in the sense of the language, no value out of thin air, and what was read is judged
// afterwards (stamp or owner word), never before.
//
// The shared side is 8-byte aligned and readable/writable up to the next multiple of 8; all
// partywall layouts guarantee that. The private side needs no alignment.
#pragma once

#include <partywall/limits.hpp>
#include <partywall/segment/atomics.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

namespace partywall::inline v0 {

template <class Atomics = std_atomics>
struct copy_words {
    /// Private to shared. The last partial word is padded with zeros, so that nothing of an
    /// earlier message stays behind in it.
    static void store(std::byte* shared, std::byte const* source, std::size_t bytes) noexcept {
        auto* words = reinterpret_cast<std::uint64_t*>(shared);
        for (; bytes >= line_bytes; bytes -= line_bytes) {
            store_words<line_bytes>(words, source, std::make_index_sequence<line_bytes / 8>());
            words += line_bytes / 8;
            source += line_bytes;
        }
        for (; bytes >= 8; bytes -= 8) {
            store_word<0, 8>(words, source);
            words += 1;
            source += 8;
        }
        if (bytes != 0) {
            Atomics::store(*words, gather(source, bytes), std::memory_order_relaxed);
        }
    }

    /// The same for a size that the compiler knows: up to four lines without a loop, so that a
    /// message that was just put together goes through registers.
    template <std::size_t Bytes>
    static void store_fixed(std::byte* shared, std::byte const* source) noexcept {
        if constexpr (Bytes <= unrolled_bytes_max) {
            store_words<Bytes>(reinterpret_cast<std::uint64_t*>(shared), source,
                               std::make_index_sequence<(Bytes + 7) / 8>());
        } else {
            store(shared, source, Bytes);
        }
    }

    /// Shared to private.
    static void load(std::byte* target, std::byte const* shared, std::size_t bytes) noexcept {
        auto const* words = reinterpret_cast<std::uint64_t const*>(shared);
        for (; bytes >= line_bytes; bytes -= line_bytes) {
            load_words<line_bytes>(target, words, std::make_index_sequence<line_bytes / 8>());
            words += line_bytes / 8;
            target += line_bytes;
        }
        for (; bytes >= 8; bytes -= 8) {
            load_word<0, 8>(target, words);
            words += 1;
            target += 8;
        }
        if (bytes != 0) {
            scatter(target, Atomics::load(*words, std::memory_order_relaxed), bytes);
        }
    }

    /// As store_fixed().
    template <std::size_t Bytes>
    static void load_fixed(std::byte* target, std::byte const* shared) noexcept {
        if constexpr (Bytes <= unrolled_bytes_max) {
            load_words<Bytes>(target, reinterpret_cast<std::uint64_t const*>(shared),
                              std::make_index_sequence<(Bytes + 7) / 8>());
        } else {
            load(target, shared, Bytes);
        }
    }

  private:
    // One to seven bytes in pieces whose sizes the compiler knows: a memcpy of any size would be a
    // call for every message.
    static std::uint64_t gather(std::byte const* source, std::size_t bytes) noexcept {
        std::uint64_t word = 0;
        unsigned shift = 0;
        if ((bytes & 4) != 0) {
            word = piece<std::uint32_t>(source);
            source += 4;
            shift = 32;
        }
        if ((bytes & 2) != 0) {
            word |= std::uint64_t{piece<std::uint16_t>(source)} << shift;
            source += 2;
            shift += 16;
        }
        if ((bytes & 1) != 0) {
            word |= std::uint64_t{piece<std::uint8_t>(source)} << shift;
        }
        return word;
    }
    static void scatter(std::byte* target, std::uint64_t word, std::size_t bytes) noexcept {
        if ((bytes & 4) != 0) {
            std::memcpy(target, &word, 4);
            target += 4;
            word >>= 32;
        }
        if ((bytes & 2) != 0) {
            std::memcpy(target, &word, 2);
            target += 2;
            word >>= 16;
        }
        if ((bytes & 1) != 0) {
            std::memcpy(target, &word, 1);
        }
    }
    template <class Piece>
    static Piece piece(std::byte const* source) noexcept {
        Piece value;
        std::memcpy(&value, source, sizeof value);
        return value;
    }

    static constexpr std::size_t unrolled_bytes_max = 256;

    template <std::size_t I, std::size_t Bytes>
    static constexpr std::size_t word_bytes = Bytes - I * 8 < 8 ? Bytes - I * 8 : 8;

    // Unrolled by hand, since the compiler leaves loops of atomic accesses as they are, and inlined
    // always, so that the addresses stay in registers.
    template <std::size_t Bytes, std::size_t... I>
    [[gnu::always_inline]] static void store_words(std::uint64_t* words, std::byte const* source,
                                                   std::index_sequence<I...>) noexcept {
        (store_word<I, Bytes>(words, source), ...);
    }
    template <std::size_t Bytes, std::size_t... I>
    [[gnu::always_inline]] static void load_words(std::byte* target, std::uint64_t const* words,
                                                  std::index_sequence<I...>) noexcept {
        (load_word<I, Bytes>(target, words), ...);
    }

    template <std::size_t I, std::size_t Bytes>
    static void store_word(std::uint64_t* words, std::byte const* source) noexcept {
        std::uint64_t word = 0;
        std::memcpy(&word, source + I * 8, word_bytes<I, Bytes>);
        Atomics::store(words[I], word, std::memory_order_relaxed);
    }
    template <std::size_t I, std::size_t Bytes>
    static void load_word(std::byte* target, std::uint64_t const* words) noexcept {
        std::uint64_t const word = Atomics::load(words[I], std::memory_order_relaxed);
        std::memcpy(target + I * 8, &word, word_bytes<I, Bytes>);
    }
};

} // namespace partywall::inline v0
