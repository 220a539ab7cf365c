// SPDX-License-Identifier: BSL-1.0
// The half of a client that does not depend on its types. Users see client<Req, Res>.
//
// A client reads an inbox of its own, which is in no registry: every server that it is attached to
// finds it by the number that the client's lanes say, and answers through a lane there. To each
// server it has a *link*: a lane of that server's inbox.
//
// A call has a slot in a private table. What travels is the slot's index and generation; the slot is
// used again only when its last reply has come, or its server has ended, so a late reply is nobody's.
//
// Invariants
//   I1  A slot is free, or has an owner who wants its result, or is open: its reply may still come.
//       Its generation changes when it becomes free.
//   I2  No server ever finds a lane of ours full: of each, the replies that it may still send (one to
//       a call that is open; to a stream its end, and what is left of its window) and those that are
//       not given back are together no more than the lane has cells.
//   I3  Who gives up stores the request's cancel word, then the heavy half of a fence pair, then
//       looks at `taken`. Not reached: the request was not, and never will be, executed. (The server
//       stores `taken`, the light half, and then looks at the cancel word.)
//   I4  That a server has ended is known before the last look for its replies, and its calls are
//       given up after that look.
//   I5  A call that a breaker let through tells it once how it went: record(), or withdraw() where
//       no request was sent. Later news of it tell nothing. A stream tells it at its end.
#pragma once

#include <partywall/calls/call_error.hpp>
#include <partywall/calls/call_options.hpp>
#include <partywall/calls/callee_circuit.hpp>
#include <partywall/calls/frame.hpp>
#include <partywall/export.hpp>
#include <partywall/oneway/receiver_core.hpp>
#include <partywall/oneway/sender_core.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace partywall::inline v0::detail {

/// No error. Hot paths hand errors on as bare enums.
inline constexpr call_errc call_ok{};

/// Run when a call has its result. Owned by the slot until then.
class PARTYWALL_API completion {
  public:
    completion() = default;
    completion(completion const&) = delete;
    completion& operator=(completion const&) = delete;
    virtual ~completion() = default;
    /// May make calls, and may destroy the client's handle.
    virtual void run(struct call_result&& how) noexcept = 0;
};

/// How a call ended: a reply, in place or kept, or an error.
struct call_result {
    call_errc reason = call_errc::closed; ///< call_ok: there is a reply
    partywall::executed executed = partywall::executed::maybe;
    bool refused_here = false;
    // A reply, or the server's error:
    reply_status status{};
    std::int32_t code = 0;
    std::uint64_t server = 0;
    call_header user{};
    std::byte const* body = nullptr; ///< of the message, or the error's text
    std::uint64_t bytes = 0;
    // Where `body` is.
    reading_end* core = nullptr; ///< in place, held by `hold`
    std::uint32_t hold = 0;
    std::unique_ptr<std::byte[]> memory; ///< kept: it came while somebody waited for another

    call_result() noexcept = default;
    call_result(call_errc why, partywall::executed was) noexcept : reason(why), executed(was) {}
    // Inlined: a reply goes through it on its way to the caller.
    call_result(call_result&& other) noexcept
        : reason(other.reason), executed(other.executed), refused_here(other.refused_here),
          status(other.status), code(other.code), server(other.server), user(other.user),
          body(other.body), bytes(other.bytes), core(std::exchange(other.core, nullptr)),
          hold(other.hold), memory(std::move(other.memory)) {}
    PARTYWALL_API call_result& operator=(call_result&& other) noexcept;
    ~call_result() { drop(); }
    /// Gives the reply back.
    void drop() noexcept {
        if (core != nullptr) {
            std::exchange(core, nullptr)->release(hold);
        }
    }
    PARTYWALL_API call_error error() const noexcept;
};

