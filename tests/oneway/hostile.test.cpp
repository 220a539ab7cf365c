// SPDX-License-Identifier: BSL-1.0
// Senders and receivers that write whatever they like into the lanes segment. Whoever attaches, or
// goes on, gets an error or some message of the type's own bytes, after a bounded number of looks;
// and reads and writes nothing outside. (Bounds are what the sanitizers watch here.)
#include "support.hpp"

#include <partywall/oneway/inbox_stats.hpp>
#include <support/counts.hpp>
#include <support/nasty.hpp>
#include <support/watchdog.hpp>
#include <topic/large.hpp>

#include <cstddef>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <sys/stat.h>
#include <unistd.h>

namespace partywall::test {
namespace {

using segment_words = std::vector<std::pair<std::string, std::uint64_t*>>;

template <class Field>
std::uint64_t* word_at(Field& field) {
    return reinterpret_cast<std::uint64_t*>(&field);
}

/// What a lane's sender and its receiver write for each other.
segment_words words_of_lane(tampered_inbox const& box, std::uint32_t index) {
    detail::lane_header& h = box.lane(index);
    segment_words all = {{"owner", &h.owner},
                         {"start", &h.start},
                         {"incarnation", &h.incarnation},
                         {"overflow, fences", word_at(h.overflow)},
                         {"rung", word_at(h.control.rung)},
                         {"room_arm", word_at(h.control.room_arm)},
                         {"position", &h.control.position},
                         {"closed", &h.control.closed},
                         {"rejected", &h.control.rejected},
                         {"blocked_ns", &h.control.blocked_ns},
                         {"seat", &h.slot.owner},
                         {"role", word_at(h.slot.role)},
                         {"received", &h.slot.received},
                         {"missed", &h.slot.missed},
                         {"cursor", &h.slot.cursor},
                         {"freed", word_at(h.slot.freed)}};
    for (std::uint64_t cell = 0; cell < 4; ++cell) {
        all.emplace_back("stamp " + std::to_string(cell), &box.cell(index, cell));
    }
    all.emplace_back("length, payload", &box.cell(index, 0) + 1);
    return all;
}

/// What the receiver has in common with all its senders.
segment_words words_of_all(tampered_inbox const& box) {
    return {{"arm, closed", word_at(box.segment().control.arm)},
            {"received", &box.segment().control.received},
            {"missed", &box.segment().control.missed},
            {"lanes_freed", &box.segment().control.lanes_freed},
            {"rung, arrivals", word_at(box.segment().bell.rung)},
            {"hints", word_at(box.hint(0))}};
}

std::vector<std::uint64_t> values_for(std::string const& name, std::uint64_t now,
                                      std::uint64_t cells, std::uint64_t ticket) {
    bool const doubled = name == "cursor" || name.starts_with("stamp");
    std::vector<std::uint64_t> all = nasty_around(now, cells, doubled ? 2 : 1);
    if (name == "owner" || name == "seat") {
        for (std::uint64_t const whose :
             {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{3}, ticket,
              std::uint64_t{77}, ticket_max}) {
            for (std::uint64_t phase = 0; phase < 4; ++phase) {
                all.push_back(owner::make(whose, static_cast<slot_phase>(phase), now + 1).word);
                all.push_back(owner::make(whose, static_cast<slot_phase>(phase), now).word);
            }
        }
    }
    return all;
}

constexpr std::uint64_t depth = 8;

/// A receiver, a sender that misbehaves (tag 66) and one that does not (tag 1).
struct scene {
    scene(participant& me, participant& hostile, participant& honest,
          overflow hostile_policy = overflow::reject)
        : in(me.receiver<tick>("in", lanes_of(depth, 3)).value()),
          bad(hostile.sender<tick>("in", sending(hostile_policy)).value()),
          good(honest.sender<tick>("in", sending(overflow::reject)).value()), box(hostile, "in"),
          bad_lane(box.lane_of(hostile.ticket())), good_lane(box.lane_of(honest.ticket())) {}

