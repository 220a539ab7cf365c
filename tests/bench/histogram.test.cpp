// SPDX-License-Identifier: BSL-1.0
#include "harness/histogram.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <random>
#include <vector>

namespace {

using partywall::bench::histogram;

/// The same by sorting.
std::uint64_t reference(std::vector<std::uint64_t> sorted, double fraction) {
    auto const rank =
        static_cast<std::size_t>(std::ceil(fraction * static_cast<double>(sorted.size())));
    return sorted[std::max<std::size_t>(rank, 1) - 1];
}

void expect_close(std::uint64_t found, std::uint64_t exact) {
    EXPECT_GE(found, exact);
    EXPECT_LE(static_cast<double>(found), static_cast<double>(exact) * (1 + 1.0 / 128));
}

TEST(Histogram, HasNoValuesAtFirst) {
    auto const h = std::make_unique<histogram>();
    EXPECT_EQ(h->count(), 0U);
    EXPECT_EQ(h->max(), 0U);
    EXPECT_EQ(h->mean(), 0.0);
    EXPECT_EQ(h->percentile(0.5), 0U);
}

TEST(Histogram, IsExactBelow128) {
    for (std::uint64_t value = 0; value < 128; ++value) {
        auto const h = std::make_unique<histogram>();
        h->record(value);
        h->record(1000);
        EXPECT_EQ(h->percentile(0.5), value);
    }
}

TEST(Histogram, PutsEveryPowerOfTwoAndItsNeighboursIntoTheRightBucket) {
    for (unsigned bit = 7; bit < histogram::value_bits; ++bit) {
        std::uint64_t const power = std::uint64_t{1} << bit;
        for (std::uint64_t const value : {power - 1, power, power + 1}) {
            auto const h = std::make_unique<histogram>();
            h->record(value);
            h->record(histogram::value_max);
            expect_close(h->percentile(0.5), value);
        }
    }
}

TEST(Histogram, AgreesWithSortingForAnyPercentile) {
    std::mt19937_64 random(7);
    std::lognormal_distribution<double> latencies(6, 2);
    auto const h = std::make_unique<histogram>();
    std::vector<std::uint64_t> all;
    for (int i = 0; i < 100'000; ++i) {
        auto const value = static_cast<std::uint64_t>(latencies(random));
        all.push_back(value);
        h->record(value);
    }
    std::sort(all.begin(), all.end());
    for (double const fraction : {0.0001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0}) {
        SCOPED_TRACE(fraction);
        expect_close(h->percentile(fraction), reference(all, fraction));
    }
    EXPECT_EQ(h->max(), all.back());
    EXPECT_EQ(h->percentile(1), all.back());
    double sum = 0;
    for (std::uint64_t const value : all) {
        sum += static_cast<double>(value);
    }
    EXPECT_NEAR(h->mean(), sum / static_cast<double>(all.size()), 1e-6 * h->mean());
}

TEST(Histogram, CountsWhatIsTooLargeAsTheLargest) {
    auto const h = std::make_unique<histogram>();
    h->record(~std::uint64_t{0});
    EXPECT_EQ(h->max(), histogram::value_max);
    EXPECT_EQ(h->percentile(0.5), histogram::value_max);
}

TEST(Histogram, AddsAnotherOne) {
    auto const a = std::make_unique<histogram>();
    auto const b = std::make_unique<histogram>();
    a->record(10);
    b->record(20);
    b->record(3000);
    a->add(*b);
    EXPECT_EQ(a->count(), 3U);
    EXPECT_EQ(a->percentile(0.5), 20U);
    EXPECT_EQ(a->max(), 3000U);
}

TEST(Histogram, ShowsItsBucketsInOrderUpToTheLast) {
    auto const h = std::make_unique<histogram>();
    for (std::uint64_t const value : {5U, 5U, 7U, 100'000U}) {
        h->record(value);
    }
    std::vector<std::uint64_t> values;
    std::vector<std::uint64_t> seen;
    h->for_each([&](std::uint64_t value, std::uint64_t so_far) {
        values.push_back(value);
        seen.push_back(so_far);
    });
    EXPECT_EQ(values, (std::vector<std::uint64_t>{5, 7, 100'000}));
    EXPECT_EQ(seen, (std::vector<std::uint64_t>{2, 3, 4}));
}

} // namespace
