// SPDX-License-Identifier: BSL-1.0
// What `call` and `survey` ask: a text of the command line, or all bytes of a file.
#pragma once

#include "file_io.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
} // namespace CLI

namespace partywall::cli {

struct question_options {
    std::string text;
    CLI::Option* has_text = nullptr;
    std::string file = "-";
};

/// TEXT and --file. `what`: what it is called here.
void add_question(CLI::App& app, question_options& options, std::string const& what);

/// Opens the file at once, so that what is wrong with it is known before anybody sees us, and reads
/// it when it is asked to.
class question {
  public:
    explicit question(question_options const& options);
    /// All of it; where that is more than `most` bytes, the first of them, more than `most`.
    std::vector<std::byte> read(std::uint64_t most);

  private:
    question_options const& options_;
    std::optional<input> from_;
};

} // namespace partywall::cli
