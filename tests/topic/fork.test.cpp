// SPDX-License-Identifier: BSL-1.0
// A forked child has copies of its parent's handles: every call on them says `forked`, their
// destructors touch nothing that is shared, and the parent does not notice.
#include "support.hpp"

#include <cstdio>
#include <functional>
#include <optional>
#include <sys/wait.h>
#include <unistd.h>

namespace partywall::test {
namespace {

/// Runs `body` in a forked child; 0 if every check there held, else the line of the first that
/// did not (modulo 256).
int in_child(std::function<int()> const& body) {
    pid_t const child = ::fork();
    if (child == 0) {
        ::_exit(body());
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}
#define CHECK_IN_CHILD(condition)                                                                  \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            std::fprintf(stderr, "in the child, line %d: %s\n", __LINE__, #condition);             \
            return __LINE__ % 255 + 1;                                                             \
        }                                                                                          \
    } while (false)

TEST(ForkedChild, IsRefusedByEveryCall) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<tick>("t", gated(4)).value();
    auto full = me.publisher<tick>("full", gated(4)).value();
    auto full_sub = me.subscriber<tick>("full", lossless()).value();
    auto sub = me.subscriber<tick>("t", lossless()).value();
    auto value = me.latest<tick>("t").value();
    send_ticks(full, 0, 4);
    send_ticks(pub, 0, 2);
    auto loan = pub.loan().value();
    EXPECT_EQ(in_child([&] {
                  CHECK_IN_CHILD(pub.send(tick::of(9)).error() == send_errc::forked);
                  CHECK_IN_CHILD(pub.send(tick::of(9), 1h).error() == send_errc::forked);
                  CHECK_IN_CHILD(full.send(tick::of(9), 1h).error() == send_errc::forked);
                  CHECK_IN_CHILD(pub.loan().error() == send_errc::forked);
                  CHECK_IN_CHILD(loan.send().error() == send_errc::forked);
                  tick const one = tick::of(9);
                  CHECK_IN_CHILD(pub.send_batch({&one, 1}).error() == send_errc::forked);
                  CHECK_IN_CHILD(pub.wait_for_subscribers(9, 1h).error() == send_errc::forked);
                  CHECK_IN_CHILD(pub.subscriber_count() == 0);
                  CHECK_IN_CHILD(pub.set_metadata({}).error().code == registry_errc::forked);
                  CHECK_IN_CHILD(sub.try_receive().error() == receive_errc::forked);
                  CHECK_IN_CHILD(sub.receive(1h).error() == receive_errc::forked);
                  tick out[2];
                  CHECK_IN_CHILD(sub.receive_batch(out) == 0);
                  for (auto& s : sub) {
                      CHECK_IN_CHILD(s->number == ~std::uint64_t{0});
                  }
                  CHECK_IN_CHILD(value.get().error() == receive_errc::forked);
                  CHECK_IN_CHILD(value.wait(1h).error() == receive_errc::forked);
                  CHECK_IN_CHILD(me.publisher<tick>("t", gated(4)).error().code ==
                                 endpoint_errc::forked);
                  CHECK_IN_CHILD(me.subscriber<tick>("t").error().code == endpoint_errc::forked);
                  CHECK_IN_CHILD(me.latest<tick>("t").error().code == endpoint_errc::forked);
                  CHECK_IN_CHILD(me.recover().nothing());
                  sub.interrupt();
                  pub.interrupt();
                  value.interrupt();
                  return 0;
              }),
              0);
    EXPECT_EQ(take_all(sub), numbers(0, 2));
    *loan = tick::of(2);
    EXPECT_TRUE(loan.send());
    EXPECT_EQ(take_all(sub), numbers(2, 1));
}

