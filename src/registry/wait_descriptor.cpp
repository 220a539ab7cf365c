// SPDX-License-Identifier: BSL-1.0
#include <partywall/registry/wait_descriptor.hpp>

#include <partywall/os/clock.hpp>
#include <partywall/registry/participant_core.hpp>
#include <partywall/wait/wake_word.hpp>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <new>
#include <poll.h>
#include <string>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

namespace partywall::inline v0 {

std::string_view to_string(descriptor_errc e) noexcept {
    switch (e) {
    case descriptor_errc::too_many_descriptors: return "too many descriptors";
    case descriptor_errc::too_many_endpoints: return "too many endpoints";
    case descriptor_errc::no_space: return "no space";
    case descriptor_errc::no_memory: return "no memory";
    case descriptor_errc::permission: return "permission denied";
    case descriptor_errc::domain_gone: return "domain gone";
    case descriptor_errc::closed: return "closed";
    case descriptor_errc::forked: return "forked child";
    case descriptor_errc::system: return "system error";
    }
    return "unknown descriptor error";
}

namespace detail {
namespace {

constexpr std::uint64_t pipe_tag = 0;
constexpr std::uint64_t timer_tag = 1;
constexpr std::uint64_t registry_tag = 2;
/// Events that are taken at a time beside those of other descriptors; the rest comes next.
constexpr std::size_t events_max = 8;
/// In tick_ns_: the timer's next expiry is another one than the period says.
constexpr std::uint64_t retimed = std::uint64_t{1} << 63;

descriptor_errc code_of(int error) noexcept {
    switch (error) {
    case EMFILE:
    case ENFILE: return descriptor_errc::too_many_descriptors;
    case EOVERFLOW: return descriptor_errc::too_many_endpoints;
    case ENOSPC:
    case EDQUOT: return descriptor_errc::no_space;
    case ENOMEM: return descriptor_errc::no_memory;
    case EACCES:
    case EPERM:
    case EROFS: return descriptor_errc::permission;
    case ENOENT:
    case ENOTDIR:
    case ESTALE: return descriptor_errc::domain_gone;
    default: return descriptor_errc::system;
    }
}

/// Another one at every arming of this process: no word is ever raised twice alike by one ticket.
std::uint64_t next_generation() noexcept {
    static constinit std::atomic<std::uint64_t> last{0};
    return last.fetch_add(1, std::memory_order_relaxed) + 1; // relaxed: only to be distinct
}

} // namespace

failure<descriptor_errc> no_descriptor_of_closed() noexcept {
    return {descriptor_errc::closed, 0, "closed"}; // short enough for no heap
}

std::uint64_t new_wake_word(std::uint32_t number) noexcept {
    return make_wake_word(next_generation(), number);
}

result<std::unique_ptr<wait_descriptor>, failure<descriptor_errc>>
wait_descriptor::make(std::shared_ptr<participant_core> participant, bool registry) noexcept {
    using why = failure<descriptor_errc>;
    try {
        if (participant->forked()) {
            return why{
                descriptor_errc::forked, 0,
                "cannot make a descriptor to wait through: this is a forked child; join anew"};
        }
        std::unique_ptr<wait_descriptor> made(new wait_descriptor);
        made->participant_ = std::move(participant);
        if (int const error = made->open(registry); error != 0) {
            return why{code_of(error), error,
                       "cannot make a descriptor to wait through in " +
                           made->participant_->dir().path() + ": " + std::strerror(error)};
        }
        return made;
    } catch (...) {
        return why{descriptor_errc::no_memory, ENOMEM, {}};
    }
}

int wait_descriptor::open(bool registry) {
    std::uint64_t const number = participant_->next_number();
    if (number == 0) {
        return EOVERFLOW;
    }
    epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll_) {
        return errno;
    }
    timer_.reset(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    if (!timer_) {
        return errno;
    }
    if (int const error = pipe_.open(participant_->dir(), participant_->ticket(),
                                     static_cast<std::uint32_t>(number));
        error != 0) {
        return error;
    }
    deaths_.open(epoll_.get(), participant_->ticket());
    if (int const error = watch(pipe_.fd(), EPOLLIN, pipe_tag); error != 0) {
        return error;
    }
    if (int const error = watch(timer_.get(), EPOLLIN, timer_tag); error != 0) {
        return error;
    }
    follows_registry_ = registry;
    int const pipe = participant_->add_waiter(*this, registry);
    if (pipe < 0) {
        return -pipe;
    }
    pipe_.kick(); // I2
    return registry ? watch(pipe, EPOLLIN, registry_tag) : 0;
}

wait_descriptor::~wait_descriptor() {
    if (participant_ != nullptr && !participant_->forked()) {
        participant_->remove_waiter(*this);
    }
}

int wait_descriptor::watch(int fd, std::uint32_t events, std::uint64_t tag) noexcept {
    epoll_event event{};
    event.events = events;
    event.data.u64 = tag;
    return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : errno;
}

wait_descriptor::seen wait_descriptor::look() noexcept {
    std::array<epoll_event, events_max> few;
    epoll_event* events = few.data();
    std::size_t room = few.size();
    if (watched_ != 0) {
        events = reinterpret_cast<epoll_event*>(events_.data());
        room += watched_;
    }
    int count = 0;
    do {
        count = ::epoll_wait(epoll_.get(), events, static_cast<int>(room), 0);
    } while (count < 0 && errno == EINTR);
    seen what;
    others_.clear();
    for (int i = 0; i < count; ++i) {
        std::uint64_t const tag = events[i].data.u64;
        what.pipe = what.pipe || tag == pipe_tag;
        what.timer = what.timer || tag == timer_tag;
        what.registry = what.registry || tag == registry_tag;
        if ((tag & death_watch::tag_bit) != 0) {
            what.death = true;
            deaths_.ended(tag);
        } else if (tag >= first_tag) {
            others_.push_back({tag, events[i].events}); // there is room: reserved
        }
    }
    return what;
}

int wait_descriptor::watch_other(int fd, std::uint32_t events, std::uint64_t tag) noexcept {
    try {
        others_.reserve(watched_ + 1);
        events_.resize((watched_ + 1 + events_max) * sizeof(epoll_event));
    } catch (...) {
        return ENOMEM;
    }
    int const error = watch(fd, events, tag);
    watched_ += error == 0 ? 1 : 0;
    return error;
}

void wait_descriptor::unwatch_other(int fd) noexcept {
    // It fails where the application has closed it, which took it out.
    (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
    watched_ -= 1;
}

std::span<wait_descriptor::other const> wait_descriptor::look_at_others() noexcept {
    others_.clear();
    if (watched_ != 0) {
        (void)look();
    }
    return others_;
}

void wait_descriptor::wait_until(std::uint64_t until_ns) noexcept {
    std::uint64_t const now = os::monotonic_ns();
    timespec const left = os::to_timespec(until_ns > now ? until_ns - now : 0);
    pollfd one{epoll_.get(), POLLIN, 0};
    bool const for_ever = until_ns == ~std::uint64_t{0};
    (void)::ppoll(&one, 1, for_ever ? nullptr : &left, nullptr); // a signal: look again
}

void wait_descriptor::readable_at(std::uint64_t time_ns) noexcept {
    std::uint64_t const now = os::monotonic_ns();
    std::uint64_t const in = time_ns > now ? time_ns - now : 1;
    std::uint64_t const tick = tick_ns_ & ~retimed;
    if (tick_ns_ != 0 && tick_ns_ <= in) {
        return;
    }
    itimerspec spec{};
    spec.it_value = os::to_timespec(in);
    spec.it_interval = os::to_timespec(tick);
    if (::timerfd_settime(timer_.get(), 0, &spec, nullptr) == 0) {
        tick_ns_ = tick | retimed; // so that the next arming sets it anew
    }
}

void wait_descriptor::drain(seen const& what) noexcept {
    if (what.pipe) {
        pipe_.drain();
    }
    if (what.timer) {
        std::uint64_t expirations = 0;
        (void)!::read(timer_.get(), &expirations, sizeof expirations);
    }
}

/// A period, not a single shot: while nothing changes it costs no call per arming.
void wait_descriptor::tick_every(std::uint64_t ns) noexcept {
    if (ns == tick_ns_) {
        return;
    }
    itimerspec spec{};
    spec.it_value = os::to_timespec(ns);
    spec.it_interval = spec.it_value;
    if (::timerfd_settime(timer_.get(), 0, &spec, nullptr) == 0) {
        tick_ns_ = ns;
    }
}

bool wait_descriptor::rearm(waitable& who, wait_list& words) noexcept {
    seen const what = look();
    if (armed_ && !what.any() && !who.arming_is_stale()) {
        return false;
    }
    drain(what);
    who.after_sleep();
    words = wait_list::of_descriptor();
    arming a{words, new_wake_word(number())};
    a.deaths = &deaths_;
    a.heard = what.pipe;
    who.arm(a);
    deaths_.forget_others();
    if (follows_registry_) {
        // After a slice anew: somebody may have failed to open our pipe.
        participant_->arm_registry(*this, what.registry, what.timer);
    }
    a.fence();
    tick_every(words.tick_ns());
    armed_ = true;
    return true;
}

} // namespace detail
} // namespace partywall::inline v0
