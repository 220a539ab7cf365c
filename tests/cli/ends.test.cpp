// SPDX-License-Identifier: BSL-1.0
// How the command ends: exit codes, deaths, signals, and what goes wrong around it.
#include "fixture.hpp"

#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace partywall::test {

namespace test_types { // messages have names that compilers agree on
struct quote {
    double bid;
    double ask;
};
} // namespace test_types

namespace {

class Ends : public Command {
  protected:
    /// Until it waits in open(2): then it has its signal handlers too.
    static void await_in_open(tool const& one) {
        eventually([&] {
            std::ifstream file("/proc/" + std::to_string(one.pid()) + "/syscall");
            long number = -1;
            file >> number;
            return number == SYS_openat && is_asleep(one.pid());
        });
    }
};

// ---- 3: nobody there ----------------------------------------------------------------------------

TEST_F(Ends, With3WhenNoPublisherComes) {
    finished const sub = partywall({"sub", "x", "--timeout", "50ms"});
    EXPECT_EQ(sub.status, exited(3));
    EXPECT_EQ(sub.err, "partywall: no publisher of 'x' came within 50 ms\n");
    EXPECT_EQ(sub.out, "");
    expect_nothing_left();
}

TEST_F(Ends, With3WhenTooFewPublishersCome) {
    tool pub(root(), {"pub", "x"}, from_pipe());
    await_publisher("x");
    finished const sub = partywall({"sub", "x", "--wait-for", "2", "--timeout", "50ms"});
    EXPECT_EQ(sub.status, exited(3));
    EXPECT_THAT(sub.err, has("1 of 2 publishers of 'x' came"));
}

TEST_F(Ends, With3WhenTooFewSubscribersCome) {
    tool sub(root(), {"sub", "x", "--follow"});
    await_joined(sub);
    finished const pub = partywall({"pub", "x", "--wait-for", "2", "--timeout", "1s"});
    EXPECT_EQ(pub.status, exited(3));
    EXPECT_THAT(pub.err, testing::ContainsRegex("[01] of 2 subscribers of 'x' came within 1 s"));
}

TEST_F(Ends, With3WhenThereIsNoSuchDomain) {
    for (char const* const command : {"list", "clean"}) {
        finished const end = partywall({command, "--domain", "nowhere"});
        EXPECT_EQ(end.status, exited(3));
        EXPECT_THAT(end.err, has("nowhere"));
    }
    EXPECT_THAT(root_.leftovers(), testing::IsEmpty());
}

// ---- 5: does not fit ----------------------------------------------------------------------------

TEST_F(Ends, With5WhenLosslessMeetsDropOldest) {
    tool pub(root(), {"pub", "x"}, from_pipe());
    await_publisher("x");
    finished const sub = partywall({"sub", "x", "--lossless"});
    EXPECT_EQ(sub.status, exited(5));
    EXPECT_THAT(sub.err, has("lossless delivery"));
    EXPECT_THAT(sub.err, has("drop_oldest"));
}

TEST_F(Ends, With5WhenDropOldestMeetsLossless) {
    tool sub(root(), {"sub", "x", "--lossless"});
    eventually([&] { return !entries("x").empty(); });
    EXPECT_EQ(partywall({"pub", "x"}, "line\n").status, exited(5));
}

TEST_F(Ends, With5WhenASecondPublisherHasOtherOptions) {
    tool pub(root(), {"pub", "x"}, from_pipe());
    await_publisher("x");
    finished const other = partywall({"pub", "x", "--depth", "8"}, "line\n");
    EXPECT_EQ(other.status, exited(5));
    EXPECT_THAT(other.err, has("depth 8"));
    EXPECT_THAT(other.err, has("depth 256"));
}

TEST_F(Ends, With5WhenTheTopicCarriesAnotherType) {
    auto const me = join("tester", where()).value();
    auto quotes = me.publisher<test_types::quote>("x").value();
    for (arguments const& args :
         {arguments{"sub", "x"}, arguments{"sub", "x", "--lossless"}, arguments{"pub", "x"}}) {
        finished const end = partywall(args);
        EXPECT_EQ(end.status, exited(5));
        EXPECT_THAT(end.err, has("quote"));
        EXPECT_THAT(end.err, has("bytes"));
    }
}

TEST_F(Ends, With5WhenAPublisherOfAnotherTypeComesLater) {
    tool sub(root(), {"sub", "x"});
    await_joined(sub);
    auto const me = join("tester", where()).value();
    auto quotes = me.publisher<test_types::quote>("x").value();
    EXPECT_EQ(sub.wait(), exited(5));
    EXPECT_THAT(sub.err(), testing::ContainsRegex("quote' .16 bytes, fingerprint [0-9a-f]{16}"));
}

TEST_F(Ends, ButAnyTypeCanBeAskedFor) {
    auto const me = join("tester", where()).value();
    auto quotes = me.publisher<test_types::quote>("x").value();
    test_types::quote const sent{1.5, 2.5};
    ASSERT_TRUE(quotes.send(sent));
    finished const sub =
        partywall({"sub", "x", "--any-type", "--block", "--history", "1", "--count", "1"});
    EXPECT_EQ(sub.status, exited(0)) << sub.err;
    EXPECT_EQ(sub.out, std::string(reinterpret_cast<char const*>(&sent), sizeof sent));
}

TEST_F(Ends, With5WhenTheRegistryHasAnotherLayout) {
    ASSERT_EQ(partywall({"sub", "x", "--timeout", "0"}).status, exited(3));
    int const fd = ::open((root() + "/default/registry").c_str(), O_RDWR | O_CLOEXEC);
    std::uint32_t const version = 77;
    ASSERT_EQ(::pwrite(fd, &version, sizeof version, 8), 4);
    ::close(fd);
    for (arguments const& args : {arguments{"sub", "x"}, arguments{"pub", "x"}, arguments{"list"},
                                  arguments{"clean"}, arguments{"clean", "-n"}}) {
        finished const end = partywall(args);
        EXPECT_EQ(end.status, exited(5));
        EXPECT_THAT(end.err, has("layout version 77"));
    }
}

// ---- 4: broken ----------------------------------------------------------------------------------

TEST_F(Ends, With4WhenAPublisherHasACorruptRing) {
    tool sub(root(), {"sub", "x"}, to_pipe());
    tool pub(root(), {"pub", "x", "--wait-for", "1"}, from_pipe());
    pub.write("good\n");
    EXPECT_EQ(sub.read_line(), "good");
    auto const publisher = entries("x").at(0);
    std::string const ring =
        "ring." + std::to_string(publisher.owner_ticket) + "." + std::to_string(publisher.number);
    int const fd = ::open((root() + "/default/" + ring).c_str(), O_RDWR | O_CLOEXEC);
    std::string const garbage(1 << 20, '\x5a');
    ASSERT_GT(::pwrite(fd, garbage.data(), garbage.size(), 640), 0);
    ::close(fd);
    EXPECT_EQ(sub.wait(), exited(4));
    EXPECT_THAT(sub.err(), has("no correct publisher writes"));
    EXPECT_EQ(sub.read_all(), "");
}

// ---- 1: failed ----------------------------------------------------------------------------------

TEST_F(Ends, With1WhenTheFileCannotBeRead) {
    finished const missing = partywall({"pub", "x", "--file", "/no/such/file"});
    EXPECT_EQ(missing.status, exited(1));
    EXPECT_EQ(missing.err, "partywall: cannot open '/no/such/file': No such file or directory\n");
    EXPECT_THAT(root_.leftovers(), testing::IsEmpty()); // before anybody could see it
    for (arguments const& more : {arguments{}, arguments{"--block"}}) {
        arguments args{"pub", "x", "--file", "/"};
        args.insert(args.end(), more.begin(), more.end());
        finished const directory = partywall(args);
        EXPECT_EQ(directory.status, exited(1));
        EXPECT_THAT(directory.err, has("cannot read '/': Is a directory"));
    }
    finished const closed = run(root(), {"pub", "x"}, {.in = streams::kind::closed});
    EXPECT_EQ(closed.status, exited(1));
    EXPECT_THAT(closed.err, has("cannot read standard input: Bad file descriptor"));
    expect_nothing_left();
}

TEST_F(Ends, With1WhenNobodyReadsTheOutputAnyMore) {
    for (arguments const& mode : {arguments{}, arguments{"--block"}}) {
        arguments args{"sub", "x"};
        args.insert(args.end(), mode.begin(), mode.end());
        tool sub(root(), args, to_pipe());
        tool pub(root(), {"pub", "x", "--wait-for", "1"}, from_pipe());
        await_readers("x", 1);
        sub.close_out();
        pub.write("into the void\n");
        EXPECT_EQ(sub.wait(), exited(1));
        EXPECT_EQ(sub.err(), "partywall: whoever read the output has closed it\n");
        pub.close_in();
        EXPECT_EQ(pub.wait(), exited(0));
        expect_nothing_left();
    }
}

TEST_F(Ends, With1WhenTheOutputIsFull) {
    for (arguments const& mode : {arguments{}, arguments{"--block"}}) {
        arguments args{"sub", "x"};
        args.insert(args.end(), mode.begin(), mode.end());
        tool sub(root(), args, to_file("/dev/full"));
        finished const pub = partywall({"pub", "x", "--wait-for", "1"}, "line\n");
        EXPECT_EQ(pub.status, exited(0));
        EXPECT_EQ(sub.wait(), exited(1));
        EXPECT_THAT(sub.err(), has("standard output: No space left on device"));
    }
    EXPECT_EQ(run(root(), {"list"}, to_file("/dev/full")).status, exited(1));
    EXPECT_EQ(run(root(), {"--help"}, to_file("/dev/full")).status, exited(1));
}

TEST_F(Ends, With1WhenTheOutputIsClosedAndWritesNowhereElse) {
    tool sub(root(), {"sub", "x"}, {.out = streams::kind::closed});
    finished const pub = partywall({"pub", "x", "--wait-for", "1"}, "line\n");
    EXPECT_EQ(pub.status, exited(0));
    EXPECT_EQ(sub.wait(), exited(1));
    EXPECT_THAT(sub.err(), has("standard output: Bad file descriptor"));
}

TEST_F(Ends, With1WhenTheTopicIsSilent) {
    tool pub(root(), {"pub", "x"}, from_pipe());
    await_publisher("x");
    finished const sub = partywall({"sub", "x", "--timeout", "50ms"});
    EXPECT_EQ(sub.status, exited(1));
    EXPECT_EQ(sub.err, "partywall: no message on 'x' within 50 ms\n");
}

/// A lossless subscriber that does not read, and a publisher with a ring of 4.
class Stuck : public Ends {
  protected:
    void start(arguments const& more) {
        arguments args{"pub", "x", "--depth", "4"};
        args.insert(args.end(), more.begin(), more.end());
        sub_.emplace(root(), arguments{"sub", "x", "--lossless"});
        eventually([&] { return !entries("x").empty(); });
        pub_.emplace(root(), args, from_pipe());
        await_readers("x", 1);
        // A reservation counts as a reader: wait until the subscriber itself is there.
        eventually([&] { return stats("x")->readers[0].kind == reader_kind::lossless; });
        sub_->stop();
        pub_->write("1\n2\n3\n4\n5\n6\n7\n");
        pub_->close_in();
    }
    void expect_first_four() {
        sub_->resume();
        EXPECT_EQ(sub_->wait(), exited(0)) << sub_->err();
        EXPECT_EQ(sub_->out(), "1\n2\n3\n4\n");
        expect_nothing_left();
    }

