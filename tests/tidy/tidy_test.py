#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Tests of the checker: each check is shown what it must find, and what it must leave alone."""

import tempfile
import unittest
from pathlib import Path

import tidy

SPDX = "// SPDX-License-Identifier: BSL-1.0\n"


class Tree(unittest.TestCase):
    """A project of a few files, made for one test."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        (self.root / "include/partywall").mkdir(parents=True)

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def header(self, name, text):
        self.write("include/partywall/" + name, text)

    def findings(self, check, **extra):
        return list(check(self.root, **extra))

    def assert_finds(self, check, *expected, **extra):
        """One finding for each of `expected`, in order, and no other."""
        found = self.findings(check, **extra)
        self.assertEqual(len(found), len(expected), found)
        for finding, text in zip(found, expected):
            self.assertIn(text, finding)


class Guarantees(Tree):
    def test_names_tests_that_are_there(self):
        self.write("tests/ring/a.test.cpp", "TEST(Ring, IsRound) {}\nTEST_P(Gate, Opens) {}\n")
        self.write("docs/guarantees.md", "`ring/Ring.IsRound`, `ring/Gate.*`,\n`ring/Ring.IsFlat`, `topic/Ring.*`\n")
        self.assert_finds(tidy.guarantees, "guarantees.md:2: there is no test ring/Ring.IsFlat", "topic/Ring.*")


class Mutants(Tree):
    def test_have_a_row_and_a_place(self):
        self.write("tests/ring/a.test.cpp", "")
        self.write("tests/mutants/table.txt", "# rows\none ring/a A.*\ntwo ring/b B.*\none ring/a A.B\n")
        self.header("ring/a.hpp", "if (PARTYWALL_MUTANT(one) || PARTYWALL_MUTANT(three)) {}\n")
        self.assert_finds(
            tidy.mutants,
            "table.txt:3: there is no tests/ring/b.test.cpp",
            "table.txt:4: one has two rows",
            "ring/a.hpp:1: three has no row",
            "table.txt:3: nothing in include and src is called two",
        )


class Layers(Tree):
    def test_downwards_is_allowed_and_upwards_is_not(self):
        self.header("segment/a.hpp", "#include <partywall/os/futex.hpp>\n")
        self.header("os/b.hpp", "\n#include <partywall/segment/a.hpp>\n")
        self.assert_finds(tidy.layers, "os/b.hpp:2: os/ may not include")

    def test_the_ring_does_not_know_the_registry_but_topics_do(self):
        self.write("src/ring/a.cpp", "#include <partywall/registry/entry_info.hpp>\n")
        self.write("src/topic/a.cpp", "#include <partywall/registry/entry_info.hpp>\n")
        self.assert_finds(tidy.layers, "src/ring/a.cpp:1")

    def test_the_registry_does_not_know_the_ring(self):
        self.header("registry/a.hpp", "#include <partywall/ring/gate.hpp>\n#include <partywall/os/futex.hpp>\n")
        self.assert_finds(tidy.layers, "registry/a.hpp:1")

    def test_neighbours_of_the_top_row_do_not_know_each_other(self):
        self.header("topic/a.hpp", "#include <partywall/service/client.hpp>\n")
        self.assert_finds(tidy.layers, "topic/a.hpp:1")

    def test_a_root_header_that_uses_rooms_is_not_for_rooms(self):
        self.header("limits.hpp", "")
        self.header("participant.hpp", "#include <partywall/topic/publisher.hpp>\n")
        self.header("partywall.hpp", "#include <partywall/participant.hpp>\n")
        self.header("ring/a.hpp", "#include <partywall/limits.hpp>\n#include <partywall/partywall.hpp>\n")
        self.assert_finds(tidy.layers, "ring/a.hpp:2")

    def test_the_ground_is_for_everybody_and_uses_no_room(self):
        self.header("detail/a.hpp", "#include <partywall/os/futex.hpp>\n")
        self.header("types.hpp", "#include <partywall/detail/b.hpp>\n")
        self.header("os/a.hpp", "#include <partywall/types.hpp>\n#include <partywall/detail/b.hpp>\n")
        self.assert_finds(tidy.layers, "detail/a.hpp:1")

    def test_a_new_room_must_be_given_a_place(self):
        self.header("attic/a.hpp", "")
        self.assert_finds(tidy.layers, "unknown room 'attic'")

    def test_folders_inside_a_room_belong_to_the_room(self):
        self.header("os/detail/a.hpp", "#include <partywall/segment/a.hpp>\n")
        self.assert_finds(tidy.layers, "os/detail/a.hpp:1: os/ may not")


class Licence(Tree):
    def test_first_line_or_second_after_the_interpreter(self):
        self.header("good.hpp", SPDX)
        self.header("bad.hpp", "#pragma once\n" + SPDX)
        self.write("scripts/run", "#!/bin/sh\n# SPDX-License-Identifier: BSL-1.0\n")
        self.write("scripts/walk", "#!/bin/sh\n")
        self.assert_finds(tidy.licence, "bad.hpp:1", "scripts/walk:1")


class Todos(Tree):
    def test_a_todo_says_its_kind_and_now_is_not_one(self):
        self.header("a.hpp", "// TODO(perf): fewer loads\n// TODO: later\n// TODO(now): this\n// FIXME\n")
        self.assert_finds(tidy.todos, "a.hpp:2", "a.hpp:3: TODO(now)", "a.hpp:4")


class LineSize(Tree):
    def test_found_in_code_and_not_in_comments(self):
        word = "hardware_destructive_interference_size"
        self.header("a.hpp", f"// not {word}\nalignas(std::{word}) int x;\n")
        self.assert_finds(tidy.line_size, "a.hpp:2")


class Fences(Tree):
    def test_a_fence_names_its_partner(self):
        self.header("ring/a.hpp", "// Pairs\n// with the acquire fence of b().\nAtomics::fence(order);\n")
        self.header("ring/b.hpp", "// Keeps things in order.\nAtomics::fence(order);\n")
        self.assert_finds(tidy.fences, "ring/b.hpp:2")

    def test_the_partner_of_another_fence_far_above_does_not_count(self):
        self.header("ring/a.hpp", "// pairs with b\nAtomics::fence(order);\n" + "\n" * 9 + "Atomics::fence(order);\n")
        self.assert_finds(tidy.fences, "ring/a.hpp:12")

    def test_the_language_s_own_fence_has_its_places(self):
        text = "// pairs with b\nstd::atomic_thread_fence(order);\n"
        self.header("ring/a.hpp", text)
        self.header("segment/atomics.hpp", text)
        self.assert_finds(tidy.fences, "ring/a.hpp:2")

    def test_a_fence_in_a_comment_is_none(self):
        self.header("ring/a.hpp", "// never Atomics::fence(x)\n")
        self.assert_finds(tidy.fences)


class Orders(Tree):
    def test_an_order_needs_a_comment_in_its_own_function(self):
        self.header(
            "ring/a.hpp",
            "struct a {\n"
            "    // pairs with the release in b()\n"
            "    int c() {\n"
            "        return load(w, std::memory_order_acquire);\n"
            "    }\n"
            "    int d() {\n"
            "        return load(w, std::memory_order_acquire);\n"
            "    }\n"
            "    int e() { return load(w, std::memory_order_acquire); } // pairs with f\n"
            "};\n",
        )
        self.assert_finds(tidy.orders, "ring/a.hpp:7")

    def test_one_comment_serves_a_group_of_relaxed_counters(self):
        text = "    void count() {\n        store(w, std::memory_order_relaxed);\n    }\n"
        self.header("ring/a.hpp", "// Counters: written by this side only.\n" + text + text)
        self.header("ring/b.hpp", text)
        self.assert_finds(tidy.orders, "ring/b.hpp:2")


class Layouts(Tree):
    ASSERTS = "static_assert(sizeof(a) == 8 &&\n              std::is_trivially_copyable_v<a>);\n"

    def test_fixed_width_members_pass(self):
        self.header(
            "ring/a_layout.hpp",
            "struct alignas(64) a {\n"
            "    std::uint64_t owner; // a * pointer & bool in a comment\n"
            "    alignas(spacing_bytes) std::uint32_t words[4];\n"
            "    std::byte bytes[bytes_max * 2];\n"
            "    char name[8];\n"
            "    static constexpr std::size_t count = 3;\n"
            "    bool is_free() const noexcept { return owner == 0; }\n"
            "};\n" + self.ASSERTS,
        )
        self.assert_finds(tidy.layouts)

    def test_everything_else_is_found(self):
        members = ["void* next;", "std::size_t bytes;", "bool ready;", "int count;", "std::string name;", "float x;"]
        text = "struct a {\n" + "".join(f"    {member}\n" for member in members) + "};\n" + self.ASSERTS
        self.header("ring/a_layout.hpp", text)
        self.assert_finds(tidy.layouts, *[f"a_layout.hpp:{n}" for n in range(2, 2 + len(members))])

    def test_a_layout_without_asserts_is_found(self):
        self.header("ring/a_layout.hpp", "struct a {\n    std::uint64_t b;\n};\nstatic_assert(true);\n")
        self.assert_finds(tidy.layouts, "sizeof", "is_trivially_copyable")


class Quiet(Tree):
    def test_the_library_is_quiet_and_the_command_is_not(self):
        text = 'std::cout << 1;\nprintf("x");\nstd::abort();\nassert(x);\n'
        self.write("src/os/a.cpp", text)
        self.write("src/cli/a.cpp", text)
        self.assert_finds(tidy.quiet, "a.cpp:1", "a.cpp:2", "a.cpp:3", "a.cpp:4")

    def test_look_alikes_pass(self):
        self.write(
            "src/os/a.cpp",
            'snprintf(b, n, "%d", x);\nstatic_assert(true);\nloan.abort();\nthread_exit(1);\n'
            '// never exit()\nauto s = "abort()";\n',
        )
        self.assert_finds(tidy.quiet)


class OneClock(Tree):
    def test_the_wall_clock_is_found(self):
        self.write(
            "src/wait/a.cpp",
            "clock_gettime(CLOCK_REALTIME, &t);\nstd::chrono::system_clock::now();\n"
            "auto t = time(nullptr);\nfutex(w, FUTEX_CLOCK_REALTIME);\n",
        )
        self.write("src/registry/registry_reading.cpp", "clock_gettime(CLOCK_REALTIME, &t);\n")
        self.assert_finds(tidy.one_clock, "a.cpp:1", "a.cpp:2", "a.cpp:3", "a.cpp:4")

    def test_look_alikes_pass(self):
        self.write(
            "src/wait/a.cpp",
            "clock_gettime(CLOCK_MONOTONIC, &t);\nsteady_clock::now();\nwait_time(0);\nx.time(0);\n"
            "// CLOCK_REALTIME jumps\n",
        )
        self.assert_finds(tidy.one_clock)


class Includes(Tree):
    def test_heavy_headers_stay_out_of_the_hot_path(self):
        self.header("ring/a.hpp", "#pragma once\n#include <string>\n#include <string_view>\n")
        self.header("segment/segment.hpp", "#pragma once\n#include <string>\n")
        self.header("topic/a.hpp", "#pragma once\n#include <string>\n#include <boost/pfr.hpp>\n")
        self.assert_finds(tidy.includes, "ring/a.hpp:2", "topic/a.hpp:3")

    def test_a_header_without_a_guard_is_found(self):
        self.header("a.hpp", SPDX)
        self.assert_finds(tidy.includes, "a.hpp:1: no #pragma once")


class OwnHeaderFirst(Tree):
    def test_the_own_header_comes_first_where_there_is_one(self):
        self.header("os/a.hpp", "")
        self.write("src/os/a.cpp", "#include <vector>\n#include <partywall/os/a.hpp>\n")
        self.write("src/os/b.cpp", "#include <vector>\n")
        self.header("os/c.hpp", "")
        self.write("src/os/c_state.hpp", "")
        self.write("src/os/c.cpp", '#include "c_state.hpp"\n')
        self.assert_finds(tidy.own_header_first, "src/os/a.cpp:1")


class Golden(Tree):
    def test_a_layout_without_a_golden_test_and_a_file_that_nobody_reads(self):
        self.header("ring/a_layout.hpp", "")
        self.header("ring/b_layout.hpp", "")
        self.header("ring/c_layout.hpp", "")
        self.write("tests/golden/a.test.cpp", '#include <partywall/ring/a_layout.hpp>\n"a_v1.bin" "c_v1.hex"\n')
        self.write("tests/golden/a_v1.bin", "")
        self.write("tests/golden/b_v1.bin", "")
        self.assert_finds(tidy.golden, "b_layout.hpp", "b_v1.bin")


class RoomReadmes(Tree):
    def test_missing_and_long_ones_are_found(self):
        self.header("os/a.hpp", "")
        self.header("ring/a.hpp", "")
        self.header("ring/README.md", "line\n" * 31)
        self.header("wait/a.hpp", "")
        self.header("wait/README.md", "line\n")
        self.assert_finds(tidy.room_readmes, "os/README.md", "ring/README.md:31")


class ShownPrograms(Tree):
    def test_a_page_shows_the_file_that_it_names(self):
        self.write("a.cpp", SPDX + "int main() {\n}\n")
        self.write("docs/good.md", "# A\n\n<!-- file: a.cpp -->\n```cpp\nint main() {\n}\n```\nEnd\n")
        self.write("docs/other.md", "<!-- file: a.cpp -->\n```cpp\nint main() {}\n```\n")
        self.write("docs/no_block.md", "<!-- file: a.cpp -->\n\nint main() {\n}\n")
        self.write("docs/no_file.md", "<!-- file: b.cpp -->\n```cpp\n```\n")
        self.write("docs/open.md", "<!-- file: a.cpp -->\n```cpp\nint main() {\n")
        self.assert_finds(
            tidy.shown_programs,
            "no_block.md:1: a code block",
            "no_file.md:1: there is no b.cpp",
            "open.md:1: what it shows",
            "other.md:1: what it shows",
        )


class Links(Tree):
    def test_a_link_leads_somewhere(self):
        self.write("docs/a.md", "")
        self.write("README.md", "[a](docs/a.md#part) [b](docs/b.md) [c](https://example.org/x)\n")
        self.assert_finds(tidy.links, "README.md:1: there is no docs/b.md")


class Limits(Tree):
    def test_every_limit_is_listed_with_its_value(self):
        self.header(
            "limits.hpp",
            "inline constexpr std::size_t a = 200;\n"
            "inline constexpr std::uint64_t b = (std::uint64_t{1} << 40) - 1;\n"
            "inline constexpr std::uint32_t c = 3;\n"
            "inline constexpr std::uint32_t d = 1'000;\n",
        )
        self.write("docs/limits.md", "| `a` | 100 | x |\n| `b` | 2^40 − 1 | x |\n| `d` | 1,000 | x |\n")
        self.assert_finds(tidy.limits, "a is 200", "c is not in")


class HeaderBudget(Tree):
    def test_too_long_broken_and_unlisted_headers_are_found(self):
        self.write("tests/tidy/header_budget.txt", "# comment\nring/* 2\nos/*  1 # reason\n")
        self.header("ring/good.hpp", "#pragma once\nint a;\n\nint b;\n")
        self.header("ring/long.hpp", "int a;\nint b;\nint c;\n")
        self.header("os/broken.hpp", "#include <no/such.hpp>\n")
        self.header("unlisted.hpp", "int a;\n")
        try:
            self.assert_finds(tidy.header_budget, "os/broken.hpp", "ring/long.hpp:1: 3 lines", "unlisted.hpp")
        except tidy.NotJudged as reason:
            self.skipTest(str(reason))


class Reading(Tree):
    def test_comments_and_literals_are_no_code(self):
        text = 'a "b // c" d // e\n/* f\ng */ h\n\'"\' i\n1\'000\'000 j\nR"x(k\n)")x" l\n'
        code = [line.split() for line in tidy.strip(text).splitlines()]
        self.assertEqual(code, [["a", "d"], [], ["h"], ["i"], ["1'000'000", "j"], [], ["l"]])

    def test_a_comment_is_told_from_a_literal(self):
        self.header("a.hpp", 'auto a = "// no";\nauto b = 1; // yes\n')
        source = tidy.sources(self.root, "include/**/*.hpp")[0]
        self.assertEqual([source.comment(1), source.comment(2)], ["", "// yes"])


if __name__ == "__main__":
    unittest.main()
