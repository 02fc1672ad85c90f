"""What may include what: between the layers, from foreign libraries, and each header by itself."""

import os
import posixpath
import re
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor

from tree import FOLDERS, line_of, without_comments

SEES = {  # layer: the layers whose headers it may include, besides its own
    "base": "",
    "proto": "base",
    "store": "base proto",
    "codec": "base proto",
    "tls": "base proto",
    "pki": "base proto",
    "node": "base proto store",
    "net": "base proto codec tls node",
    "config": "base proto",
    "client": "base proto codec tls config",
    "daemon": "base proto codec store tls pki node net config",
}

FOREIGN = [  # header, and the folders or files that may see it
    (r"sqlite3(ext)?\.h", "daemon/store tests/sim tests/bench layer:store"),
    (r"uv(/.*)?\.h", "daemon/net layer:net"),
    (r"openssl/.*", "daemon/tls daemon/pki daemon/base/sha256.c daemon/base/random.c"
                    " layer:tls layer:pki"),
    (r"(.*/)?[^/]*\.pb-c\.h", "proto/codec layer:codec"),
    (r"protobuf-c/.*", "proto/codec layer:codec"),
    (r"zstd.*\.h", "proto/codec layer:codec"),
    (r"(cyaml/.*|yaml\.h)", "config layer:config"),
    (r"libsmartcols.*", "client layer:client"),
    (r"(unicase|unictype|uninorm|unistr)\.h", "client layer:client"),
    (r"jansson.*\.h", "client layer:client"),
    (r"systemd/.*", "daemon/*.c layer:daemon"),
    (r"cmocka\.h", "tests"),
]

# The node is pure: no socket, thread, clock, random source, file or log.
NODE_HEADERS = (r"(sys/(socket|time|random|stat|file|mman|epoll)|pthread|threads|time|unistd|fcntl"
                r"|netdb|poll|signal|netinet/.*|arpa/.*)\.h|base/log\.h")
NODE_CALLS = (r"(?<!\.)\b(clock_read|random_fill|random_id|log_line|log_set_level|rand|random|fopen|printf"
              r"|fprintf|puts|perror|getenv)\s*\(")

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">\n]+)[">]', re.M)
LAYER_LINE = re.compile(r"/\* layer: ([a-z ]+) \*/\n")


class Source:
    """A C file: its folder, the layers whose view it has, and what it includes."""

    def __init__(self, tree, name):
        self.name = name
        self.folder = posixpath.dirname(name)
        self.layer = FOLDERS.get(self.folder)
        self.layers = test_layers(tree.text(name)) if name.startswith("tests/") else []
        if self.folder == "tests/integration":
            self.layers = ["codec", "tls"]
        text = without_comments(tree.text(name), keep_texts=True)
        self.includes = [(m.group(1) == '"', m.group(2), line_of(text, m.start()))
                         for m in INCLUDE.finditer(text)]

    def view(self):
        """The layers whose headers this file may include; all for what tests share."""
        own = [self.layer] if self.layer else self.layers
        if not own:
            return set(SEES)
        return set(own).union(*(SEES[layer].split() for layer in own))

    def may_see(self, places):
        for place in places.split():
            if place.startswith("layer:"):
                allowed = place[6:] in self.layers
            elif place.endswith("/*.c"):
                allowed = self.folder == place[:-4]
            else:
                allowed = self.name == place or (self.name + "/").startswith(place + "/")
            if allowed:
                return True
        return False


def test_layers(text):
    match = LAYER_LINE.match(text)
    return match.group(1).split() if match else []


