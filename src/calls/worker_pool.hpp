// SPDX-License-Identifier: BSL-1.0
// Handlers that run in threads of the library: the server's own thread hands requests over, and takes
// the next. Hand-offs inside one process, so Boost.Lockfree's queues will do.
//
// Callers   handle(), may_begin(): the server's thread. The rest is the pool's own.
// Progress  handle() never waits. The destructor waits for the handlers that run.
// Memory    `queued_max` requests and as many answers; each grows once to what it has to hold.
// Fork      the child has none of the threads: its copy lets go of them.
#pragma once

#include "call_parts.hpp"

#include <partywall/calls/deferred.hpp>
#include <partywall/calls/server_core.hpp>
#include <partywall/calls/stream_writer.hpp>
#include <partywall/os/fork_mark.hpp>

#include <boost/lockfree/queue.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <semaphore>
#include <thread>
#include <vector>

namespace partywall::inline v0::detail {

class worker_pool final : public request_handler {
  public:
    /// Runs `inner`, which answers at once or in a stream, in `threads` threads. Throws std::bad_alloc and
    /// std::system_error.
    worker_pool(std::unique_ptr<request_handler> inner, std::uint32_t threads,
                std::uint32_t queued_max, std::uint64_t scratch_bytes);
    ~worker_pool() override;

    bool may_begin() noexcept override;
    void handle(exchange& x) noexcept override;
    worker_pool(worker_pool const&) = delete;
    worker_pool& operator=(worker_pool const&) = delete;

  private:
    struct job {
        deferred_core duty;
        message_memory request;
        std::uint64_t request_bytes = 0;
        message_memory answer;
        stream_core stream; ///< or this one
    };

    void work() noexcept;
    void run(job& j) noexcept;
    void run_stream(job& j) noexcept;
    void end() noexcept;

    std::unique_ptr<request_handler> inner_;
    std::uint64_t scratch_bytes_;
    std::vector<job> jobs_;
    boost::lockfree::queue<job*, boost::lockfree::fixed_sized<true>> free_;
    boost::lockfree::queue<job*, boost::lockfree::fixed_sized<true>> ready_;
    std::counting_semaphore<> work_{0};
    std::atomic<bool> ending_{false};
    job* next_ = nullptr; ///< claimed by may_begin()
    os::fork_mark mark_ = os::fork_mark::current();
    std::vector<std::thread> threads_;
};

} // namespace partywall::inline v0::detail
