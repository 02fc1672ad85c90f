#!/usr/bin/env python3
"""A child that lies: `liar` speaks the protocol with the certificate of a commune that joined and does not run.

Each lie comes after an honest part, from a commune of its own. It must be refused or held, counted, and raise
an alarm where one is due; no total at the district or the province may change, nothing may end, and the link of
the honest commune beside it must go on. The table says, for each lie, what the parent answers: `ack` with
the reasons of the refused rows, `refuse` with its code, `welcome`, `closed`.
"""

import json
import os
import random
import sqlite3
import subprocess
import unittest

import harness
import smalltree
from smalltree import DISTRICT, PROVINCE

PROGRAMS = os.environ.get("TALLY_TEST_PROGRAMS") or os.path.join(harness.BIN, "..", "tests")
LIAR = os.path.join(PROGRAMS, "liar")
SIBLING = "43601"
FAR = "44101"  # a unit of the province's own that the district does not know
HONEST = {"value": 6000, "entries": 4}
# The address sanitizer keeps what was freed.
RSS_GROWTH_MAX_KB = (1024 if harness.SANITIZED else 64) * 1024
SANITIZED_LIES = 15
SEED = int(os.environ.get("TALLY_SEED") or random.SystemRandom().getrandbits(32))
ORIGINS_MAX = 1200  # what a district may keep of origins that nobody heard of, and its own
# What is asked of each office before and after; the sanitizers are slow, and look for other things.
VIEWS = ((("2023", "level=commune"),) if harness.SANITIZED
         else (("2023", "level=commune"), ("2023", "period"), ("2024", "period")))

# name, answers, alarms at the district, rows held
LIES = [
    # cells of others
    ("sibling_unit", "ack 2", "refused-rows", 0),
    ("unit_above", "ack 2", "refused-rows", 0),
    ("sibling_origin", "ack 1 1", "refused-rows", 0),
    ("random_origin", "ack 4", "refused-rows", 0),
    ("random_ledger", "ack", "", 1),
    # cells of what is not known
    ("unknown_unit", "ack", "", 1),
    ("unknown_measure", "ack", "", 1),
    ("unknown_category", "ack", "", 1),
    ("category_order", "ack", "", 1),
    ("no_such_period", "ack 3 3 3", "refused-rows", 0),
    # counts and values
    ("count_huge", "ack 3 3 3", "refused-rows", 0),
    ("count_over_escrow", "ack 3", "refused-rows", 0),
    ("counts_sum", "ack 3 3 3 3", "refused-rows", 0),
    ("live_over_count", "ack 3 3", "refused-rows", 0),
    ("value_huge", "ack 3 3 3", "refused-rows", 0),
    ("hosting_number", "ack 3", "refused-rows", 0),
    # another story
    ("equal_count", "ack 6", "conflict refused-rows", 0),
    ("equal_count_live", "ack 6", "conflict refused-rows", 0),
    ("lower_count", "ack", "", 0),
    ("digest_wrong", "ack unequal", "digest", 0),
    ("digest_of_others", "ack", "", 0),
    # the ledger
    ("heads_longer", "ack 4", "fork refused-rows", 0),
    ("heads_other_hash", "ack 4", "fork refused-rows", 0),
    ("heads_shorter", "ack 7", "refused-rows", 0),
    ("heads_none", "ack 4", "refused-rows", 0),
    ("opening_far", "ack 3", "refused-rows", 0),
    ("opening_taken", "ack 1 6", "refused-rows", 0),
    ("entry_gap", "refuse 9", "child-refused", 0),
    ("entry_gap_later", "refuse 9; welcome; ack", "", 0),
    ("entry_no_segment", "refuse 9", "child-refused", 0),
    ("entry_value", "refuse 9", "child-refused", 0),
    ("entries_rewritten", "ack 4 4", "fork refused-rows", 0),
    ("entries_forked", "ack 4", "fork refused-rows", 0),
    ("replayed", "ack; ack", "", 0),
    ("signature_bad", "ack", "bad-signature", 0),
    ("signature_other_key", "ack", "bad-signature", 0),
    ("signature_long", "ack 3", "refused-rows", 0),
    # the tree
    ("unit_elsewhere", "ack 1 2 2 2 8", "refused-rows", 0),
    ("unit_circle", "ack 2 2", "refused-rows", 0),
    ("hosting_elsewhere", "ack 1 2 2 2", "refused-rows", 0),
    ("hosting_stolen_origin", "ack 1", "refused-rows", 0),
    ("status_of_others", "ack", "", 0),
    # the talk
    ("frame_oversized", "closed", "", 0),
    ("frame_empty", "closed", "", 0),
    ("frame_truncated", "none", "", 0),
    ("frame_garbage", "closed", "", 0),
    ("garbage_first", "closed", "", 0),
    ("batch_first", "refuse 9", "child-refused", 0),
    ("hello_twice", "refuse 9", "child-refused", 0),
    ("welcome_said", "refuse 9", "child-refused", 0),
    ("request_said", "closed", "", 0),
    ("hello_other_tree", "refuse 2", "child-refused", 0),
    ("hello_no_version", "refuse 1", "child-refused", 0),
    ("hello_no_session", "refuse 9", "child-refused", 0),
    ("hello_forgetful", "welcome", "", 0),
    ("hello_forked", "refuse 6", "child-refused", 0),
    ("hello_new_session", "welcome", "", 0),
    ("upto_backwards", "ack; ack; ack", "", 0),
    ("upto_largest", "ack", "", 0),
    ("ack_unasked", "ack", "", 0),
    ("certificate_none", "closed", "", 0),
]

