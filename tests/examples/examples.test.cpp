// SPDX-License-Identifier: BSL-1.0
// Every example runs, shows what it says, and leaves nothing behind. Each program checks itself
// and says so with its exit code; the tests start them in the orders that matter.
#include "program.hpp"

#include "support/scratch_root.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdio>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

namespace partywall::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Examples : public ::testing::Test {
  protected:
    static void expect_success(program& p) {
        EXPECT_EQ(p.wait(), exited(0)) << "its output:\n" << p.output();
    }
    void expect_nothing_left() const {
        EXPECT_THAT(root.leftovers(), ElementsAre("default/", "default/registry"));
    }
    /// Both ends check themselves, whoever comes first.
    void run_pair(std::string const& first, std::string const& second) {
        program one(first, {}, root);
        program two(second, {}, root);
        expect_success(two);
        expect_success(one);
        expect_nothing_left();
    }

    scratch_root root;
};

TEST_F(Examples, QuotesReachAViewerThatCameFirst) {
    run_pair("01_quotes_viewer", "01_quotes_pricer");
}
TEST_F(Examples, QuotesReachAViewerThatCameLater) {
    run_pair("01_quotes_pricer", "01_quotes_viewer");
}
TEST_F(Examples, LosslessLogLosesNoLineToASlowKeeper) {
    run_pair("02_lossless_log_keeper", "02_lossless_log_writer");
}
TEST_F(Examples, LatestValueShowsTheNewestReadingOnly) {
    run_pair("03_latest_value_sensor", "03_latest_value_panel");
}
TEST_F(Examples, LoansAndBatchesArriveWhole) {
    run_pair("05_loans_and_batches_screen", "05_loans_and_batches_camera");
}
TEST_F(Examples, BigFilesArriveWholeWithoutACopy) {
    run_pair("11_big_files_viewer", "11_big_files_sender");
}
TEST_F(Examples, RegistryWatchSeesAServiceComeAndGo) {
    run_pair("06_registry_watch_watcher", "06_registry_watch_service");
}

TEST_F(Examples, CallsAreAnsweredWhoeverComesFirst) {
    run_pair("13_calls_calculator", "13_calls_shop");
    run_pair("13_calls_shop", "13_calls_calculator");
}
TEST_F(Examples, AsyncCallsComeBackEachWithItsOwnReply) {
    run_pair("14_async_calls_worker", "14_async_calls_asker");
}

TEST_F(Examples, PriceQuotesComeFromTheTwoThatAreFast) {
    program one("19_price_quotes_vendor", {"1.0801"}, root);
    program two("19_price_quotes_vendor", {"1.0803"}, root);
    program slow("19_price_quotes_vendor", {"1.0799", "slow"}, root);
    program shop("19_price_quotes_shop", {}, root);
    expect_success(shop);
    EXPECT_THAT(shop.output(), HasSubstr("we buy at 1.0801"));
    EXPECT_THAT(shop.output(), HasSubstr("not waited for"));
    EXPECT_THAT(shop.output(), HasSubstr("3 of 3 declined"));
    for (program* const vendor : {&one, &two, &slow}) {
        vendor->kill(SIGTERM);
        expect_success(*vendor);
    }
    expect_nothing_left();
}

TEST_F(Examples, HealthPollNamesTheServiceThatIsStoppedAndForgetsTheOneThatIsKilled) {
    program add("20_health_poll_service", {"add"}, root);
    program divide("20_health_poll_service", {"divide"}, root);
    program multiply("20_health_poll_service", {"multiply"}, root);
    program well("20_health_poll_poll", {"3"}, root);
    expect_success(well);
    EXPECT_THAT(well.output(), HasSubstr("well: add has done 0 things\n"));
    EXPECT_THAT(well.output(), HasSubstr("3 of 3 are well"));
    divide.kill(SIGSTOP);
    program ill("20_health_poll_poll", {"3"}, root);
    EXPECT_EQ(ill.wait(), exited(1)) << ill.output();
    EXPECT_THAT(ill.output(), HasSubstr("not well: divide (silent)\n"));
    EXPECT_THAT(ill.output(), HasSubstr("2 of 3 are well"));
    divide.kill(SIGKILL);
    EXPECT_EQ(divide.wait(), killed_by(SIGKILL));
    program left("20_health_poll_poll", {"2"}, root);
    expect_success(left);
    EXPECT_THAT(left.output(), HasSubstr("2 of 2 are well"));
    for (program* const one : {&add, &multiply}) {
        one->kill(SIGTERM);
        expect_success(*one);
    }
    expect_nothing_left();
}

