// SPDX-License-Identifier: BSL-1.0
// Any bytes in all segments of a domain that an enemy may write, at any time: whoever uses it gets an
// error or some message, in bounded time (the watchdog looks), and reads and writes nothing outside
// (guard pages and the sanitizers look); nothing of it is left behind, and another domain does not
// notice. partywall_fuzz follows such instructions too.
#include "image.hpp"
#include "guarded_mappings.hpp"

#include <support/counts.hpp>
#include <support/nasty.hpp>
#include <support/watchdog.hpp>
#include <topic/support.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <thread>
#include <vector>

namespace partywall::test {
namespace {

using instructions = std::vector<std::uint8_t>;
using style = hostile_image::style;

class HostileImage : public testing::Test {
  protected:
    void SetUp() override { watchdog::extend(std::chrono::hours(2)); }

    void TearDown() override { let_go(); }

    /// What the library did before is not the next round's fault.
    hostile_image& image() {
        if (!image_ || rounds_ % 500 == 0) {
            let_go();
            image_ = std::make_unique<hostile_image>();
        }
        rounds_ += 1;
        return *image_;
    }

  private:
    void let_go() {
        image_.reset();
        EXPECT_EQ(guarded_mappings(), 0U) << "something stays mapped";
    }

    std::unique_ptr<hostile_image> image_;
    std::uint64_t rounds_ = 0;
};

instructions some(std::mt19937_64& random, std::size_t count) {
    instructions all(count * hostile_image::instruction_bytes);
    std::generate(all.begin(), all.end(), [&] { return static_cast<std::uint8_t>(random()); });
    return all;
}

TEST_F(HostileImage, OfTheCorpusHarmsNobodyElse) {
    std::size_t files = 0;
    for (auto const& file : std::filesystem::directory_iterator(PARTYWALL_TEST_CORPUS)) {
        std::ifstream in(file.path(), std::ios::binary);
        instructions const all{std::istreambuf_iterator<char>(in), {}};
        hostile_image& it = image();
        it.begin();
        it.follow(all);
        it.end();
        EXPECT_EQ(it.what_others_saw(), "") << file.path();
        files += 1;
    }
    EXPECT_GE(files, 100U);
}

/// The script of all that they do, with random writes in between.
TEST_F(HostileImage, OfAnyInstructionsHarmsNobodyElse) {
    std::uint64_t const seed = run_seed();
    std::cout << "seed " << seed << '\n';
    std::mt19937_64 random(seed);
    for (std::uint64_t i = 0; i < count(150, 30'000); ++i) {
        hostile_image& it = image();
        it.begin();
        auto const& script = hostile_image::script(static_cast<style>(random() % 6));
        std::size_t const ordinary = random() % (script.size() + 1);
        for (std::size_t k = 0; k < ordinary; ++k) {
            it.use(script[k]);
        }
        it.follow(some(random, 20 + random() % 100));
        it.end();
        ASSERT_EQ(it.what_others_saw(), "") << "image " << i;
    }
}

std::string name_of(style it) {
    constexpr char const* names[] = {"Topics", "OneWay", "Calls", "Surveys", "Registry"};
    return names[static_cast<int>(it)];
}

class HostileStyle : public HostileImage, public testing::WithParamInterface<style> {};

/// One word after the other, with one of the nasty values after the other, before every step of all
/// that can be done. With quick counts some of the words, and some of the values.
TEST_P(HostileStyle, WithAnyWordWrongBeforeEveryStepHarmsNobodyElse) {
    auto const& script = hostile_image::script(GetParam());
    std::uint64_t words = 1;
    std::uint64_t rounds = 0;
    std::uint64_t const every = count(31, 1);
    for (std::uint64_t w = 0; w < words; w += every) {
        std::uint64_t values = 1;
        for (std::uint64_t v = 0; v < values; v += count(1'000'000, script.size() / 2)) {
            hostile_image& it = image();
            it.begin();
            for (auto const& one : script) { // all of it is there
                it.use(one);
            }
            auto const places = it.places(GetParam());
            words = places.size();
            auto const& [where, word, cells] = places[w];
            std::atomic_ref<std::uint64_t> const at(*word);
            SCOPED_TRACE(where + ", from value " + std::to_string(v));
            std::uint64_t next = v + w;
            for (auto const& one : script) {
                auto const all = nasty_around(at.load(std::memory_order_relaxed), cells);
                values = all.size();
                at.store(all[next++ % values], std::memory_order_relaxed);
                it.use(one);
            }
            it.end();
            rounds += 1;
            ASSERT_EQ(it.what_others_saw(), "");
        }
    }
    RecordProperty("words", static_cast<int>(words));
    std::cout << rounds << " rounds, " << words << " words\n";
    EXPECT_GT(words, 50U);
}

/// Each word is another one between any two looks at it: right, and in no time wrong, and right again.
TEST_P(HostileStyle, WhoseWordsTurnWrongAndRightAllTheTimeHarmsNobodyElse) {
    auto const& script = hostile_image::script(GetParam());
    std::mt19937_64 random(run_seed());
    std::uint64_t turned = 0;
    for (std::uint64_t i = 0; i < count(25, 2'000); ++i) {
        hostile_image& it = image();
        it.begin();
        for (auto const& one : script) {
            it.use(one);
        }
        auto places = it.places(GetParam());
        std::shuffle(places.begin(), places.end(), random);
        places.resize(std::min<std::size_t>(places.size(), 40));
        std::atomic<bool> over{false};
        std::atomic<std::uint64_t> turns{0};
        std::thread enemy([&, first = random()] {
            for (std::uint64_t n = first; !over.load(std::memory_order_relaxed); ++n) {
                auto const& [where, word, cells] = places[n % places.size()];
                std::atomic_ref<std::uint64_t> const at(*word);
                std::uint64_t const right = at.load(std::memory_order_relaxed);
                auto const wrong = nasty_around(right, cells);
                for (int k = 0; k < 50; ++k) {
                    at.store(wrong[(n + static_cast<std::uint64_t>(k)) % wrong.size()],
                             std::memory_order_relaxed);
                    at.store(right, std::memory_order_relaxed);
                }
                turns.fetch_add(50, std::memory_order_relaxed);
            }
        });
        while (turns.load(std::memory_order_relaxed) == 0) {
            std::this_thread::yield();
        }
        for (int k = 0; k < 3; ++k) {
            for (auto const& one : script) {
                it.use(one);
            }
        }
        over.store(true, std::memory_order_relaxed);
        enemy.join();
        turned += turns;
        it.end();
        ASSERT_EQ(it.what_others_saw(), "") << "image " << i;
    }
    std::cout << turned << " times\n";
}

INSTANTIATE_TEST_SUITE_P(Of, HostileStyle,
                         testing::Values(style::topics, style::oneway, style::calls, style::surveys,
                                         style::rest),
                         [](auto const& one) { return name_of(one.param); });

TEST(GuardedMappings, AreAroundEverySegmentAndGoWithIt) {
    scratch_root root;
    std::size_t const before = guarded_mappings();
    {
        participant me = joined(root.path());
        auto pub = me.publisher<tick>("t", gated(8)).value();
        tampered_topic const topic(me, "t");
        EXPECT_TRUE(has_guards(&topic.ring()));
        EXPECT_TRUE(has_guards(&topic.readers()));
        EXPECT_GE(guarded_mappings(), before + 6);
    }
    EXPECT_EQ(guarded_mappings(), before);
    EXPECT_FALSE(has_guards(&root));
}

} // namespace
} // namespace partywall::test
