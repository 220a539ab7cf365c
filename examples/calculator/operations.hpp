// SPDX-License-Identifier: BSL-1.0
// What an expression needs to be evaluated: four operations, each of which may be done by somebody
// else, and may fail. Errors are values; an operation that was not done has no result.
#pragma once

#include "decimal.hpp"

#include <partywall/result.hpp>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

namespace calculator {

enum class operation : std::uint8_t { sum, subtract, multiply, divide };
inline constexpr std::array all_operations = {operation::sum, operation::subtract,
                                              operation::multiply, operation::divide};
char symbol_of(operation o) noexcept;
std::string_view name_of(operation o) noexcept;

enum class error : std::uint8_t {
    malformed = 1, ///< not an expression; `position` says where
    too_deep,      ///< parentheses in parentheses in ...
    too_precise,   ///< a number with more than six digits after the point
    overflow,      ///< a number, or a result, that is too large
    division_by_zero,
    circuit_open, ///< the breaker of a service refused the call: it was not made
    deadline,     ///< the time of the whole expression was over
    no_service,   ///< nobody does that operation
    service_died, ///< while it had the request
    service_failed,
};
std::string_view to_string(error e) noexcept;

struct failure {
    error what = error::malformed;
    std::size_t position = 0;            ///< malformed, too_deep, too_precise, overflow of a number
    std::optional<operation> where = {}; ///< which service
};
using answer = partywall::result<decimal, failure>;

/// An absolute time of CLOCK_MONOTONIC, inherited by everything that is done for an expression.
struct deadline {
    std::uint64_t ns = ~std::uint64_t{0};
};

class operations {
  public:
    /// An operation that was begun.
    class pending {
      public:
        virtual ~pending() = default;
        /// Waits until the deadline. Once.
        virtual answer get() = 0;
    };

    virtual ~operations() = default;
    virtual answer call(operation o, decimal a, decimal b, deadline until) = 0;
    virtual std::unique_ptr<pending> start(operation o, decimal a, decimal b, deadline until) = 0;
};

/// What the services do with their operands.
answer compute(operation o, decimal a, decimal b) noexcept;

/// All of them done here.
class local_operations final : public operations {
  public:
    answer call(operation o, decimal a, decimal b, deadline until) override;
    std::unique_ptr<pending> start(operation o, decimal a, decimal b, deadline until) override;
    std::uint64_t calls() const noexcept { return calls_; }

  private:
    std::uint64_t calls_ = 0;
};

// Found by argument-dependent look-up from result::value().
[[noreturn]] void throw_exception_from_error(failure const& f, boost::source_location const& where);

} // namespace calculator
