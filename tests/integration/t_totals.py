#!/usr/bin/env python3
# labels: threads
"""What `tally total` answers: sums, periods, categories, coverage, indicators, groupings, formats.

A small set of entries, and figures worked out by hand: no model stands between, so that a fault that
model and programs share would show here. Each test's first line says what breakage it sees.
"""

import csv
import datetime
import io
import re
import unittest

import harness
import smalltree
from harness import REFUSED, USAGE
from smalltree import COMMUNE, DISTRICT, PROVINCE

# node, unit, measure, date, value, category
ENTRIES = [
    (COMMUNE, COMMUNE, "fund_raised", "2023-01-31", "1000", ""),
    (COMMUNE, COMMUNE, "fund_raised", "2023-02-01", "200", ""),
    (COMMUNE, COMMUNE, "fund_raised", "2023-06-30", "-50", ""),
    (COMMUNE, COMMUNE, "fund_raised", "2023-07-01", "7", ""),
    (DISTRICT, COMMUNE, "fund_raised", "2023-06-15", "3", ""),  # a node above the unit
    (PROVINCE, COMMUNE, "fund_raised", "2023-06-15", "4", ""),
    (DISTRICT, "43602", "fund_raised", "2023-03-31", "0", ""),  # a reported zero
    (PROVINCE, "44101", "fund_raised", "2023-04-01", "500", ""),
    (PROVINCE, PROVINCE, "fund_raised", "2023-04-01", "10000", ""),  # not of the measure's level
    (COMMUNE, COMMUNE, "grants", "2023-06-01", "-1.25", ""),
    (COMMUNE, COMMUNE, "accounts", "2023-02-10", "10", "group=cadre"),
    (COMMUNE, COMMUNE, "accounts", "2023-02-20", "5", ""),
    (COMMUNE, COMMUNE, "accounts", "2023-05-10", "12", "group=cadre"),
    (COMMUNE, COMMUNE, "accounts", "2023-05-09", "99", "group=cadre"),  # later typed, earlier day
    (DISTRICT, "43602", "accounts", "2023-03-10", "100", "group=other"),
    (DISTRICT, DISTRICT, "trainees", "2023-05-01", "30", "group=cadre,sex=f"),
    (DISTRICT, DISTRICT, "trainees", "2023-06-01", "40", "group=cadre,sex=m"),
    (PROVINCE, "441", "trainees", "2023-01-01", "8", ""),
    (COMMUNE, COMMUNE, "visits", "2023-06-18", "1", ""),
    (COMMUNE, COMMUNE, "visits", "2023-06-19", "2", ""),
    (COMMUNE, COMMUNE, "population", "2023-01-01", "400", ""),
    (DISTRICT, "43602", "population", "2023-01-01", "300", ""),
]
MORE = """\
  - {code: cadre_share, name: Cadres, unit: '%', decimals: 1, factor: 100,
     formula: "accounts[group=cadre] ÷ accounts"}
targets:
  - {unit: '42', measure: fund_raised, period: '2023', value: 20000}
  - {unit: '436', measure: grants, period: '2023', value: 2.5}
  - {unit: '42', measure: raised_each, period: '2023', value: 20}
  - {level: commune, measure: accounts, period: '2023', value: 100}
data_sets:
  - {code: money, name: Money, measures: [fund_raised, grants], deadline: 15}
  - {code: yearly, measures: [trainees, fund_raised], deadline: 0}
"""
TODAY = datetime.datetime.now(datetime.timezone.utc).date()
OVERFLOW_ROWS = 9300  # so many times 10^15 do not fit into 64 bits

tree = None


def setUpModule():
    global tree
    tree = smalltree.make(MORE)
    for unit, node in tree.nodes.items():
        rows = "".join(f"{u},{m},{date},{value},\"{category}\"\n"
                       for at, u, m, date, value, category in ENTRIES if at == unit)
        node.tally("import", "-", given="unit,measure,date,value,category\n" + rows).ok()
    tree.settle()


def answer(*words, unit=PROVINCE):
    return tree.nodes[unit].json("total", *words)


def rows(*words, unit=PROVINCE):
    return answer(*words, unit=unit)["totals"]


def figures(*words, unit=PROVINCE):
    """The one row: (value, entries, reported, expected)."""
    row, = rows(*words, unit=unit)
    return row["value"], row["entries"], row["reported"], row["expected"]


