// SPDX-License-Identifier: BSL-1.0
#include <partywall/segment/segment_id.hpp>

#include "segment_name.hpp"

#include <charconv>
#include <cstring>

namespace partywall::inline v0 {
namespace {

struct kind_name {
    segment_kind kind;
    std::string_view name;
    int numbers; ///< how many follow: ticket, number
};
constexpr kind_name kind_names[] = {
    {segment_kind::registry, "registry", 0}, {segment_kind::life, "life", 1},
    {segment_kind::ring, "ring", 2},         {segment_kind::readers, "readers", 2},
    {segment_kind::lanes, "lanes", 2},       {segment_kind::circuit_breaker, "breaker", 2},
    {segment_kind::wake, "wake", 2},
};

kind_name const* find(segment_kind kind) noexcept {
    for (kind_name const& known : kind_names) {
        if (known.kind == kind) {
            return &known;
        }
    }
    return nullptr;
}

/// Takes ".<number>" off the front of `rest`: decimal, from 1, no sign, no leading zero, so that
/// no two names mean one segment.
std::optional<std::uint64_t> take_number(std::string_view& rest) noexcept {
    if (rest.size() < 2 || rest[0] != '.' || rest[1] < '1' || rest[1] > '9') {
        return std::nullopt;
    }
    std::uint64_t number = 0;
    auto const [end, error] = std::from_chars(rest.data() + 1, rest.data() + rest.size(), number);
    if (error != std::errc{}) {
        return std::nullopt;
    }
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    return number;
}

} // namespace

bool is_valid(segment_id const& id) noexcept {
    kind_name const* const known = find(id.kind);
    if (known == nullptr) {
        return false;
    }
    bool const ticket = id.ticket != 0 && id.ticket <= ticket_max;
    bool const number = id.number != 0;
    switch (known->numbers) {
    case 0: return id.ticket == 0 && id.number == 0;
    case 1: return ticket && id.number == 0;
    default: return ticket && number;
    }
}

std::string file_name(segment_id const& id) { return detail::segment_name(id).c_str(); }

std::optional<segment_id> parse_file_name(std::string_view name) noexcept {
    for (kind_name const& known : kind_names) {
        if (!name.starts_with(known.name)) {
            continue;
        }
        std::string_view rest = name.substr(known.name.size());
        segment_id id{known.kind};
        for (int i = 0; i < known.numbers; ++i) {
            auto const number = take_number(rest);
            if (!number) {
                return std::nullopt;
            }
            (i == 0 ? id.ticket : id.number) = *number;
        }
        // No kind's name begins with another's, so there is nothing else to try.
        return rest.empty() && is_valid(id) ? std::optional{id} : std::nullopt;
    }
    return std::nullopt;
}

namespace detail {

segment_name::segment_name(segment_id const& id) noexcept {
    if (!is_valid(id)) {
        return;
    }
    kind_name const& known = *find(id.kind);
    append(known.name);
    if (known.numbers > 0) {
        append(id.ticket);
    }
    if (known.numbers > 1) {
        append(id.number);
    }
}

void segment_name::append(std::string_view part) noexcept {
    std::memcpy(text_.data() + length_, part.data(), part.size());
    length_ += part.size();
}

void segment_name::append(std::uint64_t number) noexcept {
    append(".");
    auto const end = std::to_chars(text_.data() + length_, text_.data() + text_.size(), number).ptr;
    length_ = static_cast<std::size_t>(end - text_.data());
}

} // namespace detail
} // namespace partywall::inline v0
