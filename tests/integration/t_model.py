#!/usr/bin/env python3
"""The model itself, on cases worked out by hand. It needs no programs.

A model that errs with the programs would hide their faults, so every expected figure here is a literal.
Each case says in its first line which rule the model would have to break for it to fail.
"""

import datetime
import unittest

import periods
from model import (Indicator, Maybe, Measure, Model, Row, Torn, compare, compare_log, decimal_text,
                   round_half_away)
from fractions import Fraction


def small():
    """42 over 436 over 436a, 436b; 436b has no node of its own."""
    model = Model(
        ["province", "district", "commune"], {"sex": ["f", "m"], "age": ["old"]},
        [Measure("money", "flow", "commune", decimals=2),
         Measure("heads", "stock", "commune"),
         Measure("split", "flow", "commune", "quarter", dims=("sex", "age")),
         Measure("daily", "flow", "district", "day")],
        [Indicator("each", "money / heads", 1), Indicator("odd", "(money - 1.5) * -2 + heads")])
    model.add_unit("42", "province", None, True)
    model.add_unit("436", "district", "42", True)
    model.add_unit("436a", "commune", "436", True)
    model.add_unit("436b", "commune", "436", False)
    return model


def put(model, node, unit, measure, day, value, **more):
    entry = model.record(node, unit, measure, day, value, **more)
    model.take([entry])
    return entry


class Calendar(unittest.TestCase):
    def test_ends(self):
        """Leap years and the last days of months, quarters and halves."""
        self.assertEqual(periods.last_day("2023-02"), datetime.date(2023, 2, 28))
        self.assertEqual(periods.last_day("2024-02"), datetime.date(2024, 2, 29))
        self.assertEqual(periods.last_day("2023Q2"), datetime.date(2023, 6, 30))
        self.assertEqual(periods.first_day("2023H2"), datetime.date(2023, 7, 1))
        self.assertEqual(periods.last_day("2023"), datetime.date(2023, 12, 31))
        self.assertEqual(periods.last_day("2023-12"), datetime.date(2023, 12, 31))

    def test_of_day(self):
        """The day's own period at the edges."""
        for day, wanted in {"2023-06-30": ["2023", "2023H1", "2023Q2", "2023-06", "2023-06-30"],
                            "2023-07-01": ["2023", "2023H2", "2023Q3", "2023-07", "2023-07-01"]
                            }.items():
            self.assertEqual([periods.of_day(f, day) for f in periods.FREQUENCIES], wanted)

    def test_inside(self):
        """A span is made of whole periods; a finer span has none."""
        self.assertEqual(periods.inside("2023H1", "quarter"), ("2023Q1", "2023Q2"))
        self.assertEqual(len(periods.inside("2024", "day")), 366)
        self.assertEqual(periods.inside("2023-06", "month"), ("2023-06",))
        self.assertIsNone(periods.inside("2023-06", "quarter"))

    def test_no_period(self):
        """What is no period is not taken for one."""
        for text in ("2023Q5", "2023H3", "2023-6", "23", "2023W01"):
            with self.assertRaises(ValueError):
                periods.frequency_of(text)


