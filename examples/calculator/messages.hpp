// SPDX-License-Identifier: BSL-1.0
// What goes between the calculator's processes.
#pragma once

#include "operations.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace calculator {

struct operands {
    decimal a;
    decimal b;
};

/// A number, or why there is none. An expression that has no result is an answer like any other: the
/// service is well, so no breaker counts it.
struct outcome_message {
    decimal value;
    std::uint32_t error = 0; ///< enum class error; 0: none
    std::uint32_t where = 0; ///< operation + 1; 0: none
    std::uint64_t position = 0;
};

inline outcome_message as_message(answer const& a) noexcept {
    if (a) {
        return {*a, 0, 0, 0};
    }
    failure const& f = a.error();
    return {{},
            static_cast<std::uint32_t>(f.what),
            f.where ? static_cast<std::uint32_t>(*f.where) + 1 : 0,
            f.position};
}
inline answer as_answer(outcome_message const& m) noexcept {
    if (m.error == 0) {
        return m.value;
    }
    failure f{static_cast<error>(m.error), m.position, {}};
    if (m.where != 0 && m.where <= all_operations.size()) {
        f.where = all_operations[m.where - 1];
    }
    return f;
}

/// "calc/sum", ...; and who evaluates whole expressions.
inline std::string service_of(operation o) { return "calc/" + std::string(name_of(o)); }
inline constexpr std::string_view evaluator = "calc/multiple-operation";

} // namespace calculator