/// A request in the making.
struct call_draft {
    std::uint32_t link = 0;
    bool wants_reply = true;
    std::uint32_t window = 0;    ///< of a stream; 0: one reply
    std::byte* memory = nullptr; ///< of the message
    std::byte* frame = nullptr;
    std::uint64_t room = 0; ///< bytes for the message
    std::uint64_t start_ns = 0;
    std::uint64_t deadline_ns = 0;
    callee_circuit* circuit = nullptr; ///< which let it through by `slip`
    admission_slip slip{};
    std::uint64_t retry_after_ns = 0; ///< circuit_open; 0: not known
};

class PARTYWALL_API client_core final : public receiver_core {
  public:
    using handle = std::unique_ptr<client_core, closer>;

    static handle create(std::shared_ptr<participant_core> participant, std::string_view name,
                         call_types const& types, client_options const& options,
                         failure<endpoint_errc>& why) noexcept;

    /// Finds a server, room and time for a request. `until_ns`: no later than that (a context's).
    call_errc begin(call_draft& draft, call_options const& options,
                    std::uint64_t until_ns) noexcept;
    /// No request is sent after all.
    static void withdraw(call_draft& draft) noexcept {
        if (callee_circuit* const circuit = std::exchange(draft.circuit, nullptr)) {
            circuit->release(draft.slip);
        }
    }
    /// Sends it. The slot that its reply comes for; none if none does.
    std::uint32_t submit(call_draft& draft, call_options const& options,
                         std::uint64_t bytes) noexcept;
    /// Waits for the result of a call that was just submitted, until its deadline. It is over then.
    call_result await(std::uint32_t slot, std::uint64_t start_ns) noexcept;

    // ---- calls that nobody waits for yet ----

    /// Whether it has its result.
    bool is_done(std::uint32_t slot) const noexcept { return slots_[slot].done; }
    /// Somebody will fetch the result, or let go of it: until then the core lives.
    void promise(std::uint32_t slot) noexcept;
    /// Waits for it: ok, deadline (of the wait), interrupted.
    call_errc wait_done(std::uint32_t slot, std::uint64_t until_ns) noexcept;
    /// Waits for the result, at most until its deadline, and takes it; the slot is nobody's any more.
    call_result fetch(std::uint32_t slot) noexcept;
    /// Takes the result that is there; the slot is nobody's any more.
    call_result take_result(std::uint32_t slot) noexcept;
    /// Nobody wants it. Its server may leave it out, if it has not begun.
    void abandon(std::uint32_t slot) noexcept;
    /// Ends it now, with `cancelled`, unless it is done.
    void cancel(std::uint32_t slot) noexcept;
    /// A stream's next reply, or its end, or why there is none; waits at most so long (`deadline`).
    /// After an end or a failure, which `over` says, the slot is nobody's.
    call_result next_of(std::uint32_t slot, std::uint64_t until_ns, bool& over) noexcept;
    /// Whether that waits.
    bool has_next(std::uint32_t slot) const noexcept {
        return slots_[slot].done || slots_[slot].stream->count != 0;
    }
    /// What a stream's window comes to here.
    std::uint32_t window_for(std::uint32_t wanted) const noexcept;
    /// From now on the slot is the completion's.
    void complete_with(std::uint32_t slot, std::unique_ptr<completion> then) noexcept;
    /// Deals with replies that are there, ends, and deadlines that have passed. Returns how many
    /// calls got their result.
    std::size_t poll() noexcept;
    /// The same, waiting for the first one.
    result<std::size_t, call_errc> poll_until(std::uint64_t until_ns) noexcept;

    call_errc wait_for_server(std::uint64_t until_ns) noexcept;
    std::uint32_t servers() noexcept;
    std::uint32_t open_calls() const noexcept { return open_calls_; }
    std::uint64_t late_replies() const noexcept { return late_; }
    std::uint64_t request_bytes_max() noexcept;
    std::vector<breaker_stats> breakers() const;
    std::string const& refusal() const noexcept { return refusal_; }
    endpoint_errc refusal_code() const noexcept { return refusal_code_; }

