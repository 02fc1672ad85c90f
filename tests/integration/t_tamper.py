#!/usr/bin/env python3
"""A district's database is changed behind its back while it is stopped: one cell, one total, one entry of its own
or of its escrow, each alone. It raises an alarm, `tally verify` ends with 1 and names what was changed; a cell, a
total and what is kept beside an entry mend themselves at the first mark after the recomputation that follows the
start. For an entry the file is set aside as soon as all that is in it is somewhere else too, and made anew.
"""

import sqlite3
import unittest

import harness
import smalltree
from harness import DONE, NO, REFUSED
from smalltree import COMMUNE, DISTRICT, PROVINCE

tree = None


def setUpModule():
    global tree
    tree = smalltree.make()
    rows = "".join(f"{COMMUNE},fund_raised,2023-{month:02}-05,{month * 1000}\n" for month in range(1, 7))
    tree.nodes[COMMUNE].tally("import", "-", given="unit,measure,date,value\n" + rows).ok()
    tree.nodes[DISTRICT].tally("record", "43602", "fund_raised", 17, "--date", "2023-02-02").ok()
    tree.settle()


def tearDownModule():
    if tree is not None:
        tree.stop()


def all_totals():
    return {unit: node.json("total", unit, "-p", "2023", "--by", "period")["totals"]
            for unit, node in tree.nodes.items()}


class Tampering(unittest.TestCase):
    def tamper(self, statement, *values):
        """Runs the statement on the stopped district's file; it must change one row."""
        node = tree.nodes[DISTRICT]
        node.stop()
        with sqlite3.connect(f"{node.data}/tally.db") as file:
            self.assertEqual(file.execute(statement, values).rowcount, 1)
        file.close()
        node.start()
        node.wait_ready()

    def alarm(self):
        """The text of the alarm about damage, once it is there."""
        found = []

        def raised():
            found[:] = [alarm["text"] for alarm in tree.nodes[DISTRICT].status()["alarms"]
                        if alarm["code"] == "damage"]
            return bool(found)
        harness.wait_for(raised, "the alarm about damage")
        return found[0]

    def verify(self):
        result = tree.nodes[DISTRICT].tally("verify", "--json")
        return result.status, result.json()

    def check_mends(self, statement, *values, names):
        before = all_totals()
        self.tamper(statement, *values)
        text = self.alarm()
        for name in names:
            self.assertIn(name, text)
        tree.settle()
        harness.wait_for(lambda: all_totals() == before, "the totals are as before")
        status, answer = self.verify()
        self.assertEqual((status, answer["ok"]), (NO, False), answer)
        for name in names:
            self.assertTrue(any(name in fault for fault in answer["faults"]), (name, answer))
        harness.wait_for(lambda: self.verify()[0] == DONE, "verify finds nothing more")
        self.assertEqual(tree.nodes[DISTRICT].status()["alarms"], [])
        self.assertEqual(all_totals(), before)

    def test_cell(self):
        """A cell that came from the commune: named by unit, measure and period, fetched again, mended."""
        self.check_mends(
            "UPDATE cell SET value = value + 1 WHERE value = 3000", names=(COMMUNE, "fund_raised", "2023-03"))

    def test_own_cell(self):
        """A cell of the district's own: computed again from its ledger."""
        self.check_mends(
            "UPDATE cell SET value = 99 WHERE value = 17", names=("43602", "fund_raised", "2023-02"))

    def test_total(self):
        """A total: named by unit, measure and period, computed again."""
        self.check_mends(
            "UPDATE total SET low = low + 5 WHERE low = 4000 AND unit = (SELECT unit FROM cell WHERE value = 4000)",
            names=(COMMUNE, "fund_raised", "2023-04"))

    def test_own_state(self):
        """What is kept beside an own entry, outside its hash: written anew from the entries."""
        entry = next(row["entry"] for row in tree.nodes[DISTRICT].log() if row["value"] == 17)
        self.check_mends("UPDATE entry SET now_value = 18 WHERE value = 17 AND own = 1", names=(entry, "43602"))

    def test_y_own_entry_and_cell(self):
        """The value of an own entry, its state and its cell, so that they agree: the chain tells, the cell is not made
        again from such a ledger, and the parent gives the entry back as it was recorded."""
        entry = next(row["entry"] for row in tree.nodes[DISTRICT].log() if row["value"] == 17)
        self.check_made_anew(entry, "UPDATE entry SET value = 18, now_value = 18 WHERE value = 17 AND own = 1")
        self.assertEqual([row["value"] for row in tree.nodes[DISTRICT].log() if row["entry"] == entry], [17])

    def test_z_escrow(self):
        """The value of an entry in escrow, not its hash: no total is wrong, and the child sends it again."""
        entry = next(row["entry"] for row in tree.nodes[COMMUNE].log() if row["value"] == 5000)
        self.check_made_anew(entry, "UPDATE entry SET value = value + 1 WHERE value = 5000 AND own = 0")

    def test_z_escrow_of_one_who_is_away(self):
        """The same while the child is not there: its escrow is all that there is of it, so the file stays, and the
        alarm, until the child is back."""
        entry = next(row["entry"] for row in tree.nodes[COMMUNE].log() if row["value"] == 4000)
        before = all_totals()
        tree.nodes[COMMUNE].stop()
        self.tamper("UPDATE entry SET value = value + 1 WHERE value = 4000 AND own = 0")
        self.assertIn(entry, self.alarm())
        for _ in range(2):
            status, answer = self.verify()
            self.assertEqual((status, answer["ok"]), (NO, False), answer)
            self.assertTrue(any(entry in fault for fault in answer["faults"]), (entry, answer))
        self.assertTrue(tree.nodes[DISTRICT].alive())
        tree.nodes[COMMUNE].run()
        self.check_ends(entry, before)

    def check_made_anew(self, entry, statement):
        before = all_totals()
        self.tamper(statement)
        self.check_ends(entry, before)

    def check_ends(self, entry, before):
        """The process ends by itself; the next one goes on with a new file, names the old one, and has everything."""
        node = tree.nodes[DISTRICT]
        node.killed = True  # by what was done to its file
        harness.wait_for(lambda: not node.alive(), "the process has ended")
        self.assertEqual(node.process.wait(), REFUSED)
        harness.broom().say("gone", node.process.pid)
        self.assertIn(entry, node.log_tail())
        node.run()
        aside = [alarm["text"] for alarm in node.status()["alarms"] if alarm["code"] == "set-aside"]
        self.assertEqual(len(aside), 1, aside)
        self.assertIn("tally.db.damaged-", aside[0])
        tree.settle()
        self.assertEqual(all_totals(), before)
        harness.wait_for(lambda: self.verify()[0] == DONE, "verify finds nothing more")
        self.assertEqual(node.status()["alarms"], [])


if __name__ == "__main__":
    harness.main()
