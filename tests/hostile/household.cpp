// SPDX-License-Identifier: BSL-1.0
#include "household.hpp"

#include <algorithm>

namespace partywall::test {
namespace {

std::string const long_text(2'000, 'x');

template <class Handle, class Made>
void keep(std::optional<Handle>& where, Made&& made) {
    if (made) {
        where.emplace(std::move(*made));
    }
}

} // namespace

publisher_options household::topic() {
    publisher_options options = dropping(8);
    options.payload_bytes_max = 3000;
    options.inline_bytes_max = 64;
    options.subscribers_max = 4;
    options.pins_per_subscriber = 2;
    return options;
}

std::string_view household::text(std::uint8_t how) {
    return (how & 1) != 0 ? std::string_view(long_text) : "a short one";
}

void household::talk_on_topic(std::uint8_t how) {
    if (!pub_) {
        publisher_options options = topic();
        options.overflow = (how & 8) != 0 ? overflow::reject : overflow::drop_oldest;
        keep(pub_, p_.publisher<bytes>(own_, options));
    }
    for (int i = 0; pub_ && i <= (how >> 4); ++i) {
        if ((how & 2) == 0) {
            (void)pub_->send(text(how));
        } else if (auto loan = pub_->loan()) {
            if ((how & 4) != 0) {
                loan->resize(40);
                (void)loan->send();
            }
        }
    }
}

void household::drain_topic(std::uint8_t how) {
    for (int i = 0; sub_ && i < 40; ++i) {
        auto s = (how & 2) != 0 ? sub_->receive(0ns) : sub_->try_receive();
        if (!s) {
            if (s.error() == receive_errc::empty || s.error() == receive_errc::timed_out) {
                return;
            }
            continue;
        }
        touch(*s);
        if ((how & 1) != 0) {
            held_.emplace(std::move(s));
        }
    }
}

void household::drain_inbox(std::uint8_t how) {
    if (!in_) {
        receiver_options options = lanes_of(8, 4);
        options.report_close = (how & 4) != 0;
        keep(in_, p_.receiver<tick>(own_, options));
    }
    for (int i = 0; in_ && i < 40; ++i) {
        auto s = (how & 2) != 0 ? in_->receive(0ns) : in_->try_receive();
        if (!s) {
            if (s.error() == receive_errc::empty || s.error() == receive_errc::timed_out) {
                return;
            }
            continue;
        }
        touch(std::as_bytes(std::span(&*s, 1)));
        if ((how & 1) != 0) {
            held_tick_.emplace(std::move(s));
        }
    }
}

void household::send_some(std::uint8_t how) {
    if (!out_) {
        return;
    }
    if ((how & 1) != 0) {
        std::vector<tick> const batch(12, tick::of(2));
        (void)out_->send_batch(batch);
    } else if ((how & 2) != 0) {
        if (auto loan = out_->loan()) {
            *loan.value() = tick::of(1);
            (void)loan->send();
        }
    } else {
        (void)out_->send(tick::of(how), 0ns);
    }
}

void household::serve_some(std::uint8_t how) {
    if (!serves_) {
        server_options options = serving(8);
        options.clients_max = 4;
        options.request_bytes_max = 3000;
        options.inline_bytes_max = 64;
        options.deferred_max = 4;
        if ((how & 3) == 0) {
            keep(serves_, p_.server<bytes, bytes>(
                              own_,
                              [](std::span<std::byte const> r) {
                                  touch(r);
                                  return std::string(text(static_cast<std::uint8_t>(r.size())));
                              },
                              options));
        } else if ((how & 3) == 1) {
            keep(serves_,
                 p_.server<bytes, bytes>(
                     own_,
                     [this](std::span<std::byte const> r, deferred<bytes> d, call_context&) {
                         touch(r);
                         owed_.push_back(std::move(d));
                     },
                     options));
        } else {
            keep(serves_,
                 p_.server<bytes, bytes>(
                     own_,
                     [this](std::span<std::byte const> r, stream_writer<bytes> out, call_context&) {
                         touch(r);
                         writers_.push_back(std::move(out));
                     },
                     options));
        }
    }
    if (serves_) {
        (void)serves_->poll(8);
    }
    for (stream_writer<bytes>& w : writers_) {
        (void)w.try_send(text(how));
        if ((how & 8) != 0) {
            (void)w.finish();
        }
    }
    if ((how & 4) != 0) {
        for (deferred<bytes>& d : owed_) {
            (void)d.answer(text(how));
        }
        owed_.clear();
        writers_.clear();
    }
}

void household::call_some(std::uint8_t how) {
    if (!calls_) {
        client_options options = calling(20us);
        options.calls_max = 4;
        options.servers_max = 2;
        options.reply_bytes_max = 3000;
        options.inline_bytes_max = 64;
        options.with_breaker = (how & 0x40) != 0;
        options.balance = (how & 0x20) != 0 ? balance::least_busy : balance::round_robin;
        if ((how & 0x10) != 0) {
            options.breaker.emplace(breaker_options::for_deadline(1ms));
            options.breaker->scope = breaker_scope::host;
        }
        keep(calls_, p_.client<bytes, bytes>(others_, options));
    }
    if (!calls_) {
        return;
    }
    auto const request = std::as_bytes(std::span(text(how)));
    call_options options;
    options.deadline = 20us;
    options.window = 2;
    switch (how >> 1 & 3) {
    case 0: (void)calls_->call(request, options); break;
    case 1:
        if (pending_.size() < 6) {
            options.deadline = 1h;
            pending_.push_back(calls_->call_async(request, options));
        }
        break;
    case 2: (void)calls_->post(request, options); break;
    default:
        if (streams_.size() < 3) {
            options.deadline = 1h;
            streams_.push_back(calls_->stream(request, options));
        }
    }
}

void household::look_for_some_replies(std::uint8_t how) {
    if (calls_) {
        (void)((how & 1) != 0 ? calls_->poll() : calls_->poll(0ns).has_value());
    }
    for (reply_stream<bytes>& in : streams_) {
        if (auto const r = in.next(0ns)) {
            touch(**r);
        }
    }
    for (pending_call<bytes>& one : pending_) {
        if ((how & 2) != 0) {
            one.cancel();
        }
        if (one.ready()) {
            if (auto const r = one.get()) {
                touch(**r);
            }
        }
    }
    std::erase_if(pending_, [](auto const& c) { return c.ready(); });
    if ((how & 4) != 0) {
        streams_.clear();
    }
}

void household::survey_some(std::uint8_t how) {
    if (!asks_) {
        surveyor_options options;
        options.surveys_max = 4;
        options.respondents_max = 4;
        options.depth = 4;
        keep(asks_, p_.surveyor<ask, told>(own_, options));
    }
    if (!asks_) {
        return;
    }
    if ((how & 1) != 0) {
        survey_options options;
        options.deadline = (how & 2) != 0 ? std::chrono::nanoseconds(1us) : 1h;
        options.at_least = how >> 6;
        auto made = asks_->ask(ask::of(how), options);
        if (made) {
            surveys_.push_back(std::move(*made));
        }
    }
    (void)asks_->poll();
    for (survey<told>& s : surveys_) {
        for (int i = 0; i < 10; ++i) {
            auto const* const answer = s.try_next();
            if (answer == nullptr) {
                break;
            }
            touch(std::as_bytes(std::span(&**answer, 1)));
        }
        if ((how & 4) != 0) {
            s.cancel();
            (void)s.result();
        }
    }
    if ((how & 8) != 0 || surveys_.size() > 4) {
        surveys_.clear();
    }
}

void household::look_around(std::uint8_t how) {
    switch (how % 6) {
    case 0: (void)p_.snapshot(); break;
    case 1: (void)p_.recover(); break;
    case 2: (void)p_.publishers(); break;
    case 3:
        for (entry_info const& e : p_.core()->entries(entry_kind::topic_publisher, others_)) {
            (void)read_topic_stats(p_.core()->dir(), e);
        }
        break;
    case 4:
        for (entry_info const& e : p_.core()->entries(entry_kind::inbox, others_)) {
            (void)read_inbox_stats(p_.core()->dir(), e);
        }
        break;
    default: {
        join_options where;
        where.domain = "d";
        where.root = p_.path().substr(0, p_.path().rfind('/'));
        if (auto const view = registry_view::open(where)) {
            (void)view->snapshot();
            (void)view->records();
        }
    }
    }
}

void household::use_breaker(std::uint8_t how) {
    if (!breaker_) {
        breaker_options rules;
        rules.scope = breaker_scope::host;
        keep(breaker_, p_.breaker("b", rules));
    }
    if (!breaker_) {
        return;
    }
    if (auto ticket = breaker_->admit()) {
        (how & 1) != 0 ? ticket->success() : ticket->failure();
    }
    (void)breaker_->stats();
    if ((how & 2) != 0) {
        (void)breaker_->move_to(static_cast<breaker_state>((how >> 2 & 3) + 1));
    }
    if ((how & 0x10) != 0) {
        breaker_->callee_died(how);
    }
}

void household::close_one(std::uint8_t how) {
    switch (how % 12) {
    case 0: pub_.reset(); break;
    case 1: sub_.reset(); break;
    case 2: held_.reset(); break;
    case 3: in_.reset(); break;
    case 4: out_.reset(); break;
    case 5: serves_.reset(); break;
    case 6: calls_.reset(); break;
    case 7: asks_.reset(); break;
    case 8: answers_.reset(); break;
    case 9: breaker_.reset(); break;
    case 10: newcomer_.reset(); break;
    default: held_tick_.reset();
    }
}

void household::wait_for_all() {
    auto set = p_.wait_set();
    std::uint64_t key = 0;
    auto const add = [&](auto& handle) {
        if (handle) {
            (void)set.add(*handle, key++);
        }
    };
    add(sub_);
    add(in_);
    add(serves_);
    add(calls_);
    add(asks_);
    add(answers_);
    (void)set.wait(0ns);
}

void household::take_descriptors() {
    auto const take = [](auto& handle) {
        if (handle) {
            (void)handle->fd();
        }
    };
    take(sub_);
    take(in_);
    take(serves_);
    take(calls_);
    take(asks_);
    take(answers_);
}

void household::use(std::uint8_t what, std::uint8_t how, std::uint8_t much) {
    switch (static_cast<act>(what)) {
    case publish: talk_on_topic(how); break;
    case subscribe: {
        subscriber_options options;
        options.delivery = static_cast<delivery>(1 + how % 3);
        options.history = much;
        options.any_type = (how & 8) != 0 && options.delivery != delivery::lossless;
        keep(sub_, p_.subscriber<bytes>(others_, options));
        break;
    }
    case read_topic: drain_topic(how); break;
    case look_at_latest:
        if (auto value = p_.latest<bytes>(others_)) {
            if (auto const s = value->get()) {
                touch(*s);
            }
        }
        break;
    case receive: drain_inbox(how); break;
    case make_sender:
        keep(out_, p_.sender<tick>(others_, sending(static_cast<overflow>(1 + how % 3), 0ns)));
        break;
    case send: send_some(how); break;
    case serve: serve_some(how); break;
    case make_client: calls_.reset(); [[fallthrough]];
    case call: call_some(how); break;
    case look_for_replies: look_for_some_replies(how); break;
    case make_surveyor: survey_some(static_cast<std::uint8_t>(how & ~1)); break;
    case ask_all: survey_some(how | 1); break;
    case look_for_answers: survey_some(static_cast<std::uint8_t>(how & ~1)); break;
    case respond:
        if (!answers_) {
            keep(answers_, p_.respondent<ask, told>(
                               others_, [](ask const& a) { return told::of(a.number); }));
        }
        if (answers_) {
            (void)answers_->poll(8);
        }
        break;
    case look_at_domain: look_around(how); break;
    case guard: use_breaker(how); break;
    case newcomer:
        if (!newcomer_) {
            join_options where;
            where.domain = "d";
            where.root = p_.path().substr(0, p_.path().rfind('/'));
            keep(newcomer_, join("newcomer", where));
        }
        break;
    case close: close_one(how); break;
    case wait: wait_for_all(); break;
    case ask_peers:
        if (pub_) {
            (void)pub_->subscriber_count();
            (void)pub_->wait_for_subscribers(how % 4, 0ns);
        }
        if (out_) {
            (void)out_->wait_for_receiver(0ns);
        }
        if (calls_) {
            (void)calls_->wait_for_server(0ns);
        }
        if (asks_) {
            (void)asks_->respondents();
            (void)asks_->wait_for_respondents(how % 4, 0ns);
        }
        break;
    case say:
        if (pub_) {
            (void)pub_->set_metadata({{"a", "b"}});
        }
        if (serves_) {
            (void)((how & 1) != 0 ? serves_->drain() : serves_->ready());
        }
        if (answers_) {
            (void)((how & 1) != 0 ? answers_->drain() : answers_->ready());
        }
        break;
    case descriptors: take_descriptors(); break;
    case acts: break;
    }
}

} // namespace partywall::test