class Sums(unittest.TestCase):
    def test_flow_in_each_span(self):
        """A flow's span is a sum over whole periods that includes their last day."""
        for period, wanted in {"2023-01": (1000, 1, 1, 4), "2023-02": (200, 1, 1, 4),
                               "2023-06": (-43, 3, 1, 4), "2023Q1": (1200, 3, 2, 4),
                               "2023Q2": (10457, 5, 2, 4), "2023H1": (11657, 8, 3, 4),
                               "2023H2": (7, 1, 1, 4), "2023": (11664, 9, 3, 4),
                               "2022": (0, 0, 0, 4)}.items():
            with self.subTest(period=period):
                self.assertEqual(figures(PROVINCE, "-m", "fund_raised", "-p", period), wanted)

    def test_flow_at_each_unit_and_node(self):
        """Everything below counts, from whatever node it came; every node answers alike."""
        for unit, wanted in {PROVINCE: (11664, 9, 3, 4), DISTRICT: (1164, 7, 2, 3),
                             COMMUNE: (1164, 6, 1, 1), "43602": (0, 1, 1, 1),
                             "43603": (0, 0, 0, 1), "441": (500, 1, 1, 1)}.items():
            words = (unit, "-m", "fund_raised", "-p", "2023")
            with self.subTest(unit=unit):
                self.assertEqual(figures(*words), wanted)
                if unit in (DISTRICT, COMMUNE, "43602", "43603"):
                    harness.wait_for(lambda: figures(*words, unit=DISTRICT) == wanted,
                                     "the district has what the province recorded")
        words = (COMMUNE, "-m", "fund_raised", "-p", "2023")
        harness.wait_for(lambda: figures(*words, unit=COMMUNE) == (1164, 6, 1, 1),
                         "the commune has what those above recorded")

    def test_stock(self):
        """A stock stands from its period on, until the next; in a period the latest day stands."""
        for period, value, entries in (("2023-01", 0, 0), ("2023-02", 15, 2), ("2023-03", 115, 1),
                                       ("2023-04", 115, 0), ("2023-05", 117, 2), ("2023Q1", 115, 3),
                                       ("2023", 117, 5), ("2024-02", 117, 0)):
            with self.subTest(period=period):
                self.assertEqual(figures(PROVINCE, "-m", "accounts", "-p", period)[:2],
                                 (value, entries))
        self.assertEqual(figures(PROVINCE, "-m", "accounts", "-p", "2023"), (117, 5, 2, 4))
        self.assertEqual(figures(PROVINCE, "-m", "accounts", "-p", "2023-05"), (117, 2, 1, 4))

    def test_some_categories(self):
        """Sums of some categories alone, at each unit, and against a period before; of none that there is not."""
        for words, wanted in {("-m", "trainees", "--category", "sex=f"): ("sex=f", 30, 1),
                              ("-m", "trainees", "--category", "group=cadre"): ("group=cadre", 70, 2),
                              ("-m", "trainees", "--category", "sex=m,group=cadre"): ("sex=m,group=cadre", 40, 1),
                              ("-m", "trainees", "--category", "group=other"): ("group=other", 0, 0),
                              ("-m", "accounts", "--category", "group=other"): ("group=other", 100, 1)}.items():
            row, = rows(PROVINCE, "-p", "2023", *words)
            with self.subTest(words=words):
                self.assertEqual((row["category"], row["value"], row["entries"]), wanted)
        found = rows(PROVINCE, "-p", "2023", "-m", "accounts", "--category", "group=cadre", "--by", "child")
        self.assertEqual([(row["unit"], row["value"]) for row in found], [("436", 12), ("441", 0), ("42", 0)])
        for words, word in ((("-m", "trainees", "--category", "sex=x"), "sex=f|m"),
                            (("-m", "trainees", "--category", "group"), "group"),
                            (("-m", "fund_raised", "--category", "sex=f"), "none"),
                            (("-m", "raised_each", "--category", "sex=f"), "raised_each")):
            result = tree.root.tally("total", "-p", "2023", *words)
            with self.subTest(words=words):
                self.assertEqual((result.status, result.out, result.err.count("\n")), (REFUSED, "", 1), result)
                self.assertIn(word, result.err)
        for words in (("--category", "sex=f"), ("-m", "trainees", "--category", ""),
                      ("-m", "trainees", "--category", "sex=f", "--targets")):
            self.assertEqual(tree.root.tally("total", *words).status, USAGE)

    def test_categories_that_are_gone(self):
        """By category a change is shown too where there is nothing now."""
        found = rows(PROVINCE, "-p", "2023Q3", "-m", "trainees", "--by", "category", "--against", "previous")
        self.assertEqual([(row["category"], row["value"], row["before"], row["change"]) for row in found],
                         [("group=cadre,sex=f", 0, 30, -30), ("group=cadre,sex=m", 0, 40, -40)])

    def test_decimals(self):
        """JSON has smallest steps, and says how many decimals they mean."""
        row, = rows(COMMUNE, "-m", "grants", "-p", "2023")
        self.assertEqual((row["value"], row["decimals"], type(row["value"])), (-125, 2, int))

    def test_coverage_of_a_district_measure(self):
        """`expected` counts the units of the measure's own level."""
        self.assertEqual(figures(PROVINCE, "-m", "trainees", "-p", "2023"), (78, 3, 2, 2))
        self.assertEqual(figures(PROVINCE, "-m", "trainees", "-p", "2023Q2"), (70, 2, 1, 2))
        self.assertEqual(figures(COMMUNE, "-m", "trainees", "-p", "2023"), (0, 0, 0, 0))

    def test_never_reported(self):
        """A measure that nobody reported has a row."""
        self.assertEqual(figures(PROVINCE, "-m", "inspections", "-p", "2023"), (0, 0, 0, 2))


