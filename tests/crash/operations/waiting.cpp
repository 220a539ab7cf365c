// SPDX-License-Identifier: BSL-1.0
// Waiting through descriptors, and waiting for several things at once.
#include "inboxes.hpp"

#include <partywall/endpoint/wait_set.hpp>

#include <optional>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace partywall::test {
namespace {

constexpr world blocking{overflow::block, 8, false};

subscriber<parcel> made(victim& v) {
    return v.me().subscriber<parcel>("t", subscribes(v.where())).value();
}
void sends_one(stage& s) { s.here().send(1); }

} // namespace

std::vector<operation> waiting_operations() {
    return {
        {.name = "descriptor_made",
         .where = blocking,
         .run =
             [](victim& v) {
                 auto sub = made(v);
                 v.armed([&] { PARTYWALL_ROLE_CHECK(sub.fd()); });
             }},
        {.name = "descriptor_armed",
         .where = blocking,
         .run =
             [](victim& v) {
                 auto sub = made(v);
                 PARTYWALL_ROLE_CHECK(sub.fd());
                 v.armed([&] { // unless it is stopped, and they send meanwhile
                     auto const s = sub.try_receive();
                     PARTYWALL_ROLE_CHECK(v.whole(s) || s.error() == receive_errc::empty);
                 });
             }},
        {.name = "descriptor_drained",
         .where = blocking,
         .run =
             [](victim& v) {
                 auto sub = made(v);
                 PARTYWALL_ROLE_CHECK(sub.fd());
                 (void)sub.try_receive();
                 v.armed([&] {
                     PARTYWALL_ROLE_CHECK(v.whole(sub.try_receive()));
                     (void)sub.try_receive();
                 });
             },
         .before = sends_one},
        {.name = "descriptor_closed",
         .where = blocking,
         .run =
             [](victim& v) {
                 std::optional<subscriber<parcel>> sub(made(v));
                 PARTYWALL_ROLE_CHECK(sub->fd());
                 (void)sub->try_receive();
                 v.armed([&] { sub->close(); });
             }},
        {.name = "descriptor_of_a_watch_armed",
         .where = blocking,
         .run =
             [](victim& v) {
                 registry_watch watch = v.me().watch();
                 PARTYWALL_ROLE_CHECK(watch.fd());
                 (void)watch.next(std::chrono::nanoseconds(0));
                 v.armed([&] { (void)watch.next(std::chrono::nanoseconds(0)); });
             }},
        {.name = "send_to_a_descriptor",
         .where = blocking,
         .run =
             [](victim& v) {
                 auto pub = v.me().publisher<parcel>("t", publishes(v.where())).value();
                 subscriber_options options;
                 auto sub = v.me().subscriber<parcel>("t", options).value();
                 PARTYWALL_ROLE_CHECK(sub.fd());
                 while (sub.try_receive()) {
                 }
                 v.armed([&] { PARTYWALL_ROLE_CHECK(v.send(pub)); });
             }},
        {.name = "descriptor_of_a_receiver_made",
         .where = one_way,
         .run =
             [](victim& v) {
                 auto in = opened(v);
                 v.armed([&] { PARTYWALL_ROLE_CHECK(in.fd()); });
             }},
        {.name = "descriptor_of_a_receiver_armed",
         .where = one_way,
         .run =
             [](victim& v) {
                 auto in = opened(v);
                 PARTYWALL_ROLE_CHECK(in.fd());
                 v.armed([&] { (void)v.took(in.try_receive()); }); // stopped, it gets letters
             }},
        {.name = "descriptor_of_a_receiver_drained",
         .where = one_way,
         .run =
             [](victim& v) {
                 auto in = opened(v);
                 PARTYWALL_ROLE_CHECK(in.fd());
                 (void)v.took(in.try_receive());
                 v.armed([&] {
                     PARTYWALL_ROLE_CHECK(v.took(in.try_receive()));
                     (void)v.took(in.try_receive());
                 });
             },
         .before = [](stage& s) { s.here().post_to(victims_inbox, 1); }},
        {.name = "post_to_a_descriptor",
         .where = one_way,
         .run =
             [](victim& v) {
                 auto in = v.me().receiver<parcel>(inbox_name(third_inbox), receives(v.where()));
                 PARTYWALL_ROLE_CHECK(in && in->fd());
                 auto out = a_way_to(v, third_inbox);
                 (void)in->try_receive();
                 v.armed([&] { PARTYWALL_ROLE_CHECK(v.send(out)); });
             }},
        {.name = "wait_set_asleep",
         .where = blocking,
         .run =
             [](victim& v) {
                 auto sub = made(v);
                 wait_set set = v.me().wait_set();
                 PARTYWALL_ROLE_CHECK(set.add(sub, 1));
                 v.armed([&] {
                     auto const ready = set.wait(std::chrono::hours(1));
                     PARTYWALL_ROLE_CHECK(ready && ready->front().key == 1);
                     (void)sub.try_receive();
                 });
             },
         .when_asleep = sends_one},
        {.name = "wait_set_with_a_descriptor_asleep",
         .where = blocking,
         .run =
             [](victim& v) {
                 auto sub = made(v);
                 int const other = ::eventfd(0, EFD_CLOEXEC);
                 wait_set set = v.me().wait_set();
                 PARTYWALL_ROLE_CHECK(set.add(sub, 1));
                 PARTYWALL_ROLE_CHECK(set.add_descriptor(other, EPOLLIN, 2));
                 v.armed([&] {
                     auto const ready = set.wait(std::chrono::hours(1));
                     PARTYWALL_ROLE_CHECK(ready && ready->front().key == 1);
                     (void)sub.try_receive();
                 });
                 ::close(other);
             },
         .when_asleep = sends_one},
        {.name = "wait_set_polled_and_left",
         .where = blocking,
         .run =
             [](victim& v) {
                 auto sub = made(v);
                 v.armed([&] {
                     wait_set set = v.me().wait_set();
                     auto const id = set.add(sub, 1);
                     PARTYWALL_ROLE_CHECK(id && set.fd());
                     (void)set.wait(std::chrono::nanoseconds(0));
                     PARTYWALL_ROLE_CHECK(set.remove(*id));
                 });
             }},
    };
}

} // namespace partywall::test
