#!/usr/bin/env python3
# labels: slow
"""Commands, options, exit statuses, JSON keys and types, as the contract names them.

Whoever writes a script around `tally` relies on these. Each test would fail when a name, a type, a status
or a meaning of the contract is changed; its first line says which. What totals come to is in t_totals.py,
what is refused in t_input.py.
"""

import csv
import datetime
import io
import os
import re
import signal
import unittest

import harness
import smalltree
from harness import DONE, NO, REFUSED, USAGE
from smalltree import COMMUNE, DISTRICT, PROVINCE

TIMESTAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"
IDENTITY = r"[!-~]+"
ESCAPE = "\x1b"
LONG_IMPORT_ROWS = 20000

tree = None


def setUpModule():
    global tree
    tree = smalltree.make()


def node(unit=COMMUNE):
    return tree.nodes[unit]


def entry_of(rows, identity):
    found = [row for row in rows if row["entry"] == identity]
    if len(found) != 1:
        raise AssertionError(f"{identity} is in the log {len(found)} times")
    return found[0]


class Case(unittest.TestCase):
    def assertTypes(self, document, types):
        """`types`: {key: type or tuple of types}; None stands for JSON's null."""
        for key, wanted in types.items():
            self.assertIn(key, document)
            wanted = wanted if isinstance(wanted, tuple) else (wanted,)
            wanted = tuple(type(None) if one is None else one for one in wanted)
            self.assertIs(type(document[key]) in wanted, True, f"{key}: {document[key]!r}")

    def assertLine(self, result, status, *words):
        """The exit status, and one line on standard error that has the words."""
        statuses = status if isinstance(status, tuple) else (status,)
        self.assertIn(result.status, statuses, str(result))
        self.assertRegex(result.err, r"\A[^\n]+\n\Z", str(result))
        for word in words:
            self.assertIn(word, result.err)


class Help(Case):
    COMMANDS = ["apply", "unit", "invite", "record", "import", "amend", "void", "total", "log",
                "status", "tree", "verify"]
    DAEMON = ["init", "join", "run"]

    def test_each_command_has_help_with_an_example(self):
        """A command without --help, or whose help has no line that can be typed."""
        for program, name, commands in ((harness.TALLY, "tally", self.COMMANDS),
                                        (harness.TALLYD, "tallyd", self.DAEMON)):
            for command in commands:
                with self.subTest(program=name, command=command):
                    result = harness.run([program, command, "--help"])
                    self.assertEqual((result.status, result.err), (DONE, ""), str(result))
                    self.assertRegex(result.out.lower(), r"examples?\b")
                    self.assertRegex(result.out, rf"(?m)^\W*{name} (\S+ )*{command}\b")

    def test_each_program_has_help_that_names_its_commands(self):
        """A command that the program's own help forgets."""
        for program, commands in ((harness.TALLY, self.COMMANDS), (harness.TALLYD, self.DAEMON)):
            result = harness.run([program, "--help"])
            self.assertEqual((result.status, result.err), (DONE, ""), str(result))
            for command in commands:
                self.assertRegex(result.out, rf"\b{command}\b")

    def test_usage_is_status_2(self):
        """What is wrong without asking anybody: no daemon is asked, so 3 would be wrong too."""
        nowhere = os.path.join(tree.folder, "nowhere")
        for words in (["frobnicate"], ["total", "--frobnicate"], ["record"], ["record", "u", "m"],
                      ["record", "u", "m", "1", "2"], ["import"], ["amend", "x"], ["void"],
                      ["apply"], ["invite"], ["unit"], ["unit", "add"], ["total", "-p"],
                      ["record", "u", "m", "1", "--wait", "somewhere"],
                      ["record", "u", "m", "1", "--wait", "root", "--timeout", "soon"],
                      ["total", "--by", "colour"],
                      ["invite", "u", "--expires", "later"]):
            with self.subTest(words=words):
                result = harness.run(harness.tally_words(nowhere, words))
                self.assertLine(result, USAGE)
                self.assertEqual(result.out, "")
        for words in ([], ["frobnicate"], ["run"], ["init"], ["join"], ["run", "--frobnicate"]):
            with self.subTest(tallyd=words):
                self.assertLine(harness.tallyd(*words), USAGE)


