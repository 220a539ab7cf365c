// SPDX-License-Identifier: BSL-1.0
// Compares the names and fingerprints that this compiler makes with the golden file:
//
//     fingerprints <golden file>     prints what differs; exit code 1 if anything does
//     fingerprints                   prints the whole list: the new golden file
//
// Built with and without exceptions and RTTI, and by every compiler, so that they are compared
// with each other. The list is part of what two programs agree on through shared memory: when a
// line changes, programs built before and after refuse each other.
#include "specimens.hpp"

#include <cinttypes>
#include <cstdio>
#include <cstring>

namespace {

template <class T>
void print(char* line, std::size_t bytes) {
    static_assert(partywall::detail::message_check<T>::passed);
    using element = std::remove_extent_t<T>;
    constexpr auto name = partywall::detail::type_name<T>();
    constexpr std::uint64_t fingerprint = partywall::detail::type_fingerprint<T>();
    std::snprintf(line, bytes, "%016" PRIx64 " %zu %zu %.*s\n", fingerprint, sizeof(element),
                  alignof(element), static_cast<int>(name.size()), name.data());
}

using printer = void (*)(char*, std::size_t);

template <class... T>
int compare(std::FILE* golden, specimen::list<T...>) {
    int differences = 0;
    for (printer one : {printer(print<T>)...}) {
        char made[256];
        char expected[256] = "(nothing)\n";
        one(made, sizeof(made));
        if (golden == nullptr) {
            std::fputs(made, stdout);
        } else if (!std::fgets(expected, sizeof(expected), golden) ||
                   std::strcmp(made, expected) != 0) {
            std::printf("golden: %sis now: %s", expected, made);
            ++differences;
        }
    }
    return differences;
}

} // namespace

int main(int argc, char** argv) {
    std::FILE* golden = nullptr;
    if (argc > 1) {
        golden = std::fopen(argv[1], "re");
        if (golden == nullptr) {
            std::perror(argv[1]);
            return 1;
        }
    }
    int differences = compare(golden, specimen::all{});
    if (golden != nullptr) {
        if (std::fgetc(golden) != EOF) {
            std::printf("the golden file has more lines than there are types\n");
            ++differences;
        }
        std::fclose(golden);
    }
    return differences == 0 ? 0 : 1;
}
