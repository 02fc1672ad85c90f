"""What is measured, on real processes: an import, the latency of single entries, memory, sizes."""

import json
import os
import statistics
import subprocess
import sys
import threading
import time

import entries

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "integration"))
import harness  # noqa: E402

PROVINCE, DISTRICT, COMMUNE = "42", "436", "43601"
TIERS = {PROVINCE: "province", DISTRICT: "district", COMMUNE: "commune"}
POLL_S = 0.05  # between two looks at the province's totals after an import
IDLE_S = 31
SMALL_LOAD = 500
IMPORT_LIMIT_S = 1800
LATENCY_LIMIT_S = 600
TICKS = os.sysconf("SC_CLK_TCK")


class Wrong(Exception):
    """A total is not what it must be."""


# ---- a process ----

def _fields(path):
    with open(path, encoding="utf-8") as file:
        lines = [line.split() for line in file]
    return {words[0].rstrip(":"): int(words[1]) for words in lines
            if len(words) > 1 and words[1].isdigit()}


def memory(pid):
    """In KiB."""
    status, smaps = _fields(f"/proc/{pid}/status"), _fields(f"/proc/{pid}/smaps_rollup")
    return {"rss": status["VmRSS"], "peak": status["VmHWM"], "pss": smaps["Pss"],
            "private": smaps["Private_Clean"] + smaps["Private_Dirty"],
            "anonymous": smaps["Anonymous"]}


def work(pid):
    """Processor seconds, and bytes handed to the disk."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        words = file.read().rsplit(")", 1)[1].split()
    return {"cpu_s": (int(words[11]) + int(words[12])) / TICKS,
            "written": _fields(f"/proc/{pid}/io")["write_bytes"]}


# ---- the tree ----

def make_tree():
    tree = harness.Tree(PROVINCE, "Province", "province", entries.catalogue())
    tree.join(PROVINCE, DISTRICT, "--name", "District", "--level", "district")
    tree.join(DISTRICT, COMMUNE, "--name", "Commune", "--level", "commune")
    tree.settle()
    return tree


def each(tree, reading):
    """{tier: reading of its process}."""
    return {TIERS[unit]: reading(node.process.pid) for unit, node in tree.nodes.items()}


def _values(rows):
    return {(row["measure"], row["category"] or ""): (row["value"], row["entries"]) for row in rows}


def compare(found, wanted, where):
    for key in sorted(set(found) | set(wanted)):
        have, must = found.get(key, (0, 0)), wanted.get(key, (0, 0))
        if have != must:
            raise Wrong(f"{where}: {' '.join(key)} has value {have[0]} of {have[1]} entries,"
                        f" must be {must[0]} of {must[1]}")


def check_node(node, wanted):
    rows = node.json("total", PROVINCE if node.unit == PROVINCE else node.unit, "-p",
                     entries.PERIOD, "--by", "category")["totals"]
    compare(_values(row for row in rows if row["entries"]), wanted, f"node {node.unit}")


# ---- the bare loop ----

def bare(programs, folder, path, wanted, tree):
    """One run of bench_bare; its totals are checked too."""
    words = [os.path.join(programs, "bench_bare"), *(["--tree"] if tree else []), folder, path]
    result = harness.run(words + entries.bare_words(), limit_s=IMPORT_LIMIT_S).ok().json()
    for name in os.listdir(folder):
        if name.startswith("bare"):
            os.unlink(os.path.join(folder, name))
    rows = result.pop("totals")
    compare(_values(rows), wanted, "bare loop")
    return result


# ---- the import ----

def _watch_peak(pid, peaks):
    """The kernel's own peak of a child (ru_maxrss) has the memory of this process in it, at the fork."""
    while True:
        try:
            peaks.append(_fields(f"/proc/{pid}/status")["VmHWM"])
        except (OSError, KeyError):  # it has ended
            return
        time.sleep(POLL_S)


def _client(words):
    """A command to its end: seconds, what it printed, processor seconds, peak memory in KiB."""
    peaks = []
    began = time.monotonic()
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          env=harness.environment(), text=True) as process:
        watch = threading.Thread(target=_watch_peak, args=(process.pid, peaks))
        watch.start()
        out = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        took = time.monotonic() - began
        watch.join()
    if process.returncode != 0:
        raise harness.Failed(f"{words}: exit status {process.returncode}")
    return took, json.loads(out), usage.ru_utime + usage.ru_stime, max(peaks, default=0)


