#!/usr/bin/env python3
"""Tests of what plants the bugs (edit.py) and of what looks for them (../planted)."""

import os
import stat
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
PLANTED = os.path.join(HERE, "..", "planted")

SOURCE = "int one(void)\n{\n    return 1;\n}\n\nint two(void)\n{\n    return two() + one();\n}\n"
GOOD = ("what: It is wrong.\nby: sim\n\nedit: daemon/node/a.c\nold:\n    return 1;\n"
        "new:\n    if (PLANTED(some_bug)) {\n        return 2;\n    }\n    return 1;\n")

WRONG = [  # a bug's text, and what must be said of it
    (GOOD.replace("old:\n    return 1;", "old:\n    return 3;"), "there 0 times"),
    (GOOD.replace("old:\n    return 1;", "old:\nreturn"), "there 2 times"),
    (GOOD.replace("a.c", "b.c"), "b.c: No such file"),
    (GOOD.replace("daemon/node/a.c", "client/a.c"), "only C files below"),
    (GOOD.replace("some_bug", "other_bug"), "switched by PLANTED(some_bug) alone"),
    (GOOD.replace("what: It is wrong.\n", ""), "does not say what"),
    (GOOD.replace("by: sim", "by: chance"), "is sim, golden, crash"),
    (GOOD.split("\nedit:", maxsplit=1)[0], "has no edit"),
    (GOOD + GOOD.split("\n\n", maxsplit=1)[1], "overlaps"),
    ("stray\n" + GOOD, "line 1 belongs to nothing"),
]

FAKE = """#!/usr/bin/env python3
import os, sys
bug = os.environ["TALLY_PLANTED"]
words = sys.argv[1:]
crash = words[0] in ("--every", "--only")
if bug == MISSED:
    print(f"{words[1]} seeds, 0 violations")
    sys.exit(0)
if bug == BROKEN:
    print("out of order")
    sys.exit(3)
if bug == STRUCK:
    os.abort()
if words[0].endswith("golden"):
    print("join.txt, line 2\\n7 golden traces compared, 1 differ")
    sys.exit(1)
if words[0] == "--replay":
    shows = os.path.exists(words[1]) and bug != DULL
    print(f"exact: a total is wrong\\n1 seeds, {int(shows)} violations")
    sys.exit(int(shows))
if crash:
    assert words[:5] == ["--every", "3", "--offset", "1", "--first"] or words[2] == "--first", words
    print("recording, power cut, point 17: durable: an entry is gone\\n9 points, 1 violations")
else:
    assert words[0] == "--seeds" and words[2] == "--base" and words[4] == "--first", words
    print(f"seed {words[3]}: exact: a total is wrong")
    print(f"{4 + int(words[3]) % 7} seeds, 1 violations")
sys.exit(1)
"""

failed = []
checks = 0


def expect(good, what):
    global checks  # pylint: disable=global-statement
    checks += 1
    if not good:
        failed.append(what)


def call(*words):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env=dict(os.environ, PYTHONDONTWRITEBYTECODE="1"), check=False)
    return done.returncode, done.stdout


def write(folder, name, text):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def edit(folder, *words):
    return call(sys.executable, os.path.join(HERE, "edit.py"), "--root", folder, "--bugs",
                os.path.join(folder, "bugs"), *words)


def test_edit(folder):
    write(folder, "daemon/node/a.c", SOURCE)
    bug = write(folder, "bugs/some-bug.bug", GOOD)
    status, said = edit(folder, "--check")
    expect(status == 0 and "1 planted bugs, 1 edits of 1 files" in said, said)
    for text, want in WRONG:
        write(folder, "bugs/some-bug.bug", text)
        status, said = edit(folder, "--check")
        expect(status == 1 and want in said and "some-bug" in said, f"{want}: {said}")
    os.remove(bug)
    status, said = edit(folder, "--check")
    expect(status == 1 and "no bugs" in said, said)


def lines_of(program):
    """The line that the compiler gives to each return, by what is returned."""
    status, said = call("gcc", "-E", "-include", program["planted.h"], program["a.c"])
    expect(status == 0, said)
    line, found = 0, {}
    for text in said.splitlines():
        if text.startswith("# "):
            line = int(text.split()[1])
            continue
        found[text.strip()] = line
        line += 1
    return found