class Flows(unittest.TestCase):
    def test_sum_from_all_nodes(self):
        """Entries of every node about a unit count, once, at the unit and at all above it."""
        model = small()
        put(model, "436a", "436a", "money", "2023-01-31", 100)
        put(model, "436", "436a", "money", "2023-02-01", 20)
        put(model, "42", "436b", "money", "2023-01-05", 3)
        put(model, "42", "42", "money", "2023-01-05", -1000)
        money = model.measures["money"]
        self.assertEqual(model.total(["436a"], money, "2023"), Row(120, 2, 1, 1))
        self.assertEqual(model.total(model.subtree("436"), money, "2023-01"), Row(103, 2, 2, 2))
        self.assertEqual(model.total(model.subtree("42"), money, "2023Q1"), Row(-877, 4, 2, 2))

    def test_amend_and_void(self):
        """The last amend wins, a void is final, and both are counted as entries."""
        model = small()
        first = put(model, "436a", "436a", "money", "2023-01-31", 100)
        put(model, "436a", "436a", "money", "2023-01-30", 7)
        model.take([model.amend(first, 50)])
        model.take([model.amend(first, 60)])
        money = model.measures["money"]
        self.assertEqual(model.total(["436a"], money, "2023"), Row(67, 4, 1, 1))
        model.take([model.void(first)])
        model.take([model.amend(first, 70)])
        self.assertEqual(model.total(["436a"], money, "2023"), Row(7, 6, 1, 1))

    def test_reported_zero(self):
        """A live zero is reported; a voided entry is not."""
        model = small()
        zero = put(model, "436a", "436a", "money", "2023-01-31", 0)
        money = model.measures["money"]
        self.assertEqual(model.total(["436a"], money, "2023"), Row(0, 1, 1, 1))
        model.take([model.void(zero)])
        self.assertEqual(model.total(["436a"], money, "2023"), Row(0, 2, 0, 1))

    def test_categories(self):
        """All dimensions or none; the sum is over both; a combination has its own."""
        model = small()
        self.assertEqual(model.combinations(model.measures["split"]),
                         ["", "sex=f,age=old", "sex=m,age=old"])
        put(model, "436a", "436a", "split", "2023-04-01", 5, category="sex=f,age=old")
        put(model, "436a", "436a", "split", "2023-05-01", 6)
        split = model.measures["split"]
        self.assertEqual(model.total(["436a"], split, "2023Q2").value, 11)
        self.assertEqual(model.total(["436a"], split, "2023Q2", "sex=f,age=old").value, 5)
        self.assertEqual(model.total(["436a"], split, "2023Q2", "").value, 6)


class Stocks(unittest.TestCase):
    def test_last_period_stands(self):
        """The latest period up to the end counts, also in spans after it, never before it."""
        model = small()
        put(model, "436a", "436a", "heads", "2023-03-10", 30)
        put(model, "436a", "436a", "heads", "2023-01-31", 10)
        heads = model.measures["heads"]
        values = [model.total(["436a"], heads, span).value
                  for span in ("2022", "2023-01", "2023-02", "2023-03", "2023H1", "2025")]
        self.assertEqual(values, [0, 10, 10, 30, 30, 30])
        self.assertEqual(model.total(["436a"], heads, "2023-02"), Row(10, 0, 0, 1))

    def test_rank_inside_a_period(self):
        """In one period the hosting number comes before the day, the day before the order."""
        model = small()
        put(model, "436", "436b", "heads", "2023-01-20", 1)
        put(model, "436", "436b", "heads", "2023-01-10", 2)
        heads = model.measures["heads"]
        self.assertEqual(model.total(["436b"], heads, "2023-01").value, 1)
        put(model, "436", "436b", "heads", "2023-01-20", 3)
        self.assertEqual(model.total(["436b"], heads, "2023-01").value, 3)
        model.hand_over("436b")
        put(model, "436b", "436b", "heads", "2023-01-01", 4)
        self.assertEqual(model.total(["436b"], heads, "2023-01").value, 4)

    def test_later_period_beats_hosting(self):
        """A later period of the former host stands over an earlier one of the new host."""
        model = small()
        put(model, "436", "436b", "heads", "2023-02-01", 1)
        model.hand_over("436b")
        put(model, "436b", "436b", "heads", "2023-01-31", 2)
        heads = model.measures["heads"]
        self.assertEqual(model.total(["436b"], heads, "2023-02").value, 1)
        self.assertEqual(model.total(["436b"], heads, "2023-01").value, 2)

    def test_void_lets_the_one_before_stand(self):
        """A voided stock gives way to the entry before it; an amend keeps its place."""
        model = small()
        first = put(model, "436a", "436a", "heads", "2023-01-20", 1)
        second = put(model, "436a", "436a", "heads", "2023-01-20", 2)
        model.take([model.amend(first, 9)])
        heads = model.measures["heads"]
        self.assertEqual(model.total(["436a"], heads, "2023-01").value, 2)
        model.take([model.void(second)])
        self.assertEqual(model.total(["436a"], heads, "2023-01").value, 9)

    def test_sum_over_units_and_categories(self):
        """Each unit and each category has a standing value of its own."""
        model = small()
        model.measures["heads"] = heads = Measure("heads", "stock", "commune", dims=("sex",))
        put(model, "436a", "436a", "heads", "2023-01-20", 1, category="sex=f")
        put(model, "436a", "436a", "heads", "2023-02-20", 20, category="sex=m")
        put(model, "436", "436b", "heads", "2023-02-20", 300)
        self.assertEqual(model.total(model.subtree("42"), heads, "2023-02"), Row(321, 2, 2, 2))


