// SPDX-License-Identifier: BSL-1.0
// partywall's calls, as its users have them.
//
//     typed   client<T, T> and server<T, T>, the reply written in place
//     bytes   client<bytes, bytes> and server<bytes, bytes>: the size is known when it runs
//
// The server is in run(); how both sides wait is an option of theirs.
#include "adapters.hpp"
#include "partywall_parts.hpp"
#include "roles.hpp"

#include <partywall/partywall.hpp>

#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace partywall::bench {
namespace {

template <std::size_t Bytes>
class call_client {
    using message = message_type<Bytes>;

  public:
    explicit call_client(channel const& c)
        : client_(me(c).client<message, message>(c.name, options(c)).value()),
          buffer_(Bytes == any_size ? static_cast<std::size_t>(c.bytes) : 0) {
        if (auto const there = client_.wait_for_server(patience); !there) {
            fail("wait_for_server", to_string(there.error()));
        }
    }

    template <class Write, class Read>
    [[gnu::always_inline]] void call(Write write, Read read) {
        if constexpr (Bytes == any_size) {
            write(buffer_.data());
            give(client_.call(std::span<std::byte const>(buffer_)), read);
        } else {
            blob<Bytes> request;
            write(&request);
            give(client_.call(request), read);
        }
    }

  private:
    template <class Read>
    [[gnu::always_inline]] static void give(call_outcome<message> const& got, Read read) {
        if (!got) [[unlikely]] {
            fail("call", to_string(got.error().reason));
        }
        if constexpr (Bytes == any_size) {
            auto const reply = **got;
            read(reply.data(), reply.size());
        } else {
            read(&**got, sizeof(message));
        }
    }
    static client_options options(channel const& c) {
        client_options o;
        o.deadline = patience;
        o.reply_bytes_max = c.bytes;
        o.calls_max = static_cast<std::uint32_t>(std::min<std::uint64_t>(c.depth, 64));
        o.waiting = waiting_of(c);
        return o;
    }

    client<message, message> client_;
    std::vector<std::byte> buffer_;
};

template <std::size_t Bytes>
class call_server {
    using message = message_type<Bytes>;

  public:
    explicit call_server(channel const& c) : channel_(c) { static_cast<void>(me(c)); }

    template <class Answer>
    void run(Answer answer) {
        server<message, message>* self = nullptr;
        auto const one = [&](void const* from, std::size_t bytes, void* to) {
            if (!answer(from, bytes, to)) {
                self->stop();
            }
        };
        server_options o;
        o.depth = channel_.depth;
        o.request_bytes_max = channel_.bytes;
        o.clients_max = 1;
        o.waiting = waiting_of(channel_);
        auto served = [&] {
            if constexpr (Bytes == any_size) {
                return me(channel_).server<message, message>(
                    channel_.name,
                    [&](std::span<std::byte const> request, response<message>& reply,
                        call_context&) {
                        reply.resize(static_cast<std::size_t>(channel_.bytes));
                        one(request.data(), request.size(), (*reply).data());
                    },
                    o);
            } else {
                return me(channel_).server<message, message>(
                    channel_.name,
                    [&](message const& request, response<message>& reply, call_context&) {
                        one(&request, sizeof request, &*reply);
                    },
                    o);
            }
        }();
        self = &served.value();
        static_cast<void>(self->run());
    }

  private:
    channel channel_;
};

template <std::size_t Bytes>
struct calls {
    using client = call_client<Bytes>;
    using server = call_server<Bytes>;
    static constexpr bool has_threads = false;
    static constexpr bool server_works_in_threads = false;
};

template <std::size_t... I>
void play_typed(session& s, std::uint32_t role, std::index_sequence<I...>) {
    bool const known = ((s.what.bytes == fixed_sizes[I] &&
                         (play_call<calls<fixed_sizes[I]>, fixed_sizes[I]>(s, role), true)) ||
                        ...);
    if (!known) {
        throw std::runtime_error("no message of that size");
    }
}

} // namespace

void play_partywall_call(session& s, std::uint32_t role) {
    if (s.variant.view() == "bytes") {
        play_call<calls<any_size>>(s, role);
    } else {
        play_typed(s, role, std::make_index_sequence<fixed_sizes.size()>());
    }
}

} // namespace partywall::bench
