// SPDX-License-Identifier: BSL-1.0
// Whole lives, to be ended at any moment, and a publisher that stops with a loan in its hands. Not
// tried at each point: tests ask for them by name.
#include "../stage.hpp"

#include <csignal>

namespace partywall::test {
namespace {

constexpr world blocking{overflow::block, 8, false};
constexpr world dropping_world{overflow::drop_oldest, 8, false};

void publishes_for_ever(victim& v) {
    v.armed([&] {
        v.join();
        for (auto pub = v.me().publisher<parcel>("t", publishes(v.where())).value();;) {
            (void)v.send(pub);
        }
    });
}

template <delivery How>
void receives_for_ever(victim& v) {
    v.armed([&] {
        v.join();
        subscriber_options options;
        options.delivery = How;
        for (auto sub = v.me().subscriber<parcel>("t", options).value();;) {
            auto const s = sub.receive(1ms);
            PARTYWALL_ROLE_CHECK(v.whole(s) || s.error() == receive_errc::timed_out);
        }
    });
}

void watches_values_for_ever(victim& v) {
    v.armed([&] {
        v.join();
        for (auto value = v.me().latest<parcel>("t").value();;) {
            auto const s = value.wait(1ms);
            PARTYWALL_ROLE_CHECK(v.whole(s) || s.error() == receive_errc::timed_out);
        }
    });
}

} // namespace

std::vector<operation> whole_lives() {
    return {
        {.name = "life_of_a_publisher",
         .where = blocking,
         .run = publishes_for_ever,
         .everywhere = false},
        {.name = "life_of_a_dropping_publisher",
         .where = dropping_world,
         .run = publishes_for_ever,
         .everywhere = false},
        {.name = "life_of_a_lossless_subscriber",
         .where = blocking,
         .run = receives_for_ever<delivery::lossless>,
         .everywhere = false},
        {.name = "life_of_a_lossy_subscriber",
         .where = dropping_world,
         .run = receives_for_ever<delivery::lossy>,
         .everywhere = false},
        {.name = "life_of_a_looker",
         .where = dropping_world,
         .run = watches_values_for_ever,
         .everywhere = false},
        {.name = "stop_with_a_loan",
         .where = blocking,
         .run =
             [](victim& v) {
                 auto pub = v.me().publisher<parcel>("t", publishes(v.where())).value();
                 PARTYWALL_ROLE_CHECK(v.send(pub));
                 v.armed([&] {
                     auto memory = pub.loan().value();
                     parcel const whole = v.next();
                     *memory = {whole.number, whole.sender, {}, 0}; // half of it
                     ::raise(SIGSTOP);
                     *memory = whole;
                     PARTYWALL_ROLE_CHECK(memory.send().has_value());
                     v.was_sent();
                 });
             },
         .everywhere = false},
    };
}

} // namespace partywall::test
