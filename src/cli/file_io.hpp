// SPDX-License-Identifier: BSL-1.0
// Files, pipes and terminals, read and written in full: short counts, EINTR and EAGAIN are dealt
// with here. Errors end the command.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <sys/uio.h>
#include <vector>

namespace partywall::cli {

/// Gives the standard descriptors that are closed something to fail on, so that no file that is
/// opened later gets their number.
void occupy_standard_streams();

class input {
  public:
    /// "-" is standard input.
    explicit input(std::string const& path);
    ~input();
    input(input const&) = delete;
    input& operator=(input const&) = delete;

    /// Reads once: what is there, at least a byte unless the input has ended.
    std::size_t read(std::byte* target, std::size_t bytes);
    /// Until read() does not wait.
    void wait();

  private:
    [[noreturn]] void failed(char const* what);

    std::string name_;
    int fd_;
    bool waits_ = true; ///< not a regular file: reading may have to wait
};

/// Cuts an input into lines.
class line_reader {
  public:
    /// Lines of up to `line_bytes_max`, and longer ones as far as their length is told.
    line_reader(input& from, std::size_t line_bytes_max);

    /// The next line without its newline; valid until the next call. Nothing: the input has
    /// ended. A line that is too long ends the command.
    std::optional<std::string_view> next();

  private:
    [[noreturn]] void too_long();

    input& from_;
    std::size_t line_max_;
    std::vector<char> buffer_;
    std::size_t begin_ = 0;   ///< of the line that is looked for
    std::size_t scanned_ = 0; ///< no newline before here
    std::size_t end_ = 0;
    bool ended_ = false;
    std::uint64_t line_ = 0;
};

/// Standard output, or a file.
class output {
  public:
    output();
    /// Creates or empties the file.
    explicit output(std::string const& path);
    ~output();
    output(output const&) = delete;
    output& operator=(output const&) = delete;

    /// Adds text and a newline; goes out when the buffer is full, or with flush().
    void line(std::string_view text);
    void flush();
    /// Writes the parts in order, unbuffered. Changes `parts`.
    void write(std::span<iovec> parts);
    void write(std::string_view text);
    /// flush(), and hears what the file system has to say at the end.
    void close();

  private:
    [[noreturn]] void failed(int error) const;

    std::string name_;
    int fd_;
    std::vector<char> buffer_;
    std::size_t used_ = 0;
};

} // namespace partywall::cli
