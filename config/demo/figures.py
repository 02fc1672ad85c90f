"""The published figures of the province for the first half of 2023, and a made-up split of them over its communes.

The split is the same at every run. Every figure of a commune is a share of the published one by a made-up weight; what
rounding leaves goes to the largest remainders, so that the shares add up to the published figure exactly."""

import random

PROVINCE = ("42", "Tỉnh Hà Tĩnh")
PERIOD = "2023H1"
# Code, name, number of communes.
DISTRICTS = [
    ("436", "Thành phố Hà Tĩnh", 15), ("437", "Thị xã Hồng Lĩnh", 6), ("439", "Huyện Hương Sơn", 25),
    ("440", "Huyện Đức Thọ", 16), ("441", "Huyện Vũ Quang", 10), ("442", "Huyện Nghi Xuân", 17),
    ("443", "Huyện Can Lộc", 18), ("444", "Huyện Hương Khê", 21), ("445", "Huyện Thạch Hà", 22),
    ("446", "Huyện Cẩm Xuyên", 23), ("447", "Huyện Kỳ Anh", 20), ("448", "Huyện Lộc Hà", 12),
    ("449", "Thị xã Kỳ Anh", 11),
]
COMMUNE_NODES_EACH = 2  # communes of each district that have a node of their own

# Measure, figure of the province. The indicator is computed from two of them.
PUBLISHED = {
    "boards": 6624, "boards_founded": 11, "training_classes": 20, "trainees": 1697, "branches": 1839,
    "branches_coded": 1839, "communes_using_software": 128, "accounts": 54222, "fund_raised": 39_545_000_000,
    "fund_balance": 91_918_000_000, "population": 1_320_661, "fund_per_inhabitant": 69600,
    "fund_spent": 26_283_000_000, "recipients": 16648,
}
# Of training: by the province, by the districts.
TRAINING = {"training_classes": (4, 16), "trainees": (205, 1492)}
# Of learning citizens only the targets were published; these figures are made up: cadres, others.
LEARNING = {"citizens": (24_860, 902_318), "learning_citizens": (21_504, 214_752)}
SHARES = {"learning_cadres": "86.5", "learning_others": "23.8"}  # percent

MONTH_ENDS = ["2023-01-31", "2023-02-28", "2023-03-31", "2023-04-30", "2023-05-31", "2023-06-30"]
FLOWS = ["boards_founded", "fund_raised", "fund_spent", "recipients"]
STOCKS = ["boards", "branches", "branches_coded", "fund_balance"]
STOCK_MONTHS = [2, 5]  # March and June
MISTAKES = 3  # rows of each node that are typed wrong at first


def share(total, weights, step=1):
    """Whole multiples of `step` that add up to `total`, in proportion to the weights."""
    assert total % step == 0
    units, whole = total // step, sum(weights)
    parts = [units * weight // whole for weight in weights]
    order = sorted(range(len(weights)), key=lambda i: (-(units * weights[i] % whole), i))
    for i in order[: units - sum(parts)]:
        parts[i] += 1
    return [part * step for part in parts]


def communes():
    """(code, name, district's code, whether it has a node) of all communes."""
    return [
        (f"{code}-{number:02}", f"Commune {number} of {name}", code, number <= COMMUNE_NODES_EACH)
        for code, name, count in DISTRICTS
        for number in range(1, count + 1)
    ]


def commune_rows(units, chance):
    """Rows (unit, measure, date, category, value) of all communes."""
    count = len(units)
    weights = [chance.randint(60, 200) for _ in units]
    users = set(chance.sample(range(count), PUBLISHED["communes_using_software"]))
    rows = []
    for measure in FLOWS:
        step = 1000 if measure.startswith("fund_") else 1
        monthly = [weight * chance.randint(5, 15) for weight in weights for _ in MONTH_ENDS]
        parts = share(PUBLISHED[measure], monthly, step)
        for i, value in enumerate(parts):
            unit, month = units[i // len(MONTH_ENDS)], MONTH_ENDS[i % len(MONTH_ENDS)]
            rows.append((unit[0], measure, month, "", value))
    for measure in STOCKS:
        parts = share(PUBLISHED[measure], weights, 1000 if measure.startswith("fund_") else 1)
        for unit, value in zip(units, parts):
            for month in STOCK_MONTHS:
                earlier = value - value // 10
                rows.append((unit[0], measure, MONTH_ENDS[month], "", value if month == 5 else earlier))
    accounts = share(PUBLISHED["accounts"], [weights[i] for i in sorted(users)])
    by_user = dict(zip(sorted(users), accounts))
    for measure, by_group in LEARNING.items():
        for group, total in zip(("cadre", "other"), by_group):
            for unit, people in zip(units, share(total, weights)):
                rows.append((unit[0], measure, "2023-06-30", f"group={group}", people))
    for i, (unit, people) in enumerate(zip(units, share(PUBLISHED["population"], weights))):
        rows.append((unit[0], "population", "2023-06-30", "", people))
        for month in STOCK_MONTHS:
            rows.append((unit[0], "communes_using_software", MONTH_ENDS[month], "", int(i in users and month == 5)))
            if i in users:
                rows.append((unit[0], "accounts", MONTH_ENDS[month], "", by_user[i] * (month + 1) // 6))
    return rows


def training_rows(chance):
    weights = [chance.randint(80, 120) for _ in DISTRICTS]
    rows = []
    for measure, (province, districts) in TRAINING.items():
        for month, value in zip(MONTH_ENDS[1:5], share(province, [1, 1, 1, 1])):
            rows.append((PROVINCE[0], measure, month, "organiser=province", value))
        for (code, _, _), value in zip(DISTRICTS, share(districts, weights)):
            rows.append((code, measure, "2023-04-30", "organiser=district", value))
    return rows


class Node:
    """What one node records: rows typed right, rows typed wrong at first with what they should have been, and rows typed
    once too often. Every row has a key."""

    def __init__(self, unit):
        self.unit = unit
        self.right = []
        self.wrong = []  # (row as typed, right value)
        self.twice = []


def nodes():
    """All nodes by their unit, in the order province, districts, communes."""
    chance = random.Random(2023)
    units = communes()
    host = {code: code if own else district for code, _, district, own in units}
    host.update({code: code for code, _, _ in DISTRICTS})
    host[PROVINCE[0]] = PROVINCE[0]
    order = [PROVINCE[0]] + [code for code, _, _ in DISTRICTS] + [code for code, _, _, own in units if own]
    result = {unit: Node(unit) for unit in order}
    rows = training_rows(chance) + commune_rows(units, chance)
    flows = set(FLOWS) | set(TRAINING)
    for number, row in enumerate(rows):
        node = result[host[row[0]]]
        keyed = row + (f"2023H1/{number}",)
        if row[1] in flows and len(node.wrong) < MISTAKES:
            typed = keyed[:4] + (row[4] * 10 + 3,) + keyed[5:]
            node.wrong.append((typed, row[4]))
            if not node.twice:
                node.twice.append(keyed[:5] + (keyed[5] + "/again",))
        else:
            node.right.append(keyed)
    return result
