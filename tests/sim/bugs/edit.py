#!/usr/bin/env python3
"""Plants the bugs of this folder: writes edited copies of the sources that they change.

  edit.py --check              sees whether all of them fit the present source
  edit.py --list               prints their names
  edit.py --out DIR            writes the copies, planted.h and planted.c below DIR

README.md beside this file says what a bug's file looks like.
"""

import argparse
import bisect
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "..", "..", ".."))
FOLDERS = ("daemon/base/", "daemon/node/", "daemon/store/", "proto/")
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
SUFFIX = ".bug"

HEADER = """\
/* Made by tests/sim/bugs/edit.py: which planted bug is switched on, if any. */
#ifndef TALLY_PLANTED_H
#define TALLY_PLANTED_H

#include <stdbool.h>

enum planted_name {{ PLANTED_none,
{names}
}};

/* One of these numbers; from the environment variable TALLY_PLANTED when the program starts. */
extern int planted_bug;
#define PLANTED(name) (planted_bug == PLANTED_##name)

/* Switches on the bug of that name and off every other; "" for none. False when there is no such
 * bug. */
bool planted_choose(const char *name);

#endif
"""

SOURCE = """\
/* Made by tests/sim/bugs/edit.py. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int planted_bug = PLANTED_none;

static const char *const NAMES[] = {{
{names}
}};

bool planted_choose(const char *name)
{{
    if (name[0] == '\\0') {{
        planted_bug = PLANTED_none;
        return true;
    }}
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {{
        if (strcmp(NAMES[i], name) == 0) {{
            planted_bug = (int)i + 1;
            return true;
        }}
    }}
    return false;
}}

__attribute__((constructor)) static void choose_at_start(void)
{{
    const char *name = getenv("TALLY_PLANTED");
    if (name != NULL && !planted_choose(name)) {{
        (void)fprintf(stderr, "TALLY_PLANTED: no bug is named \\"%s\\"\\n", name);
        exit(2);
    }}
}}
"""


class Fault(Exception):
    """A bug that cannot be planted, and why."""


class Edit:
    """One change of one source file."""

    def __init__(self, bug, source):
        self.bug = bug
        self.source = source
        self.old = ""
        self.new = ""
        self.start = -1  # where the old text lies in the source

    @property
    def end(self):
        return self.start + len(self.old)


class Bug:
    """What one file says."""

    def __init__(self, name):
        self.name = name
        self.what = ""
        self.by = "sim"
        self.scene = ""  # of the crash loop; "": all
        self.fault = ""  # the same
        self.plan = ""  # of tests/sim/plans, for `by: plan`
        self.edits = []

    @property
    def symbol(self):
        return self.name.replace("-", "_")


def read_bug(path):
    """Reads a bug's file: `what:` and `by:` lines, then `edit:` with `old:` and `new:` each."""
    bug = Bug(os.path.basename(path)[:-len(SUFFIX)])
    if not NAME.fullmatch(bug.name):
        raise Fault(f"{bug.name}: a name is words of small letters with hyphens between")
    part = None
    texts = {}
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    for number, line in enumerate(lines, 1):
        word = re.match(r"(what|by|edit|old|new):\s*(.*)$", line)
        if word is None:
            if part is not None:
                texts[part].append(line)
            elif line.strip():
                raise Fault(f"{bug.name}: line {number} belongs to nothing")
            continue
        key, rest = word.groups()
        if key in ("what", "by"):
            setattr(bug, key, rest)
            part = None
        elif key == "edit":
            bug.edits.append(Edit(bug, rest))
            part = None
        elif not bug.edits:
            raise Fault(f"{bug.name}: line {number}: \"{key}:\" stands before any \"edit:\"")
        else:
            part = (len(bug.edits) - 1, key)
            texts[part] = []
    for (at, key), found in texts.items():
        setattr(bug.edits[at], key, "\n".join(found).rstrip("\n"))
    check_form(bug)
    return bug


def check_form(bug):
    """What can be said of a bug without looking at the source."""
    if not bug.what:
        raise Fault(f"{bug.name}: does not say what it does wrong (\"what:\")")
    by = re.fullmatch(r"(sim|golden|crash)|crash ([a-z-]+)(?:: ([a-z, ]+))?|plan ([a-z-]+)", bug.by)
    if by is None:
        raise Fault(f"{bug.name}: \"by:\" is sim, golden, crash (and a scene, and a fault), or plan "
                    "and its name")
    bug.by = by.group(1) or ("plan" if by.group(4) else "crash")
    bug.scene, bug.fault, bug.plan = by.group(2) or "", by.group(3) or "", by.group(4) or ""
    if not bug.edits:
        raise Fault(f"{bug.name}: has no edit")
    for edit in bug.edits:
        where = f"{bug.name}: {edit.source}"
        if not edit.source.startswith(FOLDERS) or not edit.source.endswith(".c"):
            raise Fault(f"{where}: only C files below {' '.join(FOLDERS)} are edited")
        if not edit.old:
            raise Fault(f"{where}: an edit without old text")
        named = set(re.findall(r"PLANTED\((\w+)\)", edit.new))
        if named != {bug.symbol}:
            raise Fault(f"{where}: the new text must be switched by PLANTED({bug.symbol}) alone")


