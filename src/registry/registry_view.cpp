// SPDX-License-Identifier: BSL-1.0
#include <partywall/registry/registry_view.hpp>

#include "registry_file.hpp"
#include "registry_reading.hpp"

#include <partywall/os/life_lock.hpp>

#include <cerrno>
#include <new>

namespace partywall::inline v0 {

struct registry_view::state {
    detail::domain_place place;
    mapping registry;
    std::string registry_path;
};

registry_view::registry_view(std::unique_ptr<state> s) noexcept : state_(std::move(s)) {}
registry_view::registry_view(registry_view&&) noexcept = default;
registry_view& registry_view::operator=(registry_view&&) noexcept = default;
registry_view::~registry_view() = default;

result<registry_view, failure<join_errc>> registry_view::open(join_options const& options) {
    try {
        auto place = detail::open_domain(options, false);
        if (!place) {
            return place.error();
        }
        auto registry = detail::attach_registry(place->where, access::read_only);
        if (!registry) {
            return registry.error();
        }
        std::string path = place->where.path_of(file_name({segment_kind::registry, 0, 0}));
        return registry_view(std::unique_ptr<state>(
            new state{std::move(place.value()), std::move(registry.value()), std::move(path)}));
    } catch (std::bad_alloc const&) {
        return failure<join_errc>{join_errc::system, ENOMEM, {}};
    } catch (...) {
        return failure<join_errc>{join_errc::system, 0, {}};
    }
}

domain_snapshot registry_view::snapshot() const {
    domain_snapshot all = detail::read_all(detail::registry_in(state_->registry));
    for (participant_info& one : all.participants) {
        one.alive = !proven_dead(one.ticket);
    }
    return all;
}

std::vector<record_info> registry_view::records() const {
    return detail::read_records(detail::registry_in(state_->registry));
}

bool registry_view::proven_dead(std::uint64_t ticket) const noexcept {
    return ticket != 0 && ticket <= ticket_max &&
           os::query_lock(state_->registry_path, state_->registry.identity(), ticket) ==
               os::lock_state::not_held;
}

bool registry_view::domain_gone() const noexcept {
    auto const now = os::identity_of(state_->registry_path.c_str());
    return now ? *now != state_->registry.identity() : errno == ENOENT || errno == ENOTDIR;
}

std::string const& registry_view::domain() const noexcept { return state_->place.domain; }
directory const& registry_view::dir() const noexcept { return state_->place.where; }

} // namespace partywall::inline v0
