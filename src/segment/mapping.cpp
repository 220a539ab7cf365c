// SPDX-License-Identifier: BSL-1.0
#include "mapping_access.hpp"

#include <partywall/os/private_memory.hpp>

#include <boost/interprocess/exceptions.hpp>
#include <boost/interprocess/mapped_region.hpp>

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace partywall::inline v0 {
namespace detail {
namespace {

/// What Boost.Interprocess maps: any object that can show a descriptor. Its own file and
/// shared-memory objects create and open in ways that are not crash-safe.
class open_file {
  public:
    explicit open_file(int fd) noexcept : fd_(fd) {}
    boost::interprocess::mapping_handle_t get_mapping_handle() const noexcept {
        boost::interprocess::mapping_handle_t handle{};
        handle.handle = fd_;
        handle.is_xsi = false;
        return handle;
    }

  private:
    int fd_;
};

} // namespace

struct region {
    boost::interprocess::mapped_region mapped;
};

result<mapping, int> mapping_access::make(int fd, std::uint64_t bytes, access how) {
    auto const identity = os::identity_of(fd);
    if (!identity) {
        return errno;
    }
    try {
        mapping made;
        made.region_ = std::make_unique<region>(region{boost::interprocess::mapped_region(
            open_file(fd),
            how == access::read_only ? boost::interprocess::read_only
                                     : boost::interprocess::read_write,
            0, static_cast<std::size_t>(bytes))});
        made.data_ = static_cast<std::byte*>(made.region_->mapped.get_address());
        made.size_ = made.region_->mapped.get_size();
        made.identity_ = *identity;
        return made;
    } catch (boost::interprocess::interprocess_exception const& failed) {
        int const error = static_cast<int>(failed.get_native_error());
        return error != 0 ? error : ENOMEM;
    }
}

} // namespace detail

mapping::mapping() noexcept = default;

mapping::mapping(mapping&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)),
      incarnation_(std::exchange(other.incarnation_, 0)),
      identity_(std::exchange(other.identity_, {})), region_(std::move(other.region_)) {}

mapping& mapping::operator=(mapping&& other) noexcept {
    if (this != &other) {
        reset();
        data_ = std::exchange(other.data_, nullptr);
        size_ = std::exchange(other.size_, 0);
        incarnation_ = std::exchange(other.incarnation_, 0);
        identity_ = std::exchange(other.identity_, {});
        region_ = std::move(other.region_);
    }
    return *this;
}

mapping::~mapping() = default;

bool mapping::prefault(std::uint64_t bytes) const noexcept {
    std::uint64_t const wanted = std::min<std::uint64_t>(bytes, size_);
    if (wanted == 0) {
        return data_ != nullptr;
    }
    // For reading also where we may write: pages of a memory file map the same way for both, and
    // writing what others may be writing is no way to touch it.
    if (::madvise(data_, wanted, MADV_POPULATE_READ) == 0) {
        return true;
    }
    if (errno != EINVAL) {
        return false;
    }
    // Before Linux 5.14: one load per page.
    auto const page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    for (std::uint64_t at = 0; at < wanted; at += page) {
        (void)*static_cast<std::byte const volatile*>(data_ + at);
    }
    return true;
}

bool mapping::lock() const noexcept {
    // On fault: what is reserved and was never touched stays so.
    return data_ != nullptr && (::mlock2(data_, size_, MLOCK_ONFAULT) == 0);
}

void mapping::reset() noexcept {
    data_ = nullptr;
    size_ = 0;
    incarnation_ = 0;
    identity_ = {};
    region_.reset();
}

void mapping::forsake() noexcept {
    if (data_ != nullptr) {
        (void)os::replace_by_private(data_, size_);
    }
}

} // namespace partywall::inline v0
