# SPDX-License-Identifier: BSL-1.0
# Cross compilation with Debian's g++-aarch64-linux-gnu. Its search path ends with /usr/include,
# so the header-only dependencies of the host (Boost, CLI11, fmt) serve.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
# Where the host keeps the CMake files of those dependencies.
list(APPEND CMAKE_PREFIX_PATH "/usr/lib/${CMAKE_HOST_SYSTEM_PROCESSOR}-linux-gnu/cmake")
