// SPDX-License-Identifier: BSL-1.0
// What becomes of the files, not of the bytes: somebody of the same user unlinks them, makes holes in
// them or makes them longer, or there is no room for more. (Permissions: process/locked_house. Cutting
// them short is a SIGBUS, as docs/guarantees.md says.)
#include "image.hpp"

#include <calls/support.hpp>
#include <support/role.hpp>
#include <support/sandbox.hpp>
#include <survey/support.hpp>

#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <functional>
#include <gtest/gtest.h>
#include <optional>
#include <sched.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace partywall::test {
namespace {

// ---- holes, and files that grow -----------------------------------------------------------------

/// `to` does it to a file of so many bytes.
void with_every_file(std::function<void(int fd, off_t bytes)> const& to) {
    hostile_image image;
    auto const& script = hostile_image::script(hostile_image::style::all);
    std::size_t files = 1;
    for (std::size_t which = 0; which < files; ++which) {
        image.begin();
        for (auto const& one : script) {
            image.use(one);
        }
        std::vector<std::string> const all = image.files();
        files = all.size();
        int const fd = ::open(all[which].c_str(), O_RDWR | O_CLOEXEC);
        struct stat status {};
        ASSERT_EQ(::fstat(fd, &status), 0) << all[which];
        to(fd, status.st_size);
        for (int k = 0; k < 2; ++k) {
            for (auto const& one : script) {
                image.use(one);
            }
        }
        // The registry stays; the others go with the round.
        ASSERT_EQ(::ftruncate(fd, status.st_size), 0);
        ::close(fd);
        image.end();
        ASSERT_EQ(image.what_others_saw(), "") << all[which];
    }
    EXPECT_GT(files, 6U);
}

TEST(HostileFiles, WithHolesHarmNobodyElse) {
    with_every_file([](int fd, off_t bytes) {
        ASSERT_EQ(::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, bytes), 0);
    });
}

