#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Reads the machine code of the hot path: no locked instruction, no fence, no call.

    hot_path_check.py COMPILER

Compiles hot_path_probe.cpp as a release would and disassembles it. In the probe, functions named
hot_* must be clean, fenced_* may hold one fence that a branch jumps over, and bad_* must be found
guilty, or else this check would find nothing. x86-64 only; elsewhere it says 77, skipped.
"""

import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def functions(compiler, optimisation, folder):
    """{name: [instruction, ...]} of the compiled probe."""
    made = Path(folder) / "probe.o"
    subprocess.run(
        [compiler, "-std=c++20", optimisation, "-DNDEBUG", "-fPIC", f"-I{ROOT / 'include'}"]
        + ["-c", str(HERE / "hot_path_probe.cpp"), "-o", str(made)],
        check=True,
    )
    listing = subprocess.run(
        ["objdump", "-dr", "--no-show-raw-insn", str(made)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    found = {}
    name = None
    for line in listing.splitlines():
        if start := re.match(r"[0-9a-f]+ <(\w+)>:", line):
            name = start[1]
            found[name] = []
        elif name and (target := re.match(r"\s+[0-9a-f]+: R_X86_64_\w+\s+(\S+)", line)):
            found[name][-1] += f" -> {target[1]}"
        elif name and (instruction := re.match(r"\s+[0-9a-f]+:\s+(.*)", line)):
            found[name].append(instruction[1].strip())
    return found


def findings(name, code, seen=()):
    """What does not belong on a hot path: in a function, and in those of its object that it calls."""
    for it in code[name]:
        if re.match(r"(lock|rep\w* lock)\b", it):
            yield "locked", it
        elif re.match(r"xchg\b.*\(", it):
            yield "locked", it  # with memory it locks by itself
        elif re.match(r"[mls]fence\b", it):
            yield "fence", it
        elif re.match(r"(?:\w+ )?(call|syscall|int|j\w+)\b", it):
            symbol = re.search(r"-> (\w+)", it) or re.search(r"<(\w+)", it)
            target = symbol[1] if symbol and "*" not in it else None
            if target in code and target not in seen:
                if target != name:
                    yield from findings(target, code, (*seen, name))
            elif target not in seen:
                yield "call", it


def main():
    if platform.machine() != "x86_64" or shutil.which("objdump") is None:
        print("not x86-64, or no objdump")
        return 77
    compiler = sys.argv[1]
    target = subprocess.run([compiler, "-dumpmachine"], capture_output=True, text=True).stdout
    if not target.startswith("x86_64"):
        print(f"the compiler is for {target.strip()}")
        return 77
    wrong = 0
    judged = 0
    for optimisation in ("-O2", "-O3"):
        with tempfile.TemporaryDirectory() as folder:
            code = functions(compiler, optimisation, folder)
            for name, instructions in code.items():
                kind = name.split("_")[0]
                if kind not in ("hot", "fenced", "bad"):
                    continue
                judged += 1
                guilty = list(findings(name, code))
                if kind == "bad":
                    if not guilty:
                        wrong += 1
                        print(f"{name} {optimisation}: the check is blind:", *instructions, sep="\n    ")
                    continue
                jumps = any(re.match(r"j[a-z]+\s", it) for it in instructions)
                if kind == "fenced" and jumps and len(guilty) == 1 and guilty[0][0] != "call":
                    continue
                for what, instruction in guilty:
                    wrong += 1
                    print(f"{name} {optimisation}: {what}: {instruction}")
    print(f"{judged} functions judged, {wrong} findings")
    return 1 if wrong or judged < 20 else 0


if __name__ == "__main__":
    sys.exit(main())
