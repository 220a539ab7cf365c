// SPDX-License-Identifier: BSL-1.0
// A client's table of calls is private: one thread, whatever comes. So its states can be gone through
// one by one. Every order of so many events (calls, with and without time; requests that are taken
// and answered, late, or never; replies of a slot's earlier life; looks, results that are fetched,
// held, given up) is run on a client and a server, beside a few lines that say what must come of it.
#include "forger.hpp"

#include <support/counts.hpp>
#include <support/sandbox.hpp>
#include <support/watchdog.hpp>

#include <algorithm>
#include <cstdio>
#include <deque>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace partywall::test {
namespace {

using detail::call_id;

constexpr std::uint32_t slots = 2;
constexpr std::uint64_t reply_cells = 4;
constexpr std::uint64_t request_cells = 4;

std::string text(call_outcome<told> const& r, std::uint64_t number) {
    if (r.has_value()) {
        return (*r)->answers(number) ? "answered" : "another's reply";
    }
    return std::string(to_string(r.error().reason)) +
           (r.error().executed == executed::no ? ", no" : ", maybe");
}

/// What is known of a call, and what must be said of it.
struct call_state {
    std::uint64_t number = 0;
    std::uint32_t slot = 0;
    bool too_late = false; ///< its deadline had passed when it was sent
    bool reached = false;  ///< the server has begun with it
    bool executed = false;
    bool given_up = false;
    bool open = true;   ///< its reply may still come
    bool owned = true;  ///< somebody wants the result
    std::string result; ///< once it is known
    std::optional<pending_call<told>> handle;
};

class world {
  public:
    world(participant& serves, participant& calls, std::uint64_t start, std::uint32_t generation)
        : server_(serves
                      .server<ask, told>(
                          "s",
                          [this](ask const& a, deferred<told> d, call_context&) {
                              owed_.emplace_back(a.number, std::move(d));
                          },
                          serving_from(start))
                      .value()),
          client_(calls.client<ask, told>("s", calling_from(start, generation)).value()),
          forged_(serves, client_.incarnation(), server_.incarnation()),
          generations_(slots, generation), free_{1, 0} {
        // The forger's lane is there before the server's: replies are counted in that one.
        (void)client_.poll();
        (void)server_.poll();
        (void)client_.poll();
    }

    /// One sequence: `choose(n)` says which of n events comes next. Afterwards nothing is under way.
    template <class Choose>
    void run(int events, Choose const& choose) {
        log_.clear();
        for (int i = 0; i < events && !broken_; ++i) {
            step(choose);
        }
        if (!broken_) {
            settle();
        }
    }
    std::string const& log() const { return log_; }
    std::uint64_t overloaded = 0;
    std::uint64_t late() const { return late_; }

  private:
    static server_options serving_from(std::uint64_t start) {
        server_options o = serving(request_cells);
        o.start_position = start;
        o.clients_max = 2;
        return o;
    }
    static client_options calling_from(std::uint64_t start, std::uint32_t generation) {
        client_options o = calling();
        o.calls_max = slots;
        o.servers_max = 2;
        o.replies_held_max = 2;
        o.with_breaker = false;
        o.start_position = start;
        o.first_generation = generation;
        return o;
    }

    // ---- what must come of it -----------------------------------------------------------------

    std::uint64_t open() const {
        return static_cast<std::uint64_t>(
            std::count_if(calls_.begin(), calls_.end(), [](auto const& c) { return c.open; }));
    }
    bool has_room() const {
        std::uint64_t const kept = held_ ? read_ - held_at_ : 0; // a held one keeps those behind it
        return !free_.empty() && open() + 1 + kept <= reply_cells;
    }
    void free_if_over(call_state& c) {
        if (!c.open && !c.owned) {
            generations_[c.slot] += 1;
            free_.push_back(c.slot);
        }
    }
    static std::string said(call_state const& c) {
        return c.executed ? "answered" : c.given_up ? "cancelled, no" : "deadline, no";
    }
    /// The client looks at the next reply: of a call that somebody wants, or nobody's.
    void accept() {
        call_state& c = *replies_.front();
        replies_.pop_front();
        read_ += 1;
        c.open = false;
        if (c.owned && c.result.empty()) {
            c.result = said(c);
        } else {
            late_ += 1;
        }
        free_if_over(c);
    }
    void expire() {
        for (call_state& c : calls_) {
            if (c.too_late && c.open && c.owned && c.result.empty()) {
                c.given_up = true;
                c.result = c.reached ? "deadline, maybe" : "deadline, no";
            }
        }
    }
    void expect_look() {
        while (!replies_.empty()) {
            accept();
        }
        expire();
    }

    // ---- events -------------------------------------------------------------------------------

