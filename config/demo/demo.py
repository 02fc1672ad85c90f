"""Runs the demo: 40 nodes on this machine, the published report of a province rolled up from what its offices record."""

import argparse
import concurrent.futures
import csv
import io
import json
import os
import re
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import figures

WAIT_S = 300
DISTRICT_KILLED = "439"


class Failure(Exception):
    pass


def say(text):
    print(text, file=sys.stderr, flush=True)


def free_ports(count):
    """Free ones below those that the system gives to outgoing connections, from a random place on."""
    ports = []
    port = random.randrange(12000, 30000)
    while len(ports) < count and port < 32000:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                ports.append(port)
            except OSError:
                pass
        port += 1
    if len(ports) < count:
        raise Failure("there are not enough free ports")
    return ports


class Demo:
    def __init__(self, programs, folder):
        self.tally_path = os.path.join(programs, "tally")
        self.tallyd_path = os.path.join(programs, "tallyd")
        self.folder = folder
        self.processes = {}
        self.lock = threading.Lock()
        self.stopping = False
        self.nodes = figures.nodes()
        above = [figures.PROVINCE[0]] + [code for code, _, _ in figures.DISTRICTS]
        self.ports = dict(zip(above, free_ports(len(above))))

    def data(self, unit):
        return os.path.join(self.folder, unit)

    def program(self, *command, stdin=None):
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=WAIT_S, check=False)
        if done.returncode != 0:
            raise Failure(f"{' '.join(command[:6])}: exit status {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def tally(self, unit, *command, stdin=None):
        return self.program(self.tally_path, "--data", self.data(unit), *command, stdin=stdin)

    # ---- nodes ----

    def start(self, unit):
        log = open(self.data(unit) + ".log", "ab")
        with self.lock:
            if self.stopping:
                raise Failure("stopped")
            process = subprocess.Popen(
                [self.tallyd_path, "run", "--data", self.data(unit)], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True)
            self.processes[unit] = process
        log.close()
        self.wait(f"node {unit} to answer", lambda: self.answers(unit))

    def answers(self, unit):
        if self.processes[unit].poll() is not None:
            with open(self.data(unit) + ".log", encoding="utf-8") as log:
                raise Failure(f"node {unit} has ended: {log.readlines()[-1].strip()}")
        command = [self.tally_path, "--data", self.data(unit), "status", "--json"]
        return subprocess.run(command, capture_output=True, check=False).returncode in (0, 1)

    def wait(self, what, condition):
        end = time.monotonic() + WAIT_S
        while not condition():
            if time.monotonic() > end:
                raise Failure(f"waited {WAIT_S} s in vain for {what}")
            time.sleep(0.05)

    def stop(self):
        with self.lock:
            self.stopping = True
            running = [p for p in self.processes.values() if p.poll() is None]
        for process in running:
            process.send_signal(signal.SIGCONT)
            process.terminate()
        end = time.monotonic() + 15
        for process in running:
            try:
                process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    # ---- the tree ----

    def make_root(self):
        unit, name = figures.PROVINCE
        catalogue = os.path.join(os.path.dirname(os.path.abspath(__file__)), "catalog.yaml")
        self.program(self.tallyd_path, "init", "--data", self.data(unit), "--unit", unit, "--name", name, "--level",
                     "province", "--listen", f"127.0.0.1:{self.ports[unit]}", "--catalog", catalogue)
        self.start(unit)

    def join(self, parent, unit, *new):
        token = self.tally(parent, "invite", unit, *new).strip()
        listen = ["--listen", f"127.0.0.1:{self.ports[unit]}"] if unit in self.ports else []
        self.program(self.tallyd_path, "join", "--data", self.data(unit), *listen, token)
        self.start(unit)

    def make_district(self, district):
        code, name, _ = district
        self.join(figures.PROVINCE[0], code, "--name", name, "--level", "district")
        units = [unit for unit in figures.communes() if unit[2] == code]
        table = io.StringIO()
        writer = csv.writer(table)
        writer.writerow(["code", "name", "level", "parent"])
        writer.writerows((unit, text, "commune", parent) for unit, text, parent, _ in units)
        self.tally(code, "unit", "import", "-", stdin=table.getvalue())
        for unit, _, _, own in units:
            if own:
                self.join(code, unit)

    # ---- what people type ----

    def import_rows(self, unit, rows, *options):
        table = io.StringIO()
        writer = csv.writer(table)
        writer.writerow(["unit", "measure", "date", "category", "value", "key"])
        writer.writerows(rows)
        answer = json.loads(self.tally(unit, "import", "-", "--json", *options, stdin=table.getvalue()))
        if answer["recorded"] != len(rows):
            raise Failure(f"node {unit} recorded {answer['recorded']} of {len(rows)} rows")

    def record(self, node):
        """First what is wrong and its corrections, then the rest, then it waits until all of it is at the root."""
        typed = [row for row, _ in node.wrong] + node.twice
        self.import_rows(node.unit, typed)
        log = {row["key"]: row["entry"] for row in json.loads(self.tally(node.unit, "log", "--json")) if row["key"]}
        for row, right in node.wrong:
            self.tally(node.unit, "amend", log[row[5]], str(right), "--note", "typed wrong")
        for row in node.twice:
            self.tally(node.unit, "void", log[row[5]], "--note", "typed twice")
        rest = node.right or [row for row, _ in node.wrong]
        options = ["--wait", "root", "--timeout", str(WAIT_S)] if node.unit != figures.PROVINCE[0] else []
        if node.right:
            self.import_rows(node.unit, rest, *options)

    def kill_district(self):
        """The province stands still, a district goes on recording, and loses its power before it could send."""
        root = self.processes[figures.PROVINCE[0]]
        node = self.nodes[DISTRICT_KILLED]
        root.send_signal(signal.SIGSTOP)
        half = len(node.right) // 2
        self.import_rows(node.unit, node.right[:half])
        status = json.loads(self.tally(node.unit, "status", "--json"))
        self.processes[node.unit].kill()
        self.processes[node.unit].wait()
        root.send_signal(signal.SIGCONT)
        say(f"killed district {node.unit} with SIGKILL: {half} entries recorded, "
            f"{status['parent']['pending_rows']} rows pending, "
            f"{status['parent']['unescrowed_entries']} entries not yet at the province")
        if status["parent"]["pending_rows"] == 0:
            raise Failure("nothing was pending when the district was killed")
        self.start(node.unit)
        node.right = node.right[half:]

    # ---- the report ----

    def totals(self):
        return json.loads(self.tally(figures.PROVINCE[0], "total", figures.PROVINCE[0], "-p", figures.PERIOD, "--json"))

    def exact(self):
        sources = self.totals()["sources"]
        return sources["nodes"] == sources["exact"] == len(self.nodes) and sources["held"] == 0

    def ledger(self):
        entries, corrections = 0, 0
        for unit in self.nodes:
            rows = json.loads(self.tally(unit, "log", "--json"))
            entries += len(rows)
            corrections += sum(row["kind"] in ("amend", "void") for row in rows)
        return entries, corrections

    def compare(self):
        root = figures.PROVINCE[0]
        words = ["total", root, "-p", figures.PERIOD, "-m", ",".join(figures.TRAINING), "--by", "category", "--json"]
        rows = self.totals()["totals"] + json.loads(self.tally(root, *words))["totals"]
        found = {(row["measure"], row["category"]): row["value"] for row in rows}
        wanted = {(measure, None): value for measure, value in figures.PUBLISHED.items()}
        for measure, by_organiser in figures.TRAINING.items():
            for organiser, value in zip(("province", "district"), by_organiser):
                wanted[measure, f"organiser={organiser}"] = value
        for measure, value in figures.SHARES.items():
            wanted[measure, None] = value
        wrong = [f"{measure}: {found.get(measure)} in place of {value}" for measure, value in wanted.items()
                 if str(found.get(measure)) != str(value)]
        if wrong:
            raise Failure("not the published figures: " + "; ".join(wrong))

    def report(self, language):
        """The half-yearly report; every published figure must stand in it as the language writes numbers."""
        template = os.path.join(os.path.dirname(os.path.abspath(__file__)), f"report.{language}.md")
        text = self.tally(figures.PROVINCE[0], "report", template, "-p", figures.PERIOD, "--lang", language)
        marks = str.maketrans(",.", ".,") if language == "vi" else {}
        wanted = {measure: f"{value:,}".translate(marks) for measure, value in figures.PUBLISHED.items()}
        wanted |= {measure: value.translate(marks) for measure, value in figures.SHARES.items()}
        wanted |= {f"{measure} in billions": f"{figures.PUBLISHED[measure] // 1_000_000 / 1000:.3f}".translate(marks)
                   for measure in ("fund_raised", "fund_spent", "fund_balance")}
        found = set(re.findall(r"[\d.,]*\d", text))
        wrong = [f"{what} ({figure})" for what, figure in wanted.items() if figure not in found]
        if wrong:
            raise Failure(f"the report in {language} lacks " + ", ".join(wrong))
        return text

    def verify(self):
        """Everything computed again, at the province and at the districts."""
        for unit in self.ports:
            answer = json.loads(self.tally(unit, "verify", "--json"))
            say(f"verified {unit}: " + ", ".join(f"{count} {what}" for what, count in answer["checked"].items()))


def run(demo, options):
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(max_workers=13) as pool:
        demo.make_root()
        list(pool.map(demo.make_district, figures.DISTRICTS))
        say(f"{len(demo.nodes)} nodes run and are joined: 1 province, {len(figures.DISTRICTS)} districts, "
            f"{len(demo.nodes) - 1 - len(figures.DISTRICTS)} communes ({time.monotonic() - began:.0f} s)")
        if options.kill:
            demo.kill_district()
        list(pool.map(demo.record, demo.nodes.values()))
    demo.wait("the province to be exact", demo.exact)
    entries, corrections = demo.ledger()
    say(f"{entries} entries recorded, {corrections} of them amends and voids; the province is exact "
        f"({time.monotonic() - began:.0f} s)")
    demo.compare()
    reports = [demo.report(language) for language in ("vi", "en")]
    demo.verify()
    root, period = figures.PROVINCE[0], figures.PERIOD
    if options.json:
        print(demo.tally(root, "total", root, "-p", period, "--json"), end="")
        return
    print(demo.tally(root, "total", root, "-p", period))
    print(demo.tally(root, "total", root, "-p", period, "-m", "training_classes,trainees", "--by", "category"))
    print(demo.tally(root, "total", root, "-p", period, "-m", ",".join(figures.SHARES), "--targets"))
    print(demo.tally(root, "missing", root, "-p", period))
    print(demo.tally(root, "tree"))
    print("\n".join(reports))
    say(f"All {len(figures.PUBLISHED)} figures are the published ones.")


def on_signal(number, frame):
    raise KeyboardInterrupt


def main():
    parser = argparse.ArgumentParser(prog="config/demo/run", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print only the province's totals as JSON")
    parser.add_argument("--keep", action="store_true", help="leave everything running, and print how to query it")
    parser.add_argument("--kill", action="store_true",
                        help="kill a district with SIGKILL while rows are pending; the figures must be the same")
    parser.add_argument("--programs", required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()
    for each in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, on_signal)
    folder = tempfile.mkdtemp(prefix="tally-demo-")
    demo = Demo(options.programs, folder)
    keep = False
    try:
        run(demo, options)
        keep = options.keep
        return 0
    except Failure as failure:
        say(f"config/demo/run: {failure}")
        return 1
    except KeyboardInterrupt:
        say("config/demo/run: stopped")
        return 130
    finally:
        if keep:
            pids = " ".join(str(p.pid) for p in demo.processes.values())
            say(f"It runs on. Ask it, for example:\n"
                f"  {demo.tally_path} --data {demo.data('42')} total 42 -p 2023H1 --by child\n"
                f"  {demo.tally_path} --data {demo.data('436')} status\n"
                f"Stop it, and remove its data:\n"
                f"  kill {pids}; sleep 2; rm -r {folder}")
        else:
            for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                signal.signal(each, signal.SIG_IGN)
            demo.stop()
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
