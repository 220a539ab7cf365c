// SPDX-License-Identifier: BSL-1.0
// An access of the code under test as the explorer sees it, and what a mutation may do to it.
#pragma once

#include <atomic>
#include <cstdint>

namespace partywall::test::explore {

enum class access_kind : std::uint8_t {
    load,
    store,
    exchange,
    add,
    fence,
    compiler_fence,
    heavy_fence,
    in_place,
};

/// Where an access stands in the source: the policy's functions take it as a default argument, so
/// production code does not know of it.
struct site {
    char const* file = "";
    char const* function = "";
    unsigned line = 0;

    static constexpr site here(char const* file = __builtin_FILE(),
                               char const* function = __builtin_FUNCTION(),
                               unsigned line = __builtin_LINE()) {
        return {file, function, line};
    }
};

/// Stores can be made later than they are written: as if they stood further down.
enum class hold_back : std::uint8_t {
    no,
    /// Until after whatever orders them: the next store that releases, the first access behind the
    /// next fence. A store that itself releases: until after the next store elsewhere.
    until_published,
    /// Until after a load that only a compiler fence separates from them.
    until_loaded,
};

/// One access, as a mutation sees it. A mutation breaks the code under test on purpose.
struct access {
    unsigned thread = 0;
    access_kind kind = access_kind::load;
    void const* address = nullptr; ///< nullptr for fences
    std::memory_order order = std::memory_order_relaxed;
    unsigned nth = 0; ///< how often this thread made this kind of access to this word before
    site where;
    bool skip = false;              ///< fences: leave it out
    bool repeat = false;            ///< loads: return what the one before returned
    bool split = false;             ///< read-modify-writes: a load and then a store
    hold_back held = hold_back::no; ///< stores
};

} // namespace partywall::test::explore
