// SPDX-License-Identifier: BSL-1.0
// Subjects that harm one message of many. The tests of the suite run them, and see it fail.
#include "adapters.hpp"
#include "byte_stream.hpp"
#include "roles.hpp"

#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>

namespace partywall::bench {
namespace {

enum class harm { loses, damages, repeats };

/// A pipe that does harm when the five-hundredth message passes.
template <harm Harm>
class broken_writer {
  public:
    explicit broken_writer(channel const& c)
        : fd_(::open(c.file().c_str(), O_WRONLY | O_CLOEXEC)), bytes_(c.bytes, false) {
        if (fd_.get() < 0) {
            fail_errno("open");
        }
    }
    template <class Write>
    bool try_send(Write write) {
        count_ += 1;
        if (count_ != 500) {
            return bytes_.try_send(fd_.get(), write);
        }
        if constexpr (Harm == harm::repeats) {
            return bytes_.try_send(fd_.get(), write) && bytes_.try_send(fd_.get(), write);
        } else if constexpr (Harm == harm::damages) {
            return bytes_.try_send(fd_.get(), [&](void* to) {
                write(to);
                static_cast<unsigned char*>(to)[20] ^= 1U;
            });
        }
        return true;
    }
    template <class Write>
    void send(Write write) {
        try_send(write);
    }

  private:
    descriptor fd_;
    byte_writer bytes_;
    std::uint64_t count_ = 0;
};

class broken_reader {
  public:
    explicit broken_reader(channel const& c) : bytes_(c.bytes, false) {
        if (::mkfifo(c.file().c_str(), 0600) != 0) {
            fail_errno("mkfifo");
        }
        fd_.reset(::open(c.file().c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
    }
    template <class Read>
    bool try_receive(Read read) {
        return bytes_.try_receive(fd_.get(), read);
    }
    template <class Read>
    void receive(Read read) {
        bytes_.receive(fd_.get(), read);
    }

  private:
    descriptor fd_;
    byte_reader bytes_;
};

template <harm Harm>
struct broken {
    template <std::size_t>
    using writer = broken_writer<Harm>;
    template <std::size_t>
    using reader = broken_reader;
    static constexpr bool sizes_fixed = false;
    static constexpr bool fans_out = false;
    static constexpr bool fans_in = false;
    static constexpr bool has_threads = false;
    static constexpr bool is_connected = true;
};

bool can(job const& j, std::string_view) {
    return j.figure == figure::throughput && j.wait == wait::spin && j.bytes == 64;
}
bool can_call_throughput(job const& j, std::string_view) { return can(j, {}); }
void die(session&, std::uint32_t role) {
    if (role == 1) {
        std::_Exit(3);
    }
    throw std::runtime_error("the other one died");
}

} // namespace

std::vector<subject> broken_subjects() {
    return {{"broken-loses", {""}, can, play_channels<broken<harm::loses>>, nullptr, true},
            {"broken-damages", {""}, can, play_channels<broken<harm::damages>>, nullptr, true},
            {"broken-repeats", {""}, can, play_channels<broken<harm::repeats>>, nullptr, true},
            {"broken-dies", {""}, can_call_throughput, die, nullptr, true}};
}

} // namespace partywall::bench
