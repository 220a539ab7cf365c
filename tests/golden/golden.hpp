// SPDX-License-Identifier: BSL-1.0
// Bytes as text, to be compared with a checked-in file: 16 bytes a line behind their offset, lines
// of zeros left out, the total at the end. A file that must change is a new layout version and a
// decision; what the test prints is then the new file.
#pragma once

#include <cstddef>
#include <fstream>
#include <span>
#include <string>

namespace partywall::test {

inline std::string dump(std::span<std::byte const> bytes) {
    constexpr char const* digits = "0123456789abcdef";
    std::string text;
    auto const offset = [&](std::size_t at) {
        for (unsigned shift = 16; shift != 0; shift -= 4) {
            text += digits[at >> (shift - 4) & 15];
        }
    };
    for (std::size_t line = 0; line < bytes.size(); line += 16) {
        std::string hex;
        bool zeros = true;
        for (std::size_t i = line; i < line + 16 && i < bytes.size(); ++i) {
            auto const byte = static_cast<unsigned>(bytes[i]);
            zeros = zeros && byte == 0;
            hex += (i - line) % 8 == 0 ? " " : "";
            hex += digits[byte >> 4];
            hex += digits[byte & 15];
        }
        if (!zeros) {
            offset(line);
            text += hex + "\n";
        }
    }
    offset(bytes.size());
    return text + " end\n";
}

/// The checked-in file without its comment lines.
inline std::string golden(std::string const& name) {
    std::ifstream file(std::string(PARTYWALL_GOLDEN_DIR "/") + name);
    std::string text;
    for (std::string line; std::getline(file, line);) {
        if (line.empty() || line[0] != '#') {
            text += line + "\n";
        }
    }
    return text;
}

} // namespace partywall::test
