// SPDX-License-Identifier: BSL-1.0
// What `sub` and `recv` do with the messages that come: to standard output, or to a file per sender.
#pragma once

#include "file_io.hpp"
#include "signals.hpp"
#include "stream_options.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>

namespace partywall::cli {

/// Messages that are held in place to be written together, and one of another sender.
inline constexpr std::uint32_t gathered_max = 16;
inline constexpr std::uint32_t held_max = gathered_max + 1;

struct drain_options : stream_options {
    bool follow = false;
    std::string split; ///< recv: a directory for a file per sender
};

/// Those whose messages are read, in words and numbers: publishers of a topic, senders to a name.
struct publishers_of {
    static constexpr char const* one = "publisher of";
    static constexpr char const* many = "publishers of";
    static std::uint64_t seen(subscriber<bytes> const& s) { return s.publishers_seen(); }
    static std::uint64_t there(subscriber<bytes> const& s) { return s.publisher_count(); }
    static int refusal_code(subscriber<bytes> const& s) { return exit_code_of(s.refusal_code()); }
    static std::string refusal(subscriber<bytes> const& s) { return s.refusal(); }
};
struct senders_to {
    static constexpr char const* one = "sender to";
    static constexpr char const* many = "senders to";
    static std::uint64_t seen(receiver<bytes> const& r) { return r.senders_seen(); }
    static std::uint64_t there(receiver<bytes> const& r) { return r.sender_count(); }
    static int refusal_code(receiver<bytes> const&) { return exit_failed; }
    static std::string refusal(receiver<bytes> const&) { return {}; }
};

template <class Reader, class Who>
class drain {
  public:
    drain(drain_options const& options, bool quiet, Reader& from)
        : options_(options), quiet_(quiet), from_(from) {}

    /// Until the end; returns the exit code.
    int run() {
        try {
            options_.block ? blocks() : lines();
        } catch (...) {
            flush_if_possible(); // what was taken was taken for good
            throw;
        }
        out_.close();
        for (auto& [sender, file] : files_) {
            file.close();
        }
        return died_ ? exit_failed : exit_ok;
    }

  private:
    void lines() {
        while (wanted()) {
            sample<bytes> message = from_.try_receive();
            if (message.error() == receive_errc::empty) {
                flush(); // nothing more for now: show what is there
                if (all_gone()) {
                    return;
                }
                message = from_.receive(options_.patience());
            }
            if (message) {
                to(message).line(message.text());
                taken_ += 1;
            } else {
                hear(message);
            }
        }
    }

    void blocks() {
        std::array<sample<bytes>, gathered_max> held;
        std::array<iovec, gathered_max> parts{};
        while (wanted()) {
            std::size_t count = 0;
            std::uint64_t size = 0;
            sample<bytes> message = kept_ ? std::move(kept_) : from_.try_receive();
            if (message.error() == receive_errc::empty) {
                if (all_gone()) {
                    return;
                }
                message = from_.receive(options_.patience());
            }
            output* target = nullptr;
            while (message) {
                output& its = to(message);
                if (target != nullptr && target != &its) {
                    break; // another sender's: the next round's
                }
                target = &its;
                std::string_view const text = message.text();
                parts[count] = {const_cast<char*>(text.data()), text.size()};
                size += text.size();
                held[count] = std::move(message);
                count += 1;
                taken_ += 1;
                if (count == held.size() || size >= *options_.block || !wanted()) {
                    break;
                }
                message = from_.try_receive();
            }
            if (target != nullptr) {
                target->write(std::span(parts.data(), count)); // from where they were put
            }
            for (std::size_t i = 0; i < count; ++i) {
                held[i].reset();
            }
            if (!message) {
                hear(message);
            } else {
                kept_ = std::move(message);
            }
        }
    }

    bool wanted() const {
        check_stopped();
        return options_.count == 0 || taken_ < options_.count;
    }

    /// Those who have to come before their end is ours.
    std::uint64_t awaited() const { return options_.wait_for != 0 ? options_.wait_for : 1; }
    /// Everybody who was to come has come and gone. Asked only when a look at the registry after
    /// the last one's end found nobody new.
    bool all_gone() const {
        return !options_.follow && Who::seen(from_) >= awaited() && Who::there(from_) == 0;
    }

    /// Where a message goes.
    output& to(sample<bytes> const& message) {
        if (options_.split.empty()) {
            return out_;
        }
        std::uint64_t const who = message.publisher();
        auto file = files_.find(who);
        if (file == files_.end()) {
            // Ticket and number: the same for no two senders of a domain, ever.
            file = files_
                       .try_emplace(who, fmt::format("{}/{}.{}", options_.split, who >> 24,
                                                     who & endpoints_max))
                       .first;
        }
        return file->second;
    }

    /// Nothing more comes from this one.
    void end_file(std::uint64_t who) {
        if (auto const file = files_.find(who); file != files_.end()) {
            file->second.close();
            files_.erase(file);
        }
    }

    void flush() {
        out_.flush();
        for (auto& [who, file] : files_) {
            file.flush();
        }
    }

    void flush_if_possible() {
        try {
            flush();
        } catch (...) { // the output was the problem, or blocks
        }
    }

    /// There was no message: says why, and ends the command if that is the end.
    void hear(sample<bytes> const& message) {
        receive_errc const why = message.error();
        switch (why) {
        case receive_errc::none:
        case receive_errc::empty: return;
        case receive_errc::publisher_closed: end_file(message.publisher()); return;
        case receive_errc::interrupted: check_stopped(); return;
        case receive_errc::timed_out: timed_out();
        case receive_errc::peer_died:
            end_file(message.publisher());
            tell(fmt::format("a {} '{}' died; what it sent has been delivered", Who::one,
                             options_.topic));
            died_ = died_ || !options_.follow;
            return;
        case receive_errc::refused: refuse(Who::refusal_code(from_), Who::refusal(from_)); return;
        case receive_errc::corrupt:
            refuse(exit_unhealthy,
                   fmt::format("a {} '{}' has a ring that holds what no correct publisher writes",
                               Who::one, options_.topic));
            return;
        case receive_errc::no_memory:
        case receive_errc::closed:
        case receive_errc::too_many_samples:
        case receive_errc::forked: break;
        }
        fail(exit_failed, "cannot receive from '{}': {}", options_.topic, to_string(why));
    }

    [[noreturn]] void timed_out() {
        std::uint64_t const seen = Who::seen(from_);
        if (seen == 0) {
            fail(exit_not_found, "no {} '{}' came{}", Who::one, options_.topic, within(options_));
        }
        if (seen < awaited()) {
            fail(exit_not_found, "{} of {} {} '{}' came, and nothing more{}", seen, awaited(),
                 Who::many, options_.topic, within(options_));
        }
        fail(exit_failed, "no message on '{}'{}", options_.topic, within(options_));
    }

    /// Ends the command, unless it follows the topic: then the others go on.
    void refuse(int code, std::string what) {
        if (!options_.follow) {
            throw command_error{code, std::move(what)};
        }
        tell(what);
    }

    void tell(std::string const& what) {
        flush(); // on a terminal, in the order in which it happened
        if (!quiet_ || !options_.follow) {
            say(what);
        }
    }

    drain_options const& options_;
    bool quiet_;
    Reader& from_;
    output out_;
    std::map<std::uint64_t, output> files_; ///< by sender, where they are split
    sample<bytes> kept_;                    ///< taken, and still to be written
    std::uint64_t taken_ = 0;
    bool died_ = false;
};

} // namespace partywall::cli
