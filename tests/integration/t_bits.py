#!/usr/bin/env python3
# labels: slow
"""Databases that are damaged while their node does not run: bits flipped at random places of a commune's and of a
district's file, and files whose header, tables or pages are gone. Each time the node starts again, by itself, with what
can be used, or with a new database beside the one that it has set aside; and every total is what was recorded, or the
node says that it is not well. A wrong total that nobody is told of is a failure. A root refuses, and says what to do.

The seed is printed; TALLY_SEED repeats it.
"""

import os
import random
import shutil
import sqlite3
import time
import unittest

import harness
import smalltree
from harness import DONE, LONG, NO, REFUSED
from smalltree import COMMUNE, DISTRICT, PROVINCE

FLIPS = 2000 if LONG else 24  # a half of them in either file
FLIPS_A_ROUND_MAX = 4
MONTHS = tuple(f"2023-{month:02}" for month in range(1, 7))
STARTS_MAX = 4
SOUND_LIMIT_S = 120 * harness.SLOWNESS
SECOND = "43602"

tree = None
recorded = {}  # (unit, measure, month): what it must come to, by what was given to the programs alone


def setUpModule():
    global tree
    tree = smalltree.make()
    tree.join(DISTRICT, SECOND)
    rng = random.Random(1)
    for unit, node in ((COMMUNE, COMMUNE), (SECOND, SECOND), ("43603", DISTRICT)):
        rows = ["unit,measure,date,value,key,note"]
        for number in range(60):
            month = rng.choice(MONTHS)
            value = rng.randrange(-500, 5000)
            rows.append(f"{unit},fund_raised,{month}-{rng.randrange(1, 28):02},{value},k{number},note {number}")
            add(unit, month, value)
        tree.nodes[node].tally("import", "-", given="\n".join(rows) + "\n").ok()
    for unit, node in ((COMMUNE, COMMUNE), ("43603", DISTRICT)):
        entry = tree.nodes[node].tally("record", unit, "fund_raised", 900, "--date", "2023-02-03").line()
        tree.nodes[node].tally("amend", entry, 700).ok()
        add(unit, "2023-02", 700)
        gone = tree.nodes[node].tally("record", unit, "fund_raised", 77, "--date", "2023-03-03").line()
        tree.nodes[node].tally("void", gone).ok()
        tree.nodes[node].tally("record", unit, "population", 5000, "--date", "2023-01-01").ok()
    tree.settle()


def tearDownModule():
    if tree is not None:
        tree.stop()


def add(unit, month, value):
    recorded[unit, month] = recorded.get((unit, month), 0) + value


def wanted(units, month):
    return sum(value for (unit, when), value in recorded.items() if unit in units and when == month)


BELOW = {PROVINCE: (COMMUNE, SECOND, "43603"), DISTRICT: (COMMUNE, SECOND, "43603"), COMMUNE: (COMMUNE,),
         SECOND: (SECOND,)}


def wrong_totals(node):
    """What the node says that was never recorded; its own answer to who is missing from it beside that."""
    found = []
    for unit, units in BELOW.items():
        if not unit.startswith(node.unit):
            continue
        rows = node.json("total", unit, "-m", "fund_raised", "-p", "2023", "--by", "period")["totals"]
        for row in rows:
            want = wanted(units, row["period"])
            if row["value"] != want:
                found.append(f"{node.unit} says of {unit} {row['period']}: {row['value']}, not {want}")
    people = node.total(node.unit, "population", "2023")
    want = 5000 * len([unit for unit in BELOW[node.unit] if unit != SECOND])
    if people != want:
        found.append(f"{node.unit} says population {people}, not {want}")
    return found


