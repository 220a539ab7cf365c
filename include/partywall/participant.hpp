// SPDX-License-Identifier: BSL-1.0
// The door: join a domain, and make endpoints.
#pragma once

#include <partywall/breaker/breaker.hpp>
#include <partywall/breaker/domain_breaker.hpp>
#include <partywall/calls/client.hpp>
#include <partywall/calls/server.hpp>
#include <partywall/calls/server_watch.hpp>
#include <partywall/endpoint/wait_set.hpp>
#include <partywall/export.hpp>
#include <partywall/oneway/receiver.hpp>
#include <partywall/oneway/sender.hpp>
#include <partywall/registry/join_options.hpp>
#include <partywall/registry/participant_core.hpp>
#include <partywall/registry/registry_watch.hpp>
#include <partywall/survey/respondent.hpp>
#include <partywall/survey/surveyor.hpp>
#include <partywall/topic/latest.hpp>
#include <partywall/topic/publisher.hpp>
#include <partywall/topic/subscriber.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace partywall::inline v0 {

/// What one recovery removed.
using recovery_report = detail::recovery_report;

/// One process's membership of one domain, and the factory of its endpoints.
///
/// Use when   a process wants to talk. Once per process and domain is enough; more are possible.
/// Not when   a tool only looks (registry_view).
/// Callers    any thread. Endpoints keep the membership alive: the order of destruction is free.
/// Progress   nothing waits for another process. Joining costs some system calls and about 2 MiB
///            of address space; make endpoints at start-up, not per message.
/// Fork       the child's copy refuses everything (`forked`) and its destructors touch nothing that
///            is shared. The child may join by itself.
/// Peer dies  what it left is recovered by whoever joins next, by whoever notices its death, and
///            by recover().
class participant {
  public:
    /// A topic's publisher. See publisher<T>.
    /// Errors: bad_name, bad_option, type_mismatch, option_mismatch, too_many_subscribers (of
    /// lossless subscriptions that are already there), too_many_entries, no_space, no_memory,
    /// permission, domain_gone, forked, system.
    template <class T>
    [[nodiscard]] result<partywall::publisher<T>, failure<endpoint_errc>>
    publisher(std::string_view topic, publisher_options const& options = {}) const {
        static_assert(detail::message_check<T>::passed);
        failure<endpoint_errc> why;
        auto core = detail::publisher_core::create(core_, topic, detail::type_facts_of<T>(),
                                                   detail::payload<T>::shape(), options, why);
        if (!core) {
            return why;
        }
        return partywall::publisher<T>(std::move(core));
    }

    /// A subscription to a topic, whose publishers may come later. See subscriber<T>.
    /// Errors: bad_name, bad_option, type_mismatch, option_mismatch, too_many_subscribers,
    /// too_many_publishers, too_many_entries, no_memory, permission, incompatible, corrupt,
    /// domain_gone, forked, system.
    template <class T>
    [[nodiscard]] result<partywall::subscriber<T>, failure<endpoint_errc>>
    subscriber(std::string_view topic, subscriber_options const& options = {}) const {
        failure<endpoint_errc> why;
        auto core = make_subscriber<T>(topic, options, false, why);
        if (!core) {
            return why;
        }
        return partywall::subscriber<T>(std::move(core));
    }

    /// The newest value of a topic. See latest<T>. Errors: as subscriber().
    template <class T>
    [[nodiscard]] result<partywall::latest<T>, failure<endpoint_errc>>
    latest(std::string_view topic, subscriber_options const& options = {}) const {
        failure<endpoint_errc> why;
        auto core = make_subscriber<T>(topic, options, true, why);
        if (!core) {
            return why;
        }
        return partywall::latest<T>(std::move(core));
    }

