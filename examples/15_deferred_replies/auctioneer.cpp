// SPDX-License-Identifier: BSL-1.0
// Answers no bid before all bids are in, and then from another thread.
//
//     15_deferred_replies_auctioneer &
//     15_deferred_replies_bidder 100 & 15_deferred_replies_bidder 300 & 15_deferred_replies_bidder 200
#include "bid.hpp"

#include <partywall/partywall.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

/// A bid, and the duty to answer it. Whoever lets go of that duty makes the call fail.
struct open_bid {
    bid what;
    partywall::deferred<verdict> answer;
};

static void close_auction(std::vector<open_bid> bids) {
    std::uint64_t highest = 0;
    for (open_bid const& one : bids) {
        highest = std::max(highest, one.what.amount);
    }
    for (open_bid& one : bids) {
        one.answer.answer({.highest = highest, .yours = one.what.amount});
    }
}

int main() try {
    auto me = partywall::join("auctioneer").value();
    std::vector<open_bid> bids;

    // A handler that takes a deferred<> may return long before there is an answer. The request is
    // only there while it runs: copy what is needed.
    auto auction =
        me.server<bid, verdict>("auction", [&](bid const& one, partywall::deferred<verdict> answer,
                                               partywall::call_context&) {
              bids.push_back({one, std::move(answer)});
          }).value();
    auto const evening = std::chrono::steady_clock::now() + 30s;
    while (bids.size() < bidders && std::chrono::steady_clock::now() < evening) {
        auction.run_for(10ms);
    }
    std::printf("%zu bids are in\n", bids.size());

    std::thread hammer(close_auction, std::move(bids)); // any thread of this process will do
    bool const all = auction.shutdown(20s); // takes nothing more, and waits for the answers
    hammer.join();
    return all ? 0 : 1;
} catch (partywall::error const& e) {
    std::fprintf(stderr, "auctioneer: %s\n", e.what());
    return 1;
}