class Periods(unittest.TestCase):
    def test_finer_than_the_measure(self):
        """Named: refused. Not named: left out."""
        result = tree.root.tally("total", PROVINCE, "-m", "trainees", "-p", "2023-06")
        self.assertEqual(result.status, REFUSED, str(result))
        self.assertRegex(result.err, r"\A[^\n]*trainees[^\n]*\n\Z")
        self.assertEqual({row["measure"] for row in rows(PROVINCE, "-p", "2023-06-18")}, {"visits"})
        self.assertNotIn("population", {row["measure"] for row in rows(PROVINCE, "-p", "2023H1")})

    def test_day(self):
        """A measure of days."""
        self.assertEqual(figures(COMMUNE, "-m", "visits", "-p", "2023-06-18")[0], 1)
        self.assertEqual(figures(COMMUNE, "-m", "visits", "-p", "2023-06")[0], 3)

    def test_no_period(self):
        """What is no period is a matter of usage; weeks do not exist."""
        for text in ("2023Q5", "2023H3", "2023-13", "2023-02-30", "2023W07", "23", "2023-6",
                     "2023-06-18-01", "x"):
            with self.subTest(period=text):
                result = tree.root.tally("total", PROVINCE, "-p", text)
                self.assertEqual(result.status, USAGE, str(result))
                self.assertRegex(result.err, r"\A[^\n]+\n\Z")


class Groupings(unittest.TestCase):
    def test_by_child(self):
        """The children and the unit's own row."""
        found = {(row["unit"], bool(row.get("own"))): row["value"]
                 for row in rows(PROVINCE, "-m", "fund_raised", "-p", "2023", "--by", "child")}
        self.assertEqual(found, {("436", False): 1164, ("441", False): 500, ("42", True): 10000})

    def test_by_level(self):
        """The subtrees of all units of a level, wherever they are."""
        for level, wanted in {"commune": {COMMUNE: 1164, "43602": 0, "43603": 0, "44101": 500},
                              "district": {"436": 1164, "441": 500},
                              "province": {"42": 11664}}.items():
            found = {row["unit"]: row["value"] for row in rows(
                PROVINCE, "-m", "fund_raised", "-p", "2023", "--by", f"level={level}")}
            self.assertEqual(found, wanted)
        result = tree.root.tally("total", PROVINCE, "--by", "level=hamlet")
        self.assertEqual(result.status, REFUSED, str(result))

    def test_by_period(self):
        """Each period of the measure's frequency, empty ones too; a stock stands on."""
        found = [(row["period"], row["value"], row["entries"]) for row in rows(
            PROVINCE, "-m", "fund_raised", "-p", "2023H1", "--by", "period")]
        self.assertEqual(found, [("2023-01", 1000, 1), ("2023-02", 200, 1), ("2023-03", 0, 1),
                                 ("2023-04", 10500, 2), ("2023-05", 0, 0), ("2023-06", -43, 3)])
        found = [row["value"] for row in rows(
            PROVINCE, "-m", "accounts", "-p", "2023H1", "--by", "period")]
        self.assertEqual(found, [0, 15, 115, 115, 117, 117])
        found = [(row["period"], row["value"]) for row in rows(
            PROVINCE, "-m", "trainees", "-p", "2023", "--by", "period")]
        self.assertEqual(found, [("2023Q1", 8), ("2023Q2", 70), ("2023Q3", 0), ("2023Q4", 0)])

    def test_by_category(self):
        """A row per combination, "" for none, and no sum row; without --by, null and the sum."""
        found = {row["category"]: (row["value"], row["entries"]) for row in rows(
            PROVINCE, "-m", "accounts", "-p", "2023", "--by", "category")}
        self.assertEqual({c: v for c, v in found.items() if v != (0, 0)},
                         {"group=cadre": (12, 3), "group=other": (100, 1), "": (5, 1)})
        self.assertNotIn(None, found)
        found = {row["category"]: row["value"] for row in rows(
            PROVINCE, "-m", "trainees", "-p", "2023", "--by", "category")}
        self.assertEqual({c: v for c, v in found.items() if v}, {
            "group=cadre,sex=f": 30, "group=cadre,sex=m": 40, "": 8})
        row, = rows(PROVINCE, "-m", "trainees", "-p", "2023")
        self.assertIsNone(row["category"])


