// SPDX-License-Identifier: BSL-1.0
// What somebody else's program does first: the two halves of the README's example in one process,
// after a look at whether headers and library agree. Compiled with and without exceptions.
#include <partywall/partywall.hpp>

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

struct quote {
    double bid, ask;
};

static int fail(char const* what, std::string_view why) {
    std::fprintf(stderr, "%s: %.*s\n", what, static_cast<int>(why.size()), why.data());
    return 1;
}

/// From here on this process may make no system call but what it takes to say so and to end. False:
/// this kernel or sandbox does not do that.
static bool forbid_system_calls() {
    sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    sock_fprog program{sizeof code / sizeof code[0], code};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

int main() {
    using namespace std::chrono_literals;
    if (partywall::linked_version() != PARTYWALL_VERSION) {
        return fail("version", "the headers are not those of the library");
    }
    auto me = partywall::join("consumer", {.domain = "consumer"});
    if (!me) {
        return fail("join", me.error().message);
    }
    auto viewer = me->subscriber<quote>("market/eurusd");
    if (!viewer) {
        return fail("subscriber", viewer.error().message);
    }
    auto pricer = me->publisher<quote>("market/eurusd");
    if (!pricer) {
        return fail("publisher", pricer.error().message);
    }
    // The subscriber looks for publishers when it receives, so it comes to meet this one here.
    (void)viewer->try_receive();
    if (auto there = pricer->wait_for_subscribers(1, 10s); !there) {
        return fail("wait_for_subscribers", to_string(there.error()));
    }
    if (auto sent = pricer->send({.bid = 1.07, .ask = 1.08}); !sent) {
        return fail("send", to_string(sent.error()));
    }
    auto q = viewer->receive(10s);
    if (!q) {
        return fail("receive", to_string(q.error()));
    }
    if (q->bid != 1.07 || q->ask != 1.08) {
        return fail("receive", "not what was sent");
    }
    q.reset();
    // The hot path is the same whichever way the library is linked.
    if (!forbid_system_calls()) {
        std::printf("system calls cannot be forbidden here: not tried\n");
        return 0;
    }
    for (int i = 0; i < 1000; ++i) {
        if (!pricer->send({.bid = 1.0 * i, .ask = 0})) {
            return fail("send", "without system calls");
        }
        auto const again = viewer->try_receive();
        if (!again || again->bid != i) {
            return fail("receive", "without system calls");
        }
    }
    std::_Exit(0);
}
