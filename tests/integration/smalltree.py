"""The little tree on which the contract is tried: one node of each level, and units without nodes.

    42 province (node)
      436 district (node)
        43601 commune (node), 43602 43603 communes hosted by 436
      441 district hosted by 42
        44101 commune hosted by 42
"""

import harness

CATALOGUE = """\
levels: [province, district, commune]
categories:
  - {code: group, values: [cadre, other]}
  - {code: sex, values: [f, m]}
measures:
  - {code: fund_raised, name: Money raised, unit: VND, kind: flow, level: commune}
  - {code: grants, name: Grants, unit: million VND, kind: flow, decimals: 2, level: commune}
  - {code: accounts, name: Accounts, unit: person, kind: stock, level: commune,
     categories: [group]}
  - {code: trainees, name: Trainees, unit: person, kind: flow, frequency: quarter, level: district,
     categories: [group, sex]}
  - {code: visits, name: Visits, unit: visit, kind: flow, frequency: day, level: commune}
  - {code: population, name: Inhabitants, unit: person, kind: stock, frequency: year,
     level: commune}
  - {code: inspections, name: Inspections, unit: visit, kind: flow, level: district, strict: true}
indicators:
  - {code: raised_each, name: Raised per inhabitant, unit: VND, formula: fund_raised / population,
     decimals: 0}
  - {code: granted_share, name: Granted, unit: '%', decimals: 1,
     formula: 100 * grants / (fund_raised + 1)}
"""

PROVINCE, DISTRICT, COMMUNE = "42", "436", "43601"
HOSTED = {"43602": "436", "43603": "436", "441": "42", "44101": "441"}
LEVELS = {2: "province", 3: "district", 5: "commune"}  # by the length of a code


def make(more=""):
    """The running tree; its units have no entries. `more` goes behind the catalogue's indicators."""
    tree = harness.Tree(PROVINCE, "Tỉnh Hà Tĩnh", "province", CATALOGUE + more)
    tree.join(PROVINCE, DISTRICT, "--name", "Thành phố Hà Tĩnh", "--level", "district")
    tree.join(DISTRICT, COMMUNE, "--name", "Phường Trần Phú", "--level", "commune")
    for unit, parent in HOSTED.items():
        host = tree.nodes[DISTRICT if parent == DISTRICT else PROVINCE]
        host.tally("unit", "add", unit, "--name", f"Unit {unit}", "--level", LEVELS[len(unit)],
                   "--parent", parent).ok()
    tree.settle()
    return tree


def figures(tree):
    """All that a refused command must leave as it is: every node's ledger and totals."""
    found = {}
    for unit, node in tree.nodes.items():
        found[unit, "log"] = node.log()
        for period in ("2023", "2024"):
            found[unit, period] = node.json("total", unit, "-p", period, "--by", "category")["totals"]
    return found
