// SPDX-License-Identifier: BSL-1.0
// Rings for tests: the cells end where a page begins that nobody may touch, and start behind one.
#pragma once

#include <partywall/ring/readers_layout.hpp>
#include <partywall/ring/ring_geometry.hpp>
#include <partywall/ring/ring_layout.hpp>
#include <partywall/ring/ring_reader.hpp>
#include <partywall/ring/ring_writer.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <sys/mman.h>
#include <vector>

namespace partywall::test {

/// Zeroed memory of `bytes` (a multiple of 8) with a forbidden page before and behind. What is
/// left of the first page lies before data().
class guarded_memory {
  public:
    explicit guarded_memory(std::size_t bytes) : pages_((bytes + page - 1) / page * page) {
        void* const all =
            ::mmap(nullptr, pages_ + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (all == MAP_FAILED) {
            throw std::bad_alloc();
        }
        base_ = static_cast<std::byte*>(all);
        if (::mprotect(base_ + page, pages_, PROT_READ | PROT_WRITE) != 0) {
            throw std::bad_alloc();
        }
        data_ = base_ + page + pages_ - bytes;
    }
    ~guarded_memory() { ::munmap(base_, pages_ + 2 * page); }
    guarded_memory(guarded_memory const&) = delete;
    guarded_memory& operator=(guarded_memory const&) = delete;

    std::byte* data() const noexcept { return data_; }

  private:
    static constexpr std::size_t page = 65536; // of every machine that we know
    std::size_t pages_;
    std::byte* base_;
    std::byte* data_;
};

struct ring_shape {
    std::uint64_t cells = 4;
    std::uint64_t payload = 8;
    bool variable = false;
    std::uint64_t start = 0;
};

class test_ring {
  public:
    explicit test_ring(ring_shape const& shape) : memory_(shape.cells * stride_of(shape)) {
        geometry_.cells = memory_.data();
        geometry_.cell_count = shape.cells;
        geometry_.stride = stride_of(shape);
        geometry_.payload_bytes_max = shape.payload;
        geometry_.payload_offset = offset_of(shape);
        geometry_.variable_length = shape.variable;
        geometry_.start_position = shape.start;
        detail::ring_writer<>::format(geometry_);
    }

    detail::ring_geometry const& geometry() const noexcept { return geometry_; }
    detail::ring_writer<> writer() const { return detail::ring_writer<>(geometry_); }
    detail::ring_reader<> reader() const { return reader(geometry_.start_position); }
    detail::ring_reader<> reader(std::uint64_t position) const { return {geometry_, position}; }

  private:
    static std::uint32_t offset_of(ring_shape const& shape) {
        return shape.variable ? detail::variable_payload_offset : detail::fixed_payload_offset(8);
    }
    static std::uint64_t stride_of(ring_shape const& shape) {
        return detail::stride_for(offset_of(shape), shape.payload);
    }

    guarded_memory memory_;
    detail::ring_geometry geometry_;
};

/// Where positions start in tests: at the beginning and around every edge of their arithmetic.
inline std::vector<std::uint64_t> edge_positions() {
    std::vector<std::uint64_t> all{0, 1, 2, 3, 5, 64};
    for (unsigned const bit : {16U, 31U, 32U, 62U, 63U}) {
        for (std::uint64_t const before : {64U, 5U, 4U, 3U, 2U, 1U, 0U}) {
            all.push_back((std::uint64_t{1} << bit) - before);
        }
    }
    for (std::uint64_t const before : {64U, 5U, 4U, 3U, 2U, 1U}) {
        all.push_back(std::uint64_t{0} - before);
    }
    return all;
}

/// Numbers that a hostile process would put into a control word; `self` is the honest one.
inline std::vector<std::uint64_t> hostile_numbers(std::uint64_t self, std::uint64_t capacity) {
    std::vector<std::uint64_t> all{0,
                                   1,
                                   capacity - 1,
                                   capacity,
                                   capacity + 1,
                                   self + capacity + 1,
                                   self - 1,
                                   self - capacity,
                                   self - capacity - 1,
                                   self + 1,
                                   self + 2};
    for (unsigned const bit : {15U, 16U, 31U, 32U, 62U, 63U}) {
        std::uint64_t const power = std::uint64_t{1} << bit;
        all.insert(all.end(), {power - 1, power, power + 1, self + power, self - power});
    }
    all.insert(all.end(), {~std::uint64_t{0}, ~std::uint64_t{0} - 1});
    return all;
}

/// A message that knows whether it is whole: every word follows from the first.
template <std::size_t Words>
struct checked_message {
    std::array<std::uint64_t, Words> words;

    static checked_message of(std::uint64_t number) {
        checked_message m;
        for (std::size_t i = 0; i < Words; ++i) {
            m.words[i] = number * 0x9e37'79b9'7f4a'7c15 + i * i;
        }
        m.words[0] = number;
        return m;
    }
    std::uint64_t number() const { return words[0]; }
    bool whole() const { return words == of(words[0]).words; }
};

} // namespace partywall::test
