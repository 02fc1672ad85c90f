#!/usr/bin/env python3
# labels: slow
"""Places that are wrong: data directories, files in them, full disks, ports, tokens, certificates, users.

Each ends with its exit status and one line that says what to do, and loses nothing; a node whose disk was
full goes on when there is room, without a restart.
"""

import os
import re
import shutil
import socket
import sqlite3
import subprocess
import time
import unittest

import harness
import smalltree
from harness import DONE, REFUSED, UNREACHABLE, USAGE
from smalltree import COMMUNE, DISTRICT, PROVINCE

NOBODY = 65534
DISK_BYTES = 3 << 20
PORTS_EVERYWHERE = range(21001, 29999)
SOCKET_NAME_MAX = 107
FILL_CHUNK = b"x" * 4096
LONG_ROWS = 30000  # more than the disk has room for
README = os.path.join(harness.HERE, "..", "..", "README.md")

tree = None
stopped = None  # the data directory of a commune's node that does not run
stopped_root = None  # and of the root


def setUpModule():
    global tree, stopped, stopped_root
    tree = smalltree.make()
    tree.nodes[COMMUNE].tally("record", COMMUNE, "fund_raised", 5, "--date", "2023-01-01", "--wait",
                              "root").ok()
    tree.nodes[COMMUNE].stop()
    stopped = os.path.join(tree.folder, "stopped")
    shutil.copytree(tree.nodes[COMMUNE].data, stopped)
    tree.nodes[COMMUNE].run()
    tree.root.stop()
    stopped_root = os.path.join(tree.folder, "stopped-root")
    shutil.copytree(tree.root.data, stopped_root)
    tree.root.run()


def tearDownModule():
    if tree is not None:
        tree.stop()


def node(unit=COMMUNE):
    return tree.nodes[unit]


def init(data, *more, **options):
    words = {"unit": "9", "name": "N", "level": "l", "listen": harness.free_address(), **options}
    return harness.tallyd("init", "--data", data,
                          *(word for name, value in words.items() for word in (f"--{name}", value)),
                          *more)


def free_everywhere():
    """A port that nobody has at any address; far from those that other tests take at theirs."""
    for port in PORTS_EVERYWHERE:
        with socket.socket() as probe:
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                continue
        return port
    raise harness.Failed("no free port")


class Case(unittest.TestCase):
    def assertLine(self, result, status, *words):
        """The exit status, an empty standard output, one line on standard error with the words."""
        self.assertEqual((result.status, result.out), (status, ""), str(result))
        self.assertRegex(result.err, r"\A[^\n]+\n\Z", str(result))
        for word in words:
            self.assertIn(word, result.err)

    def place(self, name):
        return os.path.join(tree.folder, name)


class Directories(Case):
    def test_init_and_join(self):
        """A node that is there, one that runs, a file, no way there, a name too long for the socket."""
        token = node(DISTRICT).tally("invite", "43602").line()
        for data, status, word in ((node().data, REFUSED, "in use by another process"),
                                   (stopped, REFUSED, "lives in"), ("/dev/null", REFUSED, "/dev/null"),
                                   (self.place("no/such/place"), REFUSED, "no/such/place"),
                                   (self.place("y" * SOCKET_NAME_MAX), USAGE, "too long")):
            self.assertLine(init(data), status, word)
            self.assertLine(harness.tallyd("join", "--data", data, token), status, word)

    def test_run(self):
        """Nothing there, no node there, a node that runs already."""
        for data, word in ((self.place("nothing"), "tallyd init"), (tree.folder, "tallyd init"),
                           (node().data, "in use by another process")):
            self.assertLine(harness.tallyd("run", "--data", data), REFUSED, data, word)

    def test_catalogue_that_cannot_be_read(self):
        """It is named, and nothing is made."""
        new = self.place("unmade")
        self.assertLine(init(new, catalog=self.place("no.yaml")), USAGE, "no.yaml", "No such file")
        self.assertFalse(os.path.exists(new))

    def test_addresses(self):
        """What cannot be an address is refused before anything is made; one in use when it is to run."""
        new = self.place("new")
        for address in ("127.0.0.1", ":7800", "7800", "127.0.0.1:0", "127.0.0.1:65536", "::1:7800"):
            self.assertLine(init(new, listen=address), USAGE, f'"{address}"')
            self.assertFalse(os.path.exists(new))
        with socket.socket() as taken:
            taken.bind((harness.own_host(), 0))
            taken.listen()
            port = taken.getsockname()[1]
            init(new, listen=f"{harness.own_host()}:{port}").ok()
            self.assertLine(harness.tallyd("run", "--data", new), REFUSED, str(port), "in use",
                            "tally.yaml")

    def test_no_address_for_children(self):
        """A node that listens on 0.0.0.0 gives out no token that would lead a child to itself."""
        port = free_everywhere()
        everywhere = harness.Node(self.place("."), "everywhere", f"{harness.own_host()}:{port}")
        init(everywhere.data, unit="everywhere", listen=f"0.0.0.0:{port}").ok()
        everywhere.run()
        words = ["invite", "9", "--name", "N", "--level", "l"]
        self.assertLine(everywhere.tally(*words), REFUSED, "addresses", "tally.yaml")
        with open(everywhere.data + "/tally.yaml", "a", encoding="utf-8") as file:
            file.write(f'addresses: ["{everywhere.address}"]\n')
        everywhere.stop()
        everywhere.run().tally(*words).line()
        everywhere.stop()

    def test_another_user(self):
        """Who may not look is not told that nothing is there; who may use the socket only records."""
        if os.geteuid() != 0:
            print("SKIP: another user needs root")
            self.skipTest("needs root")
        os.chmod(tree.folder, 0o755)
        os.chmod(node().data, 0o750)
        nobody = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        self.assertLine(harness.tallyd("run", "--data", node().data, **nobody), REFUSED, "Permission")
        self.assertLine(node().tally("status", **nobody), UNREACHABLE, "socket", "its user")
        os.chmod(node().data, 0o755)
        os.chmod(node().data + "/tally.sock", 0o666)
        for words in (["invite", "x"], ["unit", "add", "x", "--name", "X", "--level", "commune"]):
            self.assertLine(node().tally(*words, **nobody), REFUSED, "admin", "root")
        node().tally("total", **nobody).ok()