class Graph:
    """The include graph of a tree, and what is wrong with it."""

    def __init__(self, tree):
        self.sources = {name: Source(tree, name) for name in tree.c_files()}
        self.folder_of = {layer: folder for folder, layer in FOLDERS.items()}
        self.faults = []
        self.edges = {name: [] for name in self.sources}
        self.foreign = {name: [] for name in self.sources}
        for source in self.sources.values():
            for quoted, target, line in source.includes:
                self._add(source, quoted, target, f"{source.name}:{line}")

    def _add(self, source, quoted, target, where):
        if target.endswith(".pb-c.h") or not quoted:
            self.foreign[source.name].append((target, where))
            return
        if ".." in target.split("/"):
            self.faults.append(f'{where}: "{target}" climbs out of its folder')
            return
        layer, _, rest = target.partition("/")
        if source.name.startswith("tests/") and not rest:
            header = posixpath.join(source.folder, target)
        elif layer in self.folder_of and rest and "/" not in rest:
            header = posixpath.join(self.folder_of[layer], rest)
            if layer not in source.view():
                seen = " ".join(sorted(source.view()))
                self.faults.append(f'{where}: "{target}" is not below: only {seen} may be seen')
        else:
            header = ""
        if header not in self.sources:
            self.faults.append(f'{where}: "{target}" is no header of a layer, as "base/err.h" is')
        else:
            self.edges[source.name].append(header)

    def reach(self, name):
        """The file and every header of ours that it draws in."""
        found, todo = {name}, [name]
        while todo:
            for header in self.edges[todo.pop()]:
                if header not in found:
                    found.add(header)
                    todo.append(header)
        return found

    def check_foreign(self):
        for name, source in self.sources.items():
            for drawn in sorted(self.reach(name)):
                for target, where in self.foreign[drawn]:
                    for pattern, places in FOREIGN:
                        if re.fullmatch(pattern, target) and not source.may_see(places):
                            through = "" if drawn == name else f" (drawn in by {name})"
                            self.faults.append(f"{where}: <{target}> is for {places}{through}")

    def check_cycles(self):
        state = {}

        def visit(name, path):
            state[name] = "open"
            for header in self.edges[name]:
                if state.get(header) == "open":
                    loop = path[path.index(header):] + [header]
                    self.faults.append("cycle: " + " -> ".join(loop))
                elif header not in state:
                    visit(header, path + [header])
            state[name] = "done"

        for name in self.sources:
            if name not in state:
                visit(name, [name])


def check_includes(tree):
    graph = Graph(tree)
    graph.check_foreign()
    graph.check_cycles()
    ours = sum(len(edges) for edges in graph.edges.values())
    faults = sorted(set(graph.faults))
    return len(graph.sources), f"C files, {ours} includes between them", faults


def check_pure(tree):
    """The node takes time, random bytes and messages in and gives effects out."""
    names = [f for f in tree.c_files() if FOLDERS.get(posixpath.dirname(f)) == "node"]
    faults = []
    for name in names:
        for _, target, line in Source(tree, name).includes:
            if re.fullmatch(NODE_HEADERS, target):
                faults.append(f"{name}:{line}: the node is pure and does not include {target}")
        code = tree.code(name)
        for match in re.finditer(NODE_CALLS, code):
            line = line_of(code, match.start())
            faults.append(f"{name}:{line}: the node is pure and does not call {match.group(1)}")
    return len(names), "files of the node", faults


def check_headers(tree):
    """Compiles each header alone, with the include directories of its layer and no others."""
    headers = tree.headers()
    with tempfile.TemporaryDirectory(prefix="tally-lint-") as scratch:
        for folder, layer in FOLDERS.items():
            place = os.path.join(scratch, layer)
            os.makedirs(place)
            os.symlink(tree.path(folder), os.path.join(place, layer))
        generated = _generate(tree, scratch)

        def compile_one(name):
            source = Source(tree, name)
            words = ["gcc", "-std=c17", "-D_GNU_SOURCE", "-fsyntax-only", "-x", "c"]
            words += ["-I" + os.path.join(scratch, layer) for layer in sorted(source.view())]
            words += ["-I" + generated]
            done = subprocess.run(words + [tree.path(name)], stderr=subprocess.PIPE, text=True,
                                  check=False)
            first = re.search(r"^.*error:.*$", done.stderr, re.M)
            return None if done.returncode == 0 else f"{name}: {first.group(0) if first else done}"

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            faults = [fault for fault in pool.map(compile_one, headers) if fault]
    return len(headers), "headers compiled alone", faults


def _generate(tree, scratch):
    schema = "proto/tally.proto"
    folder = os.path.join(scratch, "generated")
    os.makedirs(folder)
    if schema in tree.files:
        subprocess.run(["protoc-c", "--proto_path=" + tree.path("proto"), "--c_out=" + folder,
                        tree.path(schema)], check=True)
    return folder
