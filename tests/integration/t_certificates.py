#!/usr/bin/env python3
# labels: slow
"""Certificates that grow old or have expired, and clocks that are years off: links come about again by themselves,
local work goes on, and what was recorded reaches the root.

The clocks are those of the daemons' own processes, by libfaketime; the monotonic clock stays true.
"""

import contextlib
import glob
import os
import sys
import unittest

import harness
import smalltree
from harness import DONE, REFUSED
from smalltree import COMMUNE, DISTRICT, PROVINCE

LIBRARY = "/usr/lib/*/faketime/libfaketimeMT.so.1"


@contextlib.contextmanager
def clock(offset):
    """What is started inside has a clock that is off by so much: "-3y", "+600d"."""
    found = glob.glob(LIBRARY)
    if not found:
        raise unittest.SkipTest("libfaketime is not installed")
    more = {"LD_PRELOAD": found[0], "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_NO_CACHE": "1"}
    os.environ.update(more)
    try:
        yield
    finally:
        for name in more:
            del os.environ[name]


def chain(node):
    """The node's certificate and those above it."""
    with open(f"{node.data}/node.crt", encoding="ascii") as file:
        return file.read()


class Certificates(unittest.TestCase):
    def setUp(self):
        self.tree = None

    def tearDown(self):
        if self.tree is not None:
            self.tree.stop()

    def record(self, value):
        """At the commune, for the root."""
        self.tree.nodes[COMMUNE].tally("record", COMMUNE, "fund_raised", value, "--date", "2023-03-03").ok()

    def check_total(self, value):
        self.tree.settle()
        self.assertEqual(self.tree.root.total(PROVINCE, "fund_raised", "2023-03"), value)

    def restart(self, *units):
        for unit in units:
            self.tree.nodes[unit].stop()
        for unit in units:
            self.tree.nodes[unit].start()
        for unit in units:
            self.tree.nodes[unit].wait_ready()

    def test_expired_everywhere(self):
        """Every office was off for three years: each certificate has expired when they start again."""
        with clock("-3y"):
            self.tree = smalltree.make()
            self.record(5)
            self.check_total(5)
            before = {unit: chain(node) for unit, node in self.tree.nodes.items()}
            self.tree.stop()
        for node in self.tree.nodes.values():
            node.start()
        self.tree.nodes[COMMUNE].wait_ready()
        self.record(7)  # whatever the links do
        self.check_total(12)
        for unit, node in self.tree.nodes.items():
            self.assertNotEqual(chain(node), before[unit], unit)
        words = ["--node", self.tree.root.address, "status", "--json"]
        result = harness.run(harness.tally_words(self.tree.root.data, words))
        self.assertEqual(result.status, DONE, result)

    def test_two_thirds(self):
        """A certificate of 825 days is renewed after 600 of them, while its links stay."""
        with clock("-600d"):
            self.tree = smalltree.make()
            before = {unit: chain(node) for unit, node in self.tree.nodes.items()}
            self.tree.stop()
        for node in self.tree.nodes.values():
            node.start()
        for unit, node in self.tree.nodes.items():
            node.wait_ready()
            harness.wait_for(lambda: chain(node) != before[unit], f"{unit} has a new certificate")
        self.record(3)
        self.check_total(3)
        renewed = {unit: chain(node) for unit, node in self.tree.nodes.items()}
        self.restart(DISTRICT, COMMUNE)
        self.check_total(3)
        for unit, node in self.tree.nodes.items():
            self.assertEqual(chain(node), renewed[unit], "renewed once, and not again")

    def check_wrong_clock(self, unit, offset):
        self.tree = smalltree.make()
        self.tree.nodes[unit].stop()
        with clock(offset):
            self.tree.nodes[unit].run()
        self.record(9)
        self.check_total(9)
        return self.tree.nodes[unit]

    def test_commune_ahead(self):
        """Its clock says 2032: it links, and does not date entries by itself."""
        node = self.check_wrong_clock(COMMUNE, "+6y")
        result = node.tally("record", COMMUNE, "fund_raised", 1)
        self.assertEqual(result.status, REFUSED, result)
        self.assertIn("clock", result.err)

    def test_commune_behind(self):
        """Its clock says 2001, before any certificate was valid."""
        self.check_wrong_clock(COMMUNE, "-25y")

    def test_district_behind(self):
        """In the middle: up it takes the province's time, and the commune below links too."""
        self.check_wrong_clock(DISTRICT, "-25y")

    def test_root_ahead(self):
        """Nobody above the root knows better: the others take its time."""
        self.check_wrong_clock(PROVINCE, "+6y")

    def test_root_jumps_back(self):
        """It runs years ahead for a while and is put right."""
        self.check_wrong_clock(PROVINCE, "+6y")
        self.restart(PROVINCE)
        self.record(1)
        self.check_total(10)


if __name__ == "__main__":
    if harness.SANITIZED:
        print("SKIP: a sanitizer and libfaketime cannot both come first")
        sys.exit(77)
    harness.main()
