// SPDX-License-Identifier: BSL-1.0
// One function per subject; those that are not compiled in have none.
#pragma once

#include "subject.hpp"

namespace partywall::bench {

subject raw_subject();
subject partywall_subject();
subject unix_socket_subject();
subject pipe_subject();
subject boost_message_queue_subject();
subject boost_spsc_subject();
subject zeromq_subject();
subject nng_subject();
subject iceoryx_subject();
subject grpc_subject();
subject aeron_subject();
/// Works, but for one message of many: what a test needs to see a run fail.
std::vector<subject> broken_subjects();

} // namespace partywall::bench
