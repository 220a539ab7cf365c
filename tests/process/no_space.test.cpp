// SPDX-License-Identifier: BSL-1.0
// A file system that is too small for a ring: an error, nothing left behind, and no SIGBUS later.
#include "puppet.hpp"

#include <support/sandbox.hpp>

#include <sched.h>
#include <unistd.h>

namespace partywall::test {
namespace {

constexpr int code_no_namespaces = 77;

PARTYWALL_ROLE(publishes_into_a_small_file_system) {
    std::string const& where = context.arg(0);
    if (!enter_namespaces(CLONE_NEWNS) || !mount_tmpfs(where, "size=2208k,mode=700")) {
        return code_no_namespaces;
    }
    participant me = joined(where);
    publisher_options options = gated(64);
    options.payload_bytes_max = 16 * 1024;
    options.inline_bytes_max = 256;
    options.pins_max = 0;
    auto const too_large = me.publisher<bytes>("t", options);
    PARTYWALL_ROLE_CHECK(!too_large);
    PARTYWALL_ROLE_CHECK(too_large.error().code == endpoint_errc::no_space);
    PARTYWALL_ROLE_CHECK(too_large.error().message.find("'t'") != std::string::npos);
    PARTYWALL_ROLE_CHECK(me.snapshot().entries.empty());
    PARTYWALL_ROLE_CHECK(list_segments(me.core()->dir()).size() == 2); // registry, life

    // Room for the ring and not for what its readers write.
    options.subscribers_max = subscribers_max;
    options.depth = 32;
    auto const half = me.publisher<bytes>("t", options);
    PARTYWALL_ROLE_CHECK(!half && half.error().code == endpoint_errc::no_space);
    PARTYWALL_ROLE_CHECK(list_segments(me.core()->dir()).size() == 2);

    options.subscribers_max = 8;
    auto pub = me.publisher<bytes>("t", options).value();
    auto sub = me.subscriber<bytes>("t", lossless()).value();
    PARTYWALL_ROLE_CHECK(!me.publisher<bytes>("u", options));
    std::string const message(16 * 1024, 'x');
    for (int i = 0; i < 100; ++i) { // every page of what was created is there
        PARTYWALL_ROLE_CHECK(pub.send(message).has_value());
        PARTYWALL_ROLE_CHECK(sub.try_receive().text() == message);
    }
    return 0;
}

TEST(NoSpace, IsAnErrorThatLeavesNothingBehind) {
    scratch_root root;
    exit_status const end = spawn("publishes_into_a_small_file_system", {root.path()}).wait();
    if (end == exited(code_no_namespaces)) {
        GTEST_SKIP() << "no mount namespaces";
    }
    EXPECT_EQ(end, exited(0));
}

} // namespace
} // namespace partywall::test
