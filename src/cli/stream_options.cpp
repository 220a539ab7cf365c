// SPDX-License-Identifier: BSL-1.0
#include "stream_options.hpp"

#include "units.hpp"

#include <CLI/App.hpp>

#include <utility>

namespace partywall::cli {

std::string within(stream_options const& options) {
    return options.timeout ? " within " + show_duration(*options.timeout) : std::string();
}

void add_stream_options(CLI::App& app, stream_options& options, std::string const& positional,
                        std::string const& help) {
    app.add_option(positional, options.topic, help)->required()->type_name("");
    app.add_option("--name", options.name, "What `partywall list` shows of this process")
        ->type_name("NAME");
}

void add_policy(CLI::App& app, overflow& policy, std::string const& help) {
    auto const take = [&policy](std::string const& text) {
        for (auto const& [name, value] :
             {std::pair{"drop_oldest", overflow::drop_oldest}, std::pair{"block", overflow::block},
              std::pair{"reject", overflow::reject}}) {
            if (text == name) {
                policy = value;
                return;
            }
        }
        throw CLI::ValidationError("--policy",
                                   "'" + text + "' is none of drop_oldest, block, reject");
    };
    app.add_option_function<std::string>("--policy", take, help)->type_name("POLICY");
}

participant join_as(stream_options const& options, common_options const& common) {
    auto me = join(options.name, common.where());
    if (!me) {
        fail(me.error());
    }
    return std::move(*me);
}

} // namespace partywall::cli
