#!/usr/bin/env python3
# labels: slow
"""What people get wrong: files, names, values, days, options, terminals.

Each mistake ends with its exit status and one line on standard error that names the thing and the place, and
changes nothing. Data directories, disks, tokens and certificates are in t_places.py.
"""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import unicodedata
import unittest

import harness
import smalltree
from harness import DONE, REFUSED, UNREACHABLE, USAGE
from smalltree import CATALOGUE, COMMUNE, DISTRICT, PROVINCE

HEAD = "unit,measure,date,value\n"
ROW = f"{COMMUNE},fund_raised,2023-01-01,1\n"
WITH_NOTE = "unit,measure,value,note\n"
LONG_ROWS = 6000  # more than one request
INTERRUPTED = 130
ESCAPE = "\x1b"

tree = None


def setUpModule():
    global tree
    tree = smalltree.make()


def tearDownModule():
    if tree is not None:
        tree.stop()


def node(unit=COMMUNE):
    return tree.nodes[unit]


def rows(count, key="", day="2023-07-01"):
    head = "unit,measure,date,value" + (",key\n" if key else "\n")
    return head + "".join(f"{COMMUNE},fund_raised,{day},1" + (f",{key}{n}\n" if key else "\n")
                          for n in range(count))


class Case(unittest.TestCase):
    def assertLine(self, result, status, *words):
        """The exit status, nothing else on standard output, one line on standard error with the words."""
        self.assertEqual(result.status, status, str(result))
        self.assertRegex(result.err, r"\A[^\n]+\n\Z", str(result))
        for word in words:
            self.assertIn(word, result.err)

    def assertRefused(self, result, status, *words):
        self.assertLine(result, status, *words)
        self.assertEqual(result.out, "", str(result))


class Csv(Case):
    """name: (content, where, words)."""
    MALFORMED = {
        "empty": ("", ":1:", ["empty", "unit,measure,value"]),
        "only a mark": (b"\xef\xbb\xbf", ":1:", ["empty"]),
        "UTF-16": (("\ufeff" + HEAD + ROW).encode("utf-16-le"), ":1:1:", ["UTF-8"]),
        "no heading": (ROW + ROW, ":1:", ["first line"]),
        "CR only": ((HEAD + ROW).replace("\n", "\r"), ":1:24:", ["carriage return", "LF"]),
        "NUL": (HEAD + ROW.replace("1\n", "1\0\n"), ":2:30:", ["UTF-8"]),
        "Latin-1": (WITH_NOTE.encode() + f"{COMMUNE},fund_raised,1,Qu\xe9\n".encode("latin-1"),
                    ":2:21:", ["UTF-8"]),
        "overlong": (HEAD.encode() + ROW.encode()[:-2] + b"\xc0\x80\n", ":2:30:", ["UTF-8"]),
        "never closed": (HEAD + ROW + f'{COMMUNE},"fund_raised,2023-01-01,1\n' + ROW, ":3:7:",
                         ["quote"]),
        "behind a quote": (f'unit,measure,value\n"{COMMUNE}"x,fund_raised,1\n', ":2:8:", ["quote"]),
        "inner quote": (WITH_NOTE + f'{COMMUNE},fund_raised,1,a"b\n', ":2:22:", ["quote"]),
        "10 MB": (WITH_NOTE + f"{COMMUNE},fund_raised,1," + "x" * 10_000_000, ":2:65537:", ["longer"]),
        "unknown column": ("unit,mesure,value\n", ":1:", ["mesure", "did you mean measure"]),
        "column twice": ("unit,measure,value,unit\n", ":1:", ["unit", "twice"]),
        "column missing": ("unit,value\n", ":1:", ["measure", "missing"]),
        "semicolons": ((HEAD + ROW).replace(",", ";"), ":1:", ["commas"]),
        "tabs": ((HEAD + ROW).replace(",", "\t"), ":1:", ["tabs", "commas"]),
    }
    WRONG_ROWS = {
        "too few": (f"{COMMUNE},fund_raised,2023-01-01\n", ["3 fields", "4"]),
        "too many": (ROW.replace("1\n", "1,2\n"), ["5 fields", "4"]),
        "spaces": (f"{COMMUNE} ,fund_raised,2023-01-01,1\n", [f'"{COMMUNE} "', "spaces"]),
        "no number": (f'{COMMUNE},fund_raised,2023-01-01,"1,000"\n', ["1,000", "separators"]),
        "no day": (f"{COMMUNE},fund_raised,2023-02-30,1\n", ["2023-02-30"]),
        "a month": (f"{COMMUNE},fund_raised,2023-02,1\n", ["2023-02", "form"]),
        "another unit": ("43609,fund_raised,2023-01-01,1\n", ["43609", "did you mean 43601"]),
        "another measure": (f"{COMMUNE},fund_rased,2023-01-01,1\n", ["did you mean fund_raised"]),
    }

    def setUp(self):
        self.before = smalltree.figures(tree)

    def tearDown(self):
        self.assertEqual(smalltree.figures(tree), self.before)

    def put(self, content, *words):
        return node().tally("import", "-", *words, given=content)

    def test_malformed(self):
        """The line, and the column where there is one; nothing is recorded, with --partial too."""
        for name, (content, where, words) in self.MALFORMED.items():
            for options in ([], ["--partial"]):
                with self.subTest(name, options=options):
                    result = self.put(content, *options)
                    self.assertLine(result, REFUSED, f"standard input{where} ", *words)
                    self.assertNotIn("--partial", result.err, "it would not help")

    def test_wrong_row(self):
        """A row that is wrong is named by its line, alone in the file too."""
        for name, (row, words) in self.WRONG_ROWS.items():
            for more in ("", ROW):
                with self.subTest(name, more=more):
                    self.assertLine(self.put(HEAD + row + more), REFUSED, "standard input:2: ",
                                    "nothing is recorded", *words)
        answer = self.put(HEAD + self.WRONG_ROWS["another unit"][0], "--partial", "--json").json()
        self.assertEqual((answer["recorded"], [row["line"] for row in answer["refused"]]), (0, [2]))

    def test_units(self):
        """A file of units is read as strictly."""
        for content, words in (("code,name,level\n4369,Xã", [":2:"]), ("code;name;level\n", ["commas"]),
                               ("code,name,level\n43699,Xã,comune\n", [":2:", "commune"])):
            result = node(DISTRICT).tally("unit", "import", "-", given=content)
            self.assertLine(result, REFUSED, "standard input:", *words)

    def test_no_file(self):
        """What cannot be read is wrong without asking anybody."""
        for words in (["import", tree.folder + "/nothing.csv"], ["import", tree.folder],
                      ["unit", "import", tree.folder + "/nothing.csv"], ["apply", tree.folder]):
            self.assertRefused(node().tally(*words), USAGE, tree.folder)