class Indicators(unittest.TestCase):
    def test_rounding(self):
        """Halves go away from zero, on both sides."""
        halves = {Fraction(1, 2): 1, Fraction(-1, 2): -1, Fraction(5, 2): 3, Fraction(-5, 2): -3,
                  Fraction(49, 100): 0, Fraction(-149, 100): -1}
        for exact, wanted in halves.items():
            self.assertEqual(round_half_away(exact), wanted, exact)
        self.assertEqual([decimal_text(-5, 2), decimal_text(1250, 2), decimal_text(0, 0)],
                         ["-0.05", "12.50", "0"])

    def test_formula(self):
        """Formulas are in units, not in smallest steps; nothing divided by nothing is no value."""
        model = small()
        each = model.indicators["each"]
        self.assertIsNone(model.indicator(["436a"], each, "2023"))
        put(model, "436a", "436a", "money", "2023-01-20", 1050)  # 10.50
        put(model, "436a", "436a", "heads", "2023-01-20", -30)
        self.assertEqual(model.indicator(["436a"], each, "2023"), "-0.4")  # -0.35
        self.assertEqual(model.indicator(["436a"], model.indicators["odd"], "2023"), "-48")
        self.assertFalse(model.fits("each", "2023-01-20"))


class Answers(unittest.TestCase):
    def test_groups(self):
        """Children and the unit's own row; units of a level; finer spans leave measures out."""
        model = small()
        put(model, "436", "436", "daily", "2023-01-20", 5)
        put(model, "436a", "436a", "daily", "2023-01-20", 6)
        by_child = model.answer("436", "2023", "child")
        self.assertEqual(by_child["436", True, "daily", "2023", None], Row(5, 1, 1, 1))
        self.assertEqual(by_child["436a", False, "daily", "2023", None], Row(6, 1, 0, 0))
        self.assertIn(("436", True, "each", "2023", None), by_child)
        level = model.answer("42", "2023-01-20", "level=district")
        self.assertEqual(level, {("436", False, "daily", "2023-01-20", None): Row(11, 2, 1, 1)})
        self.assertEqual(len(model.answer("42", "2023-01-20", "period")), 1)
        self.assertEqual(model.answer("42", "2023", "period")[
            "42", False, "split", "2023Q3", None], Row(0, 0, 0, 2))

    def test_from_above(self):
        """Only what nodes above the asked one have said about its subtree."""
        model = small()
        put(model, "42", "436a", "money", "2023-01-05", 3)
        put(model, "436a", "436a", "daily", "2023-01-05", 3)
        self.assertEqual(model.from_above("436a"), {"money", "each", "odd"})
        self.assertEqual(model.from_above("436a", {"42": 1}), set())
        self.assertEqual(model.from_above("42"), set())


