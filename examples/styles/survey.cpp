// SPDX-License-Identifier: BSL-1.0
// styles_survey answer & styles_survey answer & styles_survey
#include <partywall/partywall.hpp>

#include <chrono>
#include <cstdio>

using namespace std::chrono_literals;

int main(int argc, char**) {
    auto me = partywall::join("survey").value();
    if (argc > 1) {
        auto answers = me.respondent<int, int>("ask", [](int n) { return 2 * n; }).value();
        while (answers.executed() == 0) {
            answers.run_for(10ms);
        }
        return 0;
    }
    auto questions = me.surveyor<int, int>("ask").value();
    questions.wait_for_respondents(2, 20s).value();
    auto survey = questions.ask(21, {.deadline = 20s}).value();
    int all = 0;
    for (auto const& answer : survey) { // as they come, until all have answered
        all += *answer;
    }
    std::printf("%d\n", all);
    return all == 84 ? 0 : 1;
}
