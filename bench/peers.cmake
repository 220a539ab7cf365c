# SPDX-License-Identifier: BSL-1.0
# Other people's libraries, each measured if it is found. A peer is one file of subjects/, a
# definition for subjects.cpp, and what it links.
option(PARTYWALL_BENCH_PEERS "Compare with other libraries, as far as they are found" ON)

function(partywall_bench_peer name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LIBRARIES;INCLUDES")
    string(TOUPPER ${name} upper)
    message(STATUS "bench: with ${name}")
    target_sources(partywall_bench_harness PRIVATE subjects/${name}.cpp)
    target_compile_definitions(partywall_bench_harness PRIVATE PARTYWALL_BENCH_${upper})
    target_link_libraries(partywall_bench_harness PRIVATE ${arg_LIBRARIES})
    target_include_directories(partywall_bench_harness SYSTEM PRIVATE ${arg_INCLUDES})
endfunction()

if(NOT PARTYWALL_BENCH_PEERS)
    return()
endif()

find_package(PkgConfig QUIET)

# iceoryx, with its daemon: neither is of use without the other.
find_package(iceoryx_posh QUIET)
find_program(PARTYWALL_BENCH_ROUDI iox-roudi)
mark_as_advanced(PARTYWALL_BENCH_ROUDI)
if(TARGET iceoryx_posh::iceoryx_posh AND PARTYWALL_BENCH_ROUDI)
    partywall_bench_peer(iceoryx LIBRARIES iceoryx_posh::iceoryx_posh)
    set_source_files_properties(subjects/iceoryx.cpp PROPERTIES COMPILE_DEFINITIONS
        "PARTYWALL_BENCH_ROUDI=\"${PARTYWALL_BENCH_ROUDI}\"")
endif()

if(PkgConfig_FOUND)
    pkg_check_modules(zmq QUIET IMPORTED_TARGET libzmq)
endif()
if(TARGET PkgConfig::zmq)
    partywall_bench_peer(zeromq LIBRARIES PkgConfig::zmq)
endif()

find_package(nng QUIET CONFIG)
if(TARGET nng::nng)
    partywall_bench_peer(nng LIBRARIES nng::nng)
endif()

find_package(gRPC QUIET CONFIG)
if(TARGET gRPC::grpc++)
    partywall_bench_peer(grpc LIBRARIES gRPC::grpc++)
endif()

# Aeron is in no distribution: its C client and its media driver, where an install prefix is given.
set(PARTYWALL_BENCH_AERON_PREFIX "" CACHE PATH "Where Aeron is installed, to be compared with")
if(PARTYWALL_BENCH_AERON_PREFIX)
    find_path(PARTYWALL_BENCH_AERON_INCLUDE aeronc.h
        PATHS "${PARTYWALL_BENCH_AERON_PREFIX}" PATH_SUFFIXES include include/aeron NO_DEFAULT_PATH)
    find_library(PARTYWALL_BENCH_AERON_LIBRARY aeron
        PATHS "${PARTYWALL_BENCH_AERON_PREFIX}" PATH_SUFFIXES lib lib64 NO_DEFAULT_PATH)
    find_program(PARTYWALL_BENCH_AERONMD aeronmd
        PATHS "${PARTYWALL_BENCH_AERON_PREFIX}" PATH_SUFFIXES bin NO_DEFAULT_PATH)
    mark_as_advanced(PARTYWALL_BENCH_AERON_INCLUDE PARTYWALL_BENCH_AERON_LIBRARY PARTYWALL_BENCH_AERONMD)
    if(PARTYWALL_BENCH_AERON_INCLUDE AND PARTYWALL_BENCH_AERON_LIBRARY AND PARTYWALL_BENCH_AERONMD)
        partywall_bench_peer(aeron LIBRARIES "${PARTYWALL_BENCH_AERON_LIBRARY}"
            INCLUDES "${PARTYWALL_BENCH_AERON_INCLUDE}")
        set_source_files_properties(subjects/aeron.cpp PROPERTIES COMPILE_DEFINITIONS
            "PARTYWALL_BENCH_AERONMD=\"${PARTYWALL_BENCH_AERONMD}\"")
    else()
        message(WARNING "bench: no Aeron below ${PARTYWALL_BENCH_AERON_PREFIX}")
    endif()
endif()
