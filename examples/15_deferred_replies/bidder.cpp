// SPDX-License-Identifier: BSL-1.0
// Bids, and waits for the hammer. See auctioneer.cpp.
#include "bid.hpp"

#include <partywall/partywall.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>

using namespace std::chrono_literals;

int main(int argc, char** argv) try {
    if (argc != 2) {
        std::fprintf(stderr, "usage: bidder AMOUNT\n");
        return 2;
    }
    std::uint64_t const amount = std::strtoull(argv[1], nullptr, 10);
    auto me = partywall::join("bidder").value();
    auto auction = me.client<bid, verdict>("auction", {.deadline = 30s}).value();
    auction.wait_for_server(20s).value();

    // Nothing here shows that the answer is deferred: it comes when it comes, or the deadline does.
    auto said = auction.call({amount}).value();
    std::printf("%s with %llu; the highest bid was %llu\n",
                said->yours == said->highest ? "won" : "lost",
                static_cast<unsigned long long>(said->yours),
                static_cast<unsigned long long>(said->highest));
    return said->yours == amount && said->highest >= amount ? 0 : 1;
} catch (partywall::error const& e) {
    std::fprintf(stderr, "bidder: %s\n", e.what());
    return 1;
}
