// SPDX-License-Identifier: BSL-1.0
#include <partywall/name.hpp>

#include <algorithm>
#include <cstddef>

namespace partywall::inline v0 {
namespace {

// A domain is one directory below the root.
constexpr std::size_t file_name_bytes_max = 255;
static_assert(3 * domain_bytes_max <= file_name_bytes_max);

constexpr char hex_digits[] = "0123456789ABCDEF";

constexpr unsigned byte_at(std::string_view text, std::size_t i) noexcept {
    return static_cast<unsigned char>(text[i]);
}

constexpr bool is_control(unsigned byte) noexcept { return byte < 0x20 || byte == 0x7f; }

/// Bytes of the UTF-8 sequence that starts at `i`; 0 if none does. The second byte carries the
/// bounds that rule out overlong forms, surrogates and what lies beyond U+10FFFF.
std::size_t utf8_sequence(std::string_view text, std::size_t i) noexcept {
    unsigned const first = byte_at(text, i);
    if (first < 0x80) {
        return 1;
    }
    std::size_t bytes = 0;
    unsigned low = 0x80;
    unsigned high = 0xbf;
    if (first >= 0xc2 && first <= 0xdf) {
        bytes = 2;
    } else if (first >= 0xe0 && first <= 0xef) {
        bytes = 3;
        low = first == 0xe0 ? 0xa0 : low;
        high = first == 0xed ? 0x9f : high;
    } else if (first >= 0xf0 && first <= 0xf4) {
        bytes = 4;
        low = first == 0xf0 ? 0x90 : low;
        high = first == 0xf4 ? 0x8f : high;
    } else {
        return 0;
    }
    if (text.size() - i < bytes || byte_at(text, i + 1) < low || byte_at(text, i + 1) > high) {
        return 0;
    }
    for (std::size_t k = 2; k < bytes; ++k) {
        if ((byte_at(text, i + k) & 0xc0) != 0x80) {
            return 0;
        }
    }
    return bytes;
}

/// Offset of the first byte that is not part of UTF-8; the size if there is none.
std::size_t first_not_utf8(std::string_view text) noexcept {
    for (std::size_t i = 0; i < text.size();) {
        std::size_t const bytes = utf8_sequence(text, i);
        if (bytes == 0) {
            return i;
        }
        i += bytes;
    }
    return text.size();
}

std::size_t first_control(std::string_view text) noexcept {
    std::size_t i = 0;
    while (i < text.size() && !is_control(byte_at(text, i))) {
        ++i;
    }
    return i;
}

/// The first component that is empty, "." or ".."; nothing if all are well.
std::optional<std::string_view> bad_component(std::string_view name) noexcept {
    for (;;) {
        std::size_t const slash = std::min(name.find('/'), name.size());
        std::string_view const component = name.substr(0, slash);
        if (component.empty() || component == "." || component == "..") {
            return component;
        }
        if (slash == name.size()) {
            return std::nullopt;
        }
        name.remove_prefix(slash + 1);
    }
}

constexpr std::size_t limit_of(name_kind kind) noexcept {
    switch (kind) {
    case name_kind::endpoint: return name_bytes_max;
    case name_kind::domain: return domain_bytes_max;
    case name_kind::participant: return participant_name_bytes_max;
    }
    return 0;
}

result<void, name_errc> check(std::string_view name, name_kind kind) noexcept {
    if (name.empty()) {
        return name_errc::empty;
    }
    if (name.size() > limit_of(kind)) {
        return name_errc::too_long;
    }
    if (first_control(name) != name.size()) {
        return name_errc::bad_byte;
    }
    if (first_not_utf8(name) != name.size()) {
        return name_errc::bad_utf8;
    }
    return {};
}

void append_hex(std::string& out, unsigned byte) {
    out += hex_digits[byte >> 4];
    out += hex_digits[byte & 15];
}

/// The name between quotes, cut after `shown_max` bytes. What is not printable is escaped: broken
/// UTF-8, ASCII control bytes, and the control characters U+0080 to U+009F.
std::string quoted(std::string_view name) {
    constexpr std::size_t shown_max = 96;
    std::string out = "\"";
    std::size_t i = 0;
    while (i < name.size() && i < shown_max) {
        std::size_t const bytes = utf8_sequence(name, i);
        unsigned const byte = byte_at(name, i);
        bool const c1_control = byte == 0xc2 && bytes == 2 && byte_at(name, i + 1) < 0xa0;
        if (byte == '"' || byte == '\\') {
            out += '\\';
            out += name[i];
            ++i;
        } else if (bytes == 0 || is_control(byte) || c1_control) {
            for (std::size_t const end = i + (c1_control ? 2 : 1); i < end; ++i) {
                out += "\\x";
                append_hex(out, byte_at(name, i));
            }
        } else {
            out += name.substr(i, bytes);
            i += bytes;
        }
    }
    return out + (i < name.size() ? "...\"" : "\"");
}

bool is_kept(char c, bool first) noexcept {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || (c == '.' && !first);
}

/// The value of an upper-case hexadecimal digit; 16 if it is none.
unsigned hex_value(char c) noexcept {
    if (c >= '0' && c <= '9') {
        return static_cast<unsigned>(c - '0');
    }
    return c >= 'A' && c <= 'F' ? static_cast<unsigned>(c - 'A') + 10 : 16;
}

} // namespace

std::string_view to_string(name_errc e) noexcept {
    switch (e) {
    case name_errc::empty: return "the name is empty";
    case name_errc::too_long: return "the name is too long";
    case name_errc::bad_byte: return "the name has a control byte";
    case name_errc::bad_utf8: return "the name is not UTF-8";
    case name_errc::bad_component: return "a component of the name is empty, \".\" or \"..\"";
    }
    return "unknown name error";
}

result<void, name_errc> check_name(std::string_view name) noexcept {
    auto const checked = check(name, name_kind::endpoint);
    if (checked && bad_component(name)) {
        return name_errc::bad_component;
    }
    return checked;
}
result<void, name_errc> check_domain(std::string_view name) noexcept {
    return check(name, name_kind::domain);
}
result<void, name_errc> check_participant_name(std::string_view name) noexcept {
    return check(name, name_kind::participant);
}

std::string explain(name_errc e, name_kind kind, std::string_view name) {
    std::string out = kind == name_kind::domain        ? "the domain "
                      : kind == name_kind::participant ? "the participant name "
                                                       : "the name ";
    out += quoted(name);
    switch (e) {
    case name_errc::empty: return out + " is empty";
    case name_errc::too_long:
        return out + " has " + std::to_string(name.size()) + " bytes, at most " +
               std::to_string(limit_of(kind)) + " are allowed";
    case name_errc::bad_byte: {
        out += " has a control byte";
        std::size_t const at = first_control(name);
        if (at < name.size()) {
            out += " (0x";
            append_hex(out, byte_at(name, at));
            out += ") at offset " + std::to_string(at);
        }
        return out;
    }
    case name_errc::bad_utf8:
        return out + " is not UTF-8 at offset " + std::to_string(first_not_utf8(name));
    case name_errc::bad_component: {
        auto const bad = bad_component(name);
        return out + (bad && !bad->empty() ? " has the component " + quoted(*bad)
                                           : std::string(" has an empty component"));
    }
    }
    return out + ": " + std::string(to_string(e));
}

std::string encode_component(std::string_view bytes) {
    std::string out;
    out.reserve(bytes.size());
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (is_kept(bytes[i], i == 0)) {
            out += bytes[i];
        } else {
            out += '%';
            append_hex(out, byte_at(bytes, i));
        }
    }
    return out;
}

std::optional<std::string> decode_component(std::string_view encoded) {
    std::string out;
    for (std::size_t i = 0; i < encoded.size(); ++i) {
        if (encoded[i] != '%') {
            if (!is_kept(encoded[i], i == 0)) {
                return std::nullopt;
            }
            out += encoded[i];
            continue;
        }
        if (encoded.size() - i < 3) {
            return std::nullopt;
        }
        unsigned const high = hex_value(encoded[i + 1]);
        unsigned const low = hex_value(encoded[i + 2]);
        if (high > 15 || low > 15) {
            return std::nullopt;
        }
        char const byte = static_cast<char>(high * 16 + low);
        if (is_kept(byte, i == 0)) { // it had not needed escaping: not of our making
            return std::nullopt;
        }
        out += byte;
        i += 2;
    }
    return out;
}

} // namespace partywall::inline v0
