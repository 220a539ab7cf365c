// SPDX-License-Identifier: BSL-1.0
// partywall as its users have it: the public interface and nothing else.
//
//     topic        publisher and lossless subscriber (lossy where the job is); loans, samples
//     topic, copy  the same, but sends a copy of a message made elsewhere
//     lane         sender and receiver; loans, samples
//     ..., poll    the same, but takes with poll() what is there, instead of one sample after the other
//     typed, bytes client and server (partywall_calls.cpp)
//     breaker      admission and the record of a success, or a rejection; with a clock that stands
//                  still, and with the real one (`breaker, clock`)
//
// Who waits by `fd` sleeps in poll() on the handle's descriptor, whenever try_receive() finds nothing.
#include "adapters.hpp"
#include "partywall_parts.hpp"
#include "roles.hpp"

#include <partywall/breaker/breaker.hpp>
#include <partywall/partywall.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>
#include <optional>
#include <poll.h>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace partywall::bench {
namespace {

using namespace std::chrono_literals;

/// Who spins does so here, like everybody else: the handle never waits.
overflow overflow_of(channel const& c) {
    return c.lossy ? overflow::drop_oldest : c.spins() ? overflow::reject : overflow::block;
}

/// Sends with any handle.
template <std::size_t Bytes, class Handle>
class writing {
  public:
    explicit writing(Handle out, channel const& c) : out_(std::move(out)), bytes_(c.bytes) {}

    template <class Write>
    [[gnu::always_inline]] bool lend(Write write) {
        auto loan = out_.loan();
        if (!loan) [[unlikely]] {
            return refused(loan.error());
        }
        if constexpr (Bytes == any_size) {
            loan->resize(static_cast<std::size_t>(bytes_));
            write((**loan).data());
        } else {
            write(&**loan);
        }
        if (auto const sent = loan->send(); !sent) [[unlikely]] {
            return refused(sent.error());
        }
        return true;
    }
    template <class Write>
    [[gnu::always_inline]] bool copy(Write write) {
        if constexpr (Bytes != any_size) {
            blob<Bytes> message;
            write(&message);
            if (auto const sent = out_.send(message); !sent) [[unlikely]] {
                return refused(sent.error());
            }
            return true;
        } else {
            fail("send", "copies are of fixed size here");
        }
    }
    template <class Write>
    std::size_t batch(std::size_t count, Write write) {
        if constexpr (Bytes != any_size) {
            std::array<blob<Bytes>, 64> messages;
            count = std::min(count, messages.size());
            for (std::size_t i = 0; i < count; ++i) {
                write(i, &messages[i]);
            }
            auto const sent = out_.send_batch(std::span(messages.data(), count));
            if (!sent) [[unlikely]] {
                return refused(sent.error());
            }
            return *sent;
        } else {
            fail("send_batch", "batches are of fixed size here");
        }
    }

  private:
    static bool refused(send_errc why) {
        if (why != send_errc::full) {
            fail("send", to_string(why));
        }
        return false;
    }

    Handle out_;
    std::uint64_t bytes_;
};

/// Receives with any handle.
template <std::size_t Bytes, class Handle>
class reading {
  public:
    reading(Handle in, channel const& c)
        : in_(std::move(in)), fd_(c.wait == wait::fd ? in_.fd().value() : -1) {}

    template <class Read>
    [[gnu::always_inline]] bool try_receive(Read read) {
        auto const got = in_.try_receive();
        if (!got) {
            if (got.error() != receive_errc::empty) [[unlikely]] {
                fail("receive", to_string(got.error()));
            }
            return false;
        }
        give(got, read);
        return true;
    }
    template <class Read>
    void receive(Read read) {
        if (fd_ >= 0) {
            while (!try_receive(read)) {
                pollfd one{fd_, POLLIN, 0};
                if (::poll(&one, 1, -1) < 0 && errno != EINTR) {
                    fail("poll", "of the descriptor");
                }
            }
            return;
        }
        auto const got = in_.receive(patience);
        if (!got) [[unlikely]] {
            fail("receive", to_string(got.error()));
        }
        give(got, read);
    }
    template <class Read>
    std::size_t try_receive_batch(Read read) {
        return in_.poll([&](auto const& message) {
            if constexpr (Bytes == any_size) {
                read(message.data(), message.size());
            } else {
                read(&message, sizeof message);
            }
        });
    }

