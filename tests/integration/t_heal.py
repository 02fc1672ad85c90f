#!/usr/bin/env python3
# labels: slow
"""Machines that are lost: a commune's disk, a state of last week put back with entries typed since, once and again, and
a machine whose data was copied and runs twice. Each time every total is what was recorded, each fact once; and what came
back is listed beside what was typed while it was missing.
"""

import os
import shutil
import threading
import unittest

import harness
import smalltree
from harness import DONE, NO, REFUSED, UNREACHABLE
from smalltree import COMMUNE, DISTRICT, PROVINCE

MONTH = "2023-03"


def rows(first, last, key="r"):
    """Lines of an import, one a value, each with its key."""
    head = "unit,measure,date,value,key\n"
    return head + "".join(f"{COMMUNE},fund_raised,{MONTH}-05,{value},{key}{value}\n" for value in range(first, last + 1))


def total_of(first, last):
    return sum(range(first, last + 1))


class Healing(unittest.TestCase):
    def setUp(self):
        self.tree = smalltree.make()
        self.commune = self.tree.nodes[COMMUNE]

    def tearDown(self):
        self.tree.stop()

    def give(self, text):
        return self.commune.json("import", "-", given=text)

    def check(self, value):
        """At every node whose subtree has the commune."""
        self.tree.settle()
        for node in self.tree.nodes.values():
            self.assertEqual(node.total(node.unit, "fund_raised", MONTH), value, node.unit)
        for node in self.tree.nodes.values():
            self.assertEqual(node.status()["alarms"], [], node.unit)
            self.assertEqual(node.tally("verify").status, DONE, node.unit)

    def keep(self, name):
        """A copy of the stopped commune's data."""
        self.commune.stop()
        copy = os.path.join(self.tree.folder, name)
        shutil.copytree(self.commune.data, copy)
        self.commune.run()
        return copy

    def put_back(self, copy):
        self.commune.stop()
        shutil.rmtree(self.commune.data)
        shutil.copytree(copy, self.commune.data)

    def test_disk_lost(self):
        """The disk is gone: the machine joins again in its place, and all of its ledger comes back."""
        self.give(rows(1, 700))
        entry = self.commune.tally("record", COMMUNE, "fund_raised", 5000, "--date", f"{MONTH}-09").line()
        self.commune.tally("amend", entry, 4000).ok()
        self.check(total_of(1, 700) + 4000)
        before = self.commune.log()
        self.commune.kill()
        shutil.rmtree(self.commune.data)
        token = self.tree.nodes[DISTRICT].tally("invite", COMMUNE, "--replace").line()
        harness.tallyd("join", "--data", self.commune.data, "--listen", self.commune.address, token).ok()
        self.commune.run()
        self.check(total_of(1, 700) + 4000)
        after = self.commune.log()
        self.assertEqual([row["entry"] for row in after], [row["entry"] for row in before])
        self.assertEqual([row["live"] for row in after], [row["live"] for row in before])
        self.assertTrue(all(row["healed_at"] and not row["meanwhile"] for row in after))
        self.assertEqual(self.commune.log("--healed"), after)
        healed = self.commune.status()["healed"]
        self.assertEqual((healed["entries"], healed["meanwhile"]), (702, 0))
        known = self.give(rows(1, 700))  # the same file once more
        self.assertEqual((known["recorded"], known["known"]), (0, 700))
        self.commune.tally("void", entry).ok()
        self.check(total_of(1, 700))

    def test_district_lost(self):
        """The office in the middle is gone, with units of its own and entries about them: its parent gives it back what it
        had decided and recorded, its child the rest. The root never says that less is exact."""
        self.give(rows(1, 60))
        district = self.tree.nodes[DISTRICT]
        for number in range(20):
            district.tally("record", "43602", "fund_raised", 1000 + number, "--date", f"{MONTH}-02").ok()
        district.tally("unit", "add", "43609", "--name", "Unit 43609", "--level", "commune").ok()
        district.tally("record", "43609", "fund_raised", 9, "--date", f"{MONTH}-03").ok()
        self.check_tiers(total_of(1, 60), 20190 + 9)
        before = [row["entry"] for row in district.log()]
        district.kill()
        shutil.rmtree(district.data)
        self.give(rows(61, 70))  # the commune goes on
        token = self.tree.root.tally("invite", DISTRICT, "--replace").line()
        harness.tallyd("join", "--data", district.data, "--listen", district.address, token).ok()
        district.start()
        stop = threading.Event()
        seen = []

        def watch():
            while not stop.is_set():
                answer = self.tree.root.json("total", PROVINCE, "-m", "fund_raised", "-p", MONTH)
                sources = answer["sources"]
                seen.append((answer["totals"][0]["value"], sources["exact"] == sources["nodes"]))
        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            district.wait_ready()
            self.check_tiers(total_of(1, 70), 20190 + 9)
        finally:
            stop.set()
            watcher.join()
        low, high = total_of(1, 60) + 20199, total_of(1, 70) + 20199
        self.assertEqual([value for value, _ in seen if value < low or value > high], [])
        self.assertEqual([value for value, exact in seen if exact and value != high], [])
        self.assertEqual([row["entry"] for row in district.log()], before)
        district.tally("record", "43609", "fund_raised", 1, "--date", f"{MONTH}-03").ok()
        self.check_tiers(total_of(1, 70), 20190 + 10)

    def test_commune_and_district_lost(self):
        """Both are gone, with entries that no office has any more: the root's total never falls. What the cells had come
        to is in the commune's ledger from then on, every office says how many entries are lost, and the work goes on."""
        self.give(rows(1, 40))
        entry = self.commune.tally("record", COMMUNE, "fund_raised", 5000, "--date", f"{MONTH}-09").line()
        self.commune.tally("amend", entry, 4000).ok()
        self.check(total_of(1, 40) + 4000)
        district = self.tree.nodes[DISTRICT]
        for node in (self.commune, district):
            node.kill()
            shutil.rmtree(node.data)
        token = self.tree.root.tally("invite", DISTRICT, "--replace").line()
        harness.tallyd("join", "--data", district.data, "--listen", district.address, token).ok()
        district.run()
        token = district.tally("invite", COMMUNE, "--replace").line()
        harness.tallyd("join", "--data", self.commune.data, "--listen", self.commune.address, token).ok()
        self.commune.start()
        stop = threading.Event()
        seen = []

        def watch():
            while not stop.is_set():
                try:
                    answer = self.tree.root.json("total", PROVINCE, "-m", "fund_raised", "-p", MONTH)
                    seen.append(answer["totals"][0]["value"])
                except Exception as why:  # pylint: disable=broad-exception-caught
                    seen.append(why)  # no total: which is seen below
                    return
        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            self.commune.wait_ready()
            self.commune.tally("record", COMMUNE, "fund_raised", 7, "--date", f"{MONTH}-10").ok()
            self.tree.settle()
        finally:
            stop.set()
            watcher.join()
        want = total_of(1, 40) + 4000
        self.assertLessEqual({want}, set(seen))
        self.assertLessEqual(set(seen), {want, want + 7})
        for node in (self.tree.root, district, self.commune):
            answer = node.json("total", COMMUNE, "-m", "fund_raised", "-p", MONTH)
            self.assertEqual(answer["totals"][0]["value"], want + 7, node.unit)
            self.assertEqual(answer["sources"]["lost"], 42, node.unit)
            node.tally("verify")  # the first one tells of it
            self.assertEqual(node.tally("verify").status, DONE, node.unit)
            self.assertEqual(node.status()["alarms"], [], node.unit)
        self.assertEqual(self.commune.status()["lost"], 42)
        self.assertEqual([child["lost"] for child in district.status()["children"]], [42])
        self.assertEqual([row["kind"] for row in self.commune.log()].count("lost"), 1)
        self.commune.kill()  # and the new one is lost, too: it comes back whole
        shutil.rmtree(self.commune.data)
        token = district.tally("invite", COMMUNE, "--replace").line()
        harness.tallyd("join", "--data", self.commune.data, "--listen", self.commune.address, token).ok()
        self.commune.run()
        self.check(want + 7)

    def check_tiers(self, commune, district):
        """What the commune and what the district has recorded."""
        self.tree.settle()
        for node in self.tree.nodes.values():
            want = commune + (0 if node is self.commune else district)
            self.assertEqual(node.total(node.unit, "fund_raised", MONTH), want, node.unit)
            self.assertEqual(node.status()["alarms"], [], node.unit)
            self.assertEqual(node.tally("verify").status, DONE, node.unit)

    def test_last_week_put_back(self):
        """A state of last week is put back, and people type on: some the same, by key and without, some
        new. All of it is there once but what was typed twice without a key, which is listed."""
        self.give(rows(1, 50))
        self.check(total_of(1, 50))
        old = self.keep("lastweek")
        self.give(rows(51, 100))
        lost = self.commune.tally("record", COMMUNE, "fund_raised", 7000, "--date", f"{MONTH}-20").line()
        self.check(total_of(1, 100) + 7000)
        self.tree.nodes[DISTRICT].stop()  # not linked while the people type again
        self.put_back(old)
        self.commune.run()
        self.give(rows(51, 80))  # the same file again
        again = self.commune.tally("record", COMMUNE, "fund_raised", 7000, "--date", f"{MONTH}-20").line()
        self.give(rows(101, 120))
        waiting = self.commune.status()["parent"]
        self.assertEqual(waiting["unescrowed_entries"], 51)
        self.assertIsNotNone(waiting["unescrowed_since"])
        self.tree.nodes[DISTRICT].run()
        self.check(total_of(1, 120) + 2 * 7000)
        listed = self.commune.log("--healed")
        self.assertEqual(sum(1 for row in listed if not row["meanwhile"]), 51)
        self.assertEqual(sum(1 for row in listed if row["meanwhile"]), 51)
        twice = [row["entry"] for row in listed if row["value"] == 7000]
        self.assertEqual(sorted(twice), sorted([lost, again]))
        self.assertEqual([row["meanwhile"] for row in listed if row["entry"] == again], [True])
        self.assertEqual(sum(1 for row in self.commune.log() if row["value"] == 60 and row["live"]), 1)
        text = self.commune.tally("status").ok().out
        self.assertIn("51 entries that this machine had lost came back", text)
        self.assertIn("51 more recorded while that was missing", text)
        self.commune.tally("void", again).ok()
        self.check(total_of(1, 120) + 7000)
        # The same old state once more, and typed in it again.
        self.put_back(old)
        self.commune.run()
        self.give(rows(101, 130))
        self.check(total_of(1, 130) + 7000)

    def test_two_machines(self):
        """A copy of the data runs beside the original, in turns: one of them is turned away and keeps what it has, and no
        total has anything twice."""
        self.give(rows(1, 20))
        self.check(total_of(1, 20))
        copied = self.keep("copy")
        self.give(rows(21, 30))
        self.check(total_of(1, 30))
        other = harness.Node(self.tree.folder, COMMUNE)
        other.data = copied
        with open(f"{copied}/tally.yaml", encoding="utf-8") as file:
            settings = file.read()
        with open(f"{copied}/tally.yaml", "w", encoding="utf-8") as file:  # the other machine has its own address
            file.write(settings.replace(self.commune.address, other.address))
        self.commune.stop()
        other.run()  # which the parent takes for the machine put back
        other.json("import", "-", given=rows(31, 40))
        self.tree.nodes[COMMUNE] = other
        self.check_at_root(total_of(1, 40))
        self.commune.start()  # the original again, beside it
        self.commune.wait_ready()
        harness.wait_for(lambda: self.commune.status()["parent"]["state"] == "fenced", "the original is turned away")
        reason = self.commune.status()["parent"]["reason"]
        self.assertIn("two machines have the data", reason)
        self.give(rows(41, 50))  # local work goes on
        self.assertEqual(self.commune.total(COMMUNE, "fund_raised", MONTH), total_of(1, 30) + total_of(41, 50))
        self.check_at_root(total_of(1, 40))
        other.stop()
        self.commune.stop()
        self.commune.run()
        harness.wait_for(lambda: self.commune.status()["parent"]["state"] == "fenced", "it is still turned away")
        self.assertEqual(self.tree.root.total(PROVINCE, "fund_raised", MONTH), total_of(1, 40))
        district = self.tree.nodes[DISTRICT].tally("status", "--json")
        self.assertEqual(district.status, NO)
        self.assertIn("child-refused", [alarm["code"] for alarm in district.json()["alarms"]])
        self.commune.stop()
        other.run()
        self.check_at_root(total_of(1, 40))
        # The office above ends it: the one that was turned away goes on, with what both have.
        district = self.tree.nodes[DISTRICT]
        for words in ("reissue", "43602"), ("reissue", "439"), ("reissue", DISTRICT):
            refused = district.tally(*words)
            self.assertEqual((refused.status, refused.out), (REFUSED, ""), words)
        token = district.tally("reissue", COMMUNE).line()
        self.assertIn("in use", self.join(other, token).err)
        self.commune.stop()
        elsewhere = self.tree.root.tally("reissue", DISTRICT).line()
        self.assertIn("the node of unit 43601 lives in", self.join(self.commune, elsewhere).err)
        self.assertIn("goes on with its data", self.join(self.commune, token, DONE).err)
        self.commune.run()
        self.tree.nodes[COMMUNE] = self.commune
        self.check(total_of(1, 50))
        self.assertEqual(other.status()["parent"]["state"], "refused")
        other.json("import", "-", given=rows(51, 55))
        self.check(total_of(1, 50))
        # And once more the other way: what was recorded there comes in too.
        other.stop()
        self.commune.stop()
        self.join(other, district.tally("reissue", COMMUNE).line(), DONE)
        other.run()
        self.tree.nodes[COMMUNE] = other
        self.check(total_of(1, 55))
        self.assertEqual(sum(1 for row in other.log() if row["live"]), 55)
        shutil.rmtree(self.commune.data)
        token = district.tally("reissue", COMMUNE).line()  # also a machine without data may have it
        other.stop()
        self.join(self.commune, token, DONE)
        self.commune.run()
        self.tree.nodes[COMMUNE] = self.commune
        self.check(total_of(1, 55))

    def test_reissue_interrupted(self):
        """A machine stops in the middle of taking its new identity, at each place: it does not run with half of one, and the
        same command goes on."""
        self.give(rows(1, 10))
        self.check(total_of(1, 10))
        self.commune.stop()
        data = self.commune.data
        before = os.path.join(self.tree.folder, "before")
        shutil.copytree(data, before)
        token = self.tree.nodes[DISTRICT].tally("reissue", COMMUNE).line()
        self.join(self.commune, token, DONE)
        after = os.path.join(self.tree.folder, "after")
        shutil.copytree(data, after)
        taken = ["node.key", "ca.key", "ca.crt", "node.crt"]
        self.assertEqual([name for name in os.listdir(after) if name.endswith(".next")], [])
        for renamed in range(4):
            for database in (before, after) if renamed == 0 else (after,):
                shutil.rmtree(data)
                shutil.copytree(before, data)
                shutil.copy(f"{database}/tally.db", f"{data}/tally.db")
                for place, name in enumerate(taken):
                    shutil.copy(f"{after}/{name}", f"{data}/{name}" if place < renamed else f"{data}/{name}.next")
                refused = harness.tallyd("run", "--data", data)
                self.assertEqual(refused.status, REFUSED)
                self.assertIn("once more", refused.err)
                self.join(self.commune, token, DONE)
                self.commune.run()
                self.check(total_of(1, 10))
                self.commune.stop()
        # Before the parent has answered nothing has changed: the node runs as it was, until it is answered.
        shutil.rmtree(data)
        shutil.copytree(before, data)
        self.tree.nodes[DISTRICT].stop()
        self.join(self.commune, token, UNREACHABLE)
        self.assertEqual(sorted(name for name in os.listdir(data) if name.endswith(".next")), ["ca.key.next", "node.key.next"])
        self.commune.run()
        self.assertEqual(self.commune.total(COMMUNE, "fund_raised", MONTH), total_of(1, 10))
        self.commune.stop()
        self.tree.nodes[DISTRICT].run()
        self.join(self.commune, self.tree.nodes[DISTRICT].tally("reissue", COMMUNE).line(), DONE)
        self.commune.run()
        self.check(total_of(1, 10))

    def join(self, node, token, status=REFUSED):
        answer = harness.tallyd("join", "--data", node.data, token)
        self.assertEqual(answer.status, status, answer.err)
        return answer

    def check_at_root(self, value):
        self.tree.settle()
        self.assertEqual(self.tree.root.total(PROVINCE, "fund_raised", MONTH), value)


if __name__ == "__main__":
    harness.main()
