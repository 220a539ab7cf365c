// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <partywall/partywall.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <unistd.h>

namespace partywall::bench {

/// A domain of its own, gone when this ends; endpoints must be gone before.
class domain {
  public:
    domain() {
        join_options options;
        options.root = root_;
        me_.emplace(join("bench", options).value());
    }
    ~domain() {
        me_.reset();
        std::filesystem::remove_all(root_);
    }
    domain(domain const&) = delete;
    domain& operator=(domain const&) = delete;

    participant& me() { return *me_; }
    std::string const& root() const { return root_; }

  private:
    std::string root_ = "/dev/shm/partywall-bench-" + std::to_string(::getpid());
    std::optional<participant> me_;
};

} // namespace partywall::bench
