#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""What a machine can judge about partywall's style, as tests: `ctest -L tidy`.

    tidy.py [--root FOLDER] [--compiler CXX] CHECK...
    tidy.py --list

Each check is one function below, named as its ctest test. It yields findings, one line each:
`file:line: what is wrong, and what to do instead`. No finding means that the check holds.
The checker has tests of its own in tidy_test.py; a new check comes with one that it fails.
"""

import argparse
import fnmatch
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# --- the tables: what is allowed where -----------------------------------------------------------

# Rooms from the ground up; a room includes itself and what stands before it in the chain. The
# ground is for everybody: headers of the root that use no room, and their details.
# The rooms beside the chain say what they stand on, and only the top row uses them.
GROUND = ["detail"]
CHAIN = ["os", "segment", "wait", "ring", "inbox"]
BESIDE = {"registry": ["os", "segment", "wait"], "breaker": ["os", "segment", "wait", "registry"]}
SHARED = "endpoint"  # what all of the top row are made of
TOP = ["topic", "oneway", "calls", "survey"]
ON_TOP = {"calls": ["oneway"], "survey": ["topic", "oneway", "calls"]}  # and what of the top row stands on another of it

# Headers of the hot path may not pull these in. Control-plane headers that share a folder with it:
HOT_ROOMS = ["os", "segment", "wait", "ring"]
HOT_BANNED = ["iostream", "string", "functional", "map"]
CONTROL_PLANE = [
    "os/life_lock.hpp",
    "segment/directory.hpp",
    "segment/segment.hpp",
    "segment/segment_id.hpp",
]

# Where the language's own fences may be called; everybody else goes through the atomics policy,
# and the heavy half of a fence pair through os/membarrier.
FENCE_PLACES = ["include/partywall/segment/atomics.hpp", "src/os/membarrier.cpp"]

# The library never prints, aborts or exits; the command does.
LOUD = [
    (r"\bstd::(cout|cerr|clog|print|println)\b", "prints"),
    (r"(?<![\w.>])(std::)?(printf|fprintf|vprintf|puts|fputs|putchar|perror|psignal)\s*\(", "prints"),
    (r"(?<![\w.>])(std::)?(abort|terminate|quick_exit|exit|_exit|_Exit)\s*\(", "ends the process"),
    (r"(?<![\w.>])assert\s*\(", "aborts"),
]

# Everything goes by CLOCK_MONOTONIC (os/clock.hpp): the wall clock may jump. Who looks at it, for
# people to read only:
WALL_CLOCK_PLACES = ["src/registry/registry_reading.cpp"]
WALL_CLOCK = (
    r"\b(CLOCK_REALTIME\w*|CLOCK_TAI|FUTEX_CLOCK_REALTIME|system_clock|high_resolution_clock|utc_clock|"
    r"gettimeofday|timespec_get|pthread_mutex_timedlock|pthread_cond_timedwait|sem_timedwait)\b"
    r"|(?<![\w.>])(std::)?time\s*\(\s*(nullptr|NULL|0|&\w+)\s*\)"
)



class NotJudged(Exception):
    """A check cannot say anything on this machine."""


# --- reading -------------------------------------------------------------------------------------


class Source:
    """One C++ file: its lines, and the same lines without comments and literals."""

    def __init__(self, root, path):
        self.name = path.relative_to(root).as_posix()
        text = path.read_text(encoding="utf-8")
        self.lines = text.splitlines()
        self.code = strip(text).splitlines()
        # A last line of nothing but comment disappears from the stripped text.
        self.code += [""] * (len(self.lines) - len(self.code))

    def find(self, pattern):
        """Line numbers (from 1) and matches of a pattern in the code, comments left out."""
        for number, line in enumerate(self.code, 1):
            for match in re.finditer(pattern, line):
                yield number, match

    def includes(self):
        for number, line in enumerate(self.lines, 1):
            match = re.match(r'\s*#\s*include\s*[<"]([^>"]+)[>"]', line)
            if match:
                yield number, match.group(1)

    def comment(self, number):
        """The comment text of line `number`, or an empty string."""
        line, code = self.lines[number - 1], self.code[number - 1]
        if "//" in line:
            start = line.rfind("//")
            # Not a comment if it stands inside a literal: then it survives nowhere in the code
            # either, but what follows it does.
            if not code[start:].strip():
                return line[start:]
        return ""


def strip(text):
    """Blanks comments, string and character literals, keeping every line where it is."""

    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))

    pattern = r"""
        //[^\n]* | /\*.*?\*/                         # comments
      | R"(?P<tag>[^(\s]*)\(.*?\)(?P=tag)"           # raw strings
      | "(?:\\.|[^"\\\n])*"                          # strings
      | (?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'          # characters, not digit separators
    """
    return re.sub(pattern, blank, text, flags=re.DOTALL | re.VERBOSE)


def files(root, *globs):
    found = set()
    for glob in globs:
        found.update(path for path in root.glob(glob) if path.is_file())
    return sorted(found)


def sources(root, *globs):
    return [Source(root, path) for path in files(root, *globs)]


def library(root):
    return sources(root, "include/**/*.hpp", "src/**/*.hpp", "src/**/*.cpp")


def room_of(name):
    """The room of include/partywall/<room>/... or src/<room>/...; '' for files of the root."""
    match = re.match(r"(?:include/partywall|src)/(?:([^/]+)/)?[^/]+$", name)
    if match:
        return match.group(1) or ""
    match = re.match(r"(?:include/partywall|src)/([^/]+)/", name)
    return match.group(1) if match else ""


# --- the checks ----------------------------------------------------------------------------------


def layers(root):
    """Includes point one way: os, segment, wait, ring, inbox, endpoint, then topic, oneway,
    survey on those, and calls on oneway; registry and breaker stand beside and are used only from there."""
    below = {room: {room} for room in GROUND}
    below.update({room: set(CHAIN[: index + 1]) for index, room in enumerate(CHAIN)})
    below.update({room: set(grounds) | {room} for room, grounds in BESIDE.items()})
    below[SHARED] = set(CHAIN) | set(BESIDE) | {SHARED}
    below.update({room: below[SHARED] | {room} for room in TOP})
    for room, grounds in ON_TOP.items():
        below[room] = below[room].union(grounds)
    below["cli"] = below[SHARED] | set(TOP) | {"cli"}

    def rooms_used(source):
        for number, target in source.includes():
            match = re.match(r"partywall/(?:(\w+)/)?([\w/]+\.hpp)$", target)
            if match:
                yield number, match.group(1) or "", target

    # A header of the root that uses a room belongs to the top: rooms may not use it back. Through
    # how many other root headers it does so makes no difference.
    headers = {source.name: source for source in sources(root, "include/partywall/*.hpp")}
    top_headers = set()
    while True:
        more = {
            name
            for name, source in headers.items()
            for _, room, target in rooms_used(source)
            if room not in ["", *GROUND] or "include/" + target in top_headers
        }
        if more <= top_headers:
            break
        top_headers |= more

    for source in library(root):
        room = room_of(source.name)
        if room == "":
            continue  # the root: ground headers use no room, and the others are the top
        if room not in below:
            yield f"{source.name}:1: unknown room '{room}': give it a place in tests/tidy/tidy.py"
            continue
        for number, used, target in rooms_used(source):
            if used not in ["", *GROUND] and used not in below[room]:
                yield f"{source.name}:{number}: {room}/ may not include <{target}>"
            elif not used and "include/" + target in top_headers and room not in [SHARED, *TOP, "cli"]:
                yield f"{source.name}:{number}: {room}/ may not include <{target}>, which uses rooms"


def licence(root):
    """Every source says its licence in the first line (the second after a #! line)."""
    globs = ["CMakeLists.txt", "*/**/CMakeLists.txt", "cmake/*", "scripts/*", ".ci/*"]
    for folder in ["include", "src", "tests", "bench", "examples"]:
        globs += [f"{folder}/**/*.{ending}" for ending in ["hpp", "cpp", "py", "sh"]]
    for path in files(root, *globs):
        name = path.relative_to(root).as_posix()
        if name.startswith("build/"):
            continue
        head = path.read_text(encoding="utf-8", errors="replace").splitlines()[:3]
        head = [line for line in head if not line.startswith(("#!", "# shellcheck"))]
        if not head or "SPDX-License-Identifier: BSL-1.0" not in head[0]:
            yield f"{name}:1: the first line should be the SPDX-License-Identifier of BSL-1.0"


def todos(root):
    """A TODO says its kind, TODO(perf): ..., and TODO(now) keeps a change from landing."""
    globs = ["include/**/*", "src/**/*", "bench/**/*", "examples/**/*", "scripts/*", "cmake/*"]
    for path in files(root, *globs, "tests/**/*.[ch]pp", "CMakeLists.txt"):
        name = path.relative_to(root).as_posix()
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if re.search(r"\b(FIXME|XXX)\b", line):
                yield f"{name}:{number}: write TODO(kind): what, instead"
            for match in re.finditer(r"\bTODO\b(\((\w+)\):)?", line):
                if match.group(2) is None:
                    yield f"{name}:{number}: a TODO without a kind: TODO(perf): what"
                elif match.group(2) == "now":
                    yield f"{name}:{number}: TODO(now) must be done before it lands"


def line_size(root):
    """The line size is a constant of ours; the standard's differs by compiler flags."""
    for source in sources(root, "include/**/*.hpp", "src/**/*.[ch]pp", "tests/**/*.[ch]pp"):
        for number, match in source.find(r"\bhardware_(de|con)structive_interference_size\b"):
            yield f"{source.name}:{number}: use line_bytes or spacing_bytes, not {match.group(0)}"


def fences(root):
    """A fence says what it pairs with, on its line or in the comment above it."""
    for source in library(root):
        for number, _ in source.find(r"\batomic_thread_fence\s*\("):
            if source.name not in FENCE_PLACES:
                yield f"{source.name}:{number}: use the atomics policy's fence, or os/membarrier"
        if source.name in FENCE_PLACES:
            continue
        for number, _ in source.find(r"::fence\s*\("):
            text = " ".join(comments_above(source, number, reach=8))
            if not re.search(r"\bpairs\s+with\b", text, re.IGNORECASE):
                yield f"{source.name}:{number}: which fence or store does this one pair with?"


def comments_above(source, number, reach):
    """The comment of line `number` and those of the `reach` lines before it, in order."""
    found = [source.comment(n) for n in range(max(1, number - reach), number + 1)]
    return [re.sub(r"^//+<?\s*", "", comment) for comment in found if comment]


def orders(root):
    """Every memory order stands with or below a comment of its own function; for relaxed ones,
    one comment may serve a group of functions."""
    for source in library(root):
        for number, match in source.find(r"\bmemory_order(?:_|::)(\w+)"):
            if match.group(1) == "relaxed" and comments_above(source, number, reach=40):
                continue
            if not has_comment_above(source, number):
                yield f"{source.name}:{number}: why {match.group(0)}? Name its partner"


def has_comment_above(source, number):
    """Does a comment stand on the line, or above it in the same function or at its head?"""
    for n in range(number, 0, -1):
        if source.comment(n):
            return True
        # The end of an earlier function or class: what stands above it is about something else.
        if n != number and re.match(r"( {4})?\};?$", source.lines[n - 1]):
            return False
    return False


def layouts(root):
    """Layouts hold fixed-width integers only, and close with asserts."""
    banned = [
        (r"\*", "a pointer"),
        (r"&", "a reference"),
        (r"\b(std::)?(size_t|ptrdiff_t|u?intptr_t)\b", "a type whose size depends on the machine"),
        (r"\b(bool|long|short|int|unsigned|float|double)\b", "a type that is not fixed-width"),
        (r"\bstd::(?!u?int(8|16|32|64)_t\b|byte\b|array\b)\w+", "a type of the standard library"),
        (r"\bvirtual\b", "a virtual function"),
    ]
    for source in sources(root, "include/**/*_layout.hpp", "src/**/*_layout.hpp"):
        for number, line in struct_members(source):
            member = re.sub(r"\[[^\]]*\]", "", line)  # a length may be computed
            for pattern, what in banned:
                if re.search(pattern, member):
                    yield f"{source.name}:{number}: {what} in shared memory"
                    break
        text = "\n".join(source.code)
        if re.search(r"^struct\b", text, re.MULTILINE):
            for needed in [r"sizeof\s*\(", "is_trivially_copyable_v"]:
                if not re.search(r"\bstatic_assert\([^;]*" + needed, text):
                    yield f"{source.name}:1: a layout closes with asserts: none has {needed}"


def struct_members(source):
    """Lines of data members: inside a struct, outside functions, constants and assertions."""
    depth, struct_depths, statement = 0, [], ""
    for number, line in enumerate(source.code, 1):
        if line.lstrip().startswith("#"):
            continue
        inside = bool(struct_depths) and depth == struct_depths[-1]
        opens_struct = re.search(r"\bstruct\b[^;(]*\{", line)
        plain = not re.search(r"\b(static|constexpr|using|static_assert|friend|enum|struct)\b|\(", statement + line)
        if inside and plain and line.strip() not in ("", "}", "};"):
            yield number, line
        statement = "" if re.search(r"[;{}]\s*$", line) else statement + line + " "
        for character in line:
            if character == "{":
                depth += 1
            elif character == "}":
                if struct_depths and depth == struct_depths[-1]:
                    struct_depths.pop()
                depth -= 1
        if opens_struct and depth > (struct_depths[-1] if struct_depths else 0):
            struct_depths.append(depth)


def quiet(root):
    """The library never prints, aborts or exits; only the command, src/cli, does."""
    for source in library(root):
        if source.name.startswith("src/cli/"):
            continue
        for pattern, what in LOUD:
            for number, match in source.find(pattern):
                yield f"{source.name}:{number}: '{match.group(0).strip()}' {what}: return an error"


def one_clock(root):
    """Nothing goes by the wall clock, which jumps."""
    for source in library(root):
        if source.name in WALL_CLOCK_PLACES:
            continue
        for number, match in source.find(WALL_CLOCK):
            yield f"{source.name}:{number}: '{match.group(0)}' jumps: use os::monotonic_ns()"


def includes(root):
    """Headers of the hot path do not pull in heavy standard headers; nobody pulls umbrellas."""
    for source in sources(root, "include/**/*.hpp"):
        inner = source.name[len("include/partywall/") :]
        for number, target in source.includes():
            if target == "bits/stdc++.h" or re.match(r"boost/(asio|interprocess|lockfree|pfr|system)\.hpp$", target):
                yield f"{source.name}:{number}: <{target}> is an umbrella: include what is used"
            if room_of(source.name) in HOT_ROOMS and inner not in CONTROL_PLANE and target in HOT_BANNED:
                yield f"{source.name}:{number}: <{target}> is too heavy for a header of the hot path"
        if "#pragma once" not in source.lines:
            yield f"{source.name}:1: no #pragma once"


def own_header_first(root):
    """A source includes its own header first, or a private one of its room that does."""
    for source in sources(root, "src/**/*.cpp"):
        stem = source.name[len("src/") : -len(".cpp")]
        own = [f"partywall/{stem}.hpp"] + [f"{stem}.hpp", Path(stem).name + ".hpp"]
        exists = [root / "include" / own[0], root / "src" / own[1]]
        first = next((target for _, target in source.includes()), "")
        private = (root / source.name).parent / first
        if any(path.exists() for path in exists) and first not in own and not private.is_file():
            yield f"{source.name}:1: the first include should be its own header"


def golden(root):
    """Every layout has a golden test (which includes it, or reads <layout>_v<version>...), and every
    golden file is read by one."""
    tests = sources(root, "tests/golden/*.cpp")
    text = "\n".join("\n".join(source.lines) for source in tests)
    for path in files(root, "include/**/*_layout.hpp"):
        name = path.relative_to(root / "include").as_posix()
        bytes_of_it = rf"\b{path.stem.removesuffix('_layout')}_v\d"
        if f"<{name}>" not in text and not re.search(bytes_of_it, text):
            yield f"include/{name}:1: no test in tests/golden holds the bytes of this layout"
    for path in files(root, "tests/golden/**/*"):
        if path.suffix not in (".cpp", ".hpp", ".md", ".txt") and path.name not in text:
            yield f"{path.relative_to(root).as_posix()}:1: no test in tests/golden reads this file"


def room_readmes(root):
    """Every room says in at most 30 lines what lives in it."""
    for folder in sorted(path for path in (root / "include/partywall").iterdir() if path.is_dir()):
        name = folder.relative_to(root).as_posix()
        readme = folder / "README.md"
        if folder.name in GROUND or not any(folder.glob("*.hpp")):
            continue
        if not readme.exists():
            yield f"{name}/README.md:1: missing: what lives here, what does not, which file first"
        elif len(readme.read_text(encoding="utf-8").splitlines()) > 30:
            yield f"{name}/README.md:31: longer than 30 lines"


def links(root):
    """Links between the documents lead somewhere."""
    globs = ["*.md", "docs/**/*.md", "include/**/*.md", "src/**/*.md", "tests/**/*.md", "bench/**/*.md"]
    for path in files(root, *globs, "examples/**/*.md"):
        in_code = False
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            in_code ^= line.lstrip().startswith("```")
            if in_code:
                continue  # a lambda's parameters look like a link's target
            for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", line):
                if not re.match(r"[a-z]+:", target) and not (path.parent / target).exists():
                    yield f"{path.relative_to(root).as_posix()}:{number}: there is no {target}"


def shown_programs(root):
    """A program that a page shows is the file that it names, so that the tests compile and run it:
    `<!-- file: PATH -->`, and the file without its licence line in the code block that follows."""
    for path in files(root, "*.md", "docs/**/*.md"):
        page = path.relative_to(root).as_posix()
        lines = path.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines, 1):
            mark = re.fullmatch(r"<!-- file: (\S+) -->", line)
            if not mark:
                continue
            name = mark.group(1)
            if not (root / name).is_file():
                yield f"{page}:{number}: there is no {name}"
                continue
            wanted = (root / name).read_text(encoding="utf-8").splitlines()[1:]
            if not lines[number : number + 1] or not lines[number].startswith("```"):
                yield f"{page}:{number}: a code block should follow, with {name}"
                continue
            end = next((n for n in range(number + 1, len(lines)) if lines[n] == "```"), len(lines))
            if lines[number + 1 : end] != wanted:
                yield f"{page}:{number}: what it shows is not {name} without its first line"


def limits(root):
    """docs/limits.md lists every constant of limits.hpp, with its value."""
    listed = {}
    page = root / "docs/limits.md"
    for line in page.read_text(encoding="utf-8").splitlines() if page.exists() else []:
        row = re.match(r"\| `(\w+)` \| ([0-9,^ −-]+) \|", line)
        if row:
            value = row.group(2).replace(",", "").replace("^", "**").replace("−", "-")
            listed[row.group(1)] = eval(value)  # digits and operators, says the pattern
    for source in sources(root, "include/partywall/limits.hpp"):
        for number, match in source.find(r"\bconstexpr std::\w+ (\w+) = ([^;]+);"):
            name, value = match.groups()
            value = eval(re.sub(r"std::\w+\{(\d+)\}|'", r"\1", value))
            if name not in listed:
                yield f"{source.name}:{number}: {name} is not in docs/limits.md"
            elif listed[name] != value:
                yield f"{source.name}:{number}: {name} is {value}, docs/limits.md says {listed[name]}"


def guarantees(root):
    """The tests that docs/guarantees.md names are there."""
    names = {}  # by room
    page = root / "docs/guarantees.md"
    for number, line in enumerate(page.read_text("utf-8").splitlines() if page.exists() else [], 1):
        for room, pattern in re.findall(r"`(\w+)/(\w+\.[\w*]+)`", line):
            if room not in names:
                names[room] = {
                    f"{suite}.{test}"
                    for source in sources(root, f"tests/{room}/**/*.cpp")
                    for suite, test in re.findall(
                        r"^(?:TYPED_)?TEST(?:_[FP])?\(\s*(\w+),\s*(\w+)", "\n".join(source.code), re.M
                    )
                }
            if not fnmatch.filter(names[room], pattern):
                yield f"docs/guarantees.md:{number}: there is no test {room}/{pattern}"


def mutants(root):
    """Each PARTYWALL_MUTANT of the sources has one row in tests/mutants/table.txt, and names a file."""
    table = root / "tests/mutants/table.txt"
    rows = {}
    for number, line in enumerate(table.read_text("utf-8").splitlines() if table.exists() else [], 1):
        if line and not line.startswith("#"):
            name, file, *_ = line.split()
            if not (root / f"tests/{file}.test.cpp").exists():
                yield f"tests/mutants/table.txt:{number}: there is no tests/{file}.test.cpp"
            if name == "with":
                continue
            if name in rows:
                yield f"tests/mutants/table.txt:{number}: {name} has two rows"
            rows[name] = number
    used = set()
    for source in library(root):
        if not source.name.endswith("detail/mutant.hpp"):
            for number, match in source.find(r"\bPARTYWALL_MUTANT\((\w+)\)"):
                used.add(match.group(1))
                if match.group(1) not in rows:
                    yield f"{source.name}:{number}: {match.group(1)} has no row in tests/mutants/table.txt"
    for name in sorted(set(rows) - used):
        yield f"tests/mutants/table.txt:{rows[name]}: nothing in include and src is called {name}"


def header_budget(root, compiler="g++"):
    """No public header costs its users more lines than tests/tidy/header_budget.txt allows."""
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=True).stdout
    if not re.match(r"\S*[cg]\+\+\S* \(.*\) 12\.", version.splitlines()[0]):
        raise NotJudged(f"the budgets are those of GCC 12 and its library, not of {version.splitlines()[0]}")
    budgets = []
    for line in (root / "tests/tidy/header_budget.txt").read_text(encoding="utf-8").splitlines():
        line = line.split("#")[0].split()
        if line:
            budgets.append((line[0], int(line[1])))
    headers = files(root, "include/**/*.hpp")

    def lines_of(path):
        command = [compiler, "-std=c++20", "-fno-exceptions", "-E", "-P", "-I", str(root / "include"), str(path)]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode != 0:
            return next((line for line in run.stderr.splitlines() if "error:" in line), "failed")
        return sum(1 for line in run.stdout.splitlines() if line.strip())

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        counts = list(pool.map(lines_of, headers))
    for path, count in zip(headers, counts):
        inner = path.relative_to(root / "include/partywall").as_posix()
        budget = next((limit for pattern, limit in budgets if fnmatch.fnmatch(inner, pattern)), None)
        if isinstance(count, str):
            yield f"include/partywall/{inner}:1: does not get through the preprocessor: {count}"
        elif budget is None:
            yield f"include/partywall/{inner}:1: no budget for it in tests/tidy/header_budget.txt"
        elif count > budget:
            yield f"include/partywall/{inner}:1: {count} lines after preprocessing, the budget is {budget}"


CHECKS = [
    layers,
    licence,
    todos,
    line_size,
    fences,
    orders,
    layouts,
    quiet,
    one_clock,
    includes,
    own_header_first,
    golden,
    room_readmes,
    links,
    shown_programs,
    limits,
    guarantees,
    mutants,
    header_budget,
]


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checks", nargs="*", metavar="CHECK")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[2])
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("--list", action="store_true", help="name the checks and stop")
    options = parser.parse_args(arguments)
    by_name = {check.__name__: check for check in CHECKS}
    if options.list:
        print("\n".join(by_name))
        return 0
    unknown = [name for name in options.checks if name not in by_name]
    if unknown:
        parser.error(f"no such check: {', '.join(unknown)}")
    count = 0
    for name in options.checks or by_name:
        check = by_name[name]
        extra = {"compiler": options.compiler} if check is header_budget else {}
        try:
            for finding in check(options.root, **extra):
                print(f"{finding} [{name}]")
                count += 1
        except NotJudged as reason:
            print(f"{name} not judged: {reason}")
            if options.checks == [name]:
                return 77  # ctest's skip
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
