// SPDX-License-Identifier: BSL-1.0
// Whether what several processes saw could have happened one operation after the other: Wing and
// Gong's search ("Testing and Verifying Concurrent Objects", 1993), with states that were seen
// before left out. An operation whose process was killed may have happened, or not.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace partywall::test::explore {

/// Operation is a value; State is ordered, and has
///   std::vector<State> after(Operation const&, bool known) const;
/// the states that may follow, none if the operation cannot have had this result in this state.
/// `known`: it returned; else its result means nothing.
template <class Operation>
struct happened {
    static constexpr std::uint64_t never = ~std::uint64_t{0};
    Operation what{};
    std::uint64_t called = 0;
    std::uint64_t returned = never;
};

template <class Operation>
using history = std::vector<happened<Operation>>;

template <class Operation, class State>
class linearization {
  public:
    explicit linearization(history<Operation> const& all) : all_(all) {}
    /// At most 64 operations.
    bool exists(State const& first) { return all_.size() <= 64 && search(0, first); }

  private:
    using one = happened<Operation>;

    bool search(std::uint64_t done, State const& now) {
        if (!seen_.emplace(done, now).second) {
            return false;
        }
        std::uint64_t first_return = one::never;
        bool left = false;
        for (std::size_t i = 0; i < all_.size(); ++i) {
            if ((done >> i & 1) == 0 && all_[i].returned != one::never) {
                left = true;
                first_return = std::min(first_return, all_[i].returned);
            }
        }
        if (!left) {
            return true; // what never returned need not have happened
        }
        for (std::size_t i = 0; i < all_.size(); ++i) {
            // Whatever was called before the first return may have come first.
            if ((done >> i & 1) != 0 || all_[i].called > first_return) {
                continue;
            }
            for (State const& next : now.after(all_[i].what, all_[i].returned != one::never)) {
                if (search(done | std::uint64_t{1} << i, next)) {
                    return true;
                }
            }
        }
        return false;
    }

    history<Operation> const& all_;
    std::set<std::pair<std::uint64_t, State>> seen_;
};

/// What processes do, as they do it.
template <class Operation>
class recorder {
  public:
    void clear() {
        all_.clear();
        clock_ = 0;
    }
    /// Calls `act`, which may be cut short by a death, and then completes `what`.
    template <class Act>
    void record(Operation const& what, Act act) {
        std::size_t const index = all_.size();
        all_.push_back({what, clock_++, happened<Operation>::never});
        Operation const done = act(what);
        all_[index].what = done;
        all_[index].returned = clock_++;
    }
    history<Operation> const& all() const { return all_; }

  private:
    history<Operation> all_;
    std::uint64_t clock_ = 0;
};

} // namespace partywall::test::explore
