// SPDX-License-Identifier: BSL-1.0
// Members of a wait_set. Waiting is in wait_set_wait.cpp.
#include <partywall/endpoint/wait_set.hpp>

#include "reading_wait.hpp"
#include "wait_set_state.hpp"

#include <partywall/os/futex.hpp>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <new>
#include <sys/epoll.h>

namespace partywall::inline v0 {

using what = wait_event::what;

std::string_view to_string(wait_add_errc e) noexcept {
    switch (e) {
    case wait_add_errc::closed: return "closed";
    case wait_add_errc::forked: return "forked child";
    case wait_add_errc::already_waited_for: return "already in a set";
    case wait_add_errc::other_participant: return "of another participant";
    case wait_add_errc::bad_argument: return "bad argument";
    case wait_add_errc::not_pollable: return "descriptor cannot be polled";
    case wait_add_errc::too_many_descriptors: return "too many descriptors";
    case wait_add_errc::no_memory: return "no memory";
    case wait_add_errc::system: return "system error";
    }
    return "unknown error";
}

std::string_view to_string(wait_errc e) noexcept {
    switch (e) {
    case wait_errc::timed_out: return "timed out";
    case wait_errc::interrupted: return "interrupted";
    case wait_errc::closed: return "closed";
    case wait_errc::forked: return "forked child";
    }
    return "unknown wait error";
}

std::string_view to_string(wait_event::what kind) noexcept {
    switch (kind) {
    case what::handle: return "handle";
    case what::descriptor: return "descriptor";
    case what::timer: return "timer";
    case what::ended: return "ended";
    }
    return "unknown";
}

namespace {

wait_add_errc code_of(int error) noexcept {
    switch (error) {
    case EEXIST: return wait_add_errc::already_waited_for;
    case EPERM: return wait_add_errc::not_pollable;
    case EBADF:
    case EINVAL:
    case ELOOP: return wait_add_errc::bad_argument;
    case EMFILE:
    case ENFILE:
    case ENOSPC: return wait_add_errc::too_many_descriptors; // the user's limit of watches
    case ENOMEM: return wait_add_errc::no_memory;
    default: return wait_add_errc::system;
    }
}

wait_add_errc code_of(descriptor_errc e) noexcept {
    switch (e) {
    case descriptor_errc::too_many_descriptors: return wait_add_errc::too_many_descriptors;
    case descriptor_errc::no_memory: return wait_add_errc::no_memory;
    case descriptor_errc::forked: return wait_add_errc::forked;
    default: return wait_add_errc::system;
    }
}

} // namespace

// ---- the handle -----------------------------------------------------------------------------------

wait_set::wait_set(std::shared_ptr<detail::participant_core> participant)
    : state_(std::make_unique<state>(std::move(participant))) {}
wait_set::wait_set(wait_set&&) noexcept = default;
wait_set& wait_set::operator=(wait_set&&) noexcept = default;
wait_set::~wait_set() = default;

result<wait_id, wait_add_errc> wait_set::add_waitable(detail::waitable* handle,
                                                      std::uint64_t key) noexcept {
    if (!state_ || handle == nullptr) {
        return wait_add_errc::closed;
    }
    if (state_->mark.is_child()) {
        return wait_add_errc::forked;
    }
    if (handle->is_in_a_set()) {
        return wait_add_errc::already_waited_for;
    }
    // It says in slots of its participant's where it is to be woken; our pipe is of ours.
    if (&handle->belongs_to() != state_->participant.get()) {
        return wait_add_errc::other_participant;
    }
    auto made = state_->make(what::handle, key);
    detail::set_place* const place = made != nullptr ? &made->place : nullptr;
    auto const id = state_->add(std::move(made));
    if (id) {
        handle->enter_set(*place);
    }
    return id;
}

result<wait_id, wait_add_errc> wait_set::add_descriptor(int fd, std::uint32_t events,
                                                        std::uint64_t key) noexcept {
    constexpr std::uint32_t known = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP;
    if (!state_) {
        return wait_add_errc::closed;
    }
    if (state_->mark.is_child()) {
        return wait_add_errc::forked;
    }
    if (fd < 0 || events == 0 || (events & ~known) != 0) {
        return wait_add_errc::bad_argument;
    }
    if (auto const why = state_->make_descriptor(); why.code != descriptor_errc{}) {
        return code_of(why.code);
    }
    auto made = state_->make(what::descriptor, key);
    if (made == nullptr) {
        return wait_add_errc::no_memory;
    }
    made->fd = fd;
    std::uint64_t const tag = detail::wait_descriptor::first_tag + made->event.id;
    if (int const error = state_->descriptor->watch_other(fd, events, tag); error != 0) {
        return code_of(error);
    }
    auto const id = state_->add(std::move(made));
    if (id) {
        state_->others += 1;
    } else {
        state_->descriptor->unwatch_other(fd);
    }
    return id;
}

result<wait_id, wait_add_errc> wait_set::add_timer(std::chrono::steady_clock::time_point first,
                                                   std::chrono::nanoseconds period,
                                                   std::uint64_t key) noexcept {
    if (!state_) {
        return wait_add_errc::closed;
    }
    if (state_->mark.is_child()) {
        return wait_add_errc::forked;
    }
    if (period.count() < 0) {
        return wait_add_errc::bad_argument;
    }
    auto made = state_->make(what::timer, key);
    if (made != nullptr) {
        auto const since =
            std::chrono::duration_cast<std::chrono::nanoseconds>(first.time_since_epoch());
        made->due_ns = since.count() > 0 ? static_cast<std::uint64_t>(since.count()) : 0;
        made->period_ns = static_cast<std::uint64_t>(period.count());
    }
    auto const id = state_->add(std::move(made));
    state_->timers += id ? 1 : 0;
    return id;
}

result<wait_id, wait_add_errc> wait_set::add_end_of(std::uint64_t ticket,
                                                    std::uint64_t key) noexcept {
    if (!state_) {
        return wait_add_errc::closed;
    }
    if (state_->mark.is_child()) {
        return wait_add_errc::forked;
    }
    if (ticket == 0 || ticket > ticket_max || ticket == state_->participant->ticket()) {
        return wait_add_errc::bad_argument;
    }
    auto made = state_->make(what::ended, key);
    if (made != nullptr) {
        try {
            made->ticket = ticket;
            made->life = state_->participant->life_of(ticket);
        } catch (...) {
            return wait_add_errc::no_memory;
        }
    }
    return state_->add(std::move(made));
}

bool wait_set::remove(wait_id id) noexcept {
    return state_ && !state_->mark.is_child() && state_->remove(id);
}

std::size_t wait_set::size() const noexcept {
    if (!state_) {
        return 0;
    }
    auto const there = [](auto const& m) {
        return m->event.kind != what::handle || m->place.what != nullptr;
    };
    return static_cast<std::size_t>(
        std::count_if(state_->members.begin(), state_->members.end(), there));
}

void wait_set::interrupt() noexcept {
    if (!state_ || state_->mark.is_child()) {
        return;
    }
    int const saved = errno;
    // release: pairs with the acquire in interrupted().
    state_->interrupts.fetch_add(1, std::memory_order_release);
    os::futex_wake(reinterpret_cast<std::uint32_t const&>(state_->interrupts), INT_MAX, false);
    // acquire: pairs with the release in make_descriptor().
    if (auto const* const d = state_->interrupted_too.load(std::memory_order_acquire);
        d != nullptr) {
        d->kick();
    }
    errno = saved;
}

result<int, failure<descriptor_errc>> wait_set::fd() noexcept {
    if (!state_) {
        return detail::no_descriptor_of_closed();
    }
    if (auto why = state_->make_descriptor(); why.code != descriptor_errc{}) {
        return why;
    }
    if (!state_->polled) {
        state_->polled = true;
        state_->descriptor->disarm();
        state_->descriptor->kick(); // readable from the start on
    }
    return state_->descriptor->fd();
}

// ---- members --------------------------------------------------------------------------------------

wait_set::state::~state() {
    for (auto const& m : members) {
        if (m->place.what != nullptr) {
            m->place.what->leave_set(); // I1
        }
    }
    if (descriptor != nullptr) {
        detail::ends_with_descriptors().fetch_sub(1, std::memory_order_relaxed);
    }
}

std::unique_ptr<wait_set::state::member> wait_set::state::make(what kind,
                                                               std::uint64_t key) noexcept {
    std::unique_ptr<member> made(new (std::nothrow) member);
    if (made != nullptr) {
        made->event.kind = kind;
        made->event.key = key;
        made->event.id = last_id + 1;
    }
    return made;
}

result<wait_id, wait_add_errc> wait_set::state::add(std::unique_ptr<member> made) noexcept {
    if (made == nullptr) {
        return wait_add_errc::no_memory;
    }
    sweep();
    try {
        events.reserve(members.size() + 1); // I3
        members.push_back(std::move(made));
    } catch (...) {
        return wait_add_errc::no_memory;
    }
    if (descriptor != nullptr) {
        descriptor->disturb(); // the newcomer is not armed
    }
    last_id = members.back()->event.id;
    return last_id;
}

bool wait_set::state::remove(wait_id id) noexcept {
    auto const at = std::find_if(members.begin(), members.end(),
                                 [id](auto const& m) { return m->event.id == id; });
    if (at == members.end()) {
        return false;
    }
    member& m = **at;
    bool const there = m.event.kind != what::handle || m.place.what != nullptr;
    if (m.place.what != nullptr) {
        m.place.what->leave_set();
    }
    if (m.event.kind == what::descriptor) {
        descriptor->unwatch_other(m.fd);
        others -= 1;
    }
    timers -= m.event.kind == what::timer ? 1 : 0;
    members.erase(at);
    return there;
}

void wait_set::state::sweep() noexcept {
    std::erase_if(members, [](auto const& m) {
        return m->event.kind == what::handle && m->place.what == nullptr;
    });
}

failure<descriptor_errc> wait_set::state::make_descriptor() noexcept {
    if (descriptor != nullptr) {
        return {};
    }
    auto made = detail::wait_descriptor::make(participant, true);
    if (!made) {
        return made.error();
    }
    descriptor = std::move(*made);
    // relaxed: counts only, as in close_descriptor(); who gives back a sample and misses it leaves the
    // set to its slice.
    detail::ends_with_descriptors().fetch_add(1, std::memory_order_relaxed);
    // release: pairs with the acquire in interrupt().
    interrupted_too.store(descriptor.get(), std::memory_order_release);
    return {};
}

} // namespace partywall::inline v0
