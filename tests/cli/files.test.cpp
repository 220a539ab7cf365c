// SPDX-License-Identifier: BSL-1.0
// A file through the wall arrives bit for bit.
#include "fixture.hpp"

#include "support/counts.hpp"
#include "support/watchdog.hpp"

#include <array>
#include <fstream>
#include <map>
#include <sstream>

namespace partywall::test {
namespace {

/// `bytes` of text that does not repeat soon, lines of many lengths.
void make_text(std::string const& path, std::uint64_t bytes) {
    std::ofstream file(path, std::ios::binary);
    std::uint64_t state = 88172645463325252;
    std::string line;
    for (std::uint64_t written = 0; written < bytes; written += line.size()) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        line = std::to_string(state) + ' ';
        line += std::string(state % 97, static_cast<char>('a' + state % 26)) + '\n';
        line.resize(std::min<std::uint64_t>(line.size(), bytes - written));
        file << line;
    }
    ASSERT_TRUE(file.flush());
}

void expect_same(std::string const& a, std::string const& b) {
    std::ifstream one(a, std::ios::binary);
    std::ifstream other(b, std::ios::binary);
    std::vector<char> x(1 << 20);
    std::vector<char> y(1 << 20);
    for (std::uint64_t at = 0;; at += x.size()) {
        one.read(x.data(), static_cast<std::streamsize>(x.size()));
        other.read(y.data(), static_cast<std::streamsize>(y.size()));
        ASSERT_EQ(one.gcount(), other.gcount()) << b << " ends elsewhere, after " << at;
        ASSERT_TRUE(std::equal(x.begin(), x.begin() + one.gcount(), y.begin()))
            << b << " differs after " << at;
        if (one.gcount() == 0) {
            return;
        }
    }
}

class Files : public Command {
  protected:
    /// One publisher to `count` subscribers; every copy is the original.
    void through_the_wall(std::string const& big, std::size_t count, arguments const& more = {}) {
        std::vector<std::unique_ptr<tool>> subs;
        for (std::size_t i = 0; i < count; ++i) {
            subs.push_back(std::make_unique<tool>(root(),
                                                  arguments{"sub", "x", "--lossless", "--block"},
                                                  to_file(files_ / std::to_string(i))));
        }
        arguments args{"pub",     "x",          "--policy",
                       "block",   "--wait-for", std::to_string(count),
                       "--block", "--file",     big};
        args.insert(args.end(), more.begin(), more.end());
        tool pub(root(), args);
        EXPECT_EQ(pub.wait(), exited(0)) << pub.err();
        for (std::size_t i = 0; i < count; ++i) {
            EXPECT_EQ(subs[i]->wait(), exited(0)) << subs[i]->err();
            EXPECT_EQ(subs[i]->err(), "");
            expect_same(big, files_ / std::to_string(i));
        }
        expect_nothing_left();
    }

