// SPDX-License-Identifier: BSL-1.0
// fd() of subscribers, receivers and latest, in one process: when it is readable, and who drains it.
#include "support.hpp"

#include <partywall/os/membarrier.hpp>

#include <csignal>
#include <cstdio>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>

namespace partywall::test {
namespace {

/// With slices it would be readable now and then, whether or not anybody woke it.
struct Descriptor : testing::Test {
    no_slices none;
    scratch_root root;
    participant me = joined(root.path());
};

TEST_F(Descriptor, IsReadableUntilNothingIsThere) {
    auto pub = me.publisher<tick>("t", dropping(8)).value();
    auto sub = me.subscriber<tick>("t").value();
    int const fd = sub.fd().value();
    EXPECT_EQ(sub.fd().value(), fd) << "made once";
    EXPECT_TRUE(is_readable(fd)) << "nobody has looked yet";
    EXPECT_EQ(sub.try_receive().error(), receive_errc::empty);
    EXPECT_FALSE(is_readable(fd));
    send_ticks(pub, 0, 3);
    for (std::uint64_t i = 0; i < 3; ++i) {
        EXPECT_TRUE(is_readable(fd));
        EXPECT_EQ(sub.try_receive()->number, i);
    }
    EXPECT_TRUE(is_readable(fd)) << "until a call found nothing";
    EXPECT_FALSE(sub.try_receive());
    EXPECT_FALSE(is_readable(fd));
    EXPECT_FALSE(sub.try_receive());
    EXPECT_FALSE(is_readable(fd));
    send_ticks(pub, 3, 1);
    EXPECT_TRUE(is_readable(fd));
}

TEST_F(Descriptor, IsDrainedByWhateverFindsNothing) {
    auto pub = me.publisher<tick>("t", dropping(8)).value();
    auto sub = me.subscriber<tick>("t").value();
    int const fd = sub.fd().value();
    tick out[4];
    for (int how = 0; how < 3; ++how) {
        send_ticks(pub, 0, 2);
        EXPECT_TRUE(is_readable(fd));
        if (how == 0) {
            EXPECT_EQ(sub.receive_batch(out), 2U);
        } else if (how == 1) {
            for (auto& s : sub) {
                EXPECT_TRUE(s->whole());
            }
        } else {
            while (sub.receive(0ns)) {
            }
        }
        EXPECT_FALSE(is_readable(fd)) << how;
    }
}

TEST_F(Descriptor, OfABatchThatTookAllThereWasRoomForStaysReadable) {
    auto pub = me.publisher<tick>("t", dropping(8)).value();
    auto sub = me.subscriber<tick>("t").value();
    int const fd = sub.fd().value();
    EXPECT_FALSE(sub.try_receive());
    send_ticks(pub, 0, 3);
    tick out[2];
    EXPECT_EQ(sub.receive_batch(out), 2U);
    EXPECT_TRUE(is_readable(fd));
}

TEST_F(Descriptor, IsLeftReadableByACallThatBlocks) {
    auto pub = me.publisher<tick>("t", dropping(8)).value();
    auto sub = me.subscriber<tick>("t").value();
    int const fd = sub.fd().value();
    EXPECT_FALSE(sub.try_receive());
    send_ticks(pub, 0, 2);
    EXPECT_TRUE(sub.receive(1h));
    EXPECT_TRUE(is_readable(fd));
    EXPECT_TRUE(sub.receive(1h));
    EXPECT_FALSE(sub.receive(1ms)) << "and this one found nothing";
    EXPECT_FALSE(is_readable(fd));
    send_ticks(pub, 2, 1);
    EXPECT_TRUE(is_readable(fd));
}

TEST_F(Descriptor, SeesAPublisherThatComesAndOneThatCloses) {
    subscriber_options options;
    options.report_close = true;
    auto sub = me.subscriber<tick>("t", options).value();
    int const fd = sub.fd().value();
    EXPECT_FALSE(sub.try_receive());
    EXPECT_FALSE(is_readable(fd));
    auto pub = me.publisher<tick>("t", dropping(8)).value();
    EXPECT_TRUE(is_readable(fd));
    EXPECT_FALSE(sub.try_receive());
    EXPECT_EQ(sub.publisher_count(), 1U);
    EXPECT_FALSE(is_readable(fd));
    send_ticks(pub, 0, 1);
    EXPECT_TRUE(is_readable(fd)) << "the newcomer knows about us";
    EXPECT_TRUE(sub.try_receive());
    EXPECT_FALSE(sub.try_receive());
    pub.close();
    EXPECT_TRUE(is_readable(fd));
    EXPECT_EQ(sub.try_receive().error(), receive_errc::publisher_closed);
    EXPECT_TRUE(is_readable(fd)) << "that was not nothing";
    EXPECT_EQ(sub.try_receive().error(), receive_errc::empty);
}

TEST_F(Descriptor, OfAReceiverSeesSendersComeSendAndLeave) {
    receiver_options options = lanes_of(8);
    options.report_close = true;
    auto in = me.receiver<tick>("in", options).value();
    int const fd = in.fd().value();
    EXPECT_FALSE(in.try_receive());
    EXPECT_FALSE(is_readable(fd));
    auto one = me.sender<tick>("in").value();
    EXPECT_TRUE(is_readable(fd));
    EXPECT_FALSE(in.try_receive());
    auto two = me.sender<tick>("in").value();
    EXPECT_TRUE(is_readable(fd));
    EXPECT_FALSE(in.try_receive());
    for (auto* const from : {&one, &two, &one}) {
        EXPECT_FALSE(is_readable(fd));
        send_ticks(*from, 0, 1);
        EXPECT_TRUE(is_readable(fd));
        EXPECT_TRUE(in.try_receive());
        EXPECT_FALSE(in.try_receive());
    }
    two.close();
    EXPECT_TRUE(is_readable(fd));
    EXPECT_EQ(in.try_receive().error(), receive_errc::publisher_closed);
}

TEST_F(Descriptor, OfALatestIsReadableForWhatIsNew) {
    auto pub = me.publisher<tick>("t", dropping(8)).value();
    send_ticks(pub, 0, 5);
    auto value = me.latest<tick>("t").value();
    int const fd = value.fd().value();
    EXPECT_TRUE(is_readable(fd));
    EXPECT_EQ(value.get()->number, 4U);
    EXPECT_TRUE(is_readable(fd)) << "that was new";
    EXPECT_EQ(value.get()->number, 4U);
    EXPECT_FALSE(is_readable(fd)) << "and that was not";
    send_ticks(pub, 5, 2);
    EXPECT_TRUE(is_readable(fd));
    EXPECT_EQ(value.get()->number, 6U);
    EXPECT_EQ(value.get()->number, 6U);
    EXPECT_FALSE(is_readable(fd));
    pub.close();
    EXPECT_TRUE(is_readable(fd));
    EXPECT_EQ(value.get()->number, 6U) << "the value outlives its publisher";
}

TEST_F(Descriptor, OfALatestWithoutAValueIsDrainedToo) {
    auto value = me.latest<tick>("t").value();
    int const fd = value.fd().value();
    EXPECT_EQ(value.get().error(), receive_errc::empty);
    EXPECT_FALSE(is_readable(fd));
}

TEST_F(Descriptor, OfARegistryWatchIsReadableWhenSomethingChanged) {
    registry_watch watch = me.watch();
    int const fd = watch.fd().value();
    EXPECT_TRUE(is_readable(fd));
    EXPECT_TRUE(watch.next(0ns));
    EXPECT_TRUE(is_readable(fd));
    EXPECT_EQ(watch.next(0ns).error(), registry_errc::timed_out);
    EXPECT_FALSE(is_readable(fd));
    auto pub = me.publisher<tick>("t", dropping(8)).value();
    EXPECT_TRUE(is_readable(fd));
    EXPECT_TRUE(watch.next(0ns));
    EXPECT_EQ(watch.next(0ns).error(), registry_errc::timed_out);
    EXPECT_FALSE(is_readable(fd));
}

TEST_F(Descriptor, OfSeveralInOneProcessAllSeeTheRegistryChange) {
    registry_watch one = me.watch();
    registry_watch two = me.watch();
    auto sub = me.subscriber<tick>("t").value();
    int const fds[] = {one.fd().value(), two.fd().value(), sub.fd().value()};
    auto const drain = [&] {
        for (int round = 0; round < 8;
             ++round) { // one that drains the common pipe kicks the others
            while (one.next(0ns)) {
            }
            while (two.next(0ns)) {
            }
            while (sub.try_receive()) {
            }
        }
    };
    drain();
    for (int const fd : fds) {
        EXPECT_FALSE(is_readable(fd)) << "they do not wake each other for ever";
    }
    auto pub = me.publisher<tick>("other", dropping(8)).value();
    EXPECT_TRUE(one.next(0ns));
    EXPECT_EQ(one.next(0ns).error(),
              registry_errc::timed_out); // this drains what all of them share
    EXPECT_TRUE(is_readable(fds[1]));
    EXPECT_TRUE(is_readable(fds[2]));
    drain();
    for (int const fd : fds) {
        EXPECT_FALSE(is_readable(fd));
    }
}

TEST_F(Descriptor, IsMadeReadableByInterrupt) {
    auto sub = me.subscriber<tick>("t").value();
    registry_watch watch = me.watch();
    int const fds[] = {sub.fd().value(), watch.fd().value()};
    EXPECT_FALSE(sub.try_receive());
    while (watch.next(0ns)) {
    }
    std::thread([&] {
        sub.interrupt();
        watch.interrupt();
    }).join();
    EXPECT_TRUE(is_readable(fds[0]));
    EXPECT_TRUE(is_readable(fds[1]));
    EXPECT_EQ(sub.try_receive().error(), receive_errc::empty) << "it does not wait";
    EXPECT_FALSE(is_readable(fds[0]));
    EXPECT_EQ(sub.receive(1h).error(), receive_errc::interrupted) << "that one would have waited";
    EXPECT_EQ(watch.next(0ns).error(), registry_errc::interrupted);
}

TEST_F(Descriptor, SeesASampleThatAnotherThreadGaveBack) {
    auto pub = me.publisher<tick>("t", gated(4)).value();
    auto sub = me.subscriber<tick>("t", lossless()).value();
    int const fd = sub.fd().value();
    send_ticks(pub, 0, 4);
    auto held = sub.try_receive();
    while (sub.try_receive()) {
    }
    EXPECT_FALSE(is_readable(fd));
    EXPECT_FALSE(pub.send(tick::of(4)));
    std::thread([s = std::move(held)]() mutable { s.reset(); }).join();
    EXPECT_TRUE(is_readable(fd)) << "the publisher waits for this reader to say so";
    EXPECT_FALSE(sub.try_receive());
    EXPECT_TRUE(pub.send(tick::of(4)));
}

TEST_F(Descriptor, ReportsAnEndThatALoopCouldNotReport) {
    auto pub = me.publisher<tick>("t", dropping(8)).value();
    subscriber_options options;
    options.report_close = true;
    auto sub = me.subscriber<tick>("t", options).value();
    int const fd = sub.fd().value();
    EXPECT_FALSE(sub.try_receive());
    pub.close();
    for (auto& s : sub) {
        EXPECT_TRUE(s->whole());
    }
    EXPECT_TRUE(is_readable(fd));
    EXPECT_EQ(sub.try_receive().error(), receive_errc::publisher_closed);
}

TEST_F(Descriptor, MovesWithItsHandleAndGoesWithIt) {
    std::size_t const before = open_descriptors();
    {
        auto pub = me.publisher<tick>("t", dropping(8)).value();
        auto sub = me.subscriber<tick>("t").value();
        int const fd = sub.fd().value();
        auto moved = std::move(sub);
        EXPECT_EQ(moved.fd().value(), fd);
        EXPECT_EQ(sub.fd().error(), descriptor_errc::closed); // NOLINT(bugprone-use-after-move)
        EXPECT_FALSE(moved.try_receive());
        send_ticks(pub, 0, 1);
        EXPECT_TRUE(is_readable(fd));
        EXPECT_EQ(wake_files(root).size(), 2U) << "its own, and the participant's";
        moved.close();
        EXPECT_EQ(wake_files(root).size(), 1U);
        EXPECT_EQ(open_descriptors(), before + 1);
        send_ticks(pub, 1, 100);
    }
    me = joined(root.path(), "another");
    EXPECT_EQ(wake_files(root).size(), 0U);
    EXPECT_EQ(open_descriptors(), before);
}

TEST_F(Descriptor, OfSomebodyWhoLooksOnlyTicks) {
    auto pub = me.publisher<tick>("t", dropping(8)).value();
    auto sub = me.subscriber<tick>("t", looking()).value();
    int const fd = sub.fd().value();
    EXPECT_FALSE(sub.try_receive());
    send_ticks(pub, 0, 1);
    EXPECT_TRUE(is_readable(fd, -1)) << "no slot to say in that it waits, but slices";
    EXPECT_TRUE(sub.try_receive());
}

TEST_F(Descriptor, WorksWithoutMembarrier) {
    os::for_test::disable_membarrier(true);
    auto pub = me.publisher<tick>("t", dropping(8)).value();
    auto sub = me.subscriber<tick>("t").value();
    int const fd = sub.fd().value();
    EXPECT_FALSE(sub.try_receive());
    send_ticks(pub, 0, 1);
    EXPECT_TRUE(is_readable(fd, -1));
    os::for_test::disable_membarrier(false);
}

TEST_F(Descriptor, SaysWhyThereIsNone) {
    auto sub = me.subscriber<tick>("t").value();
    std::size_t const before = open_descriptors();
    rlimit all{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &all), 0);
    int refusals = 0;
    for (rlim_t limit = 3;; ++limit) { // each of the descriptors that it takes, one after the other
        rlimit few = all;
        few.rlim_cur = limit;
        ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
        auto const refused = sub.fd();
        ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &all), 0);
        if (refused) {
            break;
        }
        refusals += 1;
        EXPECT_EQ(refused.error(), descriptor_errc::too_many_descriptors) << limit;
        // The participant's own pipe, once made, is for all that follow.
        EXPECT_LE(open_descriptors(), before + wake_files(root).size());
        EXPECT_LE(wake_files(root).size(), 1U);
    }
    EXPECT_GE(refusals, 4);
    EXPECT_EQ(open_descriptors(), before + 4);
    sub.close();
    EXPECT_EQ(sub.fd().error(), descriptor_errc::closed);
}