class Finding(Case):
    def test_data_before_and_after_the_command(self):
        """--data is an option of every command, wherever it stands."""
        data = node().data
        for words in (["--data", data, "status", "--json"], ["status", "--data", data, "--json"],
                      ["status", "--json", "--data", data], [f"--data={data}", "status", "--json"]):
            result = harness.run([harness.TALLY, *words]).ok()
            self.assertEqual(result.json()["unit"], COMMUNE)

    def test_node_over_tls(self):
        """--node HOST:PORT with the certificate that init and join left in the data directory."""
        for unit in (PROVINCE, COMMUNE):
            address = node(unit).address
            result = harness.run([harness.TALLY, "--data", node(unit).data, "--node", address,
                                  "status", "--json"]).ok()
            self.assertEqual(result.json()["unit"], unit)

    def test_node_without_certificate(self):
        """TLS without a client certificate gets no answer."""
        empty = os.path.join(tree.folder, "empty")
        os.makedirs(empty, exist_ok=True)
        result = harness.run([harness.TALLY, "--data", empty, "--node", node().address, "status"])
        self.assertIn(result.status, (USAGE, harness.UNREACHABLE, REFUSED), str(result))


class Record(Case):
    def test_prints_the_identity_alone(self):
        """Scripts take the line as it is."""
        identity = node().tally("record", COMMUNE, "fund_raised", 5, "--date", "2023-01-10").line()
        self.assertRegex(identity, rf"\A{IDENTITY}\Z")
        row = entry_of(node().log(), identity)
        self.assertEqual((row["value"], row["date"], row["kind"], row["live"]),
                         (5, "2023-01-10", "record", True))

    def test_json(self):
        """`entry` and `known`."""
        answer = node().json("record", COMMUNE, "fund_raised", 6, "--date", "2023-01-10")
        self.assertTypes(answer, {"entry": str, "known": bool})
        self.assertIs(answer["known"], False)
        entry_of(node().log(), answer["entry"])

    def test_negative_and_decimal_values(self):
        """Negative values need no quoting; text is taken exactly, to the smallest step."""
        for text, steps in {"-5": -500, "3.25": 325, "-0.01": -1, "3.2": 320, "12": 1200,
                            "10000000000000": 10 ** 15, "-10000000000000.00": -10 ** 15,
                            "0": 0}.items():
            with self.subTest(value=text):
                identity = node().tally("record", COMMUNE, "grants", text, "--date",
                                        "2023-01-10").line()
                self.assertEqual(entry_of(node().log(), identity)["value"], steps)
                node().tally("void", identity).ok()
        identity = node().tally("record", COMMUNE, "fund_raised", "--date", "2023-01-10",
                                "-7").line()
        self.assertEqual(entry_of(node().log(), identity)["value"], -7)

    def test_key(self):
        """The same key and content: the first entry's identity. Other content: refused."""
        words = ["record", COMMUNE, "fund_raised", "9", "--date", "2023-01-11", "--key", "same key"]
        first = node().tally(*words).line()
        before = smalltree.figures(tree)
        self.assertEqual(node().tally(*words).line(), first)
        self.assertEqual(node().json(*words), {"entry": first, "known": True})
        for other in (["10", "--date", "2023-01-11"], ["9", "--date", "2023-01-12"]):
            result = node().tally("record", COMMUNE, "fund_raised", *other, "--key", "same key")
            self.assertLine(result, REFUSED, "same key")
        result = node().tally("record", COMMUNE, "grants", "9", "--date", "2023-01-11", "--key",
                              "same key")
        self.assertLine(result, REFUSED, "same key")
        self.assertEqual(smalltree.figures(tree), before)

    def test_today(self):
        """Without --date it is today, in the daemon's time zone (here UTC)."""
        days = [datetime.datetime.now(datetime.timezone.utc).date().isoformat()]
        identity = node().tally("record", COMMUNE, "visits", 1).line()
        days.append(datetime.datetime.now(datetime.timezone.utc).date().isoformat())
        self.assertIn(entry_of(node().log(), identity)["date"], days)

    def test_note_and_category(self):
        """Notes come back as they were; dimensions may be typed in any order."""
        note = 'Quỹ khuyến học, "đợt 2"; 50 % \\ \' $HOME'
        identity = node(DISTRICT).tally(
            "record", DISTRICT, "trainees", 3, "--date", "2023-02-01", "--category",
            "sex=f,group=cadre", "--note", note).line()
        row = entry_of(node(DISTRICT).log(), identity)
        self.assertEqual((row["note"], row["category"]), (note, "group=cadre,sex=f"))


