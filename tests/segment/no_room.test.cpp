// SPDX-License-Identifier: BSL-1.0
// Creation when something runs out: space, inodes, address space, descriptors, limits. Each role
// makes its surroundings small for itself alone.
#include <partywall/segment/segment.hpp>

#include "support/role.hpp"
#include "support/sandbox.hpp"
#include "support/scratch_root.hpp"
#include "ways.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

namespace partywall {
namespace {

namespace fs = std::filesystem;
using test::way;

constexpr segment_id ring_id{segment_kind::ring, 7, 1};
constexpr way all_ways[] = {way::unnamed, way::no_tmpfile, way::no_proc};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool under_a_sanitizer = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool under_a_sanitizer = true;
#else
constexpr bool under_a_sanitizer = false;
#endif
#else
constexpr bool under_a_sanitizer = false;
#endif

segment_spec of_bytes(std::uint64_t bytes, std::uint64_t number = 1) {
    return {{segment_kind::ring, 7, number}, 1, 2, bytes, 0};
}

bool is(result<mapping, segment_failure> const& r, segment_errc code) {
    return !r && r.error().code == code;
}

std::uint64_t free_bytes(std::string const& path) {
    struct statvfs room {};
    PARTYWALL_ROLE_CHECK(::statvfs(path.c_str(), &room) == 0);
    return std::uint64_t{room.f_bavail} * room.f_frsize;
}

bool nothing_in(directory const& where) { return fs::is_empty(where.path()); }

/// A domain on a file system of the role's own; ends the role where the machine forbids it.
directory on_small_tmpfs(test::role_context& context, std::string const& options) {
    if (!test::enter_namespaces(CLONE_NEWNS) || !test::mount_tmpfs(context.arg(0), options)) {
        context.send("cannot");
        std::exit(0);
    }
    context.send("mounted");
    return open_directory(context.arg(0) + "/root", "dom", sharing::owner_only, true).value();
}

PARTYWALL_ROLE(fills_64_kib) {
    directory const where = on_small_tmpfs(context, "size=64k,mode=0700");
    std::uint64_t const room = free_bytes(where.path());
    PARTYWALL_ROLE_CHECK(room > 0 && room <= 64 * 1024);
    for (bool const kernel_refuses : {false, true}) {
        detail::for_test::disable_space_check(kernel_refuses);
        for (way const w : all_ways) {
            test::use(w);
            for (std::uint64_t const bytes : {room + 1, std::uint64_t{1} << 20}) {
                auto const r = create_segment(where, of_bytes(bytes), nullptr, nullptr);
                PARTYWALL_ROLE_CHECK(is(r, segment_errc::no_space));
                PARTYWALL_ROLE_CHECK(r.error().os_error == ENOSPC);
                PARTYWALL_ROLE_CHECK(nothing_in(where));
                PARTYWALL_ROLE_CHECK(free_bytes(where.path()) == room);
            }
            // Exactly enough is enough, and every byte is there.
            auto made = create_segment(where, of_bytes(room), nullptr, nullptr);
            PARTYWALL_ROLE_CHECK(made);
            for (std::uint64_t i = 128; i < room; ++i) {
                made->data()[i] = std::byte{1};
            }
            PARTYWALL_ROLE_CHECK(free_bytes(where.path()) == 0);
            PARTYWALL_ROLE_CHECK(is(create_segment(where, of_bytes(128, 2), nullptr, nullptr),
                                    segment_errc::no_space));
            PARTYWALL_ROLE_CHECK(list_segments(where).size() == 1);
            made->reset();
            PARTYWALL_ROLE_CHECK(unlink_segment(where, ring_id) == 0);
            PARTYWALL_ROLE_CHECK(free_bytes(where.path()) == room);
        }
    }
    return 0;
}

PARTYWALL_ROLE(runs_out_of_inodes) {
    // One each for the mount itself, the root, the domain, and one file.
    directory const where = on_small_tmpfs(context, "size=1m,nr_inodes=4,mode=0700");
    for (way const w : all_ways) {
        test::use(w);
        auto const made = create_segment(where, of_bytes(4096), nullptr, nullptr);
        PARTYWALL_ROLE_CHECK(made);
        auto const next = create_segment(where, of_bytes(4096, 2), nullptr, nullptr);
        PARTYWALL_ROLE_CHECK(is(next, segment_errc::no_space));
        PARTYWALL_ROLE_CHECK(list_segments(where).size() == 1);
        PARTYWALL_ROLE_CHECK(unlink_segment(where, ring_id) == 0 && nothing_in(where));
    }
    return 0;
}

PARTYWALL_ROLE(has_no_inode_for_a_directory) {
    if (!test::enter_namespaces(CLONE_NEWNS) ||
        !test::mount_tmpfs(context.arg(0), "size=1m,nr_inodes=2,mode=0700")) {
        context.send("cannot");
        return 0;
    }
    context.send("mounted");
    auto const r = open_directory(context.arg(0) + "/root", "dom", sharing::owner_only, true);
    PARTYWALL_ROLE_CHECK(!r && r.error().code == segment_errc::no_space);
    return 0;
}

class NoRoom : public testing::Test {
  protected:
    void run_mounted(char const* role) {
        test::child child = test::spawn(role, {root_.path()});
        if (child.receive() == "cannot") {
            child.wait();
            GTEST_SKIP() << "no right to mount a small tmpfs";
        }
        EXPECT_EQ(child.wait(), test::exited(0));
    }

