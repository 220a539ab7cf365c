// SPDX-License-Identifier: BSL-1.0
#include <partywall/os/fork_mark.hpp>

#include "errno_guard.hpp"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <new>

namespace partywall::inline v0::os {
namespace {

using generation_word = std::atomic<std::uint64_t>;

// The last generation that was given out in this process or before it in its forebears. Raised
// *before* a generation is published in the page, so whatever a child inherits was counted here.
generation_word generations{0};

// Stands in for the page where the kernel cannot wipe: an at-fork handler does.
generation_word fallback_word{0};
std::atomic<bool> wipe_disabled{false};

// Null until the first current(). Never freed: handles point there for the rest of the process.
std::atomic<generation_word*> the_word{nullptr};

extern "C" void partywall_fork_mark_in_child() {
    // Relaxed: the child has one thread.
    fallback_word.store(0, std::memory_order_relaxed);
}

generation_word* map_page() noexcept {
    if (wipe_disabled.load(std::memory_order_relaxed)) {
        return nullptr;
    }
    auto const bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    void* const page =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        return nullptr;
    }
    if (::madvise(page, bytes, MADV_WIPEONFORK) != 0) {
        ::munmap(page, bytes);
        return nullptr;
    }
    return new (page) generation_word{0};
}

generation_word* fallback() noexcept {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    ::pthread_once(&once, [] { ::pthread_atfork(nullptr, nullptr, partywall_fork_mark_in_child); });
    return &fallback_word;
}

generation_word* make_word() noexcept {
    errno_guard const keep;
    generation_word* made = map_page();
    if (made == nullptr) {
        made = fallback();
    }
    generation_word* expected = nullptr;
    // acq_rel: the page was written before it can be found; pairs with the acquire in current().
    if (the_word.compare_exchange_strong(expected, made, std::memory_order_acq_rel)) {
        return made;
    }
    if (made != &fallback_word) { // another thread was first
        ::munmap(made, static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)));
    }
    return expected;
}

} // namespace

fork_mark fork_mark::current() noexcept {
    // Pairs with the compare-exchange in make_word(): the page was written before.
    generation_word* word = the_word.load(std::memory_order_acquire);
    if (word == nullptr) {
        word = make_word();
    }
    // Pairs with the compare-exchange below in another thread: its number was counted before.
    std::uint64_t generation = word->load(std::memory_order_acquire);
    if (generation == 0) { // first call of this process, or of a forked child
        std::uint64_t const next = generations.fetch_add(1, std::memory_order_acq_rel) + 1;
        // One thread wins; the others take its number and theirs is never used.
        if (word->compare_exchange_strong(generation, next, std::memory_order_acq_rel)) {
            generation = next;
        }
    }
    return {word, generation};
}

void for_test::disable_wipe_on_fork() noexcept {
    wipe_disabled.store(true, std::memory_order_relaxed);
}

} // namespace partywall::inline v0::os