class Wait(Case):
    def test_parent_and_root(self):
        """--wait ends when the entry is there, and the total counts it at once."""
        place = ("fund_raised", "2023-03")
        before = [node(unit).total(COMMUNE, *place) for unit in (DISTRICT, PROVINCE)]
        node().tally("record", COMMUNE, "fund_raised", 1000, "--date", "2023-03-01", "--wait",
                     "parent").line()
        self.assertEqual(node(DISTRICT).total(COMMUNE, *place), before[0] + 1000)
        node().tally("record", COMMUNE, "fund_raised", 100, "--date", "2023-03-01", "--wait",
                     "root", "--timeout", 30).line()
        self.assertEqual(node(PROVINCE).total(COMMUNE, *place), before[1] + 1100)

    def test_timeout_keeps_the_entry(self):
        """Without a parent, --wait ends with 1, prints the identity, and the entry counts."""
        place = (COMMUNE, "fund_raised", "2023-04")
        before = node().total(*place)
        self.assertEqual(node(DISTRICT).stop(), 0)
        try:
            result = node().tally("record", COMMUNE, "fund_raised", 10, "--date", "2023-04-01",
                                  "--wait", "parent", "--timeout", 1)
            self.assertLine(result, NO)
            identity = result.out.strip()
            self.assertEqual(entry_of(node().log(), identity)["value"], 10)
            self.assertEqual(node().total(*place), before + 10)
            status = node().status()
            self.assertEqual(status["parent"]["state"], "connecting")
            self.assertGreaterEqual(status["parent"]["unescrowed_entries"], 1)
            self.assertGreaterEqual(status["parent"]["pending_rows"], 1)
            self.assertIs(status["healthy"], True, "being offline is healthy")
        finally:
            node(DISTRICT).run()
        tree.settle()
        self.assertEqual(node(PROVINCE).total(*place), before + 10)


