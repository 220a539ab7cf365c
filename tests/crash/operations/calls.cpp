// SPDX-License-Identifier: BSL-1.0
// Calls: as a client of a service that lives, and as a server of a caller that lives. Every request
// has a number, and what was executed is counted in the ledger: at most once, and never where the
// answer was *no*.
#include "../stage.hpp"

#include <array>
#include <poll.h>
#include <vector>

namespace partywall::test {
namespace {

constexpr world quiet{overflow::block, 8, false};
constexpr world nobody_there{overflow::block, 8, true};
constexpr std::uint64_t requests = 3;     ///< that a caller sends
constexpr std::uint64_t last_request = 9; ///< to a successor

client_options calls(bool chunks) {
    client_options options;
    options.deadline = 1h;
    options.calls_max = 4;
    options.servers_max = 2;
    options.waiting = waiting::park;
    options.inline_bytes_max = chunks ? 0 : inline_bytes_default;
    return options;
}
server_options serves(bool chunks) {
    server_options options;
    options.depth = 8;
    options.clients_max = 4;
    options.waiting = waiting::park;
    options.inline_bytes_max = chunks ? 0 : inline_bytes_default;
    return options;
}

parcel executed_once(ledger const& counts, parcel const& request) {
    PARTYWALL_ROLE_CHECK(request.whole() && request.number < noted::requests_max);
    counts[noted::executed(request.number)].fetch_add(1);
    return parcel::of(request.number, request.sender + 1);
}

/// Whether that is a possible end of the call; *no* is kept, to be held against what comes later.
bool is_honest(ledger const& counts, std::uint64_t number, call_outcome<parcel> const& r) {
    std::uint64_t const count = counts.get(noted::executed(number));
    if (r) {
        return (*r)->whole() && (*r)->number == number && count == 1;
    }
    if (r.error().executed == executed::no) {
        counts[noted::said_no(number)] = 1;
        return count == 0;
    }
    return count <= 1;
}

bool was_told(role_context& context) {
    pollfd told{context.descriptor(), POLLIN, 0};
    return ::poll(&told, 1, 0) != 0;
}

/// root, chunks: serves until it is told to leave; then everybody's lane must come back.
PARTYWALL_ROLE(crash_service) {
    participant me = joined(context.arg(0), "service");
    ledger const counts(context.arg(0));
    auto s = me.server<parcel, parcel>(
                   "svc", [&](parcel const& p) { return executed_once(counts, p); },
                   serves(context.number(1) != 0))
                 .value();
    context.send(std::to_string(me.ticket()));
    while (!was_told(context)) {
        (void)s.run_for(1ms);
    }
    context.expect("leave");
    while (s.client_count() != 0) {
        (void)s.run_for(1ms);
    }
    return 0;
}

/// root, chunks, which is to be cancelled: calls when it is told to, and says whether all that came
/// of it was honest; "again": calls whoever is there then.
PARTYWALL_ROLE(crash_caller) {
    participant me = joined(context.arg(0), "caller");
    ledger const counts(context.arg(0));
    context.send(std::to_string(me.ticket()));
    auto c = me.client<parcel, parcel>("svc", calls(context.number(1) != 0)).value();
    PARTYWALL_ROLE_CHECK(c.wait_for_server(1h).has_value());
    context.send("attached");
    context.expect("go");
    std::vector<pending_call<parcel>> all;
    for (std::uint64_t i = 0; i < requests; ++i) {
        all.push_back(c.call_async(parcel::of(i, me.ticket())));
        if (i == context.number(2)) {
            all.back().cancel();
        }
    }
    context.send("sent");
    bool honest = true;
    for (std::uint64_t i = 0; i < requests; ++i) {
        honest = is_honest(counts, i, all[i].get()) && honest;
    }
    context.send(honest ? "fine" : "a call ended as it did not");
    context.expect("again");
    call_options patient;
    patient.wait_for_ready = true;
    for (call_errc why{};;) { // the dead one's end may be found by the first call
        auto const r = c.call(parcel::of(last_request, me.ticket()), patient);
        if (r || why != call_errc{}) {
            context.send(r && (*r)->whole() ? "answered" : std::string(to_string(why)));
            break;
        }
        PARTYWALL_ROLE_CHECK(r.error().executed == executed::no);
        why = r.error().reason;
    }
    context.expect("leave");
    return 0;
}

// ---- the client dies ------------------------------------------------------------------------------

void a_service_comes(stage& s) { (void)s.corpse("crash_service", {s.where().chunks ? "1" : "0"}); }

void nothing_twice_and_nothing_that_was_not(stage& s) {
    for (std::uint64_t i = 0; i < noted::requests_max; ++i) {
        EXPECT_LE(s.noted_at(noted::executed(i)), s.noted_at(noted::said_no(i)) != 0 ? 0u : 1u)
            << "request " << i;
    }
}

/// It serves others as before, and has their lanes back.
void the_service_goes(stage& s) {
    {
        auto c = s.here().me().client<parcel, parcel>("svc", calls(s.where().chunks)).value();
        auto const r = c.call(parcel::of(last_request, 1));
        EXPECT_TRUE(r && (*r)->whole() && (*r)->number == last_request);
    }
    s.last_corpse().send("leave");
    EXPECT_EQ(s.last_corpse().wait(), exited(0));
    nothing_twice_and_nothing_that_was_not(s);
}

client<parcel, parcel> connected(victim& v) {
    auto c = v.me().client<parcel, parcel>("svc", calls(v.where().chunks)).value();
    PARTYWALL_ROLE_CHECK(c.wait_for_server(1h).has_value());
    return c;
}

/// A client that is connected, and the ledger; `Warm`: it has called before.
template <auto Do, bool Warm = true>
void with_a_client(victim& v) {
    ledger const counts(v.root());
    auto c = connected(v);
    if (Warm) {
        PARTYWALL_ROLE_CHECK(is_honest(counts, 0, c.call(parcel::of(0, 1))));
    }
    v.armed([&] { Do(c, counts); });
}
using calling = client<parcel, parcel>;

void calls_one(calling& c, ledger const& counts) {
    PARTYWALL_ROLE_CHECK(is_honest(counts, 1, c.call(parcel::of(1, 1))));
}
void calls_two_and_waits(calling& c, ledger const& counts) {
    auto first = c.call_async(parcel::of(1, 1));
    auto second = c.call_async(parcel::of(2, 1));
    PARTYWALL_ROLE_CHECK(is_honest(counts, 2, second.get()));
    PARTYWALL_ROLE_CHECK(is_honest(counts, 1, first.get()));
}
void polls(calling& c, ledger const& counts) {
    bool done = false;
    auto pending = c.call_async(parcel::of(1, 1));
    pending.then([&](call_outcome<parcel> const& r) {
        PARTYWALL_ROLE_CHECK(is_honest(counts, 1, r));
        done = true;
    });
    while (!done) {
        (void)c.poll(1h);
    }
}
void cancels(calling& c, ledger const& counts) {
    auto pending = c.call_async(parcel::of(3, 1));
    pending.cancel();
    PARTYWALL_ROLE_CHECK(is_honest(counts, 3, pending.get()));
    calls_two_and_waits(c, counts); // the slot of a late reply among others
}
void is_too_late(calling& c, ledger const& counts) {
    PARTYWALL_ROLE_CHECK(is_honest(counts, 1, c.call(parcel::of(1, 1), 20us)));
}
void posts_one(calling& c, ledger const&) {
    PARTYWALL_ROLE_CHECK(c.post(parcel::of(1, 1)).has_value());
}
void closes_with_calls(calling& c, ledger const&) {
    auto first = c.call_async(parcel::of(1, 1));
    auto second = c.call_async(parcel::of(2, 1));
    c.close();
    (void)second.get(); // `closed`, or the reply that had come
}

operation of_client(char const* name, void (*run)(victim&)) {
    return {.name = name, .where = quiet, .run = run, .after = the_service_goes};
}

std::vector<operation> of_clients() {
    std::vector<operation> all{
        of_client("connect_client",
                  [](victim& v) {
                      std::optional<calling> c;
                      v.me();
                      v.armed([&] { c.emplace(connected(v)); });
                  }),
        of_client("call_first", with_a_client<calls_one, false>),
        of_client("call", with_a_client<calls_one>),
        of_client("call_async_and_wait", with_a_client<calls_two_and_waits>),
        of_client("call_async_and_poll", with_a_client<polls>),
        of_client("call_cancelled", with_a_client<cancels>),
        of_client("call_too_late", with_a_client<is_too_late>),
        of_client("call_without_reply", with_a_client<posts_one>),
        of_client("close_client_with_calls", with_a_client<closes_with_calls>),
    };
    for (operation& one : all) {
        one.prepare = a_service_comes;
    }
    return all;
}

// ---- the server dies ------------------------------------------------------------------------------

template <std::uint64_t Cancelled>
void a_caller_is_there(stage& s) {
    child& caller =
        s.corpse("crash_caller", {s.where().chunks ? "1" : "0", std::to_string(Cancelled)});
    caller.expect("attached");
}
void it_calls(stage& s) {
    s.last_corpse().send("go");
    s.last_corpse().expect("sent");
}
void a_caller_calls(stage& s) {
    a_caller_is_there<requests>(s);
    it_calls(s);
}
void a_caller_gives_up(stage& s) {
    a_caller_is_there<1>(s);
    it_calls(s);
}

/// Every call has ended, honestly, and the next server of that name answers.
void the_caller_goes(stage& s) {
    child& caller = s.last_corpse();
    s.expect_soon(caller, {"fine"});
    nothing_twice_and_nothing_that_was_not(s);
    auto next = s.here()
                    .me()
                    .server<parcel, parcel>(
                        "svc", [](parcel const& p) { return parcel::of(p.number, 1); },
                        serves(s.where().chunks))
                    .value();
    caller.send("again");
    while (next.executed() == 0) {
        (void)next.run_for(1ms);
    }
    s.expect_soon(caller, {"answered"});
    caller.send("leave");
    EXPECT_EQ(caller.wait(), exited(0));
}

using serving = server<parcel, parcel>;

template <class Handler>
serving made(victim& v, Handler handler) {
    return v.me().server<parcel, parcel>("svc", handler, serves(v.where().chunks)).value();
}
void deals_with_all(serving& s) {
    for (std::size_t done = 0; done < requests;) {
        done += s.poll(requests - done);
    }
}

void shuts_down(serving& s) { PARTYWALL_ROLE_CHECK(s.shutdown(1h)); }
void closes(serving& s) { s.close(); }

/// A server that answers at once.
template <auto Do>
void with_a_server(victim& v) {
    ledger const counts(v.root());
    auto s = made(v, [&](parcel const& p) { return executed_once(counts, p); });
    v.armed([&] { Do(s); });
}

void serves_in_place(victim& v) {
    ledger const counts(v.root());
    auto s = made(v, [&](parcel const& p, response<parcel>& out, call_context&) {
        *out = executed_once(counts, p);
    });
    v.armed([&] { deals_with_all(s); });
}
void serves_later(victim& v) {
    ledger const counts(v.root());
    std::vector<std::pair<parcel, deferred<parcel>>> owed;
    owed.reserve(requests);
    auto s = made(v, [&](parcel const& p, deferred<parcel> d, call_context&) {
        owed.emplace_back(executed_once(counts, p), std::move(d));
    });
    v.armed([&] {
        deals_with_all(s);
        for (std::size_t i = owed.size(); i-- != 0;) {
            PARTYWALL_ROLE_CHECK(i == 1 ? owed[i].second.fail(5, "no")
                                        : owed[i].second.answer(owed[i].first));
        }
    });
}
void sleeps_until_one_calls(victim& v) {
    ledger const counts(v.root());
    serving* self = nullptr;
    auto s = made(v, [&](parcel const& p) {
        if (p.number + 1 == requests) {
            self->stop();
        }
        return executed_once(counts, p);
    });
    self = &s;
    v.armed([&] { PARTYWALL_ROLE_CHECK(s.run() == wait_errc::interrupted); });
}

operation of_server(char const* name, void (*run)(victim&)) {
    return {.name = name,
            .where = quiet,
            .run = run,
            .before = a_caller_calls,
            .after = the_caller_goes};
}

void creates_a_server(victim& v) {
    std::optional<serving> s;
    v.me();
    v.armed([&] { s.emplace(made(v, [](parcel const& p) { return p; })); });
}

std::vector<operation> of_servers() {
    std::vector<operation> all{
        of_server("serve", with_a_server<deals_with_all>),
        of_server("serve_in_place", serves_in_place),
        of_server("serve_later", serves_later),
        of_server("shutdown_server", with_a_server<shuts_down>),
        of_server("close_server_with_calls", with_a_server<closes>),
    };
    operation given_up = of_server("serve_what_was_given_up", with_a_server<deals_with_all>);
    given_up.before = a_caller_gives_up;
    all.push_back(given_up);
    operation asleep = of_server("serve_asleep", sleeps_until_one_calls);
    asleep.before = a_caller_is_there<requests>;
    asleep.when_asleep = [](stage& s) {
        if (s.noted_at(noted::was_told) == 0) {
            s.note(noted::was_told, 1);
            it_calls(s);
        }
    };
    asleep.after = [](stage& s) {
        if (s.noted_at(noted::was_told) == 0) {
            it_calls(s);
        }
        the_caller_goes(s);
    };
    all.push_back(asleep);
    all.push_back({.name = "create_server", .where = quiet, .run = creates_a_server});
    all.push_back(
        {.name = "create_server_where_nobody_is", .where = nobody_there, .run = creates_a_server});
    return all;
}

} // namespace

std::vector<operation> call_operations() {
    std::vector<operation> all = of_clients();
    for (operation& one : of_servers()) {
        all.push_back(std::move(one));
    }
    return all;
}

} // namespace partywall::test
