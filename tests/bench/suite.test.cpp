// SPDX-License-Identifier: BSL-1.0
// The suite as a user runs it: what it says of subjects that deliver, and of those that do not.
#include "subjects/subject.hpp"
#include "support/scratch_root.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <stdlib.h>
#include <string>
#include <string_view>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace {

using testing::HasSubstr;

struct outcome {
    int exit_code;
    std::string text;
};

outcome bench(std::string const& arguments) {
    std::FILE* const pipe =
        ::popen((std::string(PARTYWALL_TEST_BENCH) + " " + arguments + " 2>&1").c_str(), "r");
    std::string text;
    for (int c = 0; (c = std::fgetc(pipe)) != EOF;) {
        text += static_cast<char>(c);
    }
    int const status = ::pclose(pipe);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, text};
}

class file {
  public:
    file() {
        int const fd = ::mkstemp(path_.data());
        ::close(fd);
    }
    ~file() { ::unlink(path_.c_str()); }
    file(file const&) = delete;
    file& operator=(file const&) = delete;

    std::string const& path() const { return path_; }
    std::string text() const {
        std::ifstream in(path_);
        return {std::istreambuf_iterator<char>(in), {}};
    }

  private:
    std::string path_ = "/tmp/partywall-bench-test-XXXXXX";
};

std::string const brief = "--quick --repetitions 1 --bytes 64 ";

TEST(Suite, FailsWhenAMessageIsLost) {
    auto const run = bench(brief + "--only throughput --subjects broken-loses");
    EXPECT_EQ(run.exit_code, 1);
    EXPECT_THAT(run.text, HasSubstr("broken-loses"));
    EXPECT_THAT(run.text, HasSubstr("1 message(s) lost"));
}

TEST(Suite, FailsWhenAMessageIsDamaged) {
    auto const run = bench(brief + "--only throughput --subjects broken-damages");
    EXPECT_EQ(run.exit_code, 1);
    EXPECT_THAT(run.text, HasSubstr("1 wrong message(s)"));
}

TEST(Suite, FailsWhenAMessageComesTwice) {
    auto const run = bench(brief + "--only throughput --subjects broken-repeats");
    EXPECT_EQ(run.exit_code, 1);
    EXPECT_THAT(run.text, HasSubstr("1 wrong message(s)"));
}

TEST(Suite, FailsWhenAProcessOfItDies) {
    auto const run = bench(brief + "--only throughput --subjects broken-dies");
    EXPECT_EQ(run.exit_code, 1);
    EXPECT_THAT(run.text, HasSubstr("died"));
}

TEST(Suite, RefusesFiguresAndSubjectsThatDoNotExist) {
    EXPECT_EQ(bench("--only nonsense").exit_code, 2);
    EXPECT_EQ(bench("--subjects nonsense").exit_code, 2);
    EXPECT_EQ(bench("--nonsense").exit_code, 2);
}

TEST(Suite, DoesNotRunTheBrokenUnlessAskedTo) {
    auto const run = bench("--list");
    EXPECT_EQ(run.exit_code, 0);
    EXPECT_EQ(run.text.find("broken"), std::string::npos);
    EXPECT_THAT(run.text, HasSubstr("partywall"));
}

TEST(Suite, LeavesNoFilesBehind) {
    partywall::test::scratch_root const root;
    auto const run =
        bench(brief + "--only round_trip --subjects partywall,raw,pipe --scratch " + root.path());
    ASSERT_EQ(run.exit_code, 0) << run.text;
    EXPECT_TRUE(std::filesystem::is_empty(root.path()));
}

TEST(SuiteJson, HasTheFieldsThatAreAgreedUpon) {
    file const out;
    auto const run = bench(brief +
                           "--only round_trip,throughput,publish_cost --subjects "
                           "partywall,raw,pipe --json " +
                           out.path());
    ASSERT_EQ(run.exit_code, 0) << run.text;
    auto const all = boost::json::parse(out.text()).as_object();
    EXPECT_FALSE(all.at("environment").at("cpu").as_string().empty());
    for (char const* const field : {"kernel", "compiler", "flags", "commit", "placement"}) {
        EXPECT_TRUE(all.at("environment").at(field).is_string()) << field;
    }
    EXPECT_EQ(all.at("environment").at("load_before").as_array().size(), 3U);
    auto const& rows = all.at("rows").as_array();
    ASSERT_FALSE(rows.empty());
    std::set<std::string> waits;
    for (auto const& value : rows) {
        auto const& row = value.as_object();
        bool const is_limit = row.at("figure") == "limit"; // one number, and nobody waits
        for (char const* const field : {"figure", "variant", "subject", "wait", "placement"}) {
            EXPECT_TRUE(row.at(field).is_string() ||
                        (is_limit && row.at(field).is_null() && field == std::string_view("wait")))
                << field << " of " << value;
        }
        for (char const* const field : {"bytes", "receivers", "lost"}) {
            EXPECT_TRUE(row.at(field).is_uint64() || row.at(field).is_int64()) << field;
        }
        if (is_limit) {
            EXPECT_GT(row.at("p50_ns").as_double(), 0) << value;
            continue;
        }
        for (char const* const field :
             {"p50_ns", "p90_ns", "p99_ns", "p999_ns", "max_ns", "mean_ns", "per_second",
              "raw_figure", "ratio_to_raw", "probe_ns"}) {
            EXPECT_TRUE(row.at(field).is_double()) << field << " of " << value;
        }
        EXPECT_LE(row.at("p50_ns").as_double(), row.at("p99_ns").as_double());
        EXPECT_LE(row.at("p99_ns").as_double(), row.at("max_ns").as_double());
        EXPECT_GT(row.at("probe_ns").as_double(), 0);
        waits.insert(std::string(row.at("wait").as_string()));
        if (row.at("subject") == "raw" && row.at("figure") == "throughput") {
            EXPECT_EQ(row.at("ratio_to_raw").as_double(), 1.0);
        }
    }
    EXPECT_THAT(waits, testing::IsSubsetOf({"spin", "spin_then_park", "park", "fd"}));
    EXPECT_THAT(waits, testing::Contains("park"));
}

/// Every figure that it has, by every subject that is here: what it sends arrives.
class Adapter : public testing::TestWithParam<std::string> {};

TEST_P(Adapter, DeliversEverythingInEveryFigureThatItHas) {
    auto const run = bench(brief + "--subjects " + GetParam());
    EXPECT_EQ(run.exit_code, 0) << run.text;
    EXPECT_THAT(run.text, HasSubstr("| " + GetParam() + " |"));
}

std::vector<std::string> names() {
    std::vector<std::string> all;
    for (auto const& s : partywall::bench::subjects()) {
        // Those with a daemon or threads of their own take their time; they are run by hand.
        if (!s.hidden && !s.takes_time) {
            all.emplace_back(s.name);
        }
    }
    return all;
}
INSTANTIATE_TEST_SUITE_P(Suite, Adapter, testing::ValuesIn(names()),
                         [](auto const& given) { return given.param; });

} // namespace
