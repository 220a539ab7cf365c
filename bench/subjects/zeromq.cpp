// SPDX-License-Identifier: BSL-1.0
// ZeroMQ over ipc://. Its own thread moves the messages, so both processors must be open to it.
#include "adapters.hpp"
#include "roles.hpp"

#include <poll.h>
#include <zmq.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace partywall::bench {
namespace {

[[noreturn]] void fail(char const* what) {
    throw std::runtime_error(std::string(what) + ": " + zmq_strerror(zmq_errno()));
}

class context {
  public:
    static void* of_process() {
        static context one;
        return one.handle_;
    }
    context(context const&) = delete;
    context& operator=(context const&) = delete;

  private:
    context() : handle_(zmq_ctx_new()) {}
    ~context() { zmq_ctx_term(handle_); }
    void* handle_;
};

class zmq_end {
  public:
    zmq_end(int type, std::uint64_t depth) : socket_(zmq_socket(context::of_process(), type)) {
        if (socket_ == nullptr) {
            fail("zmq_socket");
        }
        // Its two sides have a queue each.
        set(ZMQ_SNDHWM, static_cast<int>(depth));
        set(ZMQ_RCVHWM, static_cast<int>(depth));
        set(ZMQ_LINGER, 1000);
    }
    ~zmq_end() { zmq_close(socket_); }
    zmq_end(zmq_end const&) = delete;
    zmq_end& operator=(zmq_end const&) = delete;

    void set(int option, int value) {
        if (zmq_setsockopt(socket_, option, &value, sizeof value) != 0) {
            fail("zmq_setsockopt");
        }
    }
    void subscribe() {
        if (zmq_setsockopt(socket_, ZMQ_SUBSCRIBE, "", 0) != 0) {
            fail("ZMQ_SUBSCRIBE");
        }
    }
    void bind(channel const& c) {
        if (zmq_bind(socket_, ("ipc://" + c.file()).c_str()) != 0) {
            fail("zmq_bind");
        }
    }
    void connect(channel const& c) {
        if (zmq_connect(socket_, ("ipc://" + c.file()).c_str()) != 0) {
            fail("zmq_connect");
        }
    }
    /// False: not now.
    bool send(void const* from, std::size_t bytes, int flags) {
        if (zmq_send(socket_, from, bytes, flags) >= 0) {
            return true;
        }
        if (zmq_errno() != EAGAIN) {
            fail("zmq_send");
        }
        return false;
    }
    template <class Read>
    bool receive(Read read, int flags) {
        zmq_msg_t message;
        zmq_msg_init(&message);
        if (zmq_msg_recv(&message, socket_, flags) < 0) {
            if (zmq_errno() != EAGAIN) {
                fail("zmq_msg_recv");
            }
            return false;
        }
        read(zmq_msg_data(&message), zmq_msg_size(&message));
        zmq_msg_close(&message);
        return true;
    }
    /// As an event loop has to: the descriptor says that something changed, and then all of it
    /// must be asked for.
    void poll() {
        int events = 0;
        std::size_t size = sizeof events;
        zmq_getsockopt(socket_, ZMQ_EVENTS, &events, &size);
        if ((events & ZMQ_POLLIN) != 0) {
            return;
        }
        int fd = -1;
        size = sizeof fd;
        zmq_getsockopt(socket_, ZMQ_FD, &fd, &size);
        pollfd one{fd, POLLIN, 0};
        ::poll(&one, 1, -1);
    }

