#!/usr/bin/env python3
"""The root is put back to a backup from before offices joined and the catalogue grew. All of that comes back from below; a
machine whose place another one had taken does not.
"""

import os
import shutil
import sqlite3
import unittest

import harness
import smalltree
from harness import DONE, NO
from smalltree import CATALOGUE, COMMUNE, DISTRICT, PROVINCE

MONTH = "2023-03"
INVITED, IMPORTED, ITS_COMMUNE, REPLACED = "445", "446", "44601", "447"
MORE = CATALOGUE.replace("indicators:\n", "  - {code: boards, name: Boards, unit: board, kind: flow, level: district}\nindicators:\n")
tree = None


def setUpModule():
    global tree
    tree = smalltree.make()


def tearDownModule():
    if tree is not None:
        tree.stop()


def path(name):
    return os.path.join(tree.folder, name)


def numbers(root):
    """The number of each unit's hosting, from the root's file."""
    with sqlite3.connect(f"file:{root.data}/tally.db?mode=ro", uri=True) as db:
        return dict(db.execute("SELECT s.text,h.number FROM hosting h JOIN symbol s ON s.id=h.unit"))


def put_back(root, file):
    root.kill()
    shutil.rmtree(root.data)
    harness.tallyd("restore", "--data", root.data, file).ok()
    root.run()


class RootPutBack(unittest.TestCase):
    def record(self, unit, measure, value):
        node = tree.nodes.get(unit) or tree.nodes[IMPORTED]
        node.tally("record", unit, measure, value, "--date", f"{MONTH}-05").ok()

    def figures(self):
        """Every total that the root and the offices below it can give."""
        found = {}
        for node in tree.nodes.values():
            for by in ("--by=child", "--by=level=commune", "--by=category"):
                found[node.unit, by] = node.json("total", "-p", "2023", by)["totals"]
        return found

    def go_on(self):
        """What is decided and recorded after the backup; the machine that has been replaced."""
        tree.join(PROVINCE, INVITED, "--name", "Huyện mời", "--level", "district")
        rows = f"code,name,level,parent\n{IMPORTED},Huyện nhập,district,{PROVINCE}\n{ITS_COMMUNE},Xã nhập,commune,{IMPORTED}\n"
        tree.root.tally("unit", "import", tree.file("units.csv", rows)).ok()
        tree.join(PROVINCE, IMPORTED)
        old = tree.join(PROVINCE, REPLACED, "--name", "Huyện thay", "--level", "district")
        self.record(REPLACED, "fund_raised", 5000)
        tree.settle()
        old.stop()
        os.rename(old.data, path("old"))
        tree.join(PROVINCE, REPLACED, "--replace")
        old.data = path("old")
        old.log_path = path("old.log")
        tree.root.tally("apply", tree.file("more.yaml", MORE)).ok()
        for unit, value in ((COMMUNE, 7), (INVITED, 60), (IMPORTED, 700), (ITS_COMMUNE, 8000)):
            self.record(unit, "fund_raised", value)
        tree.settle()
        harness.wait_for(lambda: tree.nodes[IMPORTED].json("total", "-p", "2023")["catalog_version"] == 2, "the catalogue is there")
        self.record(IMPORTED, "boards", 3)
        tree.settle()
        return old

    def test_put_back(self):
        self.record(COMMUNE, "fund_raised", 1)
        tree.settle()
        file = path("root.backup")
        tree.root.tally("backup", file).ok()
        old = self.go_on()
        before, given = self.figures(), numbers(tree.root)
        self.assertEqual(tree.root.total(PROVINCE, "fund_raised", MONTH), 13768)
        put_back(tree.root, file)
        tree.settle()
        self.maxDiff = None
        self.assertEqual(self.figures(), before)
        self.assertEqual(tree.root.total(PROVINCE, "boards", MONTH), 3)
        self.assertEqual(numbers(tree.root), given)
        for node in tree.nodes.values():
            self.assertEqual(node.tally("verify").status, DONE, node.unit)
            self.assertEqual(node.tally("status").status, DONE, node.unit)
        notes = {child["unit"]: child.get("reason") for child in tree.root.status()["children"]}
        for unit in (INVITED, IMPORTED, REPLACED):
            self.assertIn("told this unit back", notes[unit])
        self.assertFalse(notes[DISTRICT])
        # The machine that had been replaced comes back, and stays outside.
        old.run()
        harness.wait_for(lambda: old.status()["parent"]["state"] == "refused", "the old machine is refused")
        self.assertEqual(old.tally("status").status, NO)
        old.stop()
        tree.settle()
        self.assertEqual(self.figures(), before)
        # What is decided from now on leaves room, and all goes on.
        tree.join(PROVINCE, "448", "--name", "Huyện sau", "--level", "district")
        self.record("448", "fund_raised", 10000)
        self.record(INVITED, "fund_raised", 1)
        tree.settle()
        self.assertGreaterEqual(numbers(tree.root)["448"], max(given.values()) + 900)
        self.assertEqual(tree.root.total(PROVINCE, "fund_raised", MONTH), 23769)
        tree.root.tally("apply", tree.file("last.yaml", MORE.replace("Boards", "Committees"))).ok()
        self.assertGreater(tree.root.json("total", "-p", "2023")["catalog_version"], 1000)
        for node in tree.nodes.values():
            self.assertEqual(node.tally("verify").status, DONE, node.unit)

    def test_nobody_tells(self):
        """No node below has shown yet that the root was put back: the numbers that it gives leave room all the same."""
        lone = harness.Tree("9", "Tỉnh lẻ", "province", CATALOGUE)
        try:
            lone.root.tally("backup", path("lone.backup")).ok()
            put_back(lone.root, path("lone.backup"))
            lone.join("9", "91", "--name", "Huyện một", "--level", "district")
            lone.settle()
            self.assertGreaterEqual(numbers(lone.root)["91"], 1000)
        finally:
            lone.stop()


if __name__ == "__main__":
    harness.main()
