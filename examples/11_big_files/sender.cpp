// SPDX-License-Identifier: BSL-1.0
// Reads a file straight into the memory where others will read it, in growing pieces. Nothing is
// copied on the way, so handing a piece over costs the same whatever its size.
//
//     11_big_files_viewer & 11_big_files_sender [FILE]
#include "file.hpp"

#include <partywall/partywall.hpp>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;

namespace {

/// A real one that every machine has: the largest program that fits a message.
std::string some_big_file() {
    namespace fs = std::filesystem;
    std::string path = "/proc/self/exe";
    std::uintmax_t most = 0;
    for (fs::directory_entry const& e : fs::directory_iterator("/usr/bin")) {
        std::error_code ignored;
        std::uintmax_t const bytes = e.is_regular_file(ignored) ? e.file_size(ignored) : 0;
        if (!ignored && bytes > most && bytes <= bytes_max - sizeof(file_header)) {
            path = e.path().string();
            most = bytes;
        }
    }
    return path;
}

} // namespace

int main(int argc, char** argv) try {
    std::string const path = argc > 1 ? argv[1] : some_big_file();
    std::ifstream file(path, std::ios::binary);
    std::uint64_t const whole =
        std::min<std::uint64_t>(std::filesystem::file_size(path), bytes_max - sizeof(file_header));
    if (!file || whole == 0) {
        throw std::runtime_error("cannot read " + path);
    }

    auto me = partywall::join("big files").value();
    // A chunk for each message of the ring, for each that a viewer may hold, and one to write: all of
    // it is there from the beginning. So keep these numbers small where messages are large.
    auto pieces =
        me.publisher<partywall::bytes>(topic, {.overflow = partywall::overflow::block,
                                               .depth = 4,
                                               .payload_bytes_max = sizeof(file_header) + whole,
                                               .pins_max = 2,
                                               .subscribers_max = 4,
                                               .block_for = 10s})
            .value();
    std::printf("%s, %.1f MB, through %.0f MB of shared memory\n", path.c_str(),
                static_cast<double>(whole) / 1e6, static_cast<double>(pieces.memory().bytes) / 1e6);
    pieces.wait_for_subscribers(1, 10s).value();

    for (std::uint64_t size = std::min<std::uint64_t>(4096, whole);;
         size = std::min(size * 16, whole)) {
        for (std::uint64_t i = 0; i < 10; ++i) {
            auto piece = pieces.loan().value();
            piece.resize(sizeof(file_header) + size);
            std::span<std::byte> const body = (*piece).subspan(sizeof(file_header));
            file.seekg(0);
            file.read(reinterpret_cast<char*>(body.data()), static_cast<std::streamsize>(size));
            file_header header{whole, i, checksum_of(body), 0};
            header.sent_ns = now_ns();
            std::memcpy((*piece).data(), &header, sizeof header);
            piece.send().value();
        }
        if (size == whole) {
            break;
        }
    }
    return 0;
} catch (std::exception const& e) {
    std::fprintf(stderr, "sender: %s\n", e.what());
    return 1;
}