class Import(Case):
    def put(self, text, *words, unit=COMMUNE):
        return node(unit).tally("import", "-", *words, given=text)

    def test_columns_in_any_order(self):
        """Optional columns may be missing, the others stand where they like; CRLF and LF."""
        before = len(node().log())
        for text in (f"value,measure,unit\n1,fund_raised,{COMMUNE}\n",
                     f"unit,measure,date,category,value,key,note\r\n"
                     f"{COMMUNE},accounts,2023-05-02,group=cadre,2,k-order,\r\n",
                     f"note,key,value,category,date,measure,unit\n"
                     f",,3,,2023-05-03,fund_raised,{COMMUNE}"):
            self.put(text).ok()
        rows = node().log()[before:]
        self.assertEqual([row["value"] for row in rows], [1, 2, 3])
        self.assertEqual(rows[1]["category"], "group=cadre")

    def test_quoting(self):
        """RFC 4180: commas and doubled quotes in quoted fields."""
        self.put(f'unit,measure,date,value,note\n"{COMMUNE}","fund_raised",2023-05-04,"4",'
                 f'"a ""b"", c"\n').ok()
        self.assertEqual(node().log()[-1]["note"], 'a "b", c')

    def test_json_and_keys(self):
        """`rows`, `recorded`, `known`, `refused`; the same file again changes nothing."""
        text = "unit,measure,date,value,key\n" + "".join(
            f"{COMMUNE},fund_raised,2023-05-05,{n},k-again-{n}\n" for n in range(1, 51))
        wanted = {"rows": 50, "recorded": 50, "known": 0, "refused": []}
        answer = self.put(text, "--json").ok().json()
        self.assertEqual({key: answer.get(key) for key in wanted}, wanted)
        before = smalltree.figures(tree)
        answer = self.put(text, "--json").ok().json()
        self.assertEqual((answer["recorded"], answer["known"]), (0, 50))
        self.assertEqual(smalltree.figures(tree), before)

    def test_known_and_new_in_one_file(self):
        """A file that grew: only its new rows are recorded."""
        rows = [f"{COMMUNE},fund_raised,2023-05-06,{n},k-grew-{n}\n" for n in range(10)]
        self.put("unit,measure,date,value,key\n" + "".join(rows[:4])).ok()
        answer = self.put("unit,measure,date,value,key\n" + "".join(rows), "--json").ok().json()
        self.assertEqual((answer["recorded"], answer["known"]), (6, 4))

    def test_from_a_file_and_wait(self):
        """A path instead of `-`; --wait root means that the root has it."""
        path = tree.file("rows.csv", "unit,measure,date,value\n" + "".join(
            f"{unit},fund_raised,2023-06-01,{n}\n" for n, unit in enumerate(
                ["43601", "43602", "43603", "436"])))
        before = node(PROVINCE).total(DISTRICT, "fund_raised", "2023-06")
        result = node(DISTRICT).tally("import", path, "--wait", "root").ok()
        self.assertEqual(result.err, "", "no progress bar without a terminal")
        self.assertEqual(node(PROVINCE).total(DISTRICT, "fund_raised", "2023-06"), before + 6)

    def test_partial(self):
        """--partial records the good rows and names the lines of the others."""
        text = (f"unit,measure,date,value\n{COMMUNE},fund_raised,2023-05-07,1\n"
                f"{COMMUNE},nonsense,2023-05-07,2\n{COMMUNE},fund_raised,2023-05-07,3\n")
        before = len(node().log())
        result = self.put(text, "--partial", "--json")
        self.assertIn(result.status, (DONE, REFUSED), str(result))
        answer = result.json()
        self.assertEqual((answer["rows"], answer["recorded"], answer["known"]), (3, 2, 0))
        self.assertEqual([refused["line"] for refused in answer["refused"]], [3])
        self.assertIn("nonsense", answer["refused"][0]["reason"])
        self.assertEqual([row["value"] for row in node().log()[before:]], [1, 3])

    def test_interrupted(self):
        """Ctrl-C in a long import: what is there is told by the log, and the file again completes it."""
        text = "unit,measure,date,value,key\n" + "".join(
            f"{COMMUNE},fund_raised,2023-{n % 6 + 7:02}-01,1,k-long-{n}\n"
            for n in range(LONG_IMPORT_ROWS))
        path = tree.file("long.csv", text)
        before = len(node().log())

        def interrupt(process):
            # Once the daemon works on it: a signal sent earlier would only show that programs die.
            harness.wait_for(lambda: node().status()["ledger_entries"] > before
                             or process.poll() is not None, "the import begins")
            process.send_signal(signal.SIGINT)
        node().tally("import", path, started=interrupt)
        some = len(node().log()) - before
        answer = node().json("import", path)
        self.assertEqual((answer["known"], answer["recorded"]), (some, LONG_IMPORT_ROWS - some))
        self.assertEqual(len(node().log()) - before, LONG_IMPORT_ROWS)
        self.assertEqual(node().total(COMMUNE, "fund_raised", "2023H2"), LONG_IMPORT_ROWS)


