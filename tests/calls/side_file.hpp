// SPDX-License-Identifier: BSL-1.0
// What is told of each request beside the library, by whoever and however it ends: a byte per request,
// changed by pwrite, so that what was written before a kill is there after it.
#pragma once

#include <cstdint>
#include <fcntl.h>
#include <string>
#include <unistd.h>

namespace partywall::test {

class side_file {
  public:
    explicit side_file(std::string const& path)
        : descriptor_(::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600)) {}
    ~side_file() { ::close(descriptor_); }
    side_file(side_file const&) = delete;
    side_file& operator=(side_file const&) = delete;

    /// One execution more.
    void count(std::uint64_t request) const { set(request, static_cast<char>(of(request) + 1)); }
    void set(std::uint64_t request, char value) const {
        (void)!::pwrite(descriptor_, &value, 1, static_cast<off_t>(request));
    }
    int of(std::uint64_t request) const {
        char value = 0;
        (void)!::pread(descriptor_, &value, 1, static_cast<off_t>(request));
        return value;
    }

  private:
    int descriptor_;
};

} // namespace partywall::test
