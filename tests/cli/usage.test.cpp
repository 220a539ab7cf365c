// SPDX-License-Identifier: BSL-1.0
// How the command is used, and how it says that it was used wrongly.
#include "fixture.hpp"

#include <regex>
#include <set>

namespace partywall::test {
namespace {

class Usage : public Command {};
class WrongUsage : public Command, public testing::WithParamInterface<arguments> {};

TEST_P(WrongUsage, EndsWith2AndSaysSoOnStandardError) {
    finished const end = partywall(GetParam());
    EXPECT_EQ(end.status, exited(2)) << end.err;
    EXPECT_EQ(end.out, "");
    EXPECT_THAT(end.err, testing::StartsWith("partywall: "));
}

INSTANTIATE_TEST_SUITE_P(
    Arguments, WrongUsage,
    testing::Values(
        arguments{}, arguments{"frobnicate"}, arguments{"--nope", "list"}, arguments{"list", "-x"},
        arguments{"sub"}, arguments{"pub"}, arguments{"sub", "a", "b"}, arguments{"list", "a"},
        arguments{"sub", "x", "--policy", "block"}, arguments{"pub", "x", "--lossless"},
        arguments{"sub", "x", "--count", "0"}, arguments{"sub", "x", "--count", "-1"},
        arguments{"sub", "x", "--count", "1k"}, arguments{"sub", "x", "--history", "many"},
        arguments{"sub", "x", "--timeout", "-1"}, arguments{"sub", "x", "--timeout", "5parsec"},
        arguments{"sub", "x", "--timeout", "inf"}, arguments{"sub", "x", "--timeout", "1e300h"},
        arguments{"sub", "x", "--timeout"}, arguments{"sub", "x", "--block=0"},
        arguments{"sub", "x", "--block=lots"}, arguments{"sub", "x", "--any-type", "--lossless"},
        arguments{"pub", "x", "--policy", "sometimes"}, arguments{"pub", "x", "--depth", "0"},
        arguments{"pub", "x", "--depth", "99999999999"},
        arguments{"pub", "x", "--payload-max", "1T"},
        arguments{"pub", "x", "--payload-max", "65GiB"},
        arguments{"pub", "x", "--payload-max", "99999999999G"},
        arguments{"pub", "x", "--block=64K", "--payload-max", "1K"},
        arguments{"pub", "x", "--wait-for", "65"}, arguments{"list", "--json", "--plain"},
        arguments{"call"}, arguments{"call", "x", "a", "b"},
        arguments{"call", "x", "text", "--file", "f"},
        arguments{"call", "x", "a", "--timeout", "0"}, arguments{"serve", "x"},
        arguments{"serve", "x", "cat"}, arguments{"serve", "x", "--"},
        arguments{"serve", "x", "--nope", "--", "cat"},
        arguments{"serve", "x", "--clients", "1025", "--", "cat"},
        arguments{"serve", "x", "--concurrency", "0", "--", "cat"}, arguments{"survey"},
        arguments{"survey", "x", "a", "b"}, arguments{"survey", "x", "text", "--file", "f"},
        arguments{"survey", "x", "text", "--first", "--at-least", "2"},
        arguments{"survey", "x", "text", "--at-least", "0"},
        arguments{"survey", "x", "text", "--at-least", "65"},
        arguments{"survey", "x", "text", "--wait-for", "65"},
        arguments{"survey", "x", "text", "--respondents", "1025"},
        arguments{"survey", "x", "text", "--wait", "soon"},
        arguments{"survey", "x", "text", "--wait", "0"}, arguments{"respond", "x"},
        arguments{"respond", "x", "cat"}, arguments{"respond", "x", "--"},
        arguments{"respond", "x", "--clients", "2", "--", "cat"},
        arguments{"respond", "x", "--decline", "256", "--", "cat"},
        // Names.
        arguments{"sub", ""}, arguments{"sub", "/x"}, arguments{"sub", "x/"},
        arguments{"sub", "a//b"}, arguments{"sub", "a/../b"}, arguments{"sub", "."},
        arguments{"sub", "tab\there"}, arguments{"sub", std::string(201, 'x')},
        arguments{"sub", "\xff"}, arguments{"pub", ""}, arguments{"pub", "a//b"},
        arguments{"call", "a//b", "text"}, arguments{"serve", "a//b", "--", "cat"},
        arguments{"survey", "a//b", "text"}, arguments{"respond", "a//b", "--", "cat"},
        arguments{"sub", "x", "--name", ""}, arguments{"sub", "x", "--name", std::string(65, 'x')},
        arguments{"list", "--domain", ""}, arguments{"--root", "", "list"},
        arguments{"list", "--domain", std::string(65, 'x')},
        arguments{"sub", "x", "--domain", "\x01"}));

TEST_F(Usage, SaysWhatIsWrongWithAName) {
    EXPECT_THAT(partywall({"sub", "a//b"}).err, has("\"a//b\" has an empty component"));
    EXPECT_THAT(partywall({"sub", "x", "--timeout", "5parsec"}).err, has("'5parsec'"));
}

TEST_F(Usage, HelpGoesToStandardOutputAndNamesWhatTheReferenceNames) {
    std::string const reference = read_file(std::string(PARTYWALL_TEST_DOCS_DIR) + "/cli.md");
    ASSERT_NE(reference, "");
    std::set<std::string> commands{""};
    finished const all = partywall({"--help"});
    std::regex const command(
        "\n  (pub|sub|send|recv|call|serve|survey|respond|list|clean|version) ");
    for (std::sregex_iterator at(all.out.begin(), all.out.end(), command), end; at != end; ++at) {
        commands.insert((*at)[1]);
    }
    EXPECT_EQ(commands.size(), 12U);
    for (std::string const& name : commands) {
        finished const help =
            partywall(name.empty() ? arguments{"--help"} : arguments{name, "--help"});
        EXPECT_EQ(help.status, exited(0));
        EXPECT_EQ(help.err, "");
        std::regex const option("--[a-z][a-z-]*");
        std::set<std::string> found;
        for (std::sregex_iterator at(help.out.begin(), help.out.end(), option), end; at != end;
             ++at) {
            found.insert(at->str());
        }
        EXPECT_GE(found.size(), 4U);
        for (std::string const& one : found) {
            EXPECT_THAT(reference, has("`" + one)) << "option of " << name;
        }
        EXPECT_THAT(reference, has("partywall " + name));
    }
}

TEST_F(Usage, CommonOptionsMayStandBeforeOrAfterTheCommand) {
    ASSERT_EQ(partywall({"sub", "x", "--domain", "there", "--timeout", "0"}).status, exited(3));
    EXPECT_EQ(partywall({"list", "--domain", "there"}).status, exited(0));
    EXPECT_EQ(partywall({"--domain", "there", "list"}).status, exited(0));
    EXPECT_EQ(partywall({"list"}).status, exited(3));
    std::string const unset;
    EXPECT_EQ(run(unset, {"list", "--domain", "there", "--root", root()}).status, exited(0));
    EXPECT_EQ(run(unset, {"--root", root(), "--domain=there", "list"}).status, exited(0));
}

TEST_F(Usage, TheEnvironmentChoosesWhereOptionsDoNot) {
    ASSERT_EQ(partywall({"sub", "x", "--domain", "there", "--timeout", "0"}).status, exited(3));
    streams const how{.env = {"PARTYWALL_DOMAIN=there"}};
    finished const there = run(root(), {"list"}, how);
    EXPECT_EQ(there.status, exited(0));
    EXPECT_THAT(there.out, has("domain there in " + root() + "/there"));
    EXPECT_EQ(run(root(), {"list", "--domain", "elsewhere"}, how).status, exited(3));
}

TEST_F(Usage, DomainsDoNotMeet) {
    tool here(root(), {"pub", "x", "--domain", "one"}, from_pipe());
    here.write("secret\n");
    EXPECT_EQ(partywall({"sub", "x", "--domain", "two", "--timeout", "50ms"}).status, exited(3));
    here.close_in();
    EXPECT_EQ(here.wait(), exited(0));
}

TEST_F(Usage, TopicsMayHaveTheNamesOfCommandsAndOfOptions) {
    for (std::string const name : {"list", "--count", "market/eurusd é"}) {
        tool sub(root(), {"sub", "--", name});
        tool pub(root(), {"pub", "--wait-for", "1", "--", name}, from_pipe());
        pub.write("hello\n");
        pub.close_in();
        EXPECT_EQ(pub.wait(), exited(0)) << pub.err();
        EXPECT_EQ(sub.wait(), exited(0)) << sub.err();
        EXPECT_EQ(sub.out(), "hello\n");
    }
}

TEST_F(Usage, VersionNamesTheLibraryAndItsLayouts) {
    finished const text = partywall({"version"});
    EXPECT_EQ(text.status, exited(0));
    EXPECT_THAT(text.out,
                testing::StartsWith("partywall " + std::to_string(PARTYWALL_VERSION_MAJOR)));
    EXPECT_THAT(text.out, has("layout ring"));
    EXPECT_EQ(partywall({"--version"}).status, exited(0));
}

} // namespace
} // namespace partywall::test