class Keys(Case):
    def test_without_keys(self):
        """It is said that a short file counts again; and that a long one does when it has changed."""
        for count, word in ((2, "count them again"), (LONG_ROWS, "counts nothing twice")):
            text = rows(count, day="2024-01-01")
            self.assertIn(word, node().tally("import", "-", given=text).ok().out)
            self.assertEqual(node().json("import", "-", given=text)["without_key"], count)
        self.assertEqual(node().total(COMMUNE, "fund_raised", "2024-01"), 2 + 2 + LONG_ROWS)
        self.assertNotIn("again", node().tally("import", "-", given=rows(2, key="said")).ok().out)

    def test_partial_waits(self):
        """--partial with --wait waits for the good rows, though it ends with 4 for the others."""
        text = HEAD + ROW.replace("2023-01-01,1", "2024-04-01,7") + ROW.replace(",1\n", ",z\n")
        node(DISTRICT).stop()
        try:
            result = node().tally("import", "-", "--partial", "--wait", "parent", "--timeout", 1,
                                  given=text)
        finally:
            node(DISTRICT).run()
        self.assertEqual(result.status, REFUSED, str(result))
        refused, waited = result.err.splitlines()
        self.assertIn("the others are recorded", refused)
        self.assertIn("not known to be at the parent", waited)
        tree.settle()
        self.assertEqual(node(PROVINCE).total(COMMUNE, "fund_raised", "2024-04"), 7)

    def cut(self, day, act):
        """A long import without keys during which `act(process)` happens; then the same command."""
        path = tree.file("cut.csv", rows(4 * LONG_ROWS, day=day))
        before = node().status()["ledger_entries"]

        def started(process):
            harness.wait_for(lambda: node().status()["ledger_entries"] > before
                             or process.poll() is not None, "the import begins")
            act(process)
        result = node().tally("import", path, started=started)
        if not node().alive():
            node().run()
        self.assertEqual(node().json("import", path)["rows"], 4 * LONG_ROWS)
        self.assertEqual(node().total(COMMUNE, "fund_raised", day[:7]), 4 * LONG_ROWS)
        return result

    def test_interrupted(self):
        """Ctrl-C: how many are recorded, and that the same command goes on; nothing is doubled."""
        result = self.cut("2024-02-01", lambda process: process.send_signal(signal.SIGINT))
        if result.status != DONE:
            self.assertLine(result, INTERRUPTED, "interrupted", "the same command goes on")

    def test_daemon_killed(self):
        """The daemon dies in the middle: 3, how many at least, and the same command goes on."""
        result = self.cut("2024-03-01", lambda process: node().kill())
        if result.status != DONE:
            self.assertLine(result, UNREACHABLE, "rows are recorded", "the same command goes on")


