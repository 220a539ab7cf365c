// SPDX-License-Identifier: BSL-1.0
#include "worker_pool.hpp"

#include "reply_port.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace partywall::inline v0::detail {

worker_pool::worker_pool(std::unique_ptr<request_handler> inner, std::uint32_t threads,
                         std::uint32_t queued_max, std::uint64_t scratch_bytes)
    : request_handler(true, inner->streams), inner_(std::move(inner)),
      scratch_bytes_(scratch_bytes), jobs_(queued_max), free_(queued_max), ready_(queued_max) {
    for (job& j : jobs_) {
        free_.bounded_push(&j);
    }
    threads_.reserve(threads);
    try {
        for (std::uint32_t i = 0; i < threads; ++i) {
            threads_.emplace_back([this] { work(); });
        }
    } catch (...) {
        end();
        throw;
    }
}

worker_pool::~worker_pool() { end(); }

void worker_pool::end() noexcept {
    if (mark_.is_child()) {
        for (std::thread& t : threads_) {
            t.detach(); // there is no such thread here
        }
        return;
    }
    ending_.store(true, std::memory_order_relaxed); // published by the semaphore
    work_.release(static_cast<std::ptrdiff_t>(threads_.size()));
    for (std::thread& t : threads_) {
        if (t.get_id() == std::this_thread::get_id()) {
            t.detach(); // a handler that destroys its server
        } else {
            t.join();
        }
    }
    threads_.clear();
}

bool worker_pool::may_begin() noexcept { return next_ != nullptr || free_.pop(next_); }

/// After may_begin() said yes.
void worker_pool::handle(exchange& x) noexcept {
    job& j = *std::exchange(next_, nullptr);
    bool const room = j.request.reserve(x.request_bytes);
    if (room && streams) {
        j.stream = stream_core(x); // here: notes about it may follow at once
    } else {
        j.duty = deferred_core(x);
    }
    if (!room || (streams && !j.stream.has_begun())) {
        (void)j.duty.fail(reply_status::failed, 0, "the server has no memory");
        free_.bounded_push(&j);
        return;
    }
    j.request_bytes = x.request_bytes;
    if (x.request_bytes != 0) {
        std::memcpy(j.request.data(), x.request, x.request_bytes);
    }
    ready_.bounded_push(&j); // there is room: a place for each job
    work_.release();
}

void worker_pool::work() noexcept {
    for (;;) {
        work_.acquire();
        job* j = nullptr;
        // What was begun is finished before the end: answers are owed.
        while (ready_.pop(j)) {
            run(*j);
            j->duty = deferred_core();
            free_.bounded_push(j);
        }
        if (ending_.load(std::memory_order_relaxed)) {
            return;
        }
    }
}

void worker_pool::run(job& j) noexcept {
    if (streams) {
        run_stream(j);
        return;
    }
    std::uint64_t const room = std::max(j.duty.room(), scratch_bytes_);
    if (!j.answer.reserve(room)) {
        (void)j.duty.fail(reply_status::failed, 0, "the server has no memory");
        return;
    }
    call_context context = j.duty.context();
    exchange x;
    x.request = j.request.data();
    x.request_bytes = j.request_bytes;
    x.context = &context;
    x.answer = j.answer.data();
    x.room = room;
    x.id = 0;
    inner_->handle(x);
    j.duty.set_header(context.reply_header());
    if (x.status == reply_status::value) {
        (void)j.duty.answer(x.answer, x.answer_bytes);
    } else {
        (void)j.duty.fail(x.status, x.code, {x.text.data(), x.text_bytes});
    }
}

void worker_pool::run_stream(job& j) noexcept {
    call_context context = j.stream.context();
    exchange x;
    x.request = j.request.data();
    x.request_bytes = j.request_bytes;
    x.context = &context;
    x.stream = &j.stream;
    inner_->handle(x);
}

} // namespace partywall::inline v0::detail
