// SPDX-License-Identifier: BSL-1.0
// Everything. Programs that care about compile time include what they use.
#pragma once

#include <partywall/breaker/guard.hpp>
#include <partywall/error.hpp>
#include <partywall/participant.hpp>
#include <partywall/registry/registry_view.hpp>
#include <partywall/version.hpp>