  private:
    template <class Sample, class Read>
    [[gnu::always_inline]] static void give(Sample const& got, Read read) {
        if constexpr (Bytes == any_size) {
            auto const message = *got;
            read(message.data(), message.size());
        } else {
            read(&*got, sizeof(*got));
        }
    }

    Handle in_;
    int fd_;
};

template <std::size_t Bytes, bool Copies>
class topic_writer {
    using message = message_type<Bytes>;

  public:
    explicit topic_writer(channel const& c)
        : out_(me(c).publisher<message>(c.name, options(c)).value(), c) {}

    template <class Write>
    [[gnu::always_inline]] bool try_send(Write write) {
        if constexpr (Copies) {
            return out_.copy(write);
        } else {
            return out_.lend(write);
        }
    }
    template <class Write>
    void send(Write write) {
        if (!try_send(write)) {
            fail("send", "no room");
        }
    }
    template <class Write>
    std::size_t try_send_batch(std::size_t count, Write write) {
        return out_.batch(count, write);
    }

  private:
    static publisher_options options(channel const& c) {
        publisher_options o;
        o.overflow = overflow_of(c);
        o.depth = c.depth;
        o.payload_bytes_max = c.bytes;
        o.pins_max = 2 * c.readers; // memory for so many more, and 64 MiB each is a lot
        o.subscribers_max = std::max(subscribers_default, c.readers);
        o.block_for = patience;
        o.waiting = waiting_of(c);
        return o;
    }
    writing<Bytes, publisher<message>> out_;
};

template <std::size_t Bytes>
class topic_reader : public reading<Bytes, subscriber<message_type<Bytes>>> {
    using message = message_type<Bytes>;

  public:
    explicit topic_reader(channel const& c)
        : reading<Bytes, subscriber<message>>(me(c).subscriber<message>(c.name, options(c)).value(),
                                              c) {}

  private:
    static subscriber_options options(channel const& c) {
        subscriber_options o;
        o.delivery = c.lossy ? delivery::lossy : delivery::lossless;
        o.waiting = waiting_of(c);
        return o;
    }
};

template <std::size_t Bytes>
class lane_writer {
    using message = message_type<Bytes>;

  public:
    explicit lane_writer(channel const& c)
        : out_(me(c).sender<message>(c.name, options(c)).value(), c) {}

    template <class Write>
    [[gnu::always_inline]] bool try_send(Write write) {
        return out_.lend(write);
    }
    template <class Write>
    void send(Write write) {
        if (!try_send(write)) {
            fail("send", "no room");
        }
    }
    template <class Write>
    std::size_t try_send_batch(std::size_t count, Write write) {
        return out_.batch(count, write);
    }

  private:
    static sender_options options(channel const& c) {
        sender_options o;
        o.overflow = overflow_of(c);
        o.block_for = patience;
        o.waiting = waiting_of(c);
        return o;
    }
    writing<Bytes, sender<message>> out_;
};

template <std::size_t Bytes>
class lane_reader : public reading<Bytes, receiver<message_type<Bytes>>> {
    using message = message_type<Bytes>;

  public:
    explicit lane_reader(channel const& c)
        : reading<Bytes, receiver<message>>(me(c).receiver<message>(c.name, options(c)).value(),
                                            c) {}

