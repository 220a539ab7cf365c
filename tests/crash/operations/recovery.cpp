// SPDX-License-Identifier: BSL-1.0
// Recovery of what others left who died before: a publisher that was not read to its end, a
// subscriber that holds others back, files that nobody names.
#include "../stage.hpp"

#include <partywall/segment/segment.hpp>

namespace partywall::test {
namespace {

constexpr world blocking{overflow::block, 4, false};

/// A publisher that nobody has read, a lossless subscription, letters in a survivor's inbox, an
/// inbox with letters of the survivors, and what somebody leaves who dies while making segments: one
/// that no entry names, and one that has only a temporary name.
/// root; says its ticket when all that is there.
PARTYWALL_ROLE(crash_corpse) {
    participant me = joined(context.arg(0), "corpse");
    std::string const ticket = std::to_string(me.ticket());
    auto sub = me.subscriber<parcel>("t", lossless()).value();
    auto pub = me.publisher<parcel>("t", publishes(blocking)).value();
    for (std::uint64_t i = 0; i < 3; ++i) {
        PARTYWALL_ROLE_CHECK(
            pub.send(parcel::of(i, noted::corpse_sender + me.ticket())).has_value());
    }
    auto const in = me.receiver<parcel>(inbox_name(victims_inbox), receives(blocking)).value();
    auto out = me.sender<parcel>(inbox_name(1)).value();
    for (std::uint64_t i = 0; i < noted::letters_of_corpse; ++i) {
        auto const letter = parcel::of(i, noted::corpse_sender + me.ticket());
        PARTYWALL_ROLE_CHECK(out.send(letter).has_value());
    }
    segment_spec spec{{segment_kind::ring, me.ticket(), 77}, 1, 1, 4096, 0};
    PARTYWALL_ROLE_CHECK(create_segment(me.core()->dir(), spec, nullptr, nullptr).has_value());
    detail::for_test::disable_tmpfile(true);
    spec.id.kind = segment_kind::readers;
    role_context told(line_socket(context.descriptor()), {ticket});
    auto const hangs = [](std::byte*, void* test) {
        auto& socket = *static_cast<role_context*>(test);
        socket.send(socket.arg(0));
        socket.hang();
    };
    (void)create_segment(me.core()->dir(), spec, hangs, &told);
    return 1;
}

void leave_corpses(stage& s) {
    s.note(noted::corpses_sent_to, 1);
    (void)s.corpse("crash_corpse");
    s.here().post_to(victims_inbox, 2);
    s.ask_other("post " + std::to_string(victims_inbox) + " 2");
    s.kill_corpses();
    s.follow_frees();
}

} // namespace

std::vector<operation> recovery_operations() {
    return {
        {.name = "recover_nothing",
         .where = blocking,
         .run =
             [](victim& v) {
                 v.me();
                 v.armed([&] { PARTYWALL_ROLE_CHECK(v.me().recover().nothing()); });
             }},
        {.name = "recover",
         .where = blocking,
         .run =
             [](victim& v) {
                 v.me();
                 v.armed([&] { PARTYWALL_ROLE_CHECK(v.me().recover().complete); });
             },
         .before = leave_corpses,
         .corpses = true},
        {.name = "recover_after_a_recoverer",
         .where = blocking,
         .run =
             [](victim& v) {
                 v.me();
                 v.armed([&] { (void)v.me().recover(); });
             },
         .before =
             [](stage& s) {
                 s.prepare_first_recoverer();
                 leave_corpses(s);
                 s.run_first_recoverer();
             },
         .corpses = true,
         .everywhere = false},
        {.name = "join_recovers",
         .where = blocking,
         .run = [](victim& v) { v.armed([&] { v.join(); }); },
         .before = leave_corpses,
         .corpses = true},
        {.name = "clean",
         .where = blocking,
         .run =
             [](victim& v) {
                 v.armed([&] { // as the command does
                     PARTYWALL_ROLE_CHECK(v.join().recover().complete);
                     v.leave();
                 });
             },
         .before = leave_corpses,
         .corpses = true},
        {.name = "receive_finds_a_death",
         .where = blocking,
         .run =
             [](victim& v) {
                 auto sub = v.me().subscriber<parcel>("t", lossless()).value();
                 v.armed([&] {
                     for (auto error = receive_errc::none; error != receive_errc::peer_died;) {
                         auto const got = sub.receive(1s);
                         error = got.error();
                         PARTYWALL_ROLE_CHECK(v.whole(got) || error == receive_errc::peer_died);
                     }
                     (void)sub.receive(1ms); // and removes what is left
                 });
             },
         .before = leave_corpses,
         .corpses = true},
        {.name = "send_finds_a_dead_laggard",
         .where = blocking,
         .run =
             [](victim& v) {
                 publisher_options options = publishes(v.where());
                 options.block_for = 1h;
                 options.waiting = waiting::park;
                 auto pub = v.me().publisher<parcel>("t", options).value();
                 v.armed([&] {
                     for (std::uint64_t i = 0; i <= v.where().depth; ++i) {
                         PARTYWALL_ROLE_CHECK(v.send(pub));
                     }
                 });
             },
         .before = leave_corpses,
         .when_asleep =
             [](stage& s) {
                 s.here().drain();
                 s.ask_other("drain");
             },
         .corpses = true},
    };
}

} // namespace partywall::test