class Catalogues(Case):
    MEASURE = "levels: [province, district, commune]\nmeasures:\n  - {code: a, name: A, unit: x, "
    MALFORMED = {
        "empty": ("", ":1:1:", ["empty"]),
        "a word": ("hello\n", ":1:1:", ["mapping"]),
        "a list": ("- a\n", ":1:1:", ["mapping"]),
        "a tab": ("levels:\n\t- province\n", ":2:1:", ["tab"]),
        "not UTF-8": (CATALOGUE.encode().replace(b"Money", b"M\xf4ney"), ":6:33:", ["UTF-8"]),
        "not closed": (CATALOGUE.replace("level: commune}", "level: commune", 1), ":7:5:", ["'}'"]),
        "unknown key": (CATALOGUE.replace("kind: flow", "knd: flow", 1), ":6:56:", ["knd", "kind"]),
        "key twice": (CATALOGUE + "levels: [a]\n", ":21:1:", ["levels", "second time"]),
        "code twice": (CATALOGUE.replace("code: grants", "code: fund_raised"), ":7:5:", ["twice"]),
        "key missing": (CATALOGUE.replace("kind: flow, ", "", 1), ":6:5:", ["kind", "missing"]),
        "another kind": (CATALOGUE.replace("kind: flow", "kind: flo", 1), ":6:62:", ["flo", "flow"]),
        "no number": (CATALOGUE.replace("decimals: 2", "decimals: two"), ":7:75:", ["two"]),
        "another level": (CATALOGUE.replace("level: commune", "level: comune", 1), ":6:75:",
                          ["comune"]),
        "no list": (CATALOGUE.replace("[province, district, commune]", "province"), ":1:9:", ["list"]),
        "an alias": ("levels: &a [x]\nmeasures: *a\n", ":2:11:", ["aliases"]),
        "a bomb": ("a: &a [x,x]\nb: &b [*a,*a,*a,*a]\nc: [*b,*b,*b,*b]\n", ":2:8:", ["aliases"]),
        "deep": ("levels: " + "[" * 500 + "]" * 500, ":1:24:", ["deep"]),
        "two documents": (CATALOGUE + "---\nlevels: [a]\n", ":21:1:", ["second document"]),
        "no period": (CATALOGUE + "targets:\n  - {unit: '42', measure: grants, period: '2023H3', "
                      "value: 1}\n", ":22:43:", ["2023H3"]),
    }

    def apply(self, text, *words):
        return node(PROVINCE).tally("apply", tree.file("input.yaml", text), *words)

    def version(self):
        return node(PROVINCE).json("total", "-p", "2023")["catalog_version"]

    def test_malformed(self):
        """File, line and column; the same of `tallyd init --catalog`."""
        before = self.version()
        for name, (text, where, words) in self.MALFORMED.items():
            with self.subTest(name):
                self.assertRefused(self.apply(text), REFUSED, f"input.yaml{where} ", *words)
                new = os.path.join(tree.folder, "new")
                result = harness.tallyd(
                    "init", "--data", new, "--unit", "9", "--name", "N", "--level", "province",
                    "--listen", harness.free_address(), "--catalog", tree.folder + "/input.yaml")
                self.assertRefused(result, REFUSED, f"input.yaml{where} ")
                self.assertFalse(os.path.exists(new))
        self.assertEqual(self.version(), before)

    def test_every_change_is_listed(self):
        """Whatever makes a new version has a line; a dry run says the version that would come."""
        target = CATALOGUE + "targets:\n  - {unit: '42', measure: grants, period: '2023', value: 1}\n"
        lines = CATALOGUE.splitlines(keepends=True)
        for text, line in (
                (CATALOGUE.replace("[cadre, other]", "[cadre, other, third]"), "~ category group"),
                (CATALOGUE.replace("[province, ", "[nation, province, "), "~ levels"),
                (target, "+ target 42 grants 2023"),
                (CATALOGUE.replace("Raised per", "Money per"), "~ indicator raised_each"),
                ("".join(lines[:5] + lines[6:7] + lines[5:6] + lines[7:]), "~ order"),
                (CATALOGUE.replace("Money raised", "Money"), "~ measure fund_raised")):
            version = self.version()
            out = self.apply(text, "--dry-run").ok().out.splitlines()
            self.assertEqual(out, [line, f"would be catalogue version {version + 1}"])
            self.assertEqual(self.version(), version)
        self.assertIn("nothing changes", self.apply(CATALOGUE).ok().out)

    def test_no_other_form_later(self):
        """A measure that was taken out comes back only as what it was: an office may have recorded it."""
        prizes = ("  - {code: prizes, name: Prizes, unit: prize, kind: flow, level: commune%s}\n"
                  "indicators:")
        first = CATALOGUE.replace("indicators:", prizes % "")
        other = CATALOGUE.replace("indicators:", prizes % ", decimals: 2")
        self.apply(first).ok()
        self.apply(CATALOGUE).ok()
        for words in (["--dry-run"], []):
            self.assertRefused(self.apply(other, *words), REFUSED, "prizes", "decimals 0", "prizes_2")
        self.apply(first).ok()
        self.apply(CATALOGUE).ok()


