// SPDX-License-Identifier: BSL-1.0
// What a subject without one-to-many or many-to-one channels is used like: a channel for each.
#pragma once

#include "channel.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace partywall::bench {

inline channel channel_of(channel c, std::uint32_t i) {
    c.name += "." + std::to_string(i);
    c.index = 0;
    c.writers = 1;
    c.readers = 1;
    return c;
}

/// One writer for every reader.
template <class Writer>
class each_writer {
  public:
    explicit each_writer(channel const& c) {
        for (std::uint32_t i = 0; i < c.readers; ++i) {
            all_.push_back(std::make_unique<Writer>(channel_of(c, i)));
        }
    }
    /// Goes on where it had to stop.
    template <class Write>
    bool try_send(Write write) {
        for (; next_ < all_.size(); ++next_) {
            if (!all_[next_]->try_send(write)) {
                return false;
            }
        }
        next_ = 0;
        return true;
    }
    template <class Write>
    void send(Write write) {
        for (auto& one : all_) {
            one->send(write);
        }
    }
    /// To everybody who has room for it, and nothing to go on with.
    template <class Write>
    void greet(Write write) {
        for (auto& one : all_) {
            static_cast<void>(one->try_send(write));
        }
    }

  private:
    std::vector<std::unique_ptr<Writer>> all_;
    std::size_t next_ = 0;
};

/// One reader for every writer. Spins only: there is nothing that it could sleep on.
template <class Reader>
class each_reader {
  public:
    explicit each_reader(channel const& c) {
        for (std::uint32_t i = 0; i < c.writers; ++i) {
            all_.push_back(std::make_unique<Reader>(channel_of(c, i)));
        }
    }
    template <class Read>
    bool try_receive(Read read) {
        for (std::size_t looked = 0; looked < all_.size(); ++looked) {
            next_ = next_ + 1 == all_.size() ? 0 : next_ + 1;
            if (all_[next_]->try_receive(read)) {
                return true;
            }
        }
        return false;
    }
    template <class Read>
    void receive(Read read) {
        while (!try_receive(read)) {
        }
    }

  private:
    std::vector<std::unique_ptr<Reader>> all_;
    std::size_t next_ = 0;
};

} // namespace partywall::bench