class Correct(Case):
    def setUp(self):
        self.identity = node().tally("record", COMMUNE, "fund_raised", 100, "--date",
                                     "2023-06-15").line()
        self.before = node().total(COMMUNE, "fund_raised", "2023-06") - 100

    def now(self):
        return node().total(COMMUNE, "fund_raised", "2023-06") - self.before

    def test_amend(self):
        """A new entry with its own identity; the latest one wins; one of an amend means the original."""
        first = node().tally("amend", self.identity, 120, "--note", "counted again").line()
        self.assertEqual(self.now(), 120)
        second = node().tally("amend", first, "-7").line()
        self.assertEqual(self.now(), -7)
        self.assertEqual(len({self.identity, first, second}), 3)
        rows = node().log()
        row = entry_of(rows, first)
        self.assertEqual((row["kind"], row["value"], row["refers"], row["note"]),
                         ("amend", 120, self.identity, "counted again"))
        self.assertEqual(entry_of(rows, second)["refers"], self.identity)
        record = entry_of(rows, self.identity)
        self.assertEqual((record["value"], record["live"]), (100, True), "history is not rewritten")

    def test_amend_with_key(self):
        """An amend with a key is idempotent too."""
        words = ["amend", self.identity, "130", "--key", "amend " + self.identity]
        first = node().json(*words)
        self.assertIs(first["known"], False)
        self.assertEqual(node().json(*words), {"entry": first["entry"], "known": True})
        words[2] = "131"
        self.assertLine(node().tally(*words), REFUSED)
        self.assertEqual(self.now(), 130)

    def test_void_is_final(self):
        """A voided entry counts no more, and no amend brings it back."""
        voided = node().tally("void", self.identity, "--note", "typed twice").line()
        self.assertEqual(self.now(), 0)
        rows = node().log()
        self.assertIs(entry_of(rows, self.identity)["live"], False)
        row = entry_of(rows, voided)
        self.assertEqual((row["kind"], row["refers"], row["note"]),
                         ("void", self.identity, "typed twice"))
        self.assertLine(node().tally("amend", self.identity, 5), REFUSED)
        again = node().tally("void", self.identity)
        self.assertIn(again.status, (DONE, REFUSED), str(again))
        self.assertEqual(self.now(), 0)

    def test_json(self):
        """`entry` and `known`, of amend and void alike."""
        self.assertTypes(node().json("amend", self.identity, 1), {"entry": str, "known": bool})
        self.assertTypes(node().json("void", self.identity), {"entry": str, "known": bool})

    def test_unknown_entry(self):
        """An identity that no entry has."""
        changed = re.sub(r"\d+\Z", "999999", self.identity)
        self.assertLine(node().tally("void", changed), REFUSED, changed)
        self.assertLine(node().tally("amend", "no-such-entry!", 5), (USAGE, REFUSED))
        self.assertEqual(self.now(), 100)


class UnitList(Case):
    def test_words(self):
        """Words choose by code or name, without capitals and diacritics."""
        def found(*words):
            return {row["unit"] for row in node(PROVINCE).json("unit", "list", *words)}
        self.assertEqual(found("ha tinh"), {PROVINCE, DISTRICT})
        self.assertEqual(found("HÀ", "thanh"), {DISTRICT})
        self.assertEqual(found("tran phu"), {COMMUNE})
        self.assertEqual(found(COMMUNE), {COMMUNE})
        self.assertEqual(found("no such place"), set())
        self.assertEqual(node(PROVINCE).tally("unit", "list", "nowhere").ok().out, "no such units\n")
        self.assertGreater(len(found()), 4)