  private:
    static receiver_options options(channel const& c) {
        receiver_options o;
        o.depth = c.depth;
        o.payload_bytes_max = c.bytes;
        o.senders_max = c.writers;
        o.waiting = waiting_of(c);
        return o;
    }
};

template <bool Fixed, bool Copies>
struct topic_subject {
    template <std::size_t Bytes>
    using writer = topic_writer<Bytes, Copies>;
    template <std::size_t Bytes>
    using reader = topic_reader<Bytes>;
    static constexpr bool sizes_fixed = Fixed;
    static constexpr bool fans_out = true;
    static constexpr bool fans_in = false;
    static constexpr bool has_threads = false;
    static constexpr bool is_connected = false;
};
template <bool Fixed>
struct lane_subject {
    template <std::size_t Bytes>
    using writer = lane_writer<Bytes>;
    template <std::size_t Bytes>
    using reader = lane_reader<Bytes>;
    static constexpr bool sizes_fixed = Fixed;
    static constexpr bool fans_out = false;
    static constexpr bool fans_in = true;
    static constexpr bool has_threads = false;
    static constexpr bool is_connected = false;
};

bool is_call_variant(std::string_view variant) { return variant == "typed" || variant == "bytes"; }

bool can(job const& j, std::string_view variant) {
    if (is_breaker_figure(j.figure) || variant.starts_with("breaker")) {
        return is_breaker_figure(j.figure) && variant.starts_with("breaker");
    }
    if (j.figure == figure::call || is_call_variant(variant)) {
        return j.figure == figure::call && j.wait != wait::fd && is_call_variant(variant) &&
               (variant == "bytes" || !j.large());
    }
    bool const lane = variant.starts_with("lane");
    if (variant.ends_with("poll")) {
        return j.figure == figure::throughput && j.wait == wait::spin && j.lossy == 0 && !j.large();
    }
    if (variant == "topic, copy" && j.large()) {
        return false;
    }
    switch (j.figure) {
    case figure::publish_cost:
    case figure::fan_out: return !lane;
    case figure::fan_in: return lane;
    case figure::throughput_batch: return variant != "topic, copy" && !j.large();
    case figure::wake_up:
    case figure::one_way: return variant != "topic, copy";
    default: return true;
    }
}

struct still_clock {
    std::uint64_t now_ns() const noexcept { return 1'000'000'000'000; }
};

/// As an application has one that changes nothing but the window's length.
template <class Clock>
void play_breaker(session& s) {
    auto circuit = basic_breaker<Clock>::make().value();
    if (s.what.figure == figure::breaker_admit) {
        play_alone(s, [&] {
            auto ticket = circuit.admit();
            if (!ticket) [[unlikely]] {
                fail("admit", "refused");
            }
            ticket->success();
        });
        return;
    }
    circuit.open_for(1h).value();
    play_alone(s, [&] {
        auto const refused = circuit.admit();
        if (refused) [[unlikely]] {
            fail("admit", "not refused");
        }
    });
}

void play(session& s, std::uint32_t role) {
    if (is_breaker_figure(s.what.figure)) {
        s.variant.view() == "breaker, clock" ? play_breaker<monotonic_clock>(s)
                                             : play_breaker<still_clock>(s);
        return;
    }
    if (s.what.figure == figure::call) {
        play_partywall_call(s, role);
        return;
    }
    bool const large = s.what.large();
    if (s.variant.view().starts_with("lane")) {
        large ? play_channels<lane_subject<false>>(s, role)
              : play_channels<lane_subject<true>>(s, role);
    } else if (s.variant.view() == "topic, copy") {
        play_channels<topic_subject<true, true>>(s, role);
    } else {
        large ? play_channels<topic_subject<false, false>>(s, role)
              : play_channels<topic_subject<true, false>>(s, role);
    }
}

} // namespace

subject partywall_subject() {
    return {"partywall",
            {"topic", "topic, copy", "topic, poll", "lane", "lane, poll", "typed", "bytes",
             "breaker", "breaker, clock"},
            can,
            play};
}

} // namespace partywall::bench
