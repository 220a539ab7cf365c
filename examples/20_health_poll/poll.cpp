// SPDX-License-Identifier: BSL-1.0
// Asks all services of the domain how they are, and says which of them do not answer, and why. See
// service.cpp.
#include <partywall/partywall.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

using namespace std::chrono_literals;
using partywall::bytes;
using partywall::respondent_status;

int main(int argc, char** argv) try {
    if (argc != 2) {
        std::fprintf(stderr, "usage: poll HOW_MANY_AT_LEAST\n");
        return 2;
    }
    auto me = partywall::join("poll").value();
    auto health = me.surveyor<bytes, bytes>("health").value();
    health.wait_for_respondents(static_cast<std::uint32_t>(std::atoi(argv[1])), 20s).value();

    // The registry knows who is expected. So it is seen who is missing, and all answers are in as soon
    // as the last one is: the deadline matters only where somebody does not answer.
    auto survey = health.ask("how are you?", {.deadline = 2s}).value();
    for (auto const& answer : survey) {
        std::printf("well: %.*s\n", static_cast<int>(answer.text().size()), answer.text().data());
    }
    std::map<std::uint64_t, std::string> names;
    for (auto const& one : me.snapshot().participants) {
        names[one.ticket] = one.name;
    }
    auto const result = survey.result();
    for (auto const& one : result.respondents) {
        if (one.status != respondent_status::answered) {
            std::printf("not well: %s (%s)\n", names[one.ticket].c_str(),
                        to_string(one.status).data());
        }
    }
    std::printf("%u of %u are well\n", result.answered, result.expected);
    return result.answered == result.expected ? 0 : 1;
} catch (partywall::error const& e) {
    std::fprintf(stderr, "poll: %s\n", e.what());
    return 1;
}
