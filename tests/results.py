#!/usr/bin/env python3
"""Counts what test runs did, so that nothing fails or is skipped unseen.

results.py FILE.xml...     counts ctest's JUnit files, names what failed and what was skipped; the
                           last line is "total RUN FAILED SKIPPED"
results.py --reports DIR   fails when a sanitizer left a report in the folder, and shows it

A cmocka program and a unittest script count case by case, any other test counts as one. A line that
begins with "SKIP:" counts as a skipped case of a test that went on without it.
"""

import os
import re
import sys
import xml.etree.ElementTree as xml

SHOWN = "lint.lint"  # its counts are shown also when it passes


class Outcome:
    """One test of ctest: how many cases ran, and the names of those that failed or were skipped."""

    def __init__(self, case):
        self.name = case.get("name")
        self.text = case.findtext("system-out") or ""
        status = case.get("status")
        ran = re.findall(r"^\[ RUN      \] (.+)$", self.text, re.M)
        ran_count = len(ran) + sum(map(int, re.findall(r"^Ran (\d+) tests? in ", self.text, re.M)))
        ran_count += sum(map(int, re.findall(r"^lint: (\d+) checks", self.text, re.M)))
        self.failed = self._names(r"^\[  FAILED  \] (.+)$") + self._names(r"^(?:FAIL|ERROR): (.+)$")
        self.skipped = self._names(r"^\[  SKIPPED \] (.+)$") + self._names(r"^SKIP: (.+)$")
        self.skipped += self._names(r" \.\.\. skipped (.+)$")
        if status == "run":
            self.failed = []
        elif status == "fail":
            self.failed = self.failed or [self.message(case, "failed")]
        else:
            self.failed = []
            self.skipped = self.skipped or [self.message(case, "did not run")]
        own = len(self.skipped) if ran_count else 0
        self.ran = 0 if status not in ("run", "fail") else max(ran_count - own, 1)

    def message(self, case, otherwise):
        for kind in ("failure", "skipped"):
            found = case.find(kind)
            if found is not None and found.get("message"):
                return found.get("message")
        return otherwise

    def _names(self, pattern):
        names = dict.fromkeys(re.findall(pattern, self.text, re.M))
        return [name for name in names if not re.match(r"\d+ test\(s\)", name)]


def read(path):
    try:
        return [Outcome(case) for case in xml.parse(path).getroot().iter("testcase")]
    except (OSError, xml.ParseError) as error:
        print(f"{path}: {error}")
        return None


def count(paths):
    total = [0, 0, 0]
    for path in paths:
        label = os.path.splitext(os.path.basename(path))[0]
        outcomes = read(path)
        if not outcomes:
            print(f"{label}: no test ran")
            total[1] += 1
            continue
        for outcome in outcomes:
            for kind, names in (("failed", outcome.failed), ("skipped", outcome.skipped)):
                for name in names:
                    print(f"{label}: {kind}: {outcome.name}: {name}")
            if outcome.name == SHOWN and not outcome.failed:
                print(outcome.text.rstrip())
        here = [sum(o.ran for o in outcomes), sum(len(o.failed) for o in outcomes),
                sum(len(o.skipped) for o in outcomes)]
        print(f"{label}: {len(outcomes)} programs, {here[0]} cases run, {here[1]} failed,"
              f" {here[2]} skipped")
        total = [a + b for a, b in zip(total, here)]
    print("total", *total)


# The leak check at the end of a program that is killed at that moment: it found nothing.
KILLED = re.compile(r"\A(==\d+==Unable to get registers from thread \d+\.\n?)+\Z")


def reports(folder):
    count = 0
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
            text = file.read()
        print(f"---- {name}\n{text}")
        count += KILLED.match(text) is None
    print(f"{count} sanitizer reports")
    return 1 if count else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--reports"]:
        sys.exit(reports(sys.argv[2]))
    count(sys.argv[1:])
