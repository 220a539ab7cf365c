// SPDX-License-Identifier: BSL-1.0
// What the compiler says about an aggregate and a number of empty initialiser clauses. The number
// is part of the syntax, hence one specialisation per number; fields.hpp draws the conclusions.
#pragma once

#include <cstddef>
#include <type_traits>

namespace partywall::inline v0::detail {

template <class... T>
struct type_list {
    static constexpr std::size_t count = sizeof...(T);
};

inline constexpr std::size_t fields_max = 100;

/// What can be done with an aggregate T and `Count` empty clauses. Specialised below for 1 to
/// fields_max.
template <class T, std::size_t Count>
struct clauses {
    static_assert(Count == 0);
    /// T{} is valid.
    static constexpr bool valid = requires { T{}; };
    /// T{{}} is valid: there are more members.
    static constexpr bool more = requires { T{{}}; };
    /// T{probe} is valid.
    template <class Probe>
    static constexpr bool valid_with = requires {
        T{Probe{}};
    };
    /// The types of the members, if there are Count of them. Never called.
    static type_list<> types(T&);
};

// clang-format off
// NOLINTBEGIN(bugprone-macro-parentheses): `w` is a macro, and clauses are not expressions.
// Row `q` has the members f_q_0 to f_q_9; `w` makes a clause, a name or a type out of each.
#define PARTYWALL_FIELDS_1(w, q) w(q, 0)
#define PARTYWALL_FIELDS_2(w, q) PARTYWALL_FIELDS_1(w, q), w(q, 1)
#define PARTYWALL_FIELDS_3(w, q) PARTYWALL_FIELDS_2(w, q), w(q, 2)
#define PARTYWALL_FIELDS_4(w, q) PARTYWALL_FIELDS_3(w, q), w(q, 3)
#define PARTYWALL_FIELDS_5(w, q) PARTYWALL_FIELDS_4(w, q), w(q, 4)
#define PARTYWALL_FIELDS_6(w, q) PARTYWALL_FIELDS_5(w, q), w(q, 5)
#define PARTYWALL_FIELDS_7(w, q) PARTYWALL_FIELDS_6(w, q), w(q, 6)
#define PARTYWALL_FIELDS_8(w, q) PARTYWALL_FIELDS_7(w, q), w(q, 7)
#define PARTYWALL_FIELDS_9(w, q) PARTYWALL_FIELDS_8(w, q), w(q, 8)
#define PARTYWALL_FIELDS_10(w, q) PARTYWALL_FIELDS_9(w, q), w(q, 9)
#define PARTYWALL_ROWS_0(w)
#define PARTYWALL_ROWS_1(w) PARTYWALL_FIELDS_10(w, 0),
#define PARTYWALL_ROWS_2(w) PARTYWALL_ROWS_1(w) PARTYWALL_FIELDS_10(w, 1),
#define PARTYWALL_ROWS_3(w) PARTYWALL_ROWS_2(w) PARTYWALL_FIELDS_10(w, 2),
#define PARTYWALL_ROWS_4(w) PARTYWALL_ROWS_3(w) PARTYWALL_FIELDS_10(w, 3),
#define PARTYWALL_ROWS_5(w) PARTYWALL_ROWS_4(w) PARTYWALL_FIELDS_10(w, 4),
#define PARTYWALL_ROWS_6(w) PARTYWALL_ROWS_5(w) PARTYWALL_FIELDS_10(w, 5),
#define PARTYWALL_ROWS_7(w) PARTYWALL_ROWS_6(w) PARTYWALL_FIELDS_10(w, 6),
#define PARTYWALL_ROWS_8(w) PARTYWALL_ROWS_7(w) PARTYWALL_FIELDS_10(w, 7),
#define PARTYWALL_ROWS_9(w) PARTYWALL_ROWS_8(w) PARTYWALL_FIELDS_10(w, 8),
#define PARTYWALL_ALL(w, q, r) PARTYWALL_ROWS_##q(w) PARTYWALL_FIELDS_##r(w, q)
#define PARTYWALL_CLAUSE(q, i) {}
#define PARTYWALL_NAME(q, i) f_##q##_##i
#define PARTYWALL_TYPE(q, i) std::remove_cv_t<decltype(f_##q##_##i)>
#define PARTYWALL_CLAUSES(q, r)                                                                    \
    template <class T>                                                                             \
    struct clauses<T, q * 10 + r> {                                                                \
        static constexpr bool valid = requires { T{PARTYWALL_ALL(PARTYWALL_CLAUSE, q, r)}; };      \
        static constexpr bool more = requires { T{PARTYWALL_ALL(PARTYWALL_CLAUSE, q, r), {}}; };   \
        template <class Probe>                                                                     \
        static constexpr bool valid_with =                                                         \
            requires { T{PARTYWALL_ALL(PARTYWALL_CLAUSE, q, r), Probe{}}; };                       \
        static auto types(T& value) {                                                              \
            [[maybe_unused]] auto& [PARTYWALL_ALL(PARTYWALL_NAME, q, r)] = value;                  \
            return type_list<PARTYWALL_ALL(PARTYWALL_TYPE, q, r)>{};                               \
        }                                                                                          \
    };
#define PARTYWALL_CLAUSES_ROW(q)                                                                   \
    PARTYWALL_CLAUSES(q, 1) PARTYWALL_CLAUSES(q, 2) PARTYWALL_CLAUSES(q, 3)                        \
    PARTYWALL_CLAUSES(q, 4) PARTYWALL_CLAUSES(q, 5) PARTYWALL_CLAUSES(q, 6)                        \
    PARTYWALL_CLAUSES(q, 7) PARTYWALL_CLAUSES(q, 8) PARTYWALL_CLAUSES(q, 9)                        \
    PARTYWALL_CLAUSES(q, 10)
PARTYWALL_CLAUSES_ROW(0)
PARTYWALL_CLAUSES_ROW(1)
PARTYWALL_CLAUSES_ROW(2)
PARTYWALL_CLAUSES_ROW(3)
PARTYWALL_CLAUSES_ROW(4)
PARTYWALL_CLAUSES_ROW(5)
PARTYWALL_CLAUSES_ROW(6)
PARTYWALL_CLAUSES_ROW(7)
PARTYWALL_CLAUSES_ROW(8)
PARTYWALL_CLAUSES_ROW(9)
// NOLINTEND(bugprone-macro-parentheses)
// clang-format on
#undef PARTYWALL_CLAUSES_ROW
#undef PARTYWALL_CLAUSES
#undef PARTYWALL_TYPE
#undef PARTYWALL_NAME
#undef PARTYWALL_CLAUSE
#undef PARTYWALL_ALL
#undef PARTYWALL_ROWS_9
#undef PARTYWALL_ROWS_8
#undef PARTYWALL_ROWS_7
#undef PARTYWALL_ROWS_6
#undef PARTYWALL_ROWS_5
#undef PARTYWALL_ROWS_4
#undef PARTYWALL_ROWS_3
#undef PARTYWALL_ROWS_2
#undef PARTYWALL_ROWS_1
#undef PARTYWALL_ROWS_0
#undef PARTYWALL_FIELDS_10
#undef PARTYWALL_FIELDS_9
#undef PARTYWALL_FIELDS_8
#undef PARTYWALL_FIELDS_7
#undef PARTYWALL_FIELDS_6
#undef PARTYWALL_FIELDS_5
#undef PARTYWALL_FIELDS_4
#undef PARTYWALL_FIELDS_3
#undef PARTYWALL_FIELDS_2
#undef PARTYWALL_FIELDS_1

} // namespace partywall::inline v0::detail
