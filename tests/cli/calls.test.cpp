// SPDX-License-Identifier: BSL-1.0
// `call` and `serve`: requests to commands, replies from them, and calls that end without one.
#include "serving.hpp"

#include <boost/json.hpp>

#include <csignal>
#include <memory>
#include <utility>

namespace partywall::test {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

class CallCommand : public Serving {
  protected:
    std::unique_ptr<tool> serve(arguments options, arguments const& command) const {
        return start("serve", entry_kind::service, std::move(options), command, 1);
    }
};

TEST_F(CallCommand, PrintsTheReplyAndNothingElse) {
    auto const server = serve({}, {"tr", "a-z", "A-Z"});
    for (int i = 0; i < 3; ++i) {
        finished const call = partywall({"call", "x", "hello world"});
        EXPECT_EQ(call.status, exited(0)) << call.err;
        EXPECT_EQ(call.out, "HELLO WORLD\n");
        EXPECT_EQ(call.err, "");
    }
    EXPECT_EQ(partywall({"call", "x"}, "one\ntwo\n").out, "ONE\nTWO\n") << "standard input";
    EXPECT_EQ(partywall({"call", "x", "--block", "as it is"}).out, "AS IT IS");
    EXPECT_EQ(partywall({"call", "x", ""}).out, "\n");
    EXPECT_EQ(partywall({"call", "x", "[1,2]"}).out, "[1,2]\n");
    EXPECT_EQ(partywall({"call", "x", "--", "--text"}).out, "--TEXT\n");
    expect_end(*server, SIGTERM);
    EXPECT_EQ(server->err(), "");
    expect_nothing_left();
}

TEST_F(CallCommand, MovesFilesBitForBit) {
    auto const server = serve({"--block", "--request-max", "2M", "--reply-max", "2M"}, {"cat"});
    for (std::size_t const bytes : {0UL, 1UL, 70'000UL, 2'000'000UL}) {
        std::string content(bytes, '\n');
        for (std::size_t i = 0; i < bytes; ++i) {
            content[i] = static_cast<char>(i * 2654435761U >> 13);
        }
        write_file(files_ / "request", content);
        tool call(root(),
                  {"call", "x", "--block", "--reply-max", "2M", "--file", files_ / "request"},
                  to_file(files_ / "reply"));
        EXPECT_EQ(call.wait(), exited(0)) << call.err();
        EXPECT_TRUE(read_file(files_ / "reply") == content) << bytes;
    }
    expect_end(*server, SIGINT);
    expect_nothing_left();
}

TEST_F(CallCommand, NoShellSeesTheCommandOrTheRequest) {
    auto const server = serve({}, {"printf", "%s.", "$HOME", "[a,b]", "list", "--", "; x"});
    finished const call = partywall({"call", "x", "$(exit 3)"});
    EXPECT_EQ(call.out, "$HOME.[a,b].list.--.; x.\n") << call.err;
    expect_end(*server, SIGTERM);
}

TEST_F(CallCommand, SaysWhyThereIsNoReplyAndWhetherItWasExecuted) {
    auto const server = serve({}, script("echo first >&2; echo second >&2; exit 3"));
    finished const failed = partywall({"call", "x", "text"});
    EXPECT_EQ(failed.status, exited(1));
    EXPECT_EQ(failed.out, "");
    EXPECT_EQ(failed.err, "partywall: call to 'x': server error (failed, code 3): first; "
                          "executed: maybe\n");
    expect_end(*server, SIGTERM);
    EXPECT_EQ(server->err(), "first\nsecond\n") << "for whoever runs the server";

    auto const killed = serve({}, script("kill -SEGV $$"));
    EXPECT_THAT(partywall({"call", "x", "text"}).err, has("code 139): ended by signal 11"));
    expect_end(*killed, SIGTERM);

    finished const nobody = partywall({"call", "x", "text"});
    EXPECT_EQ(nobody.status, exited(3));
    EXPECT_EQ(nobody.err, "partywall: call to 'x': no server; executed: no\n");
    expect_nothing_left();
}

TEST_F(CallCommand, WaitsForAServerButNotForEver) {
    finished const nobody = partywall({"call", "x", "text", "--wait", "--timeout", "50ms"});
    EXPECT_EQ(nobody.status, exited(3));
    EXPECT_EQ(nobody.err, "partywall: nobody serves 'x' within 50 ms; executed: no\n");
    tool call(root(), {"call", "x", "text", "--wait", "--timeout", "50s"});
    await_joined(call);
    auto const server = serve({"--count", "1"}, {"cat"});
    EXPECT_EQ(call.wait(), exited(0)) << call.err();
    EXPECT_EQ(call.out(), "text\n");
    EXPECT_EQ(server->wait(), exited(0)) << server->err();
    expect_nothing_left();
}

TEST_F(CallCommand, MessagesAreBounded) {
    auto const server = serve({"--request-max", "1K", "--reply-max", "1K"},
                              script("if read n; then head -c \"$n\" /dev/zero; fi"));
    EXPECT_EQ(partywall({"call", "x", "--block"}, "1024\n").out.size(), 1024U);
    finished const over = partywall({"call", "x"}, "1025\n");
    EXPECT_EQ(over.status, exited(1));
    EXPECT_THAT(over.err, has("code 125)"));
    // A command without an end is ended.
    EXPECT_THAT(partywall({"call", "x"}, "99999999999\n").err,
                has("code 125): killed: more than 1 KiB of output; executed: maybe"));
    finished const client = partywall({"call", "x", "--reply-max", "100"}, "300\n");
    EXPECT_THAT(client.err, has("server error (reply too large, code 0); executed: maybe"));
    finished const request = partywall({"call", "x"}, std::string(2000, 'x'));
    EXPECT_EQ(request.status, exited(1));
    EXPECT_THAT(request.err, has("executed: no"));
    EXPECT_THAT(partywall({"call", "x", std::string(2000, 'x')}).err,
                has("request too large; executed: no"));
    expect_end(*server, SIGTERM);
}

TEST_F(CallCommand, KillsTheCommandAndItsChildrenAtTheDeadline) {
    // The child keeps a pipe open for as long as it lives, and `pub` reads to the pipe's end.
    std::string const held = fifo("held");
    auto const server = serve({}, script("sleep 3600 > \"$1\" & wait", {held}));
    tool watches(root(), {"pub", "y", "--file", held});
    finished const call = partywall({"call", "x", "text", "--timeout", "3s"});
    EXPECT_EQ(call.status, exited(1));
    EXPECT_EQ(call.err, "partywall: call to 'x': deadline: no reply within 3 s; executed: maybe\n");
    EXPECT_EQ(watches.wait(), exited(0)) << watches.err();
    expect_end(*server, SIGTERM); // still there
}

TEST_F(CallCommand, RunsAsManyCommandsAtATimeAsItIsTold) {
    // Neither ends before both have begun.
    auto const server =
        serve({"--concurrency", "2"}, script("case $(cat) in a) echo > \"$1\"; read n < \"$2\";; "
                                             "b) read n < \"$1\"; echo > \"$2\";; esac; echo both",
                                             {fifo("to b"), fifo("to a")}));
    tool a(root(), {"call", "x", "a", "--timeout", "50s"});
    finished const b = partywall({"call", "x", "b", "--timeout", "50s"});
    EXPECT_EQ(b.out, "both\n") << b.err;
    EXPECT_EQ(a.wait(), exited(0)) << a.err();
    EXPECT_EQ(a.out(), "both\n");
    expect_end(*server, SIGTERM);
}

TEST_F(CallCommand, OneAtATimeLeavesTheOthersUntilTheirDeadline) {
    auto const server = serve({}, patient_command());
    tool first(root(), {"call", "x", "first", "--timeout", "50s"});
    await_begun();
    finished const late = partywall({"call", "x", "late", "--timeout", "50ms"});
    EXPECT_EQ(late.status, exited(1));
    EXPECT_EQ(late.err, "partywall: call to 'x': deadline: no reply within 50 ms; executed: no\n");
    open_gate();
    EXPECT_EQ(first.wait(), exited(0)) << first.err();
    tool next(root(), {"call", "x", "next", "--timeout", "50s"});
    eventually([&] { return read_file(begun()) != "first\n"; });
    open_gate();
    EXPECT_EQ(next.wait(), exited(0)) << next.err();
    EXPECT_EQ(next.out(), "done\n");
    EXPECT_EQ(read_file(begun()), "first\nnext\n") << "the late one was executed after all";
    expect_end(*server, SIGTERM);
}

TEST_F(CallCommand, ServerDrainsWhenItIsTerminated) {
    auto const server = serve({"--drain", "50s"}, patient_command());
    tool call(root(), {"call", "x", "text", "--timeout", "50s"});
    await_begun();
    server->kill(SIGTERM);
    eventually([&] {
        auto const all = entries("x");
        return all.size() == 1 && all[0].state == health::draining;
    });
    EXPECT_EQ(partywall({"call", "x", "another"}).status, exited(3));
    open_gate();
    EXPECT_EQ(call.wait(), exited(0)) << call.err();
    EXPECT_EQ(call.out(), "done\n");
    EXPECT_EQ(server->wait(), exited(143)) << server->err();
    EXPECT_EQ(read_file(begun()), "text\n");
    expect_nothing_left();
}

TEST_F(CallCommand, ServerEndsThoughItsCommandDoesNot) {
    auto const server = serve({"--drain", "50ms"}, patient_command());
    tool call(root(), {"call", "x", "text", "--timeout", "50s"});
    await_begun();
    expect_end(*server, SIGTERM);
    EXPECT_EQ(call.wait(), exited(1));
    EXPECT_THAT(call.err(), has("code 124): killed: the server ends; executed: maybe"));
    expect_nothing_left();
}

TEST_F(CallCommand, HearsOfTheServersDeathAtOnce) {
    auto const server = serve({}, patient_command());
    tool call(root(), {"call", "x", "text", "--timeout", "1h"});
    await_begun();
    server->kill(SIGKILL);
    EXPECT_EQ(server->wait(), killed_by(SIGKILL));
    EXPECT_EQ(call.wait(), exited(1));
    EXPECT_EQ(call.err(), "partywall: call to 'x': server died; executed: maybe\n");
    open_gate(); // the command goes on to its end
}

TEST_F(CallCommand, SignalsEndACall) {
    auto const server = serve({"--drain", "0"}, patient_command());
    tool call(root(), {"call", "x", "text", "--timeout", "1h"});
    await_begun();
    expect_end(call, SIGINT);
    tool waits(root(), {"call", "y", "text", "--wait", "--timeout", "1h"});
    await_joined(waits);
    expect_end(waits, SIGTERM);
    expect_end(*server, SIGTERM);
    expect_nothing_left();
}

TEST_F(CallCommand, ACommandThatIsNotThereIsFoundOutAtTheStart) {
    finished const serve = partywall({"serve", "x", "--", "no-such-command-anywhere"});
    EXPECT_EQ(serve.status, exited(1));
    EXPECT_THAT(serve.err, has("cannot execute 'no-such-command-anywhere'"));
    EXPECT_EQ(partywall({"serve", "x", "--", files_ / "nothing"}).status, exited(1));
    EXPECT_THAT(root_.leftovers(), testing::IsEmpty()); // before anybody could see it
}

TEST_F(CallCommand, OtherTypesEndWith5) {
    auto const me = join("tester", where()).value();
    auto server = me.server<int, int>("x", [](int i) { return i; }).value();
    finished const call = partywall({"call", "x", "text"});
    EXPECT_EQ(call.status, exited(5)) << call.err;
}

TEST_F(CallCommand, ServersAndTheirClientsAreListed) {
    auto const me = join("tester", where()).value();
    server_options options;
    options.metadata = {{"unit", "EUR"}};
    auto server = me.server<bytes, bytes>(
                        "calc",
                        [](std::span<std::byte const> request)
                            -> result<std::span<std::byte const>, call_failure> {
                            if (request.empty()) {
                                return call_failure(1, "empty");
                            }
                            return request;
                        },
                        options)
                      .value();
    auto client = me.client<bytes, bytes>("calc").value();
    std::string const text = "12";
    for (std::size_t const length : {2U, 2U, 0U}) {
        auto call = client.call_async(std::as_bytes(std::span(text.data(), length)));
        server.poll();
        EXPECT_EQ(call.get().has_value(), length != 0);
    }
    {
        auto given_up = client.call_async(std::as_bytes(std::span(text)));
        given_up.cancel();
    }
    server.poll();
    server.poll(); // finds nothing: brings its counters up to date
    finished const shown = partywall({"list"});
    EXPECT_EQ(shown.status, exited(0)) << shown.err;
    EXPECT_THAT(shown.out, has("receivers: 0\n"));
    EXPECT_THAT(shown.out, has("services: 1\ncalc\n  server of 1: alive, ready, type "));
    EXPECT_THAT(shown.out, has("executed 3, expired 0, cancelled 1, refused 0, failed 1, lost 0"));
    EXPECT_THAT(shown.out, has("client 1: requests 4\n"));
    EXPECT_THAT(shown.out, has("unit=EUR"));
    EXPECT_THAT(partywall({"list", "--plain"}).out,
                has("\t3\t0\t1\t0\t1\t0\nclient\tcalc\t1\t1\t4\n"));
    finished const as_json = partywall({"list", "--json"});
    EXPECT_EQ(as_json.status, exited(0));
    json::value const all = json::parse(as_json.out);
    EXPECT_TRUE(all.at("receivers").as_array().empty());
    ASSERT_EQ(all.at("services").as_array().size(), 1U);
    json::value const& service = all.at("services").at(0);
    EXPECT_EQ(service.at("name"), "calc");
    EXPECT_EQ(service.at("health"), "ready");
    json::value const& counters = service.at("counters");
    EXPECT_EQ(counters.at("executed").to_number<int>(), 3);
    EXPECT_EQ(counters.at("cancelled").to_number<int>(), 1);
    EXPECT_EQ(counters.at("failed").to_number<int>(), 1);
    EXPECT_EQ(counters.at("expired").to_number<int>() + counters.at("refused").to_number<int>() +
                  counters.at("lost").to_number<int>(),
              0);
    ASSERT_EQ(service.at("clients").as_array().size(), 1U);
    EXPECT_EQ(service.at("clients").at(0).at("requests").to_number<int>(), 4);
}

} // namespace
} // namespace partywall::test