    scratch_files files_;
};

class FilesOfSize : public Files, public testing::WithParamInterface<std::uint64_t> {};

TEST_P(FilesOfSize, ArriveBitForBit) {
    make_text(files_ / "big", GetParam());
    through_the_wall(files_ / "big", 1);
}

TEST_P(FilesOfSize, ArriveBitForBitAtThreeSubscribers) {
    make_text(files_ / "big", GetParam());
    through_the_wall(files_ / "big", 3);
}

INSTANTIATE_TEST_SUITE_P(Bytes, FilesOfSize,
                         testing::Values(0, 1, 128 * 1024, 128 * 1024 + 1, 5'000'011));

TEST_F(Files, OfAGigabyteArriveBitForBit) {
    watchdog::extend(std::chrono::minutes(count(1, 30)));
    make_text(files_ / "big", count(32 << 20, (1ULL << 30) + 12345));
    through_the_wall(files_ / "big", 1);
}

TEST_F(Files, ArriveThroughTheSmallestRing) {
    make_text(files_ / "big", 300'000);
    through_the_wall(files_ / "big", 2, {"--block=1000", "--depth", "4"});
}

TEST_F(Files, ThatArePipesArriveBitForBit) {
    make_text(files_ / "big", 1'000'000);
    std::string const text = read_file(files_ / "big");
    tool sub(root(), {"sub", "x", "--lossless", "--block"}, to_pipe());
    tool pub(root(), {"pub", "x", "--policy", "block", "--block", "--wait-for", "1"}, from_pipe());
    std::string got;
    for (std::size_t at = 0; at < text.size(); at += 10'000) {
        pub.write(text.substr(at, 10'000));
        got += sub.read(std::min<std::size_t>(10'000, text.size() - at));
    }
    pub.close_in();
    got += sub.read_all();
    EXPECT_EQ(pub.wait(), exited(0));
    EXPECT_EQ(sub.wait(), exited(0));
    EXPECT_EQ(got, text);
}

TEST_F(Files, OfTwoPublishersArriveWhole) {
    // Line by line, since blocks of two files would lie between each other.
    std::uint64_t const lines = count(20'000, 1'000'000);
    for (char const tag : {'a', 'b'}) {
        std::ofstream file(files_ / std::string(1, tag), std::ios::binary);
        for (std::uint64_t i = 0; i < lines; ++i) {
            file << tag << ' ' << i << std::string(i % 61, '.') << '\n';
        }
    }
    tool sub(root(), {"sub", "x", "--lossless", "--wait-for", "2"}, to_file(files_ / "copy"));
    auto const publish = [&](char const* name) {
        return arguments{"pub",    "x",           "--policy",   "block",
                         "--file", files_ / name, "--wait-for", "1"};
    };
    tool a(root(), publish("a"));
    tool b(root(), publish("b"));
    EXPECT_EQ(a.wait(), exited(0)) << a.err();
    EXPECT_EQ(b.wait(), exited(0)) << b.err();
    EXPECT_EQ(sub.wait(), exited(0)) << sub.err();
    std::map<char, std::string> parts;
    std::ifstream copy(files_ / "copy");
    for (std::string line; std::getline(copy, line);) {
        ASSERT_FALSE(line.empty());
        parts[line[0]] += line + '\n';
    }
    EXPECT_EQ(parts.size(), 2U);
    EXPECT_TRUE(parts['a'] == read_file(files_ / "a"));
    EXPECT_TRUE(parts['b'] == read_file(files_ / "b"));
    expect_nothing_left();
}

TEST_F(Files, OfTwoPublishersArriveWholeAlsoInBlocks) {
    // Blocks of one size each, so that a block says by its first byte whose it is.
    constexpr std::size_t block = 4096;
    for (char const tag : {'a', 'b'}) {
        std::string content;
        for (int i = 0; i < 200; ++i) {
            std::string one = std::string(1, tag) + std::to_string(i);
            one.resize(block, tag);
            content += one;
        }
        write_file(files_ / std::string(1, tag), content);
    }
    tool sub(root(), {"sub", "x", "--lossless", "--block", "--wait-for", "2"},
             to_file(files_ / "copy"));
    auto const publish = [&](char const* name) {
        return arguments{"pub",         "x",          "--policy", "block",     "--file",
                         files_ / name, "--wait-for", "1",        "--block=4K"};
    };
    tool a(root(), publish("a"));
    tool b(root(), publish("b"));
    EXPECT_EQ(a.wait(), exited(0)) << a.err();
    EXPECT_EQ(b.wait(), exited(0)) << b.err();
    EXPECT_EQ(sub.wait(), exited(0)) << sub.err();
    std::string const copy = read_file(files_ / "copy");
    std::map<char, std::string> parts;
    for (std::size_t at = 0; at < copy.size(); at += block) {
        parts[copy[at]] += copy.substr(at, block);
    }
    EXPECT_TRUE(parts['a'] == read_file(files_ / "a"));
    EXPECT_TRUE(parts['b'] == read_file(files_ / "b"));
    EXPECT_EQ(parts.size(), 2U);
}

} // namespace
} // namespace partywall::test