class Log(Case):
    def test_keys(self):
        """A list of this node's own entries, in their order, with these keys and types."""
        node().tally("record", COMMUNE, "fund_raised", 1, "--date", "2023-01-20", "--key",
                     "k-log").ok()
        document = node().log()
        self.assertIs(type(document), list)
        text = (str, None)
        for row in document:
            self.assertTypes(row, {
                "entry": str, "unit": str, "measure": str, "date": str, "category": text,
                "value": (int, None), "key": text, "note": text, "kind": str, "refers": text,
                "live": (bool, None), "recorded_at": str, "author": text})
            self.assertIn(row["kind"], ("record", "amend", "void"))
            self.assertRegex(row["recorded_at"], rf"\A{TIMESTAMP}\Z")
        self.assertEqual(document[-1]["key"], "k-log")
        self.assertEqual({row["unit"] for row in document}, {COMMUNE})

    def test_of_a_unit(self):
        """`tally log UNIT` lists the entries about that unit."""
        for unit in ("43602", "43603"):
            node(DISTRICT).tally("record", unit, "fund_raised", 1, "--date", "2023-01-20").ok()
        self.assertEqual({row["unit"] for row in node(DISTRICT).log("43603")}, {"43603"})
        self.assertGreater(len(node(DISTRICT).log()), len(node(DISTRICT).log("43603")))

    def test_chosen(self):
        """-m, -p, --author and --kind choose; together they choose what all of them do."""
        entries = {}
        for measure, date in (("fund_raised", "2023-02-28"), ("fund_raised", "2023-03-01"),
                              ("grants", "2023-03-01")):
            entries[measure, date] = node().tally("record", COMMUNE, measure, 3, "--date",
                                                  date).line()
        voided = entries["fund_raised", "2023-03-01"]
        void = node().tally("void", voided).line()
        author = entry_of(node().log(), void)["author"]

        def chosen(*words):
            rows = node().json("log", *words)
            known = {**{v: k for k, v in entries.items()}, void: "void"}
            return [known[row["entry"]] for row in rows if row["entry"] in known]

        everything = [*entries, "void"]
        self.assertEqual(chosen(), everything)
        self.assertEqual(chosen("-m", "grants"), [("grants", "2023-03-01")])
        self.assertEqual(chosen("-m", "grants,fund_raised"), everything)
        self.assertEqual(chosen("-p", "2023-02"), [("fund_raised", "2023-02-28")])
        self.assertEqual(chosen("-p", "2023-02..2023-03"), everything)
        self.assertEqual(chosen("-p", "2023-03-02..2023-03-31"), [])
        self.assertEqual(chosen("--kind", "void"), ["void"])
        self.assertEqual(chosen("--kind", "record", "-p", "2023-03"),
                         [("fund_raised", "2023-03-01"), ("grants", "2023-03-01")])
        self.assertEqual(chosen("--author", author), everything)
        self.assertEqual(chosen("--author", author + "x"), [])
        self.assertLine(node().tally("log", "-m", "grantz"), REFUSED, "grantz", "mean grants")
        self.assertLine(node().tally("log", "--kind", "voids"), USAGE, "record, amend, void or lost")
        self.assertLine(node().tally("log", "-p", "2023H1..2022"), USAGE, "2023H1..2022")

    def test_text(self):
        """The table for people has the identity, and no colour when nobody looks."""
        identity = node().tally("record", COMMUNE, "fund_raised", 1, "--date", "2023-01-21").line()
        out = node().tally("log").ok().out
        self.assertIn(identity, out)
        self.assertNotIn(ESCAPE, out)


class Status(Case):
    def test_keys(self):
        """What monitoring reads."""
        for unit, level in ((PROVINCE, "province"), (DISTRICT, "district"), (COMMUNE, "commune")):
            status = node(unit).tally("status", "--json").ok().json()
            self.assertTypes(status, {
                "unit": str, "level": str, "origin": str, "parent": (dict, None), "children": list,
                "ledger_entries": int, "held": int, "alarms": list, "healthy": bool})
            self.assertEqual((status["unit"], status["level"]), (unit, level))
            self.assertEqual((status["held"], status["alarms"], status["healthy"]), (0, [], True))
        self.assertIsNone(node(PROVINCE).status()["parent"])
        self.assertEqual(node(COMMUNE).status()["children"], [])
        self.assertEqual(len({node(unit).status()["origin"] for unit in tree.nodes}), len(tree.nodes))

    def test_parent_and_children(self):
        """The link, seen from both ends."""
        tree.settle()
        parent = node().status()["parent"]
        self.assertTypes(parent, {"state": str, "pending_rows": int, "unescrowed_entries": int,
                                  "exact_as_of": (str, None)})
        self.assertEqual((parent["state"], parent["pending_rows"], parent["unescrowed_entries"]),
                         ("linked", 0, 0))
        self.assertRegex(parent["exact_as_of"], rf"\A{TIMESTAMP}\Z")
        child, = (row for row in node(DISTRICT).status()["children"] if row["unit"] == COMMUNE)
        self.assertTypes(child, {"unit": str, "state": str, "exact_as_of": str, "held": int})
        self.assertEqual((child["unit"], child["held"]), (COMMUNE, 0))

    def test_text(self):
        """Exit status 0 when healthy; the unit is named; no colour when nobody looks."""
        result = node().tally("status").ok()
        self.assertIn(COMMUNE, result.out)
        self.assertNotIn(ESCAPE, result.out)

    def test_signals(self):
        """SIGHUP reloads and does not stop; SIGTERM stops with 0 and nothing is lost."""
        before = node().log()
        node().process.send_signal(signal.SIGHUP)
        node().status()
        self.assertEqual(node().stop(), 0, node().log_tail())
        node().run()
        self.assertEqual(node().log(), before)
        tree.settle()


