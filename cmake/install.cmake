# SPDX-License-Identifier: BSL-1.0
# `cmake --install`: the library, its headers, and what find_package(partywall) reads.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(partywall_cmake_dir "${CMAKE_INSTALL_LIBDIR}/cmake/partywall")

install(TARGETS partywall EXPORT partywall-targets
        ARCHIVE COMPONENT dev
        LIBRARY COMPONENT runtime NAMELINK_COMPONENT dev
        FILE_SET HEADERS COMPONENT dev)
install(EXPORT partywall-targets NAMESPACE partywall:: DESTINATION "${partywall_cmake_dir}"
        COMPONENT dev)

configure_package_config_file(cmake/partywall-config.cmake.in
    "${CMAKE_CURRENT_BINARY_DIR}/partywall-config.cmake"
    INSTALL_DESTINATION "${partywall_cmake_dir}")
# While the major version is 0, every minor version may change the interface.
write_basic_package_version_file("${CMAKE_CURRENT_BINARY_DIR}/partywall-config-version.cmake"
    COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/partywall-config.cmake"
              "${CMAKE_CURRENT_BINARY_DIR}/partywall-config-version.cmake"
        DESTINATION "${partywall_cmake_dir}" COMPONENT dev)

install(FILES LICENSE TYPE DOC COMPONENT dev)

if(TARGET partywall_cli)
    install(TARGETS partywall_cli RUNTIME COMPONENT runtime)
endif()
