// SPDX-License-Identifier: BSL-1.0
#include "freed.hpp"

#include "census.hpp"

namespace partywall::test {
namespace {

/// One slot, from its owner's death on.
class tenancy {
  public:
    explicit tenancy(owner at_death) : now_(at_death) {}

    /// The word was, or became, `next`. Whoever did it took and freed, or took, or freed; a claim
    /// after that is the next tenancy's.
    void follow(owner next) {
        if (over_ || next == now_) {
            return;
        }
        std::uint64_t const steps = (next.sequence() - now_.sequence()) & owner::sequence_mask;
        if (now_.is_free()) {
            // Freed again without a claim in between, or claimed by somebody.
            frees_ += next.is_free() && steps == 1 ? 1 : 0;
            over_ = !next.is_free() || steps > 1;
        } else if (next.is_free()) {
            frees_ += 1;
            strange_ = strange_ || steps > 2; // one to free it, or two with the take
        } else {
            // Taken over by another one; or freed, and claimed since.
            over_ = next.phase() != slot_phase::cleaning;
            frees_ += over_ ? 1 : 0;
        }
        now_ = next;
    }
    bool freed_once() const { return frees_ == 1 && !strange_ && (over_ || now_.is_free()); }
    std::string state() const {
        return std::to_string(frees_) + " times" + (strange_ ? ", with too many changes" : "");
    }

  private:
    owner now_;
    int frees_ = 0;
    bool over_ = false;    ///< what follows is somebody else's
    bool strange_ = false; ///< more changes than taking and freeing
};

} // namespace

std::string not_freed_once(owners_by_place const& at_death, std::vector<trap_point> const& log,
                           std::vector<owners_by_place> const& later,
                           std::set<std::uint64_t> const& dead) {
    std::map<std::string, tenancy> slots;
    for (auto const& [place, word] : at_death) {
        if (dead.count(word.ticket()) != 0) {
            slots.emplace(place, tenancy(word));
        }
    }
    for (trap_point const& point : log) {
        if (point.is_store() && point.before != point.after) {
            if (auto const at = slots.find(place_of(point.segment, point.where));
                at != slots.end()) {
                at->second.follow({point.before});
                at->second.follow({point.after});
            }
        }
    }
    std::string wrong;
    for (auto& [place, slot] : slots) {
        for (owners_by_place const& words : later) {
            if (auto const now = words.find(place);
                now != words.end()) { // else its segment is gone
                slot.follow(now->second);
            }
        }
        if (later.back().count(place) != 0 && !slot.freed_once()) {
            wrong += place + " was freed " + slot.state() + "\n";
        }
    }
    return wrong;
}

} // namespace partywall::test
