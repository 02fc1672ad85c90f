#!/usr/bin/env python3
"""Bundles: a commune that no network reaches, whose figures travel on a stick; lost, old and repeated ones; then the
network. What a stick tells whoever finds it, and what people do wrong with one. A machine that was turned away, whose
entries come home on a stick.
"""

import ctypes
import os
import shutil
import threading
import unittest

import harness
import smalltree
from harness import DONE, NO, REFUSED, USAGE
from smalltree import COMMUNE, DISTRICT

MONTH = "2023-03"
NEW_NETWORK = 0x40000000  # of unshare(2): no interface but a loopback that is down


def leave_network():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(NEW_NETWORK) != 0:
        raise OSError(ctypes.get_errno(), "unshare")


class Bundles(unittest.TestCase):
    def setUp(self):
        self.tree = smalltree.make()
        self.commune = self.tree.nodes[COMMUNE]
        self.district = self.tree.nodes[DISTRICT]
        self.written = 0

    def tearDown(self):
        self.tree.stop()

    def unplug(self, node):
        node.stop()
        node.start(preexec_fn=leave_network)
        node.wait_ready()

    def plug(self, node):
        node.stop()
        node.run()

    def path(self, name):
        return os.path.join(self.tree.folder, name)

    def write(self, node, *args):
        self.written += 1
        path = self.path(f"{self.written}.bundle")
        node.tally("bundle", "write", path, *args).ok()
        return path

    def carry(self, node, to, *args):
        """Writes at one node, reads at the other; what came of it."""
        return to.json("bundle", "read", self.write(node, *args))

    def give(self, first, last, node=None):
        """An entry for each of the values."""
        rows = "".join(f"{COMMUNE},fund_raised,{MONTH}-05,{n},key{n}\n" for n in range(first, last + 1))
        (node or self.commune).tally("import", "-", given="unit,measure,date,value,key\n" + rows).ok()

    def check(self, value, nodes=None):
        def there():
            return all(node.total(node.unit, "fund_raised", MONTH) == value for node in nodes or self.tree.nodes.values())
        harness.wait_for(there, f"{value} is everywhere")

    def test_no_network(self):
        """Bundles only: some lost, one late, one twice; the answers. Then the network is plugged in, and nothing changes."""
        above = [self.district, self.tree.root]
        self.give(1, 10)
        self.tree.settle()
        self.unplug(self.commune)
        self.give(11, 300)
        lost = self.write(self.commune)
        self.give(301, 400)
        second = self.write(self.commune)
        read = self.district.json("bundle", "read", second)
        self.assertEqual((read["kind"], read["unit"], read["outcome"]), ("feed", COMMUNE, "taken"))
        self.assertEqual((read["entries"], read["refused"], read["exact"]), (390, 0, True))
        self.check(400 * 401 // 2)
        self.assertEqual(self.district.json("bundle", "read", second)["outcome"], "old")
        late = self.district.json("bundle", "read", lost)
        self.assertEqual((late["outcome"], late["entries"]), ("behind", 0))
        self.check(400 * 401 // 2)
        self.assertEqual(self.commune.status()["parent"]["unescrowed_entries"], 390)

        # whoever waits for the office above is answered by its answer
        waiter = []
        wait = threading.Thread(target=lambda: waiter.append(self.commune.tally(
            "record", COMMUNE, "fund_raised", 7, "--date", f"{MONTH}-06", "--wait", "parent", "--timeout", "60")))
        wait.start()
        harness.wait_for(lambda: len(self.commune.log()) == 401, "the entry is recorded")
        self.carry(self.commune, self.district)
        self.assertTrue(wait.is_alive())
        answer = self.carry(self.district, self.commune, "--to", COMMUNE)
        wait.join()
        self.assertEqual(waiter[0].status, DONE, waiter[0])
        self.assertEqual((answer["kind"], answer["unit"], answer["exact"]), ("answer", COMMUNE, True))
        self.assertEqual(self.commune.status()["parent"]["unescrowed_entries"], 0)

        # a new catalogue comes on a stick too
        catalogue = self.tree.file("more.yaml", smalltree.CATALOGUE.replace(
            "indicators:", "  - {code: books, name: Books, unit: book, kind: flow, level: commune}\nindicators:"))
        self.tree.root.tally("apply", catalogue).ok()
        harness.wait_for(lambda: self.district.status()["catalog_version"] == 2, "the district has the catalogue")
        self.carry(self.district, self.commune, "--to", COMMUNE)
        self.commune.tally("record", COMMUNE, "books", 3, "--date", f"{MONTH}-07").ok()
        self.carry(self.commune, self.district)
        self.assertEqual(self.district.total(COMMUNE, "books", MONTH), 3)

        self.check(400 * 401 // 2 + 7)
        self.assertEqual([node["state"] for node in self.district.status()["children"]], ["offline"])
        self.plug(self.commune)
        self.give(401, 410)
        self.tree.settle()
        self.check(410 * 411 // 2 + 7)
        self.assertEqual(self.district.json("bundle", "read", lost)["entries"], 0)
        self.tree.settle()
        self.check(410 * 411 // 2 + 7)
        for node in [self.commune, *above]:
            self.assertEqual(node.status()["alarms"], [], node.unit)
            self.assertEqual(node.tally("verify").status, DONE, node.unit)

    def test_put_back(self):
        """A state of last week is put back where no network is, with entries typed since."""
        self.unplug(self.commune)
        self.give(1, 50)
        self.carry(self.commune, self.district)
        backup = self.path("week.backup")
        self.commune.tally("backup", backup).ok()
        self.give(51, 80)
        self.carry(self.commune, self.district)
        self.commune.kill()
        shutil.rmtree(self.commune.data)
        harness.tallyd("restore", "--data", self.commune.data, backup).ok()
        self.commune.start(preexec_fn=leave_network)
        self.commune.wait_ready()
        self.give(71, 90)  # some of them the same as before
        read = self.carry(self.commune, self.district)
        self.assertEqual((read["outcome"], read["entries"]), ("behind", 20))
        answer = self.carry(self.district, self.commune, "--to", COMMUNE)
        self.assertEqual(answer["healed"], 30)
        self.assertEqual(self.commune.total(COMMUNE, "fund_raised", MONTH), 90 * 91 // 2)
        self.carry(self.commune, self.district)
        self.check(90 * 91 // 2)
        self.assertEqual(len(self.commune.log("--healed")), 30 + 20)
        for _ in range(2):
            self.carry(self.district, self.commune, "--to", COMMUNE)
            self.carry(self.commune, self.district)
        self.assertEqual(self.commune.status()["parent"]["unescrowed_entries"], 0)
        self.plug(self.commune)
        self.tree.settle()
        self.check(90 * 91 // 2)
        self.assertEqual(self.commune.status()["alarms"], [])

    def test_turned_away(self):
        """Two machines have the data of the commune; what the one that was turned away has recorded comes to the other on a
        stick."""
        self.give(1, 5)
        self.tree.settle()
        self.commune.stop()
        copy = harness.Node(self.tree.folder, "copy")
        shutil.copytree(self.commune.data, copy.data)
        settings = os.path.join(copy.data, "tally.yaml")
        with open(settings, encoding="utf-8") as file:
            text = file.read()
        with open(settings, "w", encoding="utf-8") as file:
            file.write(text.replace(self.commune.address, copy.address))
        self.commune.run()
        self.give(6, 9)
        self.tree.settle()
        copy.run()
        harness.wait_for(lambda: copy.status()["parent"]["state"] == "fenced", "the copy is turned away")
        self.give(10, 12, copy)
        read = self.carry(copy, self.district)
        self.assertEqual((read["outcome"], read["entries"]), ("behind", 3))
        copy.stop()
        self.check(12 * 13 // 2)
        self.tree.settle()
        self.assertEqual(self.commune.status()["parent"]["state"], "linked")
        self.assertEqual(len(self.commune.log("--healed")), 3)
        self.assertEqual(self.commune.tally("verify").status, DONE)

    def test_mistakes(self):
        """Each a clear line, and nothing is different afterwards."""
        self.give(1, 40)
        self.tree.settle()
        self.commune.tally("record", COMMUNE, "fund_raised", 1234567, "--date", f"{MONTH}-05",
                           "--note", "a secret of the office").ok()
        sound = self.write(self.commune, "--whole")
        self.tree.settle()
        before = smalltree.figures(self.tree)
        with open(sound, "rb") as file:
            content = file.read()
        for word in (b"secret", COMMUNE.encode(), b"fund_raised", b"CERTIFICATE", b"Thanh"):
            self.assertNotIn(word, content)
        self.assertEqual(os.stat(sound).st_mode & 0o777, 0o600)

        def refused(path, *words, node=self.district):
            result = node.tally("bundle", "read", path)
            self.assertEqual(result.status, REFUSED, result)
            self.assertEqual(result.err.count("\n"), 1, result)
            for word in words:
                self.assertIn(word, result.err)

        def file(name, given):
            with open(self.path(name), "wb") as out:
                out.write(given)
            return self.path(name)

        refused(file("cut", content[:-1]), "copy it again")
        refused(file("short", content[:60]))
        refused(file("empty", b""))
        refused(file("long", content + b"x"))
        refused(file("other", b"unit,measure,value\n" * 40), "no file that one office made")
        for at in (5, 20, 60, len(content) // 2, len(content) - 3):
            refused(file("flipped", content[:at] + bytes([content[at] ^ 1]) + content[at + 1:]))
        refused(sound, "not for this office", node=self.tree.root)
        refused(sound, "not for this office", node=self.commune)
        answer = self.write(self.district, "--to", COMMUNE)
        refused(answer, "not for this office")
        refused(answer, "not for this office", node=self.tree.root)
        for args in (["--to", "43602"], ["--to", "nowhere"], ["--to", DISTRICT]):
            result = self.district.tally("bundle", "write", self.path("none"), *args)
            self.assertEqual(result.status, REFUSED, result)
        self.assertEqual(self.tree.root.tally("bundle", "write", self.path("none")).status, REFUSED)
        self.assertEqual(self.commune.tally("bundle", "write", sound).status, REFUSED)  # it is there
        self.assertFalse(os.path.exists(self.path("none")))
        for path in (self.path("not there"), self.tree.folder):
            self.assertEqual(self.district.tally("bundle", "read", path).status, USAGE)
        self.assertEqual(self.district.tally("bundle", "read").status, USAGE)
        self.assertEqual(self.district.tally("bundle").status, USAGE)
        other = harness.Tree("7", "Another", "province", smalltree.CATALOGUE)
        try:
            refused(sound, "not for this office", node=other.root)
        finally:
            other.stop()
        left = [name for name in os.listdir(self.district.data) if "bundle" in name]
        self.assertEqual(left, [])
        self.assertEqual(smalltree.figures(self.tree), before)
        for node in self.tree.nodes.values():
            self.assertIn(node.tally("status").status, (DONE, NO))
            self.assertEqual(node.status()["alarms"], [], node.unit)
        self.assertEqual(self.district.json("bundle", "read", sound)["outcome"], "old")
        self.assertEqual(smalltree.figures(self.tree), before)


if __name__ == "__main__":
    harness.main()
