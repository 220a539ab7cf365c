// SPDX-License-Identifier: BSL-1.0
// What `partywall list` shows, and that it only looks.
#include "fixture.hpp"

#include <boost/json.hpp>

#include <fcntl.h>
#include <sstream>
#include <unistd.h>

namespace partywall::test {
namespace {

namespace json = boost::json;

class List : public Command {
  protected:
    json::object parsed() const {
        finished const list = partywall({"list", "--json"});
        EXPECT_EQ(list.status, exited(0)) << list.err;
        return json::parse(list.out).as_object();
    }
    static std::uint64_t number(json::value const& v) { return v.to_number<std::uint64_t>(); }
};

TEST_F(List, OfAnEmptyDomainIsWellFormed) {
    { auto const me = join("tester", where()).value(); }
    json::object const all = parsed();
    EXPECT_EQ(all.at("format"), "partywall-list");
    EXPECT_EQ(all.at("version"), 1);
    EXPECT_EQ(all.at("domain"), "default");
    EXPECT_EQ(all.at("path"), json::value(root() + "/default"));
    EXPECT_EQ(all.at("healthy"), true);
    EXPECT_TRUE(all.at("participants").as_array().empty());
    EXPECT_TRUE(all.at("topics").as_array().empty());
    ASSERT_EQ(all.at("files").as_array().size(), 1U);
    EXPECT_EQ(all.at("files").at(0).at("name"), "registry");
    EXPECT_EQ(all.at("files").at(0).at("bytes"), all.at("bytes_total"));
}

TEST_F(List, ShowsEverythingWithItsCounters) {
    auto const me = join("tester", where()).value();
    publisher_options options;
    options.overflow = overflow::reject;
    options.depth = 8;
    options.payload_bytes_max = 100;
    options.metadata = {{"unit", "EUR \"quoted\" \n"}, {"raw", "\xff\xfe"}};
    auto pub = me.publisher<bytes>("market/eurusd", options).value();
    tool sub(root(), {"sub", "market/eurusd", "--lossless", "--name", "the reader"}, to_pipe());
    ASSERT_TRUE(pub.wait_for_subscribers(1, std::chrono::seconds(50)));
    eventually([&] {
        auto const s = stats("market/eurusd");
        return s && !s->readers.empty() && s->readers[0].sleeps > 0; // so the first send wakes it
    });
    for (int i = 0; i < 5; ++i) {
        ASSERT_TRUE(pub.send("message"));
        EXPECT_EQ(sub.read_line(), "message");
    }
    sub.stop();
    for (int i = 0; i < 8; ++i) {
        ASSERT_TRUE(pub.send("more"));
    }
    ASSERT_EQ(pub.send("too much").error(), send_errc::full);

    json::object const all = parsed();
    json::array const& people = all.at("participants").as_array();
    ASSERT_EQ(people.size(), 2U);
    EXPECT_EQ(people[0].at("name"), "tester");
    EXPECT_EQ(number(people[0].at("pid")), static_cast<std::uint64_t>(::getpid()));
    EXPECT_EQ(number(people[0].at("ticket")), me.ticket());
    EXPECT_EQ(people[0].at("alive"), true);
    EXPECT_EQ(people[1].at("name"), "the reader");
    json::value const& reader_ticket = people[1].at("ticket");

    ASSERT_EQ(all.at("topics").as_array().size(), 1U);
    json::value const& topic = all.at("topics").at(0);
    EXPECT_EQ(topic.at("name"), "market/eurusd");
    ASSERT_EQ(topic.at("publishers").as_array().size(), 1U);
    json::value const& p = topic.at("publishers").at(0);
    EXPECT_EQ(number(p.at("participant")), me.ticket());
    EXPECT_EQ(p.at("incarnation").as_string(), std::to_string(pub.incarnation()));
    EXPECT_EQ(p.at("alive"), true);
    EXPECT_EQ(p.at("health"), "ready");
    EXPECT_EQ(p.at("type").at("bytes"), json::value(nullptr));
    EXPECT_EQ(p.at("policy"), "reject");
    EXPECT_EQ(number(p.at("depth")), 8U);
    EXPECT_EQ(number(p.at("payload_bytes_max")), 100U);
    EXPECT_EQ(p.at("problem"), json::value(nullptr));
    EXPECT_EQ(p.at("metadata").at("unit"), "EUR \"quoted\" \n");
    EXPECT_EQ(p.at("metadata").at("raw").at("base16"), "fffe");
    json::value const& counters = p.at("counters");
    EXPECT_EQ(number(counters.at("sent")), 13U);
    EXPECT_EQ(number(counters.at("rejected")), 1U);
    EXPECT_EQ(number(counters.at("blocked_count")), 1U);
    EXPECT_GT(number(counters.at("wakes")), 0U);
    for (char const* const name : {"blocked_ns", "scans", "readers_reclaimed", "readers_max",
                                   "ring_bytes", "readers_bytes"}) {
        EXPECT_TRUE(counters.at(name).is_number()) << name;
    }
    ASSERT_EQ(p.at("readers").as_array().size(), 1U);
    json::value const& r = p.at("readers").at(0);
    EXPECT_EQ(r.at("participant"), reader_ticket);
    EXPECT_EQ(r.at("kind"), "lossless");
    EXPECT_EQ(number(r.at("received")), 5U);
    EXPECT_EQ(number(r.at("missed")), 0U);
    EXPECT_EQ(number(r.at("lag")), 8U);
    EXPECT_GT(number(r.at("sleeps")), 0U);
    ASSERT_EQ(topic.at("subscriptions").as_array().size(), 1U);
    EXPECT_EQ(topic.at("subscriptions").at(0).at("participant"), reader_ticket);
    EXPECT_EQ(topic.at("subscriptions").at(0).at("delivery"), "lossless");

    std::uint64_t total = 0;
    std::uint64_t ring = 0;
    for (json::value const& f : all.at("files").as_array()) {
        total += number(f.at("bytes"));
        std::string_view const name = f.at("name").as_string();
        EXPECT_EQ(number(f.at("bytes")),
                  std::filesystem::file_size(root() + "/default/" + std::string(name)));
        ring += name.starts_with("ring.") ? number(f.at("bytes")) : 0;
    }
    EXPECT_EQ(total, number(all.at("bytes_total")));
    EXPECT_EQ(ring, number(counters.at("ring_bytes")));

    finished const text = partywall({"list"});
    EXPECT_EQ(text.status, exited(0));
    for (char const* const part :
         {"tester", "the reader", "market/eurusd", "sent 13, rejected 1",
          "unit=EUR \"quoted\" \\x0a", "lossless, received 5, missed 0, lag 8",
          "lossless subscription of"}) {
        EXPECT_THAT(text.out, has(part));
    }
    finished const plain = partywall({"list", "--plain"});
    EXPECT_EQ(plain.status, exited(0));
    std::string const ticket = std::to_string(me.ticket());
    EXPECT_THAT(plain.out, has("\npublisher\tmarket/eurusd\t" + ticket + "\talive\tready\t"));
    EXPECT_THAT(plain.out, has("\nreader\tmarket/eurusd\t" + ticket + "\t"));
    EXPECT_THAT(plain.out, has("\nsubscription\tmarket/eurusd\t"));
    sub.resume();
}

TEST_F(List, ShowsEveryBreakerWithStateCountersGenerationAndOwner) {
    auto const me = join("tester", where()).value();
    auto const other = join("other", where()).value();
    breaker_options rules;
    rules.window = breaker_window::consecutive(2);
    rules.open_for = rules.open_for_max = std::chrono::hours(1);
    rules.open_jitter = 0;
    auto mine = me.breaker("a/mine", rules).value();
    rules.scope = breaker_scope::host;
    auto const shared = me.breaker("b/shared", rules).value();
    auto const same = other.breaker("b/shared", rules).value();
    mine.callee_is_new(42);
    mine.admit().value().failure();
    mine.admit().value().timeout();
    EXPECT_FALSE(mine.admit());

    json::object const all = parsed();
    ASSERT_EQ(all.at("breakers").as_array().size(), 2U);
    json::value const& a = all.at("breakers").at(0);
    EXPECT_EQ(a.at("name"), "a/mine");
    EXPECT_EQ(a.at("scope"), "process");
    EXPECT_EQ(a.at("problem"), json::value(nullptr));
    EXPECT_EQ(a.at("state"), "open");
    EXPECT_EQ(number(a.at("generation")), 1U);
    EXPECT_GT(number(a.at("left_ms")), 3'000'000U);
    EXPECT_EQ(a.at("callee"), "42");
    EXPECT_EQ(number(a.at("counters").at("calls")), 2U);
    EXPECT_EQ(number(a.at("counters").at("failures")), 2U);
    EXPECT_EQ(number(a.at("counters").at("slow")), 1U);
    EXPECT_EQ(number(a.at("counters").at("rejected")), 1U);
    EXPECT_EQ(number(a.at("counters").at("opened")), 1U);
    ASSERT_EQ(a.at("participants").as_array().size(), 1U);
    EXPECT_EQ(number(a.at("participants").at(0).at("participant")), me.ticket());
    EXPECT_EQ(a.at("participants").at(0).at("alive"), true);
    json::value const& b = all.at("breakers").at(1);
    EXPECT_EQ(b.at("scope"), "host");
    EXPECT_EQ(b.at("state"), "closed");
    EXPECT_EQ(b.at("left_ms"), json::value(nullptr));
    EXPECT_EQ(b.at("participants").as_array().size(), 2U);

    finished const text = partywall({"list"});
    EXPECT_EQ(text.status, exited(0));
    for (char const* const part :
         {"breakers: 2", "a/mine\n  scope process, of 1: open for ", "generation 1, opened 1 times",
          "calls 2, failed 2, slow 1, ignored 0, cancelled 0, rejected 1, stale 0",
          "b/shared\n  scope host, of 1, 2: closed"}) {
        EXPECT_THAT(text.out, has(part));
    }
    finished const plain = partywall({"list", "--plain"});
    EXPECT_THAT(plain.out, has("\nbreaker\ta/mine\tprocess\t1\topen\t1\t2\t2\t1\t1\t1\t0\t42\n"));
}

TEST_F(List, ShowsTheBreakerOfAClientUnderTheNameOfItsServers) {
    auto const me = join("tester", where()).value();
    auto const other = join("other", where()).value();
    auto const s = me.server<int, int>("calc/twice", [](int n) { return 2 * n; }).value();
    auto c = other.client<int, int>("calc/twice").value();
    EXPECT_EQ(c.call(1, std::chrono::milliseconds(1)).error(), call_errc::deadline);
    json::object const all = parsed();
    ASSERT_EQ(all.at("breakers").as_array().size(), 1U);
    json::value const& b = all.at("breakers").at(0);
    EXPECT_EQ(b.at("name"), "calc/twice");
    EXPECT_EQ(b.at("scope"), "process");
    EXPECT_EQ(b.at("state"), "closed");
    EXPECT_EQ(b.at("callee").as_string(), std::to_string(s.incarnation()));
    EXPECT_EQ(number(b.at("counters").at("failures")), 1U);
    EXPECT_EQ(number(b.at("participants").at(0).at("participant")), other.ticket());
    EXPECT_THAT(partywall({"list"}).out, has("calc/twice\n  scope process, of 2: closed"));
}

TEST_F(List, SaysWhichBreakerCannotBeRead) {
    auto const me = join("tester", where()).value();
    auto const mine = me.breaker("mine").value();
    int const file = ::open((root() + "/default/breaker.1.1").c_str(), O_RDWR | O_CLOEXEC);
    ASSERT_GE(file, 0);
    std::uint32_t const absurd = 999; // kind of window
    ASSERT_EQ(::pwrite(file, &absurd, sizeof absurd, 384), 4);
    ::close(file);
    finished const list = partywall({"list", "--json"});
    EXPECT_EQ(list.status, exited(4));
    EXPECT_THAT(list.err, has("breaker.1.1 is no breaker that partywall wrote"));
    EXPECT_EQ(json::parse(list.out).at("healthy"), false);
}

TEST_F(List, CountsWhatALossyReaderMissed) {
    auto const me = join("tester", where()).value();
    publisher_options options;
    options.depth = 4;
    auto pub = me.publisher<bytes>("x", options).value();
    tool sub(root(), {"sub", "x", "--follow"}, to_pipe());
    ASSERT_TRUE(pub.wait_for_subscribers(1, std::chrono::seconds(50)));
    sub.stop();
    for (int i = 0; i < 10; ++i) {
        ASSERT_TRUE(pub.send(std::to_string(i)));
    }
    sub.resume();
    EXPECT_EQ(sub.read_line(), "6");
    EXPECT_EQ(sub.read_line(), "7");
    EXPECT_EQ(sub.read_line(), "8");
    EXPECT_EQ(sub.read_line(), "9");
    // The reader brings its counters up to date when something changes in the domain, if not before.
    auto const other = join("other", where()).value();
    eventually([&] { return stats("x")->readers.at(0).missed == 6; });
    json::object const all = parsed();
    json::value const& r = all.at("topics").at(0).at("publishers").at(0).at("readers").at(0);
    EXPECT_EQ(r.at("kind"), "lossy");
    EXPECT_EQ(number(r.at("received")), 4U);
    EXPECT_EQ(number(r.at("missed")), 6U);
    EXPECT_EQ(r.at("lag"), json::value(nullptr));
}

TEST_F(List, ShowsTheDead) {
    tool pub(root(), {"pub", "x", "--name", "victim"}, from_pipe());
    pub.write("1\n2\n");
    await_sent("x", 2);
    kill_and_bury(pub);
    json::object const all = parsed();
    EXPECT_EQ(all.at("participants").at(0).at("alive"), false);
    json::value const& p = all.at("topics").at(0).at("publishers").at(0);
    EXPECT_EQ(p.at("alive"), false);
    EXPECT_EQ(p.at("health"), "ready"); // it had no time to say otherwise
    EXPECT_EQ(number(p.at("counters").at("sent")), 2U);
    EXPECT_THAT(partywall({"list"}).out, has("dead"));
}

TEST_F(List, ChangesNothing) {
    auto const me = join("tester", where()).value();
    auto pub = me.publisher<bytes>("x").value();
    std::string const registry = root() + "/default/registry";
    std::string const before = read_file(registry);
    auto const files = root_.leftovers();
    for (arguments const& args : {arguments{"list"}, arguments{"list", "--json"},
                                  arguments{"list", "--plain"}, arguments{"clean", "--dry-run"}}) {
        EXPECT_EQ(partywall(args).status, exited(0));
    }
    EXPECT_TRUE(read_file(registry) == before);
    EXPECT_EQ(root_.leftovers(), files);
}

class Broken : public List {
  protected:
    Broken() : me_(join("tester", where()).value()), pub_(me_.publisher<bytes>("x").value()) {}
    std::string ring() const {
        return root() + "/default/ring." + std::to_string(me_.ticket()) + ".1";
    }
    void expect_problem(std::string const& what) {
        auto other = me_.publisher<bytes>("healthy").value();
        finished const list = partywall({"list", "--json"});
        EXPECT_EQ(list.status, exited(4));
        EXPECT_THAT(list.err, has(what));
        json::value const all = json::parse(list.out);
        EXPECT_EQ(all.at("healthy"), false);
        json::array const& topics = all.at("topics").as_array();
        ASSERT_EQ(topics.size(), 2U); // the others are shown all the same
        EXPECT_EQ(topics[0].at("publishers").at(0).at("problem"), json::value(nullptr));
        EXPECT_TRUE(topics[0].at("publishers").at(0).at("counters").is_object());
        EXPECT_TRUE(topics[1].at("publishers").at(0).at("counters").is_null());
        EXPECT_THAT(std::string(topics[1].at("publishers").at(0).at("problem").as_string()),
                    has(what));
        EXPECT_EQ(partywall({"list"}).status, exited(4));
        EXPECT_EQ(partywall({"list", "--plain"}).status, exited(4));
    }

    participant me_;
    publisher<bytes> pub_;
};

TEST_F(Broken, SegmentsMakeItEndWith4) {
    int const fd = ::open(ring().c_str(), O_RDWR | O_CLOEXEC);
    ASSERT_EQ(::pwrite(fd, "garbage!", 8, 0), 8);
    ::close(fd);
    expect_problem("magic");
}

TEST_F(Broken, PromisesMakeItEndWith4) {
    ASSERT_EQ(::unlink(ring().c_str()), 0);
    expect_problem("is not there");
}

} // namespace
} // namespace partywall::test
