// SPDX-License-Identifier: BSL-1.0
// Two processes on two processors that share a piece of memory: what every row of the floor runs
// in.
#pragma once

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace partywall::bench {

[[noreturn]] inline void give_up(char const* what) {
    std::perror(what);
    std::exit(1);
}

/// The processors that this process may use.
inline std::vector<int> processors() {
    cpu_set_t set;
    if (::sched_getaffinity(0, sizeof set, &set) != 0) {
        give_up("sched_getaffinity");
    }
    std::vector<int> all;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (CPU_ISSET(cpu, &set)) {
            all.push_back(cpu);
        }
    }
    return all;
}

inline void pin(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (::sched_setaffinity(0, sizeof set, &set) != 0) {
        give_up("sched_setaffinity");
    }
}

/// Zeroed memory that forked children share.
class shared_memory {
  public:
    explicit shared_memory(std::size_t bytes)
        : bytes_(bytes), memory_(::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                                        MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0)) {
        if (memory_ == MAP_FAILED) {
            give_up("mmap");
        }
    }
    ~shared_memory() { ::munmap(memory_, bytes_); }
    shared_memory(shared_memory const&) = delete;
    shared_memory& operator=(shared_memory const&) = delete;

    std::byte* data() const noexcept { return static_cast<std::byte*>(memory_); }

  private:
    std::size_t bytes_;
    void* memory_;
};

/// Runs `here` in this process and `there` in a forked one. Returns what `here` returns.
template <class Here, class There>
double run_pair(int cpu_here, int cpu_there, Here here, There there) {
    pid_t const parent = ::getpid();
    pin(cpu_there); // the child is born there: nobody waits for a processor on which we spin
    pid_t const child = ::fork();
    if (child < 0) {
        give_up("fork");
    }
    if (child == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL); // it spins: it must not outlive us
        if (::getppid() != parent) {
            std::_Exit(1);
        }
        there();
        std::_Exit(0);
    }
    pin(cpu_here);
    double const result = here();
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (status != 0) {
        std::fprintf(stderr, "the other process failed\n");
        std::exit(1);
    }
    return result;
}

} // namespace partywall::bench
