// SPDX-License-Identifier: BSL-1.0
#include "text.hpp"

#include <algorithm>
#include <fstream>
#include <stdexcept>
#include <unistd.h>

namespace demo {
namespace {
constexpr std::size_t file_bytes_max = std::size_t{16} << 20;
}

text::text(std::string const& path) {
    std::ifstream file(path, std::ios::binary);
    contents_.resize(file_bytes_max);
    file.read(contents_.data(), static_cast<std::streamsize>(contents_.size()));
    contents_.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
    contents_.shrink_to_fit();
    if (contents_.empty()) {
        throw std::runtime_error("cannot stream " + path +
                                 ": it cannot be read, or nothing is in it");
    }
    whole_ = contents_.size() < file_bytes_max;
    std::string_view left = contents_;
    while (!left.empty()) {
        std::size_t const end = left.substr(0, line_bytes_max).find('\n');
        std::size_t const bytes =
            end == std::string_view::npos ? std::min(left.size(), line_bytes_max) : end + 1;
        lines_.push_back(left.substr(0, bytes));
        left.remove_prefix(bytes);
    }
}

std::string some_file() {
    for (char const* path : {"/usr/share/common-licenses/GPL-3", "/etc/services"}) {
        if (::access(path, R_OK) == 0) {
            return path;
        }
    }
    return "/proc/self/exe";
}

} // namespace demo
