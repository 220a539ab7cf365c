// SPDX-License-Identifier: BSL-1.0
// Looks at frames where they lie, and takes points by the hundred.
#include "messages.hpp"

#include <partywall/partywall.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>

using namespace std::chrono_literals;

int main() try {
    auto me = partywall::join("screen").value();
    partywall::subscriber_options const lossless{.delivery = partywall::delivery::lossless};
    auto frames = me.subscriber<frame>("camera/frames", lossless).value();
    auto points = me.subscriber<point>("camera/points", lossless).value();

    for (std::uint32_t n = 1; n <= frame_count; ++n) {
        auto f = frames.receive(10s);
        if (!f || f->number != n || std::ranges::count(f->pixels, n & 0xff) != 64 * 48) {
            std::fprintf(stderr, "frame %u: %s\n", n, f ? "wrong" : to_string(f.error()).data());
            return 1;
        }
    }

    std::int32_t expected = 0;
    std::array<point, 100> some;
    while (expected < point_count) {
        // Waits for one, then takes what else is there.
        auto first = points.receive(10s);
        if (!first || first->x != expected++) {
            std::fprintf(stderr, "point: %s\n", first ? "wrong" : to_string(first.error()).data());
            return 1;
        }
        std::size_t const more = points.receive_batch(some);
        for (std::size_t i = 0; i < more; ++i) {
            if (some[i].x != expected++ || some[i].y != -some[i].x) {
                std::fprintf(stderr, "wrong point\n");
                return 1;
            }
        }
    }
    std::printf("saw %u frames and %d points\n", frame_count, expected);
    return expected == point_count ? 0 : 1;
} catch (partywall::error const& e) {
    std::fprintf(stderr, "screen: %s\n", e.what());
    return 1;
}