TEST_F(Examples, StylesOfOneToOneShowWhatTheySay) {
    for (auto const& [name, hears, says] :
         {std::tuple{"one_way", "order 42\n", ""}, std::tuple{"call", "", "42\n"},
          std::tuple{"async_call", "", "42\n"}}) {
        program one(std::string("styles_") + name, {"there"}, root);
        program other(std::string("styles_") + name, {}, root);
        expect_success(other);
        expect_success(one);
        EXPECT_EQ(one.output(), hears) << name;
        EXPECT_EQ(other.output(), says) << name;
        expect_nothing_left();
    }
}
TEST_F(Examples, StylesOfOneToManyShowWhatTheySay) {
    for (auto const& [name, hears, says] :
         {std::tuple{"publish_subscribe", "news: 42\n", ""}, std::tuple{"survey", "", "84\n"}}) {
        program one(std::string("styles_") + name, {"there"}, root);
        program two(std::string("styles_") + name, {"there"}, root);
        program other(std::string("styles_") + name, {}, root);
        expect_success(other);
        expect_success(one);
        expect_success(two);
        EXPECT_EQ(one.output(), hears) << name;
        EXPECT_EQ(two.output(), hears) << name;
        EXPECT_EQ(other.output(), says) << name;
        expect_nothing_left();
    }
}
TEST_F(Examples, StyleOfTheLatestValueShowsWhatItSays) {
    program sensor("styles_latest_value", {"measure"}, root);
    program panel("styles_latest_value", {}, root);
    expect_success(panel);
    EXPECT_THAT(panel.output(), HasSubstr("degrees"));
    sensor.kill(SIGKILL);
    EXPECT_EQ(sensor.wait(), killed_by(SIGKILL));
}

#if PARTYWALL_TEST_COROUTINES
TEST_F(Examples, CoroutinesGoOnWhenTheirRepliesCome) {
    run_pair("17_coroutine_greeter", "17_coroutine_visitor");
}
#endif

TEST_F(Examples, StreamedRepliesAreReadToTheEndOrAsFarAsTheReaderLikes) {
    run_pair("18_streamed_replies_sieve", "18_streamed_replies_reader");
}

TEST_F(Examples, DeferredRepliesComeWhenAllBidsAreIn) {
    program auctioneer("15_deferred_replies_auctioneer", {}, root);
    program low("15_deferred_replies_bidder", {"100"}, root);
    program high("15_deferred_replies_bidder", {"300"}, root);
    program middle("15_deferred_replies_bidder", {"200"}, root);
    expect_success(auctioneer);
    expect_success(low);
    expect_success(high);
    expect_success(middle);
    EXPECT_THAT(low.output(), HasSubstr("lost with 100; the highest bid was 300"));
    EXPECT_THAT(high.output(), HasSubstr("won with 300"));
    expect_nothing_left();
}

TEST_F(Examples, BalancedCallsGoOnWithTwoServersWhenTheThirdIsKilled) {
    program one("16_balanced_calls_worker", {}, root);
    program two("16_balanced_calls_worker", {}, root);
    program three("16_balanced_calls_worker", {}, root);
    one.expect("serving");
    two.expect("serving");
    three.expect("serving");
    program asker("16_balanced_calls_asker", {}, root);
    asker.expect("all three answer");
    two.kill(SIGKILL);
    EXPECT_EQ(two.wait(), killed_by(SIGKILL));
    expect_success(asker);
    EXPECT_THAT(asker.output(), HasSubstr("2 servers go on"));
    for (program* const left : {&one, &three}) {
        left->kill(SIGTERM);
        expect_success(*left);
    }
}

