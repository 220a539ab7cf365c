// SPDX-License-Identifier: BSL-1.0
// Attaching, and above all refusing: whatever stands under the name is not mapped, not waited
// for, not followed and not changed.
#include <partywall/segment/segment.hpp>

#include "support/counts.hpp"
#include "support/role.hpp"
#include "support/scratch_root.hpp"
#include "umask_guard.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <sstream>
#include <stop_token>
#include <string>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

namespace partywall {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

constexpr segment_id ring_id{segment_kind::ring, 7, 1};
constexpr segment_spec ring_spec{ring_id, 3, 0xabcdef, 5000, 99};
constexpr segment_expectation expected{ring_id, 3, 0xabcdef};

std::string contents_of(std::string const& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// All that a write, a chmod or a link would change.
std::string state_of(std::string const& path, bool with_contents) {
    struct stat s {};
    if (::lstat(path.c_str(), &s) != 0) {
        return "nothing";
    }
    std::ostringstream text;
    text << s.st_ino << ' ' << s.st_mode << ' ' << s.st_nlink << ' ' << s.st_uid << ' ' << s.st_gid
         << ' ' << s.st_size << ' ' << s.st_blocks << ' ' << s.st_mtim.tv_sec << '.'
         << s.st_mtim.tv_nsec << ' ' << s.st_ctim.tv_sec << '.' << s.st_ctim.tv_nsec;
    return text.str() + (with_contents ? contents_of(path) : "");
}

class AttachSegment : public testing::Test {
  protected:
    /// A good segment under the name, closed again.
    void plant_segment() {
        auto const made = create_segment(
            where_, ring_spec,
            [](std::byte* base, void*) { std::memset(base + 128, 0x5a, 5000 - 128); }, nullptr);
        ASSERT_TRUE(made) << made.error().message;
    }
    /// The same with changed header bytes.
    void plant_header(std::function<void(segment_header&)> const& change) {
        fs::remove(path_);
        plant_segment();
        std::string bytes = contents_of(path_);
        segment_header header{};
        std::memcpy(&header, bytes.data(), sizeof header);
        change(header);
        std::memcpy(bytes.data(), &header, sizeof header);
        std::ofstream(path_, std::ios::binary) << bytes;
    }
    void plant_file(std::string const& bytes) {
        fs::remove(path_);
        std::ofstream(path_, std::ios::binary) << bytes;
        ASSERT_EQ(::chmod(path_.c_str(), 0600), 0);
    }

    /// Expects a refusal with this code, whose message names the file and all of `words`, and that
    /// neither the object nor `target` was touched.
    template <class... Words>
    void expect_refusal(segment_errc code, Words const&... words) {
        bool const readable =
            fs::is_regular_file(fs::symlink_status(path_)) && fs::file_size(path_) <= 1'000'000;
        std::string const before = state_of(path_, readable);
        std::string const target_before = state_of(target_, true);
        for (access const how : {access::read_only, access::read_write}) {
            auto const r = attach_segment(where_, expected, how);
            ASSERT_FALSE(r);
            EXPECT_EQ(r.error().code, code) << r.error().message;
            EXPECT_THAT(r.error().message,
                        AllOf(HasSubstr("cannot attach " + path_ + ": "), HasSubstr(words)...));
        }
        EXPECT_EQ(state_of(path_, readable), before);
        EXPECT_EQ(state_of(target_, true), target_before);
    }

    test::scratch_root root_;
    directory const where_ = open_directory(root_.path(), "dom", sharing::owner_only, true).value();
    std::string const path_ = where_.path_of("ring.7.1");
    std::string const target_ = root_.path() + "/target";
};

TEST_F(AttachSegment, TakesAGoodOne) {
    plant_segment();
    auto const attached = attach_segment(where_, expected, access::read_write);
    ASSERT_TRUE(attached) << attached.error().message;
    EXPECT_EQ(attached->size(), 5000U);
    EXPECT_EQ(attached->incarnation(), 99U);
    EXPECT_EQ(attached->data()[4999], std::byte{0x5a});
}

/// Permissions of the mapping at `address`, as the kernel tells them.
std::string protection_of(void const* address) {
    std::ifstream maps("/proc/self/maps");
    auto const wanted = reinterpret_cast<std::uintptr_t>(address);
    for (std::string line; std::getline(maps, line);) {
        std::istringstream text(line);
        std::uintptr_t begin = 0;
        std::uintptr_t end = 0;
        char dash = 0;
        std::string permissions;
        text >> std::hex >> begin >> dash >> end >> permissions;
        if (begin <= wanted && wanted < end) {
            return permissions;
        }
    }
    return "not mapped";
}

TEST_F(AttachSegment, MapsReadOnlyWhatIsNotToBeWritten) {
    plant_segment();
    auto const reader = attach_segment(where_, expected, access::read_only);
    auto const writer = attach_segment(where_, expected, access::read_write);
    ASSERT_TRUE(reader && writer);
    EXPECT_EQ(protection_of(reader->data()), "r--s");
    EXPECT_EQ(protection_of(writer->data()), "rw-s");
    writer->data()[200] = std::byte{1};
    EXPECT_EQ(reader->data()[200], std::byte{1});
}

TEST_F(AttachSegment, KeepsNoDescriptor) {
    plant_segment();
    int const next = os::open("/dev/null", 0).get();
    auto const attached = attach_segment(where_, expected, access::read_write);
    ASSERT_TRUE(attached);
    EXPECT_EQ(os::open("/dev/null", 0).get(), next);
}

TEST_F(AttachSegment, RefusesNothing) { expect_refusal(segment_errc::not_found, "not there"); }

TEST_F(AttachSegment, RefusesAnIdThatIsNone) {
    auto const r = attach_segment(where_, {{segment_kind::ring, 0, 0}, 3, 1}, access::read_only);
    ASSERT_FALSE(r);
    EXPECT_EQ(r.error().code, segment_errc::bad_argument);
}

TEST_F(AttachSegment, RefusesALinkEvenToAGoodSegment) {
    plant_segment();
    fs::rename(path_, target_);
    fs::create_symlink(target_, path_);
    expect_refusal(segment_errc::wrong_type, "a symbolic link", "a regular file");
}

TEST_F(AttachSegment, RefusesALinkToAFileThatItMayWrite) {
    std::ofstream(target_) << "precious";
    fs::create_symlink(target_, path_);
    expect_refusal(segment_errc::wrong_type, "a symbolic link");
    EXPECT_EQ(contents_of(target_), "precious");
}

TEST_F(AttachSegment, RefusesALinkToNowhere) {
    fs::create_symlink(root_.path() + "/nowhere", path_);
    expect_refusal(segment_errc::wrong_type, "a symbolic link");
    EXPECT_FALSE(fs::exists(root_.path() + "/nowhere"));
}

TEST_F(AttachSegment, RefusesAFifoWithoutWaitingForItsOtherEnd) {
    ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
    expect_refusal(segment_errc::wrong_type, "a fifo");
}

TEST_F(AttachSegment, RefusesADirectory) {
    fs::create_directory(path_);
    ASSERT_EQ(::chmod(path_.c_str(), 0600), 0);
    expect_refusal(segment_errc::wrong_type, "a directory");
}

TEST_F(AttachSegment, RefusesASocket) {
    // Bound by its short name and then moved: paths of sockets are short.
    os::unique_fd const socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::string const name = root_.path() + "/s";
    ASSERT_LT(name.size(), sizeof address.sun_path);
    std::memcpy(address.sun_path, name.c_str(), name.size() + 1);
    ASSERT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    fs::rename(name, path_);
    ASSERT_EQ(::chmod(path_.c_str(), 0600), 0);
    expect_refusal(segment_errc::wrong_type, "a socket");
}

TEST_F(AttachSegment, RefusesADeviceWithoutOpeningIt) {
    if (::mknod(path_.c_str(), S_IFCHR | 0600, makedev(1, 3)) != 0) {
        GTEST_SKIP() << "no right to make a device";
    }
    expect_refusal(segment_errc::wrong_type, "a character device");
}

TEST_F(AttachSegment, RefusesAFileWithASecondName) {
    plant_segment();
    fs::create_hard_link(path_, target_);
    expect_refusal(segment_errc::linked, "2 names", "expected 1");
}

TEST_F(AttachSegment, RefusesAnyModeButTheExactOne) {
    plant_segment();
    for (mode_t const mode : {0644U, 0660U, 0400U, 0700U, 04600U, 0000U, 0666U}) {
        ASSERT_EQ(::chmod(path_.c_str(), mode), 0);
        std::ostringstream octal;
        octal << "mode 0" << std::oct << (mode == 0 ? 0 : mode);
        expect_refusal(segment_errc::wrong_mode, octal.str(), "expected 0600");
    }
}

TEST_F(AttachSegment, RefusesAForeignOwnerEvenOfAGoodSegment) {
    if (::geteuid() != 0) {
        GTEST_SKIP() << "only root can give files away";
    }
    plant_segment();
    ASSERT_EQ(::chown(path_.c_str(), 54321, 0), 0);
    expect_refusal(segment_errc::wrong_owner, "uid 54321", "uid 0");
}

TEST_F(AttachSegment, RefusesFilesThatAreShorterThanAHeader) {
    for (std::size_t const bytes : {0U, 1U, 64U, 127U}) {
        plant_file(std::string(bytes, 'p'));
        expect_refusal(segment_errc::wrong_size, std::to_string(bytes) + " bytes", "128");
    }
}

TEST_F(AttachSegment, RefusesAFileOfZeros) {
    plant_file(std::string(5000, '\0'));
    expect_refusal(segment_errc::wrong_magic, "0x0", "0x6c61777974726170");
}

TEST_F(AttachSegment, RefusesAGiantFileOfHoles) {
    plant_file("");
    ASSERT_EQ(::truncate(path_.c_str(), static_cast<off_t>(segment_bytes_max)), 0);
    expect_refusal(segment_errc::wrong_magic);
    ASSERT_EQ(::truncate(path_.c_str(), static_cast<off_t>(segment_bytes_max + 1)), 0);
    expect_refusal(segment_errc::too_large, std::to_string(segment_bytes_max + 1),
                   std::to_string(segment_bytes_max));
}

TEST_F(AttachSegment, RefusesASizeThatIsNotItsHeaders) {
    for (std::uint64_t const bytes : {128U, 4096U, 4999U, 5001U, 9096U}) {
        fs::remove(path_);
        plant_segment();
        fs::resize_file(path_, bytes);
        expect_refusal(segment_errc::wrong_size, std::to_string(bytes), "5000");
    }
    plant_header([](segment_header& h) { h.total_bytes = UINT64_MAX; });
    expect_refusal(segment_errc::wrong_size, "5000", "18446744073709551615");
}

TEST_F(AttachSegment, RefusesAnotherMagic) {
    plant_header([](segment_header& h) { h.magic ^= 1; });
    expect_refusal(segment_errc::wrong_magic, "0x6c61777974726171", "0x6c61777974726170");
}

TEST_F(AttachSegment, RefusesTheOtherByteOrder) {
    plant_header([](segment_header& h) {
        h.magic = __builtin_bswap64(h.magic);
        h.layout_version = __builtin_bswap32(h.layout_version);
        h.kind = __builtin_bswap32(h.kind);
        h.layout_fingerprint = __builtin_bswap64(h.layout_fingerprint);
        h.total_bytes = __builtin_bswap64(h.total_bytes);
    });
    expect_refusal(segment_errc::wrong_magic, "byte order");
}

TEST_F(AttachSegment, RefusesAnotherKind) {
    plant_header([](segment_header& h) { h.kind = 4; });
    expect_refusal(segment_errc::wrong_kind, "kind 4", "expected 3");
}

TEST_F(AttachSegment, RefusesOlderAndNewerLayouts) {
    for (std::uint32_t const version : {0U, 2U, 4U, UINT32_MAX}) {
        plant_header([&](segment_header& h) { h.layout_version = version; });
        expect_refusal(segment_errc::wrong_layout_version,
                       "layout version " + std::to_string(version), "expected 3");
    }
}

TEST_F(AttachSegment, RefusesALayoutOfOtherSizesOrOffsets) {
    plant_header([](segment_header& h) { h.layout_fingerprint = 0xabcdee; });
    expect_refusal(segment_errc::wrong_layout, "0xabcdee", "0xabcdef");
}

TEST_F(AttachSegment, RefusesASegmentUnderTheNameOfAnother) {
    plant_header([](segment_header& h) { h.owner_ticket = 8; });
    expect_refusal(segment_errc::wrong_identity, "ticket 8", "expected 7");
    plant_header([](segment_header& h) { h.number = 2; });
    expect_refusal(segment_errc::wrong_identity, "number 2", "expected 1");
}

TEST_F(AttachSegment, LeavesReservedBytesToLaterReleasesOfTheSameVersion) {
    plant_header([](segment_header& h) { h.reserved[8] = 1; });
    EXPECT_TRUE(attach_segment(where_, expected, access::read_only));
}

TEST_F(AttachSegment, IsNotFooledByWhatIsExchangedUnderItsEyes) {
    // A perfect segment, but under another name: only a link, followed, leads there.
    plant_segment();
    fs::rename(path_, target_);
    plant_segment();
    auto const good = os::identity_of(path_.c_str());
    std::string const link = root_.path() + "/link";
    std::string const fifo = root_.path() + "/fifo";
    fs::create_symlink(target_, link);
    ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
    std::jthread const attacker([&](std::stop_token const& stop) {
        while (!stop.stop_requested()) {
            for (std::string const& other : {link, link, fifo, fifo}) { // there and back again
                ::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE);
            }
        }
    });
    std::uint64_t taken = 0;
    std::uint64_t refused = 0;
    std::uint64_t const tries = test::count(10'000, 300'000);
    for (std::uint64_t i = 0; i < tries || taken == 0 || refused == 0; ++i) {
        auto const r = attach_segment(where_, expected, access::read_only);
        if (r) {
            ++taken;
            ASSERT_EQ(r->identity(), good);
        } else {
            ++refused;
            ASSERT_EQ(r.error().code, segment_errc::wrong_type) << r.error().message;
        }
    }
}

// It has been seen under its name, and opened: then it has no name any more.
TEST_F(AttachSegment, FindsNothingWhereTheFileIsRemovedWhileItLooks) {
    plant_segment();
    std::string const bytes = contents_of(path_);
    std::atomic<bool> stop{false};
    std::thread replaces([&] {
        while (!stop) {
            int const fd = ::open(target_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
            EXPECT_EQ(::write(fd, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
            ::close(fd);
            fs::rename(target_, path_);
        }
    });
    for (std::uint64_t i = 0; i < test::count(20'000, 1'000'000) && !HasFailure(); ++i) {
        auto const r = attach_segment(where_, expected, access::read_only);
        EXPECT_TRUE(r || r.error().code == segment_errc::not_found) << r.error().message;
    }
    stop = true;
    replaces.join();
}

PARTYWALL_ROLE(attaches_without_descriptors) {
    directory const where =
        open_directory(context.arg(0), "dom", sharing::owner_only, false).value();
    auto const keep = static_cast<unsigned>(context.descriptor());
    ::close_range(0, keep - 1, 0);
    ::close_range(keep + 1, ~0U, 0);
    auto const attached = attach_segment(where, expected, access::read_write);
    PARTYWALL_ROLE_CHECK(attached);
    ::close_range(0, keep - 1, 0);
    ::close_range(keep + 1, ~0U, 0);
    attached->data()[200] = std::byte{1};
    return 0;
}

TEST_F(AttachSegment, WorksInADaemonThatClosedEveryDescriptor) {
    plant_segment();
    EXPECT_EQ(test::spawn("attaches_without_descriptors", {root_.path()}).wait(), test::exited(0));
}

} // namespace
} // namespace partywall
