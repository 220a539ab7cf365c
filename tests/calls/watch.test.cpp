// SPDX-License-Identifier: BSL-1.0
// Following the servers of a name from outside.
#include "support.hpp"

#include <support/role.hpp>

#include <csignal>
#include <poll.h>
#include <vector>

namespace partywall::test {
namespace {

constexpr auto at_once = 0ns;

/// Makes a server that is not ready, and does as it is told.
PARTYWALL_ROLE(calls_moody_server) {
    participant me = joined(context.arg(0), "server");
    server_options options = serving();
    options.starts_ready = false;
    auto s = me.server<ask, told>(
                   "s", [](ask const& a) { return told::of(a.number); }, options)
                 .value();
    context.send("there");
    for (;;) {
        std::string const told_to = context.receive();
        if (told_to == "ready") {
            PARTYWALL_ROLE_CHECK(s.ready().has_value());
        } else if (told_to == "drain") {
            PARTYWALL_ROLE_CHECK(s.drain().has_value());
        } else {
            return 0;
        }
    }
}

/// "1 ready, 2 gone": numbers in the order in which they were seen first.
class states {
  public:
    std::string operator()(std::vector<server_state> const& all) {
        std::string text;
        for (server_state const& one : all) {
            auto at = std::find(seen_.begin(), seen_.end(), one.server);
            if (at == seen_.end()) {
                at = seen_.insert(seen_.end(), one.server);
            }
            text += (text.empty() ? "" : ", ") + std::to_string(at - seen_.begin() + 1) + " " +
                    (one.state == health::closed ? "gone" : std::string(to_string(one.state)));
        }
        return text;
    }

  private:
    std::vector<std::uint64_t> seen_;
};

struct ServerWatchTest : testing::Test {
    scratch_root root;
    participant me = joined(root.path());
    server_watch watch = me.watch_servers("s");
    states text;

    std::string next(std::chrono::nanoseconds timeout = 1h) {
        auto const all = watch.next(timeout);
        return all ? text(*all) : std::string(to_string(all.error().code));
    }
    auto serve(std::string const& name = "s") {
        return me
            .server<ask, told>(
                name, [](ask const& a) { return told::of(a.number); }, serving())
            .value();
    }
};
using ServerWatch = ServerWatchTest;

TEST_F(ServerWatch, SaysFirstHowItIsAndThenWhatHasChanged) {
    EXPECT_EQ(next(at_once), "") << "nobody, which is said too";
    EXPECT_EQ(next(at_once), "timed out");
    auto first = serve();
    EXPECT_EQ(next(at_once), "1 ready");
    EXPECT_EQ(next(at_once), "timed out");
    auto second = serve();
    ASSERT_TRUE(first.drain().has_value());
    EXPECT_EQ(next(at_once), "1 draining, 2 ready") << "both at once";
    first.close();
    EXPECT_EQ(next(at_once), "1 gone, 2 ready");
    EXPECT_EQ(next(at_once), "timed out") << "it is not mentioned again";
    second.close();
    auto third = serve();
    EXPECT_EQ(next(at_once), "2 gone, 3 ready");
    server_watch late = me.watch_servers("s");
    states fresh;
    EXPECT_EQ(fresh(late.next(at_once).value()), "1 ready") << "the state comes first";
}

TEST_F(ServerWatch, MindsNoOtherNamesAndKinds) {
    EXPECT_EQ(next(at_once), "");
    auto other = serve("s2");
    auto topic = me.publisher<tick>("s").value();
    auto inbox = me.receiver<tick>("s").value();
    EXPECT_EQ(next(at_once), "timed out");
    EXPECT_EQ(watch.name(), "s");
}

TEST_F(ServerWatch, IsInterruptedNowOrNextTime) {
    EXPECT_EQ(next(at_once), "");
    watch.interrupt();
    EXPECT_EQ(watch.next(1h).error(), registry_errc::interrupted);
    std::thread other([&] { watch.interrupt(); });
    EXPECT_EQ(watch.next(1h).error(), registry_errc::interrupted);
    other.join();
}

TEST_F(ServerWatch, FollowsAServerThroughItsLifeItsDeathAndItsSuccessors) {
    EXPECT_EQ(next(), "");
    child s = spawn("calls_moody_server", {root.path()});
    EXPECT_EQ(next(), "1 starting");
    s.expect("there");
    s.send("ready");
    EXPECT_EQ(next(), "1 ready");
    s.send("drain");
    EXPECT_EQ(next(), "1 draining");
    s.kill(SIGKILL);
    EXPECT_EQ(s.wait(), killed_by(SIGKILL));
    EXPECT_EQ(next(), "1 gone");
    child again = spawn("calls_moody_server", {root.path()});
    EXPECT_EQ(next(), "2 starting");
    again.expect("there");
    again.send("ready");
    EXPECT_EQ(next(), "2 ready");
    again.stop();
    EXPECT_EQ(next(20ms), "timed out") << "who is stopped is as it was";
    again.resume();
    again.send("leave");
    EXPECT_EQ(again.wait(), exited(0));
    EXPECT_EQ(next(), "2 gone");
}

TEST_F(ServerWatch, MakesAWaitSetAndADescriptorReady) {
    auto set = me.wait_set();
    auto followed = me.watch_servers("s");
    ASSERT_TRUE(set.add(followed, 7).has_value());
    EXPECT_EQ(set.wait(1h).value()[0].key, 7u) << "the state is there to be read";
    pollfd readable{watch.fd().value(), POLLIN, 0};
    EXPECT_EQ(::poll(&readable, 1, -1), 1);
    states in_set;
    for (bool const killed : {false, true}) {
        while (next(at_once) != "timed out") {
        }
        while (followed.next(at_once)) {
        }
        child s = spawn("calls_moody_server", {root.path()});
        s.expect("there");
        std::string seen;
        while (!seen.ends_with("starting")) {
            ASSERT_FALSE(set.wait(1h).value().empty());
            if (auto const all = followed.next(at_once)) {
                seen = in_set(*all);
            }
        }
        for (seen.clear(); !seen.ends_with("starting"); seen = next(at_once)) {
            ASSERT_EQ(::poll(&readable, 1, -1), 1);
        }
        if (killed) {
            s.kill(SIGKILL);
        } else {
            s.send("leave");
        }
        while (!seen.ends_with("gone")) {
            ASSERT_EQ(::poll(&readable, 1, -1), 1);
            seen = next(at_once);
        }
        seen.clear();
        while (!seen.ends_with("gone")) {
            ASSERT_FALSE(set.wait(1h).value().empty());
            if (auto const all = followed.next(at_once)) {
                seen = in_set(*all);
            }
        }
        (void)s.wait();
    }
}

} // namespace
} // namespace partywall::test
