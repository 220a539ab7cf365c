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
