// SPDX-License-Identifier: BSL-1.0
// What somebody else's program does first: headers and library agree, and a result is usable
// without exceptions.
#include <partywall/name.hpp>
#include <partywall/version.hpp>

int main() {
    if (partywall::linked_version() != PARTYWALL_VERSION) {
        return 1;
    }
    auto const good = partywall::check_name("market/eurusd");
    auto const bad = partywall::check_name("../etc");
    return good.has_value() && bad.has_error() && bad.error() == partywall::name_errc::bad_component
               ? 0
               : 1;
}