class Indicators(unittest.TestCase):
    def value(self, unit, code, period):
        row, = rows(unit, "-m", code, "-p", period)
        self.assertEqual((row["entries"], row["reported"], row["expected"]), (None, None, None))
        return row["value"]

    def test_values(self):
        """In units, rounded half away from zero; null when there is nothing to divide by."""
        self.assertEqual(self.value(PROVINCE, "raised_each", "2023"), "17")  # 11664 / 700
        self.assertEqual(self.value(COMMUNE, "raised_each", "2023"), "3")  # 1164 / 400 = 2.91
        self.assertEqual(self.value("43602", "raised_each", "2023"), "0")
        self.assertIsNone(self.value("44101", "raised_each", "2023"))
        self.assertEqual(self.value(COMMUNE, "granted_share", "2023-06"), "3.0")  # -125 / -42
        self.assertEqual(self.value(COMMUNE, "granted_share", "2023"), "-0.1")  # -125 / 1165
        self.assertEqual(self.value("43602", "granted_share", "2023"), "0.0")

    def test_with_all_measures(self):
        """Without -m, all measures and indicators; one finer than its measures is left out."""
        self.assertEqual({row["measure"] for row in rows(PROVINCE, "-p", "2023")}, {
            "fund_raised", "grants", "accounts", "trainees", "visits", "population", "inspections",
            "raised_each", "granted_share", "cadre_share"})
        self.assertEqual({row["measure"] for row in rows(PROVINCE, "-p", "2023-06")}, {
            "fund_raised", "grants", "accounts", "visits", "inspections", "granted_share",
            "cadre_share"})

    def test_of_a_category(self):
        """Only what lies under the category counts above; the factor is applied before rounding."""
        self.assertEqual(self.value(COMMUNE, "cadre_share", "2023"), "70.6")  # 12 / 17
        self.assertEqual(self.value(PROVINCE, "cadre_share", "2023"), "10.3")  # 12 / 117
        self.assertIsNone(self.value("43603", "cadre_share", "2023"))

    def test_at_any_level(self):
        """--by level has indicators too, each from the sums of its unit."""
        found = {row["unit"]: row["value"] for row in rows(
            PROVINCE, "-m", "raised_each", "-p", "2023", "--by", "level=district")}
        self.assertEqual(found, {"436": "2", "441": None})  # 1164 / 700 = 1.66


class Targets(unittest.TestCase):
    KEYS = ("target", "target_period", "reached", "percent", "expected_by_today")

    def targets(self, *words):
        return {(row["unit"], row["measure"]): tuple(row[key] for key in self.KEYS)
                for row in rows(*words, "--targets")}

    def test_progress(self):
        """In smallest steps as values are; texts for indicators; null where nothing is wanted."""
        found = self.targets(PROVINCE, "-p", "2023")
        self.assertEqual(found[PROVINCE, "fund_raised"], (20000, "2023", 11664, "58.3", 20000))
        self.assertEqual(found[PROVINCE, "raised_each"], ("20", "2023", "17", "83.3", "20"))
        self.assertEqual(found[PROVINCE, "grants"], (None,) * 5)
        found = self.targets(DISTRICT, "-p", "2023", "-m", "grants")
        self.assertEqual(found[DISTRICT, "grants"], (250, "2023", -125, "-50.0", 250))

    def test_part_of_the_period(self):
        """A half-year says how far the year's target has come, and what was expected by its end."""
        found = self.targets(PROVINCE, "-p", "2023H1", "-m", "fund_raised")
        self.assertEqual(found[PROVINCE, "fund_raised"], (20000, "2023", 11657, "58.3", 9918))

    def test_of_a_level(self):
        found = self.targets(DISTRICT, "-p", "2023Q1", "-m", "accounts", "--by", "child")
        self.assertEqual(found[COMMUNE, "accounts"], (100, "2023", 15, "15.0", 25))
        self.assertEqual(found["43603", "accounts"], (100, "2023", 0, "0.0", 25))
        self.assertEqual(found[DISTRICT, "accounts"], (None,) * 5)

    def test_only_when_asked(self):
        self.assertNotIn("target", rows(PROVINCE, "-p", "2023")[0])
        result = tree.root.tally("total", "--targets", "--by", "category")
        self.assertEqual(result.status, USAGE, str(result))

    def test_forms(self):
        out = tree.root.tally("total", "-p", "2023", "--targets", "--csv", "-m", "fund_raised").ok().out
        self.assertEqual(out.splitlines(), [
            "unit,measure,period,category,value,entries,reported,expected,nodes,exact,target,target_period,reached,"
            "percent,expected_by_today", "42,fund_raised,2023,,11664,9,3,4,3,3,20000,2023,11664,58.3,20000"])
        out = tree.root.tally("total", "-p", "2023", "--targets").ok().out
        self.assertRegex(out, r"(?m)^MEASURE +NAME +VALUE +TARGET FOR +REACHED PERCENT EXPECTED *$")
        self.assertRegex(out, r"(?m)^fund_raised +Money raised +11664 +20000 2023 +11664 +58\.3 +20000 *$")
        self.assertRegex(out, r"(?m)^visits +Visits +3 +- - +- +- +- *$")


