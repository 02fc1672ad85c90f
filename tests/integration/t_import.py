#!/usr/bin/env python3
"""`tally import`: what would change, wrong rows in a file, a column for each measure.

What holds for every command is in t_contract.py, files that are malformed in t_input.py.
"""

import csv
import os
import unittest

import harness
import smalltree
from harness import REFUSED
from smalltree import COMMUNE

tree = None


def setUpModule():
    global tree
    tree = smalltree.make()


def node(unit=COMMUNE):
    return tree.nodes[unit]


class Import(unittest.TestCase):
    def put(self, text, *words, unit=COMMUNE):
        return node(unit).tally("import", "-", *words, given=text)

    def assertLine(self, result, status, *words):
        """The exit status, and one line on standard error that has the words."""
        self.assertEqual(result.status, status, str(result))
        self.assertRegex(result.err, r"\A[^\n]+\n\Z", str(result))
        for word in words:
            self.assertIn(word, result.err)

    def test_dry_run(self):
        """Says exactly what would change, also of a file in parts, and changes nothing."""
        head = "unit,measure,date,value,key\n"
        rows = [f"{COMMUNE},fund_raised,2022-05-06,{n},k-dry-{n}\n" for n in range(6000)]
        self.put(head + "".join(rows[:3])).ok()
        before, figures = len(node().log()), smalltree.figures(tree)
        text = head + "".join(rows + rows[2:5])
        answer = self.put(text, "--dry-run", "--json").ok().json()
        wanted = {"rows": 6003, "recorded": 5997, "known": 6, "refused_total": 0, "dry_run": True}
        self.assertEqual({key: answer[key] for key in wanted}, wanted)
        self.assertIn("6003 rows: 5997 to be recorded, 6 known, 0 refused",
                      self.put(text, "--dry-run").ok().out)
        self.assertEqual((len(node().log()), smalltree.figures(tree)), (before, figures))
        answer = self.put(text, "--json").ok().json()
        self.assertEqual((answer["recorded"], answer["known"]), (5997, 6))
        bad = self.put(head + "".join(rows[:2]) + f"{COMMUNE},nonsense,,1,\n", "--dry-run")
        self.assertEqual(bad.status, REFUSED)
        self.assertIn("nothing would be recorded", bad.err)

    def test_errors_in_a_file(self):
        """--errors FILE has all wrong rows, also more than a reply or the screen names."""
        path = tree.file("wrong.csv", "")
        os.unlink(path)
        text = "unit,measure,date,value\n" + "".join(
            f"{COMMUNE},fund_raised,2022-05-07,1\n{COMMUNE},nonsense,2022-05-07,1\n"
            f"{COMMUNE},fund_raised,2022-05-07,1e3\n" for _ in range(700))
        before = len(node().log())
        malformed = {line for line in range(2, 2102) if line % 3 == 1}
        unknown = {line for line in range(2, 2102) if line % 3 == 0}
        for words, wanted in ((["--dry-run", "--partial"], malformed | unknown), ([], malformed),
                              (["--partial"], malformed | unknown)):
            result = self.put(text, "--errors", path, *words)
            self.assertEqual(result.status, REFUSED)
            with open(path, encoding="utf-8") as file:
                found = list(csv.reader(file))
            os.unlink(path)
            self.assertEqual(found[0], ["line", "column", "reason"])
            lines = {int(row[0]): row[2] for row in found[1:]}
            self.assertEqual((set(lines), len(found) - 1), (wanted, len(wanted)), words)
            self.assertIn("1e3", lines[4])
        self.assertEqual(len(node().log()) - before, 700, "the good rows, once")
        there = tree.file("there.csv", "mine")
        self.assertLine(self.put(text, "--errors", there, "--partial"), REFUSED, there,
                        "makes a new file")
        with open(there, encoding="utf-8") as file:
            self.assertEqual(file.read(), "mine")
        self.assertEqual(len(node().log()) - before, 700, "refused before anything is recorded")

    def test_wide(self):
        """A column for each measure; what is empty is not recorded."""
        text = ("unit,date,key,fund_raised,\"accounts[group=cadre]\",grants\n"
                f"{COMMUNE},2022-03-01,w1,5,7,\n{COMMUNE},2022-03-02,w2,,,0.25\n")
        before = len(node().log())
        answer = self.put(text, "--json").ok().json()
        self.assertEqual((answer["rows"], answer["recorded"]), (3, 3))
        self.assertEqual([(row["measure"], row["category"], row["value"], row["key"])
                          for row in node().log()[before:]], [
            ("fund_raised", "", 5, "w1:fund_raised"),
            ("accounts", "group=cadre", 7, "w1:accounts[group=cadre]"),
            ("grants", "", 25, "w2:grants")])
        answer = self.put(text, "--json").ok().json()
        self.assertEqual((answer["recorded"], answer["known"]), (0, 3))
        for text, words in (
                (f"unit,fund_rased\n{COMMUNE},1\n",
                 ["standard input:1: measure fund_rased", "mean fund_raised?"]),
                (f"unit,fund_raised,grants\n{COMMUNE},1\n", ["standard input:2: the row has 2"]),
                (f"unit,grants\n{COMMUNE},\"1,5\"\n", ["standard input:2: column \"grants\"", "1,5"])):
            self.assertLine(self.put(text), REFUSED, *words)
        self.assertEqual(len(node().log()) - before, 3)


if __name__ == "__main__":
    harness.main()
