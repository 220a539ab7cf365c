# SPDX-License-Identifier: BSL-1.0
# A build for mutants has the tests that table.txt names, and no others.
set(mutants_table "${CMAKE_CURRENT_LIST_DIR}/table.txt")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${mutants_table}")
file(STRINGS "${mutants_table}" mutants_rows REGEX "^[a-z]")
list(TRANSFORM mutants_rows APPEND " ")

# Leaves in the list variable `list_name`, the files of a room, what is no test and what is named.
function(partywall_files_for_mutants room list_name)
    set(kept "")
    foreach(file IN LISTS ${list_name})
        get_filename_component(name "${file}" NAME)
        string(REGEX REPLACE "[.]test[.]cpp$" "" test "${name}")
        if(test STREQUAL name OR mutants_rows MATCHES " ${room}/${test} ")
            list(APPEND kept "${file}")
        endif()
    endforeach()
    set(${list_name} "${kept}" PARENT_SCOPE)
endfunction()