def test_copies(folder):
    write(folder, "daemon/node/a.c", SOURCE)
    write(folder, "bugs/some-bug.bug", GOOD)
    out = os.path.join(folder, "out")
    status, said = edit(folder, "--out", out)
    expect(status == 0, said)
    copy = os.path.join(out, "daemon/node/a.c")
    header = os.path.join(out, "planted.h")
    found = lines_of({"planted.h": header, "a.c": copy})
    expect(found.get("return two() + one();") == 8, f"lines: {found}")
    before = os.stat(copy).st_mtime_ns
    edit(folder, "--out", out)
    expect(os.stat(copy).st_mtime_ns == before, "a copy that stays as it is was written anew")
    main = write(folder, "main.c", "#include <stdio.h>\nint one(void);\n"
                 "int main(void) { printf(\"%d\\n\", one()); return 0; }\n")
    program = os.path.join(folder, "program")
    status, said = call("gcc", "-std=c17", "-Wall", "-Wextra", "-Werror", "-Wno-infinite-recursion",
                        "-Wmissing-prototypes", "-Wno-error=missing-prototypes", "-include", header,
                        main, copy, os.path.join(out, "planted.c"), "-o", program)
    expect(status == 0, said)
    for name, want in (("", (0, "1\n")), ("some-bug", (0, "2\n")), ("no-bug", (2, "no-bug"))):
        status, said = call("env", "TALLY_PLANTED=" + name, program)
        expect(status == want[0] and want[1] in said, f"{name}: {status} {said}")
    write(folder, "bugs/some-bug.bug", GOOD.replace("a.c", "c.c"))
    write(folder, "daemon/node/c.c", SOURCE)
    edit(folder, "--out", out)
    expect(not os.path.exists(copy), "the copy of a source that is no longer edited stays")


def test_runner(folder):
    _, said = call(sys.executable, os.path.join(HERE, "edit.py"), "--list")
    names = said.split()
    crash = "ledger-and-cell-apart"
    scene = "held-dropped-at-restart"
    golden = "down-feed-not-restarted"
    sims = [name for name in names if name.startswith("stock-")]
    text = FAKE.replace("MISSED", repr(sims[0])).replace("BROKEN", repr(sims[1]))
    dull = "batch-again-taken"
    text = text.replace("DULL", repr(dull))
    fake = write(folder, "fake", text.replace("STRUCK", repr(sims[2])))
    os.chmod(fake, os.stat(fake).st_mode | stat.S_IXUSR)
    words = [PLANTED, "--program", fake, "--crash", fake, "--golden", fake, "--base", "7", "--limit", "50"]

    status, said = call(*words, "--only", sims[0])
    expect(status == 1 and said.endswith("0 of 1 planted bugs found\n"), said)
    expect("not found" in said, said)
    status, said = call(*words, "--only", sims[1])
    expect(status == 1 and "exit 3; it said: out of order" in said, said)
    status, said = call(*words, "--only", sims[2], "--only", crash)
    expect(status == 0 and said.endswith("2 of 2 planted bugs found\n"), said)
    expect("signal 6" in said and "durable" in said, said)
    status, said = call(*words, "--only", scene, "--only", golden)
    expect(status == 0 and said.endswith("2 of 2 planted bugs found\n"), said)
    expect("durable" in said and "trace" in said, said)
    status, said = call(*words, "--only", "undone-transaction-goes-on")
    expect(status == 0 and "durable" in said, said)
    status, said = call(*words, "--only", "state-not-loaded-again")
    expect(status == 0 and said.endswith("1 of 1 planted bugs found\n"), said)
    status, said = call(*words, "--only", dull)
    expect(status == 1 and "batch-came-twice.plan does not show its bug any more" in said, said)
    status, said = call(*words, "--only", "amend-adds", "--runs", "3")
    row = [line.split() for line in said.splitlines() if line.startswith("amend-adds")]
    # 7, 1000007 and 2000007 leave 0, 1 and 2 after division by 7.
    expect(status == 0 and row and row[-1][1:4] == ["sim", "5", "exact"], said)
    status, said = call(*words, "--only", "no-such")
    expect(status == 2 and "no such bug" in said, said)
    status, said = call(*words)
    expect(status == 1 and f"{len(names) - 2} of {len(names)} planted bugs found" in said, said)


def main():
    for test in (test_edit, test_copies, test_runner):
        with tempfile.TemporaryDirectory(prefix="tally-planted-") as folder:
            test(folder)
    for what in failed:
        print(f"FAILED: {what}")
    print(f"{checks} checks, {len(failed)} failed")
    return 1 if failed or checks == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
