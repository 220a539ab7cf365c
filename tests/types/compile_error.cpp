// SPDX-License-Identifier: BSL-1.0
// Does not compile, and says why: one CASE per refusal. CASE 0 compiles, so that the others fail
// for their reason only.
#include <partywall/endpoint/payload.hpp>
#include <partywall/message_traits.hpp>

#include <string>
#include <string_view>

namespace app {
template <class T>
struct box {
    T value;
};
struct fine {
    int a;
};
struct pointer {
    int a;
    char* text;
};
struct deep {
    pointer some[2];
};
struct view {
    std::string_view text;
};
struct reference {
    int& r;
};
struct owner {
    std::string s;
};
namespace {
struct hidden {
    int a;
};
} // namespace
struct loud {
    int a;
};
struct alignas(256) page {
    int a;
};
} // namespace app

template <>
struct partywall::message_traits<app::loud> {
    static constexpr std::string_view name = "two\nlines";
};

template <class T>
constexpr bool check = partywall::detail::message_check<T>::passed;

#if CASE == 0
static_assert(check<app::fine> && check<app::fine[]> && check<partywall::bytes>);
#elif CASE == 1
static_assert(check<app::pointer>);
#elif CASE == 2
static_assert(check<app::deep[]>);
#elif CASE == 3
static_assert(check<app::view>);
#elif CASE == 4
static_assert(check<app::reference>);
#elif CASE == 5
static_assert(check<app::owner>);
#elif CASE == 6
static_assert(check<app::box<int>>);
#elif CASE == 7
static_assert(check<app::hidden>);
#elif CASE == 8
static_assert(check<int[3]>);
#elif CASE == 9
static_assert(check<app::fine const>);
#elif CASE == 10
static_assert(partywall::detail::type_fingerprint<app::box<int>>() != 0);
#elif CASE == 11
static_assert(partywall::detail::type_fingerprint<app::loud>() != 0);
#elif CASE == 12
static_assert(check<app::fine&>);
#elif CASE == 13
static_assert(partywall::detail::payload<app::page>::shape().payload_offset != 0);
#elif CASE == 14
static_assert(partywall::detail::payload<app::page[]>::shape().payload_offset != 0);
#endif
