// SPDX-License-Identifier: BSL-1.0
// Asks the calculator: a client, and the ways in which its calls end. See calculator.cpp.
#include "operands.hpp"

#include <partywall/partywall.hpp>

#include <chrono>
#include <cstdio>

using namespace std::chrono_literals;
using partywall::call_errc;
using partywall::executed;

int main() try {
    auto me = partywall::join("shop").value();

    // Every call has a deadline, this client's if it says nothing else.
    auto divide = me.client<operands, double>("calc/divide", {.deadline = 20s}).value();
    divide.wait_for_server(20s).value(); // it may be started after us

    auto half = divide.call({1, 2});
    if (!half) {
        std::fprintf(stderr, "shop: %s\n", to_string(half.error().reason).data());
        return 1;
    }
    std::printf("1 / 2 = %g\n", **half); // read where the server wrote it

    // No reply is a value too: a reason, and whether the request was executed.
    auto wrong = divide.call({1, 0});
    if (wrong || wrong.error() != call_errc::server_error ||
        wrong.error().code != division_by_zero) {
        return 1;
    }
    std::printf("1 / 0: %.*s\n", static_cast<int>(wrong.error().text().size()),
                wrong.error().text().data());

    // Nobody multiplies. That is known at once, and for certain: it was not executed.
    auto multiply = me.client<operands, double>("calc/multiply").value();
    auto product = multiply.call({6, 7});
    bool const nobody = !product && product.error() == call_errc::no_server &&
                        product.error().executed == executed::no;
    std::printf("6 * 7: %s\n", nobody ? "nobody does that here" : "what is this?");
    return **half == 0.5 && nobody ? 0 : 1;
} catch (partywall::error const& e) {
    std::fprintf(stderr, "shop: %s\n", e.what());
    return 1;
}
