// SPDX-License-Identifier: BSL-1.0
// Goal: the members that we list are the members that are there, for every shape of aggregate;
// and what we cannot list is recognised as such instead of failing to compile.
#include "specimens.hpp"

#include <boost/pfr/core.hpp>
#include <boost/pfr/tuple_size.hpp>
#include <gtest/gtest.h>

#include <utility>

namespace partywall {
namespace {

using namespace specimen;
using detail::fields_of;
using detail::has_visible_fields;
using detail::type_list;

template <class T, class... Fields>
constexpr bool has_fields = std::is_same_v<fields_of<T>, type_list<Fields...>>;

TEST(Fields, OfPlainStructsAreTheirMembersInOrder) {
    EXPECT_TRUE((has_fields<empty>));
    EXPECT_TRUE((has_fields<quote, double, double>));
    EXPECT_TRUE((has_fields<order, std::uint64_t, quote, side, plain, bool, std::byte>));
    EXPECT_TRUE((has_fields<outer::inner, int>));
    EXPECT_TRUE((has_fields<c_style, int>));
    EXPECT_TRUE((has_fields<level<double>, double, std::uint32_t>));
}

TEST(Fields, IncludeArraysAsWholes) {
    EXPECT_TRUE((has_fields<tick, char[8], std::int32_t[3][4], quote[2], std::array<short, 3>,
                            std::array<quote, 2>>));
    EXPECT_TRUE((has_fields<one_element_array, int[1]>));
}

TEST(Fields, OfPackedStructsAndBitFieldsHaveTheirDeclaredTypes) {
    EXPECT_TRUE((has_fields<specimen::packed, char, std::int32_t, double>));
    EXPECT_TRUE((has_fields<bit_fields, std::uint32_t, std::uint32_t, std::int64_t>));
}

TEST(Fields, OfMegabytesAreListedLikeOthers) {
    EXPECT_TRUE((has_fields<image, unsigned char[1920 * 1080 * 3],
                            std::array<std::uint16_t, 1 << 20>, std::int32_t, std::int32_t>));
}

TEST(Fields, MayBeOfTypesThatConvertFromAnythingOrFromNothing) {
    EXPECT_TRUE((has_fields<library_members, std::optional<int>, std::chrono::nanoseconds,
                            std::complex<float>, std::array<int, 0>>));
    EXPECT_TRUE((has_fields<empty_members, empty, int, empty[2]>));
    EXPECT_TRUE((has_fields<named_union_member, named_union_member::any_of, int>));
}

TEST(Fields, HaveTheirTypesWithoutConstAndVolatile) {
    EXPECT_TRUE((has_fields<defaults, int, quote, int, int>));
}

TEST(Fields, AreListedUpToAHundred) {
    EXPECT_EQ(fields_of<ninety_fields>::count, 90u);
    EXPECT_EQ(fields_of<hundred_fields>::count, 100u);
    EXPECT_FALSE(has_visible_fields<hundred_and_one_fields>());
}

struct holds_reference {
    int& r;
};

TEST(Fields, OfOtherTypesAreNotVisibleButCompile) {
    EXPECT_FALSE(has_visible_fields<derived>());
    EXPECT_FALSE(has_visible_fields<derived_from_empty>());
    EXPECT_FALSE(has_visible_fields<anonymous_union>());
    EXPECT_FALSE(has_visible_fields<anonymous_struct>());
    EXPECT_FALSE(has_visible_fields<unnamed_struct_member>());
    EXPECT_FALSE(has_visible_fields<hidden_default>());
    EXPECT_FALSE(has_visible_fields<without_default>());
    EXPECT_FALSE(has_visible_fields<tuple_like>());
    EXPECT_FALSE(has_visible_fields<outer::choice>());
    EXPECT_FALSE(has_visible_fields<holds_reference>());
    EXPECT_FALSE((has_visible_fields<std::array<int, 3>>()));
    EXPECT_FALSE(has_visible_fields<int>());
    EXPECT_FALSE(has_visible_fields<side>());
    EXPECT_FALSE(has_visible_fields<int[3]>());
}

template <class T, class... Fields>
constexpr bool pfr_agrees(type_list<Fields...>) {
    return []<std::size_t... I>(std::index_sequence<I...>) {
        return boost::pfr::tuple_size_v<T> == sizeof...(Fields) &&
               (std::is_same_v<std::remove_cv_t<boost::pfr::tuple_element_t<I, T>>, Fields> && ...);
    }
    (std::index_sequence_for<Fields...>());
}

TEST(Fields, AreThoseOfBoostPfrWhereItSeesThem) {
    EXPECT_TRUE(pfr_agrees<quote>(fields_of<quote>{}));
    EXPECT_TRUE(pfr_agrees<order>(fields_of<order>{}));
    EXPECT_TRUE(pfr_agrees<defaults>(fields_of<defaults>{}));
    EXPECT_TRUE(pfr_agrees<named_union_member>(fields_of<named_union_member>{}));
    EXPECT_TRUE(pfr_agrees<level<double>>(fields_of<level<double>>{}));
    EXPECT_TRUE(pfr_agrees<ninety_fields>(fields_of<ninety_fields>{}));
    EXPECT_TRUE(pfr_agrees<hundred_fields>(fields_of<hundred_fields>{}));
}

} // namespace
} // namespace partywall
