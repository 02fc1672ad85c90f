#!/usr/bin/env python3
"""Backups: taken while entries are recorded, put back on another machine, once and again; and what people do wrong with
them. Nothing is lost that the office above has, and nothing is counted twice.
"""

import os
import shutil
import sqlite3
import stat
import threading
import unittest

import harness
import smalltree
from harness import DONE, REFUSED, USAGE
from smalltree import COMMUNE, DISTRICT, PROVINCE

MONTH = "2023-03"
tree = None
counter = 0  # entries of the commune, each of the value of its number
others = 0  # the sum of the district's own


def setUpModule():
    global tree
    tree = smalltree.make()


def tearDownModule():
    if tree is not None:
        tree.stop()


def path(name):
    return os.path.join(tree.folder, name)


class Backups(unittest.TestCase):
    def setUp(self):
        self.commune = tree.nodes[COMMUNE]

    def give(self, count):
        """So many new entries at the commune."""
        global counter
        rows = "".join(f"{COMMUNE},fund_raised,{MONTH}-05,{n},key{n}\n" for n in range(counter + 1, counter + count + 1))
        counter += count
        self.commune.tally("import", "-", given="unit,measure,date,value,key\n" + rows).ok()

    def check(self):
        """Everything that was ever recorded is in every total, once."""
        tree.settle()
        for node in tree.nodes.values():
            want = counter * (counter + 1) // 2 + (0 if node is self.commune else others)
            self.assertEqual(node.total(node.unit, "fund_raised", MONTH), want, node.unit)
            self.assertEqual(node.tally("verify").status, DONE, node.unit)

    def backup(self, node, name):
        node.tally("backup", path(name)).ok()
        return path(name)

    def restore(self, node, file):
        """The node's directory is gone; it is made again from the file."""
        node.kill()
        shutil.rmtree(node.data)
        harness.tallyd("restore", "--data", node.data, file).ok()
        node.run()

    def test_a_while_recording(self):
        """One batch after the other is recorded while the copy is made: it has a whole number of them, and its database
        is sound."""
        self.give(3000)
        stop = threading.Event()

        def record():
            while not stop.is_set():
                self.give(50)
        recorder = threading.Thread(target=record)
        recorder.start()
        try:
            file = self.backup(self.commune, "busy.backup")
        finally:
            stop.set()
            recorder.join()
        self.assertEqual(stat.S_IMODE(os.stat(file).st_mode), 0o600)
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as db:
            self.assertEqual(db.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
            rows = db.execute("SELECT count(*) FROM entry WHERE own=1 AND kind<4").fetchone()[0]
        self.assertEqual(rows % 50, 0)
        self.assertGreaterEqual(rows, 3000)
        self.assertEqual([name for name in os.listdir(self.commune.data) if "part" in name], [])
        self.check()

    def test_b_commune_put_back_twice(self):
        """Recorded since: it comes back from the office above; also the second time from the same file."""
        self.give(20)
        tree.settle()
        file = self.backup(self.commune, "commune.backup")
        for _ in range(2):
            self.give(30)
            tree.settle()
            self.restore(self.commune, file)
            self.give(10)
            self.check()
            self.assertGreater(self.commune.status()["healed"]["entries"], 0)

    def test_c_district_put_back(self):
        """The office in the middle, on an empty machine, with its own entries since."""
        district = tree.nodes[DISTRICT]
        file = self.backup(district, "district.backup")
        global others
        others += 77
        district.tally("record", "43602", "fund_raised", 77, "--date", f"{MONTH}-02").ok()
        self.give(25)
        tree.settle()
        self.restore(district, file)
        self.check()
        self.give(5)
        self.check()

    def test_d_root_put_back(self):
        file = self.backup(tree.root, "root.backup")
        self.give(25)
        tree.settle()
        self.restore(tree.root, file)
        self.check()

    def test_e_mistakes(self):
        """Each is refused in one line, and what is there stays as it was."""
        file = self.backup(self.commune, "once.backup")
        before = self.commune.log()

        def refused(result, status, *words):
            self.assertEqual(result.status, status, result)
            self.assertEqual(result.err.count("\n"), 1, result)
            for word in words:
                self.assertIn(word, result.err)
        refused(self.commune.tally("backup", file), REFUSED, "is there already")
        refused(self.commune.tally("backup", path("no/such/folder")), REFUSED, "No such file")
        refused(self.commune.tally("backup"), USAGE, "FILE")
        refused(harness.tallyd("restore", "--data", self.commune.data, file), REFUSED, "in use")
        self.commune.stop()
        refused(harness.tallyd("restore", "--data", self.commune.data, file), REFUSED, "a node lives in")
        plain = shutil.copy(f"{self.commune.data}/tally.db", path("plain.db"))
        self.commune.run()
        new = path("new")
        refused(harness.tallyd("restore", "--data", new, plain), REFUSED, "is no backup")
        refused(harness.tallyd("restore", "--data", new, path("nothing")), REFUSED, "nothing")
        refused(harness.tallyd("restore", "--data", new, tree.file("text", "not a database at all")), REFUSED, "is no backup")
        refused(harness.tallyd("restore", "--data", new), USAGE, "the backup's file is missing")
        with open(file, "rb") as whole:
            content = whole.read()
        refused(harness.tallyd("restore", "--data", new, tree.file("short", content[:len(content) // 2])), REFUSED, "damaged")
        self.assertFalse(os.path.exists(new))
        for name, content, word in (("tally.db-wal", "left over", "belongs to a database that was moved away"),
                                    ("node.key", "another's", "is the key of another node")):
            left = path(f"left-{name}")
            os.mkdir(left)
            with open(os.path.join(left, name), "w", encoding="ascii") as there:
                there.write(content)
            refused(harness.tallyd("restore", "--data", left, file), REFUSED, word)
            self.assertEqual([found for found in os.listdir(left) if found != "lock"], [name])
            with open(os.path.join(left, name), encoding="ascii") as there:
                self.assertEqual(there.read(), content)
        self.assertEqual(self.commune.log(), before)

    def test_g_full_disk(self):
        """There is no room for the backup: nothing of it is left, and the node goes on."""
        disk = path("small")
        os.mkdir(disk)
        harness.mount_small_disk(disk, 64 * 1024)
        result = self.commune.tally("backup", os.path.join(disk, "b"))
        self.assertEqual(result.status, REFUSED, result)
        self.assertIn("free some room", result.err)
        self.assertEqual(os.listdir(disk), [])
        self.give(5)
        self.check()

    def test_f_running_copy(self):
        """The database alone, copied from under the running daemon and put in its place later: an old state like another."""
        self.give(40)
        tree.settle()
        copy = shutil.copy(f"{self.commune.data}/tally.db", path("running.db"))
        self.give(40)
        tree.settle()
        self.commune.kill()
        for tail in ("", "-wal", "-shm"):
            if os.path.exists(f"{self.commune.data}/tally.db{tail}"):
                os.unlink(f"{self.commune.data}/tally.db{tail}")
        shutil.copy(copy, f"{self.commune.data}/tally.db")
        self.commune.run()
        self.check()


if __name__ == "__main__":
    harness.main()
