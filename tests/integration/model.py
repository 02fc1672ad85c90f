"""What every total must be, worked out from the commands that were confirmed, and from nothing else.

The model is told of each command and its exit status. It keeps the entries of every node in the order in
which they were confirmed and works each total out afresh from all entries, in the plainest way that the
words of the contract allow: a flow is the sum of all live entries in the span; a stock is, unit by unit,
the one entry that stands at the end of the span. There are no cells, no changes, no prefix sums, so it
cannot share a mistake with a program that has them.

A command that was cut off may or may not have left its entries: `Maybe` holds them until a repeated
command or the node's log tells, all together, since a command is wholly there or wholly absent.
"""

import ast
import collections
import dataclasses
from fractions import Fraction

import periods


@dataclasses.dataclass(frozen=True)
class Measure:
    code: str
    kind: str  # flow or stock
    level: str
    frequency: str = "month"
    decimals: int = 0
    dims: tuple = ()
    strict: bool = False


@dataclasses.dataclass(frozen=True)
class Indicator:
    code: str
    formula: str
    decimals: int = 0


@dataclasses.dataclass
class Entry:
    """One confirmed entry. `value` is in smallest steps and is the record's value after its amends."""
    node: str
    kind: str  # record, amend or void
    unit: str = ""
    measure: str = ""
    day: str = ""
    category: str = ""
    value: int = 0
    key: str = ""
    note: str = ""
    hosting: int = 0
    refers: "Entry" = None  # the record that an amend or void corrects
    written: int = 0  # as it was written, before amends
    live: bool = True
    order: int = -1  # place in its node's ledger
    ident: str = None


@dataclasses.dataclass(frozen=True)
class Row:
    """What a line of `total` must say; counts are None for an indicator."""
    value: object
    entries: int = None
    reported: int = None
    expected: int = None


class Torn(Exception):
    """Of one command some entries are there and some are not."""


class Maybe:
    """The entries of one command that was cut off, in their order."""

    def __init__(self, model, entries):
        self.model = model
        self.entries = entries

    def settle(self, seen_notes):
        """seen_notes: the notes in the node's log. Takes in all entries, or none; says which."""
        there = [entry.note in seen_notes for entry in self.entries]
        if any(there) and not all(there):
            raise Torn(f"{sum(there)} of the {len(there)} entries of one command are in the log")
        if there[0]:
            self.model.take(self.entries)
        return there[0]

    def settle_repeated(self, known_count):
        """The command was repeated with the same keys and went well; so many of its keys were known."""
        self.model.take(self.entries)
        if known_count not in (0, len(self.entries)):
            raise Torn(f"{known_count} of the {len(self.entries)} keys of one command were known")