class Ranges(unittest.TestCase):
    def values(self, *words):
        return [(row["unit"], row["period"], row["value"]) for row in rows(*words)]

    def test_a_row_for_each_period(self):
        """Both ends belong to it; a stock stands in each."""
        self.assertEqual(self.values(PROVINCE, "-m", "fund_raised", "-p", "2022Q4..2023Q3"), [
            (PROVINCE, "2022Q4", 0), (PROVINCE, "2023Q1", 1200), (PROVINCE, "2023Q2", 10457),
            (PROVINCE, "2023Q3", 7)])
        self.assertEqual(self.values(PROVINCE, "-m", "accounts", "-p", "2023-04..2023-05"), [
            (PROVINCE, "2023-04", 115), (PROVINCE, "2023-05", 117)])
        self.assertEqual(answer(PROVINCE, "-p", "2022H1..2023H1")["period"], "2022H1..2023H1")

    def test_by(self):
        found = self.values(DISTRICT, "-m", "fund_raised", "-p", "2023H1..2023H2", "--by", "child")
        self.assertEqual(found, [(unit, period, value) for unit, values in (
            (COMMUNE, (1157, 7)), ("43602", (0, 0)), ("43603", (0, 0)), (DISTRICT, (0, 0)))
            for period, value in zip(("2023H1", "2023H2"), values)])
        found = self.values(PROVINCE, "-m", "fund_raised", "-p", "2023Q1..2023Q2", "--by", "period")
        self.assertEqual(found, [(PROVINCE, f"2023-{month:02}", value) for month, value in
                                 enumerate((1000, 200, 0, 10500, 0, -43), 1)])

    def test_table(self):
        out = tree.root.tally("total", "-m", "visits", "-p", "2023H1..2023H2").ok().out
        self.assertRegex(out, r"\A[^\n]*, 2023H1\.\.2023H2\n")
        self.assertRegex(out, r"(?m)^MEASURE +NAME +PERIOD +VALUE ENTRIES REPORTED *$")
        self.assertRegex(out, r"(?m)^visits +Visits +2023H1 +3 +2 +1/4 *$")
        self.assertRegex(out, r"(?m)^visits +Visits +2023H2 +- +0 +0/4 *$")

    def test_refused(self):
        for words, status, text in ((["2022..2023H1"], USAGE, "from a year to a half"),
                                    (["2023..2022"], USAGE, "ends before it begins"),
                                    (["0001-01-01..9999-12-31"], REFUSED, "4000 periods"),
                                    (["2010..2023", "--by", "period", "-m", "visits"], REFUSED,
                                     "4000 periods")):
            result = tree.root.tally("total", "-p", *words)
            self.assertEqual(result.status, status, str(result))
            self.assertIn(text, result.err)