  private:
    static constexpr std::uint32_t none = ~std::uint32_t{0};

    struct link {
        std::unique_ptr<sender_core> out;
        std::uint64_t server = 0; ///< incarnation
        source* replies = nullptr;
        callee_circuit* circuit = nullptr;
        std::uint32_t open = 0;         ///< replies that may still come (I2); 0: no calls
        std::uint64_t of_others = 0;    ///< requests that it is not through with ...
        std::uint64_t of_others_ns = 0; ///< ... when that was looked at
        bool draining = false;
        bool broken = false; ///< its lane to us has ended
        bool corrupt = false;
    };
    struct stream_state {
        explicit stream_state(std::uint32_t replies) : window(replies), items(replies) {}
        std::uint32_t const window;
        std::uint32_t credit = window + 1; ///< replies that may still come; the last one is its end
        std::uint64_t read = 0;
        std::uint64_t told = 0;         ///< what the server knows of that
        bool stop_owed = false;         ///< the server is to know that nobody reads on
        std::vector<call_result> items; ///< a ring of replies that came, and were not read
        std::uint32_t first = 0;
        std::uint32_t count = 0;
    };
    struct call_slot {
        std::uint32_t generation = 0;
        bool open = false;  ///< its reply may still come
        bool owned = false; ///< somebody wants the result
        bool done = false;  ///< which is known
        std::uint64_t server = 0;
        std::uint64_t position = 0;
        request_header* request = nullptr;
        std::uint64_t deadline_ns = 0;
        std::uint64_t start_ns = 0;
        callee_circuit* circuit = nullptr; ///< still to be told how the call went
        admission_slip slip{};
        call_result kept;
        std::unique_ptr<completion> then;
        std::unique_ptr<stream_state> stream; ///< nullptr: one reply
        std::uint32_t credit() const noexcept { return stream != nullptr ? stream->credit : 1; }
    };

    explicit client_core(std::shared_ptr<participant_core> participant);
    ~client_core() override;

    result<void, failure<endpoint_errc>> make_circuits(std::string const& doing);
    callee_circuit* circuit_for(std::uint64_t server);
    bool pass(call_draft& draft, link*& l, std::uint64_t now_ns) noexcept;
    [[gnu::noinline, gnu::cold]] bool pass_elsewhere(call_draft& draft, link*& l,
                                                     std::uint64_t now_ns) noexcept;
    void record(call_slot& s, call_result const& how) noexcept;
    link* choose() noexcept;
    std::uint64_t busy(link& l) const noexcept;
    link* find_link(std::uint64_t server) noexcept;
    [[gnu::noinline, gnu::cold]] call_errc find_server(bool wait, std::uint64_t until_ns,
                                                       link*& found) noexcept;
    [[gnu::noinline, gnu::cold]] call_errc make_slot(link*& l, std::uint32_t need, bool wait,
                                                     std::uint64_t until_ns) noexcept;
    [[gnu::noinline, gnu::cold]] call_errc make_room(link& l, send_errc e, bool wait,
                                                     std::uint64_t until_ns) noexcept;
    [[gnu::noinline, gnu::cold]] void look_for_servers(std::uint64_t now_ns) noexcept;
    void attach_to(entry_info const& e);
    bool is_known_dead(std::uint64_t ticket); ///< may throw std::bad_alloc
    bool usable(link const& l) const noexcept { return l.out->attached() && !l.draining; }
    bool has_credit(link& l, std::uint32_t need) noexcept;
    void end_link(std::size_t index) noexcept;
    void end_dead_links() noexcept;
    bool link_has_ended() const noexcept;
    static std::uint64_t id_in(taken const& t) noexcept;
    bool is_for(taken const& t, std::uint64_t id, call_slot const& s) const noexcept;
    call_slot* addressee(taken const& t) noexcept;
    void accept(taken const& t) noexcept;
    void deliver(taken const& t) noexcept;
    void keep(call_slot& s, taken const& t) noexcept;
    static call_result copy_of(call_result&& r) noexcept;
    bool make_stream(std::uint32_t window) noexcept;
    void accept_of_stream(call_slot& s, taken const& t) noexcept;
    bool note(call_slot const& s, link& l, std::uint64_t read, std::uint32_t flags) noexcept;
    call_errc drive_stream(call_slot& s, std::uint64_t until_ns) noexcept;
    void tell_read(call_slot& s) noexcept;
    void owe_stop(call_slot& s) noexcept;
    [[gnu::noinline, gnu::cold]] void tell_stops() noexcept;
    void finish(call_slot& s, call_result&& how) noexcept;
    void reply_came(call_slot& s) noexcept;
    void free_if_over(call_slot& s) noexcept;
    call_result result_of(call_slot& s, taken const& t,
                          call_errc given_up = call_errc::cancelled) noexcept;
    executed give_up(call_slot& s) noexcept;
    void store_cancel(call_slot& s) noexcept;
    static executed judge(sender_core const& out, std::uint64_t position, bool fenced) noexcept;
    void expire(std::uint64_t now_ns) noexcept;
    void run_completions() noexcept;
    bool is_due() const noexcept;
    void keep_alive() noexcept { keepers_ += 1; }
    /// Afterwards this may be gone.
    void let_die() noexcept;
    template <class Over>
    call_errc drive(Over over, std::uint64_t until_ns) noexcept;
    std::uint32_t index_of(call_slot const& s) const noexcept {
        return static_cast<std::uint32_t>(&s - slots_.data());
    }
    taken take() noexcept { return try_take<copy_any_size>(); }

