#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Do the tests notice? Runs, for every row of table.txt, its test with that mistake switched on.

    mutants.py --build FOLDER [--jobs N] [MUTANT...]

FOLDER is a build of the preset `mutants`. Every test must pass with a mistake that there is none
of, and fail (or crash, or hang) with its own. Prints which test noticed, and fails if one did not.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TABLE = Path(__file__).with_name("table.txt")
NO_MUTANT = "none_of_them"  # switched on, and nothing may change
HANG_S = 10  # and 20 times what the test takes without a mutant


def rows(text):
    """(mutant, room, file, filter) of each row."""
    for line in text.splitlines():
        if line and not line.startswith(("#", "with ")):
            mutant, where, tests = line.split()
            room, file = where.split("/")
            yield mutant, room, file, tests


class Outcome:
    def __init__(self, log, status, hung):
        self.log, self.hung = log, hung
        self.ran = len(re.findall(r"^\[ RUN      \]", log, re.M))
        self.passed = status == 0 and not hung and self.ran > 0
        self.skipped = self.passed and "[  SKIPPED ]" in log

    def who_noticed(self):
        failed = re.findall(r"^\[  FAILED  \] (\S+?),? ", self.log, re.M)
        if failed:
            return failed[0]
        last = re.findall(r"^\[ RUN      \] (\S+)", self.log, re.M)
        how = "hung" if self.hung else "crashed"
        return f"{last[-1]} ({how})" if last else f"({how} before any test)"


def run(program, tests, mutant, shm, limit_s=60):
    environment = dict(os.environ, PARTYWALL_MUTANT=mutant, PARTYWALL_TEST_SHM=shm)
    environment.pop("PARTYWALL_TEST_FULL", None)
    # A session of its own: what a test that crashes leaves running goes with it.
    with subprocess.Popen(
        [program, f"--gtest_filter={tests}", "--gtest_fail_fast", "--gtest_color=no"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=environment, start_new_session=True, text=True, errors="replace",
    ) as process:
        hung = False
        try:
            log, _ = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            hung = True
            os.killpg(process.pid, signal.SIGKILL)
            log, _ = process.communicate()
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    return Outcome(log, process.returncode, hung)


def judge(row, build, shm):
    """(row, whether it was noticed, what is printed)."""
    mutant, room, _, tests = row
    program = str(build / "bin" / f"partywall_{room}_tests")
    started = time.monotonic()
    sound = run(program, tests, NO_MUTANT, shm)
    limit_s = max(HANG_S, 20 * (time.monotonic() - started))
    if not sound.passed or sound.skipped:
        what = "is skipped" if sound.skipped else "fails" if sound.ran else "has no test"
        return row, False, f"{tests} {what} without any mutant:\n{sound.log[-2000:]}"
    wrong = run(program, tests, mutant, shm, limit_s)
    if wrong.passed:
        return row, False, f"SURVIVES {tests}"
    return row, True, wrong.who_noticed()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, default=ROOT / "build/mutants")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("mutants", nargs="*", help="only these")
    arguments = parser.parse_args()
    table = list(rows(TABLE.read_text("utf-8")))
    if arguments.mutants:
        table = [row for row in table if row[0] in arguments.mutants]
    started = time.monotonic()
    shm = tempfile.mkdtemp(prefix="partywall-mutants-", dir="/dev/shm")
    survivors = []
    try:
        with ThreadPoolExecutor(arguments.jobs) as pool:
            for row, noticed, what in pool.map(lambda r: judge(r, arguments.build, shm), table):
                print(f"{row[0]:29} {row[1] + '/' + row[2]:24} {what}", flush=True)
                if not noticed:
                    survivors.append(row[0])
    finally:
        shutil.rmtree(shm, ignore_errors=True)
    took = time.monotonic() - started
    print(f"{len(table)} mutants, {len(table) - len(survivors)} noticed, {took:.0f} s")
    if survivors:
        sys.exit("not noticed: " + " ".join(survivors))


if __name__ == "__main__":
    main()
