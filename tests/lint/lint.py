#!/usr/bin/env python3
"""Checks the form of the project: lint.py [--root DIR] [CHECK...]; without names, all checks.

Each check says how many things it examined and fails when there were none.
"""

import argparse
import os
import sys

from layers import check_headers, check_includes, check_pure
from rules import (check_calls, check_format, check_readmes, check_scripts, check_sizes,
                   check_spoken, check_tests, check_top, check_words)
from tree import Tree

CHECKS = {
    "includes": check_includes,
    "pure": check_pure,
    "headers": check_headers,
    "sizes": check_sizes,
    "calls": check_calls,
    "format": check_format,
    "tests": check_tests,
    "readmes": check_readmes,
    "top": check_top,
    "scripts": check_scripts,
    "words": check_words,
    "spoken": check_spoken,
}


def run_check(name, tree):
    """Runs one check, prints its outcome and returns its faults."""
    examined, what, faults = CHECKS[name](tree)
    if examined == 0:
        faults = faults + ["nothing was examined"]
    print(f"{name:9} {'FAIL' if faults else 'ok':5} {examined} {what}")
    for fault in faults:
        print(f"    {fault}")
    return faults


def main():
    above = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--root", default=above, help="the tree to look at (default: this one)")
    parser.add_argument("checks", nargs="*", metavar="CHECK", help=" ".join(CHECKS))
    options = parser.parse_args()
    unknown = set(options.checks) - set(CHECKS)
    if unknown:
        parser.error("no such check: " + " ".join(sorted(unknown)))
    tree = Tree(options.root)
    names = options.checks or list(CHECKS)
    failed = [name for name in names if run_check(name, tree)]
    print(f"lint: {len(names)} checks, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
