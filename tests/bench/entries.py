"""The entries that are imported, from a fixed seed, and what their totals must be."""

import csv
import datetime
import random

SEED = 20240118
FIRST, DAYS = datetime.date(2024, 1, 1), 182
PERIOD = "2024H1"
NOTES = ("from the paper register", "counted twice", "as reported by the branch", "late, by phone")
NOTED = 0.1  # of the rows
COLUMNS = ("unit", "measure", "date", "category", "value", "key", "note")

# code, kind, frequency, decimals, dimension, highest value, share of the rows
MEASURES = (
    ("fund_raised", "flow", "month", 0, None, 50_000_000, 4),
    ("grants", "flow", "month", 2, None, 90_000, 2),
    ("trainees", "flow", "quarter", 0, "group", 120, 3),
    ("visits", "flow", "day", 0, None, 400, 4),
    ("accounts", "stock", "month", 0, "group", 9_000, 3),
    ("balance", "stock", "month", 0, None, 800_000_000, 2),
)
GROUPS = ("cadre", "member", "other")


def catalogue():
    lines = ["levels: [province, district, commune]", "categories:",
             f"  - {{code: group, values: [{', '.join(GROUPS)}]}}", "measures:"]
    for code, kind, frequency, decimals, dimension, _, _ in MEASURES:
        more = f", categories: [{dimension}]" if dimension else ""
        lines.append(f"  - {{code: {code}, name: {code}, unit: item, kind: {kind}, level: commune,"
                     f" frequency: {frequency}, decimals: {decimals}{more}}}")
    return "\n".join(lines) + "\n"


def bare_words():
    """The measures as bench_bare wants them."""
    return [f"{code}:{kind}:{frequency}:{decimals}"
            for code, kind, frequency, decimals, *_ in MEASURES]


def _text(steps, decimals):
    return str(steps) if decimals == 0 else f"{steps // 10**decimals}.{steps % 10**decimals:02d}"


class Entries:
    """`count` rows for one unit; `totals` is {(measure, category): (value, entries)} over PERIOD."""

    def __init__(self, unit, count, seed=SEED):
        rng = random.Random(seed)
        self.count = count
        self.totals = {}
        self.rows = []
        standing = {}  # (measure, category): (day, value) of the last one
        for number in range(count):
            code, kind, _, decimals, dimension, highest, _ = rng.choices(
                MEASURES, [measure[-1] for measure in MEASURES])[0]
            day = FIRST + datetime.timedelta(rng.randrange(DAYS))
            category = f"{dimension}={rng.choice(GROUPS)}" if dimension else ""
            steps = rng.randint(0 if kind == "stock" else -highest // 20, highest)
            text = _text(steps, decimals) if steps >= 0 else "-" + _text(-steps, decimals)
            note = rng.choice(NOTES) if rng.random() < NOTED else ""
            self.rows.append((unit, code, day.isoformat(), category, text,
                              f"k{seed}-{number:06d}", note))
            value, entries = self.totals.get((code, category), (0, 0))
            if kind == "flow":
                value += steps
            elif (code, category) not in standing or day >= standing[code, category]:
                standing[code, category] = day
                value = steps
            self.totals[code, category] = (value, entries + 1)

    def write(self, path):
        with open(path, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows(self.rows)
        return path
