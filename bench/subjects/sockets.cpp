// SPDX-License-Identifier: BSL-1.0
// What every system has: a Unix stream socket, and a named pipe. `park` blocks in read and write,
// `fd` asks poll first, `spin` asks again and again.
#include "adapters.hpp"
#include "byte_stream.hpp"
#include "roles.hpp"

#include <cstring>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

namespace partywall::bench {
namespace {

constexpr int buffer_bytes = 1 << 20;

sockaddr_un address_of(channel const& c) {
    sockaddr_un a{};
    a.sun_family = AF_UNIX;
    std::string const path = c.file();
    if (path.size() >= sizeof a.sun_path) {
        throw std::runtime_error("the scratch folder's name is too long for a socket");
    }
    path.copy(static_cast<char*>(a.sun_path), path.size());
    return a;
}
void set_blocking(int fd, bool blocking) {
    int const flags = ::fcntl(fd, F_GETFL);
    if (::fcntl(fd, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK) != 0) {
        fail_errno("fcntl");
    }
}
bool blocks_in_kernel(channel const& c) { return c.wait == wait::park; }

/// The two sides find each other while nobody may block; then the descriptor is as asked for.
class socket_writer {
  public:
    explicit socket_writer(channel const& c)
        : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)), bytes_(c.bytes, !c.spins()),
          blocks_(blocks_in_kernel(c)) {
        sockaddr_un const a = address_of(c);
        ::setsockopt(fd_.get(), SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof buffer_bytes);
        if (fd_.get() < 0 ||
            ::connect(fd_.get(), reinterpret_cast<sockaddr const*>(&a), sizeof a) != 0) {
            fail_errno("connect");
        }
        set_blocking(fd_.get(), false);
    }
    template <class Write>
    bool try_send(Write write) {
        return bytes_.try_send(fd_.get(), write);
    }
    template <class Write>
    void send(Write write) {
        if (blocks_) {
            set_blocking(fd_.get(), true);
            blocks_ = false;
        }
        bytes_.send(fd_.get(), write);
    }
    template <class Write>
    std::size_t try_send_batch(std::size_t count, Write write) {
        return bytes_.try_send_batch(fd_.get(), count, write);
    }

  private:
    descriptor fd_;
    byte_writer bytes_;
    bool blocks_;
};

class socket_reader {
  public:
    explicit socket_reader(channel const& c)
        : listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)),
          bytes_(c.bytes, !c.spins()), blocks_(blocks_in_kernel(c)), polls_(c.wait == wait::fd) {
        sockaddr_un const a = address_of(c);
        if (listener_.get() < 0 ||
            ::bind(listener_.get(), reinterpret_cast<sockaddr const*>(&a), sizeof a) != 0 ||
            ::listen(listener_.get(), 1) != 0) {
            fail_errno("bind");
        }
    }
    template <class Read>
    bool try_receive(Read read) {
        return connected() && bytes_.try_receive(fd_.get(), read);
    }
    template <class Read>
    void receive(Read read) {
        if (blocks_) {
            set_blocking(fd_.get(), true);
            blocks_ = false;
        }
        if (polls_) {
            byte_writer::wait_for(fd_.get(), POLLIN);
        }
        bytes_.receive(fd_.get(), read);
    }
    template <class Read>
    std::size_t try_receive_batch(Read read) {
        return connected() ? bytes_.try_receive_batch(fd_.get(), read) : 0;
    }

  private:
    bool connected() {
        if (fd_.get() < 0) [[unlikely]] {
            fd_.reset(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        }
        return fd_.get() >= 0;
    }
    descriptor listener_;
    descriptor fd_;
    byte_reader bytes_;
    bool blocks_;
    bool polls_;
};

/// One pipe for each way; opened for both by the reader, so that it is never at its end.
class pipe_end {
  protected:
    pipe_end(channel const& c, int flags) {
        if (::mkfifo(c.file().c_str(), 0600) != 0 && errno != EEXIST) {
            fail_errno("mkfifo");
        }
        fd_.reset(::open(c.file().c_str(), flags | O_NONBLOCK | O_CLOEXEC));
        if (fd_.get() < 0) {
            fail_errno("open of a pipe");
        }
        ::fcntl(fd_.get(), F_SETPIPE_SZ,
                buffer_bytes); // it may be refused: not our pipe to measure
    }
    descriptor fd_;
};

class pipe_writer : pipe_end {
  public:
    explicit pipe_writer(channel const& c)
        : pipe_end(c, O_WRONLY), bytes_(c.bytes, !c.spins()), blocks_(blocks_in_kernel(c)) {}
    template <class Write>
    bool try_send(Write write) {
        return bytes_.try_send(fd_.get(), write);
    }
    template <class Write>
    void send(Write write) {
        if (blocks_) {
            set_blocking(fd_.get(), true);
            blocks_ = false;
        }
        bytes_.send(fd_.get(), write);
    }
    template <class Write>
    std::size_t try_send_batch(std::size_t count, Write write) {
        return bytes_.try_send_batch(fd_.get(), count, write);
    }

  private:
    byte_writer bytes_;
    bool blocks_;
};

class pipe_reader : pipe_end {
  public:
    explicit pipe_reader(channel const& c)
        : pipe_end(c, O_RDWR), bytes_(c.bytes, !c.spins()), blocks_(blocks_in_kernel(c)),
          polls_(c.wait == wait::fd) {}
    template <class Read>
    bool try_receive(Read read) {
        return bytes_.try_receive(fd_.get(), read);
    }
    template <class Read>
    void receive(Read read) {
        if (blocks_) {
            set_blocking(fd_.get(), true);
            blocks_ = false;
        }
        if (polls_) {
            byte_writer::wait_for(fd_.get(), POLLIN);
        }
        bytes_.receive(fd_.get(), read);
    }
    template <class Read>
    std::size_t try_receive_batch(Read read) {
        return bytes_.try_receive_batch(fd_.get(), read);
    }

  private:
    byte_reader bytes_;
    bool blocks_;
    bool polls_;
};

struct sockets {
    template <std::size_t>
    using writer = socket_writer;
    template <std::size_t>
    using reader = socket_reader;
    static constexpr bool sizes_fixed = false;
    static constexpr bool fans_out = false;
    static constexpr bool fans_in = false;
    static constexpr bool has_threads = false;
    static constexpr bool is_connected = true;
};
struct pipes : sockets {
    template <std::size_t>
    using writer = pipe_writer;
    template <std::size_t>
    using reader = pipe_reader;
};

bool can(job const& j, std::string_view) {
    return is_channel_figure(j.figure) && j.wait != wait::spin_then_park && j.lossy == 0 &&
           (j.figure != figure::throughput_batch || !j.large());
}

} // namespace

subject unix_socket_subject() { return {"unix_socket", {""}, can, play_channels<sockets>}; }
subject pipe_subject() { return {"pipe", {""}, can, play_channels<pipes>}; }

} // namespace partywall::bench
