// SPDX-License-Identifier: BSL-1.0
#include "registry_file.hpp"

#include <partywall/name.hpp>

#include <cstdlib>
#include <ctime>
#include <unistd.h>

namespace partywall::inline v0::detail {

namespace {

constexpr segment_id registry_id{segment_kind::registry, 0, 0};

/// Rounds of "not there", "exists", "not there": only somebody who removes the file again and
/// again while we look can make it more than two.
constexpr int rounds_max = 64;

std::string from_environment(std::string const& given, char const* variable) {
    if (!given.empty()) {
        return given;
    }
    char const* const value = std::getenv(variable);
    return value != nullptr ? value : "";
}

/// The working directory may change later, so a relative root is made absolute now. Empty: it
/// cannot be.
std::string absolute(std::string const& path) {
    if (!path.empty() && path[0] == '/') {
        return path;
    }
    char* const here = ::getcwd(nullptr, 0);
    if (here == nullptr) {
        return {};
    }
    std::string whole = std::string(here) + '/' + path;
    std::free(here);
    return whole;
}

} // namespace

bool space_patience::wait() noexcept {
    constexpr unsigned waits_max = 8; // 1 + 2 + 4 ... + 128 ms
    if (waits_ == waits_max) {
        return false;
    }
    timespec const pause{0, 1'000'000L << waits_};
    ++waits_;
    ::nanosleep(&pause, nullptr);
    return true;
}

join_failure join_failure_of(segment_failure const& cause) {
    join_errc code = join_errc::system;
    switch (cause.code) {
    case segment_errc::permission:
    case segment_errc::wrong_owner:
    case segment_errc::wrong_mode: code = join_errc::permission; break;
    case segment_errc::no_space: code = join_errc::no_space; break;
    case segment_errc::not_found: code = join_errc::not_found; break;
    case segment_errc::wrong_type:
    case segment_errc::linked:
    case segment_errc::wrong_size:
    case segment_errc::wrong_magic:
    case segment_errc::wrong_kind:
    case segment_errc::wrong_layout_version:
    case segment_errc::wrong_layout:
    case segment_errc::wrong_identity: code = join_errc::incompatible; break;
    case segment_errc::exists:
    case segment_errc::no_memory:
    case segment_errc::too_large:
    case segment_errc::bad_argument:
    case segment_errc::system: break;
    }
    return {code, cause.os_error, cause.message};
}

result<domain_place, join_failure> open_domain(join_options const& options, bool create) {
    std::string domain = from_environment(options.domain, "PARTYWALL_DOMAIN");
    if (domain.empty()) {
        domain = "default";
    }
    if (auto const good = check_domain(domain); !good) {
        return join_failure{join_errc::bad_domain, 0,
                            "cannot use domain: " +
                                explain(good.error(), name_kind::domain, domain)};
    }
    std::string root = from_environment(options.root, "PARTYWALL_ROOT");
    if (root.empty()) {
        root = "/dev/shm/partywall-" + std::to_string(::geteuid());
    }
    root = absolute(root);
    if (root.empty() || root.find('\0') != std::string::npos) {
        return join_failure{join_errc::bad_root, 0,
                            "cannot use root: it is no absolute path, or has a NUL byte in it"};
    }
    auto where = open_directory(root, encode_component(domain), options.share, create);
    if (!where) {
        join_failure failed = join_failure_of(where.error());
        // What is wrong with a directory is wrong with the root that was asked for.
        if (failed.code == join_errc::incompatible ||
            (create && failed.code == join_errc::not_found) ||
            where.error().code == segment_errc::bad_argument) {
            failed.code = join_errc::bad_root;
        }
        return failed;
    }
    return domain_place{std::move(domain), std::move(where.value())};
}

result<mapping, join_failure> attach_registry(directory const& where, access how) {
    auto attached = attach_segment(
        where, {registry_id, registry_layout_version, registry_layout_fingerprint}, how);
    if (!attached) {
        return join_failure_of(attached.error());
    }
    // The size was checked against the header; that the header's size is the layout's is ours to
    // check.
    if (attached->size() != sizeof(registry_layout)) {
        return join_failure{join_errc::incompatible, 0,
                            "cannot attach " + where.path_of("registry") + ": it has " +
                                std::to_string(attached->size()) + " bytes, this library's has " +
                                std::to_string(sizeof(registry_layout))};
    }
    return std::move(attached.value());
}

result<mapping, join_failure> attach_or_create_registry(directory const& where) {
    auto const fill = [](std::byte* base, void*) {
        // Nobody else sees the file yet. Everything but the first ticket starts as zero: free
        // owner words.
        reinterpret_cast<registry_layout*>(base)->next_ticket = 1;
    };
    segment_spec const spec{registry_id, registry_layout_version, registry_layout_fingerprint,
                            sizeof(registry_layout), 0};
    space_patience patience;
    for (int round = 0; round < rounds_max; ++round) {
        auto attached = attach_registry(where, access::read_write);
        if (attached || attached.error().code != join_errc::not_found) {
            return attached;
        }
        auto created = create_segment(where, spec, fill, nullptr);
        if (created) {
            return std::move(created.value());
        }
        segment_failure const& why = created.error();
        if (why.code == segment_errc::no_space && patience.wait()) {
            continue; // the winner's is there by now, or the space that the losers held
        }
        if (why.code != segment_errc::exists) {
            return join_failure_of(why);
        }
    }
    return join_failure{join_errc::domain_gone, 0,
                        "cannot join " + where.path() + ": its registry is removed all the time"};
}

} // namespace partywall::inline v0::detail
