"""Real nodes for the tests of this folder: makes them, runs them, asks them, kills them, cleans up.

Nothing here knows what a total must be. Every wait is for a condition and has a limit. Whatever ends a
test, also a SIGKILL, the daemons that it started and its folder go: a small process beside it (`Broom`)
sees the end of a pipe and sweeps.
"""

import atexit
import ctypes
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
BIN = os.environ.get("TALLY_BIN") or os.path.join(HERE, "..", "..", "build", "dev", "bin")
TALLYD = os.path.join(BIN, "tallyd")
TALLY = os.path.join(BIN, "tally")
LONG = os.environ.get("TALLY_LONG") == "1"
SANITIZED = any(name in os.environ for name in ("ASAN_OPTIONS", "TSAN_OPTIONS"))

SLOWNESS = 5 if SANITIZED else 1
COMMAND_LIMIT_S = 60 * SLOWNESS
READY_LIMIT_S = 20 * SLOWNESS
STOP_LIMIT_S = 20 * SLOWNESS
CONVERGE_LIMIT_S = 60 * SLOWNESS
POLL_S = 0.02
PORT_FIRST = 7001  # below the ports that the system gives to outgoing connections
TMPFS_BYTES_MIN = 1 << 30
NEW_MOUNTS, RECURSIVE_PRIVATE = 0x00020000, (1 << 14) | (1 << 18)  # of unshare(2), mount(2)

DONE, NO, USAGE, UNREACHABLE, REFUSED = 0, 1, 2, 3, 4  # exit statuses


class Failed(AssertionError):
    """The programs did not do what a test needs to go on."""


# ---- clean-up ----

BROOM = r"""
import os, shutil, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
started, folders = {}, []
def birth(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[19]
    except OSError:
        return None
for line in sys.stdin:
    word, what = line.rstrip("\n").split(" ", 1)
    if word == "pid":
        started[what] = birth(what)
    elif word == "gone":
        started.pop(what, None)
    elif word == "folder":
        folders.append(what)
    elif word == "keep":
        folders.remove(what)
for pid, when in started.items():
    if when is not None and birth(pid) == when:
        os.kill(int(pid), signal.SIGKILL)
for folder in folders:
    shutil.rmtree(folder, ignore_errors=True)
"""


class Broom:
    """Sweeps what is left when this process is gone; a process is told by its number and birth."""

    def __init__(self):
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-c", BROOM], stdin=subprocess.PIPE, text=True,
            start_new_session=True)
        atexit.register(self.sweep)

    def say(self, word, what):
        with self._lock:
            self._process.stdin.write(f"{word} {what}\n")
            self._process.stdin.flush()

    def sweep(self):
        with self._lock:
            if not self._process.stdin.closed:
                self._process.stdin.close()
        self._process.wait()


_broom = None


def broom():
    global _broom
    if _broom is None:
        _broom = Broom()
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda number, frame: sys.exit(128 + number))
    return _broom


def temporary_folder():
    """Gone with this process. In memory where there is room: no test here cuts the power."""
    base = os.environ.get("TALLY_TMP")
    if base is None:
        base = "/dev/shm"
        if not os.access(base, os.W_OK) or shutil.disk_usage(base).free < TMPFS_BYTES_MIN:
            base = None
    path = tempfile.mkdtemp(prefix="tally-it-", dir=base)
    broom().say("folder", path)
    return path


# ---- waiting ----

def wait_for(condition, what, limit_s=CONVERGE_LIMIT_S):
    """Asks until the condition is true and returns what it gave; a false answer is shown at the limit."""
    end = time.monotonic() + limit_s
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            raise Failed(f"waited {limit_s} s in vain: {what} (last answer: {answer!r})")
        time.sleep(POLL_S)


# ---- commands ----

class Result:
    """How a command ended. `status` is negative when a signal ended it."""

    def __init__(self, command, status, out, err):
        self.command = command
        self.status = status
        self.out = out
        self.err = err

    def json(self):
        try:
            return json.loads(self.out)
        except ValueError as error:
            raise Failed(f"no JSON document ({error}): {self}") from None

    def ok(self):
        """Itself; fails unless the exit status is 0."""
        if self.status != DONE:
            raise Failed(f"must have succeeded: {self}")
        return self

    def line(self):
        """The only line of standard output."""
        lines = self.ok().out.splitlines()
        if len(lines) != 1:
            raise Failed(f"must have printed one line: {self}")
        return lines[0]

    def __str__(self):
        command = " ".join(str(word) for word in self.command)
        return (f"{command}: exit status {self.status}, stdout {self.out[-2000:]!r},"
                f" stderr {self.err[-2000:]!r}")


