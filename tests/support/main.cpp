// SPDX-License-Identifier: BSL-1.0
// The main of every test binary: roles first, then the tests.
#include "role.hpp"
#include "scratch_root.hpp"
#include "watchdog.hpp"

#include <gtest/gtest.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
/// Boost.Lockfree reads the link of a node that another thread may just have given back, and throws
/// away what it read where the exchange that follows fails: a race by the letter, harmless by design.
extern "C" char const* __tsan_default_suppressions() { // NOLINT: a name of the sanitizer's
    return "race:boost::lockfree::queue\n";
}
#endif
#endif

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
