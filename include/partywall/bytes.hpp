// SPDX-License-Identifier: BSL-1.0
#pragma once

namespace partywall::inline v0 {

/// Stands for messages of any bytes and any length up to the endpoint's maximum, where a message
/// type is asked for: `publisher<bytes>`. Holds nothing itself. `T[]` is its typed sister: any
/// number of T.
struct bytes {};

} // namespace partywall::inline v0