    test::scratch_root root_;
};

TEST_F(NoRoom, AFullFileSystemIsAnErrorAndNothingStays) { run_mounted("fills_64_kib"); }

TEST_F(NoRoom, RunningOutOfInodesIsAnErrorAndNothingStays) { run_mounted("runs_out_of_inodes"); }

TEST_F(NoRoom, ADirectoryThatCannotBeMadeIsAnError) { run_mounted("has_no_inode_for_a_directory"); }

void set_limit(int which, std::uint64_t value) {
    rlimit const limit{value, value};
    PARTYWALL_ROLE_CHECK(::setrlimit(static_cast<__rlimit_resource>(which), &limit) == 0);
}

PARTYWALL_ROLE(may_not_make_large_files) {
    directory const where =
        open_directory(context.arg(0), "dom", sharing::owner_only, true).value();
    set_limit(RLIMIT_FSIZE, 8192);
    for (way const w : all_ways) {
        test::use(w);
        // Asking the kernel would end this process with SIGXFSZ.
        auto const r = create_segment(where, of_bytes(8193), nullptr, nullptr);
        PARTYWALL_ROLE_CHECK(is(r, segment_errc::too_large) && r.error().os_error == EFBIG);
        PARTYWALL_ROLE_CHECK(nothing_in(where));
        PARTYWALL_ROLE_CHECK(create_segment(where, of_bytes(8192), nullptr, nullptr));
        PARTYWALL_ROLE_CHECK(unlink_segment(where, ring_id) == 0);
    }
    return 0;
}

TEST_F(NoRoom, AFileSizeLimitIsAnErrorAndNotADeath) {
    EXPECT_EQ(test::spawn("may_not_make_large_files", {root_.path()}).wait(), test::exited(0));
}

PARTYWALL_ROLE(has_little_address_space) {
    directory const where =
        open_directory(context.arg(0), "dom", sharing::owner_only, true).value();
    auto const there = create_segment(where, of_bytes(12U << 20, 2), nullptr, nullptr);
    PARTYWALL_ROLE_CHECK(there);
    std::uint64_t pages = 0;
    FILE* const statm = std::fopen("/proc/self/statm", "r");
    PARTYWALL_ROLE_CHECK(statm != nullptr && std::fscanf(statm, "%lu", &pages) == 1);
    std::fclose(statm);
    set_limit(RLIMIT_AS, pages * 4096 + (4U << 20));
    for (way const w : all_ways) {
        test::use(w);
        auto const r = create_segment(where, of_bytes(12U << 20), nullptr, nullptr);
        PARTYWALL_ROLE_CHECK(is(r, segment_errc::no_memory) && r.error().os_error == ENOMEM);
        PARTYWALL_ROLE_CHECK(list_segments(where).size() == 1);
    }
    auto const r = attach_segment(where, {{segment_kind::ring, 7, 2}, 1, 2}, access::read_only);
    PARTYWALL_ROLE_CHECK(is(r, segment_errc::no_memory));
    return 0;
}

TEST_F(NoRoom, TooLittleAddressSpaceIsAnErrorAndNothingStays) {
    if (under_a_sanitizer) {
        GTEST_SKIP() << "sanitizers need all the memory there is";
    }
    EXPECT_EQ(test::spawn("has_little_address_space", {root_.path()}).wait(), test::exited(0));
}

PARTYWALL_ROLE(has_no_descriptors_left) {
    directory const where =
        open_directory(context.arg(0), "dom", sharing::owner_only, true).value();
    PARTYWALL_ROLE_CHECK(create_segment(where, of_bytes(4096, 2), nullptr, nullptr));
    set_limit(RLIMIT_NOFILE, 64);
    std::vector<os::unique_fd> all;
    while (os::unique_fd fd = os::open("/dev/null", 0)) {
        all.push_back(std::move(fd));
    }
    // With none, one or two left each step finds itself without, one after the other.
    for (std::size_t left = 0; left < 2; ++left) {
        for (way const w : all_ways) {
            test::use(w);
            auto const r = create_segment(where, of_bytes(4096), nullptr, nullptr);
            PARTYWALL_ROLE_CHECK(is(r, segment_errc::no_memory) && r.error().os_error == EMFILE);
        }
        segment_expectation const there{{segment_kind::ring, 7, 2}, 1, 2};
        PARTYWALL_ROLE_CHECK(
            is(attach_segment(where, there, access::read_only), segment_errc::no_memory));
        auto const again = open_directory(context.arg(0), "dom", sharing::owner_only, true);
        PARTYWALL_ROLE_CHECK(!again && again.error().code == segment_errc::no_memory);
        all.pop_back();
    }
    all.clear();
    PARTYWALL_ROLE_CHECK(list_segments(where).size() == 1);
    return 0;
}

TEST_F(NoRoom, RunningOutOfDescriptorsIsAnErrorAndNothingStays) {
    EXPECT_EQ(test::spawn("has_no_descriptors_left", {root_.path()}).wait(), test::exited(0));
    EXPECT_EQ(root_.leftovers().size(), 2U);
}

PARTYWALL_ROLE(locks_all_its_memory) {
    directory const where =
        open_directory(context.arg(0), "dom", sharing::owner_only, true).value();
    // Without the capability the limit counts, for root too.
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct none[2]{};
    PARTYWALL_ROLE_CHECK(::syscall(SYS_capset, &header, none) == 0);
    rlimit const little{1U << 20, 1U << 20};
    PARTYWALL_ROLE_CHECK(::setrlimit(RLIMIT_MEMLOCK, &little) == 0);
    PARTYWALL_ROLE_CHECK(::mlockall(MCL_FUTURE) == 0);
    auto const r = create_segment(where, of_bytes(4U << 20), nullptr, nullptr);
    PARTYWALL_ROLE_CHECK(is(r, segment_errc::no_memory));
    PARTYWALL_ROLE_CHECK(nothing_in(where));
    PARTYWALL_ROLE_CHECK(create_segment(where, of_bytes(4096), nullptr, nullptr));
    return 0;
}

TEST_F(NoRoom, TooLittleLockableMemoryIsAnErrorAndNothingStays) {
    if (under_a_sanitizer) {
        GTEST_SKIP() << "sanitizers do not lock memory";
    }
    EXPECT_EQ(test::spawn("locks_all_its_memory", {root_.path()}).wait(), test::exited(0));
}

} // namespace
} // namespace partywall
