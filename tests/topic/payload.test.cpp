// SPDX-License-Identifier: BSL-1.0
// Messages of all sizes and alignments, whole, and nothing of an earlier one behind them.
#include "support.hpp"

#include <array>
#include <cstring>
#include <random>

namespace partywall::test {

struct one_byte {
    std::uint8_t value;
};
// No padding in any of them: every byte is compared.
struct odd {
    std::uint8_t a[3];
    std::uint8_t b[8];
};
struct alignas(16) wide {
    std::uint64_t a[6];
};
struct alignas(64) line {
    std::uint64_t a[8];
};
struct alignas(128) two_lines {
    std::uint64_t a[32];
};
struct large {
    std::uint64_t words[8192];
};
static_assert(sizeof(large) == 65536 && sizeof(odd) == 11 && sizeof(wide) == 48);

namespace {

/// T full of bytes that depend on `number`.
template <class T>
T filled(std::uint64_t number) {
    std::array<unsigned char, sizeof(T)> image;
    std::mt19937_64 random(number);
    for (auto& byte : image) {
        byte = static_cast<unsigned char>(random());
    }
    T message;
    std::memcpy(&message, image.data(), sizeof(T));
    return message;
}

template <class T>
class AnyType : public testing::Test {};
using all_types =
    testing::Types<one_byte, odd, std::uint32_t, double, wide, line, two_lines, large>;
TYPED_TEST_SUITE(AnyType, all_types);

template <class T>
void expect_message(sample<T> const& s, std::uint64_t number) {
    ASSERT_TRUE(s) << to_string(s.error());
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&*s) % alignof(T), 0u);
    T const expected = filled<T>(number);
    EXPECT_EQ(std::memcmp(&*s, &expected, sizeof(T)), 0) << "message " << number;
}

TYPED_TEST(AnyType, ArrivesWholeAndAlignedByCopyInPlaceAndByLoan) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<TypeParam>("t", gated(4)).value();
    auto copies = me.subscriber<TypeParam>("t").value();
    auto in_place = me.subscriber<TypeParam>("t", lossless()).value();
    auto value = me.latest<TypeParam>("t").value();
    std::uint64_t number = 0;
    for (int round = 0; round < 5; ++round) {
        for (int i = 0; i < 3; ++i) {
            if (i == 1) {
                auto l = pub.loan().value();
                EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&*l) % alignof(TypeParam), 0u);
                *l = filled<TypeParam>(number);
                ASSERT_TRUE(l.send());
            } else {
                ASSERT_TRUE(pub.send(filled<TypeParam>(number)));
            }
            expect_message(value.get(), number);
            number += 1;
        }
        for (std::uint64_t i = number - 3; i < number; ++i) {
            expect_message(copies.try_receive(), i);
            expect_message(in_place.try_receive(), i);
        }
    }
    auto held = in_place.try_receive();
    EXPECT_FALSE(held);
}

TYPED_TEST(AnyType, ArrivesAsAnArrayOfAnyNumber) {
    scratch_root root;
    participant me = joined(root.path());
    publisher_options options = gated(4);
    options.payload_bytes_max = 3 * sizeof(TypeParam) + sizeof(TypeParam) / 2; // rounded down
    auto pub = me.publisher<TypeParam[]>("t", options).value();
    EXPECT_EQ(pub.payload_bytes_max(), 3 * sizeof(TypeParam));
    auto copies = me.subscriber<TypeParam[]>("t").value();
    auto in_place = me.subscriber<TypeParam[]>("t", lossless()).value();
    for (std::uint64_t round = 0; round < 9; ++round) {
        std::vector<TypeParam> message;
        for (std::uint64_t i = 0; i < round % 4; ++i) {
            message.push_back(filled<TypeParam>(10 * round + i));
        }
        ASSERT_TRUE(pub.send(std::span<TypeParam const>(message)));
        for (auto* const from : {&copies, &in_place}) {
            auto const s = from->try_receive();
            ASSERT_TRUE(s);
            ASSERT_EQ((*s).size(), message.size());
            for (std::size_t i = 0; i < message.size(); ++i) {
                EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&(*s)[i]) % alignof(TypeParam), 0u);
                EXPECT_EQ(std::memcmp(&(*s)[i], &message[i], sizeof(TypeParam)), 0);
            }
        }
    }
    std::vector<TypeParam> const four(4);
    EXPECT_EQ(pub.send(std::span<TypeParam const>(four)).error(), send_errc::too_large);
}

TEST(Bytes, ThatCannotFitAreNotMadeToWaitForRoom) {
    scratch_root root;
    participant me = joined(root.path());
    publisher_options options = gated(4, overflow::block);
    options.payload_bytes_max = 8;
    options.block_for = 1h;
    auto pub = me.publisher<bytes>("t", options).value();
    auto sub = me.subscriber<bytes>("t", lossless()).value();
    for (int i = 0; i < 4; ++i) {
        ASSERT_TRUE(pub.send("12345678"));
    }
    EXPECT_EQ(pub.send("123456789").error(), send_errc::too_large);
    EXPECT_EQ(pub.send("123456789", 1h).error(), send_errc::too_large);
}

