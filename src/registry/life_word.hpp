// SPDX-License-Identifier: BSL-1.0
// The writer's side of a life word: which thread holds it, and when it must let go.
#pragma once

#include <partywall/os/fork_mark.hpp>
#include <partywall/result.hpp>
#include <partywall/segment/segment.hpp>

#include <cstdint>
#include <memory>

namespace partywall::inline v0::detail {

struct life_page;

/// Invariants
///   I1  A thread that ends holds no life word: its list of held words releases them first, so
///       the end of a thread is no notice. The next slow call of another thread holds it again.
///   I2  Memory of a held word is not unmapped: the holder's list shares it. A participant that
///       is destroyed by another thread leaves the word to the holder, who lets go of it when it
///       next holds one, or ends.
///   I3  A forked child touches none of this: the words are its parent's.
class life_word {
  public:
    /// Creates the participant's life segment and holds its word for this thread.
    static result<life_word, segment_failure> create(directory const& where, std::uint64_t ticket,
                                                     std::uint64_t pid_namespace);

    /// Holds the word for this thread if nobody does. One load when somebody does.
    void keep() noexcept;
    /// The participant goes.
    void retire() noexcept;

  private:
    explicit life_word(std::shared_ptr<life_page> page) noexcept : page_(std::move(page)) {}
    std::shared_ptr<life_page> page_;
};

} // namespace partywall::inline v0::detail