class Model:
    def __init__(self, levels, dims, measures, indicators):
        self.levels = levels
        self.dims = dims  # dimension: its values
        self.measures = {measure.code: measure for measure in measures}
        self.indicators = {indicator.code: indicator for indicator in indicators}
        self.parents = {}  # unit: the unit above, None for the root
        self.unit_levels = {}
        self.hosts = {}  # unit: (node, hosting number); a node goes by its unit
        self.ledgers = collections.defaultdict(list)
        self._index = None  # of _places
        self._memo = {}  # of _of_unit

    # ---- the tree ----

    def add_unit(self, unit, level, parent, own_node):
        self.parents[unit] = parent
        self.unit_levels[unit] = level
        self.hosts[unit] = (unit, 1) if own_node else (self.hosts[parent][0], 1)

    def hand_over(self, unit):
        """A unit that another node hosted gets its own."""
        self.hosts[unit] = (unit, self.hosts[unit][1] + 1)

    def nodes(self):
        return [unit for unit, (node, _) in self.hosts.items() if unit == node]

    def subtree(self, unit):
        return [other for other in self.parents if unit in self.path(other)]

    def path(self, unit):
        """The unit and all above it."""
        found = []
        while unit is not None:
            found.append(unit)
            unit = self.parents[unit]
        return found

    def hosted(self, node):
        return [unit for unit, (host, _) in self.hosts.items() if host == node]

    # ---- what was confirmed ----

    def record(self, node, unit, measure, day, value, category="", key="", note=""):
        """An entry as it would be; `take` confirms it. The hosting number is that of this moment."""
        hosting = self.hosts[unit][1] if self.measures[measure].kind == "stock" else 0
        return Entry(node, "record", unit, measure, day, category, value, key, note, hosting)

    @staticmethod
    def amend(record, value, key="", note=""):
        return Entry(record.node, "amend", value=value, key=key, note=note, refers=record)

    @staticmethod
    def void(record, note=""):
        return Entry(record.node, "void", note=note, refers=record)

    def take(self, entries):
        """Confirms the entries, in this order, as the last ones of their node's ledger."""
        for entry in entries:
            ledger = self.ledgers[entry.node]
            entry.order = len(ledger)
            entry.written = entry.value
            ledger.append(entry)
            if entry.kind == "amend" and entry.refers.live:
                entry.refers.value = entry.value
            elif entry.kind == "void":
                entry.refers.live = False
        self._index = None
        self._memo = {}

    def counted(self):
        """Every entry with the record that says where it counts."""
        for ledger in self.ledgers.values():
            for entry in ledger:
                yield entry, entry.refers or entry

    # ---- totals ----

    def _places(self):
        """(unit, measure): its entries as (period, entry, record)."""
        index = self._index
        if index is None:
            index = collections.defaultdict(list)
            for entry, record in self.counted():
                frequency = self.measures[record.measure].frequency
                period = periods.of_day(frequency, record.day)
                index[record.unit, record.measure].append((period, entry, record))
            self._index = index  # only now: several threads may ask
        return index

    def total(self, units, measure, span, category=None):
        """The total over those units; None as category is the sum over all of them."""
        value = entries = reported = expected = 0
        for unit in units:
            own_value, own_entries, has_live = self._of_unit(unit, measure, span, category)
            value += own_value
            entries += own_entries
            if self.unit_levels[unit] == measure.level:
                expected += 1
                reported += has_live
        return Row(value, entries, reported, expected)

    def _of_unit(self, unit, measure, span, category):
        """Of the unit alone: value, entries, and whether it has a live entry in the span."""
        key = unit, measure.code, span, category
        if key not in self._memo:
            self._memo[key] = self._work_out(unit, measure, span, category)
        return self._memo[key]

    def _work_out(self, unit, measure, span, category):
        wanted = set(periods.inside(span, measure.frequency))
        end = periods.last_day(span)
        value = entries = 0
        has_live = False
        standing = {}  # category: (rank, value)
        for period, entry, record in self._places().get((unit, measure.code), ()):
            is_live = entry is record and record.live
            if period in wanted and is_live:
                has_live = True
            if category is not None and record.category != category:
                continue
            if period in wanted:
                entries += 1
            if not is_live:
                continue
            if measure.kind == "flow":
                value += record.value if period in wanted else 0
            elif periods.last_day(period) <= end:
                rank = (periods.first_day(period), record.hosting, record.day, record.order)
                if record.category not in standing or standing[record.category][0] < rank:
                    standing[record.category] = rank, record.value
        return value + sum(stood for _, stood in standing.values()), entries, has_live

    def indicator(self, units, indicator, span):
        """The text of the value, or None for "no value"."""
        def term(node):
            if isinstance(node, ast.Expression):
                return term(node.body)
            if isinstance(node, ast.Constant):
                return Fraction(str(node.value))
            if isinstance(node, ast.Name):
                measure = self.measures[node.id]
                return Fraction(self.total(units, measure, span).value, 10 ** measure.decimals)
            if isinstance(node, ast.UnaryOp):
                return -term(node.operand)
            left, right = term(node.left), term(node.right)
            if isinstance(node.op, ast.Add):
                return left + right
            if isinstance(node.op, ast.Sub):
                return left - right
            if isinstance(node.op, ast.Mult):
                return left * right
            return left / right
        try:
            exact = term(ast.parse(indicator.formula, mode="eval"))
        except ZeroDivisionError:
            return None
        return decimal_text(round_half_away(exact * 10 ** indicator.decimals), indicator.decimals)

    def fits(self, code, span):
        """Whether the span is no finer than the measure, or than any measure of the indicator."""
        if code in self.measures:
            return periods.inside(span, self.measures[code].frequency) is not None
        return all(self.fits(name, span) for name in names_in(self.indicators[code].formula))

    def combinations(self, measure):
        """All categories that the measure can have, "" for none among them."""
        found = [""]
        for place, dim in enumerate(measure.dims):
            begun = [""] if place == 0 else found[1:]
            found = [""] + [(text + "," if text else "") + f"{dim}={value}"
                            for text in begun for value in self.dims[dim]]
        return found

    # ---- what `total` must answer ----

    def answer(self, unit, span, by=None):
        """{(unit, own, measure, period, category): Row} of `tally total UNIT -p SPAN [--by BY]`."""
        rows = {}
        groups = self._groups(unit, by)
        for code, measure in self.measures.items():
            if not self.fits(code, span):
                continue
            spans = periods.inside(span, measure.frequency) if by == "period" else [span]
            categories = self.combinations(measure) if by == "category" else [None]
            for name, own, units in groups:
                for period in spans:
                    for category in categories:
                        rows[name, own, code, period, category] = self.total(
                            units, measure, period, category)
        if by == "category":
            return rows
        for code, indicator in self.indicators.items():
            if not self.fits(code, span):
                continue
            spans = [span]
            if by == "period":
                coarsest = min((self.measures[name].frequency for name in names_in(indicator.formula)),
                               key=periods.FREQUENCIES.index)
                spans = periods.inside(span, coarsest)
            for name, own, units in groups:
                for period in spans:
                    rows[name, own, code, period, None] = Row(
                        self.indicator(units, indicator, period))
        return rows

    def _groups(self, unit, by):
        below = self.subtree(unit)
        if by == "child":
            children = [other for other in below if self.parents[other] == unit]
            return [(child, False, self.subtree(child)) for child in children] + [
                (unit, True, [unit])]
        if by and by.startswith("level="):
            return [(other, False, self.subtree(other)) for other in below
                    if self.unit_levels[other] == by[len("level="):]]
        return [(unit, False, below)]

    def from_above(self, node, since=None):
        """The measures that a node above has recorded about the node's subtree, since the ledgers
        had the given lengths; and the indicators of them."""
        above = set(self.path(node)[1:])
        found = {record.measure for entry, record in self.counted()
                 if entry.node in above and node in self.path(record.unit)
                 and entry.order >= (since or {}).get(entry.node, 0)}
        return found | {code for code, indicator in self.indicators.items()
                        if found.intersection(names_in(indicator.formula))}


