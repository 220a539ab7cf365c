// SPDX-License-Identifier: BSL-1.0
#include "life_word.hpp"

#include <partywall/os/robust_word.hpp>
#include <partywall/registry/life_layout.hpp>

#include <atomic>
#include <new>
#include <unistd.h>
#include <utility>
#include <vector>

namespace partywall::inline v0::detail {

struct life_page {
    explicit life_page(mapping m) noexcept : map(std::move(m)), mark(os::fork_mark::current()) {}

    void* word() const noexcept { return reinterpret_cast<life_layout*>(map.data())->word; }

    mapping map;
    os::fork_mark mark;
    std::atomic<bool> retired{false};
};

namespace {

/// The words that this thread holds. In a forked child the inherited ones are the parent's.
class held_list {
  public:
    held_list() = default;
    held_list(held_list const&) = delete;
    held_list& operator=(held_list const&) = delete;
    ~held_list() {
        ended = true;
        for (auto const& page : pages_) {
            release(*page);
        }
    }

    void hold(std::shared_ptr<life_page> const& page) {
        drop_retired();
        pages_.push_back(page); // first, since it may throw; the destructor must know every word
        if (!os::robust_hold(page->word())) {
            pages_.pop_back();
        }
    }

    void drop_retired() noexcept {
        std::erase_if(pages_, [](auto const& page) {
            // Acquire: pairs with the release in retire().
            bool const drop = page->retired.load(std::memory_order_acquire);
            if (drop) {
                release(*page);
            }
            return drop;
        });
    }

    /// Set for good when this thread's list is destroyed: what runs later in this thread's end
    /// holds nothing any more.
    static thread_local bool ended;

  private:
    static void release(life_page& page) noexcept {
        if (!page.mark.is_child()) { // I3
            os::robust_release(page.word());
        }
    }

    std::vector<std::shared_ptr<life_page>> pages_;
};

thread_local bool held_list::ended = false; // trivially destroyed, so it outlives the list
thread_local held_list held;

} // namespace

result<life_word, segment_failure> life_word::create(directory const& where, std::uint64_t ticket,
                                                     std::uint64_t pid_namespace) {
    auto const fill = [](std::byte* base, void* names) {
        auto& layout = *reinterpret_cast<life_layout*>(base);
        os::robust_init(layout.word);
        layout.pid_namespace = *static_cast<std::uint64_t const*>(names);
        layout.pid = static_cast<std::uint32_t>(::getpid());
    };
    segment_spec const spec{{segment_kind::life, ticket, 0},
                            life_layout_version,
                            life_layout_fingerprint,
                            sizeof(life_layout),
                            0};
    auto created = create_segment(where, spec, fill, &pid_namespace);
    if (!created) {
        return created.error();
    }
    life_word word(std::make_shared<life_page>(std::move(created.value())));
    word.keep();
    return word;
}

void life_word::keep() noexcept {
    if (page_->mark.is_child() || held_list::ended ||
        os::robust_is_held(os::robust_value(page_->word()))) {
        return;
    }
    try {
        held.hold(page_);
    } catch (std::bad_alloc const&) {
        // Nobody holds the word: no notice until a later call succeeds. Proof does not need it.
    }
}

void life_word::retire() noexcept {
    if (page_->mark.is_child()) {
        return;
    }
    page_->retired.store(true, std::memory_order_release); // pairs with drop_retired()
    if (!held_list::ended) {
        held.drop_retired();
    }
}

} // namespace partywall::inline v0::detail
