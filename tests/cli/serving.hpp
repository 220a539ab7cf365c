// SPDX-License-Identifier: BSL-1.0
// What the tests of `serve` and `respond` share: commands that answer, and that can be held up.
#pragma once

#include "fixture.hpp"

#include <memory>
#include <sys/stat.h>

namespace partywall::test {

class Serving : public Command {
  protected:
    void await_ready(std::string_view name, entry_kind kind, std::ptrdiff_t count) const {
        eventually([&] {
            auto const all = entries(name);
            return std::count_if(all.begin(), all.end(), [&](entry_info const& e) {
                       return e.kind == kind && e.state == health::ready;
                   }) >= count;
        });
    }
    /// `partywall <verb> x <options> -- <command>`, when it is ready as the `count`th of its kind.
    std::unique_ptr<tool> start(std::string const& verb, entry_kind kind, arguments options,
                                arguments const& command, std::ptrdiff_t count) const {
        options.insert(options.begin(), {verb, "x"});
        options.push_back("--");
        options.insert(options.end(), command.begin(), command.end());
        auto one = std::make_unique<tool>(root(), options);
        await_ready("x", kind, count);
        return one;
    }
    static void expect_end(tool& one, int signal) {
        one.kill(signal);
        EXPECT_EQ(one.wait(), exited(128 + signal)) << one.err();
    }
    /// A pipe with a name: who opens it waits for the other side.
    std::string fifo(std::string const& name) const {
        std::string path = files_ / name;
        EXPECT_EQ(::mkfifo(path.c_str(), 0600), 0);
        return path;
    }
    /// `command` says that it has begun, in this file, and may end when the pipe is written.
    std::string begun() const { return files_ / "begun"; }
    void await_begun() const {
        eventually([&] { return !read_file(begun()).empty(); });
    }
    arguments patient_command() const {
        return script("echo $(cat) >> \"$1\"; read go < \"$2\"; echo done",
                      {begun(), fifo("gate")});
    }
    void open_gate() const { write_file(files_ / "gate", "go\n"); }
    static arguments script(std::string const& text, arguments const& more = {}) {
        arguments all{"sh", "-c", text, "sh"};
        all.insert(all.end(), more.begin(), more.end());
        return all;
    }

    scratch_files files_;
};

} // namespace partywall::test