    /// The receiver of a name. See receiver<T>.
    /// Errors: bad_name, bad_option, name_taken, too_many_entries, no_space, no_memory, permission,
    /// domain_gone, forked, system.
    template <class T>
    [[nodiscard]] result<partywall::receiver<T>, failure<endpoint_errc>>
    receiver(std::string_view name, receiver_options const& options = {}) const {
        static_assert(detail::message_check<T>::passed);
        failure<endpoint_errc> why;
        auto core = detail::receiver_core::create(core_, name, detail::type_facts_of<T>(),
                                                  detail::payload<T>::shape(), options, why);
        if (!core) {
            return why;
        }
        return partywall::receiver<T>(std::move(core));
    }

    /// A sender to the receiver of a name, who may come later. See sender<T>.
    /// Errors: bad_name, bad_option, type_mismatch, no_lane, no_memory, permission, incompatible,
    /// corrupt, domain_gone, forked, system.
    template <class T>
    [[nodiscard]] result<partywall::sender<T>, failure<endpoint_errc>>
    sender(std::string_view name, sender_options const& options = {}) const {
        static_assert(detail::message_check<T>::passed);
        failure<endpoint_errc> why;
        auto core = detail::sender_core::create(core_, name, detail::type_facts_of<T>(),
                                                detail::payload<T>::shape(), options, why);
        if (!core) {
            return why;
        }
        return partywall::sender<T>(std::move(core));
    }

    /// A server of a name, with what answers its calls. See server<Req, Res>.
    /// Errors: bad_name, bad_option, too_many_entries, no_space, no_memory, permission, domain_gone,
    /// forked, system.
    template <class Req, class Res, class Handler>
        requires detail::handler_of<Handler, Req, Res>
    [[nodiscard]] result<partywall::server<Req, Res>, failure<endpoint_errc>>
    server(std::string_view name, Handler handler, server_options const& options = {}) const {
        failure<endpoint_errc> why;
        std::unique_ptr<detail::request_handler> typed(
            new (std::nothrow) detail::typed_handler<Req, Res, Handler>(std::move(handler)));
        if (typed == nullptr) {
            why.code = endpoint_errc::no_memory;
            return why;
        }
        auto core = detail::server_core::create(core_, name, detail::call_types_of<Req, Res>(),
                                                options, std::move(typed), why);
        if (!core) {
            return why;
        }
        return partywall::server<Req, Res>(std::move(core));
    }

    /// A client of the servers of a name, who may come later. See client<Req, Res>.
    /// Errors: bad_name, bad_option, type_mismatch, no_lane, no_space, no_memory, permission,
    /// incompatible, corrupt, domain_gone, forked, system.
    template <class Req, class Res>
    [[nodiscard]] result<partywall::client<Req, Res>, failure<endpoint_errc>>
    client(std::string_view name, client_options const& options = {}) const {
        failure<endpoint_errc> why;
        auto core = detail::client_core::create(core_, name, detail::call_types_of<Req, Res>(),
                                                options, why);
        if (!core) {
            return why;
        }
        return partywall::client<Req, Res>(std::move(core));
    }

    /// A surveyor: asks all respondents of a name, who may come later. See surveyor<Req, Res>.
    /// Errors: bad_name, bad_option, type_mismatch, too_many_entries, no_space, no_memory,
    /// permission, domain_gone, forked, system.
    template <class Req, class Res>
    [[nodiscard]] result<partywall::surveyor<Req, Res>, failure<endpoint_errc>>
    surveyor(std::string_view name, surveyor_options const& options = {}) const {
        failure<endpoint_errc> why;
        auto core = detail::surveyor_core::create(core_, name, detail::call_types_of<Req, Res>(),
                                                  options, why);
        if (!core) {
            return why;
        }
        return partywall::surveyor<Req, Res>(std::move(core));
    }