def read_bugs(folder=HERE):
    """All bugs, in order of their names."""
    names = sorted(name for name in os.listdir(folder) if name.endswith(SUFFIX))
    return [read_bug(os.path.join(folder, name)) for name in names]


def place(edit, text):
    """Finds where the edit's old text lies."""
    count = text.count(edit.old)
    if count != 1:
        raise Fault(f"{edit.bug.name}: {edit.source}: the old text is there {count} times, not"
                    f" once: {edit.old.strip().splitlines()[0].strip()!r}")
    edit.start = text.index(edit.old)


def safe_break(text, at, limit):
    """The place after the first line end from `at` on that ends a statement: a directive may stand
    there. -1 when there is none before `limit`."""
    found = re.compile(r"[;{}]\n").search(text, at, limit)
    return found.end() if found else -1


def edited(text, edits, path):
    """The text with all edits made, and #line wherever the numbers of lines would differ."""
    starts = [0] + [m.end() for m in re.finditer("\n", text)]
    out = [f'#line 1 "{path}"\n']
    edits = sorted(edits, key=lambda edit: edit.start)
    at = 0
    shifted = False
    for i, edit in enumerate(edits):
        out.append(text[at:edit.start])
        out.append(edit.new)
        at = edit.end
        shifted = shifted or edit.new.count("\n") != edit.old.count("\n")
        limit = edits[i + 1].start if i + 1 < len(edits) else len(text)
        stop = safe_break(text, at, limit) if shifted else -1
        if stop >= 0:
            line = bisect.bisect_right(starts, stop)
            out.append(text[at:stop])
            out.append(f'#line {line} "{path}"\n')
            at = stop
            shifted = False
    out.append(text[at:])
    return "".join(out)


def plan(bugs, root=ROOT):
    """{source: (its text, the edits of it)}; a Fault when one does not fit."""
    by_source = {}
    for bug in bugs:
        for edit in bug.edits:
            by_source.setdefault(edit.source, []).append(edit)
    found = {}
    for source, edits in sorted(by_source.items()):
        try:
            with open(os.path.join(root, source), encoding="utf-8") as file:
                text = file.read()
        except OSError as error:
            raise Fault(f"{edits[0].bug.name}: {source}: {error.strerror}") from error
        for edit in edits:
            place(edit, text)
        edits.sort(key=lambda edit: edit.start)
        for one, next_one in zip(edits, edits[1:]):
            if next_one.start < one.end:
                raise Fault(f"{next_one.bug.name}: {source}: overlaps an edit of {one.bug.name}:"
                            f" {next_one.old.strip().splitlines()[0].strip()!r}")
        found[source] = (text, edits)
    return found


def write(path, text):
    """Leaves a file alone that has that text, so that nothing is compiled anew for it."""
    try:
        with open(path, encoding="utf-8") as file:
            if file.read() == text:
                return
    except OSError:
        pass
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def write_all(bugs, planned, root, out):
    """Writes the edited copies, planted.h and planted.c; copies of an earlier time go."""
    stale = set()
    for folder, _, names in os.walk(out):
        stale |= {os.path.join(folder, name) for name in names}
    for source, (text, edits) in planned.items():
        path = os.path.join(out, source)
        write(path, edited(text, edits, os.path.join(root, source)))
        stale.discard(path)
    names = {
        "planted.h": HEADER.format(names=",\n".join(f"    PLANTED_{b.symbol}" for b in bugs)),
        "planted.c": SOURCE.format(names="\n".join(f'    "{bug.name}",' for bug in bugs)),
    }
    for name, text in names.items():
        write(os.path.join(out, name), text)
        stale.discard(os.path.join(out, name))
    for path in stale:
        os.remove(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--root", default=ROOT, help="the tree to edit (default: this one)")
    parser.add_argument("--bugs", default=HERE, help="the folder of the bugs (default: this one)")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--check", action="store_true", help="see whether all edits fit")
    what.add_argument("--list", action="store_true", help="print the names")
    what.add_argument("--out", metavar="DIR", help="write edited copies")
    options = parser.parse_args()
    try:
        bugs = read_bugs(options.bugs)
        if not bugs:
            raise Fault("there are no bugs to plant")
        planned = plan(bugs, options.root)
    except Fault as fault:
        print(f"planted bugs: {fault}", file=sys.stderr)
        return 1
    if options.list:
        print("\n".join(bug.name for bug in bugs))
    elif options.out:
        write_all(bugs, planned, os.path.abspath(options.root), os.path.abspath(options.out))
    else:
        edits = sum(len(edits) for _, edits in planned.values())
        print(f"{len(bugs)} planted bugs, {edits} edits of {len(planned)} files: all fit")
    return 0


if __name__ == "__main__":
    sys.exit(main())
