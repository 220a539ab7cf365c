// SPDX-License-Identifier: BSL-1.0
// Where the demo happens: a domain of its own in shared memory, and a folder for the logs. Both
// are removed in the end, whatever the end is.
#pragma once

#include <string>
#include <vector>

namespace demo {

class stage {
  public:
    /// Sets PARTYWALL_ROOT for all processes of the demo, unless it is set.
    stage();
    ~stage();
    stage(stage const&) = delete;
    stage& operator=(stage const&) = delete;

    std::string const& domain() const noexcept { return domain_; }
    /// The domain's directory.
    std::string path() const { return root_ + '/' + domain_; }
    std::string log(std::string const& name) const { return logs_ + '/' + name; }
    /// Files in the domain's directory.
    std::vector<std::string> files() const;
    /// True if nothing of the domain is left.
    bool remove() noexcept;

  private:
    std::string root_;
    std::string domain_;
    std::string logs_;
    bool own_root_ = false;
};

} // namespace demo