    /// Takes what there is; a bounded number of messages.
    void drain() {
        for (int i = 0; i < 1000; ++i) {
            auto const s = in.try_receive();
            if (!s && s.error() == receive_errc::empty) {
                return;
            }
            if (s && s->sender != 66) {
                got[s->sender].push_back(s->whole() ? s->number : ~std::uint64_t{0});
            }
            ASSERT_TRUE(s || s.error() == receive_errc::corrupt ||
                        s.error() == receive_errc::peer_died)
                << to_string(s.error());
        }
    }

    receiver<tick> in;
    sender<tick> bad;
    sender<tick> good;
    tampered_inbox box;
    std::uint32_t bad_lane;
    std::uint32_t good_lane;
    std::map<std::uint64_t, std::vector<std::uint64_t>> got; ///< by tag
};

/// Everything that a receiver does, with `spoil` called before each step.
template <class Spoil>
void receive_everything(scene& s, participant& latecomer, bool others_unharmed,
                        Spoil const& spoil) {
    std::uint64_t sent = 0;
    auto const send_good = [&](std::uint64_t count) {
        for (std::uint64_t i = 0; i < count; ++i) {
            auto const r = s.good.send(tick::of(sent, 1));
            ASSERT_TRUE(r || !others_unharmed) << to_string(r.error());
            sent += r ? 1 : 0;
        }
    };
    send_good(3);
    (void)s.bad.send(tick::of(0, 66));
    (void)s.bad.send(tick::of(1, 66));
    spoil();
    s.drain();
    spoil();
    (void)s.in.receive(0ns);
    (void)s.bad.send(tick::of(2, 66));
    send_good(1);
    spoil();
    for (int i = 0; i < 4; ++i) {
        auto const got = s.in.receive(100us);
        if (got && got->sender == 1) {
            s.got[1].push_back(got->number);
        }
    }
    {
        auto const held = s.in.try_receive(); // nothing, or a message of the hostile one
        spoil();
        s.bad.close();
        s.drain();
    }
    spoil();
    auto late = latecomer.sender<tick>("in", sending(overflow::reject));
    ASSERT_TRUE(late || !others_unharmed) << late.error().message;
    spoil();
    bool const late_sent = late && late->send(tick::of(0, 2));
    send_good(2);
    s.drain();
    spoil();
    (void)s.in.receive(0ns);
    s.drain();
    if (others_unharmed) {
        EXPECT_EQ(s.got[1], numbers(0, sent));
        EXPECT_TRUE(late_sent);
        EXPECT_EQ(s.got[2], numbers(0, 1));
    } else {
        // It may write into everybody's lane: bytes and numbers are its own affair, how many not.
        EXPECT_LE(s.got[1].size(), 1000u);
    }
    auto const entry = latecomer.core()->entries(entry_kind::inbox, "in").at(0);
    (void)read_inbox_stats(latecomer.core()->dir(), entry);
    spoil();
    s.in.close();
}

class HostileLanes : public testing::Test {
  protected:
    void SetUp() override { watchdog::extend(std::chrono::minutes(5)); }