class Against(unittest.TestCase):
    KEYS = ("against", "before", "change", "change_percent")

    def change(self, *words):
        row, = rows(*words)
        return tuple(row[key] for key in self.KEYS)

    def test_of_a_measure(self):
        words = (PROVINCE, "-m", "fund_raised", "-p")
        self.assertEqual(self.change(*words, "2023Q2", "--against", "previous"),
                         ("2023Q1", 1200, 9257, "771.4"))
        self.assertEqual(self.change(*words, "2023Q3", "--against", "2023Q1"),
                         ("2023Q1", 1200, -1193, "-99.4"))
        self.assertEqual(self.change(*words, "2023", "--against", "year"), ("2022", 0, 11664, None))
        self.assertEqual(self.change(*words, "2024-06", "--against", "year"),
                         ("2023-06", -43, 43, "100.0"), "up from less than nothing is up")
        self.assertEqual(self.change(*words, "0001", "--against", "previous"), (None,) * 4)

    def test_of_a_part(self):
        """By category each part is held against itself; an indicator is computed for both."""
        found = {row["category"]: tuple(row[key] for key in self.KEYS) for row in rows(
            COMMUNE, "-m", "accounts", "-p", "2023Q2", "--by", "category", "--against", "previous")}
        self.assertEqual(found, {"group=cadre": ("2023Q1", 10, 2, "20.0"),
                                 "": ("2023Q1", 5, 0, "0.0")})
        self.assertEqual(self.change(COMMUNE, "-m", "cadre_share", "-p", "2023Q2", "--against",
                                     "previous"), ("2023Q1", "66.7", "3.9", "5.9"))

    def test_in_ranges(self):
        """Every row against its own past."""
        found = [(row["period"], row["against"], row["change"]) for row in rows(
            PROVINCE, "-m", "fund_raised", "-p", "2023Q1..2023Q3", "--against", "previous")]
        self.assertEqual(found, [("2023Q1", "2022Q4", 1200), ("2023Q2", "2023Q1", 9257),
                                 ("2023Q3", "2023Q2", -10450)])

    def test_forms(self):
        words = ("total", "-p", "2023Q2", "--against", "previous", "-m", "fund_raised")
        out = tree.root.tally(*words, "--csv").ok().out
        self.assertEqual(out.splitlines(), [
            "unit,measure,period,category,value,entries,reported,expected,nodes,exact,"
            "against,before,change,change_percent",
            "42,fund_raised,2023Q2,,10457,5,2,4,3,3,2023Q1,1200,9257,771.4"])
        out = tree.root.tally(*words).ok().out
        self.assertRegex(out, r"(?m)^MEASURE +NAME +VALUE AGAINST +BEFORE CHANGE CHANGE % *$")
        self.assertRegex(out, r"(?m)^fund_raised +Money raised +10457 2023Q1 +1200 +9257 +771\.4 *$")

    def test_refused(self):
        for words, status, text in (
                (["2023Q1", "--against", "2022"], REFUSED, "a quarter is not held against a year"),
                (["2022..2023", "--against", "2021"], REFUSED, "several periods"),
                (["2023", "--by", "period", "--against", "2021"], REFUSED, "several periods"),
                (["2023", "--against", "before"], USAGE, "previous, year or a period")):
            result = tree.root.tally("total", "-p", *words)
            self.assertEqual(result.status, status, str(result))
            self.assertIn(text, result.err)