def environment(**more):
    """English, UTC, and nothing that a caller's shell or service manager may have set."""
    found = {name: value for name, value in os.environ.items()
             if name not in ("LANGUAGE", "NOTIFY_SOCKET", "WATCHDOG_USEC", "LISTEN_FDS")
             and not name.startswith("LC_")}
    found.update(LC_ALL="C.UTF-8", TZ="UTC")
    found.update(more)
    return found


def run(command, given=None, limit_s=COMMAND_LIMIT_S, env=None, started=None, **more):
    """Runs a command to its end. `given` is its standard input; `started` is told the process."""
    with subprocess.Popen(
            command, stdin=subprocess.DEVNULL if given is None else subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env or environment(),
            **more) as process:
        if started is not None:
            started(process)
        try:
            out, err = process.communicate(
                given.encode() if isinstance(given, str) else given, timeout=limit_s)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise Failed(f"no end after {limit_s} s: {command}, {out!r}, {err!r}") from None
    return Result(command, process.returncode, out.decode(errors="replace"),
                  err.decode(errors="replace"))


def tally_words(data, args):
    """How the client is told which node to ask: the one place that knows."""
    return [TALLY, "--data", data, *map(str, args)]


def tallyd(*args, **more):
    return run([TALLYD, *map(str, args)], **more)


# ---- addresses ----

_ports = itertools.count(PORT_FIRST)


def own_host():
    """A loopback address of this process alone, so that no other test can take its ports."""
    number = (127 << 24) + (1 << 16) + os.getpid() % ((1 << 24) - (1 << 17))
    return socket.inet_ntoa(number.to_bytes(4, "big"))


def free_address():
    host = own_host()
    for port in _ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
        return f"{host}:{port}"
    raise Failed("no free port")


# ---- nodes ----

class Node:
    """One daemon with its data directory. It goes by the code of its unit."""

    def __init__(self, folder, unit, address=None):
        self.unit = unit
        self.data = os.path.join(folder, f"n{unit}")
        self.address = address or free_address()
        self.log_path = os.path.join(folder, f"n{unit}.log")
        self.process = None
        self.killed = False  # by us
        NODES.append(self)

    def start(self, **more):
        """Starts the daemon and does not wait; its output goes to the end of the log file."""
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [TALLYD, "run", "--data", self.data], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, env=environment(), **more)
        self.killed = False  # not before there is a new process: others look at both
        broom().say("pid", self.process.pid)
        return self

    def run(self):
        self.start()
        return self.wait_ready()

    def died(self):
        """Whether the daemon ended although nobody asked it to."""
        return self.process is not None and self.process.poll() is not None and not self.killed

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self, number=signal.SIGKILL):
        self.killed = True
        self.process.send_signal(number)
        return self._wait_end()

    def stop(self):
        """SIGTERM, as systemd does; the exit status."""
        return self.kill(signal.SIGTERM)

    def _wait_end(self):
        try:
            status = self.process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.unit}: still runs {STOP_LIMIT_S} s after the signal") from None
        broom().say("gone", self.process.pid)
        return status

    def wait_ready(self):
        def ready():
            if self.died():
                raise Failed(f"{self.unit}: the daemon ended with {self.process.returncode}\n"
                             + self.log_tail())
            return self.tally("status").status in (DONE, NO)
        wait_for(ready, f"{self.unit} answers", READY_LIMIT_S)
        return self

    def tally(self, *args, **more):
        return run(tally_words(self.data, args), **more)

    def json(self, *args, **more):
        return self.tally(*args, "--json", **more).ok().json()

    def status(self):
        result = self.tally("status", "--json")
        if result.status not in (DONE, NO):
            raise Failed(f"{self.unit}: {result}")
        return result.json()

    def log(self, *args):
        return self.json("log", *args)

    def total(self, unit, measure, period):
        """The one value of a measure."""
        rows = self.json("total", unit, "-m", measure, "-p", period)["totals"]
        if len(rows) != 1:
            raise Failed(f"{self.unit}: one row expected of {unit} {measure} {period}: {rows}")
        return rows[0]["value"]

    def log_tail(self, lines=25):
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as file:
                return "".join(f"    {line}" for line in file.readlines()[-lines:])
        except OSError:
            return ""


