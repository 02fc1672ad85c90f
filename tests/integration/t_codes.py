#!/usr/bin/env python3
# labels: threads
"""Codes of units that the office above issues by a pattern.

Each test's first line says what breakage it sees.
"""

import random
import unittest

import harness
import smalltree
from harness import REFUSED, USAGE
from smalltree import COMMUNE, DISTRICT, PROVINCE

CATALOGUE_LEVELS = "levels: [province, district, commune, branch]"

tree = None


def setUpModule():
    global tree
    tree = harness.Tree(PROVINCE, "Tỉnh Hà Tĩnh", "province",
                        smalltree.CATALOGUE.replace("levels: [province, district, commune]", CATALOGUE_LEVELS))
    tree.join(PROVINCE, DISTRICT, "--name", "Thành phố Hà Tĩnh", "--level", "district")
    for code in ("441", "442"):
        tree.root.tally("unit", "add", code, "--name", f"Huyện {code}", "--level", "district").ok()


def add(name, *words, parent="441", pattern="{parent}.##", level="commune", node=PROVINCE):
    words = ("--parent", parent, *words) if parent else words
    return tree.nodes[node].tally("unit", "add", "--name", name, "--level", level, "--pattern", pattern, *words)


def issued(*args, **more):
    return add(*args, **more).ok().out


def units(node=PROVINCE):
    return {row["unit"]: {key: row[key] for key in ("name", "level", "parent")}
            for row in tree.nodes[node].json("unit", "list")}


class Codes(unittest.TestCase):
    def assertLine(self, result, status, *words):
        self.assertEqual((result.status, result.out, result.err.count("\n")), (status, "", 1), result)
        for word in words:
            self.assertIn(word, result.err)

    def test_next_numbers(self):
        """Numbers follow the highest one, of each parent by itself; the same unit again is the same code."""
        self.assertEqual(issued("Xã A"), "441.01 added\n")
        self.assertEqual(issued("Xã B"), "441.02 added\n")
        self.assertEqual(issued("Xã A"), "441.01 was there already\n")
        self.assertEqual(issued("Xã A", parent="442"), "442.01 added\n")
        tree.root.tally("unit", "add", "441.17", "--name", "Xã Q", "--level", "commune", "--parent", "441").ok()
        tree.root.tally("unit", "add", "441.x9", "--name", "Xã X", "--level", "commune", "--parent", "441").ok()
        tree.root.tally("unit", "add", "441.999", "--name", "Xã Y", "--level", "commune", "--parent", "441").ok()
        self.assertEqual(issued("Xã C"), "441.18 added\n")
        self.assertEqual(issued("Xã A", level="branch"), "441.19 added\n")  # another level is another unit
        self.assertEqual(tree.root.json("unit", "add", "--name", "Xã C", "--level", "commune", "--parent", "441",
                                        "--pattern", "{parent}.##"), {"unit": "441.18", "known": True})

    def test_patterns(self):
        """A pattern without the parent counts through all of them; text may stand behind the number."""
        self.assertEqual(issued("P1", pattern="P####"), "P0001 added\n")
        self.assertEqual(issued("P2", pattern="P####", parent="442"), "P0002 added\n")
        self.assertEqual(issued("P3", pattern="P####"), "P0003 added\n")
        self.assertEqual(issued("P2", pattern="P####", parent="442"), "P0002 was there already\n")
        self.assertEqual(issued("T1", pattern="#-{parent}-x"), "1-441-x added\n")
        self.assertEqual(issued("T2", pattern="#-{parent}-x"), "2-441-x added\n")
        self.assertEqual(issued("N", pattern="{parent}#", parent=DISTRICT, node=DISTRICT), "4361 added\n")
        self.assertEqual(issued("N", pattern="{parent}#", parent="", node=DISTRICT), "4361 was there already\n")

    def test_exhausted(self):
        """When no number is left, that is refused, and no number is given twice."""
        for number in range(1, 10):
            self.assertEqual(issued(f"E{number}", pattern="E{parent}#"), f"E441{number} added\n")
        self.assertLine(add("E10", pattern="E{parent}#"), REFUSED, "no code is left", "E{parent}#", "441")
        self.assertEqual(issued("E9", pattern="E{parent}#"), "E4419 was there already\n")

    def test_import(self):
        """A file gets its codes in its order, in any number of requests, once; and units with a code keep it."""
        chance = random.Random(11)
        lines = [f"Chi hội {i},branch,{chance.choice(('441', '442'))}" for i in range(7000)]
        text = "name,level,parent\n" + "\n".join(lines) + "\n"
        found = tree.root.json("unit", "import", "-", "--pattern", "B{parent}-#####", given=text)
        self.assertEqual((found["rows"], found["recorded"], found["known"]), (7000, 7000, 0))
        wanted, last = [], {"441": 0, "442": 0}
        for place, line in enumerate(lines):
            parent = line[-3:]
            last[parent] += 1
            wanted.append({"line": place + 2, "code": f"B{parent}-{last[parent]:05}"})
        self.assertEqual(found["codes"], wanted)
        there = units()
        for row, line in zip(wanted, lines):
            name, level, parent = line.split(",")
            unit = there[row["code"]]
            self.assertEqual((unit["name"], unit["level"], unit["parent"]), (name, level, parent))
        again = tree.root.json("unit", "import", "-", "--pattern", "B{parent}-#####", given=text)
        self.assertEqual((again["recorded"], again["known"], again["codes"]), (0, 7000, wanted))
        mixed = "code,name,level,parent\nM1,One,branch,441\n,Two,branch,M1\n"
        refused = tree.root.tally("unit", "import", "-", "--pattern", "{parent}.#", given=mixed.replace("M1\n", "M9\n"))
        self.assertEqual((refused.status, refused.err.count("\n")), (REFUSED, 1))
        self.assertIn("M9", refused.err)
        self.assertNotIn("M1", units())
        tree.root.tally("unit", "import", "-", "--pattern", "{parent}.#",
                        given=mixed.replace("branch,441", "commune,441")).ok()
        self.assertEqual(units()["M1.1"]["name"], "Two")

    def test_refused(self):
        """What is no pattern, or would make no code, is refused with one line, and nothing is made."""
        tree.root.tally("unit", "add", "D" * 20, "--name", "D", "--level", "district").ok()
        before = units()
        for pattern in ("", "abc", "#a#", "{unit}.#", "{parent", "}#", "{parent}{parent}#", "##########"):
            with self.subTest(pattern=pattern):
                self.assertLine(add("X", pattern=pattern), REFUSED if pattern else USAGE, "pattern")
        self.assertLine(add("X", pattern="a b#"), REFUSED, "no code")
        self.assertLine(add("X", pattern="x" * 63 + "##"), USAGE, "--pattern", "64")
        self.assertLine(add("X", pattern="x" * 50 + "{parent}##", parent="D" * 20), REFUSED, "longer", "64")
        self.assertLine(add("X", parent="999"), REFUSED, "999")
        self.assertLine(add("X", level="province"), REFUSED, "province")
        self.assertLine(add("X", "43699"), USAGE, "--pattern")
        self.assertLine(tree.root.tally("unit", "add", "--name", "X", "--level", "commune"), USAGE, "--pattern")
        self.assertLine(add("X", parent=DISTRICT), REFUSED, DISTRICT)  # it has a node of its own
        self.assertEqual(units(), before)
        self.assertLine(tree.root.tally("unit", "import", "-", given="name,level\nX,commune\n"), REFUSED, "code")


if __name__ == "__main__":
    harness.main()