def _watchers(tree, count):
    """So many `tally watch` at the province, each with all of its measures; all have seen the tree as it is."""
    words = harness.tally_words(tree.root.data, ["watch", "-p", entries.PERIOD, "--json"])
    started, seen = [], []
    for number in range(count):
        seen.append(os.path.join(tree.root.data, f"watch{number}"))
        with open(seen[-1], "wb") as out:
            started.append(subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out,
                                            env=harness.environment()))
    harness.wait_for(lambda: all(os.path.getsize(path) > 0 for path in seen), "all who watch have seen the tree")
    return started


def _end_watchers(watchers):
    """Their processor seconds."""
    cpu_s = 0.0
    for process in watchers:
        if process.poll() is not None:
            raise Wrong(f"a watcher ended by itself, with status {process.returncode}")
        process.terminate()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        cpu_s += usage.ru_utime + usage.ru_stime
    return cpu_s


def bulk(path, given, watchers=0):
    """One import at a new tree, until the province has everything, with people who watch it."""
    tree = make_tree()
    watching = _watchers(tree, watchers)
    before = each(tree, work)
    words = harness.tally_words(tree.nodes[COMMUNE].data, ["import", path, "--json"])
    began = time.monotonic()
    took, said, client_cpu_s, client_peak = _client(words)
    if said["recorded"] != given.count:
        raise Wrong(f"import: {said}, must have recorded {given.count}")

    def arrived():
        rows = tree.root.json("total", PROVINCE, "-p", entries.PERIOD)["totals"]
        return sum(row["entries"] for row in rows) >= given.count
    while not arrived():
        if time.monotonic() - began > IMPORT_LIMIT_S:
            raise Wrong(f"the province has not everything after {IMPORT_LIMIT_S} s")
        time.sleep(POLL_S)
    whole = time.monotonic() - began
    watchers_cpu_s = _end_watchers(watching)
    for node in tree.nodes.values():
        check_node(node, given.totals)
    tree.settle()
    after = each(tree, work)
    result = {"import_s": took, "whole_s": whole, "import_per_s": given.count / took,
              "whole_per_s": given.count / whole, "memory": each(tree, memory),
              "cpu_s": {tier: after[tier]["cpu_s"] - before[tier]["cpu_s"] for tier in after},
              "written": {tier: after[tier]["written"] - before[tier]["written"] for tier in after},
              "file": {TIERS[unit]: os.path.getsize(os.path.join(node.data, "tally.db"))
                       for unit, node in tree.nodes.items()}}
    result["cpu_s"]["client"] = client_cpu_s
    result["cpu_s"]["watchers"] = watchers_cpu_s
    result["client_peak"] = client_peak
    tree.stop()
    return result


# ---- one entry ----

def percentile(samples, part):
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def latency(programs, tree, count):
    """Microseconds: from the answer at the commune to visible in the province's total."""
    day = entries.FIRST.isoformat()
    found = harness.run([os.path.join(programs, "bench_latency"), str(count),
                         tree.nodes[COMMUNE].data, tree.root.data, COMMUNE, "fund_raised", day,
                         PROVINCE], limit_s=LATENCY_LIMIT_S).ok().json()
    committing = [sample[0] for sample in found["samples"]]
    visible = [sample[1] for sample in found["samples"]]
    return {"count": count, "p50_us": percentile(visible, 0.5), "p99_us": percentile(visible, 0.99),
            "max_us": max(visible), "commit_p50_us": percentile(committing, 0.5),
            "commit_p99_us": percentile(committing, 0.99),
            "late_by_us": found["question_us"] + found["nap_us"]}


# ---- at rest ----

def idle(folder, programs, latencies):
    """Memory after the start and at rest after a small load, and then the latency."""
    tree = make_tree()
    found = {"start": each(tree, memory)}
    given = entries.Entries(COMMUNE, SMALL_LOAD, seed=1)
    path = given.write(os.path.join(folder, "small.csv"))
    tree.nodes[COMMUNE].tally("import", path, "--wait", "root").ok()
    check_node(tree.root, given.totals)
    tree.settle()
    time.sleep(IDLE_S)
    found["idle"] = each(tree, memory)
    found["latency"] = latency(programs, tree, latencies)
    tree.stop()
    return found


def sizes(folder):
    found = {}
    for name in ("tallyd", "tally"):
        path = os.path.join(folder, name + ".stripped")
        harness.run(["strip", "-o", path, os.path.join(harness.BIN, name)]).ok()
        found[name] = os.path.getsize(path)
        os.unlink(path)
    return found


def median(values):
    return statistics.median(values)