class Files(Case):
    def refused(self, name, change, *words, of=None):
        """A copy of the stopped node with one change does not start."""
        copy = self.place("copy")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(of or stopped, copy)
        change(os.path.join(copy, name))
        self.assertLine(harness.tallyd("run", "--data", copy), REFUSED, *words)

    @staticmethod
    def write(content):
        def change(path):
            with open(path, "w", encoding="utf-8") as file:
                file.write(content)
        return change

    @staticmethod
    def sql(statement):
        def change(path):
            database = sqlite3.connect(path)
            database.execute(statement)
            database.commit()
            database.close()
        return change

    def test_database(self):
        """Newer, damaged, emptied, another program's: named, with what to do; a root's is never taken for a new one
        (t_bits.py has the others')."""
        def damage(path):
            with open(path, "r+b") as file:
                for at in range(8192, os.path.getsize(path), 4096):
                    file.seek(at)
                    file.write(b"\xff" * 64)

        def other(path):
            os.unlink(path)
            self.sql("CREATE TABLE t(a)")(path)
        self.refused("tally.db", self.sql("PRAGMA user_version=99"), "schema 99", "newer release")
        for change in (damage, other, lambda path: os.truncate(path, 0),
                       lambda path: os.truncate(path, 8192), self.write("garbage" * 100)):
            self.refused("tally.db", change, "tally.db", "keep this file aside", "tallyd restore", of=stopped_root)

    def test_keys_and_certificates(self):
        """Missing, garbage, of another key: the file is named at the start, not when it is needed."""
        for name in ("node.key", "ca.key", "node.crt", "ca.crt", "root.crt", "tally.yaml"):
            self.refused(name, os.unlink, name, "No such file")
            self.refused(name, self.write("garbage\n"), name)
        for name in ("node.crt", "ca.crt"):
            self.refused(name, lambda path: shutil.copy(node(DISTRICT).data + "/" + os.path.basename(path),
                                                        path), name, "another key")

    def test_configuration(self):
        """Line and column; a host that is none; 4, for a file's content is what is wrong."""
        for content, words in (('listn: "h:1"\n', [":1:1:", "listen"]), ("\tlisten\n", [":1:1:", "tab"]),
                               ('listen: "h"\n', [":1:9:", "HOST:PORT"]),
                               ('log_level: loud\n', [":1:12:", "loud"]),
                               ('listen: "999.1.1.1:7800"\n', ["999.1.1.1", "tally.yaml"])):
            self.refused("tally.yaml", self.write(content), "tally.yaml", *words)

    def test_left_socket(self):
        """A socket and a lock left by a kill do not matter; a directory in the socket's place is named."""
        node().kill()
        node().run()
        tree.settle()
        self.refused("tally.sock", os.mkdir, "tally.sock")

    def test_bad_reload(self):
        """SIGHUP with a configuration that is wrong: the old one stays, and the daemon."""
        path = os.path.join(node().data, "tally.yaml")
        with open(path, encoding="utf-8") as file:
            before = file.read()
        self.write("listn: 3\n")(path)
        node().process.send_signal(1)
        harness.wait_for(lambda: "reload=refused" in node().log_tail(), "the reload is refused")
        node().tally("status").ok()
        self.write(before)(path)


