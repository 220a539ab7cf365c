// SPDX-License-Identifier: BSL-1.0
// `send` and `recv`: files, lines and deaths on their way to the one receiver.
#include "fixture.hpp"

#include "support/counts.hpp"

#include <csignal>
#include <filesystem>
#include <memory>
#include <set>

namespace partywall::test {
namespace {

class OneWayCommand : public Command {
  protected:
    /// Lines that say whose they are.
    std::string lines_of(char tag, std::uint64_t count) const {
        std::string all;
        for (std::uint64_t i = 0; i < count; ++i) {
            all += tag + std::to_string(i) + std::string(i % 61, '.') + '\n';
        }
        return all;
    }
    scratch_files files_;
};

TEST_F(OneWayCommand, MovesAFileBitForBit) {
    for (std::size_t const bytes : {0UL, 1UL, 131'072UL, 5'000'011UL}) {
        std::string content(bytes, '\0');
        for (std::size_t i = 0; i < bytes; ++i) {
            content[i] = static_cast<char>(i * 2654435761U >> 13);
        }
        write_file(files_ / "big", content);
        tool recv(root(), {"recv", "x", "--block"}, to_file(files_ / "copy"));
        finished const send = partywall({"send", "x", "--block", "--file", files_ / "big"});
        EXPECT_EQ(send.status, exited(0)) << send.err;
        EXPECT_EQ(recv.wait(), exited(0)) << recv.err();
        EXPECT_TRUE(read_file(files_ / "copy") == content) << bytes;
        EXPECT_EQ(recv.err() + send.err, "");
        expect_nothing_left();
    }
}

TEST_F(OneWayCommand, SplitsWhatSeveralSendIntoAFileForEach) {
    for (arguments const& mode : {arguments{}, arguments{"--block=4K"}}) {
        std::filesystem::create_directory(files_ / "split");
        arguments receive{"recv", "x", "--split", files_ / "split", "--wait-for", "3"};
        receive.insert(receive.end(), mode.begin(), mode.end());
        tool recv(root(), receive);
        std::vector<std::unique_ptr<tool>> senders;
        std::multiset<std::string> sent;
        for (char const tag : {'a', 'b', 'c'}) {
            std::string const file = files_ / std::string(1, tag);
            write_file(file, lines_of(tag, count(5'000, 200'000)));
            sent.insert(read_file(file));
            arguments send{"send", "x", "--file", file};
            send.insert(send.end(), mode.begin(), mode.end());
            senders.push_back(std::make_unique<tool>(root(), send));
        }
        for (auto& one : senders) {
            EXPECT_EQ(one->wait(), exited(0)) << one->err();
        }
        EXPECT_EQ(recv.wait(), exited(0)) << recv.err();
        EXPECT_EQ(recv.out(), "");
        std::multiset<std::string> got;
        for (auto const& file : std::filesystem::directory_iterator(files_ / "split")) {
            got.insert(read_file(file.path()));
        }
        EXPECT_TRUE(got == sent);
        std::filesystem::remove_all(files_ / "split");
        expect_nothing_left();
    }
}

TEST_F(OneWayCommand, WaitsForItsReceiverButNotForEver) {
    finished const nobody = partywall({"send", "x", "--timeout", "50ms"}, "line\n");
    EXPECT_EQ(nobody.status, exited(3));
    EXPECT_EQ(nobody.err, "partywall: nobody receives as 'x' within 50 ms\n");
    finished const alone = partywall({"recv", "x", "--timeout", "50ms"});
    EXPECT_EQ(alone.status, exited(3));
    EXPECT_EQ(alone.err, "partywall: no sender to 'x' came within 50 ms\n");
    tool send(root(), {"send", "x"}, from_pipe());
    await_joined(send);
    tool recv(root(), {"recv", "x"});
    send.write("here\n");
    send.close_in();
    EXPECT_EQ(send.wait(), exited(0)) << send.err();
    EXPECT_EQ(recv.wait(), exited(0)) << recv.err();
    EXPECT_EQ(recv.out(), "here\n");
    expect_nothing_left();
}

TEST_F(OneWayCommand, WaitsForALaneWhereOthersHaveThemAll) {
    tool recv(root(), {"recv", "x", "--senders", "1", "--follow"});
    tool first(root(), {"send", "x"}, from_pipe());
    first.write("1\n");
    eventually([&] { return recv.out() == "1\n"; });
    finished const none = partywall({"send", "x", "--timeout", "50ms"}, "never\n");
    EXPECT_EQ(none.status, exited(1));
    EXPECT_THAT(none.err, has("its 1 lanes are taken"));
    tool second(root(), {"send", "x"}, from_pipe());
    await_joined(second);
    await_asleep(second);
    tool third(root(), {"send", "x"}, from_pipe());
    await_joined(third);
    await_asleep(third);
    third.kill(SIGINT);
    EXPECT_EQ(third.wait(), exited(130));
    second.write("2\n");
    second.close_in();
    first.close_in();
    EXPECT_EQ(first.wait(), exited(0)) << first.err();
    EXPECT_EQ(second.wait(), exited(0)) << second.err();
    eventually([&] { return recv.out() == "1\n2\n"; });
    recv.kill(SIGINT);
    EXPECT_EQ(recv.wait(), exited(130));
    expect_nothing_left();
}

TEST_F(OneWayCommand, TheNameIsOneReceivers) {
    tool recv(root(), {"recv", "x"});
    eventually([&] { return !entries("x").empty() && entries("x")[0].state == health::ready; });
    finished const second = partywall({"recv", "x"});
    EXPECT_EQ(second.status, exited(1));
    EXPECT_THAT(second.err, has("cannot receive as 'x'"));
    recv.kill(SIGINT);
    EXPECT_EQ(recv.wait(), exited(130));
    expect_nothing_left();
}

TEST_F(OneWayCommand, EndsWith1WhenTheOtherSideDies) {
    {
        tool recv(root(), {"recv", "x", "--depth", "4"});
        tool send(root(), {"send", "x"}, from_pipe());
        send.write("1\n");
        eventually([&] { return recv.out() == "1\n"; });
        recv.stop();
        send.write("2\n3\n4\n5\n6\n7\n8\n9\n");
        await_asleep(send);
        recv.kill(SIGKILL);
        EXPECT_EQ(recv.wait(), killed_by(SIGKILL));
        EXPECT_EQ(send.wait(), exited(1));
        EXPECT_THAT(send.err(), has("the receiver of 'x' died"));
    }
    tool recv(root(), {"recv", "x"});
    tool send(root(), {"send", "x"}, from_pipe());
    send.write("1\n2\nhalf a line");
    eventually([&] { return recv.out() == "1\n2\n"; });
    send.kill(SIGKILL);
    EXPECT_EQ(send.wait(), killed_by(SIGKILL));
    EXPECT_EQ(recv.wait(), exited(1));
    EXPECT_EQ(recv.err(), "partywall: a sender to 'x' died; what it sent has been delivered\n");
    EXPECT_EQ(recv.out(), "1\n2\n");
}

TEST_F(OneWayCommand, RejectsAndCountsWhatAReceiverDidNotTake) {
    tool recv(root(), {"recv", "x", "--depth", "4"});
    eventually([&] { return !entries("x").empty() && entries("x")[0].state == health::ready; });
    recv.stop();
    finished const send = partywall({"send", "x", "--policy", "reject"}, "1\n2\n3\n4\n5\n6\n7\n");
    EXPECT_EQ(send.status, exited(1));
    EXPECT_THAT(send.err,
                has("3 of 7 messages were rejected: the receiver of 'x' did not keep up"));
    recv.resume();
    EXPECT_EQ(recv.wait(), exited(0)) << recv.err();
    EXPECT_EQ(recv.out(), "1\n2\n3\n4\n");
}

TEST_F(OneWayCommand, ReceiversAndTheirSendersAreListed) {
    auto const me = join("tester", where()).value();
    receiver_options options;
    options.metadata = {{"unit", "EUR"}};
    auto in = me.receiver<bytes>("log/web", options).value();
    auto out = me.sender<bytes>("log/web").value();
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(out.send("message"));
        ASSERT_TRUE(in.try_receive());
    }
    ASSERT_FALSE(in.try_receive()); // brings its counters up to date
    finished const text = partywall({"list"});
    EXPECT_EQ(text.status, exited(0)) << text.err;
    EXPECT_THAT(text.out, has("receivers: 1\nlog/web\n  receiver of 1: alive, ready, type bytes"));
    EXPECT_THAT(text.out, has("received 3, missed 0"));
    EXPECT_THAT(text.out, has("sender 1: block, received 3"));
    EXPECT_THAT(text.out, has("unit=EUR"));
    finished const plain = partywall({"list", "--plain"});
    EXPECT_THAT(plain.out, has("receiver\tlog/web\t1\talive\tready\tbytes\t256\t1024\t3\t0\t"));
    EXPECT_THAT(plain.out, has("sender\tlog/web\t1\t1\tblock\t3\t0\t0\t0\t0\n"));
    finished const json = partywall({"list", "--json"});
    EXPECT_EQ(json.status, exited(0));
    EXPECT_THAT(json.out, has("\"receivers\":[{\"name\":\"log/web\""));
    EXPECT_THAT(json.out, has("\"healthy\":true"));
    EXPECT_THAT(json.out, has("\"policy\":\"block\",\"closed\":false,\"received\":3"));
}

TEST_F(OneWayCommand, RefusesWhatMakesNoSense) {
    EXPECT_EQ(partywall({"recv", "x", "--senders", "1025"}).status, exited(2));
    EXPECT_EQ(partywall({"recv", "x", "--senders", "2", "--wait-for", "3"}).status, exited(2));
    EXPECT_EQ(partywall({"recv", "x", "--history", "3"}).status, exited(2)) << "there is none";
    EXPECT_EQ(partywall({"recv", "x", "--split", "/no/such/directory"}).status, exited(1));
    EXPECT_EQ(partywall({"send", "x", "--policy", "sometimes"}).status, exited(2));
    EXPECT_THAT(root_.leftovers(), testing::IsEmpty()); // before anybody could see it
    EXPECT_EQ(partywall({"send", "a//b"}).status, exited(2));
    expect_nothing_left();
}

} // namespace
} // namespace partywall::test
