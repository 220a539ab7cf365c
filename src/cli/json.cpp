// SPDX-License-Identifier: BSL-1.0
// Boost.JSON, compiled here once: the command links no library of Boost.
#include <boost/json/src.hpp>
