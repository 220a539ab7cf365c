// SPDX-License-Identifier: BSL-1.0
// What the shared library exports. Everything is compiled with hidden visibility; a function or
// class that is defined in src/ and used from outside the library (directly, or by a template in
// a header) is marked with PARTYWALL_API. In a static library the mark changes nothing.
#pragma once

#define PARTYWALL_API __attribute__((visibility("default")))
