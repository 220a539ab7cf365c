// SPDX-License-Identifier: BSL-1.0
#include "operations.hpp"

#include <stdexcept>
#include <string>

namespace calculator {

char symbol_of(operation o) noexcept {
    switch (o) {
    case operation::sum: return '+';
    case operation::subtract: return '-';
    case operation::multiply: return '*';
    case operation::divide: return '/';
    }
    return '?';
}

std::string_view name_of(operation o) noexcept {
    switch (o) {
    case operation::sum: return "sum";
    case operation::subtract: return "subtract";
    case operation::multiply: return "multiply";
    case operation::divide: return "divide";
    }
    return "unknown";
}

std::string_view to_string(error e) noexcept {
    switch (e) {
    case error::malformed: return "malformed expression";
    case error::too_deep: return "too many parentheses";
    case error::too_precise: return "more than six digits after the point";
    case error::overflow: return "overflow";
    case error::division_by_zero: return "division by zero";
    case error::circuit_open: return "circuit open";
    case error::deadline: return "deadline";
    case error::no_service: return "no service";
    case error::service_died: return "service died";
    case error::service_failed: return "service failed";
    }
    return "unknown error";
}

answer compute(operation o, decimal a, decimal b) noexcept {
    std::optional<decimal> result;
    switch (o) {
    case operation::sum: result = sum(a, b); break;
    case operation::subtract: result = difference(a, b); break;
    case operation::multiply: result = product(a, b); break;
    case operation::divide:
        if (b == decimal{}) {
            return failure{error::division_by_zero, 0, o};
        }
        result = quotient(a, b);
        break;
    }
    if (!result) {
        return failure{error::overflow, 0, o};
    }
    return *result;
}

answer local_operations::call(operation o, decimal a, decimal b, deadline) {
    calls_ += 1;
    return compute(o, a, b);
}

std::unique_ptr<operations::pending> local_operations::start(operation o, decimal a, decimal b,
                                                             deadline until) {
    struct done final : pending {
        explicit done(answer const& a) : result(a) {}
        answer get() override { return result; }
        answer result;
    };
    return std::make_unique<done>(call(o, a, b, until));
}

void throw_exception_from_error(failure const& f, boost::source_location const&) {
    throw std::runtime_error(std::string(to_string(f.what)));
}

} // namespace calculator
