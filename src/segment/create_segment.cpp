// SPDX-License-Identifier: BSL-1.0
#include <partywall/segment/segment.hpp>

#include <partywall/detail/mutant.hpp>

#include "../os/signal_guard.hpp"
#include "mapping_access.hpp"
#include "new_file.hpp"
#include "refusal.hpp"
#include "segment_name.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <optional>

namespace partywall::inline v0 {
namespace {

using detail::attempt;
using detail::refuse;
using detail::refuse_errno;

std::atomic<bool> space_check_disabled{false};

/// One system call's worth of memory. Signals wait for as long as it takes (a few milliseconds):
/// tmpfs gives up, and gives back, whenever one is pending, and a profiler's timer would make it
/// give up for ever.
constexpr std::uint64_t chunk_bytes = std::uint64_t{8} << 20;

std::optional<segment_failure> check_spec(attempt const& what, segment_spec const& spec) {
    if (!is_valid(spec.id)) {
        return refuse(what, segment_errc::bad_argument, "is no segment of any kind");
    }
    if (spec.bytes < sizeof(segment_header)) {
        return refuse(what, segment_errc::bad_argument,
                      std::to_string(spec.bytes) + " bytes are less than a header");
    }
    if (spec.bytes > segment_bytes_max) {
        return refuse(what, segment_errc::too_large,
                      std::to_string(spec.bytes) + " bytes are asked for, the limit is " +
                          std::to_string(segment_bytes_max));
    }
    // Exceeding this limit is not just an error: it kills the process with SIGXFSZ.
    struct rlimit limit {};
    if (::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
        spec.bytes > limit.rlim_cur) {
        return refuse(what, segment_errc::too_large,
                      std::to_string(spec.bytes) + " bytes are asked for, RLIMIT_FSIZE allows " +
                          std::to_string(limit.rlim_cur),
                      EFBIG);
    }
    return std::nullopt;
}

/// Memory for every byte, now: an unbacked page would be a SIGBUS later.
std::optional<segment_failure> back(attempt const& what, int fd, std::uint64_t bytes) {
    // Asking for what cannot be had would first take all that is left, and whoever else uses
    // this file system would suffer for that moment.
    struct statvfs room {};
    if (!space_check_disabled.load(std::memory_order_relaxed) && ::fstatvfs(fd, &room) == 0 &&
        room.f_blocks != 0 && bytes > std::uint64_t{room.f_bavail} * room.f_frsize) {
        return refuse(what, segment_errc::no_space,
                      std::to_string(bytes) + " bytes are needed, " +
                          std::to_string(std::uint64_t{room.f_bavail} * room.f_frsize) +
                          " are left in the file system",
                      ENOSPC);
    }
    for (std::uint64_t done = 0; done < bytes;) {
        std::uint64_t const chunk = std::min(chunk_bytes, bytes - done);
        int error = 0;
        {
            os::signal_guard const hold_signals;
            error = ::posix_fallocate(fd, static_cast<off_t>(done), static_cast<off_t>(chunk));
        }
        if (error == 0) {
            done += chunk;
        } else if (error != EINTR) {
            return refuse_errno(what, "posix_fallocate", error);
        }
    }
    return std::nullopt;
}

segment_header header_of(segment_spec const& spec) noexcept {
    segment_header header{};
    header.magic = segment_magic;
    header.layout_version = spec.layout_version;
    header.kind = static_cast<std::uint32_t>(spec.id.kind);
    header.layout_fingerprint = spec.layout_fingerprint;
    header.total_bytes = spec.bytes;
    header.owner_ticket = spec.id.ticket;
    header.number = spec.id.number;
    header.incarnation = spec.incarnation;
    return header;
}

result<mapping, segment_failure> create(directory const& where, segment_spec const& spec,
                                        void (*fill)(std::byte*, void*), void* context) {
    detail::segment_name const name(spec.id);
    std::string const path = where.path_of(name.c_str());
    attempt const what{"create", path};
    if (auto refused = check_spec(what, spec)) {
        return std::move(*refused);
    }
    auto at = where.open();
    if (!at) {
        return at.error();
    }
    // Only to save the work: what decides is the link at the end.
    struct stat status {};
    if (::fstatat(at->get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) {
        return refuse(what, segment_errc::exists, "exists already", EEXIST);
    }
    auto file = detail::new_file::make(std::move(*at), where, spec.id.ticket);
    if (!file) {
        return refuse_errno(what, "open", file.error());
    }
    std::uint64_t const backed =
        spec.backed_bytes != 0 ? std::min(spec.backed_bytes, spec.bytes) : spec.bytes;
    if (auto refused = back(what, file->fd(), backed)) {
        return std::move(*refused);
    }
    if (PARTYWALL_MUTANT(named_before_it_is_whole)) {
        (void)file->publish(name.c_str());
    }
    if (backed != spec.bytes && ::ftruncate(file->fd(), static_cast<off_t>(spec.bytes)) != 0) {
        return refuse_errno(what, "ftruncate", errno);
    }
    auto mapped = detail::mapping_access::make(file->fd(), spec.bytes, access::read_write);
    if (!mapped) {
        return refuse_errno(what, "mmap", mapped.error());
    }
    detail::mapping_access::set_incarnation(*mapped, spec.incarnation);
    *reinterpret_cast<segment_header*>(mapped->data()) = header_of(spec);
    if (fill != nullptr) {
        fill(mapped->data(), context);
    }
    // I1: whoever finds the name finds all of this. The kernel's directory locks order our stores
    // before the look-up of whoever opens it.
    if (int const error = file->publish(name.c_str()); error == EEXIST) {
        return refuse(what, segment_errc::exists, "another process was faster", error);
    } else if (error != 0) {
        return refuse_errno(what, "link", error);
    }
    return std::move(*mapped);
}

} // namespace

result<mapping, segment_failure> create_segment(directory const& where, segment_spec const& spec,
                                                void (*fill)(std::byte* base, void* context),
                                                void* context) {
    return detail::catching_bad_alloc([&] { return create(where, spec, fill, context); });
}

void detail::for_test::disable_space_check(bool disabled) noexcept {
    space_check_disabled.store(disabled, std::memory_order_relaxed);
}

} // namespace partywall::inline v0
