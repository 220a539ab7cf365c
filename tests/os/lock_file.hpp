// SPDX-License-Identifier: BSL-1.0
// A lock file of a test's own, which roles are told about by arguments.
#pragma once

#include <partywall/os/life_lock.hpp>
#include <partywall/os/unique_fd.hpp>

#include "support/role.hpp"
#include "support/scratch_root.hpp"

#include <fcntl.h>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace partywall::test {

class lock_file {
  public:
    lock_file() : root_(std::in_place), path_(root_->path() + "/lock") {
        os::unique_fd const fd = os::open(path_.c_str(), O_CREAT | O_EXCL | O_RDWR, 0600);
        auto const identity = os::identity_of(fd.get());
        if (!identity) {
            throw std::runtime_error("no lock file");
        }
        identity_ = *identity;
    }
    /// In a role that was started with arguments().
    explicit lock_file(role_context const& context)
        : path_(context.arg(0)), identity_{context.number(1), context.number(2)} {}

    std::vector<std::string> arguments(std::uint64_t byte) const {
        return {path_, std::to_string(identity_.dev), std::to_string(identity_.ino),
                std::to_string(byte)};
    }
    std::string const& path() const { return path_; }
    os::file_identity const& identity() const { return identity_; }
    result<os::life_lock, int> take(std::uint64_t byte) const {
        return os::life_lock::take(path_, byte, identity_, 0600);
    }
    os::life_lock must_take(std::uint64_t byte) const {
        auto taken = take(byte);
        if (!taken) {
            throw std::runtime_error("no lock: errno " + std::to_string(taken.error()));
        }
        return std::move(*taken);
    }
    os::lock_state query(std::uint64_t byte) const {
        return os::query_lock(path_, identity_, byte);
    }

  private:
    std::optional<scratch_root> root_;
    std::string path_;
    os::file_identity identity_{};
};

} // namespace partywall::test
