#!/usr/bin/env python3
# labels: threads
"""What `tally watch` shows, and when: figures and links as they change, on a terminal and line by line.

Each test's first line says what breakage it sees.
"""

import json
import os
import pty
import queue
import re
import select
import subprocess
import threading
import time
import unittest

import harness
import smalltree
from harness import REFUSED, UNREACHABLE, USAGE
from smalltree import COMMUNE, DISTRICT, PROVINCE

WAIT_S = 20

tree = None


def setUpModule():
    global tree
    tree = smalltree.make()
    tree.nodes[COMMUNE].tally("record", COMMUNE, "fund_raised", "1000", "--date", "2023-01-31", "--wait", "root").ok()


class Watch:
    """The command, running; its lines as they come."""

    def __init__(self, *words, unit=PROVINCE):
        command = [*harness.tally_words(tree.nodes[unit].data, ("watch", "-p", "2023", *words))]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        env=harness.environment())
        self.lines = queue.Queue()
        self.errors = []
        self.readers = [threading.Thread(target=self.read), threading.Thread(target=self.read_errors)]
        for reader in self.readers:
            reader.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line) if line.startswith("{") else line.rstrip("\n"))

    def read_errors(self):
        self.errors += self.process.stderr.readlines()

    def until(self, wanted):
        """The first line that is wanted."""
        end = time.monotonic() + WAIT_S
        while True:
            line = self.lines.get(timeout=max(0.01, end - time.monotonic()))
            if wanted(line):
                return line

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        for reader in self.readers:
            reader.join()
        self.process.stdout.close()
        self.process.stderr.close()


def record(value, unit=COMMUNE, measure="fund_raised", date="2023-02-01"):
    tree.nodes[unit].tally("record", unit, measure, value, "--date", date).ok()


def figure(measure, value):
    return lambda line: line.get("measure") == measure and line["value"] == str(value)


class Lines(unittest.TestCase):
    def test_changes_come_by_themselves(self):
        """An entry of a commune is a line at the province, with what was there before, soon after it is recorded."""
        before = tree.nodes[PROVINCE].json("total", "-p", "2023", "-m", "fund_raised")["totals"][0]["value"]
        with Watch("-m", "fund_raised", "--json") as watch:
            first = watch.until(figure("fund_raised", before))
            self.assertIsNone(first["before"])
            for i in range(1, 6):
                record("7")
                line = watch.until(figure("fund_raised", before + 7 * i))
                self.assertEqual((line["before"], line["unit"], line["period"], line["nodes"]),
                                 (str(before + 7 * (i - 1)), PROVINCE, "2023", 3))
            self.assertTrue(watch.lines.empty(), "a figure that did not change has a line")

    def test_all_measures_and_other_units(self):
        """Without -m every measure and indicator is watched; a unit can be named."""
        with Watch("43601", "--json") as watch:
            seen = {watch.until(lambda line: "measure" in line)["measure"] for _ in range(9)}
            self.assertEqual(len(seen), 9)
            record("-3.25", measure="grants", date="2023-03-01")
            self.assertEqual(watch.until(figure("grants", "-3.25"))["unit"], "43601")

    def test_links(self):
        """A child that goes and comes back is a line each time."""
        with Watch("-m", "accounts", "--json") as watch:
            self.assertEqual(watch.until(lambda line: line.get("child") == DISTRICT)["state"], "exact")
            tree.nodes[DISTRICT].stop()
            self.assertEqual(watch.until(lambda line: line.get("child") == DISTRICT)["state"], "offline")
            tree.nodes[DISTRICT].start()
            watch.until(lambda line: line.get("child") == DISTRICT and line["state"] == "exact")

    def test_the_daemon_comes_back(self):
        """When the daemon goes and comes back, one line says so and the watch goes on."""
        with Watch("-m", "accounts") as watch:
            watch.until(lambda line: "accounts" in line)
            tree.nodes[PROVINCE].stop()
            tree.nodes[PROVINCE].start()
            record("5", measure="accounts")
            self.assertRegex(watch.until(lambda line: "accounts" in line), r" 42  accounts  - -> 5$")
        self.assertEqual(len(watch.errors), 1, watch.errors)

    def test_refused(self):
        """What cannot be watched is refused with one line."""
        node = tree.nodes[PROVINCE]
        for words, status, text in ((("999",), REFUSED, "999"), (("-m", "fund_rased"), REFUSED, "fund_raised"),
                                    (("-p", "2023H3"), USAGE, "2023H3"), (("--csv",), USAGE, "--csv")):
            with self.subTest(words=words):
                result = node.tally("watch", *words)
                self.assertEqual((result.status, result.out, result.err.count("\n")), (status, "", 1), result)
                self.assertIn(text, result.err)
        result = harness.run([*harness.tally_words("/nowhere", ("watch",))])
        self.assertEqual((result.status, result.out), (UNREACHABLE, ""))


class Screen(unittest.TestCase):
    def test_terminal(self):
        """On a terminal the figures are drawn anew with what changed marked, and a bar for each child."""
        record("1", unit="43601")
        master, slave = pty.openpty()
        words = ("watch", "-p", "2023", "-m", "fund_raised,accounts")
        process = subprocess.Popen(harness.tally_words(tree.nodes[PROVINCE].data, words), stdin=slave, stdout=slave,
                                   stderr=slave, env=harness.environment(LC_ALL="vi_VN.UTF-8", TERM="xterm"))
        os.close(slave)
        seen = b""

        def until(pattern):
            nonlocal seen
            end = time.monotonic() + WAIT_S
            while not re.search(pattern, seen):
                ready, _, _ = select.select([master], [], [], max(0, end - time.monotonic()))
                self.assertTrue(ready, seen.decode(errors="replace"))
                seen += os.read(master, 65536)
            found, seen = seen, b""
            return found.decode()

        try:
            first = until(rb"Ctrl-C[^\n]*\n")
            self.assertIn("██████████", first)
            self.assertNotIn("+", first)
            record("1234567")
            second = until("\\+1\\.234\\.567".encode() + rb"(.|\s)*Ctrl-C")
            self.assertIn("\x1b[1m", second)
            self.assertIn("₫", second)
        finally:
            process.terminate()
            process.wait()
            os.close(master)


if __name__ == "__main__":
    harness.main()
