// SPDX-License-Identifier: BSL-1.0
#include "large.hpp"

#include "child.hpp"
#include "logbook.hpp"

#include <partywall/partywall.hpp>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <vector>

namespace demo {
namespace {

using namespace std::chrono_literals;
using partywall::bytes;

constexpr char const* topic = "demo/large";
constexpr std::uint64_t bytes_max = std::uint64_t{48} << 20;
constexpr std::uint64_t repetitions = 7;

struct piece_header {
    std::uint64_t number; ///< of its size
    std::uint64_t hash;
    std::uint64_t sent_ns;
};

std::uint64_t hash_of_bytes(std::span<std::byte const> all) {
    return hash_of({reinterpret_cast<char const*>(all.data()), all.size()});
}

std::uint64_t median(std::vector<std::uint64_t>& times) {
    std::ranges::sort(times);
    return times[times.size() / 2];
}

} // namespace

std::string some_large_file() {
    namespace fs = std::filesystem;
    std::string path = "/proc/self/exe";
    std::uintmax_t most = 0;
    for (fs::directory_entry const& e : fs::directory_iterator("/usr/bin")) {
        std::error_code ignored;
        std::uintmax_t const size = e.is_regular_file(ignored) ? e.file_size(ignored) : 0;
        if (!ignored && size > most && size <= bytes_max) {
            path = e.path().string();
            most = size;
        }
    }
    return path;
}

int send_large(std::string const& domain, std::string const& file) {
    std::ifstream in(file, std::ios::binary);
    std::uint64_t const whole =
        std::min<std::uint64_t>(std::filesystem::file_size(file), bytes_max);
    auto me = partywall::join("sender", {.domain = domain}).value();
    auto out = me.publisher<bytes>(topic, {.overflow = partywall::overflow::block,
                                           .depth = 4,
                                           .payload_bytes_max = sizeof(piece_header) + whole,
                                           .pins_max = 2,
                                           .subscribers_max = 1,
                                           .block_for = 20s})
                   .value();
    out.wait_for_subscribers(1, 20s).value();
    for (std::uint64_t size = std::min<std::uint64_t>(4096, whole);;
         size = std::min(size * 16, whole)) {
        for (std::uint64_t i = 0; i < repetitions; ++i) {
            auto piece = out.loan().value();
            piece.resize(sizeof(piece_header) + size);
            auto const body = (*piece).subspan(sizeof(piece_header));
            in.seekg(0);
            if (!in.read(reinterpret_cast<char*>(body.data()),
                         static_cast<std::streamsize>(size))) {
                throw std::runtime_error("cannot read " + file);
            }
            piece_header header{i, hash_of_bytes(body), 0};
            header.sent_ns = now_ns();
            std::memcpy((*piece).data(), &header, sizeof header);
            piece.send().value();
        }
        if (size == whole) {
            return 0;
        }
    }
}

int view_large(std::string const& domain) {
    auto me = partywall::join("viewer", {.domain = domain}).value();
    auto in = me.subscriber<bytes>(
                    topic, {.delivery = partywall::delivery::lossless, .report_close = true})
                  .value();
    std::printf("ready\n");
    std::fflush(stdout);
    std::vector<std::uint64_t> handed_over;
    std::vector<std::uint64_t> read;
    std::uint64_t pieces = 0;
    std::uint64_t wrong = 0;
    for (;;) {
        std::uint64_t const asked_ns = now_ns();
        auto const piece = in.receive(20s);
        std::uint64_t const received_ns = now_ns();
        if (!piece) {
            std::printf("all %llu %llu\n", static_cast<unsigned long long>(pieces),
                        static_cast<unsigned long long>(wrong));
            return piece.error() == partywall::receive_errc::publisher_closed ? 0 : 1;
        }
        piece_header header;
        std::memcpy(&header, (*piece).data(), sizeof header);
        auto const body = (*piece).subspan(sizeof header);
        pieces += 1;
        wrong += hash_of_bytes(body) == header.hash ? 0 : 1;
        handed_over.push_back(received_ns - std::max(asked_ns, header.sent_ns));
        read.push_back(now_ns() - received_ns);
        if (header.number + 1 == repetitions) {
            std::printf("piece %zu %llu %llu\n", body.size(),
                        static_cast<unsigned long long>(median(handed_over)),
                        static_cast<unsigned long long>(median(read)));
            std::fflush(stdout);
            handed_over.clear();
            read.clear();
        }
    }
}

void show_large(std::string const& domain, std::string const& file, report& r) {
    say("\nOne more thing: a large file\n\n"
        "A sender reads growing pieces of\n\n  " +
        file +
        "\n\nstraight into shared memory, and a viewer looks at them there. Nothing is "
        "copied:\n\n");
    child viewer({"viewer", domain, "-"});
    viewer.expect("ready");
    child sender({"sender", domain, "-", file});
    std::printf("%14s%16s%16s\n", "bytes", "handed over", "then read");
    std::uint64_t pieces = 0;
    std::uint64_t wrong = 0;
    for (;;) {
        std::istringstream said(viewer.line());
        std::string word;
        said >> word;
        if (word != "piece") {
            said >> pieces >> wrong;
            break;
        }
        std::uint64_t size = 0;
        std::uint64_t handed_ns = 0;
        std::uint64_t read_ns = 0;
        said >> size >> handed_ns >> read_ns;
        std::printf("%14s%16s%16s\n", grouped(size).c_str(), duration(handed_ns).c_str(),
                    duration(read_ns).c_str());
    }
    sender.end();
    viewer.end();
    say("\n");
    r.check(pieces >= repetitions && wrong == 0,
            "every piece that was handed over is what the file holds (" + grouped(pieces) +
                " compared)");
}

} // namespace demo
