"""The rules that look at one file, or at names, at a time."""

import os
import posixpath
import re
import statistics
import subprocess

from layers import SEES, test_layers
from tree import functions, line_of

FUNCTION_MAX_LINES = 80
FILE_MAX_LINES = 700

BANNED = ("strcpy strcat stpcpy sprintf vsprintf gets atoi atol atoll atof strtok system popen"
          " alloca tmpnam mktemp").split()

TOP = {"daemon", "proto", "client", "config", "tests", "CMakeLists.txt", "README.md", "LICENSE",
       "CMakePresets.json"}

# Written so that none of them matches its own line.
FOREIGN_WORDS = [
    (r"/(?:home|Users|work|workspace)/", "the path of somebody's machine"),
    (r"/tmp/(?:bash_jobs|brief)", "the path of somebody's machine"),
    (r"shared/(?:design|style|faults)\.md", "a document that does not come with the project"),
    (r"\b[Ii]ssue #?\d", "the number of an issue"),
]


def median_and_longest(lengths):
    """lengths: (lines, name) of each."""
    lines, name = max(lengths)
    middle = statistics.median_low(n for n, _ in lengths)
    return f"median {middle} lines, longest {lines} ({name})"


def check_sizes(tree):
    faults, lengths, files = [], [], []
    for name in tree.c_files() + tree.scripts("python") + tree.scripts("bash"):
        count = len(tree.text(name).splitlines())
        files.append((count, name))
        if count > FILE_MAX_LINES:
            faults.append(f"{name}: {count} lines; a file has at most {FILE_MAX_LINES}")
    for name in tree.c_files():
        try:
            for function, first, last in functions(tree.code(name)):
                count = last - first + 1
                lengths.append((count, f"{name}:{first} {function}"))
                if count > FUNCTION_MAX_LINES:
                    faults.append(f"{name}:{first}: {function} has {count} lines; a function has"
                                  f" at most {FUNCTION_MAX_LINES}")
        except ValueError as error:
            faults.append(f"{name}: cannot be measured: {error}")
    what = "functions"
    if lengths:
        what += ": " + median_and_longest(lengths)
        what += f"; {len(files)} files: " + median_and_longest(files)
    return len(lengths), what, faults


def check_calls(tree):
    faults = []
    pattern = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(")
    calls = 0
    for name in tree.c_files():
        code = tree.code(name)
        calls += len(re.findall(r"\w\s*\(", code))
        for match in pattern.finditer(code):
            faults.append(f"{name}:{line_of(code, match.start())}: {match.group(1)} is never used")
    return calls, f"calls in {len(tree.c_files())} C files", faults


def check_format(tree):
    names = tree.c_files()
    if not names:
        return 0, "C files", []
    done = subprocess.run(
        ["clang-format", "--dry-run", "-Werror", "--style=file", *map(tree.path, names)],
        stderr=subprocess.PIPE, text=True, check=False)
    wrong = re.findall(r"^(.*?):(\d+):\d+: error", done.stderr, re.M)
    counts = {}
    for path, line in wrong:
        counts.setdefault(os.path.relpath(path, tree.root), []).append(line)
    faults = [f"{name}:{lines[0]}: not as clang-format writes it ({len(lines)} places)"
              for name, lines in counts.items()]
    if done.returncode != 0 and not faults:
        faults = [done.stderr.strip()]
    return len(names), "C files formatted", faults


def check_readmes(tree):
    folders = set()
    for name in tree.files:
        folder = posixpath.dirname(name)
        while folder and not folder.startswith("."):
            folders.add(folder)
            folder = posixpath.dirname(folder)
    faults = [f"{folder}: has no README.md" for folder in sorted(folders)
              if posixpath.join(folder, "README.md") not in tree.files]
    return len(folders), "folders", faults


def check_top(tree):
    names = {name.split("/", 1)[0] for name in tree.files}
    faults = [f"{name}: does not belong at the top level" for name in sorted(names)
              if name not in TOP and not name.startswith(".")]
    return len(names), "names at the top level", faults


def check_scripts(tree):
    bash, python = tree.scripts("bash"), tree.scripts("python")
    faults = []
    for name in bash:
        done = subprocess.run(["bash", "-n", tree.path(name)], stderr=subprocess.PIPE, text=True,
                              check=False)
        if done.returncode != 0:
            faults.append(f"{name}: {done.stderr.strip()}")
    for name in python:
        try:
            compile(tree.text(name), name, "exec")
        except SyntaxError as error:
            faults.append(f"{name}:{error.lineno}: {error.msg}")
    for name in bash + python:
        if tree.text(name).startswith("#!") and not os.access(tree.path(name), os.X_OK):
            faults.append(f"{name}: begins with #! and is not executable")
    return len(bash) + len(python), f"scripts ({len(bash)} bash, {len(python)} Python)", faults


def check_words(tree):
    faults = []
    for name in tree.files:
        for pattern, reason in FOREIGN_WORDS:
            for match in re.finditer(pattern, tree.text(name)):
                line = line_of(tree.text(name), match.start())
                faults.append(f"{name}:{line}: {match.group(0)!r} is {reason}")
    return len(tree.files), "files", faults


def check_tests(tree):
    """A test whose first line names no layer would be left out of the build."""
    names = [name for name in tree.c_files()
             if re.match(r"tests/.*/(test|bench)_[^/]*\.c$", name)]
    faults = []
    for name in names:
        layers = test_layers(tree.text(name))
        if not layers or not set(layers) <= set(SEES):
            faults.append(f"{name}:1: the first line must be /* layer: NAME */, NAME one of"
                          f" {' '.join(SEES)}")
    return len(names), "tests that name their layer", faults


def check_spoken(tree):
    """What is marked for translation in client/ is what client/po has, all of it translated."""
    sources = [name for name in tree.c_files() if name.startswith("client/")]
    languages = [name for name in tree.files if posixpath.dirname(name) == "client/po" and name.endswith(".po")]
    if not sources or not languages:
        return 0, "texts", []
    words = ["xgettext", "--from-code=UTF-8", "--keyword=_", "--keyword=N_", "--keyword=ngettext:1,2",
             "--no-location", "--sort-output", "--output=-"]
    marked = subprocess.run(words + sources, cwd=tree.root, capture_output=True, text=True, check=True).stdout
    marked = marked.replace("=CHARSET", "=UTF-8")
    faults = []
    for name in languages:
        for two in ([name, "-"], ["-", name]):
            if two[0] == "-":
                words = ["msgcmp", "--use-untranslated", "--use-fuzzy", *two]
            else:
                words = ["msgcmp", *two]
            run = subprocess.run(words, cwd=tree.root, input=marked, capture_output=True, text=True, check=False)
            faults += [f"{name}: {line}" for line in run.stderr.splitlines() if run.returncode != 0]
    return marked.count("\nmsgid ") - 1, f"texts in {len(languages)} other languages", faults
