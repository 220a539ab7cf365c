// SPDX-License-Identifier: BSL-1.0
#include "stream_options.hpp"

#include "units.hpp"

#include <CLI/App.hpp>

namespace partywall::cli {

std::string within(stream_options const& options) {
    return options.timeout ? " within " + show_duration(*options.timeout) : std::string();
}

void add_stream_options(CLI::App& app, stream_options& options) {
    app.add_option("TOPIC", options.topic, "Name of the topic, such as market/eurusd")
        ->required()
        ->type_name("");
    app.add_option("--name", options.name, "What `partywall list` shows of this process")
        ->type_name("NAME");
}

participant join_as(stream_options const& options, common_options const& common) {
    auto me = join(options.name, common.where());
    if (!me) {
        fail(me.error());
    }
    return std::move(*me);
}

} // namespace partywall::cli
