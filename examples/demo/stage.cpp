// SPDX-License-Identifier: BSL-1.0
#include "stage.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <unistd.h>

namespace demo {

namespace fs = std::filesystem;

stage::stage() : domain_("demo-" + std::to_string(::getpid())) {
    char const* const root = std::getenv("PARTYWALL_ROOT");
    own_root_ = root == nullptr || *root == '\0';
    root_ = own_root_ ? "/dev/shm/partywall-" + domain_ : root;
    if (own_root_) {
        ::setenv("PARTYWALL_ROOT", root_.c_str(), 1);
    }
    logs_ = (fs::temp_directory_path() / "partywall-demo-XXXXXX").string();
    if (::mkdtemp(logs_.data()) == nullptr) {
        throw std::system_error(errno, std::generic_category(), "a folder for logs, " + logs_);
    }
}

stage::~stage() {
    remove();
    std::error_code ignored;
    fs::remove_all(logs_, ignored);
}

std::vector<std::string> stage::files() const {
    std::vector<std::string> names;
    for (auto const& entry : fs::directory_iterator(path())) {
        names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
}

bool stage::remove() noexcept {
    std::error_code ignored;
    fs::remove_all(path(), ignored);
    if (own_root_) {
        fs::remove(root_, ignored); // only if it is empty
    }
    return !fs::exists(own_root_ ? root_ : path(), ignored);
}

} // namespace demo
