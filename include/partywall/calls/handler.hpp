// SPDX-License-Identifier: BSL-1.0
// From a user's callable to a request_handler, by what it can be called with.
#pragma once

#include <partywall/calls/deferred.hpp>
#include <partywall/calls/response.hpp>
#include <partywall/calls/server_core.hpp>
#include <partywall/calls/stream_writer.hpp>
#include <partywall/segment/copy_words.hpp>

#include <concepts>
#include <cstring>
#include <exception>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

namespace partywall::inline v0::detail {

/// What a handler sees of a request.
template <class Req>
using request_view =
    std::conditional_t<payload<Req>::variable_length,
                       std::span<typename payload<Req>::element const>, Req const&>;

template <class F, class Req, class Res>
concept answers_in_place = std::invocable < F&,
        request_view<Req>, response<Res>
&, call_context& > ;
template <class F, class Req, class Res>
concept answers_later = !answers_in_place<F, Req, Res> &&
                        std::invocable<F&, request_view<Req>, deferred<Res>, call_context&>;
template <class F, class Req, class Res>
concept answers_in_stream =
    !answers_in_place<F, Req, Res> && !answers_later<F, Req, Res> &&
    std::invocable<F&, request_view<Req>, stream_writer<Res>, call_context&>;
template <class F, class Req>
concept answers_with_context = std::invocable<F&, request_view<Req>, call_context&>;
template <class F, class Req>
concept answers_alone = std::invocable<F&, request_view<Req>>;
template <class F, class Req, class Res>
concept handler_of = answers_in_place<F, Req, Res> || answers_later<F, Req, Res> ||
    answers_in_stream<F, Req, Res> || answers_with_context<F, Req> || answers_alone<F, Req>;

/// Writes what a handler returned. False: it does not fit.
template <class Res, class Value>
void write_answer(exchange& x, Value const& value) noexcept {
    if constexpr (payload<Res>::variable_length) {
        auto const all = std::as_bytes(std::span(std::data(value), std::size(value)));
        static_assert(sizeof(*std::data(value)) == sizeof(typename payload<Res>::element),
                      "partywall: the handler returns elements of another size than Res has");
        x.answer_bytes = all.size();
        if (all.size() <= x.room && !all.empty()) {
            std::memcpy(x.answer, all.data(), all.size());
        }
    } else {
        static_assert(std::convertible_to<Value const&, Res>,
                      "partywall: the handler returns something else than Res");
        Res const answer = value;
        copy_words<>::store_fixed<sizeof(Res)>(x.answer,
                                               reinterpret_cast<std::byte const*>(&answer));
        x.answer_bytes = sizeof(Res);
    }
}

template <class T>
struct is_failing_result : std::false_type {};
template <class T>
struct is_failing_result<result<T, call_failure>> : std::true_type {};

template <class T>
struct is_optional : std::false_type {};
template <class T>
struct is_optional<std::optional<T>> : std::true_type {};

/// By what was returned: a value; nothing, in an optional; or a failure.
template <class Res, class Answer>
void answer_with(exchange& x, Answer const& answer) noexcept {
    if constexpr (is_optional<Answer>::value) {
        if (answer) {
            write_answer<Res>(x, *answer);
        } else {
            x.fail(reply_status::declined, 0, {});
        }
    } else if constexpr (is_failing_result<Answer>::value) {
        if (answer) {
            answer_with<Res>(x, *answer);
        } else {
            x.fail(reply_status::failed, answer.error().code, answer.error().text());
        }
    } else {
        write_answer<Res>(x, answer);
    }
}

template <class Req, class Res, class F>
class typed_handler final : public request_handler {
  public:
    explicit typed_handler(F f)
        : request_handler(answers_later<F, Req, Res> || in_stream, in_stream),
          handler_(std::move(f)) {}

    void handle(exchange& x) noexcept override {
        if constexpr (in_stream) {
            stream_core out = x.stream != nullptr ? std::move(*x.stream) : stream_core(x);
            if (out.has_begun()) {
                stream_core mine = out.shared(); // what is thrown is told by whoever has it last
                run_or([&] { call(x, std::move(out)); },
                       [&](std::string_view what) { mine.threw(what); });
            }
        } else {
            run_or([&] { call(x); },
                   [&](std::string_view what) { x.fail(reply_status::threw, 0, what); });
        }
    }

  private:
    static constexpr bool in_stream = answers_in_stream<F, Req, Res>;

    template <class Run, class Threw>
    static void run_or(Run run, Threw threw) noexcept {
#if defined(__cpp_exceptions)
        try {
            run();
        } catch (std::exception const& e) {
            threw(e.what());
        } catch (...) {
            threw({});
        }
#else
        (void)threw;
        run();
#endif
    }
    void call(exchange& x, stream_core&& out) {
        handler_(request_frame<Req>::view(x.request, x.request_bytes),
                 stream_writer<Res>(std::move(out)), *x.context);
    }
    void call(exchange& x) {
        decltype(auto) request = request_frame<Req>::view(x.request, x.request_bytes);
        if constexpr (answers_in_place<F, Req, Res>) {
            response<Res> out(x);
            handler_(request, out, *x.context);
        } else if constexpr (answers_later<F, Req, Res>) {
            handler_(request, deferred<Res>(deferred_core(x)), *x.context);
        } else if constexpr (answers_with_context<F, Req>) {
            answer_with<Res>(x, handler_(request, *x.context));
        } else {
            answer_with<Res>(x, handler_(request));
        }
    }

    F handler_;
};

} // namespace partywall::inline v0::detail
