// SPDX-License-Identifier: BSL-1.0
// Replies that no server of ours sends.
#pragma once

#include "support.hpp"

#include <partywall/calls/calls_layout.hpp>

#include <cstring>
#include <memory>
#include <vector>

namespace partywall::test {

/// A second lane in the inbox of whoever asks, in the name of one that answers.
template <class Res>
class forger {
  public:
    forger(participant const& as, std::uint64_t client, std::uint64_t server,
           overflow when_full = overflow::reject) {
        entry_info target;
        target.name = "forged";
        target.owner_ticket = client >> 24;
        target.number = client & endpoints_max;
        target.incarnation = client;
        type_info type;
        type.fingerprint = tampered_inbox(as, target).segment().constants.type_fingerprint;
        sender_options options;
        options.overflow = when_full;
        failure<endpoint_errc> why;
        out_ = detail::sender_core::attach_to(as.core(), target, type,
                                              detail::reply_frame<Res>::shape().payload, options,
                                              server, why);
        EXPECT_NE(out_, nullptr) << why.message;
    }
    void send(detail::reply_header const& header, std::vector<std::byte> const& body = {}) {
        ASSERT_EQ(out_->admit_attached(), detail::send_ok);
        std::byte* const memory = out_->begin();
        std::memcpy(memory, &header, sizeof header);
        if (body.size() != 0) {
            std::memcpy(memory + sizeof header, body.data(), body.size());
        }
        out_->commit(sizeof header + body.size());
        out_->announce();
    }
    void send_bytes(std::size_t bytes) {
        ASSERT_EQ(out_->admit_attached(), detail::send_ok);
        std::memset(out_->begin(), 0, bytes);
        out_->commit(bytes);
        out_->announce();
    }

  private:
    std::unique_ptr<detail::sender_core> out_;
};

template <class Res>
std::vector<std::byte> bytes_of(Res const& value) {
    std::vector<std::byte> all(sizeof value);
    std::memcpy(all.data(), &value, sizeof value);
    return all;
}
inline detail::reply_header header(std::uint64_t id,
                                   detail::reply_status status = detail::reply_status::value) {
    return {id, static_cast<std::uint16_t>(status), 0, 0, {}};
}

} // namespace partywall::test
