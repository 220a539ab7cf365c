// SPDX-License-Identifier: BSL-1.0
// Runs the sequences of breaker_cases.txt, which explains their words.
#pragma once

#include "breaker/fake_clock.hpp"

#include <partywall/breaker/breaker.hpp>

#include <array>
#include <cstddef>
#include <deque>
#include <set>
#include <string>
#include <vector>

namespace partywall::test {

struct profile {
    breaker_options options;
    std::size_t shared_by = 0; ///< so many breakers over one record; 0: one of its own
    bool likes_everything = false;
};
/// Throws where there is no such profile.
profile profile_called(std::string const& name);

/// The words of a sequence, with n*(...) written out.
std::vector<std::string> words_of(std::string const& sequence);

class stage {
  public:
    explicit stage(std::string const& profile_name);
    ~stage();
    stage(stage const&) = delete;
    stage& operator=(stage const&) = delete;

    /// What went otherwise than the words say; empty: nothing.
    std::string play(std::vector<std::string> const& words);

  private:
    using breaker_type = basic_breaker<fake_clock>;
    using ticket_type = breaker_type::ticket;
    struct flight {
        std::size_t by;
        ticket_type held;
    };
    /// A ticket whose holder was killed: nobody will ever run its destructor.
    struct corpse {
        alignas(ticket_type) std::array<std::byte, sizeof(ticket_type)> bytes;
    };

    std::string play_word(std::string const& word);
    std::string call(char how);
    std::string reject(std::string const& seconds);
    std::string move(std::string const& to);
    std::string retry(std::string const& attempts, std::string const& how,
                      std::string const& calls);
    void end_oldest(char how);
    void kill_oldest();
    std::string counts() const;
    std::string events() const;
    breaker_type& now() { return breakers_[at_]; }
    breaker_type const& now() const { return breakers_[at_]; }

    profile profile_;
    char family_;
    std::uint64_t now_ns_ = fake_start_ns;
    std::vector<std::string> events_;
    std::set<std::uint64_t> dead_;
    detail::breaker_record record_ = {};
    std::vector<breaker_type> breakers_;
    std::size_t at_ = 0;
    std::deque<flight> flights_;
    std::deque<corpse> corpses_;
};

} // namespace partywall::test
