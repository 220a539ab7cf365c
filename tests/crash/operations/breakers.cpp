// SPDX-License-Identifier: BSL-1.0
// Breakers: made and closed, shared by name, and used, by processes that die or stop in the middle.
// Whatever the victim left, the breaker of that name works for a survivor within a second.
#include "../stage.hpp"

#include <partywall/breaker/breaker.hpp>
#include <partywall/os/clock.hpp>
#include <support/counts.hpp>
#include <support/sandbox.hpp>

#include <memory>

namespace partywall::test {
namespace {

constexpr world blocking{overflow::block, 8, false};

/// Half-open it would stay for an hour, so whoever gets through was helped by proof.
breaker_options shared_rules() {
    breaker_options o;
    o.scope = breaker_scope::host;
    o.window = breaker_window::consecutive(1);
    o.open_for = 1ms;
    o.open_for_max = 2ms;
    o.probing = breaker_probing::all_must_pass(1);
    o.half_open_max = 1h;
    return o;
}
breaker_options counting_rules() {
    breaker_options o = shared_rules();
    o.window = breaker_window::rolling(1s, 2);
    o.evaluate_on = evaluate_on::any_outcome;
    o.slow_call_rate = 1;
    o.slow_call_duration = 1h;
    return o;
}

breaker shared_by(participant& me) { return me.breaker("callee", shared_rules()).value(); }

/// The survivor's way to the breaker, where it is there before the victim comes.
std::unique_ptr<breaker>& survivors_own() {
    static std::unique_ptr<breaker> circuit;
    return circuit;
}
void survivor_has_it(stage& s) {
    survivors_own() = std::make_unique<breaker>(shared_by(s.here().me()));
}
void is_open(stage& s) {
    survivor_has_it(s);
    survivors_own()->open_for(1h).value();
}
/// And the open time is over.
void is_half_open(stage& s) {
    survivor_has_it(s);
    survivors_own()->callee_died();
    eventually([] { return survivors_own()->state() == breaker_state::half_open; });
}

/// A survivor comes, and gets from whatever was left to an ordinary call and through it.
void works_for_a_survivor(stage& s) {
    {
        auto circuit = shared_by(s.here().me());
        breaker_state const left = circuit.state();
        if (left == breaker_state::isolated ||
            circuit.stats().until_ns > os::monotonic_ns() + 1'000'000'000) {
            circuit.reset();
        }
        std::uint64_t const until =
            os::monotonic_ns() + static_cast<std::uint64_t>(scaled(1s).count()) * 1'000'000;
        bool through = false;
        while (!through && os::monotonic_ns() < until) {
            if (auto ticket = circuit.admit()) {
                through = !ticket->is_probe();
                ticket->success();
            }
        }
        EXPECT_TRUE(through) << "left " << to_string(left) << ", is " << to_string(circuit.state());
        EXPECT_EQ(circuit.state(), breaker_state::closed);
    }
    survivors_own().reset();
}

/// The victim has the breaker, and does something with it.
template <class Act>
void uses(victim& v, Act const& act) {
    breaker circuit = shared_by(v.me());
    v.armed([&] { act(circuit); });
}

std::vector<operation> of_their_lives() {
    return {
        {.name = "create_breaker",
         .where = blocking,
         .run =
             [](victim& v) {
                 std::unique_ptr<breaker> circuit;
                 v.me();
                 v.armed([&] {
                     circuit = std::make_unique<breaker>(v.me().breaker("callee").value());
                 });
             }},
        {.name = "close_breaker",
         .where = blocking,
         .run =
             [](victim& v) {
                 auto circuit = std::make_unique<breaker>(v.me().breaker("callee").value());
                 v.armed([&] { circuit.reset(); });
             }},
        {.name = "share_breaker_as_the_first",
         .where = blocking,
         .run =
             [](victim& v) {
                 std::unique_ptr<breaker> circuit;
                 v.me();
                 v.armed([&] { circuit = std::make_unique<breaker>(shared_by(v.me())); });
             },
         .after = works_for_a_survivor},
        {.name = "share_breaker_that_is_there",
         .where = blocking,
         .run =
             [](victim& v) {
                 std::unique_ptr<breaker> circuit;
                 v.me();
                 v.armed([&] { circuit = std::make_unique<breaker>(shared_by(v.me())); });
             },
         .prepare = survivor_has_it,
         .after = works_for_a_survivor},
        {.name = "leave_shared_breaker",
         .where = blocking,
         .run =
             [](victim& v) {
                 auto circuit = std::make_unique<breaker>(shared_by(v.me()));
                 v.armed([&] { circuit.reset(); });
             },
         .prepare = survivor_has_it,
         .after = works_for_a_survivor},
        {.name = "leave_shared_breaker_as_the_last",
         .where = blocking,
         .run =
             [](victim& v) {
                 auto circuit = std::make_unique<breaker>(shared_by(v.me()));
                 v.armed([&] { circuit.reset(); });
             },
         .after = works_for_a_survivor},
    };
}

std::vector<operation> of_calls() {
    return {
        {.name = "call_that_succeeds",
         .where = blocking,
         .run =
             [](victim& v) {
                 breaker circuit = v.me().breaker("counting", counting_rules()).value();
                 v.armed([&] {
                     circuit.admit().value().success();
                     circuit.admit().value().ignored();
                     circuit.admit().value().cancelled();
                     (void)circuit.admit().value();
                 });
             }},
        {.name = "call_that_opens",
         .where = blocking,
         .run = [](victim& v) { uses(v, [](breaker& c) { c.admit().value().failure(); }); },
         .prepare = survivor_has_it,
         .after = works_for_a_survivor},
        {.name = "call_that_is_rejected",
         .where = blocking,
         .run = [](victim& v) { uses(v, [](breaker& c) { PARTYWALL_ROLE_CHECK(!c.admit()); }); },
         .prepare = is_open,
         .after = works_for_a_survivor},
        {.name = "probe_that_closes",
         .where = blocking,
         .run = [](victim& v) { uses(v, [](breaker& c) { c.admit().value().success(); }); },
         .prepare = is_half_open,
         .after = works_for_a_survivor},
        {.name = "probe_that_opens_again",
         .where = blocking,
         .run = [](victim& v) { uses(v, [](breaker& c) { c.admit().value().timeout(); }); },
         .prepare = is_half_open,
         .after = works_for_a_survivor},
        {.name = "probe_without_an_outcome",
         .where = blocking,
         .run = [](victim& v) { uses(v, [](breaker& c) { (void)c.admit().value(); }); },
         .prepare = is_half_open,
         .after = works_for_a_survivor},
    };
}

/// root; has the only permit.
PARTYWALL_ROLE(crash_probing_corpse) {
    participant me = joined(context.arg(0), "corpse");
    breaker circuit = shared_by(me);
    auto const probe = circuit.admit();
    PARTYWALL_ROLE_CHECK(probe && probe->is_probe());
    context.send(std::to_string(me.ticket()));
    context.hang();
}
void a_prober_dies(stage& s) {
    (void)s.corpse("crash_probing_corpse");
    s.kill_corpses();
}

std::vector<operation> of_operators_and_deaths() {
    return {
        {.name = "reset_breaker",
         .where = blocking,
         .run = [](victim& v) { uses(v, [](breaker& c) { c.reset(); }); },
         .prepare = is_open,
         .after = works_for_a_survivor},
        {.name = "isolate_breaker",
         .where = blocking,
         .run =
             [](victim& v) {
                 uses(v, [](breaker& c) { c.move_to(breaker_state::isolated).value(); });
             },
         .prepare = survivor_has_it,
         .after = works_for_a_survivor},
        {.name = "callee_of_breaker_died",
         .where = blocking,
         .run = [](victim& v) { uses(v, [](breaker& c) { c.callee_died(); }); },
         .prepare = survivor_has_it,
         .after = works_for_a_survivor},
        {.name = "callee_of_breaker_is_new",
         .where = blocking,
         .run =
             [](victim& v) {
                 uses(v, [](breaker& c) {
                     c.callee_is_new(7);
                     c.admit().value().success();
                 });
             },
         .prepare = is_open,
         .after = works_for_a_survivor},
        {.name = "probe_in_the_place_of_a_dead_one",
         .where = blocking,
         .run =
             [](victim& v) {
                 uses(v, [](breaker& c) {
                     auto probe = c.admit();
                     while (!probe) { // proof is asked for once per millisecond
                         probe = c.admit();
                     }
                     probe->success();
                 });
             },
         .prepare = is_half_open,
         .before = a_prober_dies,
         .after = works_for_a_survivor,
         .corpses = true},
        {.name = "recover_a_shared_breaker",
         .where = blocking,
         .run =
             [](victim& v) {
                 v.me();
                 v.armed([&] { PARTYWALL_ROLE_CHECK(v.me().recover().complete); });
             },
         .prepare = is_half_open,
         .before = a_prober_dies,
         .after = works_for_a_survivor,
         .corpses = true},
        {.name = "recover_a_breaker_that_nobody_shares",
         .where = blocking,
         .run =
             [](victim& v) {
                 v.me();
                 v.armed([&] { PARTYWALL_ROLE_CHECK(v.me().recover().complete); });
             },
         .prepare = is_half_open,
         .before =
             [](stage& s) {
                 (void)s.corpse("crash_probing_corpse");
                 survivors_own().reset();
                 s.kill_corpses();
             },
         .after = works_for_a_survivor,
         .corpses = true},
    };
}

} // namespace

std::vector<operation> breaker_operations() {
    std::vector<operation> all = of_their_lives();
    for (auto const& more : {of_calls(), of_operators_and_deaths()}) {
        all.insert(all.end(), more.begin(), more.end());
    }
    return all;
}

} // namespace partywall::test
