// SPDX-License-Identifier: BSL-1.0
#include "orders.hpp"

#include <algorithm>
#include <set>
#include <string_view>

namespace partywall::test::explore {
namespace {

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }
/// GCC says store_word<0, 16> where Clang says store_word.
std::string_view plain_name(std::string_view function) {
    return function.substr(0, function.find('<'));
}

order_site site_of(access const& a) {
    return {std::string(base_name(a.where.file)), std::string(plain_name(a.where.function)),
            a.where.line, a.kind, a.order};
}

/// What a scenario does itself is not the library's. What it does in its name says so: those sites
/// are given by hand, without a folder.
bool is_the_librarys(access const& a) {
    return std::string_view(a.where.file).find("tests/explore/") == std::string_view::npos &&
           a.kind != access_kind::in_place;
}

char const* name_of(std::memory_order order) {
    switch (order) {
    case std::memory_order_relaxed: return "relaxed";
    case std::memory_order_consume: return "consume";
    case std::memory_order_acquire: return "acquire";
    case std::memory_order_release: return "release";
    case std::memory_order_acq_rel: return "acq_rel";
    case std::memory_order_seq_cst: return "seq_cst";
    }
    return "";
}

std::string describe(order_site const& it) {
    switch (it.kind) {
    case access_kind::load: return std::string("load ") + name_of(it.order);
    case access_kind::store: return std::string("store ") + name_of(it.order);
    case access_kind::exchange: return "compare-exchange";
    case access_kind::add: return std::string("add ") + name_of(it.order);
    case access_kind::fence: return std::string("fence ") + name_of(it.order);
    case access_kind::compiler_fence: return "compiler fence";
    case access_kind::heavy_fence: return "heavy fence";
    case access_kind::in_place: break;
    }
    return "";
}

std::string describe(change const& it) {
    switch (it.what) {
    case change::weaker: return name_of(it.to);
    case change::dropped: return "left out";
    case change::not_atomic: return "a load, then a store";
    case change::later: return "behind what orders it";
    }
    return "";
}

} // namespace

bool order_site::is_at(access const& a) const {
    return line == a.where.line && kind == a.kind && order == a.order &&
           base_name(a.where.file) == file && plain_name(a.where.function) == function;
}

std::vector<change> changes_of(order_site const& where) {
    using enum std::memory_order;
    switch (where.kind) {
    case access_kind::load:
        return where.order == acquire ? std::vector<change>{{change::weaker, relaxed}}
                                      : std::vector<change>{};
    case access_kind::store:
        if (where.order == release) {
            return {{change::weaker, relaxed}, {change::later}};
        }
        return {{change::later}};
    case access_kind::exchange:
        return {{change::weaker, acquire}, {change::weaker, release}, {change::not_atomic}};
    case access_kind::add:
        if (where.order == relaxed) {
            return {{change::not_atomic}};
        }
        return {{change::weaker, relaxed}, {change::not_atomic}};
    case access_kind::fence:
        if (where.order == seq_cst) {
            return {{change::weaker, acq_rel}, {change::dropped}};
        }
        return {{change::dropped}};
    case access_kind::heavy_fence: return {{change::weaker, acq_rel}, {change::dropped}};
    case access_kind::compiler_fence: return {{change::dropped}};
    case access_kind::in_place: break;
    }
    return {};
}

machine::mutation mutation_of(order_site const& where, change const& what) {
    if (where.kind == access_kind::compiler_fence) {
        // What a compiler may do without it: the store before it comes after the load behind it.
        return [](access& a) {
            a.held = a.kind == access_kind::store ? hold_back::until_loaded : hold_back::no;
        };
    }
    return [where, what](access& a) {
        if (!where.is_at(a)) {
            return;
        }
        switch (what.what) {
        case change::weaker: a.order = what.to; break;
        case change::dropped: a.skip = true; break;
        case change::not_atomic: a.split = true; break;
        case change::later: a.held = hold_back::until_published; break;
        }
    };
}

coverage cover(scenarios const& all) {
    coverage covered;
    for (named_scenario const& one : all) {
        std::set<order_site> sites;
        std::set<std::tuple<char const*, unsigned, access_kind, std::memory_order>> known;
        way how;
        how.mutate = [&](access& a) {
            if (is_the_librarys(a) &&
                known.emplace(a.where.file, a.where.line, a.kind, a.order).second) {
                sites.insert(site_of(a));
            }
        };
        // Random schedules come by everything that all schedules do, and are few.
        how.random = 300;
        how.seed = 1;
        (void)one.run(how);
        for (order_site const& site : sites) {
            covered[site].push_back(one.name);
        }
    }
    return covered;
}

std::vector<std::string> files_of(coverage const& covered) {
    std::set<std::string> files;
    for (auto const& [site, names] : covered) {
        files.insert(site.file);
    }
    return {files.begin(), files.end()};
}

std::vector<finding> weaken_everything(scenarios const& all, std::string const& file) {
    std::vector<finding> table;
    coverage const covered = cover(all);
    // Sites of a function that look alike are numbered; lines are no names, they move.
    std::map<std::string, std::vector<order_site>> alike;
    std::vector<order_site> sites;
    for (auto const& [site, names] : covered) {
        if (site.file == file) {
            alike[site.function + "() " + describe(site)].push_back(site);
            sites.push_back(site);
        }
    }
    std::sort(sites.begin(), sites.end(),
              [](auto const& a, auto const& b) { return a.line < b.line; });
    for (order_site const& site : sites) {
        std::string place = site.function + "() " + describe(site);
        if (auto const& same = alike[place]; same.size() > 1) {
            auto const at = std::find_if(same.begin(), same.end(), [&](order_site const& other) {
                return other.line == site.line;
            });
            place += " #" + std::to_string(at - same.begin() + 1);
        }
        std::vector<std::string> const& names = covered.at(site);
        for (change const& what : changes_of(site)) {
            finding row{file, place, describe(what), ""};
            for (named_scenario const& one : all) {
                if (!row.fails.empty() ||
                    std::find(names.begin(), names.end(), one.name) == names.end()) {
                    continue;
                }
                way how;
                how.mutate = mutation_of(site, what);
                outcome const result = one.run(how);
                if (!result.violation.empty()) {
                    row.fails = one.name + ": " + first_line(result.violation);
                }
            }
            table.push_back(row);
        }
    }
    return table;
}

} // namespace partywall::test::explore