# Connections that end without a word: what the district's log says of them.
SAID_IN_LOG = {
    "frame_oversized": "a frame of 2097152 bytes, where 1 to 1048576 are allowed",
    "frame_empty": "a frame of 0 bytes",
    "frame_garbage": "the peer broke the protocol",
    "garbage_first": "a frame of 42",  # 0xff... as a length
    "request_said": "the peer sent a request message, which is not its to send",
    "certificate_none": "the peer showed no certificate of this tree",
}

tree = None
numbers = iter(range(10, 100))


def setUpModule():
    global tree
    tree = harness.Tree(PROVINCE, "Tỉnh Hà Tĩnh", "province", smalltree.CATALOGUE)
    tree.join(PROVINCE, DISTRICT, "--name", "Thành phố Hà Tĩnh", "--level", "district")
    sibling = tree.join(DISTRICT, SIBLING, "--name", "Phường Trần Phú", "--level", "commune")
    for unit, level, parent in (("441", "district", PROVINCE), (FAR, "commune", "441")):
        tree.root.tally("unit", "add", unit, "--name", unit, "--level", level, "--parent", parent).ok()
    rows = "".join(f"{SIBLING},fund_raised,2023-{month:02}-05,{month * 10}\n" for month in range(1, 7))
    sibling.tally("import", "-", given="unit,measure,date,value\n" + rows).ok()
    tree.root.tally("record", FAR, "fund_raised", 5, "--date", "2023-02-02").ok()
    tree.settle()


def tearDownModule():
    if tree is not None:
        tree.stop()


# ---- what must not change ----

def totals():
    """Every figure that the two offices above show, of two years: {place of the row: figures}."""
    found = {}
    for node in (tree.nodes[PROVINCE], tree.nodes[DISTRICT]):
        for period, how in VIEWS:
            for row in node.json("total", node.unit, "-p", period, "--by", how)["totals"]:
                if row["entries"] is None:
                    continue  # an indicator, which follows from the others
                place = (node.unit, how, row["unit"], row["measure"], row["period"], row["category"])
                found[place] = tuple(row[key] for key in ("value", "entries", "reported", "expected"))
    return found


def lines_of(unit, *words):
    """How many lines of a node's log have all of the words."""
    with open(tree.nodes[unit].log_path, encoding="utf-8", errors="replace") as file:
        return sum(all(word in line for word in words) for line in file)


def handed_up():
    """Whether the district has handed everything to the province."""
    parent = tree.nodes[DISTRICT].status()["parent"]
    return parent["state"] == "linked" and not parent["pending_rows"] and not parent["unescrowed_entries"]