def names_in(formula):
    return {node.id for node in ast.walk(ast.parse(formula)) if isinstance(node, ast.Name)}


def decimal_text(steps, decimals):
    """-1250 with 2 decimals is -12.50."""
    digits = str(abs(steps)).rjust(decimals + 1, "0")
    point = f"{digits[:-decimals]}.{digits[-decimals:]}" if decimals else digits
    return ("-" if steps < 0 else "") + point


def round_half_away(exact):
    whole, rest = divmod(abs(exact), 1)
    if rest >= Fraction(1, 2):
        whole += 1
    return int(whole) if exact >= 0 else -int(whole)


def compare(wanted, got, overflow_at=2 ** 63):
    """The differences, as sentences, between `Model.answer` and the `totals` of a JSON answer."""
    faults, seen = [], set()
    for row in got:
        key = (row["unit"], bool(row.get("own")), row["measure"], row["period"], row["category"])
        name = " ".join(str(part) for part in key)
        if key in seen:
            faults.append(f"{name}: twice")
            continue
        seen.add(key)
        if key not in wanted:
            faults.append(f"{name}: not expected: {row}")
            continue
        want = wanted[key]
        value = want.value
        if isinstance(value, int) and not -overflow_at <= value < overflow_at:
            value = None
        if row["value"] != value or type(row["value"]) is not type(value):
            faults.append(f"{name}: value {row['value']!r}, must be {value!r}")
        # The words of the contract give coverage by measure, not by category.
        fields = ("entries", "reported", "expected") if key[4] is None else ("entries",)
        for field in fields:
            if row.get(field) != getattr(want, field):
                faults.append(f"{name}: {field} {row.get(field)!r}, must be {getattr(want, field)!r}")
    for key, want in wanted.items():
        empty = not want.value and not want.entries
        if key not in seen and not (empty and (key[1] or key[4] is not None)):
            faults.append(" ".join(str(part) for part in key) + f": missing, must be {want.value!r}")
    return faults


def compare_log(model, node, rows):
    """The differences between a node's confirmed entries and its `tally log --json`, in order."""
    faults = []
    ledger = model.ledgers[node]
    if len(ledger) != len(rows):
        missing = {entry.note for entry in ledger} - {row["note"] for row in rows}
        more = {row["note"] for row in rows} - {entry.note for entry in ledger}
        faults.append(f"log of {node}: {len(rows)} entries, must be {len(ledger)};"
                      f" missing {sorted(missing)[:3]}, not confirmed {sorted(more)[:3]}")
    idents = collections.Counter(row["entry"] for row in rows)
    faults += [f"log of {node}: {ident} twice" for ident, count in idents.items() if count > 1]
    for entry, row in zip(ledger, rows):
        wanted = {"kind": entry.kind, "note": entry.note, "key": entry.key}
        if entry.kind != "void":
            wanted["value"] = entry.written
        if entry.kind == "record":
            wanted.update(unit=entry.unit, measure=entry.measure, date=entry.day,
                          category=entry.category, live=entry.live)
        if entry.ident is not None:
            wanted["entry"] = entry.ident
        if entry.refers is not None and entry.refers.ident is not None:
            wanted["refers"] = entry.refers.ident
        for field, value in wanted.items():
            if (row[field] or "") != (value or ""):
                faults.append(f"log of {node}: {entry.note}: {field} {row[field]!r},"
                              f" must be {value!r}")
    return faults
