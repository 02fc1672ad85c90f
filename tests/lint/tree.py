"""The files of a tree, and C source without what is not code."""

import bisect
import os
import re
import subprocess

FOLDERS = {  # folder of C code: the name of its layer, by which its headers are included
    "daemon/base": "base",
    "proto": "proto",
    "proto/codec": "codec",
    "daemon/store": "store",
    "daemon/tls": "tls",
    "daemon/pki": "pki",
    "daemon/node": "node",
    "daemon/net": "net",
    "daemon": "daemon",
    "config": "config",
    "client": "client",
}


class Tree:
    """The files under `root` that git tracks or would track; without git, all but build/."""

    def __init__(self, root):
        self.root = os.path.abspath(root)
        if os.path.exists(os.path.join(self.root, ".git")):
            names = self._git("ls-files", "-z", "--cached", "--others", "--exclude-standard")
            found = {name for name in names.split("\0") if name}
        else:
            found = set(self._walk())
        self.files = sorted(f for f in found if os.path.isfile(self.path(f)))
        self._texts = {}
        self._codes = {}

    def _git(self, *words):
        safe = ["-c", "safe.directory=" + self.root]
        return subprocess.run(["git", *safe, "-C", self.root, *words], check=True,
                              stdout=subprocess.PIPE, text=True).stdout

    def _walk(self):
        for folder, below, names in os.walk(self.root):
            if folder == self.root and "build" in below:
                below.remove("build")
            for name in names:
                yield os.path.relpath(os.path.join(folder, name), self.root)

    def path(self, name):
        return os.path.join(self.root, name)

    def text(self, name):
        if name not in self._texts:
            with open(self.path(name), encoding="utf-8", errors="replace", newline="") as file:
                self._texts[name] = file.read()
        return self._texts[name]

    def code(self, name):
        """The C file without comments, texts and directives; every line keeps its number."""
        if name not in self._codes:
            self._codes[name] = without_directives(without_comments(self.text(name)))
        return self._codes[name]

    def c_files(self):
        return [f for f in self.files if f.endswith((".c", ".h"))]

    def headers(self):
        return [f for f in self.files if f.endswith(".h")]

    def scripts(self, interpreter):
        """Files whose first line calls the interpreter, and Python modules for "python"."""
        found = []
        for name in self.files:
            shebang = self.text(name)[:2] == "#!"
            first = self.text(name).split("\n", 1)[0] if shebang else ""
            if interpreter in first or (interpreter == "python" and name.endswith(".py")):
                found.append(name)
        return found


def _blank(match):
    return re.sub(r"[^\n]", " ", match.group(0))


_TOKENS = re.compile(
    r"""/\*.*?\*/ | //(?:\\\n|[^\n])* | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'""",
    re.S | re.X)


def without_comments(text, keep_texts=False):
    """Blanks comments, and texts in quotes too unless they are to be kept."""

    def replace(match):
        token = match.group(0)
        if token[0] in "\"'":
            return token if keep_texts else token[0] + " " * (len(token) - 2) + token[0]
        return _blank(match)

    return _TOKENS.sub(replace, text)


def without_directives(text):
    return re.sub(r"^[ \t]*#(?:\\\n|[^\n])*", _blank, text, flags=re.M)


def line_of(text, at):
    return text.count("\n", 0, at) + 1


def functions(code):
    """Yields (name, first line, last line) of every function defined in the code; ValueError when
    its braces do not pair up."""
    starts = [0] + [m.end() for m in re.finditer(r"\n", code)]
    depth = 0
    head = 0  # where the declaration began that may become a function
    current = None
    for match in re.finditer(r"[{};]", code):
        at = match.start()
        if match.group(0) == "{":
            depth += 1
            if depth == 1:
                current = _function_at(code, head, at)
        elif match.group(0) == "}":
            depth -= 1
            if depth < 0:
                raise ValueError("braces do not pair up")
            if depth == 0 and current:
                name, start = current
                yield name, bisect.bisect(starts, start), bisect.bisect(starts, at)
                current = None
        if depth == 0:
            head = at + 1
    if depth != 0:
        raise ValueError("braces do not pair up")


def _function_at(code, head, brace):
    declaration = code[head:brace]
    if not declaration.rstrip().endswith(")") or "=" in declaration:
        return None
    plain = re.sub(r"__attribute__\s*\(\(.*?\)\)", _blank, declaration, flags=re.S)
    name = re.search(r"(\w+)\s*\(", plain)
    if not name:
        return None
    return name.group(1), head + len(declaration) - len(declaration.lstrip())
