// SPDX-License-Identifier: BSL-1.0
// nng over ipc://. Its own threads move the messages, so both processors must be open to them.
#include "adapters.hpp"
#include "roles.hpp"

#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>
#include <nng/protocol/pubsub0/pub.h>
#include <nng/protocol/pubsub0/sub.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace partywall::bench {
namespace {

void check(int result, char const* what) {
    if (result != 0) {
        throw std::runtime_error(std::string(what) + ": " + nng_strerror(result));
    }
}

/// One pattern is lossless from one to one, one from many to one; one to many loses.
enum class pattern { pair, pipeline, pubsub };
pattern pattern_of(channel const& c) {
    return c.lossy ? pattern::pubsub : c.writers > 1 ? pattern::pipeline : pattern::pair;
}

class nng_end {
  public:
    explicit nng_end(channel const& c, int (*open)(nng_socket*)) : url_("ipc://" + c.file()) {
        check(open(&socket_), "nng open");
        // Its queues hold up to 8,192 messages; pipelines and others may have none.
        int const depth = static_cast<int>(std::min<std::uint64_t>(c.depth, 8192));
        nng_socket_set_int(socket_, NNG_OPT_SENDBUF, depth);
        nng_socket_set_int(socket_, NNG_OPT_RECVBUF, depth);
        nng_socket_set_size(socket_, NNG_OPT_RECVMAXSZ, 0);
    }
    ~nng_end() { nng_close(socket_); }
    nng_end(nng_end const&) = delete;
    nng_end& operator=(nng_end const&) = delete;

    void listen(std::string const& suffix = {}) {
        check(nng_listen(socket_, (url_ + suffix).c_str(), nullptr, 0), "nng_listen");
    }
    /// The other side is there: dialling again and again leaves descriptors behind (1.5.2).
    void dial(std::string const& suffix = {}) {
        check(nng_dial(socket_, (url_ + suffix).c_str(), nullptr, 0), "nng_dial");
    }
    void subscribe() { check(nng_socket_set(socket_, NNG_OPT_SUB_SUBSCRIBE, "", 0), "subscribe"); }
    template <class Write>
    bool send(std::uint64_t bytes, Write write, int flags) {
        nng_msg* message = nullptr;
        check(nng_msg_alloc(&message, static_cast<std::size_t>(bytes)), "nng_msg_alloc");
        write(nng_msg_body(message));
        int const result = nng_sendmsg(socket_, message, flags);
        if (result == 0) {
            return true;
        }
        nng_msg_free(message); // it is still ours
        if (result != NNG_EAGAIN) {
            check(result, "nng_sendmsg");
        }
        return false;
    }
    template <class Read>
    bool receive(Read read, int flags) {
        nng_msg* message = nullptr;
        int const result = nng_recvmsg(socket_, &message, flags);
        if (result == NNG_EAGAIN) {
            return false;
        }
        check(result, "nng_recvmsg");
        read(nng_msg_body(message), nng_msg_len(message));
        nng_msg_free(message);
        return true;
    }
    void poll() {
        if (fd_ < 0) {
            check(nng_socket_get_int(socket_, NNG_OPT_RECVFD, &fd_), "NNG_OPT_RECVFD");
        }
        pollfd one{fd_, POLLIN, 0};
        ::poll(&one, 1, -1);
    }

  private:
    nng_socket socket_{};
    std::string url_;
    int fd_ = -1;
};

class nng_writer {
  public:
    explicit nng_writer(channel const& c)
        : end_(c, pattern_of(c) == pattern::pubsub     ? nng_pub0_open
                  : pattern_of(c) == pattern::pipeline ? nng_push0_open
                                                       : nng_pair0_open),
          bytes_(c.bytes) {
        if (pattern_of(c) != pattern::pubsub) {
            end_.dial();
            return;
        }
        for (std::uint32_t i = 0; i < c.readers; ++i) {
            end_.dial("." + std::to_string(i));
        }
    }
    template <class Write>
    bool try_send(Write write) {
        return end_.send(bytes_, write, NNG_FLAG_NONBLOCK);
    }
    template <class Write>
    void send(Write write) {
        end_.send(bytes_, write, 0);
    }

