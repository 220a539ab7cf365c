// SPDX-License-Identifier: BSL-1.0
#include "question.hpp"

#include "signals.hpp"

#include <CLI/App.hpp>

#include <span>

namespace partywall::cli {

void add_question(CLI::App& app, question_options& options, std::string const& what) {
    options.has_text =
        app.add_option("TEXT", options.text, "The " + what + "; without, it is read from --file")
            ->type_name("");
    app.add_option("--file", options.file,
                   "What to ask: all of its bytes; standard input without, or with '-'")
        ->type_name("PATH")
        ->excludes(options.has_text);
}

question::question(question_options const& options) : options_(options) {
    if (options.has_text->count() == 0) {
        from_.emplace(options.file);
    }
}

std::vector<std::byte> question::read(std::uint64_t most) {
    if (!from_) {
        auto const said = std::as_bytes(std::span(options_.text));
        return {said.begin(), said.end()};
    }
    constexpr std::size_t step = 64 * 1024;
    std::vector<std::byte> all;
    for (;;) {
        std::size_t const had = all.size();
        all.resize(had + step);
        std::size_t const got = from_->read(all.data() + had, step);
        all.resize(had + got);
        if (got == 0 || all.size() > most) {
            return all;
        }
        check_stopped();
    }
}

} // namespace partywall::cli
