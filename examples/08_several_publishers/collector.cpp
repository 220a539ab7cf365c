// SPDX-License-Identifier: BSL-1.0
// Collects from every worker that comes, whenever it comes.
#include "answer.hpp"

#include <partywall/partywall.hpp>

#include <chrono>
#include <cstdio>
#include <map>

using namespace std::chrono_literals;

int main() try {
    auto me = partywall::join("collector").value();
    auto answers = me.subscriber<answer>("answers", {.delivery = partywall::delivery::lossless,
                                                     .report_close = true})
                       .value();

    // Messages of one publisher come in the order in which they were sent; publishers take turns.
    std::map<std::uint64_t, int> last; // by publisher
    for (int closed = 0; closed < worker_count;) {
        auto a = answers.receive(20s);
        if (a) {
            if (a->number != ++last[a.publisher()]) {
                std::fprintf(stderr, "answer %d of worker %d came out of order\n", a->number,
                             a->worker);
                return 1;
            }
        } else if (a.error() == partywall::receive_errc::publisher_closed) {
            closed += 1; // a.publisher() says which
            std::printf("a worker closed after %d answers\n", last[a.publisher()]);
        } else {
            std::fprintf(stderr, "no more answers: %s\n", to_string(a.error()).data());
            return 1;
        }
    }
    std::printf("%d workers, %llu answers\n", worker_count,
                static_cast<unsigned long long>(answers.received()));
    return answers.received() == worker_count * answers_each && answers.missed() == 0 ? 0 : 1;
} catch (partywall::error const& e) {
    std::fprintf(stderr, "collector: %s\n", e.what());
    return 1;
}
