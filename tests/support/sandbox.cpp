// SPDX-License-Identifier: BSL-1.0
#include "sandbox.hpp"

#include "counts.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <fstream>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdexcept>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <system_error>
#include <thread>
#include <unistd.h>

namespace partywall::test {
namespace {

bool write_line(char const* path, std::string const& line) {
    std::ofstream file(path);
    file << line << std::flush;
    return file.good();
}

long long now_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

} // namespace

bool enter_namespaces(int flags) {
    if (::unshare(flags) == 0) {
        return true;
    }
    std::string const uid = std::to_string(::geteuid());
    std::string const gid = std::to_string(::getegid());
    return errno == EPERM && ::unshare(flags | CLONE_NEWUSER) == 0 &&
           write_line("/proc/self/setgroups", "deny") &&
           write_line("/proc/self/uid_map", uid + " " + uid + " 1") &&
           write_line("/proc/self/gid_map", gid + " " + gid + " 1");
}

bool mount_tmpfs(std::string const& where, std::string const& options) {
    // Private first, or the mount would show up in everybody's namespace.
    return ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           ::mount("partywall-test", where.c_str(), "tmpfs", MS_NOSUID | MS_NODEV,
                   options.c_str()) == 0;
}

bool become(uid_t user, gid_t group) {
    return ::setgroups(0, nullptr) == 0 && ::setgid(group) == 0 && ::setuid(user) == 0;
}

bool mount_overlay(std::string const& where, std::string const& scratch) {
    std::string const lower = scratch + "/lower";
    std::string const upper = scratch + "/upper";
    std::string const work = scratch + "/work";
    for (std::string const* const one : {&lower, &upper, &work}) {
        if (::mkdir(one->c_str(), 0700) != 0) {
            return false;
        }
    }
    std::string const options = "lowerdir=" + lower + ",upperdir=" + upper + ",workdir=" + work;
    return ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           ::mount("overlay", where.c_str(), "overlay", 0, options.c_str()) == 0;
}

namespace {

/// System call `number` ends as `then` says, all others as `otherwise` says.
void filter_system_calls(long number, std::uint32_t then, std::uint32_t otherwise) {
    std::array<sock_filter, 4> code = {{
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(number), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, then),
        BPF_STMT(BPF_RET | BPF_K, otherwise),
    }};
    sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
        throw std::runtime_error("seccomp: " + std::generic_category().message(errno));
    }
}

} // namespace

void forbid_system_call(long number, int error) {
    filter_system_calls(number, SECCOMP_RET_ERRNO | static_cast<unsigned>(error),
                        SECCOMP_RET_ALLOW);
}

void forbid_system_calls() {
    filter_system_calls(SYS_exit_group, SECCOMP_RET_ALLOW, SECCOMP_RET_KILL_PROCESS);
}

bool is_asleep(int tid) {
    std::ifstream file("/proc/" + std::to_string(tid) + "/stat");
    std::string text;
    std::getline(file, text);
    std::size_t const end = text.rfind(") "); // the name before it may hold anything
    return end != std::string::npos && text.size() > end + 2 && text[end + 2] == 'S';
}

few_descriptors::few_descriptors(int left) {
    int const lowest = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ::close(lowest);
    ::getrlimit(RLIMIT_NOFILE, &before_);
    rlimit const now{static_cast<rlim_t>(lowest + left), before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &now);
}

few_descriptors::~few_descriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

namespace waiting_detail {

patience::patience()
    : until_ns_(now_ns() + std::chrono::duration_cast<std::chrono::nanoseconds>(
                               scaled(std::chrono::seconds(50)))
                               .count()) {}

void patience::yield() {
    if (now_ns() > until_ns_) {
        throw std::runtime_error("what should have happened did not");
    }
    std::this_thread::yield();
}

} // namespace waiting_detail
} // namespace partywall::test
