// SPDX-License-Identifier: BSL-1.0
// Two ways to send with less work: in place, and many at once.
//
//     05_loans_and_batches_screen & 05_loans_and_batches_camera
#include "messages.hpp"

#include <partywall/partywall.hpp>

#include <chrono>
#include <cstdio>
#include <span>
#include <vector>

using namespace std::chrono_literals;

int main() try {
    auto me = partywall::join("camera").value();
    partywall::publisher_options const options{.overflow = partywall::overflow::block,
                                               .block_for = 10s};
    auto frames = me.publisher<frame>("camera/frames", options).value();
    auto points = me.publisher<point>("camera/points", options).value();
    frames.wait_for_subscribers(1, 10s).value();
    points.wait_for_subscribers(1, 10s).value();

    // A loan is the memory where subscribers will read the message. What was there before is still
    // there: write all of it. A loan that is dropped instead of sent was never there.
    for (std::uint32_t n = 1; n <= frame_count; ++n) {
        auto next = frames.loan().value();
        next->number = n;
        next->pixels.fill(static_cast<std::uint8_t>(n));
        next.send().value();
    }

    // A batch looks after sleeping subscribers once instead of once per message. It sends as many
    // as there is room for, and says how many that were.
    std::vector<point> all;
    for (std::int32_t i = 0; i < point_count; ++i) {
        all.push_back({.x = i, .y = -i});
    }
    std::span<point const> left(all);
    while (!left.empty()) {
        left = left.subspan(points.send_batch(left).value());
    }
    std::printf("sent %u frames and %d points\n", frame_count, point_count);
    return 0;
} catch (partywall::error const& e) {
    std::fprintf(stderr, "camera: %s\n", e.what());
    return 1;
}