NODES = []


def show_logs():
    for node in NODES:
        tail = node.log_tail()
        if tail:
            state = "runs" if node.alive() else "does not run"
            print(f"  -- log of {node.unit} ({state}):\n{tail}", end="", file=sys.stderr)


# ---- trees ----

class Tree:
    """A root and what joins it. Nodes by unit, each with the node above it."""

    def __init__(self, unit, name, level, catalogue=None):
        self.folder = temporary_folder()
        self.nodes = {}
        self.parents = {unit: None}
        self.root = self.nodes[unit] = Node(self.folder, unit)
        words = ["init", "--data", self.root.data, "--unit", unit, "--name", name, "--level", level,
                 "--listen", self.root.address]
        if catalogue is not None:
            words += ["--catalog", self.file("catalogue.yaml", catalogue)]
        tallyd(*words).ok()
        self.root.run()

    def file(self, name, content):
        """Writes a file into the tree's folder; its path."""
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        return path

    def join(self, parent, unit, *invitation):
        """A node for a unit; `invitation` has what `tally invite` needs to make the unit."""
        above = self.nodes[parent]
        token = above.tally("invite", unit, *invitation).line()
        node = self.nodes[unit] = Node(self.folder, unit)
        self.parents[unit] = parent
        tallyd("join", "--data", node.data, "--listen", node.address, token).ok()
        return node.run()

    def below(self, unit):
        """The nodes of a subtree, those farthest down first."""
        found = [other for other, parent in self.parents.items() if parent == unit]
        return [node for other in found for node in self.below(other)] + [self.nodes[unit]]

    def unsettled(self):
        """The first reason why not everything recorded is in the root's totals; None when it is."""
        for node in self.below(self.root.unit):
            parent = node.status()["parent"]
            if node is self.root:
                continue
            if parent["state"] != "linked" or parent["pending_rows"] or parent[
                    "unescrowed_entries"]:
                return f"{node.unit}: {parent}"
        sources = self.root.json("total", self.root.unit)["sources"]
        if sources["nodes"] != len(self.nodes) or sources["exact"] != sources["nodes"]:
            return f"sources at the root: {sources}"
        return None

    def settle(self, limit_s=CONVERGE_LIMIT_S):
        """Waits until every node has handed everything up and the root calls all of them exact."""
        reasons = []

        def settled():
            reasons[:] = [self.unsettled()]
            return reasons[0] is None
        try:
            wait_for(settled, "the tree is exact", limit_s)
        except Failed:
            raise Failed(f"not exact after {limit_s} s: {reasons[0]}") from None

    def stop(self):
        """Stops every daemon as systemd does, the lowest first; {unit: exit status}."""
        return {node.unit: node.stop() for node in self.below(self.root.unit) if node.alive()}


def mount_small_disk(path, size_bytes):
    """A file system of that size, seen by this process and its children only; skips without root."""
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"size={size_bytes}".encode()
    calls = (lambda: libc.unshare(NEW_MOUNTS),
             lambda: libc.mount(b"none", b"/", None, RECURSIVE_PRIVATE, None),
             lambda: libc.mount(b"none", path.encode(), b"tmpfs", 0, options))
    if any(call() != 0 for call in calls):
        raise unittest.SkipTest(f"cannot mount a disk: {os.strerror(ctypes.get_errno())}")


# ---- the programs' absence, and unittest ----

def require_programs():
    missing = [path for path in (TALLYD, TALLY) if not os.access(path, os.X_OK)]
    if missing:
        print("no such program: " + ", ".join(missing), file=sys.stderr)
        sys.exit(1)


def main():
    """Runs the unittest cases of the calling script; shows the nodes' logs when one fails."""
    require_programs()
    program = unittest.main(verbosity=2, exit=False)
    if not program.result.wasSuccessful():
        show_logs()
    sys.exit(0 if program.result.wasSuccessful() else 1)