    void lane_opened(source& s) override;
    void source_ended(source& s) noexcept override;
    void add_words(arming& a) noexcept override;
    void after_sleep() noexcept override;
    bool look() noexcept override;
    void let_go() noexcept override;

    std::vector<std::uint32_t> free_slots_;
    std::vector<call_slot> slots_;
    std::vector<link> links_;
    std::vector<std::unique_ptr<callee_circuit>> circuits_; ///< those of servers that ended, too
    std::uint64_t seen_ns_ = 0; ///< of the clock, when it was last read for a call or for a breaker
    std::uint32_t next_link_ = 0;
    std::uint32_t epoch_seen_ = 0;
    bool others_drain_ = false;     ///< servers that we have no link to
    std::uint32_t body_offset_ = 0; ///< of requests
    std::uint32_t reply_body_offset_ = 0;
    std::uint64_t reply_body_bytes_ = 0; ///< 0: variable
    std::uint64_t default_deadline_ns_ = 0;
    std::uint64_t next_expiry_ns_ = ~std::uint64_t{0}; ///< no open call that is owned ends before
    std::uint32_t open_calls_ = 0;
    std::uint32_t reading_ = none; ///< the stream whose next reply is waited for: it stays in place
    bool stops_owed_ = false;      ///< by some slot
    std::unique_ptr<stream_state> next_stream_; ///< of the request that is being written
    std::uint64_t reply_cells_ = 0;
    std::uint64_t random_ = 0;
    std::uint64_t late_ = 0;
    std::size_t completed_ = 0;      ///< results since poll() began
    std::vector<std::uint32_t> due_; ///< slots whose completions are to be run
    bool running_ = false;
    bool over_ = false;              ///< the handle is closed
    std::uint32_t keepers_ = 0;      ///< results to be fetched, and completions that run
    std::uint32_t keeping_hold_ = 0; ///< out while keepers_ must find us alive after close()
    std::uint64_t looked_for_servers_ns_ = 0;
    client_options options_;
    call_types types_;
    type_info request_type_;
    std::string refusal_;
    endpoint_errc refusal_code_{};
};

} // namespace partywall::inline v0::detail
