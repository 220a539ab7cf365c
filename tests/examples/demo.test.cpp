// SPDX-License-Identifier: BSL-1.0
// The demo checks itself, line by line; these tests see that it comes to its end, whatever the
// file, and that it leaves nothing behind, however it ends.
#include "program.hpp"

#include "support/scratch_root.hpp"
#include "support/watchdog.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <string>

namespace partywall::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class Demo : public ::testing::Test {
  protected:
    void SetUp() override { watchdog::extend(std::chrono::seconds(110)); }

    void expect_success(program& demo) const {
        EXPECT_EQ(demo.wait(), exited(0)) << demo.output();
        EXPECT_THAT(demo.output(), HasSubstr("Everything holds."));
        EXPECT_THAT(demo.output(), Not(HasSubstr("FAILS")));
        EXPECT_THAT(root.leftovers(), IsEmpty());
    }
    std::string file_of(std::string const& contents) const {
        std::string path = files.path() + "/file";
        std::ofstream(path, std::ios::binary) << contents;
        return path;
    }

    scratch_root root;
    scratch_root files;
};

TEST_F(Demo, HoldsWhatItSays) {
    program demo("partywall-demo", {}, root);
    expect_success(demo);
}

TEST_F(Demo, SendsTheLineAgainThatWasSentButNotNoted) {
    // Lines without text, of any bytes, longer than a message, and a last one without an end.
    std::string const contents =
        "\n\nfirst\n" + std::string("zero \0 byte\n", 12) + std::string(10'000, 'x') + "\nlast";
    program demo("partywall-demo", {"--between", file_of(contents)}, root);
    expect_success(demo);
    EXPECT_THAT(demo.output(), HasSubstr("that line was sent twice"));
}

TEST_F(Demo, CleansUpWhenItIsInterrupted) {
    program demo("partywall-demo", {}, root);
    demo.expect("Act 1");
    demo.kill(SIGTERM);
    EXPECT_EQ(demo.wait(), exited(1));
    EXPECT_THAT(demo.output(), HasSubstr("interrupted"));
    EXPECT_THAT(root.leftovers(), IsEmpty());
}

TEST_F(Demo, RefusesAFileWithNothingInIt) {
    program demo("partywall-demo", {file_of("")}, root);
    EXPECT_EQ(demo.wait(), exited(1));
    EXPECT_THAT(demo.output(), HasSubstr("cannot stream"));
    EXPECT_THAT(root.leftovers(), IsEmpty());
}

} // namespace
} // namespace partywall::test