class TreeAndVerify(Case):
    def test_tree(self):
        """Every unit, with its node if it has one."""
        rows = {row["unit"]: row for row in node(PROVINCE).json("tree")}
        for row in rows.values():
            self.assertTypes(row, {
                "unit": str, "name": str, "level": str, "parent": (str, None), "node": bool,
                "state": (str, None), "exact_as_of": (str, None), "from": (str, None),
                "to": (str, None)})
        for unit in [PROVINCE, DISTRICT, COMMUNE, *smalltree.HOSTED]:
            self.assertEqual(rows[unit]["node"], unit in tree.nodes, unit)
        parents = {PROVINCE: None, DISTRICT: PROVINCE, COMMUNE: DISTRICT, **smalltree.HOSTED}
        for unit, parent in parents.items():
            self.assertEqual(rows[unit]["parent"], parent, unit)
        self.assertEqual((rows[PROVINCE]["name"], rows[COMMUNE]["level"]),
                         ("Tỉnh Hà Tĩnh", "commune"))
        self.assertIn("Phường Trần Phú", node(PROVINCE).tally("tree").ok().out)

    def test_verify(self):
        """`ok`, `checked`, `faults`; it counts what it looked at, and finds no fault here."""
        node().tally("record", COMMUNE, "fund_raised", 1, "--date", "2023-01-20", "--wait",
                     "root").ok()
        for unit in tree.nodes:
            answer = node(unit).json("verify")
            self.assertTypes(answer, {"ok": bool, "checked": dict, "faults": list})
            self.assertEqual((answer["ok"], answer["faults"]), (True, []))
            self.assertTrue(all(type(count) is int for count in answer["checked"].values()))
            self.assertGreater(sum(answer["checked"].values()), 0)


class Units(Case):
    def listed(self, unit=DISTRICT):
        return {row["unit"] if "unit" in row else row["code"]: row
                for row in node(unit).json("unit", "list")}

    def test_add_and_list(self):
        """A unit without a node, below the own unit when no parent is named; its ancestors know it."""
        node(DISTRICT).tally("unit", "add", "43690", "--name", "Xã Mới", "--level", "commune").ok()
        row = self.listed()["43690"]
        self.assertEqual((row["name"], row["level"], row["parent"]), ("Xã Mới", "commune", "436"))
        harness.wait_for(lambda: "43690" in self.listed(PROVINCE), "the province knows 43690")

    def test_import(self):
        """code,name,level,parent; a bad line leaves none of the file's units."""
        path = tree.file("units.csv", 'parent,code,name,level\n436,43691,"Xã ""A"", B",commune\n'
                                      "436,43692,Xã C,commune\n")
        node(DISTRICT).tally("unit", "import", path).ok()
        self.assertEqual(self.listed()["43691"]["name"], 'Xã "A", B')
        path = tree.file("units.csv", "code,name,level,parent\n43693,Xã D,commune,436\n"
                                      "43694,Xã E,hamlet,436\n")
        self.assertLine(node(DISTRICT).tally("unit", "import", path), REFUSED, "3", "hamlet")
        self.assertNotIn("43693", self.listed())

    def test_refused(self):
        """A code twice, a level or a parent that is not there, a unit that is not below."""
        for code, level, parent, word in (("43602", "commune", "436", "43602"),
                                          ("43695", "hamlet", "436", "hamlet"),
                                          ("43695", "commune", "437", "437"),
                                          ("43695", "commune", "441", "441")):
            result = node(DISTRICT).tally("unit", "add", code, "--name", "N", "--level", level,
                                          "--parent", parent)
            self.assertLine(result, REFUSED, word)
        self.assertNotIn("43695", self.listed())