    scratch_root root;
    participant me = joined(root.path());
    participant hostile = joined(root.path(), "hostile");
    participant honest = joined(root.path(), "honest");
    participant latecomer = joined(root.path(), "latecomer");
    /// With quick counts each word gets every so many values, beginning with others.
    std::size_t const some = count(4, 1);
};

TEST_F(HostileLanes, WithAnyWordOfItsOwnAHostileSenderHarmsNobodyElse) {
    for (overflow const policy : {overflow::reject, overflow::drop_oldest}) {
        std::size_t words = 1;
        for (std::size_t w = 0; w < words; ++w) {
            std::size_t values = some;
            for (std::size_t v = w % some; v < values; v += some) {
                scene s(me, hostile, honest, policy);
                auto const all = words_of_lane(s.box, s.bad_lane);
                words = all.size();
                auto const& [name, word] = all[w];
                values = values_for(name, *word, depth, me.ticket()).size();
                SCOPED_TRACE(name + ", value " + std::to_string(v));
                receive_everything(s, latecomer, true, [&, at = word, what = name] {
                    *at = values_for(what, *at, depth, me.ticket())[v];
                });
                ASSERT_FALSE(HasFailure());
            }
        }
    }
}

TEST_F(HostileLanes, WithAnyWordOfAllAHostileSenderHarmsOneReceiverAtMost) {
    auto elsewhere = me.receiver<tick>("elsewhere", lanes_of(depth)).value();
    auto to_elsewhere = honest.sender<tick>("elsewhere", sending(overflow::reject)).value();
    std::uint64_t sent = 0;
    std::size_t words = 1;
    for (std::size_t w = 0; w < words; ++w) {
        std::size_t values = some;
        for (std::size_t v = w % some; v < values; v += some) {
            scene s(me, hostile, honest);
            auto all = words_of_all(s.box);
            auto const more = words_of_lane(s.box, s.good_lane); // it can write there as well
            all.insert(all.end(), more.begin(), more.end());
            words = all.size();
            auto const& [name, word] = all[w];
            values = values_for(name, *word, depth, me.ticket()).size();
            SCOPED_TRACE(name + ", value " + std::to_string(v));
            receive_everything(s, latecomer, false, [&, at = word, what = name] {
                *at = values_for(what, *at, depth, me.ticket())[v];
            });
            send_ticks(to_elsewhere, sent, 1);
            EXPECT_EQ(take_all(elsewhere), numbers(sent, 1));
            sent += 1;
            ASSERT_FALSE(HasFailure());
        }
    }
}

/// Everything that a sender does, with `spoil` called before each step.
template <class Spoil>
void send_everything(participant& as, overflow policy, Spoil const& spoil) {
    auto const allowed = [](auto const& r) {
        return r || r.error() == send_errc::full || r.error() == send_errc::timed_out ||
               r.error() == send_errc::no_receiver || r.error() == send_errc::peer_died ||
               r.error() == send_errc::refused;
    };
    spoil();
    auto made = as.sender<tick>("in", sending(policy, 50us));
    if (!made) {
        return;
    }
    sender<tick>& out = *made;
    std::uint64_t sent = 0;
    for (int round = 0; round < 3; ++round) {
        for (std::uint64_t i = 0; i <= depth; ++i) {
            spoil();
            auto const r = out.send(tick::of(i));
            ASSERT_TRUE(allowed(r)) << to_string(r.error());
            sent += r ? 1 : 0;
        }
        spoil();
        auto const r = out.send(tick::of(9), 0ns);
        ASSERT_TRUE(allowed(r)) << to_string(r.error());
        sent += r ? 1 : 0;
        if (auto loan = out.loan()) {
            spoil();
            *loan.value() = tick::of(1);
            sent += loan->send() ? 1 : 0;
        }
        spoil();
        std::vector<tick> const batch(3 * depth, tick::of(2));
        auto const some = out.send_batch(batch);
        ASSERT_TRUE(allowed(some)) << to_string(some.error());
        sent += some ? *some : 0;
        (void)out.wait_for_receiver(0ns);
    }
    EXPECT_EQ(out.sent(), sent);
    EXPECT_LE(out.lost(), 3 * depth * 4);
    spoil();
    out.close();
}

TEST_F(HostileLanes, WithAnyWordOfItsOwnAHostileReceiverGetsNobodyIntoTrouble) {
    auto elsewhere = me.receiver<tick>("elsewhere", lanes_of(depth)).value();
    auto to_elsewhere = honest.sender<tick>("elsewhere", sending(overflow::reject)).value();
    std::uint64_t sent = 0;
    for (overflow const policy : {overflow::reject, overflow::block, overflow::drop_oldest}) {
        std::size_t words = 1;
        for (std::size_t w = 0; w < words; ++w) {
            std::size_t values = some;
            for (std::size_t v = w % some; v < values; v += some) {
                auto in = hostile.receiver<tick>("in", lanes_of(depth, 1)).value();
                tampered_inbox const box(hostile, "in");
                auto all = words_of_lane(box, 0);
                auto const more = words_of_all(box);
                all.insert(all.end(), more.begin(), more.end());
                words = all.size();
                auto const& [name, word] = all[w];
                values = values_for(name, *word, depth, honest.ticket()).size();
                SCOPED_TRACE(name + ", value " + std::to_string(v));
                send_everything(honest, policy, [&, at = word, what = name] {
                    *at = values_for(what, *at, depth, honest.ticket())[v];
                });
                send_ticks(to_elsewhere, sent, 1);
                EXPECT_EQ(take_all(elsewhere), numbers(sent, 1));
                sent += 1;
                ASSERT_FALSE(HasFailure());
            }
        }
    }
}

// ---- attaching ----------------------------------------------------------------------------------

template <class T, class Message>
void attach_with_every_constant_wrong(Message const& message, receiver_options const& options) {
    watchdog::extend(std::chrono::minutes(5));
    scratch_root root;
    participant me = joined(root.path());
    participant hostile = joined(root.path(), "hostile");
    auto const attempt = [&](auto const& spoil) {
        auto in = hostile.receiver<T>("in", options).value();
        tampered_inbox const box(hostile, "in");
        auto const good = box.segment().constants;
        spoil(box.segment().constants);
        auto const entry = me.core()->entries(entry_kind::inbox, "in").at(0);
        (void)read_inbox_stats(me.core()->dir(), entry);
        for (overflow const policy : {overflow::reject, overflow::drop_oldest}) {
            if (auto out = me.sender<T>("in", sending(policy))) {
                for (std::uint64_t i = 0; i < 2 * depth; ++i) {
                    (void)out->send(message);
                }
            }
        }
        box.segment().constants = good;
        use_up(in, 10'000, {receive_errc::peer_died});
        auto out = me.sender<T>("in", sending(overflow::reject)); // with everything right again
        ASSERT_TRUE(out) << out.error().message;
        EXPECT_TRUE(out->send(message));
        EXPECT_TRUE(in.try_receive());
    };
    std::size_t const some = count(3, 1); // with quick counts every so many values
    for (std::size_t i = 0; i < sizeof(detail::lanes_constants) / 4; ++i) { // as 32-bit words
        for (std::size_t v = i % some; v < nasty_around(0, depth).size(); v += some) {
            attempt([&](detail::lanes_constants& c) {
                auto* const word = reinterpret_cast<std::uint32_t*>(&c) + i;
                *word = static_cast<std::uint32_t>(nasty_around(*word, depth)[v]);
            });
        }
    }
    for (auto const word_of : // and those that are 64 bits
         {+[](detail::lanes_constants& c) { return &c.cell_count; },
          +[](detail::lanes_constants& c) { return &c.stride; },
          +[](detail::lanes_constants& c) { return &c.payload_bytes_max; },
          +[](detail::lanes_constants& c) { return &c.lane_bytes; },
          +[](detail::lanes_constants& c) { return &c.cells_offset; },
          +[](detail::lanes_constants& c) { return &c.pool.offset; },
          +[](detail::lanes_constants& c) { return &c.pool.chunk_bytes; },
          +[](detail::lanes_constants& c) { return &c.pool.payload_bytes_max; }}) {
        for (std::size_t v = 0; v < nasty_around(0, depth).size(); v += some) {
            attempt([&](detail::lanes_constants& c) {
                *word_of(c) = nasty_around(*word_of(c), depth)[v];
            });
        }
    }
}

receiver_options small_ones() {
    receiver_options options = lanes_of(depth, 3);
    options.payload_bytes_max = 40;
    return options;
}

TEST(HostileReceiver, WithAnyConstantWrongIsRefusedOrWrittenWithinItsBounds) {
    attach_with_every_constant_wrong<tick>(tick::of(1), small_ones());
}

TEST(HostileReceiver, OfVariableLengthWithAnyConstantWrongIsRefusedOrWrittenWithinItsBounds) {
    attach_with_every_constant_wrong<bytes>(std::string_view("hello"), small_ones());
}

TEST(HostileReceiver, WithChunksAndAnyConstantWrongIsRefusedOrWrittenWithinItsBounds) {
    attach_with_every_constant_wrong<bytes>(pattern(1, 2000),
                                            with_chunks(lanes_of(depth, 3), 3000));
}

TEST(HostileReceiver, WhoseNumbersContradictEachOtherIsRefusedByReason) {
    struct spoiled {
        std::function<void(detail::lanes_segment&)> how;
        endpoint_errc code;
        std::string word;
    };
    auto const constant = [](auto member,
                             auto change) -> std::function<void(detail::lanes_segment&)> {
        return [=](detail::lanes_segment& s) { s.constants.*member = change(s.constants.*member); };
    };
    auto const header = [](auto member, auto value) -> std::function<void(detail::lanes_segment&)> {
        return [=](detail::lanes_segment& s) { s.header.*member = value; };
    };
    auto const to = [](auto value) { return [=](auto) { return value; }; };
    auto const by = [](auto distance) {
        return [=](auto value) {
            return static_cast<decltype(value)>(value + static_cast<decltype(value)>(distance));
        };
    };
    using c = detail::lanes_constants;
    using h = segment_header;
    constexpr auto corrupt = endpoint_errc::corrupt;
    std::vector<spoiled> const all = {
        {constant(&c::cell_count, to(0u)), corrupt, "geometry"},
        {constant(&c::cell_count, to(2u)), corrupt, "geometry"},
        {constant(&c::cell_count, by(1)), corrupt, "geometry"},
        {constant(&c::cell_count, [](auto n) { return 2 * n; }), corrupt, "geometry"},
        {constant(&c::cell_count, to(std::uint64_t{1} << 63)), corrupt, "geometry"},
        {constant(&c::stride, to(0u)), corrupt, "geometry"},
        {constant(&c::stride, by(-4)), corrupt, "geometry"},
        {constant(&c::stride, [](auto n) { return 4 * n; }), corrupt, "geometry"},
        {constant(&c::stride, to(~0ull - 7)), corrupt, "geometry"},
        {constant(&c::payload_bytes_max, to(~0ull)), corrupt, "geometry"},
        {constant(&c::payload_bytes_max, by(8)), corrupt, "geometry"},
        {constant(&c::payload_bytes_max, by(-8)), corrupt, "shape"},
        {constant(&c::payload_offset, to(4u)), corrupt, "geometry"},
        {constant(&c::payload_offset, to(1u << 31)), corrupt, "geometry"},
        {constant(&c::payload_offset, by(-8)), corrupt, "geometry"},
        {constant(&c::lane_bytes, to(0u)), corrupt, "geometry"},
        {constant(&c::lane_bytes, by(128)), corrupt, "geometry"},
        {constant(&c::lane_bytes, by(-128)), corrupt, "geometry"},
        {constant(&c::lane_bytes, to(~0ull - 127)), corrupt, "geometry"},
        {constant(&c::cells_offset, to(0u)), corrupt, "geometry"},
        {constant(&c::cells_offset, by(8)), corrupt, "geometry"},
        {constant(&c::cells_offset, by(128)), corrupt, "geometry"},
        {constant(&c::cells_offset, by(-128)), corrupt, "geometry"},
        {constant(&c::cells_offset, to(~0ull - 127)), corrupt, "geometry"},
        {constant(&c::lane_count, to(0u)), corrupt, "geometry"},
        {constant(&c::lane_count, by(1)), corrupt, "geometry"},
        {constant(&c::lane_count, by(-1)), corrupt, "geometry"},
        {constant(&c::lane_count, to(senders_max + 1)), corrupt, "geometry"},
        {constant(&c::lane_count, to(~0u)), corrupt, "geometry"},
        {constant(&c::variable_length, to(1u)), corrupt, ""},
        {constant(&c::type_fingerprint, by(1)), endpoint_errc::type_mismatch, "tick"},
        {header(&h::layout_version, detail::lanes_layout_version + 1), endpoint_errc::incompatible,
         "version " + std::to_string(detail::lanes_layout_version + 1)},
        {header(&h::layout_fingerprint, std::uint64_t{1}), endpoint_errc::incompatible,
         "fingerprint"},
        {header(&h::magic, std::uint64_t{0}), corrupt, "magic"},
        {header(&h::kind, 1u), corrupt, "kind"},
        {header(&h::total_bytes, std::uint64_t{512}), corrupt, "bytes"},
        {header(&h::total_bytes, ~0ull), corrupt, "bytes"},
        {header(&h::owner_ticket, std::uint64_t{99}), corrupt, "ticket"},
    };
    scratch_root root;
    participant me = joined(root.path());
    participant hostile = joined(root.path(), "hostile");
    for (std::size_t i = 0; i < all.size(); ++i) {
        auto early = me.sender<tick>("in").value();
        auto in = hostile.receiver<tick>("in", lanes_of(depth, 3)).value();
        tampered_inbox const box(hostile, "in");
        std::vector<std::byte> const before(box.bytes().begin(), box.bytes().end());
        all[i].how(box.segment());
        std::vector<std::byte> const spoiled_bytes(box.bytes().begin(), box.bytes().end());
        auto const made = me.sender<tick>("in");
        ASSERT_FALSE(made) << "case " << i;
        EXPECT_EQ(made.error().code, all[i].code) << "case " << i << ": " << made.error().message;
        EXPECT_NE(made.error().message.find(all[i].word), std::string::npos)
            << "case " << i << ": " << made.error().message;
        EXPECT_EQ(early.send(tick::of(0)).error(), send_errc::refused) << "case " << i;
        EXPECT_EQ(early.refusal_code(), all[i].code) << "case " << i;
        EXPECT_TRUE(std::equal(spoiled_bytes.begin(), spoiled_bytes.end(), box.bytes().begin()))
            << "case " << i << ": nothing was written before it was refused";
        std::copy(before.begin(), before.end(), box.bytes().begin());
    }
}

TEST(HostileReceiver, WhoseConstantsChangeAfterwardsChangesNothing) {
    scratch_root root;
    participant me = joined(root.path());
    participant hostile = joined(root.path(), "hostile");
    auto in = hostile.receiver<tick>("in", lanes_of(depth)).value();
    auto out = me.sender<tick>("in", sending(overflow::reject)).value();
    send_ticks(out, 0, 3);
    std::memset(&tampered_inbox(hostile, "in").segment().constants, 0xee,
                sizeof(detail::lanes_constants));
    send_ticks(out, 3, 3);
    EXPECT_EQ(take_all(in), numbers(0, 6));
    out.close();
    EXPECT_TRUE(take_all(in).empty());
    EXPECT_EQ(in.sender_count(), 0u);
}

// The size that counts is that of the file: one that was cut short, or has grown, is refused.
TEST(HostileReceiver, WhoseFileHasAnotherSizeIsRefused) {
    for (long const length : {0L, 1L, 127L, 128L, 511L, 512L, -4096L, 4096L}) {
        scratch_root root;
        participant me = joined(root.path());
        participant hostile = joined(root.path(), "hostile");
        auto in = hostile.receiver<tick>("in", lanes_of(256, 4)).value();
        std::string const path =
            root.path() + "/d/lanes." + std::to_string(hostile.ticket()) + ".1";
        struct stat status {};
        ASSERT_EQ(::stat(path.c_str(), &status), 0);
        std::vector<char> image(static_cast<std::size_t>(status.st_size));
        int const from = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
        ASSERT_EQ(::pread(from, image.data(), image.size(), 0), status.st_size);
        ::close(from);
        // A copy under the same name: truncating what the receiver has mapped would end it.
        std::size_t const bytes = length == -4096L || length == 4096L
                                      ? image.size() + static_cast<std::size_t>(length)
                                      : static_cast<std::size_t>(length);
        image.resize(bytes);
        for (bool const header_agrees : {false, true}) {
            if (header_agrees && bytes >= sizeof(segment_header)) {
                std::uint64_t const said = bytes;
                std::memcpy(image.data() + offsetof(segment_header, total_bytes), &said, 8);
            }
            std::string const copy = root.path() + "/copy";
            int const to = ::open(copy.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
            ASSERT_EQ(::write(to, image.data(), image.size()), static_cast<ssize_t>(image.size()));
            ::close(to);
            ASSERT_EQ(::rename(copy.c_str(), path.c_str()), 0);
            auto const made = me.sender<tick>("in");
            ASSERT_FALSE(made) << length;
            EXPECT_EQ(made.error().code, endpoint_errc::corrupt) << made.error().message;
        }
    }
}

// ---- lengths, and bytes at random ---------------------------------------------------------------

TEST_F(HostileLanes, WithALengthBeyondItsCellsIsReportedAndLetGo) {
    for (overflow const policy : {overflow::reject, overflow::drop_oldest}) {
        for (std::uint64_t const length : nasty_around(5, 40)) {
            receiver_options options = lanes_of(depth, 2);
            options.payload_bytes_max = 40;
            auto in = me.receiver<bytes>("in", options).value();
            auto bad = hostile.sender<bytes>("in", sending(policy)).value();
            auto good = honest.sender<bytes>("in", sending(overflow::reject)).value();
            tampered_inbox const box(hostile, "in");
            ASSERT_TRUE(bad.send("hello"));
            ASSERT_TRUE(good.send("to you"));
            auto const said = static_cast<std::uint32_t>(length);
            reinterpret_cast<std::uint32_t*>(&box.cell(box.lane_of(hostile.ticket()), 0))[2] = said;
            bool heard = false;
            bool reported = false;
            for (int i = 0; i < 4; ++i) {
                auto const s = in.try_receive();
                heard = heard || (s && s.sender() == good.incarnation() && s.text() == "to you");
                reported = reported || s.error() == receive_errc::corrupt;
                if (s && s.sender() == bad.incarnation()) {
                    EXPECT_EQ(s.text().size(), said);
                }
            }
            EXPECT_TRUE(heard);
            EXPECT_EQ(reported, said > 40) << said;
            EXPECT_LT(box.lane_of(hostile.ticket()), box.lane_count()) << "it lives, and may write";
        }
    }
}

// Whatever a cell says of where its message lies, and how long it is.
TEST_F(HostileLanes, WhoseCellsNameAnyChunkAndLengthAreReadWithinTheirBounds) {
    constexpr std::uint64_t most = 3000;
    std::uint64_t whole = 0;
    for (overflow const policy : {overflow::reject, overflow::drop_oldest}) {
        for (std::uint64_t const code : nasty) {
            auto in = me.receiver<bytes>("in", with_chunks(lanes_of(depth, 2), most)).value();
            auto good = honest.sender<bytes>("in", sending(overflow::reject)).value();
            for (std::size_t i = 0; i <= nasty.size(); ++i) {
                auto bad = hostile.sender<bytes>("in", sending(policy));
                if (!bad) { // the lane of who was found out is his until he dies
                    in.close();
                    in = me.receiver<bytes>("in", with_chunks(lanes_of(depth, 2), most)).value();
                    good = honest.sender<bytes>("in", sending(overflow::reject)).value();
                    bad = hostile.sender<bytes>("in", sending(policy));
                }
                ASSERT_TRUE(bad) << bad.error().message;
                tampered_inbox const box(hostile, "in");
                std::uint32_t const lane = box.lane_of(hostile.ticket());
                std::uint64_t const at = box.lane(lane).control.position;
                ASSERT_TRUE(bad->send(pattern(1, 2000)));
                ASSERT_TRUE(good.send("to you"));
                std::uint64_t const length = i < nasty.size() ? nasty[i] : most;
                (&box.cell(lane, at % depth))[1] = code << 40 ^ length;
                bool heard = false;
                for (int look = 0; look < 4; ++look) {
                    auto const s = in.try_receive();
                    ASSERT_TRUE(s || s.error() == receive_errc::empty ||
                                s.error() == receive_errc::corrupt)
                        << to_string(s.error());
                    if (s && s.sender() == good.incarnation()) {
                        heard = s.text() == "to you";
                    } else if (s) {
                        ASSERT_LE((*s).size(), most);
                        unsigned sum = 0; // a sanitizer says if it is outside
                        for (std::byte const b : *s) {
                            sum += static_cast<unsigned>(b);
                        }
                        whole += sum != ~0U ? 1 : 0;
                    }
                }
                EXPECT_TRUE(heard);
                bad->close();
                use_up(in);
            }
        }
    }
    EXPECT_GT(whole, 0u);
}

TEST_F(HostileLanes, WhoseReceiverPinsWhateverItCanHaveAChunkForEveryMessage) {
    for (overflow const policy : {overflow::reject, overflow::drop_oldest}) {
        auto in = hostile.receiver<bytes>("in", with_chunks(lanes_of(4, 1), 3000)).value();
        auto out = honest.sender<bytes>("in", sending(policy)).value();
        tampered_inbox const box(hostile, "in");
        for (std::uint64_t i = 0; i < 500; ++i) {
            for (std::uint32_t k = 0; k < 8; ++k) {
                box.lane(0).slot.pins[k] =
                    (i + k) % 3 == 0 ? nasty[(i + k) % nasty.size()] : (i * 13 + k) % 20;
            }
            ASSERT_TRUE(out.send(pattern(i, 2000))) << i;
            box.lane(0).slot.cursor = detail::cursor_at(box.lane(0).start + i + 1);
        }
    }
}

TEST_F(HostileLanes, OfRandomBytesDoNoHarmElsewhere) {
    std::mt19937_64 random(run_seed());
    auto elsewhere = me.receiver<tick>("elsewhere", lanes_of(depth)).value();
    auto to_elsewhere = honest.sender<tick>("elsewhere", sending(overflow::reject)).value();
    std::uint64_t sent = 0;
    for (std::uint64_t round = 0; round < count(60, 5000); ++round) {
        std::uint32_t const lanes = round % 2 == 0 ? 4 : 70; // with and without hints
        auto in = me.receiver<tick>("in", lanes_of(depth, lanes)).value();
        std::vector<sender<tick>> out;
        for (participant* const p : {&hostile, &honest, &latecomer}) {
            auto const policy = static_cast<overflow>(1 + random() % 3);
            out.push_back(p->sender<tick>("in", sending(policy, 10us)).value());
        }
        tampered_inbox const box(hostile, "in");
        std::vector<sample<tick>> held;
        for (int step = 0; step < 300; ++step) {
            auto const lane = static_cast<std::uint32_t>(random() % lanes);
            std::uint64_t const value =
                random() % 2 == 0 ? nasty[random() % nasty.size()] : random() >> (random() % 64);
            auto const words = random() % 4 == 0 ? words_of_all(box) : words_of_lane(box, lane);
            switch (random() % 8) {
            case 0: *words[random() % words.size()].second = value; break;
            case 1: *words[random() % words.size()].second += random() % 40 - 20; break;
            case 2:
                box.lane(lane).owner =
                    owner::make(random() % 8, static_cast<slot_phase>(random() % 4),
                                box.lane(lane).owner + random() % 2)
                        .word;
                break;
            case 3: (void)out[random() % out.size()].send(tick::of(1, 66)); break;
            case 4: (void)in.receive(std::chrono::microseconds(random() % 20)); break;
            case 5: {
                auto s = in.try_receive();
                if (s && held.empty()) {
                    held.push_back(std::move(s));
                } else {
                    held.clear();
                }
                break;
            }
            case 6: {
                std::size_t const i = random() % out.size();
                if (random() % 8 == 0) {
                    auto again = honest.sender<tick>("in", sending(overflow::reject));
                    if (again) {
                        out[i] = std::move(*again);
                    }
                }
                break;
            }
            default: (void)in.try_receive();
            }
            if (step % 50 == 0) {
                send_ticks(to_elsewhere, sent, 1);
                EXPECT_EQ(take_all(elsewhere), numbers(sent, 1));
                sent += 1;
            }
        }
        (void)me.recover();
    }
}

} // namespace
} // namespace partywall::test
