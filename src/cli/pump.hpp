// SPDX-License-Identifier: BSL-1.0
// What `pub` and `send` do with their input: each line, or each block, is a message.
#pragma once

#include "file_io.hpp"
#include "signals.hpp"
#include "stream_options.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace partywall::cli {

/// `Writer`: publisher<bytes> or sender<bytes>.
template <class Writer>
class pump {
  public:
    /// `who`: does not keep up when there is no room.
    pump(stream_options const& options, Writer& to, input& from, std::string who)
        : options_(options), to_(to), from_(from), who_(std::move(who)) {}

    /// To the end of the input.
    void run() {
        options_.block ? blocks() : lines();
        if (rejected_ != 0) {
            fail(exit_failed, "{} of {} messages were rejected: {} did not keep up", rejected_,
                 messages_, who_);
        }
    }

  private:
    void lines() {
        line_reader reader(from_, to_.payload_bytes_max());
        while (more()) {
            auto const line = reader.next();
            if (!line) {
                return;
            }
            auto const sent = to_.send(*line);
            account(sent ? send_errc{} : sent.error());
        }
    }

    void blocks() {
        auto const most =
            static_cast<std::size_t>(std::min(*options_.block, to_.payload_bytes_max()));
        std::vector<std::byte> unsent;
        while (more()) {
            // A loan takes the oldest message away from readers of the past: not before there is
            // something to put in its place.
            from_.wait();
            auto loan = to_.loan();
            if (!loan) {
                if (loan.error() == send_errc::full) {
                    unsent.resize(most); // rejected is what the loan was for
                    if (from_.read(unsent.data(), most) == 0) {
                        return;
                    }
                }
                account(loan.error());
                continue;
            }
            std::size_t const got = from_.read((**loan).data(), most);
            if (got == 0) {
                return;
            }
            loan->resize(got);
            auto const sent = loan->send();
            account(sent ? send_errc{} : sent.error());
        }
    }

    bool more() const {
        check_stopped();
        return options_.count == 0 || messages_ < options_.count;
    }

    void account(send_errc e) {
        messages_ += 1;
        if (e == send_errc{}) {
            return;
        }
        switch (e) {
        case send_errc::full: rejected_ += 1; return;
        case send_errc::timed_out:
            fail(exit_failed, "message {} found no room{}: {} does not keep up", messages_,
                 within(options_), who_);
        case send_errc::interrupted: check_stopped(); break;
        case send_errc::too_large:
        case send_errc::closed:
        case send_errc::forked:
        case send_errc::refused: break;
        case send_errc::peer_died: fail(exit_failed, "message {}: {} died", messages_, who_);
        case send_errc::no_receiver:
            fail(exit_failed, "message {}: {} has closed", messages_, who_);
        }
        fail(exit_failed, "message {} cannot be sent: {}", messages_, to_string(e));
    }

    stream_options const& options_;
    Writer& to_;
    input& from_;
    std::string who_;
    std::uint64_t messages_ = 0; ///< sent or rejected
    std::uint64_t rejected_ = 0;
};

} // namespace partywall::cli
