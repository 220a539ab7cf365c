// SPDX-License-Identifier: BSL-1.0
// Lines in, lines out.
#include "fixture.hpp"

namespace partywall::test {
namespace {

class Lines : public Command {
  protected:
    /// What `sub` writes when `pub` gets `input`.
    std::string through_the_wall(std::string_view input, arguments const& pub_more = {},
                                 arguments const& sub_more = {}) const {
        arguments sub_args{"sub", "x"};
        sub_args.insert(sub_args.end(), sub_more.begin(), sub_more.end());
        arguments pub_args{"pub", "x", "--policy", "block", "--wait-for", "1"};
        pub_args.insert(pub_args.end(), pub_more.begin(), pub_more.end());
        tool sub(root(), sub_args);
        finished const pub = partywall(pub_args, input);
        EXPECT_EQ(pub.status, exited(0)) << pub.err;
        EXPECT_EQ(pub.out + pub.err, "");
        EXPECT_EQ(sub.wait(), exited(0)) << sub.err();
        return sub.out();
    }
};

TEST_F(Lines, ArriveAsTheyWere) {
    EXPECT_EQ(through_the_wall("one\ntwo\nthree\n", {}, {"--lossless"}), "one\ntwo\nthree\n");
}

TEST_F(Lines, MayBeEmptyAndTheLastNeedsNoNewline) {
    EXPECT_EQ(through_the_wall("\n\nb\n\nno newline", {}, {"--lossless"}), "\n\nb\n\nno newline\n");
}

TEST_F(Lines, OfNothingAreNone) {
    tool sub(root(), {"sub", "x"});
    EXPECT_EQ(partywall({"pub", "x", "--wait-for", "1"}).status, exited(0));
    EXPECT_EQ(sub.wait(), exited(0));
    EXPECT_EQ(sub.out() + sub.err(), "");
}

TEST_F(Lines, MayHaveAnyBytes) {
    std::string const text("a\0b\n\xff\xfe\r\n", 8);
    EXPECT_EQ(through_the_wall(text, {}, {"--lossless"}), text);
}

TEST_F(Lines, MayBeLongerThanEveryBuffer) {
    std::string text;
    for (std::size_t length : {300'000U, 0U, 65'535U, 65'536U, 65'537U, 1U, 500'000U}) {
        text += std::string(length, 'x') + '\n';
    }
    EXPECT_EQ(through_the_wall(text, {"--payload-max", "500000", "--depth", "4"}, {"--lossless"}),
              text);
}

TEST_F(Lines, AreShownAtOnceOnASlowTopic) {
    tool sub(root(), {"sub", "x"}, to_pipe());
    tool pub(root(), {"pub", "x", "--wait-for", "1"}, from_pipe());
    for (std::string const line : {"one", "two", "three"}) {
        pub.write(line + "\n");
        EXPECT_EQ(sub.read_line(), line);
    }
    pub.close_in();
    EXPECT_EQ(pub.wait(), exited(0));
    EXPECT_EQ(sub.wait(), exited(0));
}

TEST_F(Lines, OfHalfALineWaitForTheRest) {
    tool sub(root(), {"sub", "x"}, to_pipe());
    tool pub(root(), {"pub", "x", "--wait-for", "1"}, from_pipe());
    pub.write("first\nhal");
    EXPECT_EQ(sub.read_line(), "first");
    pub.write("f\n");
    EXPECT_EQ(sub.read_line(), "half");
    pub.close_in();
    EXPECT_EQ(sub.wait(), exited(0));
}

class TooLong : public Lines, public testing::WithParamInterface<std::size_t> {};

TEST_P(TooLong, AreAnErrorThatNamesLineAndSizesAndLosesNothingBefore) {
    std::size_t const length = GetParam();
    tool sub(root(), {"sub", "x", "--lossless"});
    std::string const input = "one\ntwo\n" + std::string(length, 'x') + "\nnever\n";
    finished const pub = partywall(
        {"pub", "x", "--policy", "block", "--wait-for", "1", "--payload-max", "100"}, input);
    EXPECT_EQ(pub.status, exited(1));
    EXPECT_THAT(pub.err, has("line 3 has " + std::to_string(length) + " bytes"));
    EXPECT_THAT(pub.err, has("at most 100"));
    EXPECT_EQ(sub.wait(), exited(0)) << sub.err();
    EXPECT_EQ(sub.out(), "one\ntwo\n");
    expect_nothing_left();
}

INSTANTIATE_TEST_SUITE_P(Bytes, TooLong, testing::Values(101, 5'000, 70'000, 3'000'000));

TEST_F(Lines, TooLongWithoutAnEndAreToldToTheirEndToo) {
    finished const pub = partywall({"pub", "x", "--payload-max", "10"}, std::string(200'000, 'x'));
    EXPECT_EQ(pub.status, exited(1));
    EXPECT_THAT(pub.err, has("line 1 has 200000 bytes"));
}

TEST_F(Lines, OfExactlyTheMaximumArrive) {
    std::string const text = std::string(100, 'x') + "\n" + std::string(100, 'y');
    EXPECT_EQ(through_the_wall(text, {"--payload-max", "100"}, {"--lossless"}), text + '\n');
}

TEST_F(Lines, AreCountedOnBothSides) {
    tool sub(root(), {"sub", "x", "--count", "2"});
    tool pub(root(), {"pub", "x", "--wait-for", "1", "--count", "3"}, from_pipe());
    pub.write("1\n2\n3\n4\n");
    EXPECT_EQ(pub.wait(), exited(0)) << pub.err(); // its input is still open
    EXPECT_EQ(sub.wait(), exited(0)) << sub.err();
    EXPECT_EQ(sub.out(), "1\n2\n");
}

TEST_F(Lines, BecomeBlocksWithoutNewlines) {
    EXPECT_EQ(through_the_wall("a\nb\n\nc\n", {}, {"--lossless", "--block"}), "abc");
    std::string many;
    std::string joined;
    for (int i = 0; i < 5'000; ++i) {
        many += std::to_string(i) + '\n';
        joined += std::to_string(i);
    }
    EXPECT_EQ(through_the_wall(many, {}, {"--lossless", "--block=100"}), joined);
}

TEST_F(Lines, OfThePastAreThereForWhoAsks) {
    tool early(root(), {"sub", "x"}, to_pipe());
    tool pub(root(), {"pub", "x", "--wait-for", "1"}, from_pipe());
    for (std::string const line : {"1", "2", "3", "4", "5"}) {
        pub.write(line + "\n");
        EXPECT_EQ(early.read_line(), line);
    }
    finished const late = partywall({"sub", "x", "--history", "3", "--count", "3"});
    EXPECT_EQ(late.status, exited(0)) << late.err;
    EXPECT_EQ(late.out, "3\n4\n5\n");
    EXPECT_EQ(partywall({"sub", "x", "--history", "1000", "--count", "5"}).out, "1\n2\n3\n4\n5\n");
    EXPECT_EQ(partywall({"sub", "x", "--timeout", "50ms"}).out, ""); // without: only what comes
    pub.close_in();
    EXPECT_EQ(early.wait(), exited(0));
}

class Missed : public Command {
  protected:
    /// A lossy subscriber that is stopped while 100 lines go through a ring of 4.
    void overtake(tool& sub) {
        tool pub(root(), {"pub", "x", "--depth", "4"}, from_pipe());
        await_readers("x", 1);
        sub.stop();
        std::string lines;
        for (int i = 1; i <= 100; ++i) {
            lines += std::to_string(i) + '\n';
        }
        pub.write(lines);
        pub.close_in();
        EXPECT_EQ(pub.wait(), exited(0));
        sub.resume();
        EXPECT_EQ(sub.wait(), exited(0)) << sub.err();
        EXPECT_EQ(sub.out(), "97\n98\n99\n100\n");
    }
};

TEST_F(Missed, MessagesAreReportedAtTheEnd) {
    tool sub(root(), {"sub", "x"});
    overtake(sub);
    EXPECT_THAT(sub.err(), has("missed 96 messages of 'x'"));
}

TEST_F(Missed, MessagesAreNotReportedToTheQuiet) {
    tool sub(root(), {"sub", "x", "--quiet"});
    overtake(sub);
    EXPECT_EQ(sub.err(), "");
}

} // namespace
} // namespace partywall::test