TEST(ForkedChild, ThatClosesAndDestroysChangesNothing) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = std::make_optional(me.publisher<tick>("t", gated(4)).value());
    auto closed = std::make_optional(me.publisher<tick>("t", gated(4)).value());
    auto sub = std::make_optional(me.subscriber<tick>("t", lossless()).value());
    auto drops = std::make_optional(me.subscriber<tick>("t").value());
    auto value = std::make_optional(me.latest<tick>("t").value());
    auto mine = std::make_optional(me);
    send_ticks(*pub, 0, 2);
    EXPECT_EQ(in_child([&] {
                  pub->close();
                  pub.reset();
                  closed.reset();
                  sub->close();
                  sub.reset();
                  drops.reset();
                  value.reset();
                  mine.reset();
                  return 0;
              }),
              0);
    EXPECT_EQ(pub->subscriber_count(), 3u);
    EXPECT_EQ(me.snapshot().entries.size(), 3u);
    EXPECT_EQ(topic_files(root).size(), 4u);
    send_ticks(*pub, 2, 2);
    EXPECT_EQ(pub->send(tick::of(9)).error(), send_errc::full);
    EXPECT_EQ(take_all(*sub), numbers(0, 4));
    EXPECT_EQ(take_all(*drops), numbers(0, 4));
    EXPECT_EQ(value->get()->number, 3u);
}

// A sample in place, its last copy in the parent: nobody may overwrite what it still reads.
TEST(ForkedChild, ThatGivesItsCopyOfASampleBackGivesNothingBack) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<tick>("t", gated(4)).value();
    auto sub = std::make_optional(me.subscriber<tick>("t", lossless()).value());
    send_ticks(pub, 0, 4);
    auto held = std::make_optional(sub->try_receive());
    auto next = std::make_optional(sub->try_receive());
    EXPECT_EQ(in_child([&] {
                  CHECK_IN_CHILD((*held)->number == 0); // it may still be read
                  held.reset();
                  next->reset();
                  sub.reset();
                  next.reset();
                  return 0;
              }),
              0);
    EXPECT_EQ(pub.send(tick::of(9)).error(), send_errc::full);
    EXPECT_EQ((*held)->number, 0u);
    EXPECT_TRUE((*held)->whole());
    EXPECT_EQ(tampered_topic(me, "t").used_slots(), 1u);
    held.reset();
    next.reset();
    EXPECT_EQ(take_all(*sub), numbers(2, 2));
    send_ticks(pub, 4, 4);
    EXPECT_EQ(take_all(*sub), numbers(4, 4));
}

TEST(ForkedChild, ThatOutlivesASampleAfterItsSubscriberWasClosedChangesNothing) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<tick>("t", gated(4)).value();
    auto sub = std::make_optional(me.subscriber<tick>("t", lossless()).value());
    send_ticks(pub, 0, 4);
    auto held = std::make_optional(sub->try_receive());
    sub.reset();
    EXPECT_EQ(in_child([&] {
                  held.reset();
                  return 0;
              }),
              0);
    EXPECT_EQ(pub.send(tick::of(9)).error(), send_errc::full);
    EXPECT_EQ((*held)->number, 0u);
    held.reset();
    send_ticks(pub, 4, 4);
}

TEST(ForkedChild, MayJoinAnewAndTalkToItsParent) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<tick>("t", gated(8)).value();
    auto replies = me.subscriber<tick>("replies", lossless()).value();
    send_ticks(pub, 0, 3);
    EXPECT_EQ(in_child([&] {
                  participant child = joined(root.path(), "child");
                  CHECK_IN_CHILD(child.ticket() != me.ticket());
                  subscriber_options all = lossless();
                  all.history = 100;
                  auto sub = child.subscriber<tick>("t", all).value();
                  CHECK_IN_CHILD(take_all(sub) == numbers(0, 3));
                  auto answer = child.publisher<tick>("replies", gated(8)).value();
                  CHECK_IN_CHILD(answer.send(tick::of(7)).has_value());
                  return 0;
              }),
              0);
    EXPECT_EQ(replies.receive(1h)->number, 7u);
}

} // namespace
} // namespace partywall::test
