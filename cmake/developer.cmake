# SPDX-License-Identifier: BSL-1.0
# What developers of partywall get and users of the library never do.

# Warnings for a target of ours. Never PUBLIC: nobody who links partywall inherits them.
function(partywall_developer_warnings target)
    if(PARTYWALL_DEVELOPER_WARNINGS)
        target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wconversion -Wshadow)
        if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
            # GCC 12 at -O3 sees overlaps in std::string's operator+ that are none (its bug 105651).
            target_compile_options(${target} PRIVATE -Wno-restrict)
        endif()
    endif()
    if(PARTYWALL_WARNINGS_AS_ERRORS)
        target_compile_options(${target} PRIVATE -Werror)
    endif()
endfunction()

if(PROJECT_IS_TOP_LEVEL)
    # Programs land in <build>/bin, whichever folder they were written in.
    set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
    set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
    if(NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
        find_program(PARTYWALL_CCACHE ccache)
        mark_as_advanced(PARTYWALL_CCACHE)
        if(PARTYWALL_CCACHE)
            set(CMAKE_CXX_COMPILER_LAUNCHER "${PARTYWALL_CCACHE}")
        endif()
    endif()
    if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
        set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
    endif()
endif()