  private:
    void* socket_;
};

class zeromq_writer {
  public:
    explicit zeromq_writer(channel const& c)
        : end_(c.lossy || c.readers > 1 ? ZMQ_XPUB
               : c.writers > 1          ? ZMQ_PUSH
                                        : ZMQ_PAIR,
               c.depth),
          buffer_(static_cast<std::size_t>(c.bytes)) {
        if (c.lossy || c.readers > 1) {
            end_.set(ZMQ_XPUB_NODROP, c.lossy ? 0 : 1);
            end_.bind(c); // one writer, many readers
        } else {
            end_.connect(c);
        }
    }
    template <class Write>
    bool try_send(Write write) {
        write(buffer_.data());
        return end_.send(buffer_.data(), buffer_.size(), ZMQ_DONTWAIT);
    }
    template <class Write>
    void send(Write write) {
        write(buffer_.data());
        while (!end_.send(buffer_.data(), buffer_.size(), 0)) {
        }
    }

  private:
    zmq_end end_;
    std::vector<std::byte> buffer_;
};

class zeromq_reader {
  public:
    explicit zeromq_reader(channel const& c)
        : end_(c.lossy || c.readers > 1 ? ZMQ_SUB
               : c.writers > 1          ? ZMQ_PULL
                                        : ZMQ_PAIR,
               c.depth),
          polls_(c.wait == wait::fd) {
        if (c.lossy || c.readers > 1) {
            end_.set(ZMQ_RECONNECT_IVL, 1); // the writer comes after us
            end_.subscribe();
            end_.connect(c);
        } else {
            end_.bind(c);
        }
    }
    template <class Read>
    bool try_receive(Read read) {
        return end_.receive(read, ZMQ_DONTWAIT);
    }
    template <class Read>
    void receive(Read read) {
        if (!polls_) {
            end_.receive(read, 0);
            return;
        }
        while (!end_.receive(read, ZMQ_DONTWAIT)) {
            end_.poll();
        }
    }

  private:
    zmq_end end_;
    bool polls_;
};

/// REQ and REP.
class zeromq_client {
  public:
    explicit zeromq_client(channel const& c)
        : end_(ZMQ_REQ, c.depth), buffer_(static_cast<std::size_t>(c.bytes)), spins_(c.spins()) {
        end_.connect(c);
    }
    template <class Write, class Read>
    void call(Write write, Read read) {
        write(buffer_.data());
        end_.send(buffer_.data(), buffer_.size(), 0);
        while (!end_.receive(read, spins_ ? ZMQ_DONTWAIT : 0)) {
        }
    }

  private:
    zmq_end end_;
    std::vector<std::byte> buffer_;
    bool spins_;
};
class zeromq_server {
  public:
    explicit zeromq_server(channel const& c)
        : end_(ZMQ_REP, c.depth), buffer_(static_cast<std::size_t>(c.bytes)), spins_(c.spins()) {
        end_.bind(c);
    }
    template <class Answer>
    void run(Answer answer) {
        bool more = true;
        while (more) {
            auto const read = [&](void const* from, std::size_t bytes) {
                more = answer(from, bytes, buffer_.data());
            };
            while (!end_.receive(read, spins_ ? ZMQ_DONTWAIT : 0)) {
            }
            end_.send(buffer_.data(), buffer_.size(), 0);
        }
    }

  private:
    zmq_end end_;
    std::vector<std::byte> buffer_;
    bool spins_;
};

struct sockets {
    template <std::size_t>
    using writer = zeromq_writer;
    template <std::size_t>
    using reader = zeromq_reader;
    using client = zeromq_client;
    using server = zeromq_server;
    static constexpr bool sizes_fixed = false;
    static constexpr bool fans_out = true;
    static constexpr bool fans_in = true;
    static constexpr bool has_threads = true;
    static constexpr bool is_connected = false;
    static constexpr bool server_works_in_threads = false;
};

bool can(job const& j, std::string_view) {
    switch (j.figure) {
    case figure::breaker_admit:
    case figure::breaker_reject:
    case figure::throughput_batch: return false;
    case figure::call: return j.wait == wait::spin || j.wait == wait::park;
    default: return j.wait != wait::spin_then_park;
    }
}

} // namespace

subject zeromq_subject() { return {"zeromq", {""}, can, play_any<sockets>, nullptr, false, true}; }

} // namespace partywall::bench