    void call(bool too_late) {
        while (!has_room() && !replies_.empty()) {
            accept();
        }
        if (!has_room()) {
            expire(); // it looked at everything
        }
        auto handle = client_.call_async(ask::of(next_), too_late ? 1ns : std::chrono::hours(1));
        if (handle.ready() == has_room()) { // or it would be waited for
            ADD_FAILURE() << (has_room() ? "refused: " : "not refused: ") << log_;
            broken_ = true;
            return;
        }
        if (!has_room()) {
            EXPECT_EQ(text(handle.get(), next_), "overloaded, no") << log_;
            overloaded += 1;
            return;
        }
        std::uint32_t const slot = free_.back();
        free_.pop_back();
        calls_.push_back({});
        calls_.back().number = next_++;
        calls_.back().slot = slot;
        calls_.back().too_late = too_late;
        calls_.back().handle.emplace(std::move(handle));
        queue_.push_back(&calls_.back());
    }
    void take() {
        call_state& c = *queue_.front();
        queue_.pop_front();
        std::size_t const before = owed_.size();
        EXPECT_EQ(server_.poll(1), 1u) << log_;
        bool const executes = !c.given_up && !c.too_late;
        EXPECT_EQ(owed_.size() - before, executes ? 1u : 0u) << log_;
        c.reached = true;
        c.executed = executes;
        if (executes) {
            owing_.push_back(&c);
        } else {
            replies_.push_back(&c);
        }
    }
    void answer(std::size_t at) {
        EXPECT_EQ(owed_[at].first, owing_[at]->number) << log_;
        EXPECT_TRUE(owed_[at].second.answer(told::of(owed_[at].first)))
            << "the server finds room whatever the client does: " << log_;
        replies_.push_back(owing_[at]);
        owed_.erase(owed_.begin() + static_cast<std::ptrdiff_t>(at));
        owing_.erase(owing_.begin() + static_cast<std::ptrdiff_t>(at));
    }
    void look() {
        expect_look();
        (void)client_.poll();
        for (call_state const& c : calls_) {
            if (c.handle) {
                EXPECT_EQ(c.handle->ready(), !c.result.empty()) << c.number << ": " << log_;
            }
        }
    }
    void cancel(call_state& c) {
        if (c.open && c.result.empty()) {
            c.given_up = true;
            c.result = c.reached ? "cancelled, maybe" : "cancelled, no";
        }
        c.handle->cancel();
    }
    void abandon(call_state& c) {
        c.given_up = c.given_up || (c.open && c.result.empty());
        c.owned = false;
        c.handle.reset();
        free_if_over(c);
    }
    /// Waits for nothing: where no reply is there, it is interrupted, or too late.
    void get(call_state& c, bool hold) {
        std::string expected = c.result;
        bool in_place = false;
        bool interrupted = false;
        if (expected.empty()) {
            bool const is_there = std::find(replies_.begin(), replies_.end(), &c) != replies_.end();
            while (!replies_.empty() && replies_.front() != &c) {
                accept();
            }
            if (is_there) {
                expected = said(c);
                in_place = c.executed;
                replies_.pop_front();
                read_ += 1;
                c.open = false;
            } else {
                interrupted = !c.too_late;
                expected = std::string(c.too_late ? "deadline" : "interrupted") +
                           (c.reached ? ", maybe" : ", no");
                c.given_up = true;
            }
        }
        if (interrupted) {
            client_.interrupt();
        }
        auto r = c.handle->get();
        EXPECT_EQ(text(r, c.number), expected) << "call " << c.number << ": " << log_;
        c.owned = false;
        c.handle.reset();
        free_if_over(c);
        if (hold && in_place && r.has_value()) {
            held_.emplace(std::move(*r));
            held_at_ = read_ - 1;
        }
    }
    /// Of slots' lives that are over.
    void forge() {
        for (std::uint32_t s = 0; s < slots; ++s) {
            forged_.send(header(call_id(s, generations_[s] - 1)), bytes_of(told::of(0)));
            late_ += 1;
        }
    }
    /// From the call to its reply, at once.
    void whole_call() {
        std::size_t const before = calls_.size();
        call(false);
        if (calls_.size() == before) {
            return;
        }
        while (!queue_.empty()) {
            take();
        }
        answer(owing_.size() - 1);
        get(calls_.back(), false);
    }

    template <class Choose>
    void step(Choose const& choose) {
        std::vector<call_state*> wanted;
        for (call_state& c : calls_) {
            if (c.handle) {
                wanted.push_back(&c);
            }
        }
        struct event {
            char name;
            std::size_t which;
        };
        std::vector<event> all = {{'c', 0}, {'e', 0}, {'l', 0}, {'w', 0}};
        if (!forged_now_) {
            all.push_back({'f', 0});
        }
        if (!queue_.empty()) {
            all.push_back({'t', 0});
        }
        for (std::size_t i = 0; i < owed_.size(); ++i) {
            all.push_back({'a', i});
        }
        for (std::size_t i = 0; i < wanted.size(); ++i) {
            all.push_back({'g', i});
            all.push_back({'x', i});
            all.push_back({'d', i});
            if (!held_) {
                all.push_back({'h', i});
            }
        }
        if (held_) {
            all.push_back({'r', 0});
        }
        event const next = all[choose(all.size())];
        (log_ += next.name) += next.which != 0 ? std::to_string(next.which) : "";
        switch (next.name) {
        case 'c': call(false); break;
        case 'e': call(true); break;
        case 'l':
            look();
            forged_now_ = false;
            break;
        case 'w': whole_call(); break;
        case 'f':
            forge();
            forged_now_ = true;
            break;
        case 't': take(); break;
        case 'a': answer(next.which); break;
        case 'g': get(*wanted[next.which], false); break;
        case 'h': get(*wanted[next.which], true); break;
        case 'x': cancel(*wanted[next.which]); break;
        case 'd': abandon(*wanted[next.which]); break;
        default: held_.reset();
        }
        EXPECT_EQ(client_.open_calls(), open()) << log_;
    }

