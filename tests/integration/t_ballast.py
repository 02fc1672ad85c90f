#!/usr/bin/env python3
"""A disk that fills while the office above is not there. The node gives its ballast up, says that it is not well, and
refuses new entries; a restart finds room; what had been recorded goes up. With room all goes on, without a restart.
"""

import os
import subprocess
import unittest

import harness
import smalltree
from harness import DONE, NO, REFUSED
from smalltree import COMMUNE, DISTRICT, PROVINCE

DISK_BYTES = 48 << 20
BALLAST_BYTES = 8 << 20
FILL_CHUNK = b"x" * 65536
MONTH = "2023-01"


class Ballast(unittest.TestCase):
    def setUp(self):
        self.tree = smalltree.make()
        self.disk = os.path.join(self.tree.folder, "disk")
        os.makedirs(self.disk)
        try:
            harness.mount_small_disk(self.disk, DISK_BYTES)
        except unittest.SkipTest as skip:
            print(f"SKIP: {skip}")
            self.tree.stop()
            raise
        self.filler = os.path.join(self.disk, "filler")

    def tearDown(self):
        self.tree.stop()
        subprocess.run(["umount", "--lazy", self.disk], check=True)

    def fill(self):
        """To the last byte, however often something else gives some back."""
        with open(self.filler, "ab", buffering=0) as file:
            for chunk in (FILL_CHUNK, FILL_CHUNK[:4096]):
                try:
                    while file.write(chunk):
                        pass
                except OSError:
                    pass

    def node_on_disk(self, unit, parent):
        token = self.tree.nodes[parent].tally("invite", unit).line()
        node = harness.Node(self.disk, unit)
        node.log_path = os.path.join(self.tree.folder, f"small{unit}.log")
        harness.tallyd("join", "--data", node.data, "--listen", node.address, token).ok()
        self.tree.nodes[unit], self.tree.parents[unit] = node, parent
        return node.run()

    @staticmethod
    def ballast(node):
        """Its bytes on the disk, not its length."""
        path = os.path.join(node.data, "ballast")
        return os.stat(path).st_blocks * 512 if os.path.exists(path) else None

    def is_full(self, node):
        return [alarm["code"] for alarm in node.status()["alarms"]] == ["disk-full"]

    def test_full(self):
        node = self.node_on_disk("43602", DISTRICT)
        harness.wait_for(lambda: self.ballast(node) == BALLAST_BYTES, "the ballast is there, in real bytes")
        entry = ["record", "43602", "fund_raised", 1, "--date", f"{MONTH}-01"]
        node.tally(*entry, "--wait", "root").ok()
        self.tree.nodes[DISTRICT].stop()
        for number in range(5):
            node.tally(*entry, "--key", f"k{number}").ok()
        self.fill()
        harness.wait_for(lambda: self.is_full(node), "the disk is full, and that is said")
        self.assertEqual(self.ballast(node), 0)
        for words in (entry, ["void", node.log()[0]["entry"]], ["invite", "43602"],
                      ["unit", "add", "x", "--name", "X", "--level", "commune"]):
            result = node.tally(*words)
            self.assertEqual(result.status, REFUSED, str(result))
            self.assertIn("disk is full", result.err)
        self.assertEqual(node.total("43602", "fund_raised", MONTH), 6)
        self.assertEqual(node.tally("status").status, NO)
        # A restart finds it as it was, and room for what it must write.
        node.kill()
        node.run()
        harness.wait_for(lambda: self.is_full(node), "it is still full")
        self.assertEqual(node.tally(*entry).status, REFUSED)
        self.assertEqual(node.status()["parent"]["unescrowed_entries"], 5)
        self.tree.nodes[DISTRICT].run()
        self.tree.settle()
        self.assertEqual(self.tree.root.total(PROVINCE, "fund_raised", MONTH), 6)
        os.unlink(self.filler)
        harness.wait_for(lambda: node.status()["healthy"], "there is room again")
        self.assertEqual(self.ballast(node), BALLAST_BYTES)
        node.tally(*entry, "--wait", "root").ok()
        self.assertEqual(self.tree.root.total(PROVINCE, "fund_raised", MONTH), 7)
        self.assertEqual(node.tally("verify").status, DONE)

    def test_full_above(self):
        """An office with children: it takes nothing in, tells them why, and goes on sending up what it has."""
        self.tree.root.tally("unit", "add", "437", "--name", "D", "--level", "district").ok()
        district = self.node_on_disk("437", PROVINCE)
        harness.wait_for(lambda: self.ballast(district) == BALLAST_BYTES, "the ballast is there")
        self.tree.join("437", "43701", "--name", "C", "--level", "commune")
        child = self.tree.nodes["43701"]
        entry = ["record", "43701", "fund_raised", 1, "--date", f"{MONTH}-01"]
        child.tally(*entry, "--wait", "root").ok()
        self.tree.root.stop()
        child.tally(*entry, "--wait", "parent").ok()
        self.fill()
        harness.wait_for(lambda: self.is_full(district), "the disk is full, and that is said")
        child.tally(*entry).ok()
        harness.wait_for(lambda: "is full" in (child.status()["parent"].get("reason") or ""), "the child is told")
        self.tree.root.run()
        harness.wait_for(lambda: self.tree.root.total("437", "fund_raised", MONTH) == 2, "what was there goes up")
        self.assertEqual(self.tree.root.total("437", "fund_raised", MONTH), 2)
        sources = self.tree.root.json("total", "437")["sources"]
        self.assertEqual([each["node"] for each in sources["stale"]], ["43701"])
        os.unlink(self.filler)
        harness.wait_for(lambda: self.tree.root.total("437", "fund_raised", MONTH) == 3, "all goes on")
        self.tree.settle()


if __name__ == "__main__":
    harness.main()
