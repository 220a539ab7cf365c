// SPDX-License-Identifier: BSL-1.0
// A process whose system calls fail: the first, the second, ... of each operation, with each of the
// errors that a kernel may have for it, once and from then on for good. The operation says so or does
// without; it succeeds when it is tried again; and when the process has left, one recovery finds
// nothing that it left behind, and it has no descriptor or mapping more than before.
#include "census.hpp"
#include "store_trap.hpp"

#include <calls/support.hpp>
#include <partywall/breaker/breaker.hpp>
#include <support/counts.hpp>
#include <support/watchdog.hpp>
#include <survey/support.hpp>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <linux/futex.h>
#include <memory>
#include <sstream>
#include <sys/syscall.h>

namespace partywall::test {
namespace {

/// What a system call may say, worst first; nothing of those that cannot fail, or whose failure would
/// be a leak by itself (munmap).
std::vector<int> const& errors_of(long call) {
    using list = std::vector<int>;
    static list const none;
    static std::map<long, list> const all = {
        {SYS_openat, {EMFILE, EINTR, ENOMEM, EACCES, ENFILE, ENOSPC, EPERM}},
        {SYS_mmap, {ENOMEM, EAGAIN, ENFILE, EPERM}},
        {SYS_madvise, {ENOMEM, EINVAL, EAGAIN, EPERM}},
        {SYS_ftruncate, {ENOSPC, EINTR, EIO, EFBIG, EPERM}},
        {SYS_fallocate, {ENOSPC, EINTR, EOPNOTSUPP, ENOSYS, EDQUOT, EPERM}},
        {SYS_fcntl, {ENOLCK, EINTR, EAGAIN, EACCES, ENOMEM, EMFILE}},
        {SYS_flock, {ENOLCK, EINTR, EWOULDBLOCK}},
        {SYS_fstat, {ENOMEM, EOVERFLOW}},
        {SYS_newfstatat, {ENOMEM, EACCES, ENOENT}},
        {SYS_statx, {ENOMEM, EACCES}},
        {SYS_linkat, {ENOSPC, EEXIST, EPERM, EMLINK, ENOMEM, EXDEV}},
        {SYS_renameat, {ENOSPC, EACCES, ENOMEM}},
        {SYS_renameat2, {ENOSPC, EINVAL, ENOSYS, EEXIST, EPERM, ENOMEM}},
        {SYS_rename, {ENOSPC, EACCES, ENOMEM}},
        {SYS_unlinkat, {EACCES, EBUSY, EPERM, EIO, ENOENT}},
        {SYS_mkdir, {ENOSPC, EACCES, EDQUOT, EEXIST}},
        {SYS_mkdirat, {ENOSPC, EACCES, EDQUOT, EEXIST}},
        {SYS_mknodat, {ENOSPC, EACCES, EPERM, EDQUOT}},
        {SYS_chmod, {EPERM, EROFS}},
        {SYS_fchmod, {EPERM, EROFS}},
        {SYS_getdents64, {EIO, ENOMEM}},
        {SYS_read, {EIO, EINTR, EAGAIN}},
        {SYS_pread64, {EIO, EINTR}},
        {SYS_write, {EIO, EINTR, EAGAIN, EPIPE}},
        {SYS_close, {EINTR, EIO}},
        {SYS_futex, {EINTR, EAGAIN, EPERM, ENOSYS}},
        {SYS_futex_waitv, {ENOSYS, EINTR, EAGAIN, EPERM, ENOMEM}},
        {SYS_clock_nanosleep, {EINTR}},
        {SYS_membarrier, {EPERM, ENOSYS, EINVAL}},
        {SYS_getrandom, {ENOSYS, EINTR, EAGAIN}},
        {SYS_pidfd_open, {EMFILE, ENOSYS, EPERM, ESRCH, ENOMEM}},
        {SYS_epoll_create1, {EMFILE, ENFILE, ENOMEM}},
        {SYS_epoll_ctl, {ENOMEM, ENOSPC, EPERM}},
        {SYS_epoll_wait, {EINTR}},
        {SYS_epoll_pwait, {EINTR}},
        {SYS_ppoll, {EINTR, ENOMEM}},
        {SYS_timerfd_create, {EMFILE, ENFILE, ENOMEM}},
        {SYS_timerfd_settime, {ECANCELED}},
        {SYS_readlink, {EACCES, ENOMEM}},
    };
    auto const found = all.find(call);
    return found == all.end() ? none : found->second;
}

/// What is said again and again only by what is broken: it may be tried for ever.
bool passes(int error) { return error == EINTR || error == EAGAIN; }

std::size_t which_error = 0;
bool for_good = false;
std::uint64_t failed = 0;
int error_of(long call, long const* arguments) {
    // A wake-up has no error that anybody expects: the C library ends the process then.
    constexpr long waits = FUTEX_WAIT_BITSET;
    if (call == SYS_futex && (arguments[1] & FUTEX_CMD_MASK) != waits &&
        (arguments[1] & FUTEX_CMD_MASK) != FUTEX_WAIT) {
        return 0;
    }
    auto const& errors = errors_of(call);
    int error = which_error < errors.size() ? errors[which_error] : 0;
    error = for_good && passes(error) ? 0 : error;
    failed += error != 0 ? 1 : 0;
    return error;
}

/// What the operation is done with.
struct workplace {
    std::string root;
    std::optional<participant> me;
    std::vector<std::shared_ptr<void>> made;

