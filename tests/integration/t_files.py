#!/usr/bin/env python3
"""The database of a running node is deleted, replaced by another file, or cut short. That is noticed within seconds, and
the process ends; what it had confirmed is in the data directory, and in every total once the node has started again.
"""

import os
import shutil
import sqlite3
import time
import unittest

import harness
import smalltree
from harness import DONE, REFUSED
from smalltree import COMMUNE, DISTRICT

MONTH = "2023-03"
NOTICED_S = 5


class Files(unittest.TestCase):
    def setUp(self):
        self.tree = smalltree.make()
        self.commune = self.tree.nodes[COMMUNE]
        self.recorded = 0

    def tearDown(self):
        self.tree.stop()

    def path(self, name):
        return os.path.join(self.commune.data, name)

    def record(self):
        """One more, of the value 1; whether it was confirmed."""
        done = self.commune.tally("record", COMMUNE, "fund_raised", 1, "--date", f"{MONTH}-05").status == DONE
        self.recorded += 1 if done else 0
        return done

    def until_it_ends(self):
        """People go on typing until the process has ended, which it must by itself."""
        self.commune.killed = True  # by what was done to its file
        since = time.monotonic()
        while self.commune.alive():
            self.record()
            self.assertLess(time.monotonic() - since, 4 * NOTICED_S, "it was not noticed")
        self.assertEqual(self.commune.process.wait(), REFUSED)
        harness.broom().say("gone", self.commune.process.pid)
        return self.commune.log_tail()

    def check(self):
        self.tree.settle()
        for node in self.tree.nodes.values():
            self.assertEqual(node.total(node.unit, "fund_raised", MONTH), self.recorded, node.unit)
            self.assertEqual(node.tally("verify").status, DONE, node.unit)

    def begin(self):
        """Some entries that are above, then some that are on this machine only."""
        for _ in range(3):
            self.assertTrue(self.record())
        self.tree.settle()
        self.tree.nodes[DISTRICT].stop()
        for _ in range(3):
            self.assertTrue(self.record())

    def check_written_again(self, *names):
        self.begin()
        for name in names:
            os.unlink(self.path(name))
        self.assertIn("has been written into tally.db again", self.until_it_ends())
        self.commune.run()
        self.assertEqual(len(self.commune.log()), self.recorded)
        self.tree.nodes[DISTRICT].run()
        self.check()

    def test_database_deleted(self):
        self.check_written_again("tally.db")

    def test_all_deleted(self):
        self.check_written_again("tally.db", "tally.db-wal", "tally.db-shm")

    def test_log_deleted(self):
        self.check_written_again("tally.db-wal")

    def test_replaced(self):
        """Somebody puts an old copy in the place of the file: the node goes on with that, and what it had is kept aside."""
        self.assertTrue(self.record())
        self.tree.settle()
        self.commune.stop()
        shutil.copy(self.path("tally.db"), os.path.join(self.tree.folder, "old.db"))
        self.commune.run()
        self.begin()
        os.rename(os.path.join(self.tree.folder, "old.db"), self.path("tally.db"))
        self.assertIn("another file was put in the place", self.until_it_ends())
        kept = [name for name in os.listdir(self.commune.data) if name.startswith("tally.db.kept-")]
        self.assertEqual(len(kept), 1, kept)
        with sqlite3.connect(f"file:{self.path(kept[0])}?mode=ro", uri=True) as db:
            self.assertEqual(db.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
            self.assertEqual(db.execute("SELECT count(*) FROM entry WHERE own=1 AND kind<4").fetchone()[0], self.recorded)
        self.commune.run()
        self.assertEqual(len(self.commune.log()), 1)
        self.tree.nodes[DISTRICT].run()
        everything, self.recorded = self.recorded, 4  # what the office above has
        self.check()
        # Then the right one is put back after all: the office above has gone on with the other, so this one is turned
        # away, with all it has, and no total changes.
        self.commune.stop()
        os.rename(self.path(kept[0]), self.path("tally.db"))
        self.commune.run()
        harness.wait_for(lambda: self.commune.status()["parent"]["state"] == "fenced", "it is turned away")
        self.assertEqual(len(self.commune.log()), everything)
        for node in (self.tree.root, self.tree.nodes[DISTRICT]):
            self.assertEqual(node.total(node.unit, "fund_raised", MONTH), 4, node.unit)

    def test_cut(self):
        self.begin()
        with open(self.path("tally.db"), "r+b") as file:
            file.truncate(8192)
        self.assertIn("was cut short", self.until_it_ends())


if __name__ == "__main__":
    harness.main()
