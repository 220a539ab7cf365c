// SPDX-License-Identifier: BSL-1.0
// What users see of every handle that receives: subscriber<T> and receiver<T> are this and a few
// members of their own.
#pragma once

#include <partywall/endpoint/sample.hpp>
#include <partywall/endpoint/writing_end.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>

namespace partywall::inline v0 {

namespace detail {
template <class T>
using copier = std::conditional_t<payload<T>::variable_length, copy_any_size,
                                  copy_fixed_size<sizeof(typename payload<T>::element)>>;
} // namespace detail

/// See subscriber and receiver. `Core`: what it stands on.
template <class T, class Core>
class reading_handle {
    using element = typename detail::payload<T>::element;

  protected:
    using copier = detail::copier<T>;
    using core_handle = std::unique_ptr<Core, detail::reading_end::closer>;

  public:
    explicit reading_handle(core_handle core) noexcept : core_(std::move(core)) {}
    reading_handle(reading_handle&&) noexcept = default;
    reading_handle& operator=(reading_handle&&) noexcept = default;
    ~reading_handle() = default; // closes; never blocks

    /// The next message if there is one now.
    [[nodiscard]] sample<T> try_receive() noexcept {
        sample<T> s;
        if (take_now(s) == detail::quick::unknown) {
            s = try_receive_thoroughly();
        }
        return s;
    }
    /// The next message, waiting for it at most `timeout`.
    [[nodiscard]] sample<T> receive(std::chrono::nanoseconds timeout) noexcept {
        sample<T> s;
        if (take_now(s) != detail::quick::took) {
            s = receive_thoroughly(timeout);
        }
        return s;
    }
    [[nodiscard]] sample<T> receive_until(std::chrono::steady_clock::time_point deadline) noexcept {
        auto const now = std::chrono::steady_clock::now();
        return receive(deadline > now ? deadline - now : std::chrono::nanoseconds(0));
    }

    /// Copies messages that are there now into `out`; returns how many. An end that it comes upon
    /// (peer_died, ...) is reported by the next call of receive() or try_receive() that finds no
    /// message; missed() counts what was lost in between.
    std::size_t receive_batch(std::span<element> out) noexcept
        requires(!detail::payload<T>::variable_length) {
        std::size_t count = 0;
        while (count < out.size()) {
            sample<T> s;
            if (take_now(s) == detail::quick::unknown) {
                s = next_of_several();
            }
            if (!s) {
                break;
            }
            out[count] = *s;
            count += 1;
        }
        return count;
    }

    /// Hands messages that are there now to `handler`, at most `limit`, and returns how many: the
    /// fastest way to take many.
    ///
    /// Use when  what is done with a message is done when the handler returns. It is called with
    ///           `T const&`, or with a span for variable lengths: the message where it lies, or a copy
    ///           of it in a buffer of ours, as sample says.
    /// Not when  a message is kept, or `missed()` of each matters: receive samples.
    /// Handler   may throw, which ends this, and the message counts as taken; may close this handle, but
    ///           not destroy it; may receive by the same one, which takes the messages that follow.
    /// Progress  never waits. From each publisher or sender in turn, some messages at a time. Room is
    ///           given back after so many; an end that it comes upon is reported as by receive_batch().
    /// Cost      a few nanoseconds for each message; the bookkeeping of a sample once for some.
    /// Peer dies what it had sent is handed over first.
    template <class Handler>
    std::size_t poll(Handler&& handler, std::size_t limit = 64) {
        auto const hand = [&handler](std::byte const* data, std::uint64_t bytes) {
            handler(detail::view<T>(data, bytes));
        };
        std::size_t count = 0;
        while (count < limit) {
            std::size_t const some =
                core_ ? core_->template hand_over_now<copier>(limit - count, hand) : 0;
            if (some == 0) {
                sample<T> s;
                if (take_now(s) == detail::quick::unknown) {
                    s = next_of_several();
                }
                if (!s) {
                    break;
                }
                count += 1;
                handler(*s);
            }
            count += some;
        }
        return count;
    }

    /// Range-for over what is there now. The sample is valid until the loop's next round. An end
    /// that it comes upon is reported as by receive_batch().
    class iterator {
      public:
        using difference_type = std::ptrdiff_t;
        using value_type = sample<T>;

        explicit iterator(reading_handle& from) noexcept : from_(&from) { ++*this; }
        sample<T>& operator*() noexcept { return current_; }
        iterator& operator++() noexcept {
            current_.reset();
            if (from_->take_now(current_) == detail::quick::unknown) {
                current_ = from_->next_of_several();
            }
            return *this;
        }
        void operator++(int) noexcept { ++*this; }
        friend bool operator==(iterator const& i, std::default_sentinel_t) noexcept {
            return !i.current_;
        }

