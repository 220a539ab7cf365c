// SPDX-License-Identifier: BSL-1.0
// Boost.JSON, compiled here once, to read what `--json` writes.
#include <boost/json/src.hpp>
