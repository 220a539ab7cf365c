# shellcheck shell=bash
# SPDX-License-Identifier: BSL-1.0
# Sourced by the other scripts: where things are, and how they talk.

set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
program=scripts/$(basename -- "$0")

# An account without a home of its own (a service, a container) still gets a compiler cache.
if [ -z "${CCACHE_DIR-}" ] && ! mkdir -p "${XDG_CACHE_HOME:-${HOME-/nonexistent}/.cache}/ccache" 2>/dev/null; then
    export CCACHE_DIR=$root/build/ccache
fi

say() { printf '%s: %s\n' "$program" "$*"; }
die() {
    printf '%s: %s\n' "$program" "$*" >&2
    exit 1
}

# logged NAME COMMAND...: runs the command; on a terminal its output is shown, elsewhere it goes
# to build/logs/NAME.log and is shown only if the command fails.
logged() {
    local log=$root/build/logs/$1.log
    shift
    if [ -t 1 ]; then
        "$@"
        return
    fi
    if "$@" >"$log" 2>&1; then
        return 0
    fi
    cat "$log" >&2
    return 1
}

# configure_and_build PRESET [TARGET...]
configure_and_build() {
    local preset=$1
    shift
    local build=$root/build/$preset
    mkdir -p "$root/build/logs" "$build" 2>/dev/null || true
    if [ ! -w "$root/build/logs" ] || [ ! -w "$build" ]; then
        die "cannot write to $root/build: it belongs to somebody else; remove it or use a clone of your own"
    fi
    if [ -e "$build/CMakeCache.txt" ] && [ ! -w "$build/CMakeCache.txt" ]; then
        die "$build was made by another user: remove it or use a clone of your own"
    fi
    say "configuring build/$preset"
    logged "$preset-configure" cmake -S "$root" --preset "$preset" ||
        die "configuring failed; the reason stands above"
    say "building build/$preset"
    local targets=()
    if [ $# -gt 0 ]; then
        targets=(--target "$@")
    fi
    logged "$preset-build" cmake --build "$build" --parallel "$(nproc)" "${targets[@]}" ||
        die "building failed; the reason stands above"
}