class Typed(Case):
    VALUES = {"1.5": REFUSED, "1e3": USAGE, "1,000": USAGE, "0x10": USAGE, "-": USAGE, "5 ": USAGE,
              "1.": USAGE, ".5": USAGE, "NaN": USAGE, "٥": USAGE, str(10 ** 15 + 1): REFUSED,
              str(-10 ** 15 - 1): REFUSED, str(10 ** 30): REFUSED}
    DAYS = ["2023-02-30", "2023-02-29", "2023-13-01", "2023-2-3", "2023-06", "2023", "20230618",
            "18/06/2023", "2023-06-18 ", "0000-01-01", "today"]
    PERIODS = ["2023-02-30", "2023H3", "2023H0", "2023Q5", "2023-13", "2023-00", "0000", "20233",
               "2023W12", " 2023", "2023h1", "2023-1", "23"]

    def setUp(self):
        self.before = node().status()["ledger_entries"]

    def tearDown(self):
        self.assertEqual(node().status()["ledger_entries"], self.before)

    def record(self, unit=COMMUNE, measure="fund_raised", value="1", *words, at=COMMUNE):
        return node(at).tally("record", unit, measure, value, "--date", "2023-01-01", *words)

    def test_values_and_days(self):
        """The value, day or period is quoted; what the measure's decimals refuse is 4, a form is 2."""
        for value, status in self.VALUES.items():
            with self.subTest(value=value):
                self.assertRefused(self.record(value=value), status, value)
        for day in self.DAYS:
            with self.subTest(day=day):
                result = node().tally("record", COMMUNE, "fund_raised", 1, "--date", day)
                self.assertRefused(result, USAGE, f'"{day}"')
        for period in self.PERIODS:
            with self.subTest(period=period):
                self.assertRefused(node().tally("total", "-p", period), USAGE, f'"{period}"')

    def test_names(self):
        """The nearest names; where none is near, where they are listed."""
        for unit, measure, words in (
                ("43609", "fund_raised", ["43609", "did you mean 43601"]),
                (COMMUNE, "fund_rased", ["did you mean fund_raised"]),
                ("nowhere", "fund_raised", ["nowhere", "tally tree"]),
                (COMMUNE, "xyzzy", ["xyzzy", "tally total"]),
                (COMMUNE, "raised_each", ["raised_each", "indicator"]),
                (COMMUNE, "inspections", ["inspections", "district"])):
            self.assertRefused(self.record(unit, measure), REFUSED, *words)
        for words in (["total", "nowhere"], ["log", "nowhere"]):
            self.assertRefused(node().tally(*words), REFUSED, "nowhere", "tally tree")
        self.assertRefused(node().tally("total", "-m", "xyzzy"), REFUSED, "xyzzy", "tally total")
        self.assertRefused(node().tally("total", "--by", "level=comune"), REFUSED, "commune")
        result = node().tally("total", "-m", "raised_each", "--by", "category")
        self.assertRefused(result, REFUSED, "raised_each", "categories")
        result = self.record(COMMUNE, "accounts", "1", "--category", "group=boss")
        self.assertRefused(result, REFUSED, "group=boss", "cadre|other")

    def test_stock_elsewhere(self):
        """A stock is recorded where the unit is hosted; the line names that place."""
        for at, unit, host in ((DISTRICT, COMMUNE, COMMUNE), (PROVINCE, "43602", DISTRICT)):
            self.assertRefused(self.record(unit, "population", "5", at=at), REFUSED, unit, host)

    def test_empty_words(self):
        """An unset variable of a script is not the default: not the own unit, not the default socket."""
        for words in (["total", ""], ["log", ""], ["record", COMMUNE, "", "1"], ["void", ""]):
            self.assertRefused(node().tally(*words), USAGE, "empty")
        for words in (["--data", ""], ["--node", ""], ["--data", node().data, "--node="]):
            self.assertRefused(harness.run([harness.TALLY, *words, "status"]), USAGE, "empty")

    def test_options(self):
        """Unknown, twice, without a value, not of this command: the option is named, with what is near."""
        for words, named in ((["total", "--perod", "2023"], "--period"), (["-x", "status"], "-x"),
                             (["total", "-p", "2023", "-p", "2024"], "--period"),
                             (["total", "-p"], "--period"), (["status", "-m", "grants"], "--measure"),
                             (["total", "--json", "--csv"], "--csv"), (["recrod"], "record"),
                             (["unit", "lst"], "unit list"), (["total", "a", "b"], '"b"')):
            self.assertRefused(node().tally(*words), USAGE, named)


