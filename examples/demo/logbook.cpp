// SPDX-License-Identifier: BSL-1.0
#include "logbook.hpp"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <system_error>
#include <unistd.h>

namespace demo {

logbook::logbook(std::string const& path)
    : file_(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) {
    if (file_ < 0) {
        throw std::system_error(errno, std::generic_category(), path);
    }
}

logbook::~logbook() { ::close(file_); }

void logbook::append(record const& r) {
    while (::write(file_, &r, sizeof r) != sizeof r) {
        if (errno != EINTR) {
            throw std::system_error(errno, std::generic_category(), "writing a log");
        }
    }
}

std::vector<record> read_log(std::string const& path) {
    std::vector<record> all;
    std::ifstream file(path, std::ios::binary);
    record r;
    while (file.read(reinterpret_cast<char*>(&r), sizeof r)) {
        all.push_back(r);
    }
    return all;
}

std::uint64_t hash_of(std::string_view text) noexcept {
    std::uint64_t hash = 0xcbf2'9ce4'8422'2325;
    for (char const c : text) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100'0000'01b3;
    }
    return hash;
}

std::uint64_t add_hash(std::uint64_t checksum, std::uint64_t hash) noexcept {
    return (checksum ^ hash) * 0x9e37'79b9'7f4a'7c15 + 1;
}

std::uint64_t now_ns() noexcept {
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                          std::chrono::steady_clock::now().time_since_epoch())
                                          .count());
}

} // namespace demo
