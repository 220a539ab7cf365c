// SPDX-License-Identifier: BSL-1.0
// Taking many messages at once, from a topic and from lanes.
#include "support.hpp"

#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace partywall::test {
namespace {

/// Eight cells, lossless.
struct topic_way {
    template <class T>
    static auto reads(participant& me, std::uint32_t held = 2) {
        subscriber_options options = lossless();
        options.samples_held_max = held;
        return me.subscriber<T>("t", options).value();
    }
    template <class T>
    static auto writes(participant& me) {
        publisher_options options = gated(8);
        options.payload_bytes_max = 4096;
        options.inline_bytes_max = 64;
        return me.publisher<T>("t", options).value();
    }
};
struct lane_way {
    template <class T>
    static auto reads(participant& me, std::uint32_t held = 2) {
        receiver_options options = lanes_of(8);
        options.samples_held_max = held;
        options.payload_bytes_max = 4096;
        options.inline_bytes_max = 64;
        return me.receiver<T>("t", options).value();
    }
    template <class T>
    static auto writes(participant& me) {
        return me.sender<T>("t", sending(overflow::reject)).value();
    }
};

template <class Way>
class Poll : public testing::Test {
  protected:
    scratch_root root;
    participant me = joined(root.path());

    template <class Handle>
    static std::vector<std::uint64_t> numbers_of(Handle& in, std::size_t limit = 64) {
        std::vector<std::uint64_t> taken;
        std::size_t const count = in.poll(
            [&](tick const& t) {
                EXPECT_TRUE(t.whole());
                taken.push_back(t.number);
            },
            limit);
        EXPECT_EQ(count, taken.size());
        return taken;
    }
};
struct way_names {
    template <class Way>
    static std::string GetName(int) {
        return std::is_same_v<Way, topic_way> ? "Topic" : "Lanes";
    }
};
using ways = testing::Types<topic_way, lane_way>;
TYPED_TEST_SUITE(Poll, ways, way_names);

TYPED_TEST(Poll, HandsOverWhatIsThereInOrderAndOnce) {
    auto in = TypeParam::template reads<tick>(this->me);
    auto out = TypeParam::template writes<tick>(this->me);
    EXPECT_TRUE(this->numbers_of(in).empty());
    for (std::uint64_t round = 0; round < 100; ++round) {
        send_ticks(out, 5 * round, 5);
        ASSERT_EQ(this->numbers_of(in), numbers(5 * round, 5));
    }
    EXPECT_TRUE(this->numbers_of(in).empty());
    EXPECT_EQ(in.received(), 500u);
    EXPECT_EQ(in.missed(), 0u);
}

TYPED_TEST(Poll, TakesNoMoreThanItsLimit) {
    auto in = TypeParam::template reads<tick>(this->me);
    auto out = TypeParam::template writes<tick>(this->me);
    send_ticks(out, 0, 8);
    EXPECT_TRUE(this->numbers_of(in, 0).empty());
    EXPECT_EQ(this->numbers_of(in, 1), numbers(0, 1));
    EXPECT_EQ(this->numbers_of(in, 4), numbers(1, 4));
    EXPECT_EQ(in.try_receive()->number, 5u);
    EXPECT_EQ(this->numbers_of(in), numbers(6, 2));
}

TYPED_TEST(Poll, GivesRoomBackWhileItGoesOn) {
    auto in = TypeParam::template reads<tick>(this->me);
    auto out = TypeParam::template writes<tick>(this->me);
    send_ticks(out, 0, 8);
    std::uint64_t sent = 8;
    std::uint64_t taken = 0;
    in.poll(
        [&](tick const& t) {
            EXPECT_EQ(t.number, taken);
            taken += 1;
            sent += out.send(tick::of(sent)) ? 1 : 0;
        },
        1000);
    EXPECT_EQ(taken, 1000u) << "the writer found no room";
}

TYPED_TEST(Poll, AMessageStaysWhatItIsUntilItsHandlerReturns) {
    auto in = TypeParam::template reads<tick>(this->me);
    auto out = TypeParam::template writes<tick>(this->me);
    send_ticks(out, 0, 8);
    in.poll(
        [&](tick const& t) {
            std::uint64_t const number = t.number;
            while (out.send(tick::of(1'000'000 + number))) {
            }
            EXPECT_EQ(t.number, number);
            EXPECT_TRUE(t.whole());
        },
        8);
    EXPECT_EQ(in.received(), 8u);
}

TYPED_TEST(Poll, AHandlerThatThrowsHasTakenItsMessageAndHoldsNothing) {
    auto in = TypeParam::template reads<tick>(this->me, 1);
    auto out = TypeParam::template writes<tick>(this->me);
    for (std::uint64_t round = 0; round < 20; ++round) {
        send_ticks(out, 8 * round, 8);
        EXPECT_THROW(in.poll([&](tick const& t) {
            if (t.number % 8 == 3) {
                throw std::runtime_error("this one");
            }
        }),
                     std::runtime_error);
        ASSERT_EQ(this->numbers_of(in), numbers(8 * round + 4, 4));
    }
    EXPECT_EQ(in.received(), 160u);
}

TYPED_TEST(Poll, AHandlerMayReceiveByTheSameHandle) {
    auto in = TypeParam::template reads<tick>(this->me, 3);
    auto out = TypeParam::template writes<tick>(this->me);
    std::uint64_t next = 0;
    for (int round = 0; round < 50; ++round) {
        send_ticks(out, next, 8);
        std::uint64_t const end = next + 8;
        in.poll([&](tick const& t) {
            EXPECT_EQ(t.number, next++);
            if (t.number % 3 == 0) {
                if (auto const s = in.try_receive()) {
                    EXPECT_EQ(s->number, next++);
                }
            } else if (t.number % 5 == 0) {
                for (std::uint64_t const number : this->numbers_of(in, 2)) {
                    EXPECT_EQ(number, next++);
                }
            }
            EXPECT_TRUE(t.whole());
        });
        ASSERT_EQ(next, end);
    }
}

TYPED_TEST(Poll, AHandlerMayCloseTheHandle) {
    auto in = TypeParam::template reads<tick>(this->me);
    auto out = TypeParam::template writes<tick>(this->me);
    send_ticks(out, 0, 8);
    std::size_t const taken = in.poll([&](tick const& t) {
        in.close();
        EXPECT_TRUE(t.whole()) << "its memory stays until the handler has returned";
    });
    EXPECT_EQ(taken, 1u);
    EXPECT_EQ(in.try_receive().error(), receive_errc::closed);
    EXPECT_EQ(in.poll([](tick const&) { FAIL(); }), 0u);
}

TYPED_TEST(Poll, WithEverySampleHeldTakesNothing) {
    auto in = TypeParam::template reads<tick>(this->me, 1);
    auto out = TypeParam::template writes<tick>(this->me);
    send_ticks(out, 0, 3);
    {
        auto const held = in.try_receive();
        EXPECT_TRUE(this->numbers_of(in).empty());
        EXPECT_EQ(held->number, 0u);
    }
    EXPECT_EQ(this->numbers_of(in), numbers(1, 2));
}

TYPED_TEST(Poll, HandsOverEveryLengthInItsCellOrInAChunk) {
    auto in = TypeParam::template reads<bytes>(this->me);
    auto out = TypeParam::template writes<bytes>(this->me);
    std::vector<std::string> sent;
    std::vector<std::string> taken;
    for (std::size_t length = 0; length <= 4096; length = 3 * length + 1) {
        sent.emplace_back(length, static_cast<char>('a' + sent.size()));
        ASSERT_TRUE(out.send(sent.back()));
        if (sent.size() % 3 == 0) {
            in.poll([&](std::span<std::byte const> message) {
                taken.emplace_back(reinterpret_cast<char const*>(message.data()), message.size());
            });
        }
    }
    in.poll([&](std::span<std::byte const> message) {
        taken.emplace_back(reinterpret_cast<char const*>(message.data()), message.size());
    });
    EXPECT_EQ(taken, sent);
}

TYPED_TEST(Poll, HandsOverWhatSomebodyWhoLeftHadSent) {
    auto in = TypeParam::template reads<tick>(this->me);
    {
        auto out = TypeParam::template writes<tick>(this->me);
        send_ticks(out, 0, 8);
        EXPECT_EQ(this->numbers_of(in, 2), numbers(0, 2));
    }
    EXPECT_EQ(this->numbers_of(in), numbers(2, 6));
    EXPECT_TRUE(this->numbers_of(in).empty());
}

TYPED_TEST(Poll, TakesFromEachInTurn) {
    auto in = TypeParam::template reads<tick>(this->me);
    auto a = TypeParam::template writes<tick>(this->me);
    auto b = TypeParam::template writes<tick>(this->me);
    std::map<std::uint64_t, std::uint64_t> next;
    std::uint64_t sent_of_a = 8;
    send_ticks(a, 0, 8, 1);
    send_ticks(b, 0, 8, 2);
    for (int i = 0; i < 100 && next[2] < 8; ++i) {
        in.poll(
            [&](tick const& t) {
                EXPECT_EQ(t.number, next[t.sender]++);
                sent_of_a += a.send(tick::of(sent_of_a, 1)) ? 1 : 0; // always has something
            },
            4);
    }
    EXPECT_EQ(next[2], 8u) << "starved";
}

TEST(PollLossy, CountsWhatItMissedAndHandsOverCopies) {
    scratch_root root;
    participant me = joined(root.path());
    auto out = me.publisher<tick>("t", dropping(8)).value();
    auto in = me.subscriber<tick>("t").value();
    send_ticks(out, 0, 20);
    std::vector<std::uint64_t> taken;
    in.poll(
        [&](tick const& t) {
            taken.push_back(t.number);
            send_ticks(out, 100 + 8 * taken.size(), 8); // over what it was copied from
            EXPECT_TRUE(t.whole());
            EXPECT_EQ(t.number, taken.back());
        },
        3);
    EXPECT_EQ(taken.size(), 3u);
    EXPECT_EQ(taken.front(), 12u);
    in.poll([](tick const&) {});
    EXPECT_EQ(in.received() + in.missed(), 20u + 24u);
}

} // namespace
} // namespace partywall::test