class Tokens(Case):
    def join(self, token):
        data = self.place("joiner")
        shutil.rmtree(data, ignore_errors=True)
        return harness.tallyd("join", "--data", data, "--", token)

    def test_mangled(self):
        """Cut, changed, of another kind, empty: seen without asking anybody, and nothing is made."""
        token = node(DISTRICT).tally("invite", "43602").line()
        for wrong in (token[:-1], token[:-30], token + "x", token[:60] + token[62:], token.upper(),
                      token.replace("tally1", "tally2"), "", "TOKEN"):
            self.assertLine(self.join(wrong), USAGE, "invitation", "tally invite")
            self.assertFalse(os.path.exists(self.place("joiner")))

    def test_used_and_expired(self):
        """A token works once, and not after its time; either way a new one is to be asked for."""
        node(DISTRICT).tally("unit", "add", "43650", "--name", "N", "--level", "commune").ok()
        token = node(DISTRICT).tally("invite", "43650").line()
        self.assertEqual(self.join(token).status, DONE)
        self.assertLine(self.join(token), REFUSED, "used", "tally invite")
        token = node(DISTRICT).tally("invite", "43650", "--replace", "--expires", "1s").line()
        end = time.time() + 1.2
        harness.wait_for(lambda: time.time() > end, "the token has expired")
        self.assertLine(self.join(token), REFUSED, "expired", "tally invite")

    def test_nobody_there(self):
        """The parent does not run: 3. Another tree, or no daemon, answers there: 4."""
        other = harness.Tree("42", "Another", "province")
        token = other.root.tally("invite", "436", "--name", "D", "--level", "district").line()
        other.stop()
        self.assertLine(self.join(token), UNREACHABLE, other.root.address, "tallyd runs there")
        third = harness.Tree("77", "Third", "province")
        third.stop()
        path = os.path.join(third.root.data, "tally.yaml")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace(third.root.address, other.root.address))
        third.root.run()
        self.assertLine(self.join(token), REFUSED, other.root.address, "not the office")
        third.stop()


