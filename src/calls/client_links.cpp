// SPDX-License-Identifier: BSL-1.0
// A client's servers: finding them, choosing one, and what happens when one ends.
#include <partywall/calls/client_core.hpp>

#include "../endpoint/reading_wait.hpp"
#include "../oneway/inbox_segment.hpp"
#include "call_parts.hpp"

#include <partywall/calls/reply_credit.hpp>
#include <partywall/os/clock.hpp>
#include <partywall/os/futex.hpp>
#include <partywall/os/membarrier.hpp>
#include <partywall/os/robust_word.hpp>

#include <algorithm>
#include <climits>
#include <new>
#include <utility>

namespace partywall::inline v0::detail {
namespace {

std::string wrong_with(client_options const& o) {
    if (o.deadline.count() <= 0) {
        return "deadline is not positive";
    }
    if (o.calls_max == 0 || o.calls_max > calls_per_client_max) {
        return "calls_max " + std::to_string(o.calls_max) + " is not in 1.." +
               std::to_string(calls_per_client_max);
    }
    if (o.servers_max == 0 || o.servers_max > servers_per_client_max) {
        return "servers_max " + std::to_string(o.servers_max) + " is not in 1.." +
               std::to_string(servers_per_client_max);
    }
    // One more to look at what comes, one that keeps the core.
    if (o.replies_held_max == 0 || o.replies_held_max > samples_held_limit - 2) {
        return "replies_held_max " + std::to_string(o.replies_held_max) + " is not in 1.." +
               std::to_string(samples_held_limit - 2);
    }
    if (o.reply_bytes_max > payload_bytes_max_limit / 2) {
        return "reply_bytes_max " + std::to_string(o.reply_bytes_max) + " is too much";
    }
    return {};
}

} // namespace

client_core::client_core(std::shared_ptr<participant_core> participant)
    : receiver_core(std::move(participant)) {}

client_core::~client_core() = default;

client_core::handle client_core::create(std::shared_ptr<participant_core> participant,
                                        std::string_view name, call_types const& types,
                                        client_options const& options,
                                        failure<endpoint_errc>& why) noexcept {
    return made_or_why<handle>(why, [&]() -> result<handle, endpoint_failure> {
        std::string const doing = "cannot call '" + std::string(name) + "'";
        if (auto const ok = may_make(*participant, doing, name); !ok) {
            return ok.error();
        }
        if (std::string const bad = wrong_with(options); !bad.empty()) {
            return fail(endpoint_errc::bad_option, doing + ": " + bad);
        }
        inbox_purpose purpose;
        purpose.doing = doing;
        purpose.name = name;
        purpose.type = call_type(types, call_way::reply);
        purpose.shape = types.reply_shape.payload;
        purpose.has_entry = false;
        receiver_options& inbox = purpose.options;
        // Half of it for calls that are open, half for replies that are given back late.
        inbox.depth = 2 * std::uint64_t{options.calls_max};
        inbox.payload_bytes_max =
            framed_bytes_max(types.reply_shape, options.reply_bytes_max, call_text_bytes_max);
        inbox.inline_bytes_max = options.inline_bytes_max;
        inbox.senders_max = options.servers_max;
        inbox.samples_held_max = options.replies_held_max + 2;
        inbox.waiting = options.waiting;
        inbox.spin_for = options.spin_for;
        inbox.memory = options.memory;
        inbox.start_position = options.start_position;
        handle core(new client_core(std::move(participant)));
        client_core& me = *core;
        me.options_ = options;
        me.types_ = types;
        me.request_type_ = call_type(types, call_way::request);
        me.body_offset_ = types.request_shape.body_offset;
        me.reply_body_offset_ = types.reply_shape.body_offset;
        me.reply_body_bytes_ = types.reply_shape.body_bytes;
        me.default_deadline_ns_ = static_cast<std::uint64_t>(options.deadline.count());
        me.slots_.resize(options.calls_max);
        me.free_slots_.reserve(options.calls_max);
        me.due_.reserve(options.calls_max);
        me.links_.reserve(options.servers_max);
        for (std::uint32_t i = options.calls_max; i != 0; --i) {
            me.slots_[i - 1].generation = options.first_generation;
            me.free_slots_.push_back(i - 1);
        }
        if (auto const ok = me.open(purpose); !ok) {
            return ok.error();
        }
        me.reply_cells_ = me.segment().constants.cell_count;
        me.keeping_hold_ = inbox.samples_held_max - 1;
        me.free_holds_ &= ~(std::uint64_t{1} << me.keeping_hold_);
        me.random_ = me.incarnation() | 1;
        if (auto const ok = me.make_circuits(doing); !ok) {
            return ok.error();
        }
        // Nobody there is no failure: a server may come later. One that cannot be used is.
        me.look_for_servers(os::monotonic_ns());
        if (me.links_.empty() && me.refusal_code_ != endpoint_errc{}) {
            return fail(me.refusal_code_, me.refusal_);
        }
        return core;
    });
}

// ---- finding ----------------------------------------------------------------------------------------

void client_core::look_for_servers(std::uint64_t now_ns) noexcept {
    participant_->keep_notice();
    looked_for_servers_ns_ = now_ns;
    end_dead_links(); // their places are for others
    // acquire, before looking: whoever comes after the look has changed it.
    std::uint32_t const epoch =
        std_atomics::load(participant_->epoch_word(), std::memory_order_acquire);
    try {
        auto const all = participant_->entries(entry_kind::service, name());
        refusal_code_ = {};
        others_drain_ = false;
        for (entry_info const& e : all) {
            if (link* const l = find_link(e.incarnation)) {
                l->draining = e.state != health::ready;
            } else if (e.state == health::ready && links_.size() < options_.servers_max) {
                attach_to(e);
            } else if (e.state == health::draining) {
                others_drain_ = others_drain_ || !is_known_dead(e.owner_ticket);
            }
        }
        epoch_seen_ = epoch;
    } catch (...) { // out of memory: the next call looks again
    }
}

bool client_core::is_known_dead(std::uint64_t ticket) {
    participant_core::life_view const life = participant_->life_of(ticket);
    return participant_->proven_dead(ticket) ||
           (life.word != nullptr && os::robust_died_now(life.word));
}

void client_core::attach_to(entry_info const& e) {
    if (is_known_dead(e.owner_ticket)) {
        return;
    }
    sender_options options;
    options.overflow = overflow::block;
    options.block_for = std::chrono::nanoseconds(0);
    options.fence = options_.fence;
    options.waiting = options_.waiting;
    options.spin_for = options_.spin_for;
    endpoint_failure why;
    auto out = sender_core::attach_to(participant_, e, request_type_, types_.request_shape.payload,
                                      options, incarnation(), why);
    if (out == nullptr) {
        // Its files went while we looked: it is not there any more.
        if (why.code != endpoint_errc::domain_gone) {
            refusal_ = why.message;
            refusal_code_ = why.code;
        }
        return;
    }
    if (out->ring.geometry().message_bytes_max() < body_offset_) {
        refusal_ = "cannot call '" + name() + "': the server's lanes have no room for a request";
        refusal_code_ = endpoint_errc::corrupt;
        return;
    }
    out->interrupted_by(interrupts_, interrupts_seen_);
    link l;
    l.out = std::move(out);
    l.server = e.incarnation;
    l.circuit = circuit_for(e.incarnation);
    if (l.circuit != nullptr) {
        l.circuit->server_came(e.incarnation, os::monotonic_ns());
    }
    links_.push_back(std::move(l)); // there is room: reserved
    words_stale_ = true;
}

client_core::link* client_core::find_link(std::uint64_t server) noexcept {
    for (link& l : links_) {
        if (l.server == server) {
            return &l;
        }
    }
    return nullptr;
}

/// Calls of ours under way, and what others have sent and it is not through with. That costs some
/// cache lines for each lane, so it is looked at once per microsecond and lane.
std::uint64_t client_core::busy(link& l) const noexcept {
    if (seen_ns_ - l.of_others_ns >= std::uint64_t{l.out->lane_count()} * 1000) {
        l.of_others = l.out->under_way_of_others();
        l.of_others_ns = seen_ns_;
    }
    return l.open + l.of_others;
}

client_core::link* client_core::choose() noexcept {
    std::size_t const count = links_.size();
    if (count == 1 && usable(links_[0])) [[likely]] {
        return &links_[0];
    }
    if (count == 0) {
        return nullptr;
    }
    if (options_.balance == partywall::balance::least_busy && count > 1) {
        // Two of all, and of those the one with less under way (Mitzenmacher, 2001). xorshift64.
        random_ ^= random_ << 13;
        random_ ^= random_ >> 7;
        random_ ^= random_ << 17;
        std::size_t const first = (random_ >> 32) % count;
        std::size_t const second = (first + 1 + (random_ & 0xffff'ffff) % (count - 1)) % count;
        link& a = links_[first];
        link& b = links_[second];
        link& less = busy(a) <= busy(b) ? a : b; // a draw between equals
        if (usable(less)) {
            return &less;
        }
    }
    link* best = nullptr;
    for (std::size_t i = 0; i < count; ++i) {
        std::size_t const at = (next_link_ + i) % count;
        link& l = links_[at];
        if (!usable(l)) {
            continue;
        }
        if (options_.balance == partywall::balance::round_robin) {
            next_link_ = static_cast<std::uint32_t>(at + 1);
            return &l;
        }
        if (best == nullptr || busy(l) < busy(*best)) {
            best = &l;
        }
    }
    return best;
}

/// No server can be used now. ok: `found` can.
call_errc client_core::find_server(bool wait, std::uint64_t until_ns, link*& found) noexcept {
    look_for_servers(os::monotonic_ns());
    found = choose();
    if (found == nullptr && wait) {
        call_errc const e = wait_for_server(until_ns);
        if (e != call_ok && e != call_errc::deadline) {
            return e;
        }
        found = e == call_ok ? choose() : nullptr;
    }
    if (found != nullptr) {
        return call_ok;
    }
    bool const drains = std::any_of(links_.begin(), links_.end(),
                                    [](link const& l) { return l.draining && l.out->attached(); });
    return drains || others_drain_            ? call_errc::draining
           : refusal_code_ != endpoint_errc{} ? call_errc::refused
                                              : call_errc::no_server;
}

call_errc client_core::wait_for_server(std::uint64_t until_ns) noexcept {
    if (mark_.is_child() || over_) {
        return over_ ? call_errc::closed : call_errc::forked;
    }
    for (;;) {
        // acquire, before looking: whoever comes after the look has changed it.
        std::uint32_t const seen =
            std_atomics::load(participant_->epoch_word(), std::memory_order_acquire);
        end_dead_links();
        if (choose() == nullptr) {
            look_for_servers(os::monotonic_ns());
        }
        if (choose() != nullptr) {
            return call_ok;
        }
        if (refusal_code_ != endpoint_errc{} && refusal_code_ != endpoint_errc::no_lane) {
            return call_errc::refused;
        }
        if (interrupted()) {
            return call_errc::interrupted;
        }
        if (os::monotonic_ns() >= until_ns) {
            return call_errc::deadline;
        }
        wait_list words;
        words.add({reinterpret_cast<std::uint32_t const*>(&interrupts_), interrupts_seen_, false});
        words.add_data({&participant_->epoch_word(), seen, true});
        words.park(until_ns);
    }
}

std::uint32_t client_core::servers() noexcept {
    if (mark_.is_child() || over_) {
        return 0;
    }
    look_for_servers(os::monotonic_ns());
    return static_cast<std::uint32_t>(
        std::count_if(links_.begin(), links_.end(), [this](link const& l) { return usable(l); }));
}

std::uint64_t client_core::request_bytes_max() noexcept {
    return links_.empty() ? 0 : links_[0].out->ring.geometry().message_bytes_max() - body_offset_;
}

/// I2.
bool client_core::has_credit(link& l, std::uint32_t need) noexcept {
    struct lane {
        std::uint64_t cells() const noexcept { return me.reply_cells_; }
        std::uint64_t unflushed() const noexcept {
            return from != nullptr ? from->unflushed() : 0; // nothing came yet
        }
        void flush() const noexcept {
            if (from != nullptr) {
                me.flush(*from);
            }
        }
        client_core& me;
        source* from;
    };
    return has_reply_credit(l.open, need, lane{*this, l.replies});
}

// ---- ends -------------------------------------------------------------------------------------------

bool client_core::link_has_ended() const noexcept {
    return std::any_of(links_.begin(), links_.end(), [](link const& l) {
        return l.open != 0 && (l.broken || !l.out->attached());
    });
}

void client_core::end_dead_links() noexcept {
    for (std::size_t i = 0; i < links_.size();) {
        if (links_[i].broken || !links_[i].out->attached()) {
            end_link(i);
            i = 0; // the look for its replies may have found others
        } else {
            i += 1;
        }
    }
}

/// Its end is known (I4).
void client_core::end_link(std::size_t index) noexcept {
    std::uint64_t const server = links_[index].server;
    if (links_[index].open != 0) {
        // acquire: pairs with the release in say_closed() and with the kernel's mark, both of which
        // come after the server's last reply. attached() is relaxed.
        std_atomics::fence(std::memory_order_acquire);
        look_at_lanes_soon();
        for (;;) {
            taken const t = take();
            if (t.error == receive_errc::none) {
                accept(t);
            } else if (t.error != receive_errc::peer_died &&
                       t.error != receive_errc::publisher_closed &&
                       t.error != receive_errc::corrupt) {
                break;
            }
        }
    }
    link& l = *find_link(server); // nothing above removes links
    bool fenced = false;
    if (l.open != 0) {
        for (call_slot& s : slots_) {
            if (s.open && s.server == server) {
                store_cancel(s); // a thread of it may still run
            }
        }
        fenced = os::heavy_fence(); // I3. Pairs with the light one in server_core::deal_with()
    }
    call_errc const why = l.corrupt                                ? call_errc::corrupt
                          : l.out->ended() == send_errc::peer_died ? call_errc::peer_died
                                                                   : call_errc::no_server;
    if (l.circuit != nullptr) { // what was under way is of an older state then
        l.circuit->server_left(why == call_errc::peer_died, os::monotonic_ns());
    }
    for (call_slot& s : slots_) {
        if (!s.open || s.server != server) {
            continue;
        }
        executed const was = judge(*l.out, s.position, fenced);
        s.open = false;
        open_calls_ -= 1;
        if (s.owned && !s.done) {
            finish(s, call_result(why, was));
        }
        free_if_over(s);
    }
    l.out->close();
    links_.erase(links_.begin() + (&l - links_.data()));
    epoch_seen_ -= 1; // look for another one, though nothing may have changed
    words_stale_ = true;
}

// ---- the inbox ------------------------------------------------------------------------------------

void client_core::lane_opened(source& s) {
    if (link* const l = find_link(s.incarnation)) {
        l->replies = &s;
    }
}

/// No reply comes any more, whatever the server thinks.
void client_core::source_ended(source& s) noexcept {
    if (link* const l = find_link(s.incarnation); l != nullptr && l->replies == &s) {
        l->replies = nullptr;
        l->broken = true;
        l->corrupt = s.corrupt;
    }
    receiver_core::source_ended(s);
}

void client_core::add_words(arming& a) noexcept {
    receiver_core::add_words(a);
    for (link const& l : links_) {
        if (l.open == 0) {
            continue;
        }
        a.words.peer_death_matters(); // deadlines too are looked for once per slice
        a.add_life(l.out->life().sign(l.out->receiver_ticket()));
    }
}

/// Wakes the others that wait for a death (the kernel wakes one), and asks for proof where there can
/// be no notice.
void client_core::after_sleep() noexcept {
    receiver_core::after_sleep();
    for (link& l : links_) {
        participant_core::life_view const& life = l.out->life();
        std::uint32_t const value = life.word != nullptr ? os::robust_value(life.word) : 0;
        if (os::robust_owner_died(value)) {
            os::futex_wake(*os::robust_futex(life.word), INT_MAX, true);
        } else if (!os::robust_is_held(value) && l.open != 0 && l.out->proven_dead()) {
            l.broken = true;
        }
    }
}

void client_core::let_go() noexcept {
    if (over_) {
        return;
    }
    over_ = true;
    for (call_slot& s : slots_) {
        if (!s.open) {
            continue;
        }
        store_cancel(s);
        s.open = false;
        if (s.owned && !s.done) {
            finish(s, call_result(call_errc::closed, executed::maybe));
        }
        free_if_over(s);
    }
    for (link& l : links_) {
        l.out->close();
        l.circuit = nullptr;
    }
    circuits_.clear();
    receiver_core::let_go();
    run_completions();
    if (keepers_ == 0) {
        free_holds_ |= std::uint64_t{1} << keeping_hold_; // nothing keeps us
    }
}

} // namespace partywall::inline v0::detail
