// SPDX-License-Identifier: BSL-1.0
// The main of every test binary: roles first, then the tests.
#include "role.hpp"
#include "scratch_root.hpp"
#include "watchdog.hpp"

#include <gtest/gtest.h>

int main(int argc, char** argv) {
    if (auto const code = partywall::test::run_asked_role(argc, argv)) {
        return *code;
    }
    testing::InitGoogleTest(&argc, argv);
    if (!testing::GTEST_FLAG(list_tests)) {
        partywall::test::sweep_scratch_roots();
        partywall::test::install_watchdog();
    }
    return RUN_ALL_TESTS();
}
