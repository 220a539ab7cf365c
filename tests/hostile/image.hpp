// SPDX-License-Identifier: BSL-1.0
// A domain whose bytes an enemy rewrites while somebody uses it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace partywall::test {

/// What      an enemy and a victim in one domain, each with a topic, an inbox, a service and a survey,
///           using the other's; and a domain that is none of the enemy's business.
///           Instructions say which word of which segment the enemy changes to what, or what one of
///           the two does next.
/// The enemy writes the registry, its own segments, and of the victim's those that it may write: the
///           readers' and the lanes.
/// Rounds    the two stay, since joining is what costs; what they have is made anew in each round, and
///           at its end the registry and the directory become again what they were.
class hostile_image {
  public:
    /// what | which segment | which word, 2 bytes | value, 8 bytes
    static constexpr std::size_t instruction_bytes = 12;
    using instruction = std::array<std::uint8_t, instruction_bytes>;

    /// A style of talking; `all` is any of them.
    enum class style : std::uint8_t { topics, oneway, calls, surveys, rest, all };

    hostile_image();
    ~hostile_image();
    hostile_image(hostile_image const&) = delete;
    hostile_image& operator=(hostile_image const&) = delete;

    void begin();
    void follow(std::span<std::uint8_t const> instructions);
    /// Only what the enemy writes of these instructions.
    void write(std::span<std::uint8_t const> instructions);
    /// One thing that the victim or the enemy does.
    void use(instruction const& one);
    void end();

    /// Everything that they do, in a sensible order, again and again.
    static std::vector<instruction> const& script(style of);

    /// A word that the enemy may write.
    struct place {
        std::string where;
        std::uint64_t* word;
        std::uint64_t cells; ///< of the ring that it belongs to, or a number like that
    };
    /// Those that matter of what is there now: everything but the unused end of large areas.
    std::vector<place> places(style of);

    /// Paths of the segments that there are now, but for the life words.
    std::vector<std::string> files() const;

    /// Empty, or what is wrong: in the other domain, or because something is left after end().
    std::string what_others_saw();

  private:
    struct house;
    struct round;
    std::unique_ptr<house> house_;
    std::unique_ptr<round> round_;
};

} // namespace partywall::test