      private:
        reading_handle* from_;
        sample<T> current_;
    };
    iterator begin() noexcept { return iterator(*this); }
    std::default_sentinel_t end() const noexcept { return {}; }

    /// Ends the call that is blocked in this handle, or the next one that would block, with
    /// `interrupted`. Any thread, any signal handler.
    void interrupt() noexcept {
        if (core_) {
            core_->interrupt();
        }
    }
    /// A descriptor for epoll, poll, Asio or libuv: readable (EPOLLIN, POLLIN; level-triggered) when
    /// there may be something to receive. Made by the first call; it stays the same one, moves with
    /// the handle, and is closed by close(): leave the event loop first. Only wait for it: nobody
    /// but the library reads or closes it.
    ///
    /// Readable   from the start, and again when a message, a publisher or sender that comes, closes
    ///            or died, interrupt(), or a sample given back by another thread may concern this
    ///            handle; and at the end of every slice, 40 ms where somebody is attached, else
    ///            100 ms. So it may be readable for nothing. Slices are 8 ms where the kernel cannot
    ///            tell of a death (another PID namespace, more than 32 processes, a sandbox) or
    ///            tells of it late (a process with more than 64 MiB in memory), and 1 ms where
    ///            nobody wakes (wake::never, delivery::looking).
    /// Drained by the call of try_receive(), receive(), receive_batch() or a loop that finds nothing:
    ///            so call until nothing is there, or stop sooner and come back: it stays readable.
    ///            Many messages are one readiness. A blocking call leaves it readable.
    /// Cost       three descriptors, one more for each process whose death matters, and a file in the
    ///            domain's directory. Writers make four system calls for the first message after the
    ///            handle was drained, and none otherwise.
    /// Peer dies  readable when the kernel has taken it apart, within 1 ms if it is small, or at the
    ///            end of a slice, whichever is first.
    /// Threads    one at a time, as the handle; the thread that polls may be another one.
    /// Fork       the child must not poll its copy: what it took would be the parent's.
    /// Errors     see descriptor_errc
    [[nodiscard]] result<int, failure<descriptor_errc>> fd() noexcept {
        if (!core_) {
            return detail::no_descriptor_of_closed();
        }
        return core_->descriptor();
    }
    /// Also done by the destructor. Samples that are held stay valid.
    void close() noexcept { core_.reset(); }
    /// Messages taken, and messages missed, in total.
    std::uint64_t received() const noexcept { return core_ ? core_->received() : 0; }
    std::uint64_t missed() const noexcept { return core_ ? core_->missed() : 0; }
    /// How much shared memory this endpoint has mapped so far, and what its memory_options came to.
    memory_report memory() const noexcept { return core_ ? core_->memory() : memory_report(); }

  private:
    friend struct detail::wait_access;
    detail::waitable* to_be_waited_for() noexcept { return core_.get(); }
    /// Fills an empty sample if that takes no more than a look.
    [[gnu::always_inline]] detail::quick take_now(sample<T>& s) noexcept {
        if (!core_) [[unlikely]] {
            return detail::quick::unknown;
        }
        detail::quick const what = core_->template take_now<copier>(s.taken_);
        if (what == detail::quick::took) [[likely]] {
            s.core_ = core_.get();
        } else if (core_->has_descriptor()) [[unlikely]] {
            return detail::quick::unknown; // it has to be armed
        }
        return what;
    }
    [[gnu::noinline]] sample<T> try_receive_thoroughly() noexcept {
        if (!core_) {
            return closed();
        }
        return {core_.get(),
                core_->try_for_descriptor([this] { return core_->template try_take<copier>(); })};
    }
    [[gnu::noinline]] sample<T> receive_thoroughly(std::chrono::nanoseconds timeout) noexcept {
        if (!core_) {
            return closed();
        }
        return {core_.get(), core_->wait_for([this] { return core_->template try_take<copier>(); },
                                             detail::wait_ns(timeout))};
    }
    /// For loops that end where there is nothing and cannot say why.
    [[gnu::noinline]] sample<T> next_of_several() noexcept {
        if (!core_) {
            return closed();
        }
        detail::taken const t =
            core_->try_for_descriptor([this] { return core_->template try_take<copier>(); });
        if (t.error != receive_errc::none) {
            core_->postpone(t);
        }
        return {core_.get(), t};
    }
    static sample<T> closed() noexcept {
        detail::taken t;
        t.error = receive_errc::closed;
        return sample<T>(nullptr, t);
    }

  protected:
    core_handle core_;
};

} // namespace partywall::inline v0
