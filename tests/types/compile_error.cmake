# SPDX-License-Identifier: BSL-1.0
# cmake -DCOMMAND=... -DEXPECTED=... -P compile_error.cmake
# Runs a compiler and passes if it fails with the expected text; or, when no text is expected, if
# it succeeds.
string(REPLACE "|" ";" command "${COMMAND}")
execute_process(COMMAND ${command} RESULT_VARIABLE code OUTPUT_VARIABLE output
                ERROR_VARIABLE output)
if(EXPECTED STREQUAL "")
    if(NOT code EQUAL 0)
        message(FATAL_ERROR "does not compile:\n${output}")
    endif()
    return()
endif()
if(code EQUAL 0)
    message(FATAL_ERROR "compiles, though it should say: ${EXPECTED}")
endif()
# The text in the compiler's message, not in the line of source that it quotes.
string(REGEX MATCHALL "error: static[^\n]*" errors "${output}")
string(FIND "${errors}" "${EXPECTED}" found)
if(found EQUAL -1)
    message(FATAL_ERROR "does not say: ${EXPECTED}\nbut:\n${output}")
endif()
