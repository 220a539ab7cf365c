// SPDX-License-Identifier: BSL-1.0
#include "scratch_root.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <stdexcept>
#include <string_view>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace partywall::test {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view prefix = "partywall-test-";
constexpr std::time_t abandoned_after_s = 3600;

std::string shared_memory_root() {
    char const* const asked = std::getenv("PARTYWALL_TEST_SHM");
    return asked != nullptr && *asked != '\0' ? asked : "/dev/shm";
}

/// Removes `path` although a test may have taken the permissions of directories away.
std::error_code remove_tree(std::string const& path) {
    std::error_code error;
    fs::remove_all(path, error);
    if (!error) {
        return error;
    }
    ::chmod(path.c_str(), 0700);
    for (fs::recursive_directory_iterator at(path, error), end; !error && at != end;
         at.increment(error)) {
        if (at->is_directory() && !at->is_symlink()) {
            ::chmod(at->path().c_str(), 0700);
        }
    }
    error.clear();
    fs::remove_all(path, error);
    return error;
}

} // namespace

scratch_root::scratch_root() {
    static std::atomic<unsigned> next{0};
    for (;;) {
        path_ = shared_memory_root() + "/" + std::string(prefix) + std::to_string(::getpid()) +
                "-" + std::to_string(next.fetch_add(1, std::memory_order_relaxed));
        if (::mkdir(path_.c_str(), 0700) == 0) {
            ::chmod(path_.c_str(), 0700); // whatever the umask is
            return;
        }
        if (errno != EEXIST) { // EEXIST: left by a killed run whose pid we got
            throw std::runtime_error("cannot create " + path_ + ": " +
                                     std::generic_category().message(errno));
        }
    }
}

scratch_root::~scratch_root() {
    if (std::error_code const error = remove_tree(path_)) {
        ADD_FAILURE() << "cannot remove " << path_ << ": " << error.message();
    }
}

std::vector<std::string> scratch_root::leftovers() const {
    std::vector<std::string> found;
    for (fs::directory_entry const& entry : fs::recursive_directory_iterator(path_)) {
        std::string name = fs::path(entry.path()).lexically_relative(path_).string();
        if (entry.is_directory() && !entry.is_symlink()) {
            name += '/';
        }
        found.push_back(std::move(name));
    }
    std::sort(found.begin(), found.end());
    return found;
}

int sweep_scratch_roots() {
    int removed = 0;
    std::error_code error;
    for (fs::directory_iterator at(shared_memory_root(), error), end; !error && at != end;
         at.increment(error)) {
        std::string const name = at->path().filename().string();
        if (!std::string_view(name).starts_with(prefix)) {
            continue;
        }
        pid_t pid = 0;
        char const* const digits = name.data() + prefix.size();
        auto const parsed = std::from_chars(digits, name.data() + name.size(), pid);
        if (parsed.ec != std::errc() || pid <= 0 || ::kill(pid, 0) == 0 || errno != ESRCH) {
            continue;
        }
        // A pid of another PID namespace looks dead from here: only old ones are surely nobody's.
        struct stat status {};
        if (::lstat(at->path().c_str(), &status) != 0 || !S_ISDIR(status.st_mode) ||
            status.st_uid != ::geteuid() ||
            std::time(nullptr) - status.st_mtim.tv_sec < abandoned_after_s) {
            continue;
        }
        removed += remove_tree(at->path().string()) ? 0 : 1;
    }
    return removed;
}

} // namespace partywall::test
