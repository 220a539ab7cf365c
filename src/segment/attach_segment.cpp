// SPDX-License-Identifier: BSL-1.0
#include <partywall/segment/segment.hpp>

#include <partywall/detail/mutant.hpp>

#include "mapping_access.hpp"
#include "refusal.hpp"
#include "segment_name.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

namespace partywall::inline v0 {
namespace {

using detail::attempt;
using detail::hex;
using detail::refuse;
using detail::refuse_errno;

std::string both(std::string_view field, std::uint64_t found, std::uint64_t expected) {
    std::string text{field};
    text += ' ';
    text += std::to_string(found);
    text += ", expected ";
    text += std::to_string(expected);
    return text;
}

std::optional<segment_failure> check_size(attempt const& what, std::uint64_t bytes) {
    if (bytes < sizeof(segment_header)) {
        return refuse(what, segment_errc::wrong_size,
                      "has " + std::to_string(bytes) + " bytes, a header alone has " +
                          std::to_string(sizeof(segment_header)));
    }
    if (bytes > segment_bytes_max) {
        return refuse(what, segment_errc::too_large,
                      "has " + std::to_string(bytes) + " bytes, the limit is " +
                          std::to_string(segment_bytes_max));
    }
    return std::nullopt;
}

/// `header` is a private copy: what is judged here cannot change any more.
std::optional<segment_failure> check_header(attempt const& what, segment_header const& header,
                                            segment_expectation const& expected,
                                            std::uint64_t file_bytes) {
    if (header.magic == __builtin_bswap64(segment_magic)) {
        return refuse(what, segment_errc::wrong_magic,
                      "was made on a machine of the other byte order");
    }
    if (header.magic != segment_magic) {
        return refuse(what, segment_errc::wrong_magic,
                      "magic " + hex(header.magic) + ", expected " + hex(segment_magic));
    }
    if (auto const kind = static_cast<std::uint32_t>(expected.id.kind); header.kind != kind) {
        return refuse(what, segment_errc::wrong_kind, both("kind", header.kind, kind));
    }
    if (header.layout_version != expected.layout_version) {
        return refuse(what, segment_errc::wrong_layout_version,
                      both("layout version", header.layout_version, expected.layout_version));
    }
    if (header.layout_fingerprint != expected.layout_fingerprint &&
        !PARTYWALL_MUTANT(wrong_layout_accepted)) {
        return refuse(what, segment_errc::wrong_layout,
                      "layout fingerprint " + hex(header.layout_fingerprint) + ", expected " +
                          hex(expected.layout_fingerprint));
    }
    if (header.total_bytes != file_bytes && !PARTYWALL_MUTANT(size_not_checked)) {
        return refuse(what, segment_errc::wrong_size,
                      "has " + std::to_string(file_bytes) + " bytes, its header says " +
                          std::to_string(header.total_bytes));
    }
    if (header.owner_ticket != expected.id.ticket) {
        return refuse(what, segment_errc::wrong_identity,
                      both("ticket", header.owner_ticket, expected.id.ticket));
    }
    if (header.number != expected.id.number) {
        return refuse(what, segment_errc::wrong_identity,
                      both("number", header.number, expected.id.number));
    }
    return std::nullopt;
}

/// 0 or errno; `taken` is less than a header only at the end of the file.
int read_header(int fd, segment_header& header, std::size_t& taken) noexcept {
    auto* const bytes = reinterpret_cast<char*>(&header);
    for (taken = 0; taken < sizeof header;) {
        ssize_t const got =
            ::pread(fd, bytes + taken, sizeof header - taken, static_cast<off_t>(taken));
        if (got == 0) {
            break;
        }
        if (got > 0) {
            taken += static_cast<std::size_t>(got);
        } else if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

result<mapping, segment_failure> attach(directory const& where, segment_expectation const& expected,
                                        access how) {
    detail::segment_name const name(expected.id);
    std::string const path = where.path_of(name.c_str());
    attempt const what{"attach", path};
    if (name.empty()) {
        return refuse(what, segment_errc::bad_argument, "is no segment of any kind");
    }
    auto const at = where.open();
    if (!at) {
        return at.error();
    }
    // A look before opening: opening alone can have effects (devices) or wait (fifos).
    struct stat status {};
    if (::fstatat(at->get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno == ENOENT ? refuse(what, segment_errc::not_found, "is not there", ENOENT)
                               : refuse_errno(what, "fstatat", errno);
    }
    if (auto refused = detail::check_file(what, status, where)) {
        return std::move(*refused);
    }
    int const mode = how == access::read_only ? O_RDONLY : O_RDWR;
    os::unique_fd const fd =
        os::open_at(at->get(), name.c_str(), mode | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (!fd) {
        return refuse_errno(what, "open", errno);
    }
    // And again, since this is what was opened, whatever stood there a moment ago.
    if (::fstat(fd.get(), &status) != 0) {
        return refuse_errno(what, "fstat", errno);
    }
    if (auto refused = detail::check_file(what, status, where)) {
        return std::move(*refused);
    }
    auto const bytes = static_cast<std::uint64_t>(status.st_size);
    if (auto refused = check_size(what, bytes)) {
        return std::move(*refused);
    }
    segment_header header{};
    std::size_t taken = 0;
    if (int const error = read_header(fd.get(), header, taken); error != 0) {
        return refuse_errno(what, "read", error);
    }
    if (taken != sizeof header) {
        return refuse(what, segment_errc::wrong_size, "shrank while it was read");
    }
    if (auto refused = check_header(what, header, expected, bytes)) {
        return std::move(*refused);
    }
    auto mapped = detail::mapping_access::make(fd.get(), bytes, how);
    if (!mapped) {
        return refuse_errno(what, "mmap", mapped.error());
    }
    detail::mapping_access::set_incarnation(*mapped, header.incarnation);
    return std::move(*mapped);
}

} // namespace

result<mapping, segment_failure> attach_segment(directory const& where,
                                                segment_expectation const& expected, access how) {
    return detail::catching_bad_alloc([&] { return attach(where, expected, how); });
}

} // namespace partywall::inline v0
