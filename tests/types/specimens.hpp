// SPDX-License-Identifier: BSL-1.0
// Message types of every shape that we can think of, and the list of them.
#pragma once

#include <partywall/message_traits.hpp>

#include <array>
#include <chrono>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace specimen {

enum class side : std::uint8_t { buy, sell };
enum plain { red, green };

struct empty {};
struct quote {
    double bid;
    double ask;
};
struct order {
    std::uint64_t id;
    quote limit;
    side way;
    plain colour;
    bool urgent;
    std::byte tag;
};
struct tick {
    char symbol[8];
    std::int32_t grid[3][4];
    quote levels[2];
    std::array<short, 3> sizes;
    std::array<quote, 2> more;
};
struct one_element_array {
    int values[1];
};
struct __attribute__((packed)) packed {
    char kind;
    std::int32_t value;
    double price;
};
struct bit_fields {
    std::uint32_t low : 3;
    std::uint32_t high : 29;
    std::int64_t whole;
};
struct image { // nothing here may depend on the size
    unsigned char pixels[1920 * 1080 * 3];
    std::array<std::uint16_t, 1 << 20> depth;
    std::int32_t width, height;
};
struct library_members {
    std::optional<int> perhaps;
    std::chrono::nanoseconds time;
    std::complex<float> z;
    std::array<int, 0> nothing;
};
struct empty_members {
    empty first;
    int value;
    empty some[2];
};
struct defaults {
    int a = 3;
    quote q{1, 2};
    const int c = 5;
    volatile int d = 6;
};
struct base {
    int a;
};
struct derived : base {
    int b;
};
struct derived_from_empty : empty {
    int b;
    int c;
};
struct anonymous_union {
    int kind;
    union {
        int a;
        float b;
    };
};
struct holds_anonymous_union {
    anonymous_union first;
    int second;
};
struct anonymous_struct { // an extension that both compilers have
    __extension__ struct {
        int a;
        float b;
    };
    int kind;
};
struct unnamed_struct_member {
    struct {
        int z;
    } s;
    int y;
};
struct named_union_member {
    union any_of {
        int a;
        float b;
    } v;
    int w;
};
class without_default {
  public:
    explicit without_default(int v) : value_(v) {}
    int value() const { return value_; }

  private:
    int value_;
};
struct hidden_default {
    int a;
    without_default b = without_default(3);
    int c;
};
struct vouched_for {
    int a;
    char const* p;
};
struct holds_vouched_for {
    vouched_for v;
    int b;
};
struct versioned {
    int metres;
};
struct holds_versioned {
    versioned v;
};
struct tuple_like {
    int a;
    int b;
};
struct outer {
    struct inner {
        int a;
    };
    union choice {
        int a;
        float b;
    };
};
typedef struct {
    int a;
} c_style;
template <class T>
struct level {
    T price;
    std::uint32_t lots;
};
inline namespace v2 {
struct in_inline_namespace {
    int a;
};
} // namespace v2
struct holds_type_of_inline_namespace {
    in_inline_namespace a;
    std::optional<in_inline_namespace> b;
};

// clang-format off
#define SPECIMEN_FIVE(n) int a##n##0, a##n##1, a##n##2, a##n##3, a##n##4;
#define SPECIMEN_TEN(n) SPECIMEN_FIVE(n) SPECIMEN_FIVE(n##_)
#define SPECIMEN_THIRTY(n) SPECIMEN_TEN(n##0) SPECIMEN_TEN(n##1) SPECIMEN_TEN(n##2)
#define SPECIMEN_NINETY SPECIMEN_THIRTY(0) SPECIMEN_THIRTY(1) SPECIMEN_THIRTY(2)
// clang-format on
struct ninety_fields {
    SPECIMEN_NINETY
};
struct hundred_fields {
    SPECIMEN_NINETY SPECIMEN_TEN(9)
};
struct hundred_and_one_fields {
    SPECIMEN_NINETY SPECIMEN_TEN(9) int last;
};

} // namespace specimen

struct specimen_in_no_namespace {
    int a;
};

template <>
struct std::tuple_size<specimen::tuple_like> : std::integral_constant<std::size_t, 7> {};
template <>
struct partywall::message_traits<specimen::level<double>> {
    static constexpr std::string_view name = "level<double>";
};
template <>
struct partywall::message_traits<specimen::in_inline_namespace> {
    static constexpr char const* name = "specimen::in_inline_namespace";
};
template <>
struct partywall::message_traits<specimen::vouched_for> {
    static constexpr bool opaque = true;
};
template <>
struct partywall::message_traits<specimen::versioned> {
    static constexpr std::uint32_t version = 7;
};

namespace specimen {

template <class... T>
struct list {};

/// Every type whose fingerprint is pinned by fingerprints.golden, in its order.
using all =
    list<bool, char, char8_t, char16_t, char32_t, wchar_t, signed char, unsigned char, short,
         unsigned short, int, unsigned, long, unsigned long, long long, unsigned long long, float,
         double, std::byte, side, plain, empty, quote, order, tick, one_element_array, packed,
         bit_fields, image, library_members, empty_members, defaults, base, derived,
         derived_from_empty, anonymous_union, holds_anonymous_union, anonymous_struct,
         unnamed_struct_member, named_union_member, without_default, hidden_default, vouched_for,
         holds_vouched_for, versioned, holds_versioned, tuple_like, outer::inner, outer::choice,
         c_style, level<double>, in_inline_namespace, holds_type_of_inline_namespace, ninety_fields,
         hundred_fields, hundred_and_one_fields, specimen_in_no_namespace, partywall::bytes, char[],
         quote[], level<double>[]>;

} // namespace specimen
