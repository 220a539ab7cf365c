// SPDX-License-Identifier: BSL-1.0
// What is judged and then used was loaded once: in the machine code, where a compiler may have made two
// loads of one. Constants while a segment is attached, what a cell says of its message, the headers of
// requests and replies, and what the registry says of an entry.
#include "load_counter.hpp"

#include <partywall/calls/calls_layout.hpp>
#include <partywall/registry/registry_layout.hpp>

#include <calls/support.hpp>
#include <survey/support.hpp>

#include <filesystem>
#include <gtest/gtest.h>
#include <optional>
#include <string>
#include <vector>

namespace partywall::test {
namespace {

guarded_mapping newest; ///< of the files that were mapped since note_mappings()

class SingleLoads : public testing::Test {
  protected:
    void SetUp() override {
        if (char const* const why = load_counter::unsupported()) {
            GTEST_SKIP() << why;
        }
    }
    void TearDown() override { on_each_mapping(nullptr); }

    static void note_the_newest_mapping() {
        newest = {};
        on_each_mapping([](guarded_mapping const& m) { newest = m; });
    }
    std::size_t size_of(std::string const& kind) const {
        for (auto const& file : std::filesystem::directory_iterator(root.path() + "/d")) {
            if (file.path().filename().string().starts_with(kind)) {
                return file.file_size();
            }
        }
        return 0;
    }
    /// Each of `words` from `first` on, in the next mapping of that size.
    template <class Attach>
    void expect_one_load_each(std::size_t bytes, std::size_t first, std::size_t words,
                              Attach const& attach) {
        ASSERT_GT(bytes, 0U);
        for (std::size_t i = 0; i < words; ++i) {
            load_counter const counter(bytes, first + 8 * i);
            attach();
            EXPECT_EQ(counter.loads(), 1U) << "word at " << first + 8 * i;
        }
    }
    /// The same, in a mapping that is there; `again` before each.
    template <class Before, class Look>
    void expect_one_load_each(guarded_mapping const& in, std::size_t first, std::size_t words,
                              Before const& before, Look const& look) {
        ASSERT_NE(in.at, nullptr);
        for (std::size_t i = 0; i < words; ++i) {
            std::size_t const at = before();
            load_counter const counter(in, at + first + 8 * i);
            look();
            EXPECT_EQ(counter.loads(), 1U) << "word at " << first + 8 * i;
        }
    }