TEST(Bytes, OfEveryLengthUpToTheMaximumAndNoneBeyond) {
    scratch_root root;
    participant me = joined(root.path());
    for (std::uint64_t const most : {1u, 7u, 8u, 40u, 48u, 49u, 1000u}) {
        publisher_options options = gated(4);
        options.payload_bytes_max = most;
        std::string const topic = std::to_string(most);
        auto pub = me.publisher<bytes>(topic, options).value();
        auto copies = me.subscriber<bytes>(topic).value();
        auto in_place = me.subscriber<bytes>(topic, lossless()).value();
        for (std::uint64_t length = 0; length <= most; ++length) {
            std::string message(length, '\0');
            for (std::size_t i = 0; i < message.size(); ++i) {
                message[i] = static_cast<char>(length + 31 * i);
            }
            ASSERT_TRUE(pub.send(message));
            EXPECT_EQ(copies.try_receive().text(), message);
            EXPECT_EQ(in_place.try_receive().text(), message);
        }
        EXPECT_EQ(pub.send(std::string(most + 1, 'x')).error(), send_errc::too_large);
        EXPECT_EQ(copies.try_receive().error(), receive_errc::empty);
    }
}

// A short message in the cell of a longer one: its own bytes and nothing else.
TEST(Bytes, OfAnEarlierLongerMessageAreNotSeen) {
    scratch_root root;
    participant me = joined(root.path());
    publisher_options options = gated(4);
    options.payload_bytes_max = 64;
    auto pub = me.publisher<bytes>("t", options).value();
    auto copies = me.subscriber<bytes>("t").value();
    auto in_place = me.subscriber<bytes>("t", lossless()).value();
    tampered_topic topic(me, "t");
    for (int i = 0; i < 4; ++i) {
        ASSERT_TRUE(pub.send(std::string(64, 'S')));
        EXPECT_EQ((*copies.try_receive()).size(), 64u);
        EXPECT_EQ((*in_place.try_receive()).size(), 64u);
    }
    for (std::size_t length = 0; length < 20; ++length) {
        ASSERT_TRUE(pub.send(std::string(length, 'n')));
        for (auto* const from : {&copies, &in_place}) {
            auto const s = from->try_receive();
            EXPECT_EQ(s.text(), std::string(length, 'n'));
            // Readers copy whole words: the rest of the last one must not be the old message's.
            std::size_t const padded = (length + 7) / 8 * 8;
            for (std::size_t i = length; i < padded; ++i) {
                auto const* const cell = reinterpret_cast<char const*>(topic.cell(length % 4));
                EXPECT_EQ(cell[detail::variable_payload_offset + i], '\0');
            }
        }
    }
}

TEST(Publisher, TellsWhereItIs) {
    scratch_root root;
    participant me = joined(root.path());
    publisher_options options = dropping(5);
    options.start_position = 77;
    options.metadata = {{"unit", "ms"}};
    auto pub = me.publisher<tick>("a/b", options).value();
    EXPECT_EQ(pub.start_position(), 77u);
    EXPECT_EQ(pub.position(), 77u);
    EXPECT_EQ(pub.depth(), 8u);
    EXPECT_EQ(pub.payload_bytes_max(), sizeof(tick));
    send_ticks(pub, 0, 2);
    EXPECT_EQ(pub.position(), 79u);
    auto const entries = me.publishers("a/b");
    ASSERT_EQ(entries.size(), 1u);
    EXPECT_EQ(entries[0].incarnation, pub.incarnation());
    EXPECT_EQ(entries[0].meta, options.metadata);
    ASSERT_TRUE(pub.set_metadata({{"unit", "s"}}));
    EXPECT_EQ(me.publishers()[0].meta, (metadata{{"unit", "s"}}));
    auto moved = std::move(pub);
    EXPECT_EQ(pub.send(tick::of(0)).error(), send_errc::closed); // NOLINT
    EXPECT_EQ(pub.position() + pub.depth() + pub.incarnation() + pub.subscriber_count(), 0u);
    EXPECT_FALSE(pub.set_metadata({}));
    pub.interrupt();
    pub.close();
    send_ticks(moved, 2, 1);
    moved.close();
    moved.close();
    EXPECT_EQ(moved.send(tick::of(0)).error(), send_errc::closed);
    EXPECT_EQ(moved.send(tick::of(0), 1h).error(), send_errc::closed);
    EXPECT_FALSE(moved.set_metadata({}));
    EXPECT_TRUE(me.publishers().empty());
}

} // namespace
} // namespace partywall::test
