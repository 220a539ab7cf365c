// SPDX-License-Identifier: BSL-1.0
// What an enemy and a victim have in one domain, and do there: one of everything, each using the other's.
#pragma once

#include <partywall/oneway/inbox_stats.hpp>
#include <partywall/partywall.hpp>
#include <partywall/topic/topic_stats.hpp>

#include <calls/support.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace partywall::test {

/// What a participant has under its own name, and of the other's. All of it is made when something is
/// first done with it, none of it waits, and errors are what is expected.
class household {
  public:
    household(participant const& p, std::string own, std::string others)
        : p_(p), own_(std::move(own)), others_(std::move(others)) {}

    /// `what` of `act`; the rest of the instruction says how.
    enum act : std::uint8_t {
        publish,
        subscribe,
        read_topic,
        look_at_latest,
        receive,
        make_sender,
        send,
        serve,
        make_client,
        call,
        look_for_replies,
        make_surveyor,
        ask_all,
        look_for_answers,
        respond,
        look_at_domain,
        guard,
        newcomer,
        close,
        wait,
        ask_peers,
        say,
        descriptors,
        acts
    };

    void use(std::uint8_t what, std::uint8_t how, std::uint8_t much);

  private:
    static void touch(std::span<std::byte const> bytes) {
        unsigned sum = 0; // a sanitizer, or the end of the mapping, says if it is outside
        for (std::byte const b : bytes) {
            sum += static_cast<unsigned>(b);
        }
        unsigned volatile sink = sum;
        (void)sink;
    }
    static publisher_options topic();
    static std::string_view text(std::uint8_t how);

    void talk_on_topic(std::uint8_t how);
    void drain_topic(std::uint8_t how);
    void drain_inbox(std::uint8_t how);
    void send_some(std::uint8_t how);
    void serve_some(std::uint8_t how);
    void call_some(std::uint8_t how);
    void look_for_some_replies(std::uint8_t how);
    void survey_some(std::uint8_t how);
    void look_around(std::uint8_t how);
    void use_breaker(std::uint8_t how);
    void close_one(std::uint8_t how);
    void wait_for_all();
    void take_descriptors();

    participant const& p_;
    std::string own_;
    std::string others_;
    std::optional<publisher<bytes>> pub_;
    std::optional<subscriber<bytes>> sub_;
    std::optional<sample<bytes>> held_;
    std::optional<receiver<tick>> in_;
    std::optional<sample<tick>> held_tick_;
    std::optional<sender<tick>> out_;
    std::vector<deferred<bytes>> owed_;
    std::vector<stream_writer<bytes>> writers_;
    std::optional<server<bytes, bytes>> serves_;
    std::optional<client<bytes, bytes>> calls_;
    std::vector<pending_call<bytes>> pending_;
    std::vector<reply_stream<bytes>> streams_;
    std::optional<surveyor<ask, told>> asks_;
    std::vector<survey<told>> surveys_;
    std::optional<respondent<ask, told>> answers_;
    std::optional<breaker> breaker_;
    std::optional<participant> newcomer_;
};

class household_pair {
  public:
    household_pair(participant const& enemy, participant const& victim)
        : theirs_(enemy, "theirs", "mine"), mine_(victim, "mine", "theirs") {}

    /// act, 0x40: of the enemy | how | how much
    void use(std::uint8_t const* instruction) {
        changes_ += 1;
        household& whose = (instruction[0] & 0x40) != 0 ? theirs_ : mine_;
        whose.use(static_cast<std::uint8_t>((instruction[0] & 0x3f) % household::acts),
                  instruction[1], instruction[2]);
    }
    /// Whether there may be other files than before.
    std::uint64_t changes() const { return changes_; }

  private:
    household theirs_;
    household mine_;
    std::uint64_t changes_ = 0;
};

} // namespace partywall::test
