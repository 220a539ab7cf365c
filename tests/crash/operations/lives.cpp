// SPDX-License-Identifier: BSL-1.0
// Whole lives, to be ended at any moment, and a publisher that stops with a loan in its hands. Not
// tried at each point: tests ask for them by name.
#include "inboxes.hpp"

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

void posts_for_ever(victim& v) {
    v.armed([&] {
        v.join();
        for (auto out = a_way_to(v, 1);;) {
            (void)v.send(out);
        }
    });
}

void takes_for_ever(victim& v) {
    v.armed([&] {
        v.join();
        for (;;) {
            auto in = opened(v);
            v.receives_while_others_send(in);
            for (int i = 0; i < 100; ++i) {
                auto const s = in.receive(1ms);
                PARTYWALL_ROLE_CHECK(v.took(s) || s.error() == receive_errc::timed_out);
            }
        }
    });
}
void posts_to_it(stage& s) { s.here().post_to(victims_inbox, 1); }

/// What a newcomer does, with nobody in its way.
void comes_and_goes(victim& v) {
    v.armed([&] {
        participant& me = v.join();
        PARTYWALL_ROLE_CHECK(me.publishers("t").size() >= 2);
        auto sub = me.subscriber<parcel>("t", subscribes(v.where())).value();
        auto pub = me.publisher<parcel>("t", publishes(v.where())).value();
        auto in = me.receiver<parcel>(inbox_name(victims_inbox), receives(v.where())).value();
        auto out = me.sender<parcel>(inbox_name(1), posts(v.where())).value();
        out.close();
        in.close();
        pub.close();
        sub.close();
        v.leave();
    });
}

/// Writes half of a loan, stops, and sends it when it goes on.
template <class Handle>
void stops_with_a_loan(victim& v, Handle& out) {
    PARTYWALL_ROLE_CHECK(v.send(out));
    v.armed([&] {
        auto memory = out.loan().value();
        parcel const whole = v.next();
        *memory = {whole.number, whole.sender, {}, 0}; // half of it
        ::raise(SIGSTOP);
        *memory = whole;
        PARTYWALL_ROLE_CHECK(memory.send().has_value());
        v.was_sent();
    });
}

std::vector<operation> with_inboxes() {
    return {
        {.name = "life_of_a_sender", .where = one_way, .run = posts_for_ever, .everywhere = false},
        {.name = "life_of_a_dropping_sender",
         .where = one_way_dropping,
         .run = posts_for_ever,
         .everywhere = false},
        {.name = "life_of_a_receiver",
         .where = one_way,
         .run = takes_for_ever,
         .meanwhile = posts_to_it,
         .everywhere = false},
        {.name = "life_of_a_dropping_receiver",
         .where = one_way_dropping,
         .run = takes_for_ever,
         .meanwhile = posts_to_it,
         .everywhere = false},
        {.name = "stop_with_a_loan_of_a_lane",
         .where = one_way,
         .run =
             [](victim& v) {
                 auto out = a_way_to(v, 1);
                 stops_with_a_loan(v, out);
             },
         .everywhere = false},
    };
}

std::vector<operation> of_topics() {
    return {
        {.name = "come_and_go", .where = blocking, .run = comes_and_goes, .everywhere = false},
        {.name = "come_and_go_dropping",
         .where = dropping_world,
         .run = comes_and_goes,
         .everywhere = false},
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
                 stops_with_a_loan(v, pub);
             },
         .everywhere = false},
    };
}

} // namespace

std::vector<operation> whole_lives() {
    std::vector<operation> all = of_topics();
    for (operation& one : with_inboxes()) {
        all.push_back(std::move(one));
    }
    return all;
}

} // namespace partywall::test
