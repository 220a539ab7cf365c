// SPDX-License-Identifier: BSL-1.0
// libFuzzer's way in. CONTRIBUTING.md says how it is run.
//
//     partywall_fuzz --seeds=DIRECTORY      writes what to begin with: all that enemy and victim can do,
//                                           style by style, with and without writes in between
#include "image.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace {

using partywall::test::hostile_image;
using instruction = hostile_image::instruction;
constexpr std::size_t size_of_one = hostile_image::instruction_bytes;

std::vector<instruction> read(std::uint8_t const* data, std::size_t bytes) {
    std::vector<instruction> all(bytes / size_of_one);
    for (std::size_t i = 0; i < all.size(); ++i) {
        std::memcpy(all[i].data(), data + i * size_of_one, size_of_one);
    }
    return all;
}

/// A write, or now and then something to do.
instruction another(std::mt19937_64& random) {
    instruction one;
    std::generate(one.begin(), one.end(), [&] { return static_cast<std::uint8_t>(random()); });
    if (random() % 4 != 0) {
        one[0] |= 0x80;
        std::fill(one.begin() + 6, one.end(), std::uint8_t{0}); // most writes are of small numbers
    } else {
        auto const& script = hostile_image::script(hostile_image::style::all);
        one = script[random() % script.size()];
    }
    return one;
}

void write_seeds(std::string const& where) {
    std::mt19937_64 random(9);
    for (int s = 0; s <= static_cast<int>(hostile_image::style::all); ++s) {
        for (int variant = 0; variant < 4; ++variant) {
            std::ofstream out(where + "/seed_" + std::to_string(s) + "_" + std::to_string(variant),
                              std::ios::binary);
            auto const put = [&](instruction const& one) {
                out.write(reinterpret_cast<char const*>(one.data()), size_of_one);
            };
            for (instruction const& one :
                 hostile_image::script(static_cast<hostile_image::style>(s))) {
                put(one);
                for (int i = 0; i < variant; ++i) {
                    put(another(random));
                }
            }
        }
    }
}

} // namespace

// NOLINTBEGIN: libFuzzer's names
extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
    constexpr std::string_view option = "--seeds=";
    for (int i = 1; i < *argc; ++i) {
        if (std::string_view const arg = (*argv)[i]; arg.starts_with(option)) {
            write_seeds(std::string(arg.substr(option.size())));
            std::_Exit(0);
        }
    }
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    static std::unique_ptr<hostile_image> image;
    static int rounds = 0;
    if (rounds++ % 500 == 0) {
        image.reset();
        image = std::make_unique<hostile_image>();
    }
    image->begin();
    image->follow({data, size});
    image->end();
    if (std::string const wrong = image->what_others_saw(); !wrong.empty()) {
        std::cerr << wrong << '\n';
        std::abort();
    }
    return 0;
}

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t size_max);

/// Whole instructions come, go, are repeated and change places; within one, libFuzzer does what it does.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t size_max, unsigned seed) {
    std::mt19937_64 random(seed);
    std::vector<instruction> all = read(data, size);
    std::size_t const most = size_max / size_of_one;
    for (std::size_t changes = 1 + random() % 4; changes != 0; --changes) {
        auto const somewhere = [&](std::size_t more) {
            return static_cast<std::ptrdiff_t>(random() % (all.size() + more));
        };
        std::uint64_t const what = all.empty() ? 0 : random() % 8;
        if (what <= 2 && all.size() < most) {
            all.insert(all.begin() + somewhere(1), another(random));
        } else if (what == 3 && all.size() > 1) {
            all.erase(all.begin() + somewhere(0));
        } else if (what == 4 && all.size() < most) {
            instruction const again = all[static_cast<std::size_t>(somewhere(0))];
            all.insert(all.begin() + somewhere(1), again);
        } else if (what == 5) {
            std::swap(all[static_cast<std::size_t>(somewhere(0))],
                      all[static_cast<std::size_t>(somewhere(0))]);
        } else if (!all.empty()) {
            (void)LLVMFuzzerMutate(all[static_cast<std::size_t>(somewhere(0))].data(), size_of_one,
                                   size_of_one);
        }
    }
    all.resize(std::min(all.size(), most));
    for (std::size_t i = 0; i < all.size(); ++i) {
        std::memcpy(data + i * size_of_one, all[i].data(), size_of_one);
    }
    return all.size() * size_of_one;
}
// NOLINTEND
