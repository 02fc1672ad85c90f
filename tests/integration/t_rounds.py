#!/usr/bin/env python3
# labels: threads
"""Rounds of work on a tree of 1 + 3 + 9 nodes whose nodes are killed at random moments.

    t_rounds.py [--rounds N] [--seed S]

In a round every office records, amends, voids and imports, while random nodes, the root too, are killed
with SIGKILL and started again, some while they are starting; a few clients are killed too. Then
everything is left to settle, and every total at every node, of all units that it knows, is compared with
the model, and every node's ledger with what was confirmed. Between rounds a commune that its district
hosted gets a node of its own, and new communes appear.

What it would catch: a confirmed entry that a kill loses; an entry that is there once too often after a
repeated command; half a command; a total that goes up the tree twice, or not at all, or is called exact
too early; a stock that the wrong entry stands for, above all around a change of the host; coverage that
counts a unit twice; an alarm that nobody earned.
"""

import argparse
import concurrent.futures
import os
import random
import sys
import threading
import time

import harness
import workload
from model import compare, compare_log
from workload import Board, Office

ROUNDS = 1 if harness.SANITIZED else 5
ROUNDS_LONG = 200
COMMANDS_MAX = 9  # of one office in one round
KILLS_MAX = 6
DEAD_COMMANDS_MAX = 15  # commands that others begin while a node is dead
KILL_JITTER_S = 0.02 * harness.SLOWNESS
DOWNWARD_LIMIT_S = 15 * harness.SLOWNESS
ROUND_LIMIT_S = 300 * harness.SLOWNESS
FAULTS_SHOWN = 10
QUERIES_AT_ONCE = 4


