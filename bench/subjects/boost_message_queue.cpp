// SPDX-License-Identifier: BSL-1.0
// Boost.Interprocess message_queue: a queue under a mutex in shared memory.
#include "adapters.hpp"
#include "roles.hpp"

#include <boost/interprocess/ipc/message_queue.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace partywall::bench {
namespace {

namespace ipc = boost::interprocess;

/// Named by the scratch folder, which no two runs have in common.
std::string name_of(channel const& c) {
    std::string name = c.file();
    std::replace(name.begin(), name.end(), '/', '-');
    return name.substr(1);
}

class queue_end {
  protected:
    explicit queue_end(channel const& c, bool owner)
        : name_(name_of(c)), owner_(owner),
          queue_(ipc::open_or_create, name_.c_str(), static_cast<std::size_t>(c.depth),
                 static_cast<std::size_t>(c.bytes), ipc::permissions(0600)),
          buffer_(static_cast<std::size_t>(c.bytes)) {}
    ~queue_end() {
        if (owner_) {
            ipc::message_queue::remove(name_.c_str());
        }
    }
    queue_end(queue_end const&) = delete;
    queue_end& operator=(queue_end const&) = delete;

    std::string name_;
    bool owner_;
    ipc::message_queue queue_;
    std::vector<std::byte> buffer_;
};

class queue_writer : queue_end {
  public:
    explicit queue_writer(channel const& c) : queue_end(c, false) {}
    template <class Write>
    bool try_send(Write write) {
        write(buffer_.data());
        return queue_.try_send(buffer_.data(), buffer_.size(), 0);
    }
    template <class Write>
    void send(Write write) {
        write(buffer_.data());
        queue_.send(buffer_.data(), buffer_.size(), 0);
    }
};

class queue_reader : queue_end {
  public:
    explicit queue_reader(channel const& c) : queue_end(c, true) {}
    template <class Read>
    bool try_receive(Read read) {
        std::size_t bytes = 0;
        unsigned priority = 0;
        if (!queue_.try_receive(buffer_.data(), buffer_.size(), bytes, priority)) {
            return false;
        }
        read(buffer_.data(), bytes);
        return true;
    }
    template <class Read>
    void receive(Read read) {
        std::size_t bytes = 0;
        unsigned priority = 0;
        queue_.receive(buffer_.data(), buffer_.size(), bytes, priority);
        read(buffer_.data(), bytes);
    }
};

struct queues {
    template <std::size_t>
    using writer = queue_writer;
    template <std::size_t>
    using reader = queue_reader;
    static constexpr bool sizes_fixed = false;
    static constexpr bool fans_out = false;
    static constexpr bool fans_in = true;
    static constexpr bool has_threads = false;
    static constexpr bool is_connected = false;
};

bool can(job const& j, std::string_view) {
    return is_channel_figure(j.figure) && j.figure != figure::throughput_batch && j.lossy == 0 &&
           (j.wait == wait::spin || j.wait == wait::park);
}

} // namespace

subject boost_message_queue_subject() {
    return {"boost_message_queue", {""}, can, play_channels<queues>};
}

} // namespace partywall::bench
