// SPDX-License-Identifier: BSL-1.0
#include <partywall/error.hpp>
#include <partywall/result.hpp>

#include <string>

namespace partywall::inline v0::detail {

void throw_error(std::string_view message, boost::source_location const& where) {
    std::string text{message};
    text += " (";
    text += where.file_name();
    text += ':';
    text += std::to_string(where.line());
    text += ')';
    throw error(text);
}

} // namespace partywall::inline v0::detail