class Damage(unittest.TestCase):
    def setUp(self):
        self.refused = False

    def path(self, node, name="tally.db"):
        return os.path.join(node.data, name)

    def set_aside(self, node):
        return sorted(name for name in os.listdir(node.data)
                      if name.startswith("tally.db.damaged-") and not name.endswith("-wal"))

    def clear(self, node):
        for name in self.set_aside(node):
            for file in (name, name + "-wal"):
                if os.path.exists(self.path(node, file)):
                    os.unlink(self.path(node, file))

    def damage(self, node, change):
        """Changes the stopped node's file; a good copy of it stays beside it for what refuses to start."""
        self.clear(node)
        self.assertEqual(node.stop(), DONE)
        shutil.copy(self.path(node), os.path.join(tree.folder, "good.db"))
        change(self.path(node))
        node.start()

    def keep_running(self, node):
        """As a service manager: what ends is started again, a few times."""
        if node.alive():
            return True
        harness.broom().say("gone", node.process.pid)
        self.starts += 1
        if self.starts > STARTS_MAX:
            return False
        node.start()
        return True

    def look(self, node):
        """None when all is as it was recorded; else why not."""
        status = node.tally("status", "--json")
        if status.status not in (DONE, NO):
            return "no answer"
        reason = tree.unsettled()
        if reason is not None:
            return reason
        wrong = [text for each in tree.nodes.values() for text in wrong_totals(each)]
        alarms = [alarm for each in tree.nodes.values() for alarm in each.status()["alarms"]]
        if wrong and not alarms and self.verify(node) == DONE:
            self.silent = wrong
        return "; ".join(wrong) or None

    def verify(self, node):
        return node.tally("verify").status

    def until_sound(self, node):
        """How it came out: "harmless", "mended", "made anew" or "refused"."""
        self.starts = 0
        self.silent = None
        alarmed = False
        end = time.monotonic() + SOUND_LIMIT_S
        why = None
        while time.monotonic() < end:
            if not self.keep_running(node):
                return "refused"
            try:
                why = self.look(node)
                alarms = [each for each in tree.nodes.values() if each.status()["alarms"]]
                for each in alarms:
                    self.verify(each)  # what has been repaired is not told for ever
                clean = why is None and self.verify(node) == DONE and not alarms
                alarmed = alarmed or bool(alarms)
            except harness.Failed as failed:
                why, clean = str(failed), False
            if clean and node.alive():
                break
            time.sleep(harness.POLL_S)
        else:
            self.fail(f"not sound after {SOUND_LIMIT_S} s: {why}; {node.status()['alarms']}")
        if self.set_aside(node):
            return "made anew"
        return "mended" if alarmed else "harmless"

    def put_back(self, node):
        shutil.copy(os.path.join(tree.folder, "good.db"), self.path(node))
        for name in ("tally.db-wal", "tally.db-shm"):
            if os.path.exists(self.path(node, name)):
                os.unlink(self.path(node, name))
        node.run()
        self.assertNotEqual(self.until_sound(node), "refused")

    def flip_some(self, unit, rng, flips):
        """Rounds of a few flips each; {how it came out: rounds}."""
        node = tree.nodes[unit]
        outcomes = {}
        while flips > 0:
            some = min(flips, rng.choice((1, 1, 2, FLIPS_A_ROUND_MAX)))
            flips -= some
            places = []

            def change(path):
                with open(path, "r+b") as file:
                    size = os.path.getsize(path)
                    for _ in range(some):
                        bit = rng.randrange(size * 8)
                        places.append(bit)
                        file.seek(bit // 8)
                        byte = file.read(1)[0] ^ 1 << bit % 8
                        file.seek(bit // 8)
                        file.write(bytes([byte]))
            self.damage(node, change)
            outcome = self.until_sound(node)
            self.assertIsNone(self.silent, f"bits {places} of {unit}'s file")
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
            if outcome not in ("harmless", "mended"):
                print(f"  {unit}: bits {places}: {outcome}", flush=True)
            if outcome == "refused":
                print(node.log_tail(2), flush=True)
                self.put_back(node)
        return outcomes

    def test_bits(self):
        """Random bits of a commune's and of a district's file."""
        seed = int(os.environ.get("TALLY_SEED") or random.SystemRandom().randrange(1 << 32))
        print(f"  TALLY_SEED={seed}", flush=True)
        rng = random.Random(seed)
        for unit in (COMMUNE, DISTRICT):
            outcomes = self.flip_some(unit, rng, FLIPS // 2)
            print(f"  {unit}: {FLIPS // 2} bits flipped, rounds: {outcomes}", flush=True)

    # ---- what cannot be used at all ----

    def check_made_anew(self, change, word):
        for unit in (COMMUNE, DISTRICT):
            with self.subTest(unit=unit):
                node = tree.nodes[unit]
                before = node.log()
                self.damage(node, change)
                seen = []

                def told():
                    self.assertTrue(self.keep_running(node), node.log_tail())
                    result = node.tally("status", "--json")
                    if result.status not in (DONE, NO):
                        return False
                    seen[:] = [alarm["text"] for alarm in result.json()["alarms"] if alarm["code"] == "set-aside"]
                    return bool(seen)
                self.starts = 0
                harness.wait_for(told, "the file is set aside, and named")
                name = self.set_aside(node)
                self.assertEqual(len(name), 1)
                self.assertIn(name[0], seen[0])
                self.assertIn(word, seen[0])
                self.assertEqual(self.until_sound(node), "made anew")
                self.assertIsNone(self.silent)
                self.assertEqual([(row["entry"], row["live"]) for row in node.log()],
                                 [(row["entry"], row["live"]) for row in before])
                self.assertEqual(os.stat(self.path(node, "node.identity")).st_mode & 0o777, 0o600)

    @staticmethod
    def overwrite(at, length, byte):
        def change(path):
            with open(path, "r+b") as file:
                file.seek(at)
                file.write(bytes([byte]) * length)
        return change

    @staticmethod
    def replace(old, new):
        """A text of the schema, in place."""
        def change(path):
            with open(path, "r+b") as file:
                content = file.read()
                assert content.count(old) > 0 and len(old) == len(new)
                at = content.index(old)
                file.seek(at)
                file.write(new)
        return change

    def test_header(self):
        self.check_made_anew(self.overwrite(0, 100, 0), "")

    def test_emptied(self):
        self.check_made_anew(lambda path: os.truncate(path, 0), "emptied")

    def test_cut(self):
        self.check_made_anew(lambda path: os.truncate(path, 8192), "")

    def test_schema(self):
        """A letter of the name of a column, and of a rule that nothing would stumble over."""
        self.check_made_anew(self.replace(b"now_value INTEGER", b"now_valuf INTEGER"), "entry")
        self.check_made_anew(self.replace(b"length(hash)=32", b"length(hash)=30"), "form of its")

    def test_page(self):
        """The page at which the table of entries begins is zeroed."""
        def change(path):
            with sqlite3.connect(path) as file:
                page = file.execute("SELECT rootpage FROM sqlite_schema WHERE name='entry'").fetchone()[0]
                size = file.execute("PRAGMA page_size").fetchone()[0]
            file.close()
            self.overwrite((page - 1) * size, size, 0)(path)
        self.check_made_anew(change, "")

    def sql(self, statement):
        def change(path):
            with sqlite3.connect(path) as file:
                self.assertGreaterEqual(file.execute(statement).rowcount, 1)
            file.close()
        return change

    def test_identity(self):
        """Who the node is, where its parent is, what the root has signed."""
        for statement in ("UPDATE fact SET value = x'00112233445566778899aabbccddeeff' WHERE name = 'node'",
                          "UPDATE fact SET value = value + 1 WHERE name = 'hosting'",
                          "DELETE FROM fact WHERE name = 'origin'"):
            self.check_made_anew(self.sql(statement), "who this node is")

        def rename(path):
            with sqlite3.connect(path) as file:
                old = file.execute("SELECT value FROM fact WHERE name='catalogue'").fetchone()[0]
                self.assertIn(b"Money raised", old)
                file.execute("UPDATE fact SET value=? WHERE name='catalogue'",
                             (old.replace(b"Money raised", b"Money raiseD"),))
            file.close()
        self.check_made_anew(rename, "signed")

    def test_chain(self):
        """An own entry that is not what was recorded: found by the recomputation while it runs, which ends the process
        when all of it is above; the hash of the last one, by which the machine looks like another one."""
        for statement, word in (
                ("UPDATE entry SET value = value + 1 WHERE own = 1 AND kind = 1 AND seq = 9", "ledger entry"),
                ("UPDATE entry SET hash = zeroblob(32) WHERE own = 1 AND (segment, seq) IN (SELECT segment, seq FROM "
                 "entry WHERE own = 1 ORDER BY recorded_at DESC, segment DESC, seq DESC LIMIT 1)", "ledger entry")):
            self.check_made_anew(self.sql(statement), word)

    def test_index(self):
        """An index that does not fit its table."""
        def change(path):
            with sqlite3.connect(path) as file:
                file.execute("PRAGMA writable_schema=1")
                sql = file.execute("SELECT sql FROM sqlite_schema WHERE name='entry_by_key'").fetchone()[0]
                file.execute("DROP INDEX entry_by_key")
                file.execute("CREATE INDEX entry_by_key ON entry(key) WHERE own = 1 AND seq < 3")
                file.execute("UPDATE sqlite_schema SET sql=? WHERE name='entry_by_key'", (sql,))
            file.close()
        self.check_made_anew(change, "table entry")

    def test_while_it_runs(self):
        """All but the first page of the file of a running node is overwritten: what it reads may come from memory, but
        a query finds out, the process ends, and the next one goes on with a new file."""
        node = tree.nodes[COMMUNE]
        self.clear(node)
        before = node.log()
        node.stop()
        node.run()
        size = os.path.getsize(self.path(node))
        self.overwrite(4096, size - 4096, 0xa5)(self.path(node))
        node.killed = True  # by what was done to its file
        harness.wait_for(lambda: node.tally("log").status != DONE and not node.alive(), "the process has ended")
        self.assertEqual(node.process.wait(), REFUSED)
        node.killed = False
        self.assertEqual(self.until_sound(node), "made anew")
        self.assertEqual([row["entry"] for row in node.log()], [row["entry"] for row in before])

    def test_root(self):
        """Nobody has a copy of the root's entries: it stays where it is, and says what to do."""
        root = tree.root
        self.assertEqual(root.stop(), DONE)
        good = os.path.join(tree.folder, "root.db")
        shutil.copy(self.path(root), good)
        for change in (self.overwrite(0, 100, 0), self.replace(b"now_value INTEGER", b"now_valuf INTEGER"),
                       self.sql("DELETE FROM fact WHERE name = 'origin'")):
            change(self.path(root))
            result = harness.tallyd("run", "--data", root.data)
            self.assertEqual((result.status, result.out), (REFUSED, ""), str(result))
            for words in ("the root's own entries have no copy", "tallyd restore", "tally.db"):
                self.assertIn(words, result.err)
            self.assertEqual(self.set_aside(root), [])
            shutil.copy(good, self.path(root))
        root.run()
        tree.settle()

    def test_killed_on_the_way(self):
        """Whatever stops the setting aside, the next start goes on from there, and nothing is put over anything."""
        node = tree.nodes[COMMUNE]
        name = "tally.db.damaged-20230101T000000Z"
        for step in range(4):
            self.clear(node)
            self.assertEqual(node.stop(), DONE)
            self.overwrite(0, 100, 0)(self.path(node))
            with open(self.path(node, "tally.db-wal"), "wb") as file:
                file.write(b"log of the damaged one")
            with open(self.path(node), "rb") as file:
                damaged = file.read()
            with open(self.path(node, "aside"), "w", encoding="utf-8") as file:
                file.write(f"{name}\nbecause\n")
            if step >= 1:
                os.rename(self.path(node), self.path(node, name))
            if step >= 2:
                os.rename(self.path(node, "tally.db-wal"), self.path(node, name + "-wal"))
            if step >= 3:  # half of a new one
                with open(self.path(node, "tally.db.part"), "wb") as file:
                    file.write(b"half")
            node.run()
            self.starts = 0
            self.assertEqual(self.until_sound(node), "made anew")
            self.assertFalse(os.path.exists(self.path(node, "aside")))
            with open(self.path(node, name), "rb") as file:
                self.assertEqual(file.read(), damaged)
            with open(self.path(node, name + "-wal"), "rb") as file:
                self.assertEqual(file.read(), b"log of the damaged one")
        # The new one was there already: it stays.
        before = node.log()
        self.assertEqual(node.stop(), DONE)
        with open(self.path(node, "aside"), "w", encoding="utf-8") as file:
            file.write(f"{name}\nbecause\n")
        node.run()
        self.assertEqual(node.log(), before)

    def test_too_many(self):
        """A directory with many databases set aside is on a disk that fails: the next one stays where it is."""
        node = tree.nodes[COMMUNE]
        self.assertEqual(node.stop(), DONE)
        shutil.copy(self.path(node), os.path.join(tree.folder, "good.db"))
        names = [f"tally.db.damaged-2023010{day}T000000Z" for day in range(1, 6)]
        for name in names:
            with open(self.path(node, name), "wb") as file:
                file.write(b"x")
        self.overwrite(0, 100, 0)(self.path(node))
        result = harness.tallyd("run", "--data", node.data)
        self.assertEqual(result.status, REFUSED)
        self.assertIn("disk fails", result.err)
        self.clear(node)
        self.put_back(node)


if __name__ == "__main__":
    harness.main()