class Apply(Case):
    def apply(self, text, *words, unit=PROVINCE):
        return node(unit).tally("apply", tree.file("next.yaml", text), *words)

    def version(self, unit):
        return node(unit).json("total", unit)["catalog_version"]

    def test_new_measure_reaches_all(self):
        """--dry-run only prints; an apply raises the version, and the lowest node gets it."""
        text = smalltree.CATALOGUE.replace("indicators:", (
            "  - {code: prizes, name: Prizes, unit: prize, kind: flow, level: commune}\n"
            "indicators:"))
        before = self.version(PROVINCE)
        self.assertIn("prizes", self.apply(text, "--dry-run").ok().out)
        self.assertEqual(self.version(PROVINCE), before)
        self.assertIn("prizes", self.apply(text).ok().out)
        self.assertGreater(self.version(PROVINCE), before)
        harness.wait_for(lambda: self.version(COMMUNE) == self.version(PROVINCE),
                         "the commune has the catalogue")
        node().tally("record", COMMUNE, "prizes", 3, "--date", "2023-01-20", "--wait", "root").ok()
        self.assertEqual(node(PROVINCE).total(PROVINCE, "prizes", "2023"), 3)

    def test_published_measures_do_not_change(self):
        """Kind, decimals, frequency and categories stay; the line proposes a new code."""
        before = self.version(PROVINCE)
        base = "{code: fund_raised, name: Money raised, unit: VND, kind: flow, level: commune"
        for change in (base.replace("flow", "stock"), base + ", decimals: 2",
                       base + ", frequency: quarter", base + ", categories: [group]"):
            text = smalltree.CATALOGUE.replace(base, change)
            self.assertNotEqual(text, smalltree.CATALOGUE)
            self.assertLine(self.apply(text), REFUSED, "fund_raised", "code")
        self.assertEqual(self.version(PROVINCE), before)

    def test_only_at_the_root(self):
        """The catalogue is the root's."""
        self.assertLine(self.apply(smalltree.CATALOGUE, unit=DISTRICT), REFUSED, "root")


class Joining(Case):
    def test_token_alone(self):
        """One line that a person can carry."""
        token = node(DISTRICT).tally("invite", "43602").line()
        self.assertRegex(token, rf"\A{IDENTITY}\Z")
        self.assertNotEqual(node(DISTRICT).tally("invite", "43602", "--expires", "2h").line(), token)

    def test_hosted_unit_gets_a_node(self):
        """From then on the new node records its stocks, the former host no more; nothing is lost."""
        host = node(DISTRICT)
        host.tally("unit", "add", "43680", "--name", "Xã", "--level", "commune").ok()
        host.tally("record", "43680", "population", 700, "--date", "2023-02-01").ok()
        host.tally("record", "43680", "fund_raised", 70, "--date", "2023-02-01").ok()
        new = tree.join(DISTRICT, "43680")
        tree.settle()
        result = host.tally("record", "43680", "population", 701, "--date", "2023-02-01")
        self.assertLine(result, REFUSED, "43680")
        harness.wait_for(lambda: new.total("43680", "fund_raised", "2023") == 70,
                         "the new node has what its host recorded")
        self.assertEqual(new.total("43680", "population", "2023"), 700)
        new.tally("record", "43680", "population", 702, "--date", "2023-01-01", "--wait",
                  "root").ok()
        for unit in (PROVINCE, DISTRICT, "43680"):
            self.assertEqual(node(unit).total("43680", "population", "2023"), 702,
                             "the higher hosting number stands, though its day is earlier")


class Formats(Case):
    def test_locale_leaves_machine_formats(self):
        """JSON and CSV are the same in every locale."""
        for words in (["status", "--json"], ["total", "-p", "2023", "--csv"]):
            answers = [re.sub(TIMESTAMP, "", node().tally(
                *words, env=harness.environment(LC_ALL=locale, LANGUAGE=locale)).ok().out)
                for locale in ("C.UTF-8", "vi_VN.UTF-8")]
            self.assertEqual(*answers)

    def test_log_csv(self):
        """Whatever is printed with --csv can be read as RFC 4180, lines of one width."""
        for words in (["log"], ["total", "-p", "2023"], ["tree"]):
            result = node().tally(*words, "--csv")
            if result.status == USAGE and words[0] != "total":
                continue  # the contract promises it of `total` by name
            rows = list(csv.reader(io.StringIO(result.ok().out), strict=True))
            self.assertEqual(len({len(row) for row in rows}), 1, words)
            self.assertTrue(result.out.endswith("\r\n"), words)


if __name__ == "__main__":
    harness.main()
