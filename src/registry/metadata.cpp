// SPDX-License-Identifier: BSL-1.0
#include <partywall/registry/metadata.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace partywall::inline v0::detail {

namespace {

constexpr std::size_t pair_header_bytes = 4;

failure<registry_errc> bad(std::string message) {
    return {registry_errc::bad_metadata, 0, "bad metadata: " + std::move(message)};
}

bool has_key(metadata const& pairs, std::size_t first, std::string const& key) {
    return std::any_of(pairs.begin(), pairs.begin() + static_cast<std::ptrdiff_t>(first),
                       [&](auto const& pair) { return pair.first == key; });
}

void append(std::vector<std::byte>& out, void const* from, std::size_t bytes) {
    auto const* const first = static_cast<std::byte const*>(from);
    out.insert(out.end(), first, first + bytes);
}

} // namespace

result<std::vector<std::byte>, failure<registry_errc>> encode_metadata(metadata const& pairs) {
    std::vector<std::byte> out;
    for (std::size_t i = 0; i < pairs.size(); ++i) {
        auto const& [key, value] = pairs[i];
        if (key.empty()) {
            return bad("key number " + std::to_string(i + 1) + " is empty");
        }
        if (key.size() > metadata_key_bytes_max) {
            return bad("key \"" + key.substr(0, metadata_key_bytes_max) + "...\" has " +
                       std::to_string(key.size()) + " bytes, at most " +
                       std::to_string(metadata_key_bytes_max) + " are possible");
        }
        if (has_key(pairs, i, key)) {
            return bad("key \"" + key + "\" is there twice");
        }
        // Compared without adding: value.size() is the caller's and may be anything.
        std::size_t const used = out.size() + pair_header_bytes + key.size();
        if (used > metadata_bytes_max || value.size() > metadata_bytes_max - used) {
            return bad("up to key \"" + key +
                       "\" all pairs, with 4 bytes for each, have more than " +
                       std::to_string(metadata_bytes_max) + " bytes");
        }
        std::uint16_t const lengths[2] = {static_cast<std::uint16_t>(key.size()),
                                          static_cast<std::uint16_t>(value.size())};
        append(out, lengths, sizeof lengths);
        append(out, key.data(), key.size());
        append(out, value.data(), value.size());
    }
    return out;
}

std::optional<metadata> decode_metadata(std::span<std::byte const> bytes) {
    metadata pairs;
    while (!bytes.empty()) { // each turn takes at least pair_header_bytes + 1
        std::uint16_t lengths[2];
        if (bytes.size() < sizeof lengths) {
            return std::nullopt;
        }
        std::memcpy(lengths, bytes.data(), sizeof lengths);
        bytes = bytes.subspan(sizeof lengths);
        std::size_t const key_bytes = lengths[0];
        std::size_t const value_bytes = lengths[1];
        if (key_bytes == 0 || key_bytes > metadata_key_bytes_max ||
            key_bytes + value_bytes > bytes.size()) {
            return std::nullopt;
        }
        auto const* const text = reinterpret_cast<char const*>(bytes.data());
        std::string key(text, key_bytes);
        if (has_key(pairs, pairs.size(), key)) {
            return std::nullopt;
        }
        pairs.emplace_back(std::move(key), std::string(text + key_bytes, value_bytes));
        bytes = bytes.subspan(key_bytes + value_bytes);
    }
    return pairs;
}

} // namespace partywall::inline v0::detail