class Missing(unittest.TestCase):
    def sets(self, *words, unit=PROVINCE):
        return {row["code"]: row for row in tree.nodes[unit].json("missing", *words)["sets"]}

    def of(self, *words, unit=PROVINCE):
        """The one set: (expected, reported, {unit: what it lacks})."""
        row, = self.sets(*words, unit=unit).values()
        return (row["expected"], row["reported"],
                {one["unit"]: one["lacks"] for one in row["missing"]})

    def test_of_a_set(self):
        """Who has not reported all of it, and what they lack; a zero is reported."""
        wanted = (4, 1, {"43602": ["grants"], "43603": ["fund_raised", "grants"],
                         "44101": ["grants"]})
        self.assertEqual(self.of("-m", "money", "-p", "2023H1"), wanted)
        self.assertEqual(self.of("-m", "money", "-p", "2023"), wanted)
        self.assertEqual(self.of(DISTRICT, "-m", "money", "-p", "2023H1"),
                         (3, 1, {"43602": ["grants"], "43603": ["fund_raised", "grants"]}))
        self.assertEqual(self.of("-m", "money", "-p", "2023H1", unit=COMMUNE), (1, 1, {}))

    def test_of_two_levels(self):
        """Each unit reports what is expected of its level."""
        self.assertEqual(self.of("-m", "yearly", "-p", "2023"), (6, 5, {"43603": ["fund_raised"]}))
        self.assertEqual(self.of("-m", "yearly", "-p", "2023Q1"), (6, 3, {
            "436": ["trainees"], "43603": ["fund_raised"], "44101": ["fund_raised"]}))

    def test_of_a_measure(self):
        self.assertEqual(self.of("-m", "fund_raised", "-p", "2023-02"), (4, 1, {
            unit: ["fund_raised"] for unit in ("43602", "43603", "44101")}))
        row = self.sets("-m", "fund_raised", "-p", "2023-02")["fund_raised"]
        self.assertEqual((row["set"], row["due"], row["name"]), (False, None, "Money raised"))

    def test_all_sets(self):
        """Without -m all data sets, of each the last period that has ended, with the deadline."""
        found = self.sets()
        self.assertEqual(list(found), ["money", "yearly"])
        last = TODAY.replace(day=1) - datetime.timedelta(1)
        self.assertIn(found["money"]["period"], (f"{last:%Y-%m}", f"{TODAY:%Y-%m}"))
        self.assertEqual(found["yearly"]["name"], "yearly")
        found = self.sets("-p", "2023Q2")
        self.assertEqual([row["due"] for row in found.values()], ["2023-07-15", "2023-06-30"])

    def test_range(self):
        rows = tree.root.json("missing", "-m", "fund_raised", "-p", "2023Q1..2023Q3")["sets"]
        self.assertEqual([(row["period"], row["expected"], row["reported"]) for row in rows],
                         [("2023Q1", 4, 2), ("2023Q2", 4, 2), ("2023Q3", 4, 1)])

    def test_voided(self):
        """What was voided is missing again."""
        entry = tree.nodes[DISTRICT].tally("record", "43603", "fund_raised", 5, "--date",
                                           "2019-05-01").line()
        of = lambda: self.of("43603", "-m", "fund_raised", "-p", "2019-05", unit=DISTRICT)
        self.assertEqual(of(), (1, 1, {}))
        tree.nodes[DISTRICT].tally("void", entry).ok()
        self.assertEqual(of(), (1, 0, {"43603": ["fund_raised"]}))

    def test_forms(self):
        out = tree.root.tally("missing", "-m", "money", "-p", "2023H1").ok().out
        self.assertRegex(out, r"(?m)^CODE +NAME +PERIOD +DUE +EXPECTED REPORTED MISSING *$")
        self.assertRegex(out, r"(?m)^money +Money +2023H1 +2023-07-15 +4 +1 +3 *$")
        self.assertRegex(out, r"(?m)^43603 .* money +2023H1 +fund_raised, grants *$")
        self.assertIn("3 of 3 nodes exact", out)
        rows = list(csv.reader(io.StringIO(
            tree.root.tally("missing", "-m", "money", "-p", "2023H1", "--csv").ok().out)))
        self.assertEqual(rows[0], ["code", "period", "due", "unit", "name", "lacks", "exact",
                                   "exact_as_of"])
        self.assertEqual([(row[3], row[5]) for row in rows[1:]], [
            ("43602", "grants"), ("43603", "fund_raised grants"), ("44101", "grants")])

    def test_refused(self):
        for words, text in ((["-m", "moneys"], "called moneys; did you mean money?"),
                            (["-p", "1800-01-01..2023-12-31", "-m", "visits"], "400 periods"),
                            (["-m", "raised_each"], "indicator raised_each is computed"),
                            (["-m", "trainees", "-p", "2023-06"], "kept by the quarter"),
                            (["4360"], "4360")):
            result = tree.root.tally("missing", *words)
            self.assertEqual(result.status, REFUSED, str(result))
            self.assertIn(text, result.err)


