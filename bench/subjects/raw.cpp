// SPDX-License-Identifier: BSL-1.0
// The limit: cells with a stamp, written and read in place, in memory that everybody may write;
// no checks, no recovery, nothing that a library needs besides. What waits, sleeps on a futex.
#include "adapters.hpp"
#include "mapped_file.hpp"
#include "roles.hpp"

#include <partywall/limits.hpp>
#include <partywall/os/futex.hpp>
#include <partywall/segment/atomics.hpp>

#include <algorithm>
#include <climits>
#include <cstring>

namespace partywall::bench {
namespace {

constexpr std::size_t readers_max = 16;

struct head {
    struct place {
        alignas(spacing_bytes) std::uint64_t cursor;
        std::uint32_t freed; ///< a futex
    };
    alignas(spacing_bytes) std::uint32_t sleepers;
    alignas(spacing_bytes) std::uint32_t rung; ///< a futex
    alignas(spacing_bytes) std::uint32_t waits_for_room;
    std::array<place, readers_max> places;
};

constexpr std::uint64_t spin_ns = 100'000; ///< as long as partywall's default at most

/// All zeros is a ring where nothing was sent yet, so whoever comes first makes the file.
template <std::size_t Bytes>
class ring {
  public:
    explicit ring(channel const& c)
        : bytes_(c.bytes), stride_((c.bytes + 8 + line_bytes - 1) / line_bytes * line_bytes),
          depth_(c.depth), file_(c.file(), sizeof(head) + c.depth * stride_) {}

    head& control() const noexcept { return *reinterpret_cast<head*>(file_.data()); }
    std::uint64_t bytes() const noexcept { return Bytes != any_size ? Bytes : bytes_; }
    std::uint64_t depth() const noexcept { return depth_; }
    std::byte* cell(std::uint64_t position) const noexcept {
        return file_.data() + sizeof(head) + (position & (depth_ - 1)) * stride();
    }
    std::uint64_t& stamp(std::uint64_t position) const noexcept {
        return *reinterpret_cast<std::uint64_t*>(cell(position));
    }

  private:
    std::uint64_t stride() const noexcept {
        return Bytes != any_size ? (Bytes + 8 + line_bytes - 1) / line_bytes * line_bytes : stride_;
    }
    std::uint64_t bytes_;
    std::uint64_t stride_;
    std::uint64_t depth_;
    mapped_file file_;
};

/// Spins for `ns`, then sleeps while `word` is what it was before `flag` was raised and `ready`
/// said no.
template <class Ready>
void wait_for(std::uint64_t ns, std::uint32_t& flag, std::uint32_t const& word, Ready ready) {
    if (ns != 0) {
        for (std::uint64_t const until = os::monotonic_ns() + ns; os::monotonic_ns() < until;) {
            if (ready()) {
                return;
            }
        }
    }
    while (!ready()) {
        std::uint32_t const seen = std_atomics::load(word, std::memory_order_acquire);
        std_atomics::fetch_add(flag, 1U, std::memory_order_seq_cst);
        if (!ready()) {
            os::futex_wait({&word, seen, true}, ~std::uint64_t{0});
        }
        std_atomics::fetch_add(flag, ~0U, std::memory_order_relaxed);
    }
}

template <std::size_t Bytes>
class raw_writer {
  public:
    explicit raw_writer(channel const& c)
        : ring_(c), readers_(c.lossy ? 0 : c.readers), rings_(!c.spins()),
          spin_ns_(c.wait == wait::spin_then_park ? spin_ns : 0),
          limit_(readers_ == 0 ? ~std::uint64_t{0} : 0) {}

    template <class Write>
    [[gnu::always_inline]] bool try_send(Write write) {
        if (position_ == limit_ && !look_for_room()) [[unlikely]] {
            return false;
        }
        write(ring_.cell(position_) + 8);
        std_atomics::store(ring_.stamp(position_), position_ + 1, std::memory_order_release);
        position_ += 1;
        if (rings_) {
            std_atomics::fence(std::memory_order_seq_cst);
            head& h = ring_.control();
            if (std_atomics::load(h.sleepers, std::memory_order_relaxed) != 0) {
                std_atomics::fetch_add(h.rung, 1U, std::memory_order_release);
                os::futex_wake(h.rung, INT_MAX, true);
            }
        }
        return true;
    }
    template <class Write>
    void send(Write write) {
        while (!try_send(write)) {
            // One reader only: fans spin.
            head& h = ring_.control();
            wait_for(spin_ns_, h.waits_for_room, h.places[0].freed,
                     [&] { return look_for_room(); });
        }
    }
    /// Stamps that are stored one after the other are as good as any batch can be.
    template <class Write>
    std::size_t try_send_batch(std::size_t count, Write write) {
        std::size_t sent = 0;
        while (sent < count && try_send([&](void* to) { write(sent, to); })) {
            sent += 1;
        }
        return sent;
    }

