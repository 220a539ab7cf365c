// SPDX-License-Identifier: BSL-1.0
#include <partywall/breaker/domain_breaker.hpp>

#include <partywall/name.hpp>
#include <partywall/os/clock.hpp>
#include <partywall/registry/registry_layout.hpp>
#include <partywall/segment/copy_words.hpp>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <new>
#include <tuple>
#include <utility>

namespace partywall::inline v0 {
namespace detail {
namespace {

using breaker_failure = failure<breaker_errc>;
using words_of_record = std::array<std::uint64_t, record_words>;
static_assert(sizeof(breaker_record) == sizeof(words_of_record));
static_assert(std::tuple_size_v<decltype(record_info::words)> == record_words);

/// What a breaker has in the domain, until it goes.
struct breaker_home {
    std::shared_ptr<participant_core> participant;
    mapping segment;          // scope process
    std::uint64_t number = 0; // of it
    used_record shared = {};  // scope host

    explicit breaker_home(std::shared_ptr<participant_core> p) noexcept
        : participant(std::move(p)) {}
    breaker_home(breaker_home const&) = delete;
    breaker_home& operator=(breaker_home const&) = delete;
    ~breaker_home() {
        if (participant->forked()) {
            return;
        }
        if (shared.words != nullptr) {
            participant->leave_record(shared);
        }
        if (segment) {
            unlink_segment(participant->dir(),
                           {segment_kind::circuit_breaker, participant->ticket(), number});
        }
    }
};

breaker_failure from_segment(segment_failure const& f, std::string const& doing) {
    breaker_errc code = breaker_errc::system;
    switch (f.code) {
    case segment_errc::no_space: code = breaker_errc::no_space; break;
    case segment_errc::no_memory: code = breaker_errc::no_memory; break;
    case segment_errc::permission: code = breaker_errc::permission; break;
    case segment_errc::not_found: code = breaker_errc::domain_gone; break;
    default: break;
    }
    return {code, f.os_error, doing + ": " + f.message};
}

breaker_failure from_registry(failure<registry_errc> const& f, std::string const& doing) {
    breaker_errc code = breaker_errc::system;
    switch (f.code) {
    case registry_errc::bad_name: code = breaker_errc::bad_name; break;
    case registry_errc::too_many_records: code = breaker_errc::too_many_breakers; break;
    case registry_errc::incompatible: code = breaker_errc::incompatible; break;
    case registry_errc::domain_gone: code = breaker_errc::domain_gone; break;
    case registry_errc::forked: code = breaker_errc::forked; break;
    default: break;
    }
    return {code, f.os_error, doing + ": " + f.message};
}

/// For create_segment().
struct contents {
    std::string_view name;
    breaker_constants const& rules;
    std::uint64_t now_ns;
};
void fill(std::byte* base, void* context) {
    auto const& c = *static_cast<contents const*>(context);
    auto& s = *reinterpret_cast<breaker_segment*>(base);
    s.name_bytes = static_cast<std::uint32_t>(c.name.size());
    std::memcpy(s.name, c.name.data(), c.name.size());
    breaker_core<>::format(s.record, c.rules, c.now_ns);
}

/// The record, in its home.
result<breaker_record*, breaker_failure> own_record(breaker_home& home, contents what,
                                                    std::string const& doing) {
    participant_core& me = *home.participant;
    std::uint64_t const number = me.next_number();
    if (number == 0) {
        return breaker_failure{breaker_errc::too_many_breakers, 0,
                               doing + ": this participant has made " +
                                   std::to_string(endpoints_max) + " endpoints: join again"};
    }
    auto made = create_segment(me.dir(),
                               {{segment_kind::circuit_breaker, me.ticket(), number},
                                breaker_layout_version,
                                breaker_fingerprint,
                                sizeof(breaker_segment),
                                incarnation_of(me.ticket(), number)},
                               fill, &what);
    if (!made) {
        return from_segment(made.error(), doing);
    }
    home.segment = std::move(*made);
    home.number = number;
    return &reinterpret_cast<breaker_segment*>(home.segment.data())->record;
}

result<breaker_record*, breaker_failure> shared_record(breaker_home& home, contents const& what,
                                                       std::string const& doing) {
    breaker_record initial;
    breaker_core<>::format(initial, what.rules, what.now_ns);
    auto const words = std::bit_cast<words_of_record>(initial);
    auto used = home.participant->use_record(record_kind::circuit_breaker, what.name,
                                             breaker_fingerprint, words.data());
    if (!used) {
        return from_registry(used.error(), doing);
    }
    home.shared = *used;
    return reinterpret_cast<breaker_record*>(used->words);
}

bool proven_dead(void* participant, std::uint64_t ticket) noexcept {
    return static_cast<participant_core const*>(participant)->proven_dead(ticket);
}

result<std::unique_ptr<breaker_body>, breaker_failure>
make(std::shared_ptr<participant_core> participant, std::string_view name,
     breaker_options const& options) {
    std::string const doing = "cannot make breaker '" + std::string(name) + "'";
    if (participant->forked()) {
        return breaker_failure{breaker_errc::forked, 0, doing + ": this is a forked child"};
    }
    if (auto const good = check_name(name); !good) {
        return breaker_failure{breaker_errc::bad_name, 0,
                               "cannot make breaker: " +
                                   explain(good.error(), name_kind::endpoint, name)};
    }
    auto const rules = breaker_rules(options);
    if (!rules) {
        return rules.error();
    }
    bool const shared = options.scope == breaker_scope::host;
    if (shared && options.window.kind == window_kind::count) {
        return make_breaker(options, nullptr, record_use::join, {}, 0); // which says why not
    }
    std::uint64_t const now_ns = os::monotonic_ns();
    auto home = std::make_shared<breaker_home>(std::move(participant));
    contents const what{name, *rules, now_ns};
    auto const record = shared ? shared_record(*home, what, doing) : own_record(*home, what, doing);
    if (!record) {
        return record.error();
    }
    participant_core& me = *home->participant;
    breaker_identity identity{me.ticket(), {}, home, me.mark()};
    if (shared) {
        identity.oracle = {&proven_dead, &me};
    }
    return make_breaker(options, *record, shared ? record_use::join : record_use::fill, identity,
                        now_ns);
}

breaker_info look_at(registry_view const& view, segment_id const& id, std::uint64_t now_ns) {
    breaker_info info;
    info.participants = {id.ticket};
    info.number = id.number;
    auto const map = attach_segment(view.dir(), {id, breaker_layout_version, breaker_fingerprint},
                                    access::read_only);
    if (!map) {
        info.problem = map.error().message;
        return info;
    }
    if (map->size() != sizeof(breaker_segment)) {
        info.problem = file_name(id) + " has not the size of a breaker";
        return info;
    }
    auto const& there = *reinterpret_cast<breaker_segment const*>(map->data());
    std::uint32_t const length = there.name_bytes;
    std::array<char, name_bytes_max> name{};
    std::copy_n(there.name, name.size(), name.begin());
    std::string_view const read(name.data(), length <= name_bytes_max ? length : 0);
    auto stats = read_breaker(there.record, now_ns);
    if (!stats || !check_name(read)) {
        info.problem = file_name(id) + " is no breaker that partywall wrote";
        return info;
    }
    info.name = read;
    info.stats = *stats;
    return info;
}

} // namespace

result<std::unique_ptr<breaker_body>, breaker_failure>
make_domain_breaker(std::shared_ptr<participant_core> participant, std::string_view name,
                    breaker_options const& options) {
    try {
        return make(std::move(participant), name, options);
    } catch (std::bad_alloc const&) {
        return breaker_failure{breaker_errc::no_memory, ENOMEM, {}};
    } catch (...) {
        return breaker_failure{breaker_errc::system, 0, {}};
    }
}

void clean_breaker_record(participant_core const& participant, record_kind kind,
                          std::uint64_t* words) noexcept {
    if (kind != record_kind::circuit_breaker) {
        return;
    }
    for (std::uint64_t& permit : reinterpret_cast<breaker_record*>(words)->permits) {
        owner const seen = owner_word<>::load(permit);
        if (!seen.is_free() && participant.proven_dead(seen.ticket())) {
            // Fails only if somebody else has taken it back.
            std::uint64_t expected = seen.word;
            std_atomics::compare_exchange(permit, expected, permit_word::freed(seen).word);
        }
    }
}

} // namespace detail

std::vector<breaker_info> read_breakers(registry_view const& view) {
    std::uint64_t const now_ns = os::monotonic_ns();
    std::vector<breaker_info> all;
    for (segment_id const& id : list_segments(view.dir())) {
        if (id.kind == segment_kind::circuit_breaker) {
            all.push_back(detail::look_at(view, id, now_ns));
        }
    }
    for (record_info const& one : view.records()) {
        if (one.kind != record_kind::circuit_breaker) {
            continue;
        }
        breaker_info info;
        info.name = one.name;
        info.scope = breaker_scope::host;
        info.participants = one.users;
        auto const record = std::bit_cast<detail::breaker_record>(one.words);
        if (one.fingerprint != detail::breaker_fingerprint) {
            info.problem = "breaker '" + one.name + "' has another layout";
        } else if (auto stats = detail::read_breaker(record, now_ns)) {
            info.stats = *stats;
        } else {
            info.problem = "breaker '" + one.name + "' is none that partywall wrote";
        }
        all.push_back(std::move(info));
    }
    std::sort(all.begin(), all.end(), [](breaker_info const& a, breaker_info const& b) {
        return std::tie(a.name, a.participants, a.number) <
               std::tie(b.name, b.participants, b.number);
    });
    return all;
}

} // namespace partywall::inline v0