class Comparing(unittest.TestCase):
    def setUp(self):
        self.model = small()
        put(self.model, "436a", "436a", "heads", "2023-01-20", 4)
        self.wanted = self.model.answer("436a", "2023")
        self.rows = [dict(unit=u, measure=m, period=p, category=c, value=row.value,
                          entries=row.entries, reported=row.reported, expected=row.expected)
                     for (u, _, m, p, c), row in self.wanted.items()]

    def test_equal(self):
        """A right answer has no difference."""
        self.assertEqual(compare(self.wanted, self.rows), [])

    def test_each_difference(self):
        """A wrong value, type, count, a missing row, one too many, one twice: each is seen."""
        heads = next(n for n, row in enumerate(self.rows) if row["measure"] == "heads")
        for field, value in [("value", 5), ("value", 4.0), ("value", None), ("entries", 0),
                             ("reported", 0), ("expected", 2), ("measure", "nothing")]:
            rows = [dict(row) for row in self.rows]
            rows[heads][field] = value
            self.assertTrue(compare(self.wanted, rows), (field, value))
        self.assertTrue(compare(self.wanted, self.rows[:heads] + self.rows[heads + 1:]))
        self.assertTrue(compare(self.wanted, self.rows + self.rows[:1]))

    def test_overflow(self):
        """Beyond 64 bits the value is null, and nothing else."""
        key = ("42", False, "money", "2023", None)
        row = dict(unit="42", measure="money", period="2023", category=None, entries=1, reported=1,
                   expected=1)
        wanted = {key: Row(2 ** 63, 1, 1, 1)}
        self.assertEqual(compare(wanted, [dict(row, value=None)]), [])
        self.assertTrue(compare(wanted, [dict(row, value=2 ** 63)]))
        self.assertTrue(compare({key: Row(2 ** 63 - 1, 1, 1, 1)}, [dict(row, value=None)]))


class Logs(unittest.TestCase):
    def setUp(self):
        self.model = small()
        self.record = self.model.record("436a", "436a", "money", "2023-01-31", 100, note="one")
        self.amend = self.model.amend(self.record, 5, note="two")
        self.rows = [
            dict(entry="x-1", kind="record", unit="436a", measure="money", date="2023-01-31",
                 category=None, value=100, key=None, note="one", live=True, refers=None),
            dict(entry="x-2", kind="amend", unit="436a", measure="money", date="2023-01-31",
                 category=None, value=5, key="", note="two", live=None, refers="x-1")]

    def test_equal(self):
        """The confirmed entries, in their order, are the log."""
        self.model.take([self.record, self.amend])
        self.record.ident = "x-1"
        self.assertEqual(compare_log(self.model, "436a", self.rows), [])

    def test_each_difference(self):
        """Lost, added, swapped, changed or twice: each is seen."""
        self.model.take([self.record])
        self.assertTrue(compare_log(self.model, "436a", self.rows))
        self.model.take([self.amend])
        self.record.ident = "x-1"
        self.assertTrue(compare_log(self.model, "436a", self.rows[:1]))
        self.assertTrue(compare_log(self.model, "436a", self.rows[::-1]))
        for place, field, value in [(0, "value", 5), (0, "live", False), (0, "entry", "x-2"),
                                    (1, "refers", "x-2"), (0, "date", "2023-01-30"),
                                    (0, "category", "sex=f"), (1, "kind", "void")]:
            rows = [dict(row) for row in self.rows]
            rows[place][field] = value
            self.assertTrue(compare_log(self.model, "436a", rows), (field, value))

    def test_maybe(self):
        """A command that was cut off is wholly in or wholly out; half of it is a fault."""
        maybe = Maybe(self.model, [self.record, self.amend])
        self.assertFalse(maybe.settle({"other"}))
        self.assertEqual(len(self.model.ledgers["436a"]), 0)
        with self.assertRaises(Torn):
            maybe.settle({"one"})
        self.assertTrue(maybe.settle({"one", "two"}))
        self.assertEqual(len(self.model.ledgers["436a"]), 2)

    def test_maybe_repeated(self):
        """A repeated command leaves its entries once, whether its keys were known or not."""
        for known in (0, 2):
            self.setUp()
            Maybe(self.model, [self.record, self.amend]).settle_repeated(known)
            self.assertEqual(len(self.model.ledgers["436a"]), 2)
        self.setUp()
        with self.assertRaises(Torn):
            Maybe(self.model, [self.record, self.amend]).settle_repeated(1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