    std::optional<tool> sub_;
    std::optional<tool> pub_;
};

TEST_F(Stuck, PublishersEndWith1WhenTheyAreToReject) {
    start({"--policy", "reject"});
    EXPECT_EQ(pub_->wait(), exited(1));
    EXPECT_THAT(pub_->err(), has("3 of 7 messages were rejected"));
    expect_first_four();
}

TEST_F(Stuck, PublishersEndWith1AfterTheirTimeout) {
    start({"--policy", "block", "--timeout", "50ms"});
    EXPECT_EQ(pub_->wait(), exited(1));
    EXPECT_THAT(pub_->err(), has("message 5 found no room within 50 ms"));
    expect_first_four();
}

TEST_F(Stuck, PublishersEndWith130WhenInterrupted) {
    start({"--policy", "block"});
    await_sent("x", 4);
    await_asleep(*pub_);
    pub_->kill(SIGINT);
    EXPECT_EQ(pub_->wait(), exited(130));
    EXPECT_EQ(pub_->err(), "");
    expect_first_four();
}

TEST_F(Stuck, PublishersGoOnWhenTheSubscriberDies) {
    start({"--policy", "block"});
    await_sent("x", 4);
    sub_->kill(SIGKILL);
    EXPECT_EQ(sub_->wait(), killed_by(SIGKILL));
    EXPECT_EQ(pub_->wait(), exited(0)) << pub_->err();
}

PARTYWALL_ROLE(publish_in_a_tiny_root) {
    if (!enter_namespaces(CLONE_NEWNS) || !mount_tmpfs(context.arg(0), "size=2m,mode=700")) {
        context.send("cannot mount");
        return 0;
    }
    finished const end = run(context.arg(0), {"pub", "x", "--depth", "1024"});
    // The domain was created, the ring was not; nothing of it is left.
    finished const list = run(context.arg(0), {"list", "--plain"});
    context.send(std::to_string(end.status.value) + '|' + end.err + '|' + list.out);
    return 0;
}

TEST_F(Ends, With1WhenThereIsNoSpaceForTheRing) {
    child user = spawn("publish_in_a_tiny_root", {root()});
    std::string const said = user.receive();
    if (said == "cannot mount") {
        GTEST_SKIP() << "no mount namespaces";
    }
    EXPECT_THAT(said, testing::StartsWith("1|partywall: cannot publish on topic 'x'"));
    EXPECT_THAT(said, has("file\tregistry"));
    EXPECT_THAT(said, testing::Not(has("file\tring")));
    EXPECT_THAT(said, testing::Not(has("file\treaders")));
}

// ---- deaths -------------------------------------------------------------------------------------

TEST_F(Ends, With1AfterTheLastMessageOfAPublisherThatDied) {
    for (char const* const delivery : {"--lossless", "--quiet"}) {
        tool sub(root(), {"sub", "x", delivery});
        tool pub(root(), {"pub", "x", "--policy", "block", "--wait-for", "1"}, from_pipe());
        await_readers("x", 1);
        pub.write("1\n2\n3\nhalf a line");
        await_sent("x", 3);
        pub.kill(SIGKILL);
        EXPECT_EQ(pub.wait(), killed_by(SIGKILL));
        EXPECT_EQ(sub.wait(), exited(1));
        EXPECT_EQ(sub.out(), "1\n2\n3\n");
        EXPECT_EQ(sub.err(),
                  "partywall: a publisher of 'x' died; what it sent has been delivered\n");
    }
}

TEST_F(Ends, With1WhenOneOfTwoPublishersDiedButNotBeforeTheOtherIsDone) {
    tool sub(root(), {"sub", "x", "--wait-for", "2"}, to_pipe());
    tool a(root(), {"pub", "x", "--wait-for", "1"}, from_pipe());
    tool b(root(), {"pub", "x", "--wait-for", "1"}, from_pipe());
    a.write("from a\n");
    EXPECT_EQ(sub.read_line(), "from a");
    b.write("from b\n");
    EXPECT_EQ(sub.read_line(), "from b");
    a.kill(SIGKILL);
    EXPECT_EQ(a.wait(), killed_by(SIGKILL));
    eventually([&] { return sub.err() != ""; });
    b.write("still here\n");
    EXPECT_EQ(sub.read_line(), "still here");
    b.close_in();
    EXPECT_EQ(sub.wait(), exited(1));
}

TEST_F(Ends, NotWhenItFollowsAPublisherThatIsKilledAndRestarted) {
    tool sub(root(), {"sub", "x", "--follow", "--lossless", "--count", "3"}, to_pipe());
    arguments const publish{"pub", "x", "--policy", "block", "--wait-for", "1"};
    {
        tool first(root(), publish, from_pipe());
        first.write("1\n");
        EXPECT_EQ(sub.read_line(), "1");
        kill_and_bury(first);
    }
    {
        tool second(root(), publish, from_pipe());
        second.write("2\n");
        EXPECT_EQ(sub.read_line(), "2");
        second.close_in();
        EXPECT_EQ(second.wait(), exited(0));
    }
    tool third(root(), publish, from_pipe());
    third.write("3\n");
    EXPECT_EQ(sub.read_line(), "3");
    EXPECT_EQ(sub.wait(), exited(0));
    EXPECT_THAT(sub.err(), has("died"));
}

TEST_F(Ends, NotForASubscriberThatFollowsInSilence) {
    tool sub(root(), {"sub", "x", "--follow", "--quiet", "--count", "2"}, to_pipe());
    {
        tool first(root(), {"pub", "x", "--wait-for", "1"}, from_pipe());
        first.write("1\n");
        EXPECT_EQ(sub.read_line(), "1");
        kill_and_bury(first);
    }
    EXPECT_EQ(partywall({"pub", "x", "--wait-for", "1"}, "2\n").status, exited(0));
    EXPECT_EQ(sub.wait(), exited(0));
    EXPECT_EQ(sub.err(), "");
}

// ---- signals ------------------------------------------------------------------------------------

TEST_F(Ends, With130AfterCtrlCWhateverItWaitsFor) {
    struct blocked {
        char const* what;
        arguments args;
        streams how;
    };
    for (auto const& [what, args, how] :
         {blocked{"a publisher", {"sub", "x"}, {}},
          blocked{"a publisher, lossless", {"sub", "x", "--lossless", "--block"}, {}},
          blocked{"its input", {"pub", "x"}, from_pipe()},
          blocked{"its input, blocks", {"pub", "x", "--block"}, from_pipe()},
          blocked{"subscribers", {"pub", "x", "--wait-for", "1"}, {}}}) {
        SCOPED_TRACE(what);
        tool one(root(), args, how);
        await_joined(one);
        await_asleep(one);
        one.kill(SIGINT);
        EXPECT_EQ(one.wait(), exited(130));
        EXPECT_EQ(one.err(), "");
        expect_nothing_left();
    }
}

TEST_F(Ends, With130AfterCtrlCAlsoBeforeItsFifoHasAWriter) {
    scratch_files files;
    std::string const fifo = files / "fifo";
    ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
    tool pub(root(), {"pub", "x", "--file", fifo});
    await_in_open(pub);
    pub.kill(SIGINT);
    EXPECT_EQ(pub.wait(), exited(130));
    EXPECT_EQ(pub.err(), "");
    EXPECT_THAT(root_.leftovers(), testing::IsEmpty());
}

TEST_F(Ends, With143AfterSigtermAnd129AfterSighup) {
    for (int const signal : {SIGTERM, SIGHUP}) {
        tool sub(root(), {"sub", "x"});
        await_joined(sub);
        sub.kill(signal);
        EXPECT_EQ(sub.wait(), exited(128 + signal));
        expect_nothing_left();
    }
}

TEST_F(Ends, With130WhenItsOutputIsStuck) {
    tool sub(root(), {"sub", "x", "--lossless", "--block"}, to_pipe());
    tool pub(root(), {"pub", "x", "--policy", "block", "--wait-for", "1", "--block"},
             {.in_path = "/dev/zero"});
    eventually([&] { return sub.bytes_waiting() >= 64 * 1024; });
    await_asleep(sub);
    sub.kill(SIGINT);
    EXPECT_EQ(sub.wait(), exited(130));
    pub.kill(SIGINT); // goes on without anybody, as it must
    EXPECT_EQ(pub.wait(), exited(130));
    expect_nothing_left();
}

TEST_F(Ends, KeepingWhatItTookWhenInterrupted) {
    tool sub(root(), {"sub", "x", "--lossless"});
    tool pub(root(), {"pub", "x", "--policy", "block", "--wait-for", "1"}, from_pipe());
    pub.write("1\n2\n");
    eventually([&] { return sub.out() == "1\n2\n"; });
    sub.kill(SIGINT);
    EXPECT_EQ(sub.wait(), exited(130));
    EXPECT_EQ(sub.out(), "1\n2\n");
}

} // namespace
} // namespace partywall::test
