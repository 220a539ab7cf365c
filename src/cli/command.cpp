// SPDX-License-Identifier: BSL-1.0
#include "command.hpp"

#include "file_io.hpp"

#include <unistd.h>

namespace partywall::cli {

int exit_code_of(join_errc e) noexcept {
    switch (e) {
    case join_errc::bad_name:
    case join_errc::bad_domain: return exit_usage;
    case join_errc::not_found: return exit_not_found;
    case join_errc::domain_gone: return exit_unhealthy;
    case join_errc::incompatible: return exit_incompatible;
    case join_errc::bad_root:
    case join_errc::permission:
    case join_errc::no_space:
    case join_errc::too_many_participants:
    case join_errc::out_of_tickets:
    case join_errc::system: break;
    }
    return exit_failed;
}

int exit_code_of(endpoint_errc e) noexcept {
    switch (e) {
    case endpoint_errc::bad_name:
    case endpoint_errc::bad_option: return exit_usage;
    case endpoint_errc::domain_gone:
    case endpoint_errc::corrupt: return exit_unhealthy;
    case endpoint_errc::no_receiver: return exit_not_found;
    case endpoint_errc::type_mismatch:
    case endpoint_errc::option_mismatch:
    case endpoint_errc::incompatible: return exit_incompatible;
    case endpoint_errc::too_many_subscribers:
    case endpoint_errc::too_many_publishers:
    case endpoint_errc::too_many_entries:
    case endpoint_errc::no_space:
    case endpoint_errc::no_memory:
    case endpoint_errc::permission:
    case endpoint_errc::forked:
    case endpoint_errc::name_taken:
    case endpoint_errc::no_lane:
    case endpoint_errc::system: break;
    }
    return exit_failed;
}

join_options common_options::where() const {
    return {domain, root, group ? sharing::group : sharing::owner_only};
}

void say(std::string_view text) {
    // Nobody is left to hear that standard error cannot be written.
    std::string const line = fmt::format("partywall: {}\n", text);
    for (std::string_view left = line; !left.empty();) {
        ssize_t const written = ::write(STDERR_FILENO, left.data(), left.size());
        if (written <= 0) {
            return;
        }
        left.remove_prefix(static_cast<std::size_t>(written));
    }
}

std::string printable(std::string_view bytes) {
    std::string text;
    for (char const c : bytes) {
        auto const byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f || byte == '\\') {
            text += fmt::format("\\x{:02x}", byte);
        } else {
            text += c;
        }
    }
    return text;
}

} // namespace partywall::cli
