// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace partywall::bench {

/// How often each value occurred: log-linear buckets, as HdrHistogram has them. Values below 128
/// are exact, larger ones to 1/128 of themselves, up to 2^42 (an hour of nanoseconds); what is
/// larger counts as that. Minimum, maximum and sum are exact.
///
/// Memory   fixed, 37 KiB, no pointers: it may lie in memory that processes share.
/// Cost     record: a bit scan and three stores. Runs touch few of its lines.
/// Callers  one thread at a time.
class histogram {
  public:
    static constexpr unsigned fine_bits = 7;
    static constexpr unsigned value_bits = 42;
    static constexpr std::uint64_t value_max = (std::uint64_t{1} << value_bits) - 1;
    static constexpr std::size_t bucket_count = std::size_t{value_bits - fine_bits + 1}
                                                << fine_bits;

    void record(std::uint64_t value) noexcept {
        value = std::min(value, value_max);
        counts_[index_of(value)] += 1;
        count_ += 1;
        sum_ += value;
        max_ = std::max(max_, value);
    }
    void add(histogram const& other) noexcept {
        for (std::size_t i = 0; i < bucket_count; ++i) {
            counts_[i] += other.counts_[i];
        }
        count_ += other.count_;
        sum_ += other.sum_;
        max_ = std::max(max_, other.max_);
    }
    void clear() noexcept { *this = histogram(); }

    std::uint64_t count() const noexcept { return count_; }
    std::uint64_t max() const noexcept { return max_; }
    double mean() const noexcept {
        return count_ == 0 ? 0 : static_cast<double>(sum_) / static_cast<double>(count_);
    }

    /// The smallest value that so many of all are not above: 0 < fraction <= 1. Rounded up to the
    /// end of its bucket, as HdrHistogram does. 0 if there is none.
    std::uint64_t percentile(double fraction) const noexcept {
        if (count_ == 0) {
            return 0;
        }
        double const wanted = fraction * static_cast<double>(count_);
        std::uint64_t seen = 0;
        for (std::size_t i = 0; i < bucket_count; ++i) {
            seen += counts_[i];
            if (seen != 0 && static_cast<double>(seen) >= wanted) {
                return std::min(last_of(i), max_);
            }
        }
        return max_;
    }

    /// For everybody who draws or stores it: f(last value of the bucket, count so far), of every
    /// bucket that is not empty.
    template <class F>
    void for_each(F f) const {
        std::uint64_t seen = 0;
        for (std::size_t i = 0; i < bucket_count; ++i) {
            if (counts_[i] != 0) {
                seen += counts_[i];
                f(std::min(last_of(i), max_), seen);
            }
        }
    }

  private:
    static constexpr std::uint64_t fine = std::uint64_t{1} << fine_bits;

    static std::size_t index_of(std::uint64_t value) noexcept {
        unsigned const width = static_cast<unsigned>(std::bit_width(value | (fine - 1)));
        unsigned const shift = width > fine_bits ? width - fine_bits - 1 : 0;
        std::uint64_t const octave = width > fine_bits ? shift + std::uint64_t{1} : 0;
        return static_cast<std::size_t>((octave << fine_bits) + ((value >> shift) & (fine - 1)));
    }
    static std::uint64_t last_of(std::size_t index) noexcept {
        std::uint64_t const octave = index >> fine_bits;
        std::uint64_t const low = index & (fine - 1);
        return octave == 0 ? low : ((fine + low + 1) << (octave - 1)) - 1;
    }

    std::array<std::uint64_t, bucket_count> counts_{};
    std::uint64_t count_ = 0;
    std::uint64_t sum_ = 0;
    std::uint64_t max_ = 0;
};

} // namespace partywall::bench