def resident_kb(unit):
    with open(f"/proc/{tree.nodes[unit].process.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


class State:
    """All that a lie must leave as it is."""

    def __init__(self):
        harness.wait_for(handed_up, "the district has handed everything up")
        self.totals = totals()
        self.status = {unit: tree.nodes[unit].status() for unit in (PROVINCE, DISTRICT)}
        self.shown = tree.nodes[DISTRICT].json("total", DISTRICT)["sources"]["held"]
        self.ended = [lines_of(DISTRICT, f"unit={SIBLING}", "down="), lines_of(SIBLING, "uplink=live"),
                      lines_of(DISTRICT, "uplink=live")]
        self.pids = [tree.nodes[unit].process.pid for unit in (PROVINCE, DISTRICT, SIBLING)]
        self.sibling = next(child["state"] for child in self.status[DISTRICT]["children"]
                            if child["unit"] == SIBLING)

    def alarms(self, unit):
        return {(alarm["code"], alarm["text"]) for alarm in self.status[unit]["alarms"]}

    def raised(self, unit, since):
        """The codes of the alarms that were not there before."""
        return " ".join(sorted({code for code, _ in self.alarms(unit) - since.alarms(unit)}))

    def held(self, since):
        """How many rows the district holds more than before; those of known units are counted beside its totals."""
        return self.status[DISTRICT]["held"] - since.status[DISTRICT]["held"], self.shown - since.shown


# ---- the liar ----

class Liar:
    """A commune that joined, and the program that speaks in its place."""

    def __init__(self, unit=None):
        self.unit = unit or f"{DISTRICT}{next(numbers)}"
        self.node = harness.Node(tree.folder, self.unit)
        token = tree.nodes[DISTRICT].tally(
            "invite", self.unit, "--name", f"Commune {self.unit}", "--level", "commune").line()
        harness.tallyd("join", "--data", self.node.data, "--listen", self.node.address, token).ok()
        with sqlite3.connect(f"{self.node.data}/tally.db") as file:
            self.origin = file.execute("SELECT value FROM fact WHERE name = 'origin'").fetchone()[0].hex()
        file.close()
        self.process = None

    def start(self, scenario, address=None, **more):
        words = {"unit": self.unit, "origin": self.origin, "measure": "fund_raised", "stock": "accounts",
                 "by_two": "trainees", "sibling": SIBLING, "above": DISTRICT, "far": FAR,
                 "sibling_origin": tree.nodes[SIBLING].status()["origin"], **more}
        self.process = subprocess.Popen(
            [LIAR, self.node.data, address or tree.nodes[DISTRICT].address, scenario,
             *(f"{name}={value}" for name, value in words.items())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        harness.broom().say("pid", self.process.pid)
        return self

    def answers_until(self, did):
        found = []
        for line in self.process.stdout:
            said = json.loads(line)
            if said.get("did") == did:
                return found
            found.append(said)
        raise harness.Failed(f"{self.unit}: ended before {did}: {found}, {self.process.stderr.read()}")

    def honest(self):
        return self.answers_until("honest")

    def tell(self, line="go"):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def end(self, line="go"):
        """Lets it go on to its end; what the parent answered."""
        out, err = self.process.communicate(line + "\n", timeout=harness.CONVERGE_LIMIT_S * 2)
        harness.broom().say("gone", self.process.pid)
        if self.process.returncode != 0:
            raise harness.Failed(f"{self.unit}: the liar ended with {self.process.returncode}: {out} {err}")
        return [json.loads(line) for line in out.splitlines()]


def short(answers):
    """Answers as the table has them."""
    found = []
    for answer in answers:
        words = [answer["answer"]]
        if answer["answer"] == "ack":
            words += map(str, sorted(answer["reasons"]))
            words += ["unequal"] if answer["unequal"] else []
        elif answer["answer"] == "refuse":
            words.append(str(answer["code"]))
        found.append(" ".join(words))
    return "; ".join(found)


# ---- the tests ----

class Lies(unittest.TestCase):
    def check_same(self, before, made_units=False):
        """No total is another one, nobody ended, and the honest commune is served; how all stands now."""
        now = State()
        for place, figures in now.totals.items():
            was = before.totals.get(place)
            if made_units:  # units of the liar's own are there, without a figure
                was = (0, 0, 0, figures[3]) if was is None else (*was[:3], figures[3])
            self.assertEqual(figures, was, place)
        self.assertEqual(now.pids, before.pids)
        self.assertTrue(all(tree.nodes[unit].alive() for unit in (PROVINCE, DISTRICT, SIBLING)))
        self.assertEqual(now.ended, before.ended, "a link of somebody else ended")
        self.assertEqual(now.sibling, before.sibling)
        tree.nodes[SIBLING].tally("record", SIBLING, "visits", 1, "--date", "2024-03-03", "--wait", "root",
                                  "--timeout", 30).ok()
        return now

    def check_lie(self, name, answers, codes, held, made_units=False, liar=None, above="", log_has=None, **more):
        liar = (liar or Liar()).start(name, **more)
        honest = liar.honest()
        self.assertIn(short(honest), ("", "welcome; ack"))
        if honest:
            harness.wait_for(lambda: tree.nodes[PROVINCE].total(liar.unit, "fund_raised", "2023")
                             == HONEST["value"], "the honest part is at the province")
        before = State()
        logged = lines_of(DISTRICT, "connection=", log_has or SAID_IN_LOG.get(name, ""))
        said = liar.end()
        print(f"  {liar.unit} {name}: {' '.join(map(json.dumps, said))}", flush=True)
        reason = log_has or SAID_IN_LOG.get(name)
        if reason is not None:
            harness.wait_for(lambda: lines_of(DISTRICT, "connection=", reason) > logged, f"the log says: {reason}")
        if name == "frame_truncated":
            harness.wait_for(lambda: lines_of(DISTRICT, f"unit={liar.unit}", "down="), "the link is down")
        self.assertEqual(short(said), answers)
        now = self.check_same(before, made_units)
        self.assertEqual(now.raised(DISTRICT, before), codes)
        self.assertEqual(now.raised(PROVINCE, before), above)
        self.assertEqual(now.held(before), (held, held))
        return liar, said, now

    def test_a_honest(self):
        """The program can be honest: its figures are in the totals, exactly, and nothing else."""
        liar = Liar()
        before = State()
        liar.start("honest")
        self.assertEqual(short(liar.honest()), "welcome; ack")
        harness.wait_for(lambda: tree.nodes[PROVINCE].total(liar.unit, "fund_raised", "2023")
                         == HONEST["value"], "the honest part is at the province")
        harness.wait_for(handed_up, "the district has handed everything up")
        changed = {}
        for place, figures in totals().items():
            node, how, unit, measure, period, _ = place
            if figures != before.totals[place]:
                self.assertEqual(measure, "fund_raised", place)
                difference = tuple(now - was for now, was in zip(figures, before.totals[place]))
                if how == "level=commune":
                    self.assertEqual(unit, liar.unit)
                changed[node, how, period] = difference
        expected = {("level=commune", "2023"): (6000, 4, 1, 0), ("period", "2023-01"): (1000, 2, 1, 0),
                    ("period", "2023-02"): (2000, 1, 1, 0), ("period", "2023-03"): (3000, 1, 1, 0)}
        self.assertEqual(changed, {
            (node, how, period): figures for node in (PROVINCE, DISTRICT)
            for (how, period), figures in expected.items() if how in {view[1] for view in VIEWS}})
        now = State()
        self.assertEqual((now.raised(DISTRICT, before), now.raised(PROVINCE, before)), ("", ""))
        self.assertEqual(liar.end(), [])

    # ---- the tree ----

    def test_lie_unit_far_away(self):
        """A code that only the province knows: the district cannot tell, the province refuses it and says so."""
        liar = Liar().start("unit_far_away")
        liar.honest()
        before = State()
        self.assertEqual(short(liar.end()), "ack")
        now = self.check_same(before, made_units=True)
        self.assertEqual((now.raised(DISTRICT, before), now.raised(PROVINCE, before)),
                         ("refused-above", "refused-rows"))

    def test_lie_unit_deep(self):
        """Units below units beyond the depth of a tree: refused, the last one that is left by the province."""
        self.check_lie("unit_deep", " ".join(["ack; ack", *["2"] * 11]), "refused-above refused-rows", 0, True,
                       above="refused-rows")

    def test_lie_unit_again_and_again(self):
        """A unit that changes thousands of times takes no memory for it."""
        before = resident_kb(DISTRICT)
        self.check_lie("unit_again_and_again", "; ".join(["ack"] * 4), "", 0, True)
        self.assertLess(resident_kb(DISTRICT) - before, RSS_GROWTH_MAX_KB)

    def test_lie_hosting_stolen_key(self):
        """A node whose key somebody else claims is let in all the same."""
        liar = Liar().start("hosting_stolen_key")
        liar.honest()
        liar.tell()
        self.assertEqual(short(liar.answers_until("unit")), "ack")
        robbed = Liar()
        before = State()
        self.assertEqual(short(liar.end(os.path.join(robbed.node.data, "node.crt"))), "ack")
        robbed.node.run()
        harness.wait_for(lambda: robbed.node.status()["parent"]["state"] in ("linked", "refused"), "a link")
        self.assertEqual(robbed.node.status()["parent"]["state"], "linked", robbed.node.status())
        robbed.node.stop()
        self.check_same(before, made_units=True)

    # ---- what is kept ----

    def test_y_many_origins(self):
        """Thousands of origins that nobody heard of: some are kept, as held, the rest is refused."""
        liar = Liar().start("many_origins")
        liar.honest()
        before = State()
        kb = resident_kb(DISTRICT)
        said = liar.end()
        print(f"  {liar.unit} many_origins: {[(answer['refused'], answer['held']) for answer in said]}", flush=True)
        self.assertEqual({answer["answer"] for answer in said}, {"ack"})
        now = self.check_same(before)
        self.assertLess(resident_kb(DISTRICT) - kb, RSS_GROWTH_MAX_KB)
        self.assertLessEqual(now.held(before)[0], ORIGINS_MAX)
        self.assertGreater(said[-1]["refused"], 0)

    # ---- certificates ----

    def test_lie_certificates(self):
        """A link is for a node of this tree, with the parent that joined it."""
        other = harness.Node(tree.folder, "99")
        harness.tallyd("init", "--data", other.data, "--unit", "99", "--name", "Elsewhere", "--level", "province",
                       "--listen", other.address).ok()
        liar = Liar()
        for data, name, reason in ((other.data, "node", "the peer's certificate is not accepted"),
                                   (liar.node.data, "admin", "its certificate is not a node's"),
                                   (tree.nodes[DISTRICT].data, "admin", "its certificate is not a node's")):
            self.check_lie("certificate_of", "closed", "", 0, liar=liar, log_has=reason,
                           chain=f"{data}/{name}.crt", key=f"{data}/{name}.key")
        self.check_lie("certificate_of", "refuse 3", "", 0, liar=liar, chain="node.crt", key="node.key",
                       address=tree.nodes[PROVINCE].address)

    # ---- the true child ----

    def test_true_child(self):
        """The child itself may come; what was recorded in its name by whoever had its key comes to it."""
        harmless = self.check_lie("garbage_first", "closed", "", 0)[0]
        harmless.node.run()
        harness.wait_for(lambda: harmless.node.status()["parent"]["state"] == "linked", "the true child is linked")
        harmless.node.stop()
        robbed = self.check_lie("lower_count", "ack", "", 0)[0]
        robbed.node.run()
        harness.wait_for(lambda: robbed.node.status()["parent"]["state"] == "linked",
                         "the true child has what was recorded in its name, and is linked")
        robbed.node.stop()

    def test_z_restart(self):
        """After all lies: a district that starts again shows the same totals, and has kept little of them."""
        before = State()
        district = tree.nodes[DISTRICT]
        district.stop()
        with sqlite3.connect(f"{district.data}/tally.db") as file:
            origins = file.execute("SELECT count(*) FROM origin").fetchone()[0]
        file.close()
        self.assertLessEqual(origins, ORIGINS_MAX)
        district.run()
        harness.wait_for(handed_up, "the district is linked")
        self.assertEqual(totals(), before.totals)
        harness.wait_for(lambda: [child["state"] for child in tree.nodes[PROVINCE].status()["children"]] == ["exact"],
                         "the province calls the district exact")
        result = district.tally("verify", "--json")
        print(f"  verify: {result.out}", flush=True)


def add_test(name, answers, codes, held):
    def test(self):
        self.check_lie(name, answers, codes, held, made_units=name.startswith(("unit_", "hosting_stolen")))
    test.__doc__ = f"{name}: {answers}"
    setattr(Lies, f"test_lie_{name}", test)


# The sanitizers are slow: a few lies each time, others the next time.
told = random.Random(SEED).sample(LIES, SANITIZED_LIES) if harness.SANITIZED else LIES
for lie in told:
    add_test(*lie)


if __name__ == "__main__":
    print(f"{len(told)} of {len(LIES)} lies, seed {SEED}", flush=True)
    harness.main()
