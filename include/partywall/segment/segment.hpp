// SPDX-License-Identifier: BSL-1.0
// Segments: shared-memory files that have their name only when they are whole, and are believed
// only after they have been checked.
//
// Invariants
//   I1  A file under a segment's name is complete: exact size, every byte backed by memory,
//       header and contents written. A creator may be killed at any instruction.
//   I2  Whatever fails, nothing is left behind that the next sweep_temporaries() does not remove.
//   I3  Nothing is mapped, and nothing is ever written, before type, owner, permissions, link
//       count, size and the whole header have been found right.
#pragma once

#include <partywall/export.hpp>
#include <partywall/os/file_identity.hpp>
#include <partywall/segment/directory.hpp>
#include <partywall/segment/segment_errc.hpp>
#include <partywall/segment/segment_id.hpp>
#include <partywall/segment/segment_layout.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace partywall::inline v0 {

enum class access : std::uint8_t { read_only, read_write };

namespace detail {
struct region; // a Boost.Interprocess mapped_region
struct mapping_access;
} // namespace detail

/// One mapped segment; unmapped when destroyed. Move-only.
///
/// Use when  the segment was just created or attached; the address is stable across moves.
/// Callers   one thread at a time; the memory itself as its layout says. A forked child inherits
///           the mapping and may destroy its copy of the handle.
/// Peer dies nothing changes: the memory belongs to the file, not to its creator.
class mapping {
  public:
    PARTYWALL_API mapping() noexcept;
    PARTYWALL_API mapping(mapping&&) noexcept;
    PARTYWALL_API mapping& operator=(mapping&&) noexcept;
    mapping(mapping const&) = delete;
    mapping& operator=(mapping const&) = delete;
    PARTYWALL_API ~mapping();

    /// Start of the segment: its header. Writing through a read_only mapping is a fault.
    std::byte* data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }
    explicit operator bool() const noexcept { return data_ != nullptr; }
    /// The header in shared memory. It was checked when it was copied; others may write it since.
    segment_header const& header() const noexcept {
        return *reinterpret_cast<segment_header const*>(data_);
    }
    /// The incarnation that stood in the header when it was checked.
    std::uint64_t incarnation() const noexcept { return incarnation_; }
    /// Of the mapped file, whether or not it still has a name.
    os::file_identity const& identity() const noexcept { return identity_; }
    PARTYWALL_API void reset() noexcept;
    /// Uses the segment no more, but leaves memory of this process alone in its place, all zeros:
    /// for who may still hold pointers into it. The segment's memory goes with its last user.
    /// Where the kernel has no memory for that, nothing changes.
    PARTYWALL_API void forsake() noexcept;

    /// Maps the first `bytes` now instead of at the first touch of each page. False: not all of it.
    PARTYWALL_API bool prefault(std::uint64_t bytes) const noexcept;
    /// Keeps all of it in physical memory, where it comes as it is touched (or was prefaulted).
    /// False: not allowed to.
    PARTYWALL_API bool lock() const noexcept;

  private:
    friend struct detail::mapping_access;

    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
    std::uint64_t incarnation_ = 0;
    os::file_identity identity_{};
    std::unique_ptr<detail::region> region_;
};

struct segment_spec {
    segment_id id;
    std::uint32_t layout_version = 0;
    std::uint64_t layout_fingerprint = 0;
    std::uint64_t bytes = 0; ///< of the whole file, header included; any number from 128 up
    std::uint64_t incarnation = 0;
    /// Of the bytes behind the first so many no memory is taken until they are touched, when there
    /// may be none (SIGBUS). 0: all is taken at once.
    std::uint64_t backed_bytes = 0;
};

/// Creates a segment: backed, header written, everything else zero, then `fill(base, context)`
/// (which leaves the header alone, and may be null), and only then named. Mapped read-write.
/// Errors: exists, no_space, no_memory, too_large, permission, not_found (the directory),
/// bad_argument, system.
PARTYWALL_API result<mapping, segment_failure>
create_segment(directory const& where, segment_spec const& spec,
               void (*fill)(std::byte* base, void* context), void* context);

struct segment_expectation {
    segment_id id;
    std::uint32_t layout_version = 0;
    std::uint64_t layout_fingerprint = 0;
};

/// Attaches an existing segment, or refuses it: each check has its own code, and a message that
/// names the file and both values. Never waits, whatever stands under the name.
PARTYWALL_API result<mapping, segment_failure>
attach_segment(directory const& where, segment_expectation const& expected, access how);

/// Takes the name away; who has mapped the segment keeps it. 0 or an errno value (ENOENT: it had
/// none). Never follows a link, never removes a directory.
PARTYWALL_API int unlink_segment(directory const& where, segment_id const& id) noexcept;

/// What is there by name, in no order. Names that are not of segments are left out; a directory
/// that cannot be read is empty.
PARTYWALL_API std::vector<segment_id> list_segments(directory const& where);

/// Removes files that killed creators left under temporary names (only where unnamed files,
/// O_TMPFILE, or /proc are missing). Creators that live are left alone. Returns how
/// many it removed.
PARTYWALL_API std::size_t sweep_temporaries(directory const& where) noexcept;

namespace detail::for_test {
/// true: create as if the file system had no O_TMPFILE. For this process, until called again.
PARTYWALL_API void disable_tmpfile(bool disabled) noexcept;
/// true: create as if /proc were not mounted. For this process, until called again.
PARTYWALL_API void disable_proc(bool disabled) noexcept;
/// true: do not compare with the free space first, so that the kernel is the one to refuse.
PARTYWALL_API void disable_space_check(bool disabled) noexcept;
} // namespace detail::for_test

} // namespace partywall::inline v0
