// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cerrno>
#include <cstddef>
#include <fcntl.h>
#include <string>
#include <sys/mman.h>
#include <system_error>
#include <unistd.h>

namespace partywall::bench {

/// A file of zeros in memory, made by whoever comes first.
class mapped_file {
  public:
    mapped_file(std::string const& path, std::size_t bytes) : bytes_(bytes) {
        int const fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0 || ::ftruncate(fd, static_cast<off_t>(bytes)) != 0) {
            fail(path);
        }
        memory_ = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
        ::close(fd);
        if (memory_ == MAP_FAILED) {
            fail(path);
        }
    }
    ~mapped_file() { ::munmap(memory_, bytes_); }
    mapped_file(mapped_file const&) = delete;
    mapped_file& operator=(mapped_file const&) = delete;

    std::byte* data() const noexcept { return static_cast<std::byte*>(memory_); }

  private:
    [[noreturn]] static void fail(std::string const& path) {
        throw std::system_error(errno, std::generic_category(), path);
    }
    std::size_t bytes_;
    void* memory_ = nullptr;
};

} // namespace partywall::bench
