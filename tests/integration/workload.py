"""What people at the offices of a tree do in a round of t_rounds.py: records, amends, voids, imports.

An `Office` works at one node, one command after the other, and tells the model what was confirmed. The
`Board` is what offices and the one who kills nodes know of each other. Every entry has a note of its own,
by which a log can be asked whether an entry of an interrupted command is there.
"""

import collections
import csv
import io
import threading
import time

import harness
from model import Indicator, Maybe, Measure, Model, decimal_text

# Codes that begin with each other's digits, against the grain of the tree.
ROOT = "42"
DISTRICTS = {"4": ["421", "4361", "44"], "43": ["4362", "45", "431"], "436": ["42a", "46", "4363"]}
HOSTED = {"4": ["4364"], "43": ["47", "433"], "436": ["43a"]}  # communes without a node

LEVELS = ["province", "district", "commune"]
DIMS = {"group": ["cadre", "other"], "organiser": ["province", "district"]}
MEASURES = [
    Measure("money", "flow", "commune", "month"),
    Measure("grants", "flow", "commune", "month", 2, ("group",)),
    Measure("visits", "flow", "commune", "day"),
    Measure("classes", "flow", "district", "quarter", 0, ("group", "organiser")),
    Measure("members", "stock", "commune", "month"),
    Measure("fund", "stock", "commune", "half", 3, ("group",)),
    Measure("staff", "stock", "district", "day", 1),
]
INDICATORS = [
    Indicator("per_member", "money / members"),
    Indicator("mixed", "(grants - fund) / 3 + visits * 2", 2),
    Indicator("nothing", "staff / (members - members)"),
]
DAYS = ["2022-11-30", "2023-01-05", "2023-01-31", "2023-02-14", "2023-03-31", "2023-04-01",
        "2023-05-17", "2023-06-18", "2023-06-30", "2023-07-01", "2023-09-09", "2023-12-31"]
SPANS = ["2022", "2023", "2023H1", "2023H2", "2023Q2", "2023-06", "2023-06-18"]

VALUE_MAX = 10 ** 15
COLUMNS = ["unit", "measure", "date", "category", "value", "key", "note"]
CLIENT_KILL_MAX_S = 0.03 * harness.SLOWNESS
REPEATS_MAX = 100
WAIT_S = 1
COMMANDS_AT_ONCE = 6


def new_model():
    return Model(LEVELS, DIMS, MEASURES, INDICATORS)


def catalogue_yaml():
    """The catalogue of the model, as `tally apply` reads it."""
    lines = ["levels: [" + ", ".join(LEVELS) + "]", "categories:"]
    lines += [f"  - {{code: {code}, values: [{', '.join(values)}]}}" for code, values in DIMS.items()]
    lines.append("measures:")
    for m in MEASURES:
        dims = f", categories: [{', '.join(m.dims)}]" if m.dims else ""
        lines.append(f"  - {{code: {m.code}, name: Measure {m.code}, unit: thing, kind: {m.kind},"
                     f" decimals: {m.decimals}, frequency: {m.frequency}, level: {m.level}{dims}}}")
    lines.append("indicators:")
    lines += [f"  - {{code: {i.code}, name: Indicator {i.code}, unit: thing,"
              f" formula: '{i.formula}', decimals: {i.decimals}}}" for i in INDICATORS]
    return "\n".join(lines) + "\n"


def steps_text(value, measure):
    return decimal_text(value, measure.decimals)


class Board:
    """What goes on in a round. Everything is read and written under `changed`."""

    def __init__(self, office_count):
        self.changed = threading.Condition()
        self.gate = threading.Semaphore(COMMANDS_AT_ONCE)
        self.office_count = office_count
        self.begun = 0  # commands
        self.idle = 0  # offices that are done or wait for their node to be started
        self.faults = []
        self.counts = collections.Counter()

    def begin_command(self):
        with self.changed:
            self.begun += 1
            self.changed.notify_all()

    def fault(self, text):
        with self.changed:
            self.faults.append(text)

    def count(self, what):
        with self.changed:
            self.counts[what] += 1

    def set_idle(self, number):
        with self.changed:
            self.idle += number
            self.changed.notify_all()

    def wait_commands(self, number, limit_s):
        """Until so many commands were begun, or no office can begin one."""
        with self.changed:
            if not self.changed.wait_for(
                    lambda: self.begun >= number or self.idle >= self.office_count, limit_s):
                raise harness.Failed(f"the offices stand still at {self.begun} commands")

    def wait_started(self, node, limit_s):
        """Until whoever killed the node has started it again."""
        with self.changed:
            self.idle += 1
            self.changed.notify_all()
            try:
                if not self.changed.wait_for(lambda: not node.killed, limit_s):
                    raise harness.Failed(f"{node.unit} was not started again")
            finally:
                self.idle -= 1

    def tell_started(self):
        with self.changed:
            self.changed.notify_all()


