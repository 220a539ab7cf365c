// SPDX-License-Identifier: BSL-1.0
// Boost.Lockfree spsc_queue of fixed capacity, which has no pointers, in shared memory.
#include "adapters.hpp"
#include "letter_types.hpp"
#include "mapped_file.hpp"
#include "roles.hpp"

#include <boost/lockfree/spsc_queue.hpp>

#include <array>
#include <new>

namespace partywall::bench {
namespace {

template <std::size_t Bytes>
using queue = boost::lockfree::spsc_queue<blob<Bytes>, boost::lockfree::capacity<depth_for(Bytes)>>;

template <std::size_t Bytes>
class spsc_writer {
  public:
    explicit spsc_writer(channel const& c)
        : file_(c.file(), sizeof(queue<Bytes>)),
          queue_(std::launder(reinterpret_cast<queue<Bytes>*>(file_.data()))) {}

    template <class Write>
    [[gnu::always_inline]] bool try_send(Write write) {
        blob<Bytes> message;
        write(&message);
        return queue_->push(message);
    }
    template <class Write>
    void send(Write write) {
        while (!try_send(write)) {
        }
    }
    template <class Write>
    std::size_t try_send_batch(std::size_t count, Write write) {
        std::array<blob<Bytes>, 64> messages;
        count = std::min(count, messages.size());
        for (std::size_t i = 0; i < count; ++i) {
            write(i, &messages[i]);
        }
        return queue_->push(messages.data(), count);
    }

  private:
    mapped_file file_;
    queue<Bytes>* queue_;
};

template <std::size_t Bytes>
class spsc_reader {
  public:
    explicit spsc_reader(channel const& c)
        : file_(c.file(), sizeof(queue<Bytes>)), queue_(new (file_.data()) queue<Bytes>) {}

    template <class Read>
    [[gnu::always_inline]] bool try_receive(Read read) {
        return queue_->consume_one(
            [&](blob<Bytes> const& message) { read(&message, sizeof message); });
    }
    template <class Read>
    void receive(Read read) {
        while (!try_receive(read)) {
        }
    }
    template <class Read>
    std::size_t try_receive_batch(Read read) {
        return queue_->consume_all(
            [&](blob<Bytes> const& message) { read(&message, sizeof message); });
    }

  private:
    mapped_file file_;
    queue<Bytes>* queue_;
};

struct queues {
    template <std::size_t Bytes>
    using writer = spsc_writer<Bytes>;
    template <std::size_t Bytes>
    using reader = spsc_reader<Bytes>;
    static constexpr bool sizes_fixed = true;
    static constexpr bool fans_out = false;
    static constexpr bool fans_in = false;
    static constexpr bool has_threads = false;
    static constexpr bool is_connected = false;
};

bool can(job const& j, std::string_view variant) {
    return (variant.empty() || j.figure == figure::throughput) && is_channel_figure(j.figure) &&
           j.lossy == 0 && j.wait == wait::spin && !j.large();
}

} // namespace

subject boost_spsc_subject() { return {"boost_spsc", {"", "poll"}, can, play_channels<queues>}; }

} // namespace partywall::bench