    /// Keeps what was made, or says why there is none.
    template <class Made>
    std::string keep(Made&& one) {
        if (!one) {
            return one.error().message.empty() ? "without a word" : one.error().message;
        }
        using value = std::decay_t<decltype(*one)>;
        made.push_back(std::make_shared<value>(std::move(*one)));
        return {};
    }
    template <class T>
    T& first() const {
        return *static_cast<T*>(made.at(0).get());
    }
};

std::string in_words_unless(bool good, std::string_view otherwise) {
    return good ? std::string() : "call: " + std::string(otherwise);
}

struct deed {
    char const* name;
    /// Of the object that an error has to name; nullptr: a call on a handle, whose errors are codes.
    char const* object;
    /// Not trapped.
    void (*prepare)(workplace&);
    /// Trapped. Empty, or what the library said.
    std::string (*run)(workplace&);
    /// Finds somebody dead.
    bool corpse = false;
    /// By a server or a respondent, in threads of the test.
    bool answered = false;
};

void nothing(workplace&) {}
template <class Made>
void must(workplace& w, Made&& one) {
    std::string const why = w.keep(std::forward<Made>(one));
    if (!why.empty()) {
        role_check_failed(why.c_str(), __FILE__, __LINE__);
    }
}
std::string let_go(workplace& w) {
    w.made.clear();
    return {};
}

auto publisher_of(workplace& w) { return w.me->publisher<tick>("t", gated(4, overflow::block)); }
auto subscriber_of(workplace& w) { return w.me->subscriber<tick>("t", lossless()); }
auto latest_of(workplace& w) { return w.me->latest<tick>("value"); }
auto receiver_of(workplace& w) { return w.me->receiver<tick>("mine", lanes_of(4)); }
auto sender_of(workplace& w) { return w.me->sender<tick>("in", sending(overflow::block, 2ms)); }
auto client_of(workplace& w) { return w.me->client<ask, told>("s", calling(1s)); }
auto server_of(workplace& w) {
    return w.me->server<ask, told>(
        "mine", [](ask const& a) { return told::of(a.number); }, serving(4));
}
auto surveyor_of(workplace& w) { return w.me->surveyor<ask, told>("q", asking(1s)); }
auto respondent_of(workplace& w) {
    return w.me->respondent<ask, told>("mine", [](ask const& a) { return told::of(a.number); });
}
auto breaker_of(workplace& w) {
    breaker_options rules;
    rules.scope = breaker_scope::host;
    rules.half_open_max = 1s;
    return w.me->breaker("mine", rules);
}

#define MAKES(what, object)                                                                        \
    deed{"make_" #what, object, nothing, [](workplace& w) { return w.keep(what##_of(w)); }},       \
        deed {                                                                                     \
        "close_" #what, object, [](workplace& w) { must(w, what##_of(w)); }, let_go                \
    }

/// The blocking calls end by themselves: their time is short.
std::vector<deed> deeds() {
    return {
        {"join", "/d", [](workplace& w) { w.me.reset(); },
         [](workplace& w) {
             join_options options;
             options.domain = "d";
             options.root = w.root;
             auto made = join("other", options);
             if (!made) {
                 return made.error().message.empty() ? "without a word" : made.error().message;
             }
             w.me.emplace(std::move(*made));
             return std::string();
         }},
        {"leave", nullptr, nothing,
         [](workplace& w) {
             w.me.reset();
             return std::string();
         }},
        {"leave_with_all", nullptr,
         [](workplace& w) {
             must(w, publisher_of(w));
             must(w, receiver_of(w));
             must(w, sender_of(w));
             must(w, breaker_of(w));
         },
         [](workplace& w) {
             w.made.clear();
             w.me.reset();
             return std::string();
         }},
        {"recover", nullptr, nothing,
         [](workplace& w) {
             (void)w.me->recover(); // what it could not do it leaves to the next one
             return std::string();
         },
         true},
        MAKES(publisher, "t"),
        MAKES(subscriber, "t"),
        MAKES(latest, "value"),
        MAKES(receiver, "mine"),
        {"make_sender", "in", nothing, [](workplace& w) { return w.keep(sender_of(w)); }},
        MAKES(client, "s"),
        MAKES(server, "mine"),
        MAKES(surveyor, "q"),
        MAKES(respondent, "mine"),
        {"make_breaker", "mine", nothing, [](workplace& w) { return w.keep(breaker_of(w)); }},
        {"receive_nothing", nullptr, [](workplace& w) { must(w, subscriber_of(w)); },
         [](workplace& w) {
             auto const s = w.first<subscriber<tick>>().receive(2ms);
             return in_words_unless(s.error() == receive_errc::timed_out, to_string(s.error()));
         }},
        {"send_to_a_full_topic", nullptr,
         [](workplace& w) {
             must(w, publisher_of(w));
             must(w, subscriber_of(w));
             while (w.first<publisher<tick>>().send(tick::of(0), 0ns)) {
             }
         },
         [](workplace& w) {
             auto const r = w.first<publisher<tick>>().send(tick::of(1), 2ms);
             return in_words_unless(r.error() == send_errc::timed_out, to_string(r.error()));
         }},
        {"call", nullptr, [](workplace& w) { must(w, client_of(w)); },
         [](workplace& w) {
             auto& c = w.first<client<ask, told>>();
             if (auto const r = c.wait_for_server(50ms); !r) {
                 return in_words_unless(false, to_string(r.error()));
             }
             auto const reply = c.call(ask::of(1));
             return reply ? in_words_unless((**reply).answers(1), "another's reply")
                          : in_words_unless(false, to_string(reply.error().reason));
         },
         false, true},
        {"ask_all", nullptr, [](workplace& w) { must(w, surveyor_of(w)); },
         [](workplace& w) {
             auto& s = w.first<surveyor<ask, told>>();
             if (auto const r = s.wait_for_respondents(1, 50ms); !r) {
                 return in_words_unless(false, to_string(r.error()));
             }
             auto survey = s.ask(ask::of(1));
             if (!survey) {
                 return in_words_unless(false, to_string(survey.error()));
             }
             auto const* const answer = survey->next(1s);
             return in_words_unless(answer != nullptr, "no answer");
         },
         false, true},
        {"watch", nullptr, nothing,
         [](workplace& w) {
             auto watch = w.me->watch();
             auto const r = watch.next(1s);
             return r ? std::string() : in_words_unless(false, r.error().message);
         }},
        {"descriptor", nullptr, [](workplace& w) { must(w, subscriber_of(w)); },
         [](workplace& w) {
             auto& s = w.first<subscriber<tick>>();
             auto const fd = s.fd();
             (void)s.try_receive();
             return fd ? std::string() : in_words_unless(false, fd.error().message);
         }},
        {"wait_for_several", nullptr,
         [](workplace& w) {
             must(w, subscriber_of(w));
             must(w, receiver_of(w));
         },
         [](workplace& w) {
             wait_set set = w.me->wait_set();
             auto const a = set.add(w.first<subscriber<tick>>(), 1);
             auto const b = set.add(*static_cast<receiver<tick>*>(w.made.at(1).get()), 2);
             auto const c = set.add_timer(std::chrono::steady_clock::now() + 1ms, 0ns, 3);
             if (!a || !b || !c) {
                 return in_words_unless(false, "add");
             }
             auto const r = set.wait(1s);
             return r ? std::string() : in_words_unless(false, to_string(r.error()));
         }},
    };
}
#undef MAKES

std::string belongings(std::string const& root) {
    std::ifstream maps("/proc/self/maps");
    std::size_t mapped = 0;
    for (std::string line; std::getline(maps, line);) {
        mapped += line.find(root + "/d/") != std::string::npos ? 1 : 0;
    }
    auto const open = std::filesystem::directory_iterator("/proc/self/fd");
    return std::to_string(std::distance(begin(open), end(open))) + " descriptors, " +
           std::to_string(mapped) + " mappings";
}

deed const& deed_named(std::string const& name) {
    static std::vector<deed> const all = deeds();
    return *std::find_if(all.begin(), all.end(), [&](deed const& d) { return d.name == name; });
}

/// root, deed. Told at which system call, with which error, and whether for good; says how many calls
/// there were and what came of it.
PARTYWALL_ROLE(has_failing_calls) {
    deed const& what = deed_named(context.arg(1));
    trap_record& record = open_trap_record(context.arg(0));
    workplace w{context.arg(0), {}, {}};
    context.send("ready");
    for (std::string line = context.receive(); line != "leave"; line = context.receive()) {
        std::istringstream words(line);
        std::uint64_t at = 0;
        words >> at >> which_error >> for_good;
        w.me.emplace(joined(w.root, "other"));
        what.prepare(w);
        context.send("prepared");
        context.expect("go");
        failed = 0;
        store_trap::arm_failure(record, at, &error_of, for_good);
        std::string const said = what.run(w);
        store_trap::disarm();
        std::uint64_t const points = record.points;
        std::uint64_t const failures = failed;
        std::string const again = said.empty() ? said : what.run(w);
        w.made.clear();
        w.me.reset();
        context.send(std::to_string(points) + " " + std::to_string(failures) + "\n" +
                     belongings(w.root) + "\n" + said + "\n" + again);
    }
    return 0;
}

/// root
PARTYWALL_ROLE(dies_with_endpoints) {
    participant me = joined(context.arg(0), "corpse");
    auto pub = me.publisher<tick>("t", gated(4, overflow::block)).value();
    auto in = me.receiver<tick>("of a corpse").value();
    (void)pub.send(tick::of(1), 0ns);
    context.send(std::to_string(me.ticket()));
    context.hang();
}

class FailingCalls : public testing::TestWithParam<deed> {
  protected:
    void SetUp() override {
        if (char const* const why = store_trap::unsupported()) {
            GTEST_SKIP() << why;
        }
        watchdog::extend(30min);
        record_ = &open_trap_record(root.path());
        victim_ = spawn("has_failing_calls", {root.path(), GetParam().name});
        victim_.expect("ready");
        if (GetParam().answered) {
            s_runs_.emplace(s);
            q_runs_.emplace(q);
        }
    }

    struct outcome {
        std::uint64_t calls = 0;
        std::uint64_t failures = 0;
        std::string belongings, said, again;
    };
    outcome one(std::uint64_t at, std::size_t error, bool ever) {
        victim_.send(std::to_string(at) + " " + std::to_string(error) + " " + std::to_string(ever));
        victim_.expect("prepared");
        if (GetParam().corpse) {
            child corpse = spawn("dies_with_endpoints", {root.path()});
            std::uint64_t const ticket = std::stoull(corpse.receive());
            corpse.kill();
            EXPECT_EQ(corpse.wait(), killed_by(SIGKILL));
            eventually([&] { return me.core()->proven_dead(ticket); });
        }
        victim_.send("go");
        std::istringstream lines(victim_.receive());
        outcome o;
        lines >> o.calls >> o.failures;
        lines.ignore();
        std::getline(lines, o.belongings);
        std::getline(lines, o.said);
        std::getline(lines, o.again);
        return o;
    }
    /// What there is after one recovery. Mine have taken leave of the victim too.
    census counted() {
        while (sub.try_receive().error() != receive_errc::empty) {
        }
        while (in.try_receive().error() != receive_errc::empty) {
        }
        if (!s_runs_) {
            (void)s.poll();
            (void)q.poll();
        }
        (void)me.recover();
        return {root, seen_, {{me.ticket(), "the test"}}};
    }
    /// What runs in threads takes its time.
    census counted_in_the_end() {
        census now = counted();
        if (s_runs_) {
            eventually([&] { return (now = counted()) == *census_; });
        }
        return now;
    }
    std::string moment(std::uint64_t at, int error, bool ever) const {
        return "system call " + std::to_string(record_->at(at).where) + ", number " +
               std::to_string(at) + ", failed with " + strerrorname_np(error) +
               (ever ? " for good" : "");
    }
    void check(outcome const& o, std::string const& when) {
        EXPECT_EQ(o.belongings, belongings_) << when << "; it said: " << o.said;
        EXPECT_EQ(o.again, "") << when << "; tried again, having said: " << o.said;
        if (census const now = counted_in_the_end(); !(now == *census_)) {
            ADD_FAILURE() << when << "; it said: " << o.said << "\n"
                          << census::difference(*census_, now);
        }
        bool const names = o.said.empty() || GetParam().object == nullptr ||
                           o.said.find(GetParam().object) != std::string::npos;
        EXPECT_TRUE(names) << when << "; does not name its object: " << o.said;
        failures_ += o.failures != 0 ? 1 : 0;
        errors_ += o.said.empty() ? 0 : 1;
    }

    scratch_root root;
    participant me = joined(root.path());
    publisher<tick> pub = me.publisher<tick>("t", gated(4, overflow::block)).value();
    publisher<tick> value = me.publisher<tick>("value", dropping(4)).value();
    subscriber<tick> sub = me.subscriber<tick>("t", lossless()).value();
    receiver<tick> in = me.receiver<tick>("in", lanes_of(64)).value();
    server<ask, told> s = me.server<ask, told>(
                                "s", [](ask const& a) { return told::of(a.number); }, serving())
                              .value();
    respondent<ask, told> q =
        me.respondent<ask, told>("q", [](ask const& a) { return told::of(a.number); }).value();
    std::optional<running<server<ask, told>>> s_runs_;
    std::optional<running<respondent<ask, told>>> q_runs_;
    observer seen_{me};
    trap_record* record_ = nullptr;
    child victim_;
    std::string belongings_;
    std::optional<census> census_;
    std::uint64_t failures_ = 0;
    std::uint64_t errors_ = 0;
};

TEST_P(FailingCalls, AreReportedOrDoneWithoutAndLeaveNothing) {
    (void)one(0, 0, false); // what is allocated once is there afterwards
    outcome const whole = one(0, 0, false);
    ASSERT_EQ(whole.said, "");
    belongings_ = whole.belongings;
    census_.emplace(counted());
    std::vector<long> calls;
    for (std::uint64_t i = 1; i <= whole.calls; ++i) {
        calls.push_back(static_cast<long>(record_->at(i).where));
    }
    std::uint64_t const wanted = test::count(GetParam().corpse ? 16 : 32, 1'000'000);
    std::uint64_t const stride = calls.size() < 2 * wanted ? 1 : calls.size() / wanted;
    std::uint64_t const first = 1 + run_seed() % stride;
    for (std::uint64_t at = first; at <= calls.size() && !HasFailure(); at += stride) {
        // It may be another one this time: it says itself what it fails with.
        long const call = calls[at - 1];
        std::size_t const errors = errors_of(call).size();
        for (std::size_t which = 0; which < errors && which < test::count(1, 99); ++which) {
            for (bool const ever : {false, true}) {
                int const error = errors_of(call)[which];
                if (ever && passes(error)) {
                    continue;
                }
                try {
                    check(one(at, which, ever), moment(at, error, ever));
                } catch (std::exception const& e) {
                    FAIL() << moment(at, error, ever) << ": " << e.what();
                }
            }
        }
    }
    std::printf("%s: %llu of %zu system calls, %llu failures, %llu errors\n", GetParam().name,
                static_cast<unsigned long long>((calls.size() - first) / stride + 1), calls.size(),
                static_cast<unsigned long long>(failures_),
                static_cast<unsigned long long>(errors_));
    EXPECT_GT(failures_, 0u);
    victim_.send("leave");
    EXPECT_EQ(victim_.wait(), exited(0));
}

INSTANTIATE_TEST_SUITE_P(Of, FailingCalls, testing::ValuesIn(deeds()),
                         [](auto const& one) { return std::string(one.param.name); });

void PrintTo(deed const& what, std::ostream* out) { *out << what.name; }

} // namespace
} // namespace partywall::test