  private:
    nng_end end_;
    std::uint64_t bytes_;
};

class nng_reader {
  public:
    explicit nng_reader(channel const& c)
        : end_(c, pattern_of(c) == pattern::pubsub     ? nng_sub0_open
                  : pattern_of(c) == pattern::pipeline ? nng_pull0_open
                                                       : nng_pair0_open),
          polls_(c.wait == wait::fd) {
        if (pattern_of(c) == pattern::pubsub) {
            end_.subscribe();
            end_.listen("." + std::to_string(c.index));
        } else {
            end_.listen();
        }
    }
    template <class Read>
    bool try_receive(Read read) {
        return end_.receive(read, NNG_FLAG_NONBLOCK);
    }
    template <class Read>
    void receive(Read read) {
        if (!polls_) {
            end_.receive(read, 0);
            return;
        }
        while (!end_.receive(read, NNG_FLAG_NONBLOCK)) {
            end_.poll();
        }
    }

  private:
    nng_end end_;
    bool polls_;
};

class nng_client {
  public:
    explicit nng_client(channel const& c)
        : end_(c, nng_req0_open), bytes_(c.bytes), flags_(c.spins() ? NNG_FLAG_NONBLOCK : 0) {
        end_.dial();
    }
    template <class Write, class Read>
    void call(Write write, Read read) {
        end_.send(bytes_, write, 0);
        while (!end_.receive(read, flags_)) {
        }
    }

  private:
    nng_end end_;
    std::uint64_t bytes_;
    int flags_;
};
class nng_server {
  public:
    explicit nng_server(channel const& c)
        : end_(c, nng_rep0_open), bytes_(c.bytes), flags_(c.spins() ? NNG_FLAG_NONBLOCK : 0) {
        end_.listen();
    }
    template <class Answer>
    void run(Answer answer) {
        std::vector<std::byte> reply(static_cast<std::size_t>(bytes_));
        bool more = true;
        while (more) {
            auto const read = [&](void const* from, std::size_t bytes) {
                more = answer(from, bytes, reply.data());
            };
            while (!end_.receive(read, flags_)) {
            }
            end_.send(
                bytes_, [&](void* to) { std::memcpy(to, reply.data(), reply.size()); }, 0);
        }
        ::usleep(50'000); // closing drops what is still on its way
    }

  private:
    nng_end end_;
    std::uint64_t bytes_;
    int flags_;
};

struct sockets {
    template <std::size_t>
    using writer = nng_writer;
    template <std::size_t>
    using reader = nng_reader;
    using client = nng_client;
    using server = nng_server;
    static constexpr bool sizes_fixed = false;
    static constexpr bool fans_out = false; ///< lossless: a pair for each
    static constexpr bool fans_in = true;
    static constexpr bool has_threads = true;
    static constexpr bool is_connected = false;
    static constexpr bool server_works_in_threads = false;
};
struct sockets_that_lose : sockets {
    static constexpr bool fans_out = true;
};

bool can(job const& j, std::string_view) {
    switch (j.figure) {
    case figure::breaker_admit:
    case figure::breaker_reject:
    case figure::throughput_batch: return false;
    case figure::call: return j.wait == wait::spin || j.wait == wait::park;
    // Beyond, 1.5.2 takes milliseconds for a message, and longer to connect than there is time.
    case figure::publish_cost: return j.readers <= 8;
    default: return j.wait != wait::spin_then_park;
    }
}

void play(session& s, std::uint32_t role) {
    s.what.lossy != 0 ? play_any<sockets_that_lose>(s, role) : play_any<sockets>(s, role);
}

} // namespace

subject nng_subject() { return {"nng", {""}, can, play, nullptr, false, true}; }

} // namespace partywall::bench