class Clients(Case):
    def test_not_there(self):
        """No daemon, no such host, a form that is none."""
        for words, status, named in (
                (["--data", self.place("nothing")], UNREACHABLE, "--data"),
                (["--data", stopped], UNREACHABLE, f"tallyd run --data {stopped}"),
                (["--data", self.place("x" * SOCKET_NAME_MAX)], USAGE, "too long"),
                (["--node", f"{harness.own_host()}:1", "--data", stopped], UNREACHABLE, "check"),
                (["--node", "no-host.invalid:1", "--data", stopped], UNREACHABLE, "no-host.invalid"),
                (["--node", "127.0.0.1", "--data", stopped], USAGE, "HOST:PORT"),
                (["--node", node().address], USAGE, "--cert"),
                (["--cert", "/dev/null"], USAGE, "--node")):
            self.assertLine(harness.run([harness.TALLY, *words, "status"]), status, named)

    def test_certificates(self):
        """Another node's client, a node itself, another tree: 4 with the reason, also for a long import."""
        path = tree.file("long.csv", "unit,measure,date,value,note\n" + "".join(
            f"{COMMUNE},fund_raised,2023-07-01,1,{'x' * 200}\n" for _ in range(LONG_ROWS // 2)))
        before = node(DISTRICT).status()["ledger_entries"]
        at = ["--node", node(DISTRICT).address]
        as_node = [word for name, file in (("cert", "node.crt"), ("cert-key", "node.key"),
                                           ("root", "root.crt"))
                   for word in (f"--{name}", os.path.join(node().data, file))]
        for who in (["--data", node().data], as_node):
            for words in (["status"], ["record", COMMUNE, "fund_raised", "1"], ["import", path]):
                result = harness.run([harness.TALLY, *at, *who, *words])
                self.assertLine(result, REFUSED, "no client of this node")
                self.assertNotIn("not known", result.err)
        self.assertEqual(node(DISTRICT).status()["ledger_entries"], before)
        other = harness.Tree("42", "Another", "province")
        other.stop()
        self.assertLine(harness.run([harness.TALLY, *at, "--data", other.root.data, "status"]), REFUSED,
                        "certificate")


class FullDisk(Case):
    def setUp(self):
        self.disk = self.place("disk")
        os.makedirs(self.disk, exist_ok=True)
        try:
            harness.mount_small_disk(self.disk, DISK_BYTES)
        except unittest.SkipTest as skip:
            print(f"SKIP: {skip}")
            raise
        self.filler = os.path.join(self.disk, "filler")

    def tearDown(self):
        subprocess.run(["umount", "--lazy", self.disk], check=True)

    def fill(self, but=0):
        """Leaves so many bytes."""
        with open(self.filler, "ab", buffering=0) as file:
            try:
                while file.write(FILL_CHUNK):
                    pass
            except OSError:
                pass
            file.truncate(max(0, file.seek(0, os.SEEK_END) - but))

    def free(self):
        os.unlink(self.filler)

    def test_making(self):
        """init and join: no room for keys, none for the database; with room the same token does it."""
        token = node(DISTRICT).tally("invite", "43603").line()
        for but in (0, 60 * 1024):
            self.fill(but)
            self.assertLine(init(self.disk + "/root"), REFUSED, "free some room")
            self.assertLine(harness.tallyd("join", "--data", self.disk + "/n43603", token), REFUSED,
                            "free some room")
            self.free()
        init(self.disk + "/root").ok()
        shutil.rmtree(self.disk + "/root")
        harness.tallyd("join", "--data", self.disk + "/n43603", token).ok()
        self.fill()
        result = harness.tallyd("run", "--data", self.disk + "/n43603")
        self.assertLine(result, REFUSED, "tally.db", "free some room")
        self.free()

    def test_recording(self):
        """record and import are refused, queries answered; with room all goes on, without a restart."""
        node(DISTRICT).tally("unit", "add", "43660", "--name", "N", "--level", "commune").ok()
        token = node(DISTRICT).tally("invite", "43660").line()
        small = harness.Node(self.disk, "43660")
        small.log_path = self.place("n43660.log")
        harness.tallyd("join", "--data", small.data, token).ok()
        small.run()
        entry = ["record", "43660", "fund_raised", 1, "--date", "2023-01-01"]
        small.tally(*entry, "--wait", "root").ok()
        self.fill()
        for number in range(1000):
            result = small.tally(*entry, "--key", f"k{number}")
            if result.status != DONE:
                break
        self.assertLine(result, REFUSED, "disk is full", "free some room")
        held = 1 + number
        result = small.tally("import", "-", given="unit,measure,value\n43660,fund_raised,1\n")
        self.assertLine(result, REFUSED, "disk is full")
        self.assertEqual(result.err.count("recorded"), 1, "said once")
        for words in (["status"], ["log"], ["verify"], ["tree"]):
            small.tally(*words).ok()
        self.assertEqual(small.total("43660", "fund_raised", "2023"), held)
        self.free()
        small.tally(*entry, "--key", f"k{number}", "--wait", "root").ok()
        self.assertEqual(node(PROVINCE).total("43660", "fund_raised", "2023"), held + 1)
        self.import_in_the_middle(small)
        self.assertEqual(small.stop(), 0)

    def import_in_the_middle(self, small):
        """The disk fills while a long file is recorded: how much is said, and the same command goes on."""
        path = tree.file("disk.csv", "unit,measure,date,value\n" + "".join(
            "43660,fund_raised,2023-08-01,1\n" for _ in range(LONG_ROWS)))
        before = small.status()["ledger_entries"]
        self.fill(1 << 20)
        result = small.tally("import", path)
        self.assertLine(result, REFUSED, "disk is full")
        some = small.status()["ledger_entries"] - before
        if some > 0:
            self.assertIn(f"at least {some} of {LONG_ROWS} rows", result.err)
        self.free()
        subprocess.run(["mount", "-o", f"remount,size={DISK_BYTES * 10}", self.disk], check=True)
        answer = small.tally("import", path, "--json", "--wait", "root").ok().json()
        self.assertEqual((answer["known"], answer["recorded"]), (some, LONG_ROWS - some))
        self.assertEqual(node(PROVINCE).total("43660", "fund_raised", "2023-08"), LONG_ROWS)


class Tour(unittest.TestCase):
    def test_readme(self):
        """The README's ten lines, as they stand but for folder and ports, pasted into a shell."""
        with open(README, encoding="utf-8") as file:
            lines = re.search(r"(?m)^(    tallyd init .*\n(    .*\n)*?    kill .*\n)", file.read()).group()
        for old, new in (("/tmp/", tree.folder + "/tour-"), ("127.0.0.1:7800", harness.free_address()),
                         ("127.0.0.1:7801", harness.free_address()),
                         ("config/", os.path.dirname(README) + "/config/")):
            self.assertIn(old, lines)
            lines = lines.replace(old, new)
        result = harness.run(["bash", "-m", "-e"], given=lines + "wait\n", env=harness.environment(
            PATH=f"{os.path.abspath(harness.BIN)}:{os.environ['PATH']}"))
        self.assertEqual(result.status, DONE, str(result))
        self.assertRegex(result.out, r"(?m)^fund_raised .* 1500000 +1 +1/1$")
        self.assertIn("436-01", result.out)


if __name__ == "__main__":
    harness.main()
