// SPDX-License-Identifier: BSL-1.0
// What is left of earlier messages in memory that is used again: nothing of it is ever part of a
// message, and whoever reads in place what it does not hold would read poison.
#include "large.hpp"

#include <oneway/support.hpp>
#include <support/counts.hpp>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

namespace partywall::test {
namespace {

constexpr std::byte poison{0xdb};
constexpr std::size_t longest = 1000;

bool is_poisoned(std::span<std::byte const> bytes) {
    return std::count(bytes.begin(), bytes.end(), poison) > 4;
}

/// Fills the memory of the next message, and of the one after it, and so on: all that is free. What
/// is published stays what it is.
template <class Writer>
void poison_next(Writer& out) {
    auto loan = out.loan().value();
    auto const memory = *loan;
    std::fill(memory.begin(), memory.end(), poison);
}

/// Lengths round the ends of words and lines.
std::vector<std::size_t> lengths() {
    std::vector<std::size_t> all;
    for (std::size_t const end : {1u, 8u, 16u, 56u, 64u, 72u, 128u, 1000u}) {
        for (std::size_t const length : {end - 1, end, end + 1}) {
            if (length <= longest) {
                all.push_back(length);
            }
        }
    }
    return all;
}

struct way {
    char const* name;
    std::uint64_t inline_bytes_max;
    std::uint32_t pins;
    bool lossless;
};
void PrintTo(way const& one, std::ostream* out) { *out << one.name; }

/// In the cell and in chunks; read in place, pinned, or as a copy.
class Leftovers : public testing::TestWithParam<way> {};

TEST_P(Leftovers, OfLongMessagesAreNoPartOfShortOnes) {
    scratch_root root;
    participant me = joined(root.path());
    publisher_options options = gated(4, overflow::block);
    options.payload_bytes_max = longest;
    options.inline_bytes_max = GetParam().inline_bytes_max;
    options.pins_per_subscriber = GetParam().pins;
    auto pub = me.publisher<bytes>("t", options).value();
    auto sub = me.subscriber<bytes>("t", GetParam().lossless ? lossless() : lossy()).value();
    std::vector<std::byte> const full(longest, poison);
    std::uint64_t number = 0;
    for (std::size_t const length : lengths()) {
        for (int i = 0; i < 40; ++i) { // more than there are cells and chunks, and buffers
            ASSERT_TRUE(pub.send(full));
            ASSERT_TRUE(is_poisoned(*sub.try_receive())) << "or the test is none";
        }
        for (int i = 0; i < 40; ++i) {
            poison_next(pub);
            auto const sent = pattern(++number, length);
            ASSERT_TRUE(pub.send(sent));
            auto const s = sub.try_receive();
            ASSERT_TRUE(s);
            ASSERT_TRUE(std::equal((*s).begin(), (*s).end(), sent.begin(), sent.end())) << length;
        }
    }
}

TEST_P(Leftovers, ArePoisonForWhoReadsWhatItDoesNotHold) {
    scratch_root root;
    participant me = joined(root.path());
    publisher_options options = gated(4, overflow::drop_oldest);
    options.payload_bytes_max = longest;
    options.inline_bytes_max = GetParam().inline_bytes_max;
    options.pins_per_subscriber = GetParam().pins;
    options.block_for = 1h;
    if (GetParam().lossless) {
        options.overflow = overflow::block;
    }
    auto pub = me.publisher<bytes>("t", options).value();
    auto sub = me.subscriber<bytes>("t", GetParam().lossless ? lossless() : lossy()).value();
    std::uint64_t const rounds = count(1'000, 300'000);
    std::atomic<bool> done{false};
    std::uint64_t seen = 0;
    std::thread reader([&] {
        sample<bytes> held;
        for (;;) {
            bool const last = done.load();
            auto s = sub.try_receive();
            if (s) {
                ASSERT_TRUE(is_pattern(*s));
                if (held) { // looked at again, after others were received
                    ASSERT_TRUE(is_pattern(*held));
                }
                held = std::move(s);
                seen += 1;
            } else if (last) {
                break;
            } else {
                std::this_thread::yield();
            }
        }
    });
    for (std::uint64_t i = 0; i < rounds; ++i) {
        if (!GetParam().lossless || options.inline_bytes_max < longest) {
            poison_next(pub);
        }
        ASSERT_TRUE(pub.send(pattern(i, 8 + i * 37 % (longest - 8)), 1h));
        if (i % 16 == 0) {
            std::this_thread::yield();
        }
    }
    done = true;
    reader.join();
    EXPECT_GT(seen, 0U);
    if (GetParam().lossless) {
        EXPECT_EQ(seen, rounds);
    }
}

INSTANTIATE_TEST_SUITE_P(
    Ways, Leftovers,
    testing::Values(way{"cells_in_place", longest, 0, true}, way{"cells_copied", longest, 0, false},
                    way{"chunks_pinned", 64, 2, true}, way{"chunks_pinned_lossy", 64, 2, false},
                    way{"chunks_in_place", 64, 0, true}, way{"chunks_copied", 64, 0, false}),
    [](auto const& one) { return one.param.name; });

/// A chunk that is held is not written, whatever its publisher does with all the others.
TEST(LeftoversOfChunks, AreNotWrittenWhileAReaderHoldsThem) {
    scratch_root root;
    participant me = joined(root.path());
    publisher_options options = with_chunks(gated(4), longest);
    options.pins_per_subscriber = 3;
    auto pub = me.publisher<bytes>("t", options).value();
    subscriber_options reading = lossy();
    reading.samples_held_max = 3;
    auto sub = me.subscriber<bytes>("t", reading).value();
    std::uint64_t number = 0;
    for (int round = 0; round < 50; ++round) {
        std::vector<sample<bytes>> held;
        for (int i = 0; i < 3; ++i) {
            ASSERT_TRUE(pub.send(pattern(++number, longest)));
            held.push_back(sub.try_receive());
            ASSERT_TRUE(held.back());
        }
        for (int i = 0; i < 100; ++i) { // every chunk that can be had
            poison_next(pub);
            ASSERT_TRUE(pub.send(std::vector<std::byte>(longest, poison)));
        }
        for (auto const& one : held) {
            EXPECT_TRUE(is_pattern(*one));
        }
        held.clear();
        while (sub.try_receive()) {
        }
    }
}

TEST(LeftoversOfSenders, AreNoPartOfWhatTheNextOwnerOfTheLaneSends) {
    scratch_root root;
    participant me = joined(root.path());
    receiver_options options = with_chunks(lanes_of(4), longest);
    options.senders_max = 1;
    auto in = me.receiver<bytes>("in", options).value();
    for (std::uint64_t round = 0; round < 20; ++round) {
        auto out = me.sender<bytes>("in").value();
        std::vector<std::byte> const full(longest, poison);
        for (int i = 0; i < 20; ++i) {
            ASSERT_TRUE(out.send(full));
            ASSERT_TRUE(in.try_receive());
        }
        out.close();
        EXPECT_FALSE(in.try_receive());
        auto next = me.sender<bytes>("in").value();
        for (std::size_t const length : lengths()) {
            auto const sent = pattern(round, length);
            ASSERT_TRUE(next.send(sent));
            auto const s = in.try_receive();
            ASSERT_TRUE(s);
            ASSERT_TRUE(std::equal((*s).begin(), (*s).end(), sent.begin(), sent.end())) << length;
        }
        next.close();
        EXPECT_FALSE(in.try_receive());
    }
}

/// The memory of a new ring is new: nothing of what another one held there before.
TEST(LeftoversOfRings, AreNotInTheMemoryOfAnotherRing) {
    scratch_root root;
    participant me = joined(root.path());
    for (int round = 0; round < 5; ++round) {
        auto secret = me.publisher<bytes>("secret", with_chunks(gated(64), longest)).value();
        for (int i = 0; i < 200; ++i) {
            ASSERT_TRUE(secret.send(std::vector<std::byte>(longest, poison)));
        }
        secret.close();
        auto open = me.publisher<bytes>("open", with_chunks(gated(64), longest)).value();
        ASSERT_TRUE(open.send(pattern(1, longest)));
        std::size_t files = 0;
        for (std::string const& name : root.leftovers()) {
            if (name.starts_with("d/ring.")) {
                std::ifstream file(root.path() + "/" + name, std::ios::binary);
                std::string const all{std::istreambuf_iterator<char>(file), {}};
                EXPECT_EQ(all.find(std::string(16, static_cast<char>(poison))), std::string::npos)
                    << name;
                files += 1;
            }
        }
        EXPECT_EQ(files, 1U);
    }
}

} // namespace
} // namespace partywall::test
