// SPDX-License-Identifier: BSL-1.0
// partywall version: of the library, and of the layouts that decide who can talk to whom.
#include "command.hpp"
#include "file_io.hpp"

#include <partywall/breaker/breaker_layout.hpp>
#include <partywall/inbox/lanes_layout.hpp>
#include <partywall/registry/life_layout.hpp>
#include <partywall/registry/registry_layout.hpp>
#include <partywall/ring/readers_layout.hpp>
#include <partywall/ring/ring_layout.hpp>

#include <CLI/App.hpp>

#include <array>
#include <boost/json.hpp>
#include <memory>

namespace partywall::cli {
namespace {

struct layout {
    char const* name;
    std::uint32_t version;
    std::uint64_t fingerprint;
};

constexpr std::array layouts = {
    layout{"registry", detail::registry_layout_version, detail::registry_layout_fingerprint},
    layout{"life", detail::life_layout_version, detail::life_layout_fingerprint},
    layout{"ring", detail::ring_layout_version, detail::ring_fingerprint},
    layout{"readers", detail::readers_layout_version, detail::readers_fingerprint},
    layout{"breaker", detail::breaker_layout_version, detail::breaker_fingerprint},
    layout{"lanes", detail::lanes_layout_version, detail::lanes_fingerprint},
};

std::string as_text() {
    std::string text = version_text() + "\n";
    for (layout const& l : layouts) {
        text += fmt::format("layout {:<9} {} ({:016x})\n", l.name, l.version, l.fingerprint);
    }
    return text;
}

std::string as_json() {
    boost::json::object all;
    all["format"] = "partywall-version";
    all["version"] = 1;
    std::uint32_t const v = linked_version();
    all["library"] = fmt::format("{}.{}.{}", v / 10000, v / 100 % 100, v % 100);
    boost::json::object& them = all["layouts"].emplace_object();
    for (layout const& l : layouts) {
        them[l.name] = {{"version", l.version},
                        {"fingerprint", fmt::format("{:016x}", l.fingerprint)}};
    }
    return boost::json::serialize(all) + "\n";
}

} // namespace

std::string version_text() {
    std::uint32_t const v = linked_version();
    return fmt::format("partywall {}.{}.{}", v / 10000, v / 100 % 100, v % 100);
}

command make_version(CLI::App& parent, common_options const&) {
    auto json = std::make_shared<bool>(false);
    CLI::App& app = *parent.add_subcommand("version", "Say which version this is");
    app.add_flag("--json", *json, "One JSON object");
    app.footer("Processes whose layouts have the same versions and fingerprints can talk to each\n"
               "other, whatever the version of the library.");
    return {&app, [json] {
                output out;
                out.write(*json ? as_json() : as_text());
                out.close();
                return exit_ok;
            }};
}

} // namespace partywall::cli
