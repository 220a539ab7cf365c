// SPDX-License-Identifier: BSL-1.0
#include "adapters.hpp"

namespace partywall::bench {

std::vector<subject> const& subjects() {
    static std::vector<subject> const all = [] {
        std::vector<subject> s{raw_subject(),  partywall_subject(),           unix_socket_subject(),
                               pipe_subject(), boost_message_queue_subject(), boost_spsc_subject()};
#ifdef PARTYWALL_BENCH_ICEORYX
        s.push_back(iceoryx_subject());
#endif
#ifdef PARTYWALL_BENCH_ZEROMQ
        s.push_back(zeromq_subject());
#endif
#ifdef PARTYWALL_BENCH_NNG
        s.push_back(nng_subject());
#endif
#ifdef PARTYWALL_BENCH_GRPC
        s.push_back(grpc_subject());
#endif
#ifdef PARTYWALL_BENCH_AERON
        s.push_back(aeron_subject());
#endif
        for (subject& one : broken_subjects()) {
            s.push_back(std::move(one));
        }
        return s;
    }();
    return all;
}

subject const* find_subject(std::string_view name) {
    for (subject const& s : subjects()) {
        if (s.name == name) {
            return &s;
        }
    }
    return nullptr;
}

std::vector<missing_subject> const& missing_subjects() {
    static std::vector<missing_subject> const all{
#ifndef PARTYWALL_BENCH_ICEORYX
        {"iceoryx", "install libiceoryx-posh-dev, libiceoryx-hoofs-dev and iceoryx"},
#endif
#ifndef PARTYWALL_BENCH_ZEROMQ
        {"zeromq", "install libzmq3-dev"},
#endif
#ifndef PARTYWALL_BENCH_NNG
        {"nng", "install libnng-dev"},
#endif
#ifndef PARTYWALL_BENCH_GRPC
        {"grpc", "install libgrpc++-dev"},
#endif
#ifndef PARTYWALL_BENCH_AERON
        {"aeron", "configure with -DPARTYWALL_BENCH_AERON_PREFIX=where it is installed"},
#endif
        {"iceoryx2", "nobody has written its adapter yet"},
    };
    return all;
}

} // namespace partywall::bench