    /// Everything that is owed is answered, and nobody wants anything any more.
    void settle() {
        log_ += " and then";
        while (!queue_.empty()) {
            take();
        }
        while (!owed_.empty()) {
            answer(0);
        }
        look();
        for (call_state& c : calls_) {
            if (c.handle) {
                EXPECT_FALSE(c.result.empty()) << log_;
                get(c, false);
            }
        }
        held_.reset();
        forged_now_ = false;
        EXPECT_EQ(client_.open_calls(), 0u) << log_;
        EXPECT_EQ(client_.late_replies(), late_) << log_;
        EXPECT_EQ(server_.lost(), 0u) << log_;
        EXPECT_EQ(free_.size(), slots) << log_;
        calls_.clear();
    }

    std::vector<std::pair<std::uint64_t, deferred<told>>> owed_;
    server<ask, told> server_;
    client<ask, told> client_;
    forger<told> forged_;
    std::string log_;
    std::uint64_t next_ = 1;
    std::deque<call_state> calls_;
    std::deque<call_state*> queue_;
    std::vector<call_state*> owing_;
    std::deque<call_state*> replies_; ///< that the client has not looked at
    std::uint64_t read_ = 0;
    std::uint64_t late_ = 0;
    std::optional<reply<told>> held_;
    std::uint64_t held_at_ = 0;
    bool forged_now_ = false;
    bool broken_ = false;
    std::vector<std::uint32_t> generations_;
    std::vector<std::uint32_t> free_;
};

/// Goes through all sequences of choices.
class odometer {
  public:
    std::size_t choose(std::size_t among) {
        if (at_ == chosen_.size()) {
            chosen_.push_back({0, among});
        }
        EXPECT_EQ(chosen_[at_].among, among) << "what may come depends on the events alone";
        return chosen_[at_++].which;
    }
    /// False: that was the last one.
    bool advance() {
        at_ = 0;
        while (!chosen_.empty() && chosen_.back().which + 1 == chosen_.back().among) {
            chosen_.pop_back();
        }
        if (chosen_.empty()) {
            return false;
        }
        chosen_.back().which += 1;
        return true;
    }

  private:
    struct choice {
        std::size_t which;
        std::size_t among;
    };
    std::vector<choice> chosen_;
    std::size_t at_ = 0;
};

TEST(CallTable, SaysWhatMustBeSaidInEveryOrderOfEvents) {
    watchdog::extend(20min);
    scratch_root root;
    participant me = joined(root.path());
    participant other = joined(root.path(), "other");
    int const events = static_cast<int>(count(6, 7));
    odometer choices;
    std::uint64_t sequences = 0;
    std::uint64_t overloaded = 0;
    std::uint64_t late = 0;
    for (bool more = true; more;) {
        // Positions and generations wrap while a world is used, and each time somewhere else.
        std::uint64_t const before = sequences % 41 + 1;
        world one(me, other, 0 - before, static_cast<std::uint32_t>(0 - before));
        for (int i = 0; i < 512 && more; ++i) {
            one.run(events, [&](std::size_t among) { return choices.choose(among); });
            ASSERT_FALSE(testing::Test::HasFailure()) << one.log();
            sequences += 1;
            more = choices.advance();
        }
        overloaded += one.overloaded;
        late += one.late();
    }
    std::printf("%llu orders of %d events, %llu calls overloaded, %llu late replies\n",
                static_cast<unsigned long long>(sequences), events,
                static_cast<unsigned long long>(overloaded), static_cast<unsigned long long>(late));
    EXPECT_GT(overloaded, 0u);
    EXPECT_GT(late, 0u);
}

/// Longer ones, of which not all can be tried.
TEST(CallTable, SaysWhatMustBeSaidInLongOrdersByChance) {
    watchdog::extend(20min);
    scratch_root root;
    participant me = joined(root.path());
    participant other = joined(root.path(), "other");
    std::mt19937_64 random(run_seed());
    std::uint64_t const rounds = count(200, 20'000);
    for (std::uint64_t round = 0; round < rounds; ++round) {
        std::uint64_t const before = random() % 200;
        world one(me, other, (round % 2 << 32) - before, static_cast<std::uint32_t>(0 - before));
        for (int i = 0; i < 64; ++i) {
            one.run(40, [&](std::size_t among) { return random() % among; });
            ASSERT_FALSE(testing::Test::HasFailure()) << one.log() << ", seed " << run_seed();
        }
    }
}

} // namespace
} // namespace partywall::test
