// SPDX-License-Identifier: BSL-1.0
// Follows who is there: waits until a service is ready to use, then until it is gone.
#include <partywall/partywall.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>

using namespace std::chrono_literals;

static partywall::entry_info const* find(partywall::domain_snapshot const& domain) {
    auto const at = std::ranges::find_if(domain.entries, [](auto const& e) {
        return e.kind == partywall::entry_kind::topic_publisher && e.name == "service/prices";
    });
    return at == domain.entries.end() ? nullptr : &*at;
}

int main() try {
    auto me = partywall::join("watcher").value();
    auto watch = me.watch();
    auto const deadline = std::chrono::steady_clock::now() + 20s;

    // next() delivers the state of the whole domain: at once, and then whenever it has changed.
    // What changes twice in a row may be seen once: it is the state that counts, not the steps.
    std::pair<std::string, std::string> const wanted{"tables", "loaded"};
    for (bool usable = false; !usable;) {
        auto const domain = watch.next(deadline).value();
        if (auto const* service = find(domain)) {
            std::printf("the service is %s:", to_string(service->state).data());
            for (auto const& [key, value] : service->meta) {
                std::printf(" %s=%s", key.c_str(), value.c_str());
            }
            std::printf("\n");
            usable = service->state == partywall::health::ready &&
                     std::ranges::count(service->meta, wanted) == 1;
        }
    }
    auto prices = me.subscriber<double>("service/prices").value();

    // Gone means: closed in good order, or dead. Both are changes of the domain. (A closed one may
    // stay in the list until lossless subscribers have read it.)
    auto const is_there = [](partywall::domain_snapshot const& domain) {
        auto const* const service = find(domain);
        return service != nullptr && service->state != partywall::health::closed;
    };
    while (is_there(watch.next(deadline).value())) {
    }
    std::printf("the service is gone\n");
    return 0;
} catch (partywall::error const& e) { // also if the time is over
    std::fprintf(stderr, "watcher: %s\n", e.what());
    return 1;
}