class Rounds:
    """The tree, the model of it and the offices, over all rounds."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.lock = threading.Lock()
        self.model = workload.new_model()
        self.offices = {}
        self.compared = 0
        self.tree = harness.Tree(workload.ROOT, "Tỉnh", "province", workload.catalogue_yaml())
        self.model.add_unit(workload.ROOT, "province", None, True)
        self._open_office(workload.ROOT)
        for district, communes in workload.DISTRICTS.items():
            self._join(district, workload.ROOT, "district")
            for commune in communes:
                self._join(commune, district, "commune")
            for commune in workload.HOSTED[district]:
                self._add_unit(commune, district)

    def _open_office(self, unit):
        rng = random.Random(self.rng.getrandbits(64))
        self.offices[unit] = Office(self.tree.nodes[unit], self.model, self.lock, rng)

    def _join(self, unit, parent, level):
        self.tree.join(parent, unit, "--name", f"Unit {unit}", "--level", level)
        self.model.add_unit(unit, level, parent, True)
        self._open_office(unit)

    def _add_unit(self, unit, parent):
        self.tree.nodes[parent].tally(
            "unit", "add", unit, "--name", f"Xã {unit}", "--level", "commune",
            "--parent", parent).ok()
        self.model.add_unit(unit, "commune", parent, False)

    # ---- between rounds ----

    def change_tree(self, number):
        """In the third of every three rounds a new commune; in the second, a node for a hosted one."""
        hosted = [unit for unit, (node, _) in self.model.hosts.items() if unit != node]
        if number % 3 == 2 and number < 9 and hosted:
            unit = self.rng.choice(hosted)
            self.tree.join(self.model.parents[unit], unit)
            self.model.hand_over(unit)
            self._open_office(unit)
        elif number % 3 == 0 and number < 18:
            self._add_unit(f"{workload.ROOT}{number}", self.rng.choice(list(workload.DISTRICTS)))

    # ---- one round ----

    def work(self):
        """Everybody works while nodes die; the board of what happened."""
        board = Board(len(self.offices))
        plans = {unit: self.rng.randrange(2, COMMANDS_MAX) for unit in self.offices}
        threads = [threading.Thread(target=self.offices[unit].work, args=(board, commands))
                   for unit, commands in plans.items()]
        for thread in threads:
            thread.start()
        try:
            self._kill_nodes(board, sum(plans.values()))
        finally:
            for office in self.offices.values():
                self._start(office, board)
            for thread in threads:
                thread.join(ROUND_LIMIT_S)
        if any(thread.is_alive() for thread in threads):
            raise harness.Failed(f"an office is not done after {ROUND_LIMIT_S} s")
        return board

    def _kill_nodes(self, board, command_count):
        moments = []
        for victim in self.rng.choices(list(self.offices), k=self.rng.randint(2, KILLS_MAX)):
            begin = self.rng.randrange(1, command_count)
            moments += [(begin, "kill", victim),
                        (begin + self.rng.randrange(DEAD_COMMANDS_MAX), "start", victim)]
        for moment, what, victim in sorted(moments):
            board.wait_commands(moment, ROUND_LIMIT_S)
            office = self.offices[victim]
            if what == "start":
                self._start(office, board)
            elif office.node.alive():
                time.sleep(self.rng.uniform(0, KILL_JITTER_S))  # a moment in the midst of something
                office.node.kill()
                board.count("kills")

    @staticmethod
    def _start(office, board):
        with office.starting:
            if office.node.killed:
                office.node.start()
        board.tell_started()

    # ---- comparing ----

    def check(self, since, is_last):
        """The differences from the model, as sentences. `since`: lengths of ledgers before the round."""
        for node in self.tree.nodes.values():
            node.wait_ready()
        self.tree.settle()
        faults = []
        for unit, node in self.tree.nodes.items():
            rows = node.log()
            faults += compare_log(self.model, unit, rows)
            self.offices[unit].learn_identities(rows)
        others = [unit for unit in self.tree.nodes if unit != workload.ROOT]
        with concurrent.futures.ThreadPoolExecutor(QUERIES_AT_ONCE) as pool:
            for units in [[workload.ROOT], others]:  # the root has just called itself exact
                jobs = [pool.submit(self._check_query, self.tree.nodes[unit], *query, since)
                        for unit in units for query in self._queries(unit)]
                faults += [fault for job in jobs for fault in job.result()]
        verified = list(self.tree.nodes) if is_last else [self.rng.choice(list(self.tree.nodes))]
        for unit, node in self.tree.nodes.items():
            faults += self._check_health(node, unit in verified)
        return faults

    def _queries(self, own):
        """(unit, span, by) to ask at the node of the unit `own`: everything about its own unit, each
        unit below in every span by its level, and by itself in some."""
        found = [(own, span, by) for span in workload.SPANS for by in (None, "category")]
        below = [unit for unit in self.model.subtree(own) if unit != own]
        found += [(own, "2023H1", "period"), (own, "2023", "child"), (own, "2023Q2", "child")]
        for level in workload.LEVELS[1:]:
            if any(self.model.unit_levels[unit] == level for unit in below):
                found += [(own, span, f"level={level}") for span in workload.SPANS]
        for unit in below:
            found += [(unit, "2023", None), (unit, self.rng.choice(workload.SPANS), "category")]
        return found

    def _check_query(self, node, unit, span, by, since):
        wanted = self.model.answer(unit, span, by)
        words = ["total", unit, "-p", span] + (["--by", by] if by else [])
        coming = self.model.from_above(node.unit, since)
        end = time.monotonic() + DOWNWARD_LIMIT_S
        while True:
            answer = node.json(*words)
            faults = compare(wanted, answer["totals"])
            # What a node above has recorded comes down; no state of the node tells when it has come.
            settled = compare({key: row for key, row in wanted.items() if key[2] not in coming},
                              [row for row in answer["totals"] if row["measure"] not in coming])
            if not faults or settled or time.monotonic() > end:
                break
            time.sleep(harness.POLL_S)
        with self.lock:
            self.compared += len(answer["totals"])
        return [f"at {node.unit}, {' '.join(words)}: {fault}" for fault in faults]

    @staticmethod
    def _check_health(node, verify):
        status = node.status()
        faults = []
        if status["alarms"] or status["held"] or not status["healthy"]:
            faults.append(f"{node.unit}: not healthy: {status}")
        if verify:
            result = node.tally("verify")
            if result.status != harness.DONE:
                faults.append(f"{node.unit}: {result}")
        return faults

    def play(self, number, is_last):
        """One round; the number of differences."""
        began = time.monotonic()
        if number > 1:
            self.change_tree(number)
        since = {unit: len(ledger) for unit, ledger in self.model.ledgers.items()}
        self.compared = 0
        board = self.work()
        faults = board.faults + self.check(since, is_last)
        counts = ", ".join(f"{count} {what}" for what, count in sorted(board.counts.items()))
        entries = sum(map(len, self.model.ledgers.values()))
        print(f"round {number}: {board.begun} commands ({counts}); {len(self.offices)} nodes,"
              f" {entries} entries; {self.compared} totals compared, {len(faults)} differences;"
              f" {time.monotonic() - began:.1f} s", flush=True)
        for fault in faults[:FAULTS_SHOWN]:
            print(f"    {fault}")
        return len(faults)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS_LONG if harness.LONG else ROUNDS)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    options = parser.parse_args()
    harness.require_programs()
    print(f"seed {options.seed}", flush=True)
    rounds = differences = 0
    try:
        everything = Rounds(options.seed)
        while rounds < options.rounds and differences == 0:
            rounds += 1
            differences += everything.play(rounds, rounds == options.rounds)
    except harness.Failed as error:
        print(f"    {error}")
        differences += 1
    if differences:
        harness.show_logs()
    print(f"{rounds} rounds, {differences} differences")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
