// SPDX-License-Identifier: BSL-1.0
#include "fixture.hpp"

#include <cstdlib>
#include <stdexcept>

namespace partywall::test {

scratch_files::scratch_files() {
    path_ = (std::filesystem::temp_directory_path() / "partywall-test-XXXXXX").string();
    if (::mkdtemp(path_.data()) == nullptr) {
        throw std::runtime_error("cannot create " + path_);
    }
}

scratch_files::~scratch_files() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

} // namespace partywall::test