TEST(HostileFiles, ThatGrowHarmNobodyElse) {
    with_every_file([](int fd, off_t bytes) { ASSERT_EQ(::ftruncate(fd, bytes + 65'536), 0); });
}

// ---- files that are gone ------------------------------------------------------------------------

/// Two participants that use each style with each other.
class couple {
  public:
    couple(participant const& a, participant const& b)
        : out_(a.publisher<tick>("t", gated(8, overflow::block)).value()),
          in_(b.subscriber<tick>("t", lossless()).value()),
          inbox_(b.receiver<tick>("in", lanes_of(8, 4)).value()),
          to_inbox_(a.sender<tick>("in", sending(overflow::reject)).value()),
          server_(
              b.server<ask, told>("s", [](ask const& q) { return told::of(q.number); }).value()),
          streamer_(b.server<ask, told>("n",
                                        [](ask const& q, stream_writer<told> to, call_context&) {
                                            for (std::uint64_t i = 0; i < q.number; ++i) {
                                                (void)to.try_send(told::of(i));
                                            }
                                            (void)to.finish();
                                        })
                        .value()),
          client_(a.client<ask, told>("s", with_host_breaker()).value()),
          reader_(a.client<ask, told>("n", calling()).value()),
          surveyor_(a.surveyor<ask, told>("q", asking()).value()),
          respondent_(b.respondent<ask, told>("q", [](ask const& q) {
                           return told::of(q.number);
                       }).value()) {}

    static client_options with_host_breaker() {
        client_options options = calling();
        options.breaker.emplace(breaker_options::for_deadline(1s));
        options.breaker->scope = breaker_scope::host;
        return options;
    }

    /// One of each, and exactly.
    void talk() {
        number_ += 1;
        ASSERT_TRUE(out_.send(tick::of(number_)));
        auto const got = in_.try_receive();
        ASSERT_TRUE(got);
        EXPECT_EQ(got->number, number_);
        ASSERT_TRUE(to_inbox_.send(tick::of(number_)));
        auto const letter = inbox_.try_receive();
        ASSERT_TRUE(letter);
        EXPECT_EQ(letter->number, number_);

        auto call = client_.call_async(ask::of(number_));
        EXPECT_EQ(server_.poll(), 1U);
        auto const reply = call.get();
        ASSERT_TRUE(reply) << to_string(reply.error().reason);
        EXPECT_TRUE((**reply).answers(number_));

        auto stream = reader_.stream(ask::of(3));
        EXPECT_EQ(streamer_.poll(), 1U);
        for (std::uint64_t i = 0; i < 3; ++i) {
            auto const item = stream.next();
            ASSERT_TRUE(item) << to_string(item.error().reason);
            EXPECT_TRUE((**item).answers(i));
        }
        EXPECT_EQ(stream.next().error(), call_errc::end_of_stream);

        auto survey = surveyor_.ask(ask::of(number_)).value();
        EXPECT_EQ(respondent_.poll(), 1U);
        auto const result = survey.result();
        EXPECT_EQ(result.answered, 1U);
        EXPECT_EQ(result.expected, 1U);
    }

  private:
    publisher<tick> out_;
    subscriber<tick> in_;
    receiver<tick> inbox_;
    sender<tick> to_inbox_;
    server<ask, told> server_;
    server<ask, told> streamer_;
    client<ask, told> client_;
    client<ask, told> reader_;
    surveyor<ask, told> surveyor_;
    respondent<ask, told> respondent_;
    std::uint64_t number_ = 0;
};

/// What all that is new comes to, in words: "ok", or why not.
std::vector<std::string> new_things(participant const& of) {
    auto const said = [](auto const& made) {
        return made ? std::string("ok") : std::string(to_string(made.error().code));
    };
    breaker_options private_one;
    return {said(of.publisher<tick>("new")),
            said(of.receiver<tick>("new")),
            said(of.server<ask, told>("new", [](ask const&) { return told::of(0); })),
            said(of.client<ask, told>("new", calling())),
            said(of.surveyor<ask, told>("new", asking())),
            said(of.breaker("new", private_one))};
}

class GoneFiles : public testing::TestWithParam<char const*> {};

TEST_P(GoneFiles, AreNoMatterToThoseWhoHaveThemAndANewGenerationBegins) {
    scratch_root root;
    {
        participant a = joined(root.path(), "a");
        participant b = joined(root.path(), "b");
        couple two(a, b);
        ASSERT_NO_FATAL_FAILURE(two.talk());
        std::filesystem::remove_all(root.path() + "/" + GetParam());

        for (int i = 0; i < 50; ++i) {
            ASSERT_NO_FATAL_FAILURE(two.talk());
        }
        for (participant const* const one : {&a, &b}) {
            EXPECT_TRUE(one->core()->domain_gone()) << "they are told";
            std::vector<std::string> const said = new_things(*one);
            for (std::size_t i = 0; i < said.size(); ++i) {
                // A client and a breaker of one's own are in no registry.
                bool const unlisted = i == 3 || i == 5;
                EXPECT_TRUE(said[i] == "domain gone" || said[i] == "not found" ||
                            (unlisted && said[i] == "ok"))
                    << i << ": " << said[i];
            }
            EXPECT_FALSE(one->recover().complete);
        }

        participant fresh = joined(root.path(), "fresh");
        EXPECT_EQ(fresh.snapshot().participants.size(), 1U);
        auto theirs = fresh.publisher<tick>("t", gated(8)).value(); // also the same name
        auto of_fresh = fresh.subscriber<tick>("t").value();
        auto asks_none = fresh.surveyor<ask, told>("q", asking()).value();
        auto calls_none = fresh.client<ask, told>("s", calling()).value();
        ASSERT_TRUE(theirs.send(tick::of(0, 7)));
        for (int i = 0; i < 50; ++i) {
            ASSERT_NO_FATAL_FAILURE(two.talk()); // and nothing of the others comes in
        }
        EXPECT_EQ(of_fresh.try_receive()->sender, 7U);
        EXPECT_FALSE(of_fresh.try_receive());
        EXPECT_EQ(asks_none.respondents(), 0U);
        EXPECT_EQ(calls_none.call(ask::of(0)).error(), call_errc::no_server);
        EXPECT_EQ(fresh.snapshot().participants.size(), 1U);
        EXPECT_TRUE(a.core()->domain_gone());
    }
    (void)joined(root.path(), "last");
    for (std::string const& file : root.leftovers()) {
        EXPECT_TRUE(file == "d/" || file == "d/registry") << file;
    }
}

INSTANTIATE_TEST_SUITE_P(Of, GoneFiles, testing::Values("d", "d/registry"), [](auto const& one) {
    return std::string(one.param) == "d" ? "Domain" : "Registry";
});

// ---- no room ------------------------------------------------------------------------------------

constexpr int code_no_namespaces = 77;

PARTYWALL_ROLE(lives_in_a_full_house) {
    std::string const& where = context.arg(0);
    if (!enter_namespaces(CLONE_NEWNS) || !mount_tmpfs(where, "size=32m,mode=700")) {
        return code_no_namespaces;
    }
    participant a = joined(where, "a");
    participant b = joined(where, "b");
    couple two(a, b);
    auto late = a.client<ask, told>("late", calling(1ms)).value(); // which has met no server yet
    auto server =
        b.server<ask, told>("late", [](ask const& q) { return told::of(q.number); }).value();
    auto const talks = [&] {
        two.talk();
        return !testing::Test::HasFailure();
    };
    PARTYWALL_ROLE_CHECK(talks());
    std::size_t const segments = list_segments(a.core()->dir()).size();
    {
        std::ofstream filler(where + "/filler", std::ios::binary);
        std::string const block(4096, 'x');
        while (filler.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
        }
    }
    for (int i = 0; i < 5; ++i) {
        PARTYWALL_ROLE_CHECK(talks());
        for (std::string const& said : new_things(a)) {
            PARTYWALL_ROLE_CHECK(said == "no space");
        }
        // Who has no room for the record of its breaker does without, or says so.
        auto const reply = late.call(ask::of(1));
        PARTYWALL_ROLE_CHECK(!reply);
        (void)server.poll();
        join_options again;
        again.root = where;
        again.domain = "d";
        auto const third = join("third", again);
        PARTYWALL_ROLE_CHECK(!third && third.error().code == join_errc::no_space);
        (void)b.recover();
        PARTYWALL_ROLE_CHECK(list_segments(a.core()->dir()).size() == segments);
    }
    ::unlink((where + "/filler").c_str());
    for (std::string const& said : new_things(a)) {
        PARTYWALL_ROLE_CHECK(said == "ok");
    }
    PARTYWALL_ROLE_CHECK(talks());
    return 0;
}

TEST(FullHouse, CostsThoseInsideNothingAndIsAClearErrorToWhateverIsNew) {
    scratch_root root;
    exit_status const end = spawn("lives_in_a_full_house", {root.path()}).wait();
    if (end == exited(code_no_namespaces)) {
        GTEST_SKIP() << "no mount namespaces";
    }
    EXPECT_EQ(end, exited(0));
}

} // namespace
} // namespace partywall::test
