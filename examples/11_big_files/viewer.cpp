// SPDX-License-Identifier: BSL-1.0
// Looks at pieces of a file where they lie. The last two are kept while others come: they are
// pinned, and the sender goes on.
#include "file.hpp"

#include <partywall/partywall.hpp>

#include <algorithm>
#include <cstdio>
#include <deque>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

int main() try {
    auto me = partywall::join("viewer").value();
    auto pieces = me.subscriber<partywall::bytes>(
                        topic, {.delivery = partywall::delivery::lossless, .report_close = true})
                      .value();

    std::printf("%12s  %22s  %22s\n", "bytes", "handed over after (us)", "all of it read in (us)");
    std::deque<partywall::sample<partywall::bytes>> kept;
    std::vector<double> handed_over;
    std::vector<double> read;
    std::uint64_t seen = 0;
    for (;;) {
        if (kept.size() == 2) {
            kept.pop_front(); // as many as samples_held_max
        }
        std::uint64_t const asked_ns = now_ns();
        auto piece = pieces.receive(10s);
        if (!piece) {
            bool const end = piece.error() == partywall::receive_errc::publisher_closed;
            std::printf("%llu pieces, all of them as they were sent\n",
                        static_cast<unsigned long long>(seen));
            return end && seen >= 20 ? 0 : 1;
        }
        std::uint64_t const received_ns = now_ns();
        file_header header;
        std::memcpy(&header, (*piece).data(), sizeof header);
        auto const body = (*piece).subspan(sizeof header);
        if (checksum_of(body) != header.checksum) {
            std::fprintf(stderr, "viewer: %zu bytes are not what was sent\n", body.size());
            return 1;
        }
        seen += 1;
        // From when it was sent and we were there to take it.
        handed_over.push_back(
            static_cast<double>(received_ns - std::max(asked_ns, header.sent_ns)) / 1e3);
        read.push_back(static_cast<double>(now_ns() - received_ns) / 1e3);
        kept.push_back(std::move(piece));
        if (header.number == 9) { // the last of its size
            std::ranges::sort(handed_over);
            std::ranges::sort(read);
            std::printf("%12zu  %22.1f  %22.1f\n", body.size(), handed_over[5], read[5]);
            handed_over.clear();
            read.clear();
        }
    }
} catch (partywall::error const& e) {
    std::fprintf(stderr, "viewer: %s\n", e.what());
    return 1;
}
