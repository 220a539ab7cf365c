// SPDX-License-Identifier: BSL-1.0
// partywall clean: removes what the dead left, now. Whoever joins or waits does the same by
// himself; this is for domains that nobody uses any more.
#include "command.hpp"
#include "domain_report.hpp"
#include "file_io.hpp"

#include <CLI/App.hpp>

#include <algorithm>
#include <memory>
#include <set>

namespace partywall::cli {
namespace {

/// What the dead of a domain hold.
struct remains {
    std::set<std::uint64_t> participants; ///< tickets
    std::set<std::string> files;
    std::set<std::uint64_t> entries; ///< incarnations of publishers
    std::uint64_t bytes = 0;
};

remains look(registry_view const& view) {
    remains found;
    domain_snapshot const all = view.snapshot();
    for (participant_info const& p : all.participants) {
        if (!p.alive) {
            found.participants.insert(p.ticket);
        }
    }
    for (entry_info const& e : all.entries) {
        if (view.proven_dead(e.owner_ticket)) {
            found.entries.insert(e.incarnation);
        }
    }
    for (file_report const& f : read_files(view.dir())) {
        auto const id = parse_file_name(f.name);
        if (id && id->ticket != 0 && view.proven_dead(id->ticket)) {
            found.files.insert(f.name);
            found.bytes += f.bytes;
        }
    }
    return found;
}

template <class T>
std::size_t gone(std::set<T> const& before, std::set<T> const& now) {
    return static_cast<std::size_t>(std::count_if(
        before.begin(), before.end(), [&](T const& one) { return !now.contains(one); }));
}

registry_view open_view(common_options const& common) {
    auto view = registry_view::open(common.where());
    if (!view) {
        fail(view.error());
    }
    return std::move(*view);
}

void tell(common_options const& common, std::string const& text) {
    if (!common.quiet) {
        output out;
        out.write(text + "\n");
        out.close();
    }
}

int dry_run(common_options const& common) {
    remains const there = look(open_view(common));
    std::string text = fmt::format(
        "would remove {} dead participants, {} endpoints, {} files ({} bytes)",
        there.participants.size(), there.entries.size(), there.files.size(), there.bytes);
    for (std::string const& name : there.files) {
        text += "\n  " + printable(name);
    }
    tell(common, text);
    return exit_ok;
}

int run_clean(common_options const& common) {
    registry_view const view = open_view(common); // cleaning does not create a domain
    remains const before = look(view);
    recovery_report report;
    {
        auto me = join("partywall clean", common.where());
        if (!me) {
            fail(me.error());
        }
        report = me->recover(); // joining has done most of it
    }
    if (!report.complete) {
        fail(exit_unhealthy,
             "cannot clean {}: out of memory, or its registry was removed meanwhile; what was not "
             "looked at is still there",
             view.dir().path());
    }
    remains const now = look(view);
    tell(common, fmt::format("removed {} dead participants, {} endpoints, {} files",
                             gone(before.participants, now.participants),
                             gone(before.entries, now.entries), gone(before.files, now.files)));
    if (report.entries_kept != 0 && !common.quiet) {
        say(fmt::format("{} publishers that died or closed stay until their lossless subscribers "
                        "have read them",
                        report.entries_kept));
    }
    return exit_ok;
}

} // namespace

command make_clean(CLI::App& parent, common_options const& common) {
    auto dry = std::make_shared<bool>(false);
    CLI::App& app = *parent.add_subcommand("clean", "Remove what dead participants left");
    app.add_flag("-n,--dry-run", *dry, "Say what would be removed, and remove nothing");
    app.footer("Never needed: whoever joins the domain does the same. What the living use stays;\n"
               "the domain's directory and its registry stay too.");
    return {&app, [dry, &common] { return *dry ? dry_run(common) : run_clean(common); }};
}

} // namespace partywall::cli