class Office:
    """The people at one node. `starting` is held by who starts the node, so that it stays dead."""

    def __init__(self, node, model, lock, rng):
        self.node = node
        self.model = model
        self.lock = lock  # of the model
        self.rng = rng
        self.starting = threading.Lock()
        self.board = None
        self.number = 0  # of entries
        self.keys = []  # (words, entry) of records confirmed with a key

    # ---- one round ----

    def work(self, board, commands):
        self.board = board
        try:
            for _ in range(commands):
                if self.node.killed and not self._act_while_dead():
                    self._until_up()
                self._act()
        except Exception as error:  # or a thread would end and nobody would know
            board.fault(f"{self.node.unit}: {type(error).__name__}: {error}")
        finally:
            board.set_idle(1)

    def _until_up(self):
        end = time.monotonic() + harness.READY_LIMIT_S
        while True:
            if self.node.killed:
                self.board.wait_started(self.node, harness.CONVERGE_LIMIT_S)
                end = time.monotonic() + harness.READY_LIMIT_S
            if self.node.died():
                raise harness.Failed(f"the daemon ended with {self.node.process.returncode}")
            if self._run(["status"]).status in (harness.DONE, harness.NO):
                return
            if time.monotonic() > end:
                raise harness.Failed("does not answer")
            time.sleep(harness.POLL_S)

    def _act_while_dead(self):
        """Sometimes people try although the daemon does not run: that must leave nothing."""
        if self.rng.random() < 0.7 or not self.starting.acquire(blocking=False):
            return False
        try:
            if not self.node.killed:
                return True
            self.board.begin_command()
            entry = self._new_record()
            result = self._run(self._record_words(entry))
            self.board.count("dead")
            if result.status != harness.UNREACHABLE:
                self.board.fault(f"the daemon does not run, yet: {result}")
        finally:
            self.starting.release()
        return False

    def _run(self, words, **more):
        with self.board.gate:
            return self.node.tally(*words, **more)

    def _act(self):
        self.board.begin_command()
        dice = self.rng.random()
        targets = self._targets() if dice < 0.42 else []
        if dice < 0.26 and targets:
            self._amend(self.rng.choice(targets))
        elif dice < 0.42 and targets:
            self._void(self.rng.choice(targets))
        elif dice < 0.60:
            self._import()
        elif dice < 0.66 and self.keys:
            self._repeat_key()
        elif dice < 0.72:
            self._wrong()
        else:
            self._record()

    # ---- what is recorded ----

    def _note(self):
        self.number += 1
        return f'{self.node.unit}/{self.number}: quỹ "khuyến học", thu'

    def _value(self):
        dice = self.rng.random()
        if dice < 0.02:
            return self.rng.choice([-1, 1]) * VALUE_MAX
        if dice < 0.1:
            return 0
        if dice < 0.3:
            return -self.rng.randrange(1, 5000)
        return self.rng.randrange(1, 10 ** self.rng.choice([1, 3, 6, 9]))

    def _new_record(self):
        measure = self.rng.choice(MEASURES)
        units = (self.model.hosted if measure.kind == "stock" else self.model.subtree)(self.node.unit)
        category = self.rng.choice(self.model.combinations(measure))
        note = self._note()
        key = f"key-{self.node.unit}-{self.number}" if self.rng.random() < 0.7 else ""
        return self.model.record(self.node.unit, self.rng.choice(units), measure.code,
                                 self.rng.choice(DAYS), self._value(), category, key, note)

    def _record_words(self, entry):
        words = ["record", entry.unit, entry.measure,
                 steps_text(entry.value, self.model.measures[entry.measure]),
                 "--date", entry.day, "--note", entry.note]
        if entry.category:
            words += ["--category", entry.category]
        if entry.key:
            words += ["--key", entry.key]
        return words

    def _targets(self):
        """Own records that live, have a known identity and whose stock is still this node's."""
        with self.lock:
            hosted = set(self.model.hosted(self.node.unit))
            return [entry for entry in self.model.ledgers[self.node.unit][-200:]
                    if entry.kind == "record" and entry.live and entry.ident
                    and (self.model.measures[entry.measure].kind == "flow"
                         or entry.unit in hosted)]

    def _record(self):
        entry = self._new_record()
        words = self._record_words(entry)
        if self.model.parents[self.node.unit] and self.rng.random() < 0.05:
            words += ["--wait", self.rng.choice(["parent", "root"]), "--timeout", WAIT_S]
        self._perform(words, [entry])
        if entry.key and entry.ident:
            self.keys.append((self._record_words(entry), entry))

    def _amend(self, record):
        value = self._value()
        note = self._note()
        key = f"key-{self.node.unit}-{self.number}" if self.rng.random() < 0.5 else ""
        target = record.ident
        with self.lock:
            amends = [entry.ident for entry in self.model.ledgers[self.node.unit]
                      if entry.kind == "amend" and entry.refers is record and entry.ident]
        if amends and self.rng.random() < 0.5:
            target = amends[-1]  # amending an amend means its original
        words = ["amend", target, steps_text(value, self.model.measures[record.measure]),
                 "--note", note] + (["--key", key] if key else [])
        self._perform(words, [self.model.amend(record, value, key, note)])

    def _void(self, record):
        note = self._note()
        self._perform(["void", record.ident, "--note", note], [self.model.void(record, note)])

    def _import(self):
        entries = [self._new_record() for _ in range(self.rng.randrange(1, 30))]
        columns = COLUMNS[:]
        self.rng.shuffle(columns)
        out = io.StringIO()
        writer = csv.writer(out, lineterminator=self.rng.choice(["\n", "\r\n"]))
        writer.writerow(columns)
        for entry in entries:
            row = {"unit": entry.unit, "measure": entry.measure, "date": entry.day,
                   "category": entry.category, "key": entry.key, "note": entry.note,
                   "value": steps_text(entry.value, self.model.measures[entry.measure])}
            writer.writerow([row[column] for column in columns])
        self._perform(["import", "-"], entries, out.getvalue())

    # ---- how a command ends ----

    def _perform(self, words, entries, given=None):
        """One command: takes its entries into the model when it is certain that they are there."""
        killer = None
        if self.rng.random() < 0.05:
            def killer(process):
                # A moment within the command's life; nothing waits for this.
                threading.Timer(self.rng.uniform(0, CLIENT_KILL_MAX_S), process.kill).start()
        result = self._run(words + ["--json"], given=given, started=killer)
        if result.status == harness.DONE or (result.status == harness.NO and "--wait" in words):
            self._confirm(result, entries)
            self.board.count("done")
            if self._known(result):
                self.board.fault(f"{self.node.unit}: new keys were known: {result}")
        elif result.status == harness.UNREACHABLE or (result.status < 0 and killer):
            self.board.count("cut off")
            self._find_out(words, entries, given)
        else:
            self.board.fault(f"{self.node.unit}: {result}")

    @staticmethod
    def _known(result):
        return int(result.json()["known"]) if result.status == harness.DONE else 0

    def _confirm(self, result, entries):
        with self.lock:
            self.model.take(entries)
        if len(entries) == 1 and result.out.startswith("{") and "entry" in result.json():
            entries[0].ident = result.json()["entry"]

    def _find_out(self, words, entries, given):
        """What became of a command that was cut off: by its keys when all have one, else by the log."""
        maybe = Maybe(self.model, entries)
        if all(entry.key for entry in entries) and self.rng.random() < 0.6:
            result = self._until_answered(words + ["--json"], given)
            with self.lock:
                maybe.settle_repeated(self._known(result))
            self.board.count("cut off, repeated")
            return
        rows = self._until_answered(["log", "--json"]).json()
        with self.lock:
            there = maybe.settle({row["note"] for row in rows})
        self.board.count("cut off, there" if there else "cut off, not there")

    def _until_answered(self, words, given=None):
        for _ in range(REPEATS_MAX):
            self._until_up()
            result = self._run(words, given=given)
            if result.status == harness.DONE:
                return result
            if result.status != harness.UNREACHABLE:
                raise harness.Failed(f"when repeated: {result}")
        raise harness.Failed(f"cut off {REPEATS_MAX} times: {words}")

    # ---- what must change nothing ----

    def _repeat_key(self):
        """The same key with the same content is the same entry; with other content it is refused."""
        words, entry = self.rng.choice(self.keys[-50:])
        if self.rng.random() < 0.5:
            result = self._run(words + ["--json"])
            if result.status == harness.DONE:
                answer = result.json()
                if answer["entry"] != entry.ident or not answer["known"]:
                    self.board.fault(f"{self.node.unit}: key of {entry.ident}: {result}")
            elif result.status != harness.UNREACHABLE:
                self.board.fault(f"{self.node.unit}: {result}")
        else:
            words = words[:]
            words[3] = steps_text(entry.written + 1, self.model.measures[entry.measure])
            self._must_refuse(words)

    def _wrong(self):
        """A unit that is not there, a value beyond the range, a stock of somebody else's unit."""
        entry = self._new_record()
        kind = self.rng.randrange(3)
        foreign = [unit for unit in self.model.parents
                   if unit not in self.model.hosted(self.node.unit)]
        if kind == 0:
            entry.unit += "x"
        elif kind == 1:
            entry.value = VALUE_MAX + 1
        else:
            entry.unit, entry.measure = self.rng.choice(foreign), "members"
            entry.value, entry.category = 5, ""
        self._must_refuse(self._record_words(entry))

    def _must_refuse(self, words):
        result = self._run(words)
        self.board.count("refused")
        if result.status not in (harness.REFUSED, harness.UNREACHABLE):
            self.board.fault(f"{self.node.unit}: must be refused: {result}")

    # ---- after a round ----

    def learn_identities(self, rows):
        by_note = {row["note"]: row["entry"] for row in rows}
        for entry in self.model.ledgers[self.node.unit]:
            entry.ident = entry.ident or by_note.get(entry.note)
