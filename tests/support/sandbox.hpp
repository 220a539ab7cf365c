// SPDX-License-Identifier: BSL-1.0
// Surroundings that a process cannot leave again; for roles and forked children only.
#pragma once

#include <atomic>
#include <string>
#include <sys/resource.h>
#include <sys/types.h>
#include <thread>
#include <unistd.h>

namespace partywall::test {

/// unshare(flags), by way of a user namespace where the user may not do it otherwise (in which
/// the user keeps his ids). False where the machine allows neither: then the test skips.
/// After CLONE_NEWPID the next fork() is the first process of the namespace.
bool enter_namespaces(int flags);

/// Is that user from now on, in no other group. False where the process may not choose.
bool become(uid_t user, gid_t group);

/// Mounts an empty tmpfs there, seen by this process only; `options` as for mount(8). Needs a
/// mount namespace (CLONE_NEWNS) of one's own.
bool mount_tmpfs(std::string const& where, std::string const& options);
/// The same with an overlay whose layers are in `scratch`, an empty directory.
bool mount_overlay(std::string const& where, std::string const& scratch);

/// From now on system call `number` fails with `error` for this process and its children.
void forbid_system_call(long number, int error);

/// From now on every system call of this thread but the end of the process kills the process
/// (SIGSYS).
void forbid_system_calls();

/// Leaves this process `left` free descriptors for as long as it lives.
class few_descriptors {
  public:
    explicit few_descriptors(int left);
    ~few_descriptors();
    few_descriptors(few_descriptors const&) = delete;
    few_descriptors& operator=(few_descriptors const&) = delete;

  private:
    rlimit before_{};
};

/// Waits until `ready()` is true: yields meanwhile. Throws when it takes so long that something
/// must be broken. For what the kernel does by itself some time after an event.
template <class Ready>
void eventually(Ready const& ready);

/// Whether the thread sleeps in the kernel.
bool is_asleep(int tid);

namespace waiting_detail {
class patience {
  public:
    patience();
    void yield(); ///< throws when it is over

  private:
    long long until_ns_;
};
} // namespace waiting_detail

template <class Ready>
void eventually(Ready const& ready) {
    for (waiting_detail::patience patience; !ready();) {
        patience.yield();
    }
}

/// Runs `blocks` in a thread; once that thread sleeps, `ends_it`. The thread that calls this is
/// the one that spawned the children.
template <class Blocks, class EndsIt>
void while_asleep(Blocks const& blocks, EndsIt const& ends_it) {
    std::atomic<int> tid{0};
    std::thread blocked([&] {
        tid = ::gettid();
        blocks();
    });
    eventually([&] { return tid != 0 && is_asleep(tid); });
    ends_it();
    blocked.join();
}

} // namespace partywall::test