    /// A respondent of a name, with what answers its questions. See respondent<Req, Res>.
    /// A surveyor that has no room for it now is tried again (respondent::refusal()).
    /// Errors: bad_name, bad_option, type_mismatch, too_many_entries, no_memory, permission,
    /// incompatible, corrupt, domain_gone, forked, system.
    template <class Req, class Res, class Handler>
        requires detail::handler_of<Handler, Req, Res>
    [[nodiscard]] result<partywall::respondent<Req, Res>, failure<endpoint_errc>>
    respondent(std::string_view name, Handler handler,
               respondent_options const& options = {}) const {
        failure<endpoint_errc> why;
        std::unique_ptr<detail::request_handler> typed(
            new (std::nothrow) detail::typed_handler<Req, Res, Handler>(std::move(handler)));
        if (typed == nullptr) {
            why.code = endpoint_errc::no_memory;
            return why;
        }
        auto core = detail::respondent_core::create(core_, name, detail::call_types_of<Req, Res>(),
                                                    options, std::move(typed), why);
        if (!core) {
            return why;
        }
        return partywall::respondent<Req, Res>(std::move(core));
    }

    /// Everything that the registry holds now. May throw std::bad_alloc, as the next two.
    domain_snapshot snapshot() const { return core_->snapshot(); }
    /// Publishers of one topic that are not proven dead; all topics if `topic` is empty.
    std::vector<entry_info> publishers(std::string_view topic = {}) const {
        auto all = core_->entries(entry_kind::topic_publisher, topic);
        std::erase_if(all, [this](entry_info const& e) {
            return e.state == health::closed || core_->proven_dead(e.owner_ticket);
        });
        return all;
    }
    /// Follows changes of the domain.
    registry_watch watch() const { return registry_watch(core_); }
    /// Follows the servers of one name.
    server_watch watch_servers(std::string_view name) const { return server_watch(core_, name); }

    /// Waits for many things at once. May throw std::bad_alloc, as watch().
    partywall::wait_set wait_set() const { return partywall::wait_set(core_); }

    /// A circuit breaker with a name. Scope process: of this handle, and visible to whoever looks at
    /// the domain. Scope host: the one breaker of that name, which all who ask for it share, and
    /// which is there as long as one of them lives. See breaker.
    /// Errors: those of breaker::make; mismatch (scope host: others gave other rules), not_here (scope
    /// host with a count window), bad_name, too_many_breakers, no_space, no_memory, permission,
    /// incompatible, domain_gone, forked, system.
    [[nodiscard]] result<partywall::breaker, failure<breaker_errc>>
    breaker(std::string_view name, breaker_options const& options = {}) const {
        auto body = detail::make_domain_breaker(core_, name, options);
        if (!body) {
            return body.error();
        }
        return partywall::breaker(std::move(*body));
    }

    /// Removes what dead participants left, now. Never needed for correctness: joining and waiting
    /// do it too.
    recovery_report recover() const { return core_->recover(); }

    /// Number of this membership: unique in the domain, never used again.
    std::uint64_t ticket() const noexcept { return core_->ticket(); }
    std::string const& name() const noexcept { return core_->name(); }
    std::string const& domain() const noexcept { return core_->domain(); }
    /// Where the domain's files are.
    std::string const& path() const noexcept { return core_->dir().path(); }

    /// Not for users: what endpoints are made of.
    std::shared_ptr<detail::participant_core> const& core() const noexcept { return core_; }

  private:
    friend PARTYWALL_API result<participant, failure<join_errc>> join(std::string_view,
                                                                      join_options const&);
    explicit participant(std::shared_ptr<detail::participant_core> core) noexcept
        : core_(std::move(core)) {}

    template <class T>
    detail::subscriber_core::handle make_subscriber(std::string_view topic,
                                                    subscriber_options const& options, bool latest,
                                                    failure<endpoint_errc>& why) const noexcept {
        static_assert(detail::message_check<T>::passed);
        return detail::subscriber_core::create(core_, topic, detail::type_facts_of<T>(),
                                               detail::payload<T>::shape(), options, latest, why);
    }

    std::shared_ptr<detail::participant_core> core_;
};

/// Joins a domain under a name for people; names need not be unique. Creates the domain if this is
/// the first process in it, and recovers what the dead left.
/// Errors: see join_errc; the message names the object and the reason.
[[nodiscard]] PARTYWALL_API result<participant, failure<join_errc>>
join(std::string_view name, join_options const& options = {});

} // namespace partywall::inline v0
