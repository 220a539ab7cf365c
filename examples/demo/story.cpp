// SPDX-License-Identifier: BSL-1.0
#include "story.hpp"

#include "child.hpp"
#include "large.hpp"
#include "logbook.hpp"
#include "report.hpp"
#include "roles.hpp"
#include "stage.hpp"
#include "text.hpp"
#include "verdict.hpp"

#include <partywall/partywall.hpp>

#include <algorithm>
#include <cinttypes>
#include <cstdio>

namespace demo {
namespace {

/// What the acts leave to be judged.
struct facts {
    std::uint64_t ledger_killed_ns = 0;
    std::uint64_t ledger_back_ns = 0;
    std::uint64_t publisher_killed_ns = 0;
    std::uint64_t resumed_at = 0; ///< line number that the second publisher began with
};

void introduce(stage const& scene, text const& source, std::string const& file) {
    say("partywall demo\n\n"
        "A publisher streams a file to three subscribers, line by line and over again: " +
        grouped(lines_in_all) + "\nlines in all, one every " + duration(interval_ns) +
        ", from\n\n  " + file + " (" + grouped(source.lines()) +
        (source.whole() ? " lines" : " lines of its beginning") +
        ")\n\nEach is a process of its own:\n\n"
        "  ledger   lossless: may not miss a line; the publisher would wait for it\n"
        "  screen   lossy: is away for 0.6 s after every 5,000 lines, and may miss what came then\n"
        "  peek     looking: takes 0.6 ms for every line; nobody knows that it is there\n\n"
        "All that they share is memory below\n\n  " +
        scene.path() + "\n\nin rings that hold the last " + grouped(depth) +
        " lines. There is no daemon, and nobody cleans up by hand.\n\n");
}

facts play(stage const& scene, std::string const& file, bool between) {
    facts f;
    std::string const& domain = scene.domain();
    say("Act 1: everybody is there\n");
    child ledger({"ledger", domain, scene.log("ledger1")});
    child screen({"screen", domain, scene.log("screen")});
    child peek({"peek", domain, scene.log("peek")});
    ledger.expect("ready");
    screen.expect("ready");
    peek.expect("ready");
    std::string const hold_at = between ? std::to_string(publisher_dies_at + 123) : "0";
    child publisher({"publisher", domain, scene.log("publisher"), file, hold_at});
    publisher.expect("publishing");
    publisher.expect("sent");
    say("  " + grouped(ledger_dies_at) + " lines are sent.\n\n");

    say("Act 2: the ledger is killed (SIGKILL), and started again\n");
    f.ledger_killed_ns = ledger.kill();
    child ledger_again({"ledger", domain, scene.log("ledger2"), scene.log("ledger1")});
    ledger_again.expect("ready");
    f.ledger_back_ns = now_ns();
    say("  Its successor was subscribed " + duration(f.ledger_back_ns - f.ledger_killed_ns) +
        " after the kill. It has read in its own log where to\n"
        "  go on, and asks the ring for what was sent meanwhile.\n\n");

    publisher.expect("sent");
    say("Act 3: the publisher is killed (SIGKILL), and started again\n");
    if (between) {
        publisher.expect("holding");
    }
    f.publisher_killed_ns = publisher.kill();
    child publisher_again({"publisher", domain, scene.log("publisher"), file, "0"});
    f.resumed_at = std::stoull(publisher_again.expect("publishing"));
    say("  Its successor has read in its own log where to go on: line " +
        grouped(f.resumed_at + 1) +
        ".\n"
        "  Nobody tells the subscribers; they find it by themselves.\n\n");
    for (child* reader : {&ledger_again, &screen, &peek}) {
        reader->expect("died");
    }

    publisher_again.expect("done");
    publisher_again.end();
    for (child* reader : {&ledger_again, &screen, &peek}) {
        reader->expect("closed");
        reader->end();
    }
    say("The end: all lines are sent, the publisher has closed in good order, all have read to the "
        "end.\n\n");
    return f;
}

std::vector<reader> gather(stage const& scene, all_sent const& sent,
                           std::vector<record> const& ledger1) {
    // Between its two lives the ledger did not exist: each answers for its own part.
    std::size_t split = 0;
    for (record const& r : ledger1) {
        if (auto const index = sent.index_of(r); r.what == event::received && index) {
            split = *index + 1;
        }
    }
    return {
        {"ledger (1)", "lossless", true, ledger1, 0, split},
        {"ledger (2)", "lossless", true, read_log(scene.log("ledger2")), split, sent.size()},
        {"screen", "lossy", false, read_log(scene.log("screen")), 0, sent.size()},
        {"peek", "looking", false, read_log(scene.log("peek")), 0, sent.size()},
    };
}

std::vector<account> print_table(facts const& f, std::vector<reader> const& readers,
                                 all_sent const& sent) {
    char const* const format = "%-12s%-9s%8s%9s%8s  %-21s%9s%9s%9s\n";
    std::printf(format, "subscriber", "reads", "sent", "received", "missed", "checksum of both",
                "p50", "p99", "told");
    std::vector<account> accounts;
    for (reader const& one : readers) {
        account const& a = accounts.emplace_back(examine(one, sent));
        obituary const o = find_obituary(one, sent.lives()[0], f.publisher_killed_ns);
        std::printf(format, one.name.c_str(), one.reads.c_str(), grouped(a.sent).c_str(),
                    grouped(a.received).c_str(),
                    grouped(one.lossless ? a.sent - a.received : a.missed).c_str(),
                    one.lossless ? checksums(a.checksum_sent, a.checksum_received).c_str() : "-",
                    duration(a.p50_ns).c_str(), duration(a.p99_ns).c_str(),
                    o.times == 0 ? "-" : duration(o.after_ns).c_str());
    }
    say("\n  p50, p99  from before a line was sent until it was received; screen and peek are late "
        "by choice\n"
        "  told      of the publisher's death: after the kill, and after its last line\n\n");
    return accounts;
}

void judge_lines(report& r, std::vector<reader> const& readers,
                 std::vector<account> const& accounts) {
    std::uint64_t compared = 0;
    for (account const& a : accounts) {
        compared += a.received;
    }
    r.check(std::ranges::all_of(accounts, &account::as_sent),
            "every line that arrived is the line that was sent, in order (" + grouped(compared) +
                " compared)");
    account const& first = accounts[0];
    account const& second = accounts[1];
    r.check(first.received == first.sent && first.missed == 0 &&
                first.checksum_received == first.checksum_sent,
            "the ledger had every line until it was killed");
    r.check(second.late == 0 && second.missed == 0 &&
                second.checksum_received == second.checksum_sent,
            "its second life had every line that was sent after it had subscribed");
    std::uint64_t const gap = second.sent - second.received;
    r.note(gap == 0 ? "between its lives nothing was lost: the ring still had it"
                    : "between its lives the ring overwrote " + grouped(gap) +
                          " lines: nobody was there to wait for");
    for (std::size_t i = 2; i < readers.size(); ++i) {
        account const& a = accounts[i];
        r.check(a.received + a.missed == a.sent,
                readers[i].name + ": received " + grouped(a.received) + " + missed " +
                    grouped(a.missed) + " = sent " + grouped(a.sent));
    }
}

void judge_lives(report& r, facts const& f, std::vector<reader> const& readers,
                 all_sent const& sent) {
    std::uint64_t longest = 0;
    for (std::size_t i = 0; i < sent.lines_of(sent.lives()[0]); ++i) {
        if (sent[i].at_ns >= f.ledger_killed_ns && sent[i].at_ns < f.publisher_killed_ns) {
            longest = std::max(longest, sent[i].took_ns);
        }
    }
    r.note("after the ledger's death the longest send() of the publisher took " +
           duration(longest));
    for (std::size_t i = 1; i < readers.size(); ++i) {
        obituary const o = find_obituary(readers[i], sent.lives()[0], f.publisher_killed_ns);
        r.check(o.times == 1 && o.last,
                readers[i].name + ": told of the publisher's death once, after its last line (" +
                    grouped(o.read_between) + " were read after the kill)");
    }
    std::uint64_t const before = sent.lines_of(sent.lives()[0]);
    r.check(sent.lives().size() == 2 && f.resumed_at == before - sent.unlogged() &&
                sent.unlogged() <= 1,
            sent.unlogged() == 0
                ? "the publisher's log was complete when it was killed: no line was sent twice"
                : "the kill hit between sending a line and noting it: that line was sent twice");
    r.check(sent.size() == lines_in_all + sent.unlogged() &&
                sent[sent.size() - 1].number == lines_in_all - 1,
            "in its two lives the publisher sent " + grouped(before) + " + " +
                grouped(sent.size() - before) + " lines");
}

void judge_leftovers(report& r, stage& scene) {
    auto const view = partywall::registry_view::open({.domain = scene.domain()}).value();
    auto const domain = view.snapshot();
    r.check(domain.participants.empty() && domain.entries.empty(),
            "the registry lists nobody: neither living nor dead");
    auto const files = scene.files();
    bool const only_its_own =
        std::ranges::all_of(files, [](auto const& name) { return name == "registry"; });
    std::string names = files.empty() ? " nothing" : "";
    for (auto const& name : files) {
        names += ' ' + name;
    }
    r.check(only_its_own, "left in shared memory: the registry's own file, nothing else (" +
                              names.substr(1) + ")");
    r.check(scene.remove(), "and now not even that: " + scene.path() + " is removed");
}

} // namespace

bool tell_story(std::string const& file, bool between) {
    text const source(file);
    stage scene;
    catch_interrupts();
    introduce(scene, source, file);
    facts const f = play(scene, file, between);

    auto const ledger1 = read_log(scene.log("ledger1"));
    auto ledger = read_log(scene.log("ledger2"));
    ledger.insert(ledger.begin(), ledger1.begin(), ledger1.end());
    all_sent const sent(read_log(scene.log("publisher")), ledger, source);
    auto const readers = gather(scene, sent, ledger1);
    report r;
    judge_lines(r, readers, print_table(f, readers, sent));
    judge_lives(r, f, readers, sent);
    show_large(scene.domain(), some_large_file(), r);
    judge_leftovers(r, scene);
    return r.conclude();
}

} // namespace demo