    scratch_root root;
    participant me = joined(root.path());
    participant other = joined(root.path(), "other");
};

/// Or nothing here could fail.
TEST_F(SingleLoads, AreToldFromDoubleOnes) {
    note_the_newest_mapping();
    auto in = me.receiver<tick>("in", lanes_of(8, 2)).value();
    ASSERT_NE(newest.at, nullptr);
    auto const* const words = reinterpret_cast<std::uint64_t const volatile*>(newest.at);
    load_counter const counter(newest, 8);
    std::uint64_t const once = words[1];
    EXPECT_EQ(counter.loads(), 1U);
    std::uint64_t const twice = words[1] + words[2];
    EXPECT_EQ(counter.loads(), 2U);
    EXPECT_EQ(counter.accesses(), 3U);
    EXPECT_NE(once + twice, 0U);
}

TEST_F(SingleLoads, AreAllThatAttachingToATopicNeeds) {
    publisher_options options = gated(8);
    options.payload_bytes_max = 3000;
    options.inline_bytes_max = 64;
    auto pub = me.publisher<bytes>("t", options).value();
    auto const attach = [&] { EXPECT_TRUE(other.subscriber<bytes>("t", lossless())); };
    expect_one_load_each(size_of("ring."), offsetof(detail::ring_segment, constants),
                         sizeof(detail::ring_constants) / 8, attach);
    expect_one_load_each(size_of("readers."), offsetof(detail::readers_segment, constants),
                         sizeof(detail::readers_constants) / 8, attach);
}

TEST_F(SingleLoads, AreAllThatAttachingToAnInboxNeeds) {
    auto in = me.receiver<tick>("in", lanes_of(8, 200)).value();
    expect_one_load_each(size_of("lanes."), offsetof(detail::lanes_segment, constants),
                         sizeof(detail::lanes_constants) / 8, [&] {
                             EXPECT_TRUE(other.sender<tick>("in", sending(overflow::reject)));
                             (void)in.try_receive();
                         });
}

TEST_F(SingleLoads, SayHowLongAMessageIsAndWhere) {
    publisher_options options = gated(8);
    options.payload_bytes_max = 3000;
    options.inline_bytes_max = 64;
    auto pub = me.publisher<bytes>("t", options).value();
    tampered_topic const topic(me, "t");
    std::size_t const stride = topic.ring().constants.stride;
    for (delivery const kind : {delivery::lossy, delivery::lossless, delivery::looking}) {
        subscriber_options reading;
        reading.delivery = kind;
        for (std::size_t const length : {std::size_t{20}, std::size_t{2000}}) {
            static std::size_t wanted = 0;
            wanted = size_of("ring.");
            newest = {};
            on_each_mapping(
                [](guarded_mapping const& m) { newest = m.bytes == wanted ? m : newest; });
            auto sub = other.subscriber<bytes>("t", reading).value();
            on_each_mapping(nullptr);
            ASSERT_NE(newest.at, nullptr);
            EXPECT_TRUE(pub.send(std::string(length, 'x')));
            load_counter const counter(newest, detail::ring_cells_offset +
                                                   (pub.position() - 1) % 8 * stride + 8);
            EXPECT_EQ((*sub.try_receive()).size(), length);
            // Of a long one the first load says that it is long, and no more; the second is judged.
            EXPECT_EQ(counter.loads(), length > 64 ? 2U : 1U);
        }
    }
}

/// Where in an inbox the next message of its only sender will lie.
std::size_t next_cell(tampered_inbox const& box) {
    auto const& c = box.segment().constants;
    std::uint64_t newest_stamp = 0;
    for (std::uint32_t lane = 0; lane < box.lane_count(); ++lane) {
        if (owner_word<>::load(box.lane(lane).owner).is_free()) {
            continue;
        }
        for (std::uint64_t i = 0; i < c.cell_count; ++i) {
            std::uint64_t const stamp = box.cell(lane, i);
            newest_stamp = stamp % 2 == 0 && stamp > newest_stamp ? stamp : newest_stamp;
        }
        return c.cells_offset + lane * c.lane_bytes + newest_stamp / 2 % c.cell_count * c.stride;
    }
    return 0;
}

entry_info place_of(std::uint64_t incarnation) {
    entry_info e;
    e.owner_ticket = incarnation >> 24;
    e.number = incarnation & endpoints_max;
    return e;
}

// A header begins behind the stamp. A request's third word holds the cancel word, which is looked at once
// more by design.
TEST_F(SingleLoads, AreAllThatTheHeadersOfACallNeed) {
    note_the_newest_mapping();
    auto s = me.server<ask, told>(
                   "s", [](ask const& a) { return told::of(a.number); }, serving(8))
                 .value();
    guarded_mapping const requests = newest;
    static std::vector<guarded_mapping> made;
    made.clear();
    on_each_mapping([](guarded_mapping const& m) { made.push_back(m); });
    auto c = other.client<ask, told>("s", calling()).value();
    on_each_mapping(nullptr);
    guarded_mapping replies;
    for (guarded_mapping const& m : made) {
        replies = m.bytes == size_of("lanes." + std::to_string(other.ticket())) ? m : replies;
    }
    auto first = c.call_async(ask::of(0));
    (void)s.poll();
    EXPECT_TRUE(first.get());
    tampered_inbox const at_server(other, place_of(s.incarnation()));
    tampered_inbox const at_client(me, place_of(c.incarnation()));
    auto const ask_one = [&] {
        std::size_t const at = next_cell(at_server);
        EXPECT_TRUE(c.post(ask::of(1)));
        return at + 8;
    };
    auto const serve_one = [&] { EXPECT_EQ(s.poll(), 1U); };
    expect_one_load_each(requests, 0, 2, ask_one, serve_one);
    expect_one_load_each(requests, offsetof(detail::request_header, user), 1, ask_one, serve_one);

    std::optional<pending_call<told>> call;
    // Whose it is, is asked by whoever may want it, and each judges for itself what it finds.
    expect_one_load_each(
        replies, offsetof(detail::reply_header, status), 3,
        [&] {
            call.emplace(c.call_async(ask::of(2)));
            std::size_t const at = next_cell(at_client);
            EXPECT_EQ(s.poll(), 1U);
            return at + 8;
        },
        [&] { EXPECT_EQ(c.poll(), 1U); });
}

TEST_F(SingleLoads, AreAllThatTheHeadersOfASurveyNeed) {
    auto r =
        other.respondent<ask, told>("s", [](ask const& a) { return told::of(a.number); }).value();
    static std::vector<guarded_mapping> made;
    made.clear();
    on_each_mapping([](guarded_mapping const& m) { made.push_back(m); });
    auto s = me.surveyor<ask, told>("s", asking()).value();
    guarded_mapping answers;
    for (guarded_mapping const& m : made) {
        answers = m.bytes == size_of("lanes.") ? m : answers;
    }
    made.clear();
    (void)r.poll();
    guarded_mapping questions;
    for (guarded_mapping const& m : made) {
        questions = m.bytes == size_of("ring.") ? m : questions;
    }
    on_each_mapping(nullptr);
    tampered_topic const ring(me, place_of(s.incarnation()));
    tampered_inbox const inbox(other, place_of(s.incarnation()));
    std::uint64_t asked = 0;
    std::optional<survey<told>> held;
    auto const ask_one = [&] {
        held.emplace(s.ask(ask::of(asked)).value());
        auto const& c = ring.ring().constants;
        return detail::ring_cells_offset + asked++ % c.cell_count * c.stride + c.payload_offset;
    };
    auto const answer_one = [&] { EXPECT_EQ(r.poll(), 1U); };
    auto const end_one = [&] { EXPECT_EQ(held->result().answered, 1U); };
    (void)ask_one();
    answer_one();
    end_one();
    auto const deal_with_one = [&] {
        answer_one();
        (void)s.poll();
    };
    expect_one_load_each(questions, 0, 2, ask_one, deal_with_one);
    expect_one_load_each(questions, offsetof(detail::request_header, user), 1, ask_one,
                         deal_with_one);
    expect_one_load_each(
        answers, 0, sizeof(detail::reply_header) / 8,
        [&] {
            (void)ask_one();
            std::size_t const at = next_cell(inbox);
            answer_one();
            return at + 8;
        },
        [&] { (void)s.poll(); });
}

TEST_F(SingleLoads, AreAllThatAnEntryNeeds) {
    auto pub = me.publisher<tick>("t", gated(8)).value();
    entry_info const entry = me.publishers("t").at(0);
    static guarded_mapping registry;
    registry = {};
    on_each_mapping([](guarded_mapping const& m) {
        if (m.bytes == sizeof(detail::registry_layout)) {
            registry = m;
        }
    });
    participant reader = joined(root.path(), "reader");
    expect_one_load_each(
        registry,
        offsetof(detail::registry_layout, entries) + entry.index * sizeof(detail::entry_slot) +
            offsetof(detail::entry_slot, record),
        offsetof(detail::entry_record, name) / 8, [] { return std::size_t{0}; },
        [&] { EXPECT_EQ(reader.core()->entries(entry_kind::topic_publisher, "t").size(), 1U); });
}

} // namespace
} // namespace partywall::test