TEST_F(Descriptor, OfAReaderWhoseWriterHasNoDescriptorsLeftIsFoundAtItsSlice) {
    os::for_test::endless_slices(false);
    auto pub = me.publisher<tick>("t", dropping(8)).value();
    auto sub = me.subscriber<tick>("t").value();
    int const fd = sub.fd().value();
    EXPECT_FALSE(sub.try_receive());
    rlimit all{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &all), 0);
    rlimit few = all;
    few.rlim_cur = 0;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
    send_ticks(pub, 0, 1); // it has nothing to open the pipe with
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &all), 0);
    EXPECT_TRUE(is_readable(fd, -1));
    EXPECT_TRUE(sub.try_receive());
    EXPECT_FALSE(sub.try_receive());
    os::for_test::endless_slices(true);
    (void)is_readable(fd, 20); // let the timer run out
    EXPECT_FALSE(sub.try_receive());
    send_ticks(pub, 1, 1);
    EXPECT_TRUE(is_readable(fd, -1)) << "and the next one is told as ever";
}

TEST_F(Descriptor, IsNotHarmedByWhatStandsUnderItsName) {
    auto pub = me.publisher<tick>("t", dropping(8)).value();
    auto one = me.subscriber<tick>("t").value();
    auto two = me.subscriber<tick>("t").value();
    int const fds[] = {one.fd().value(), two.fd().value()};
    auto const files = wake_files(root);
    ASSERT_EQ(files.size(), 3U);
    std::string const victim = root.path() + "/victim";
    std::string const mine =
        root.path() + "/d/" + "wake." + std::to_string(me.ticket()) + "." +
        std::to_string([&] { // the first that was made is `one`'s
            std::uint64_t least = ~std::uint64_t{0};
            for (auto const& f : files) {
                least = std::min<std::uint64_t>(least, std::stoull(f.substr(f.rfind('.') + 1)));
            }
            return least;
        }());
    int const file = ::open(victim.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    ASSERT_GE(file, 0);
    for (int way = 0; way < 3; ++way) {
        std::filesystem::remove(mine);
        if (way == 0) {
            ASSERT_EQ(::symlink(victim.c_str(), mine.c_str()), 0);
        } else if (way == 1) {
            ASSERT_EQ(::link(victim.c_str(), mine.c_str()), 0);
        } // else nothing is there
        EXPECT_FALSE(one.try_receive());
        EXPECT_FALSE(two.try_receive());
        send_ticks(pub, 0, 1);
        EXPECT_FALSE(is_readable(fds[0]));
        EXPECT_TRUE(is_readable(fds[1])) << "the other is told";
        EXPECT_TRUE(one.try_receive());
        EXPECT_TRUE(two.try_receive());
    }
    struct stat status {};
    ASSERT_EQ(::fstat(file, &status), 0);
    EXPECT_EQ(status.st_size, 0) << "nobody wrote into a file that is no pipe";
    ::close(file);
    std::filesystem::remove(victim);
}

TEST_F(Descriptor, OfAParentIsLeftAloneByAForkedChild) {
    auto pub = me.publisher<tick>("t", dropping(8)).value();
    auto sub = me.subscriber<tick>("t").value();
    registry_watch watch = me.watch();
    int const fd = sub.fd().value();
    (void)watch.fd().value();
    EXPECT_FALSE(sub.try_receive());
    send_ticks(pub, 0, 1);
    pid_t const child = ::fork();
    if (child == 0) {
        bool const refused = sub.fd().error() == descriptor_errc::forked &&
                             watch.fd().error() == descriptor_errc::forked &&
                             sub.try_receive().error() == receive_errc::forked;
        sub.interrupt();
        sub.close();
        { registry_watch gone = std::move(watch); }
        ::_exit(refused ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(wake_files(root).size(), 3U);
    EXPECT_TRUE(is_readable(fd));
    EXPECT_TRUE(sub.try_receive());
    EXPECT_FALSE(sub.try_receive());
    EXPECT_FALSE(is_readable(fd));
    send_ticks(pub, 1, 1);
    EXPECT_TRUE(is_readable(fd));
}

} // namespace
} // namespace partywall::test