TEST_F(Examples, EventLoopsServeTwoHandlesInOneThread) {
    run_pair("12_event_loop_epoll", "12_event_loop_market");
    run_pair("12_event_loop_market", "12_event_loop_wait_set");
}
#if PARTYWALL_TEST_ASIO
TEST_F(Examples, EventLoopOfAsioServesTwoHandlesInOneThread) {
    run_pair("12_event_loop_asio", "12_event_loop_market");
}
#endif

TEST_F(Examples, HistoryIsThereForALatecomer) {
    program station("04_history_station", {}, root);
    station.expect("100 headlines are out");
    program latecomer("04_history_latecomer", {}, root);
    expect_success(latecomer);
    expect_success(station);
    expect_nothing_left();
}

TEST_F(Examples, HistoryFromNobodyIsAnErrorThatSaysSo) {
    program latecomer("04_history_latecomer", {}, root);
    EXPECT_EQ(latecomer.wait(), exited(1));
    EXPECT_THAT(latecomer.output(), HasSubstr("nobody is there"));
}

TEST_F(Examples, RestartIsFoundByAListenerThatSawTheDeath) {
    program listener("07_restart_listener", {}, root);
    program first("07_restart_feed", {"crash"}, root);
    EXPECT_EQ(first.wait(), killed_by(SIGKILL));
    program second("07_restart_feed", {}, root);
    expect_success(second);
    expect_success(listener);
    EXPECT_THAT(listener.output(), HasSubstr("the feed died after number 250"));
    expect_nothing_left();
}

TEST_F(Examples, SeveralPublishersEachKeepTheirOrder) {
    program collector("08_several_publishers_collector", {}, root);
    program one("08_several_publishers_worker", {"1"}, root);
    program two("08_several_publishers_worker", {"2"}, root);
    program three("08_several_publishers_worker", {"3"}, root);
    expect_success(collector);
    expect_success(one);
    expect_success(two);
    expect_success(three);
    expect_nothing_left();
}

TEST_F(Examples, StoppingEndsACallThatWouldBlockForAnHour) {
    program patient("09_stopping_patient", {}, root);
    patient.expect("waiting");
    patient.kill(SIGINT);
    expect_success(patient);
    expect_nothing_left();
}

// Real log lines, if the machine has any that we may read; else text that every machine has.
TEST_F(Examples, OneLogHasEveryLineOfEveryProgramThoughOneIsKilled) {
    std::string source = "/var/log/dpkg.log";
    if (!std::ifstream(source).good()) {
        source = "/etc/services";
    }
    std::vector<std::string> said;
    std::ifstream file(source);
    for (std::string line; std::getline(file, line);) {
        said.push_back(line.substr(0, 1000));
    }
    ASSERT_FALSE(said.empty()) << source;
    std::string const log = root.path() + "/log";
    {
        program keeper("10_one_log_keeper", {log, "4"}, root);
        keeper.expect("keeping");
        program dies("10_one_log_worker", {source, "stay"}, root);
        std::vector<std::unique_ptr<program>> others;
        for (int i = 0; i < 3; ++i) {
            others.push_back(std::make_unique<program>("10_one_log_worker",
                                                       std::vector<std::string>{source}, root));
        }
        dies.expect("said everything");
        dies.kill(SIGKILL);
        for (auto& one : others) {
            expect_success(*one);
        }
        expect_success(keeper);
        EXPECT_THAT(keeper.output(), HasSubstr("one was killed"));
    }
    std::map<std::string, std::vector<std::string>> of;
    std::ifstream kept(log);
    for (std::string line; std::getline(kept, line);) {
        std::size_t const space = line.find(' ');
        of[line.substr(0, space)].push_back(line.substr(space + 1));
    }
    EXPECT_EQ(of.size(), 4u);
    for (auto const& [who, lines] : of) {
        EXPECT_TRUE(lines == said) << "of program " << who;
    }
    ASSERT_EQ(std::remove(log.c_str()), 0);
}

} // namespace
} // namespace partywall::test