class Output(Case):
    NAME = "Xã Quỳnh Thọ với một cái tên rất dài để xem bảng"

    def on_terminal(self, columns, *words):
        """What the command writes to a terminal of so many columns."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        shown = b""
        with subprocess.Popen(harness.tally_words(node(DISTRICT).data, words), stdin=slave,
                              stdout=slave, stderr=slave, env=harness.environment(TERM="xterm")) as process:
            os.close(slave)
            while chunk := self.read(master):
                shown += chunk
            self.assertEqual(process.wait(harness.COMMAND_LIMIT_S), DONE, shown)
        os.close(master)
        return shown.decode()

    @staticmethod
    def read(master):
        try:
            return os.read(master, 65536)
        except OSError:  # the other end is closed
            return b""

    def test_long_name(self):
        """A long name is wrapped inside its column; no line is wider than the terminal."""
        node(DISTRICT).tally("unit", "add", "43677", "--name", self.NAME, "--level", "commune").ok()
        for words in (["tree"], ["unit", "list"]):
            for line in self.on_terminal(80, *words).splitlines():
                width = sum(unicodedata.combining(c) == 0 for c in line.rstrip())
                self.assertLessEqual(width, 80, line)
            self.assertIn(self.NAME, node(DISTRICT).tally(*words).ok().out, "whole when nobody looks")

    def test_progress(self):
        """The bar never passes the width: a line that wraps cannot be wiped."""
        path = tree.file("bar.csv", rows(LONG_ROWS, key="bar"))
        for columns in (100, 40):
            shown = self.on_terminal(columns, "import", path)
            self.assertIn("checking", shown)
            for part in re.findall("[^\r\n]*%[^\r\n]*", shown):
                self.assertLess(len(part), columns)

    def test_machine_formats_on_a_terminal(self):
        """No colour, no bar, no wrapping in JSON and CSV."""
        for form in ("--json", "--csv"):
            self.assertNotIn(ESCAPE, self.on_terminal(40, "tree", form))
            self.assertIn(self.NAME if form == "--csv" else "43677", self.on_terminal(40, "tree", form))

    def test_lost_output(self):
        """An entry whose identity could not be printed is there; the line says so."""
        before = node().status()["ledger_entries"]
        with open("/dev/full", "w", encoding="ascii") as full:
            result = subprocess.run(
                harness.tally_words(node().data, ["record", COMMUNE, "fund_raised", "1"]), stdout=full,
                stderr=subprocess.PIPE, env=harness.environment(), check=False)
        self.assertEqual(result.returncode, REFUSED)
        self.assertIn(b"is done", result.stderr)
        self.assertEqual(node().status()["ledger_entries"], before + 1)


if __name__ == "__main__":
    harness.main()
