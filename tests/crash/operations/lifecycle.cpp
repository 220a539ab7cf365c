// SPDX-License-Identifier: BSL-1.0
// Joining and leaving; making, changing and closing endpoints; looking.
#include "../stage.hpp"

namespace partywall::test {
namespace {

constexpr world blocking{overflow::block, 8, false};
constexpr world dropping_world{overflow::drop_oldest, 8, false};
constexpr world empty{overflow::block, 8, true};

subscriber_options with_history(subscriber_options options) {
    options.history = 4;
    return options;
}

/// The victim subscribes, and leaves again, in one of all ways.
template <class Options>
void subscribing(victim& v, Options const& options) {
    std::optional<subscriber<parcel>> sub;
    v.me();
    v.armed([&] { sub.emplace(v.me().subscriber<parcel>("t", options()).value()); });
}
template <class Options>
void unsubscribing(victim& v, Options const& options) {
    auto sub = std::make_optional(v.me().subscriber<parcel>("t", options()).value());
    v.armed([&] { sub.reset(); });
}

void creates_a_publisher(victim& v) {
    std::optional<publisher<parcel>> pub;
    v.me();
    v.armed([&] { pub.emplace(v.me().publisher<parcel>("t", publishes(v.where())).value()); });
}

void closes_a_publisher(victim& v) {
    auto pub = v.me().publisher<parcel>("t", publishes(v.where())).value();
    for (int i = 0; i < 3; ++i) {
        PARTYWALL_ROLE_CHECK(v.send(pub));
    }
    v.armed([&] { pub.close(); });
}

void everybody_looks(stage& s) { s.everybody_reads(); }
void sends_some(stage& s) { s.here().send(3); }

std::vector<operation> of_participants() {
    return {
        {.name = "first_join",
         .where = empty,
         .run = [](victim& v) { v.armed([&] { v.join(); }); }},
        {.name = "join", .where = blocking, .run = [](victim& v) { v.armed([&] { v.join(); }); }},
        {.name = "leave",
         .where = blocking,
         .run =
             [](victim& v) {
                 v.me();
                 v.armed([&] { v.leave(); });
             }},
        {.name = "last_leave",
         .where = empty,
         .run =
             [](victim& v) {
                 v.me();
                 v.armed([&] { v.leave(); });
             }},
        {.name = "look_up",
         .where = blocking,
         .run =
             [](victim& v) {
                 v.me();
                 v.armed([&] {
                     PARTYWALL_ROLE_CHECK(v.me().publishers("t").size() >= 2);
                     PARTYWALL_ROLE_CHECK(v.me().snapshot().entries.size() >= 4);
                 });
             }},
        {.name = "watch",
         .where = blocking,
         .run =
             [](victim& v) {
                 auto watch = v.me().watch();
                 PARTYWALL_ROLE_CHECK(watch.next(1h).has_value());
                 v.armed([&] { PARTYWALL_ROLE_CHECK(watch.next(1h).has_value()); });
             },
         .when_asleep = [](stage& s) { s.here().open_extra(0); },
         .after = [](stage& s) { s.here().close_extra(); }},
    };
}

std::vector<operation> of_publishers() {
    return {
        {.name = "create_publisher", .where = blocking, .run = creates_a_publisher},
        {.name = "create_publisher_dropping", .where = dropping_world, .run = creates_a_publisher},
        {.name = "create_publisher_that_is_refused",
         .where = blocking,
         .run =
             [](victim& v) {
                 v.me();
                 v.armed([&] {
                     publisher_options options = publishes(v.where());
                     options.depth = 64;
                     PARTYWALL_ROLE_CHECK(!v.me().publisher<parcel>("t", options));
                 });
             }},
        {.name = "close_publisher_that_is_still_to_be_read",
         .where = blocking,
         .run = closes_a_publisher},
        {.name = "close_publisher",
         .where = blocking,
         .run = closes_a_publisher,
         .before = everybody_looks},
        {.name = "close_publisher_dropping", .where = dropping_world, .run = closes_a_publisher},
        {.name = "set_metadata",
         .where = blocking,
         .run =
             [](victim& v) {
                 auto pub = v.me().publisher<parcel>("t", publishes(v.where())).value();
                 metadata meta;
                 meta.emplace_back("colour", "green");
                 v.armed([&] { PARTYWALL_ROLE_CHECK(pub.set_metadata(meta).has_value()); });
             }},
    };
}

std::vector<operation> of_subscribers() {
    return {
        {.name = "subscribe_lossless",
         .where = blocking,
         .run = [](victim& v) { subscribing(v, [] { return lossless(); }); },
         .before = sends_some},
        {.name = "subscribe_lossless_history",
         .where = blocking,
         .run = [](victim& v) { subscribing(v, [] { return with_history(lossless()); }); },
         .before = sends_some},
        {.name = "subscribe_lossy",
         .where = dropping_world,
         .run = [](victim& v) { subscribing(v, [] { return with_history(lossy()); }); },
         .before = sends_some},
        {.name = "subscribe_looking",
         .where = dropping_world,
         .run = [](victim& v) { subscribing(v, [] { return looking(4); }); },
         .before = sends_some},
        {.name = "subscribe_latest",
         .where = dropping_world,
         .run =
             [](victim& v) {
                 std::optional<latest<parcel>> value;
                 v.me();
                 v.armed([&] { value.emplace(v.me().latest<parcel>("t").value()); });
             },
         .before = sends_some},
        {.name = "unsubscribe_lossless",
         .where = blocking,
         .run = [](victim& v) { unsubscribing(v, [] { return lossless(); }); },
         .before = sends_some},
        {.name = "unsubscribe_lossy",
         .where = dropping_world,
         .run = [](victim& v) { unsubscribing(v, [] { return lossy(); }); },
         .before = sends_some},
        {.name = "unsubscribe_latest",
         .where = dropping_world,
         .run =
             [](victim& v) {
                 auto value = std::make_optional(v.me().latest<parcel>("t").value());
                 v.armed([&] { value.reset(); });
             },
         .before = sends_some},
    };
}

} // namespace

std::vector<operation> lifecycle_operations() {
    std::vector<operation> all = of_participants();
    for (auto const& more : {of_publishers(), of_subscribers()}) {
        all.insert(all.end(), more.begin(), more.end());
    }
    return all;
}

} // namespace partywall::test
