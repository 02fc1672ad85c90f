#!/usr/bin/env python3
# labels: threads
"""What `tally report` makes of a template: the figures of `tally total`, as people write them.

On the tree and entries of t_totals.py; the texts are worked out by hand. Each test's first line says what breakage
it sees.
"""

import os
import re
import threading
import unittest

import harness
import t_totals
from harness import NO, REFUSED, USAGE
from smalltree import COMMUNE, DISTRICT, PROVINCE

ODD = "A<b>|*&'\""


def setUpModule():
    t_totals.setUpModule()
    node = t_totals.tree.nodes[PROVINCE]
    node.tally("unit", "add", "44102", "--name", ODD, "--level", "commune", "--parent", "441").ok()


def report(template, *words, unit=PROVINCE, **environ):
    """What comes of a template on standard input."""
    words = words or ("-p", "2023")
    node = t_totals.tree.nodes[unit]
    return node.tally("report", "-", *words, given=template, env=harness.environment(**environ)).ok().out


class Report(unittest.TestCase):
    def assertLine(self, template, status, *words, options=("-p", "2023")):
        """Refused: one line with those words, and nothing on standard output."""
        result = t_totals.tree.nodes[PROVINCE].tally("report", "-", *options, given=template)
        self.assertEqual((result.status, result.out, result.err.count("\n")), (status, "", 1), result)
        for word in words:
            self.assertIn(word, result.err)

    def test_figures(self):
        """A figure is that of `tally total`, whole or rounded, of the unit, period and categories asked for."""
        for field, wanted in {
                "total fund_raised": "11,664", "total fund_raised unit=43601": "1,164",
                "total fund_raised period=2023Q1": "1,200", "total fund_raised in=thousand": "11.664",
                "total fund_raised in=thousand digits=1": "11.7", "total fund_raised in=billion digits=0": "0",
                "total grants": "-1.25", "total grants digits=1": "-1.3", "total grants period=2022": "-",
                "total accounts[group=cadre]": "12", "total accounts[group=other]": "100",
                "total trainees[group=cadre]": "70", "total trainees[sex=m]": "40",
                "total trainees[sex=f,group=cadre]": "30", "total trainees[group=cadre,sex=m]": "40",
                "total trainees[group=other]": "-", "total raised_each": "17", "total cadre_share": "10.3",
                "entries fund_raised": "9", "reported fund_raised": "3", "expected fund_raised": "5",
                "target fund_raised": "20,000", "reached fund_raised": "11,664", "percent fund_raised": "58.3",
                "target raised_each digits=1": "20.0", "entries trainees[sex=f]": "1",
                "name fund_raised": "Money raised", "counted_in grants": "million VND",
                "missing money period=2023-01": "5", "missing fund_raised period=2023": "2"}.items():
            with self.subTest(field=field):
                self.assertEqual(report("{{" + field + "}}"), wanted)

    def test_changes(self):
        """A change is signed, and held against the period before, the year before, or one that is named."""
        for field, wanted in {
                "before fund_raised": "1,200", "change fund_raised": "+9,257", "against fund_raised": "the first quarter of 2023",
                "change_percent fund_raised": "+771.4", "change fund_raised against=2023Q3": "+10,450",
                "change accounts": "+2", "change accounts[group=cadre]": "+2",
                "before trainees[group=cadre]": "0", "change trainees[group=cadre]": "+70", "change trainees[sex=m]": "+40",
                "change fund_raised unit=43602": "0", "change_percent fund_raised against=year": "-"}.items():
            with self.subTest(field=field):
                self.assertEqual(report("{{" + field + "}}", "-p", "2023Q2"), wanted)
        self.assertEqual(report("{{total trainees[group=cadre]}} {{before trainees[group=cadre]}} "
                                "{{change trainees[group=cadre]}} {{change_percent trainees[group=cadre]}}",
                                "-p", "2023Q3"), "- 70 -70 -100.0")

    def test_blocks_over_units(self):
        """A block has a line for each child, and one for the unit itself only where it has something itself."""
        lines = "{{each child}}\n{{unit}}={{total CODE}} {{unit.name}}\n{{end}}\n{{unit}}={{total CODE}}\n"
        self.assertEqual(report(lines.replace("CODE", "fund_raised")).splitlines(),
                         ["436=1,164 Thành phố Hà Tĩnh", "441=500 Unit 441", "42=10,000 Tỉnh Hà Tĩnh", "42=11,664"])
        self.assertEqual(report(lines.replace("CODE", "accounts")).splitlines(),
                         ["436=117 Thành phố Hà Tĩnh", "441=- Unit 441", "42=117"])
        nested = "{{each child}}{{unit}}:{{each child}} {{unit}}={{total fund_raised}}{{end}};{{end}}"
        self.assertEqual(report(nested), "436: 43601=1,164 43602=0 43603=-;441: 44101=500 44102=-;")
        level = "{{each level=commune}}{{unit}}={{total accounts[group=cadre]}} {{end}}"
        self.assertEqual(report(level), "43601=12 43602=- 43603=- 44101=- 44102=- ")

    def test_own_lines(self):
        """What a unit has itself has its line, so that lines add up: in whatever period, before, and by category."""
        self.assertEqual(report("{{each child}}{{unit}}={{total fund_raised}} {{missing fund_raised}};{{end}}"),
                         "436=1,164 1;441=500 1;42=10,000 -;")
        self.assertEqual(report("{{each child}}{{unit}}={{total fund_raised period=2023}} {{end}}", "-p", "2022"),
                         "436=1,164 441=500 42=10,000 ")
        self.assertEqual(report("{{each period=2023Q1..2023Q2}}{{each child}}{{unit}}={{total fund_raised}} {{end}};{{end}}",
                                "-p", "2022"), "436=1,200 441=- ;436=-43 441=500 42=10,000 ;")
        self.assertEqual(report("{{each child}}{{unit}}={{change fund_raised}} {{end}}", "-p", "2023Q3"),
                         "436=+50 441=-500 42=-10,000 ")
        self.assertEqual(report("{{each child}}{{unit}}={{each period=2023Q2..2023Q2}}{{total fund_raised}}{{end}} {{end}}",
                                "-p", "2022"), "436=-43 441=500 42=10,000 ")
        self.assertEqual(report("{{each child}}{{unit}}={{total trainees[sex=f]}} {{end}}", DISTRICT, "-p", "2023"),
                         "43601=- 43602=- 43603=- 436=30 ")
        self.assertEqual(report("{{each child}}{{unit}}{{each missing money}}x{{end}} {{end}}", "-p", "2023-04"),
                         "436xxx 441xx ")

    def test_blocks_over_periods(self):
        """A block over periods has each figure of its own period, inside a block over units too."""
        self.assertEqual(report("{{each period=2023Q1..2023Q4}}{{total fund_raised}};{{end}}"), "1,200;10,457;7;-;")
        self.assertEqual(report("{{each child}}{{unit}}{{each period=2023H1..2023H2}} {{total fund_raised}}{{end}};{{end}}"),
                         "436 1,157 7;441 500 -;42 10,000 -;")
        self.assertEqual(report("{{each period=2023-01..2023-02}}{{total fund_raised}} {{end}}{{total population}}"),
                         "1,000 200 700")

    def test_who_is_missing(self):
        """Who has not reported is listed with what is lacking; a condition takes none for no."""
        text = "{{if missing money}}{{each missing money}}{{unit}}: {{lacks}};{{end}}{{else}}all{{end}}"
        self.assertEqual(report(text, "-p", "2023-06"),
                         "43602: fund_raised, grants;43603: fund_raised, grants;44101: fund_raised, grants;"
                         "44102: fund_raised, grants;")
        self.assertEqual(report("{{if held}}held{{else}}none{{end}} {{if total accounts}}yes{{else}}no{{end}} "
                                "{{if total visits period=2022}}yes{{else}}no{{end}}"), "none yes no")

    def test_languages(self):
        """Numbers, periods and days are written as the language does; the option goes before the locale."""
        text = "{{total fund_raised}} {{total grants}} {{period}} {{nodes}}"
        english, vietnamese = "11,664 -1.25 2023 3", "11.664 -1,25 năm 2023 3"
        self.assertEqual(report(text), english)
        self.assertEqual(report(text, "-p", "2023", "--lang", "vi"), vietnamese)
        self.assertEqual(report(text, LC_ALL="vi_VN.UTF-8"), vietnamese)
        self.assertEqual(report(text, "-p", "2023", "--lang", "en", LC_ALL="", LANG="vi"), english)
        for period, english, vietnamese in (("2023H2", "the second half of 2023", "6 tháng cuối năm 2023"),
                                            ("2023Q3", "the third quarter of 2023", "quý 3 năm 2023"),
                                            ("2023-02", "February 2023", "tháng 2 năm 2023"),
                                            ("2023-02-28", "28 February 2023", "28/2/2023")):
            with self.subTest(period=period):
                self.assertEqual(report("{{period}}", "-p", period), english)
                self.assertEqual(report("{{period}}", "-p", period, "--lang", "vi"), vietnamese)

    def test_tables(self):
        """`tally total` shows numbers as the locale does, with the sign of the currency; not so in C, JSON and CSV."""
        node = t_totals.tree.nodes[PROVINCE]
        words = ("total", "-p", "2023", "-m", "fund_raised,grants", "--targets", "--against", "year")

        def shown(locale, *more):
            return node.tally(*words, *more, env=harness.environment(LC_ALL=locale)).ok().out

        for locale, wanted in (("vi_VN", ("11.664 ₫", "20.000 ₫", "58,3", "-1,25")),
                               ("en_GB.UTF-8", ("11,664 ₫", "20,000 ₫", "58.3", "-1.25")),
                               ("C", ("11664", "20000", "58.3", "-1.25")), ("POSIX", ("11664",))):
            table = re.split(r"\s{1,}", shown(locale).replace(" ₫", "₫"))
            for number in wanted:
                with self.subTest(locale=locale, number=number):
                    self.assertIn(number.replace(" ", ""), table)
        for form in ("--csv", "--json"):
            lines = [re.sub(r'"as_of": "[^"]*"', "", shown(locale, form)) for locale in ("vi_VN", "C")]
            self.assertEqual(*lines)

    def test_headings(self):
        """Tables have their headings and footers in the locale's language, though it is not installed."""
        node = t_totals.tree.nodes[PROVINCE]
        for locale, words in (("vi_VN.UTF-8", ("CHỈ SỐ", "GIÁ TRỊ", "3 trên 3 nút có đủ số liệu")),
                              ("en_US.UTF-8", ("MEASURE", "VALUE", "3 of 3 nodes exact"))):
            out = node.tally("total", "-p", "2023", env=harness.environment(LC_ALL=locale)).ok().out
            for word in words:
                with self.subTest(locale=locale, word=word):
                    self.assertIn(word, out)
        out = node.tally("tree", env=harness.environment(LC_ALL="vi_VN.UTF-8")).ok().out
        self.assertIn("nút này", out)

    def test_kinds_of_files(self):
        """Names in HTML and Markdown cannot be taken for marks; a template may come from a file."""
        node = t_totals.tree.nodes[PROVINCE]
        for name, wanted in (("t.html", "A&lt;b&gt;|*&amp;&#39;&quot;"), ("t.md", "A\\<b\\>\\|\\*&'\""),
                             ("t.txt", ODD)):
            path = os.path.join(node.data, name)
            with open(path, "w") as file:
                file.write("{{each level=commune}}{{unit.name}} {{end}}")
            with self.subTest(name=name):
                out = node.tally("report", path, "441", "-p", "2023").ok().out
                self.assertEqual(out.split("Unit 44101 ")[1], wanted + " ")

    def test_units_and_sources(self):
        """Another unit can be asked for, and the report says what its figures are of."""
        out = report("{{unit}} {{unit.name}} {{total fund_raised}} {{exact}}/{{nodes}} {{if stale}}{{stale}}{{end}}",
                     DISTRICT, "-p", "2023")
        self.assertEqual(out, f"{DISTRICT} Thành phố Hà Tĩnh 1,164 3/3 ")
        self.assertRegex(report("{{as_of}}"), r"\d{4}-\d\d-\d\d")
        self.assertEqual(report("{{total accounts}}", COMMUNE, "-p", "2023", unit=COMMUNE), "17")

    def test_one_moment(self):
        """What comes in while a report is made is in all of its figures, or in none; or the report says so."""
        node = t_totals.tree.nodes[PROVINCE]
        done = threading.Event()

        def record():
            for i in range(400):
                unit = ("44101", "44102", "43602")[i % 3]
                node.tally("record", unit, "visits", "1", "--date", "2020-03-04").ok()
            done.set()

        text = "{{each child}}{{total visits}} {{end}}{{total visits}}" * 20
        thread = threading.Thread(target=record)
        thread.start()
        text = text.replace("}}{{each", "}}\n{{each")

        def make():
            result = node.tally("report", "-", "-p", "2020", given=text)
            warned = result.status == NO and "not all of it is of one moment" in result.err
            self.assertTrue(warned or (result.status, result.err) == (0, ""), result)
            for line in result.out.splitlines() if not warned else []:
                *parts, whole = [int(word) for word in line.replace("-", "0").split()]
                self.assertEqual(sum(parts), whole, result.out)
            return warned

        while not done.is_set():
            make()
        thread.join()
        tree = t_totals.tree
        tree.settle()
        self.assertFalse(make(), "nothing comes in any more")

    def test_refused(self):
        """What cannot be filled in is told with its place; nothing is printed then."""
        self.assertLine("x\n{{total fund_rased}}", REFUSED, "standard input:2:1:", "fund_raised?")
        self.assertLine("{{total visits}} {{totl visits}}", REFUSED, "standard input:1:18:", "total?")
        self.assertLine("{{total population}}", REFUSED, "population", "2023-06", options=("-p", "2023-06"))
        self.assertLine("{{total population period=2023Q1}}", REFUSED, "standard input:1:1:", "kept by the year")
        self.assertLine("{{total visits unit=999}}", REFUSED, "standard input:1:1:", "999")
        self.assertLine("{{each level=vilage}}{{end}}", REFUSED, "standard input:1:1:", "vilage")
        self.assertLine("{{missing mony}}", REFUSED, "standard input:1:1:", "mony")
        self.assertLine("{{total raised_each[group=cadre]}}", REFUSED, "standard input:1:1:", "indicator")
        self.assertLine("{{total accounts[group=cadree]}}", REFUSED, "standard input:1:1:", "group=cadre|other")
        self.assertLine("{{total trainees[sex=f,sex=m]}}", REFUSED, "standard input:1:1:", "sex=f,sex=m")
        self.assertLine("{{total fund_raised[group=cadre]}}", REFUSED, "standard input:1:1:", "fund_raised", "none")
        self.assertLine("{{total raised_each digits=0}}", REFUSED, "standard input:1:1:", "rounded already")
        self.assertLine("x", USAGE, "--lang", options=("--lang", "fr"))
        self.assertLine("x", USAGE, "2023H3", options=("-p", "2023H3"))
        self.assertLine("x", USAGE, "tally total", options=("--json",))
        result = t_totals.tree.nodes[PROVINCE].tally("report", "/nowhere/t.md")
        self.assertEqual((result.status, result.out), (USAGE, ""))
        self.assertIn("/nowhere/t.md", result.err)


if __name__ == "__main__":
    harness.main()
