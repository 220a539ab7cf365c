// SPDX-License-Identifier: BSL-1.0
#include <partywall/wait/look_pacer.hpp>

#include <algorithm>

namespace partywall::inline v0::detail {
namespace {

/// A choice is kept for so many pauses, and for twice as many each time that it is the same again.
constexpr std::uint32_t keeps_first = 512;
constexpr std::uint32_t keeps_most = 16384;
constexpr std::uint64_t idle_ns = 20'000; ///< I3

/// Whether messages took less by an eighth. Of what was not measured nothing is said.
bool gains(std::uint64_t ns, std::uint64_t messages, std::uint64_t than_ns,
           std::uint64_t than_messages) noexcept {
    return messages != 0 && than_messages != 0 && 8 * ns * than_messages < 7 * than_ns * messages;
}

} // namespace

std::uint64_t look_pacer::pause_ns(std::uint64_t run, std::uint64_t now_ns) noexcept {
    if (run < burst) { // I1
        last_ns_ = 0;
        return 0;
    }
    std::uint64_t const took = now_ns - last_ns_;
    bool const counts = last_ns_ != 0 && took < idle_ns; // I3
    last_ns_ = now_ns;
    if (trying_ && counts) {
        tried_[length_].messages += run;
        tried_[length_].ns += took;
    }
    if (left_ != 0) {
        left_ -= counts ? 1 : 0;
        return lengths_ns[length_];
    }
    if (!trying_) {
        trying_ = true;
        tried_ = {};
        length_ = 0;
        left_ = pauses_per_try;
    } else if (length_ + 1 < lengths_ns.size()) {
        length_ += 1;
        left_ = pauses_per_try;
    } else {
        choose();
    }
    return lengths_ns[length_];
}

void look_pacer::choose() noexcept {
    std::size_t const before = keeps_ == 0 ? lengths_ns.size() : kept_;
    std::size_t best = 0;
    for (std::size_t i = 1; i < lengths_ns.size(); ++i) {
        if (gains(tried_[i].ns, tried_[i].messages, tried_[best].ns, tried_[best].messages)) {
            best = i;
        }
    }
    keeps_ = best == before ? std::min(2 * keeps_, keeps_most) : keeps_first;
    kept_ = best;
    length_ = best;
    left_ = keeps_;
    trying_ = false;
}

} // namespace partywall::inline v0::detail