class Document(unittest.TestCase):
    def test_keys_and_types(self):
        """The keys of the contract, whoever else is added."""
        document = answer(PROVINCE, "-p", "2023H1")
        self.assertEqual((document["unit"], document["period"]), (PROVINCE, "2023H1"))
        self.assertRegex(document["as_of"], r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z\Z")
        self.assertIs(type(document["catalog_version"]), int)
        self.assertEqual({key: document["sources"][key] for key in ("nodes", "exact", "held",
                                                                    "stale")},
                         {"nodes": 3, "exact": 3, "held": 0, "stale": []})
        for row in document["totals"]:
            self.assertLessEqual({"unit", "measure", "period", "category", "value", "decimals",
                                  "entries", "reported", "expected"}, set(row))
            self.assertEqual(row["period"], "2023H1")

    def test_defaults(self):
        """Own unit, all measures, this year."""
        document = answer(unit=DISTRICT)
        self.assertEqual(document["unit"], DISTRICT)
        self.assertIn(document["period"], (str(TODAY.year), str(TODAY.year + 1)))
        self.assertEqual(len(document["totals"]), 10)

    def test_two_measures(self):
        """-m may be given several measures."""
        by_option = rows(PROVINCE, "-m", "grants", "-m", "visits", "-p", "2023")
        self.assertEqual([row["measure"] for row in by_option], ["grants", "visits"])

    def test_unknown(self):
        """Units and measures that are not there are refused, not taken for empty ones."""
        for words in (["4360"], [PROVINCE, "-m", "fund"]):
            result = tree.root.tally("total", *words)
            self.assertEqual(result.status, REFUSED, str(result))

    def test_stale_source(self):
        """A node that is gone is named, with its last mark; the figures stay."""
        tree.nodes[DISTRICT].kill()
        try:
            harness.wait_for(lambda: answer()["sources"]["exact"] == 1, "the province notices")
            sources = answer()["sources"]
            self.assertEqual((sources["nodes"], {row["node"] for row in sources["stale"]}),
                             (3, {DISTRICT, COMMUNE}), "what is behind a broken link is not exact")
            sets = tree.root.json("missing", "-m", "money", "-p", "2023H1")["sets"]
            self.assertEqual({row["unit"]: row["exact"] for row in sets[0]["missing"]},
                             {"43602": False, "43603": False, "44101": True})
            for row in sources["stale"]:
                self.assertRegex(row["exact_as_of"], r"\A\d{4}-\d\d-\d\dT")
            self.assertEqual(figures(PROVINCE, "-m", "fund_raised", "-p", "2023"),
                             (11664, 9, 3, 4))
        finally:
            tree.nodes[DISTRICT].run()
        tree.settle()


class Csv(unittest.TestCase):
    HEADER = "unit,measure,period,category,value,entries,reported,expected,nodes,exact".split(",")

    def read(self, *words):
        result = tree.root.tally("total", *words, "--csv").ok()
        self.assertTrue(result.out.endswith("\r\n"), "RFC 4180 ends lines with CR LF")
        self.assertEqual(result.out.count("\n"), result.out.count("\r\n"))
        return list(csv.reader(io.StringIO(result.out), strict=True))

    def test_rows(self):
        """Columns and order; values with their decimal point."""
        header, row = self.read(COMMUNE, "-m", "grants", "-p", "2023")
        self.assertEqual(header, self.HEADER)
        self.assertEqual(row[:8], [COMMUNE, "grants", "2023", "", "-1.25", "1", "1", "1"])
        _, row = self.read(PROVINCE, "-m", "fund_raised", "-p", "2023")
        self.assertEqual(row, ["42", "fund_raised", "2023", "", "11664", "9", "3", "4", "3", "3"])

    def test_quoted(self):
        """A category with a comma stays one field."""
        found = {row[3]: row[4] for row in self.read(
            PROVINCE, "-m", "trainees", "-p", "2023", "--by", "category")[1:]}
        self.assertEqual(found["group=cadre,sex=f"], "30")

    def test_indicator(self):
        """An indicator has no counts; no value is an empty field."""
        found = {row[0]: row[4:8] for row in self.read(
            PROVINCE, "-m", "raised_each", "-p", "2023", "--by", "level=district")[1:]}
        self.assertEqual(found, {"436": ["2", "", "", ""], "441": ["", "", "", ""]})


class Table(unittest.TestCase):
    def test_for_people(self):
        """Names, a dash for what nobody reported, what is missing; no colour when nobody looks."""
        out = tree.root.tally("total", PROVINCE, "-p", "2023").ok().out
        self.assertNotIn("\x1b", out)
        flat = re.sub(r"[.,\s\u00a0\u202f](?=\d{3}\b)", "", out)
        self.assertIn("11664", flat)
        self.assertRegex(out, r"(?m)^.*(inspections|Inspections).*[-–—]")
        self.assertRegex(out, r"3\s*/\s*4|3 of 4", "coverage is shown")


class Overflow(unittest.TestCase):
    def test_beyond_64_bits(self):
        """A sum beyond 64 bits is null and flagged; never wrapped, never a float."""
        node = tree.nodes[COMMUNE]
        text = "unit,measure,date,value\n" + "".join(
            f"{COMMUNE},fund_raised,2021-{n % 12 + 1:02}-01,1000000000000000\n"
            for n in range(OVERFLOW_ROWS))
        node.tally("import", "-", "--wait", "root", given=text).ok()
        for unit in (COMMUNE, PROVINCE):
            row, = rows(unit, "-m", "fund_raised", "-p", "2021", unit=unit)
            self.assertEqual((row["value"], row.get("overflow"), row["entries"]),
                             (None, True, OVERFLOW_ROWS))
            row, = rows(unit, "-m", "fund_raised", "-p", "2021-05", unit=unit)
            self.assertEqual((row["value"], row.get("overflow", False)),
                             (OVERFLOW_ROWS // 12 * 10 ** 15, False))
        node.tally("import", "-", "--wait", "root", given=(
            "unit,measure,date,value\n" + f"{COMMUNE},fund_raised,2021-07-02,-1000000000000000\n"
            * (OVERFLOW_ROWS - 9000))).ok()
        self.assertEqual(figures(PROVINCE, "-m", "fund_raised", "-p", "2021")[0], 9000 * 10 ** 15)


if __name__ == "__main__":
    harness.main()