  private:
    bool look_for_room() {
        std::uint64_t least = ~std::uint64_t{0};
        for (std::size_t i = 0; i < readers_; ++i) {
            least = std::min(least, std_atomics::load(ring_.control().places[i].cursor,
                                                      std::memory_order_acquire));
        }
        limit_ = least + ring_.depth();
        return position_ != limit_;
    }

    ring<Bytes> ring_;
    std::size_t readers_;
    bool rings_;
    std::uint64_t spin_ns_;
    std::uint64_t limit_;
    std::uint64_t position_ = 0;
};

template <std::size_t Bytes>
class raw_reader {
  public:
    explicit raw_reader(channel const& c)
        : ring_(c), index_(c.index), rings_(!c.spins()),
          spin_ns_(c.wait == wait::spin_then_park ? spin_ns : 0),
          every_(std::max<std::uint64_t>(c.depth / 4, 1)) {}

    template <class Read>
    [[gnu::always_inline]] bool try_receive(Read read) {
        if (std_atomics::load(ring_.stamp(position_), std::memory_order_acquire) != position_ + 1) {
            return false;
        }
        read(ring_.cell(position_) + 8, static_cast<std::size_t>(ring_.bytes()));
        position_ += 1;
        if (position_ - told_ >= every_) {
            tell();
        }
        return true;
    }
    template <class Read>
    void receive(Read read) {
        while (!try_receive(read)) {
            head& h = ring_.control();
            wait_for(spin_ns_, h.sleepers, h.rung, [&] {
                return std_atomics::load(ring_.stamp(position_), std::memory_order_acquire) ==
                       position_ + 1;
            });
        }
    }
    template <class Read>
    std::size_t try_receive_batch(Read read) {
        std::size_t taken = 0;
        while (taken < 64 && try_receive(read)) {
            taken += 1;
        }
        return taken;
    }

  private:
    void tell() {
        head& h = ring_.control();
        told_ = position_;
        std_atomics::store(h.places[index_].cursor, position_, std::memory_order_release);
        if (rings_) {
            std_atomics::fence(std::memory_order_seq_cst);
            if (std_atomics::load(h.waits_for_room, std::memory_order_relaxed) != 0) {
                std_atomics::fetch_add(h.places[index_].freed, 1U, std::memory_order_release);
                os::futex_wake(h.places[index_].freed, 1, true);
            }
        }
    }

    ring<Bytes> ring_;
    std::uint32_t index_;
    bool rings_;
    std::uint64_t spin_ns_;
    std::uint64_t every_;
    std::uint64_t position_ = 0;
    std::uint64_t told_ = 0;
};

struct raw_fixed {
    template <std::size_t Bytes>
    using writer = raw_writer<Bytes>;
    template <std::size_t Bytes>
    using reader = raw_reader<Bytes>;
    static constexpr bool sizes_fixed = true;
    static constexpr bool fans_out = true;
    static constexpr bool fans_in = false;
    static constexpr bool has_threads = false;
    static constexpr bool is_connected = false;
};
struct raw_any : raw_fixed {
    static constexpr bool sizes_fixed = false;
};

bool can(job const& j, std::string_view) {
    switch (j.figure) {
    case figure::call: return false; // a round trip it is
    case figure::breaker_admit:
    case figure::breaker_reject: return true;
    case figure::publish_cost: return j.readers == 0; // nobody is attached to it
    case figure::fan_out: return j.lossy == 0 && j.readers <= readers_max;
    default: return j.wait != wait::fd;
    }
}

/// The least that a call can be counted with: an increment of a word that several threads may change,
/// one for its beginning and one for its end; and the least that it can be refused with: a look.
void play_breaker(session& s) {
    alignas(spacing_bytes) static std::uint64_t word = 0;
    if (s.what.figure == figure::breaker_admit) {
        play_alone(s, [] {
            std_atomics::fetch_add(word, std::uint64_t{1}, std::memory_order_acq_rel);
            std_atomics::fetch_add(word, ~std::uint64_t{0}, std::memory_order_acq_rel);
        });
        return;
    }
    std::uint64_t refused = 0;
    play_alone(s, [&] {
        refused += std_atomics::load(word, std::memory_order_acquire) == 0 ? 1U : 0U;
        std_atomics::compiler_fence(); // every look is one
    });
    if (refused == 0) {
        throw std::runtime_error("nothing was refused");
    }
}

void play(session& s, std::uint32_t role) {
    if (is_breaker_figure(s.what.figure)) {
        play_breaker(s);
        return;
    }
    s.what.large() ? play_channels<raw_any>(s, role) : play_channels<raw_fixed>(s, role);
}

} // namespace

subject raw_subject() { return {"raw", {""}, can, play}; }

} // namespace partywall::bench
