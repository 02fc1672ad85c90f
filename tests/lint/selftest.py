#!/usr/bin/env python3
"""Shows that each check can fail: plants one fault at a time in a small good tree."""

import contextlib
import io
import os
import shutil
import sys
import tempfile
import unittest

import lint
from tree import Tree, functions

HERE = os.path.dirname(os.path.abspath(__file__))

GOOD = {
    "README.md": "# A tree\n",
    "daemon/README.md": "# The daemon\n",
    "daemon/base/README.md": "# The bottom\n",
    "daemon/base/err.h": "#ifndef ERR_H\n#define ERR_H\nint err_name(int err);\n#endif\n",
    "daemon/base/err.c": '#include "base/err.h"\n\n'
                         "int err_name(int err)\n{\n    return err;\n}\n",
    "daemon/store/README.md": "# The store\n",
    "daemon/store/store.h": "#ifndef STORE_H\n#define STORE_H\nint store_open(void);\n#endif\n",
    "daemon/store/sql.h": "#ifndef SQL_H\n#define SQL_H\n#include <sqlite3.h>\n#endif\n",
    "daemon/node/README.md": "# The node\n",
    "daemon/node/node.c": '#include "store/store.h"\n\n'
                          "static int step(void)\n{\n    return store_open();\n}\n\n"
                          "int node_step(void);\n\nint node_step(void)\n{\n    return step();\n}\n",
    "client/README.md": "# The client\n",
    "client/say.c": "const char *say(void);\n\nconst char *say(void)\n{\n    return _(\"no\");\n}\n",
    "client/po/README.md": "# Languages\n",
    "client/po/vi.po": 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\n'
                       'msgid "no"\nmsgstr "không"\n',
    "tests/README.md": "# Tests\n",
    "tests/run": "#!/usr/bin/env bash\nexit 0\n",
    "tests/t.py": "print('fine')\n",
    "tests/unit/README.md": "# One per module\n",
    "tests/unit/test_err.c": '/* layer: base */\n#include "base/err.h"\n',
}

PLANTED = [  # check, file, what it then holds, and a part of the line that must be printed
    ("includes", "daemon/base/up.c", '#include "store/store.h"\n', "up.c:1: \"store/store.h\""),
    ("includes", "daemon/tls/tls.c", '#include "store/store.h"\n', "is not below"),
    ("includes", "daemon/net/net.c", '#include "store/store.h"\n', "is not below"),
    ("includes", "client/main.c", '#include "store/store.h"\n', "is not below"),
    ("includes", "proto/up.c", '#include "codec/codec.h"\n', "is not below"),
    ("includes", "tests/unit/test_a.c", '/* layer: base */\n#include "store/store.h"\n', "below"),
    ("includes", "daemon/base/up.c", '#include "../store/store.h"\n', "climbs out"),
    ("includes", "daemon/base/up.c", '#include "err.h"\n', "is no header of a layer"),
    ("includes", "daemon/base/up.c", '#  include "base/none.h"\n', "is no header of a layer"),
    ("includes", "daemon/base/a.h", '#include "base/a.h"\n', "cycle: daemon/base/a.h ->"),
    ("includes", "daemon/node/sql.c", "#include <sqlite3.h>\n", "<sqlite3.h> is for daemon/store"),
    ("includes", "daemon/node/sql.c", '#include "store/sql.h"\n', "drawn in by daemon/node/sql.c"),
    ("includes", "daemon/node/uv.c", "#include <uv.h>\n", "<uv.h> is for daemon/net"),
    ("includes", "daemon/base/err.c", "#include <openssl/evp.h>\n", "<openssl/evp.h> is for"),
    ("includes", "client/main.c", '#include "tally.pb-c.h"\n', "<tally.pb-c.h> is for proto/codec"),
    ("includes", "daemon/net/n.c", "#include <systemd/sd-daemon.h>\n", "is for daemon/*.c"),
    ("pure", "daemon/node/clock.c", "#include <time.h>\n", "does not include time.h"),
    ("pure", "daemon/node/log.c", '#include "base/log.h"\n', "does not include base/log.h"),
    ("pure", "daemon/node/id.c", "void f(void)\n{\n    random_id();\n}\n", "not call random_id"),
    ("headers", "daemon/base/size.h", "size_t base_size(void);\n", "daemon/base/size.h: "),
    ("headers", "daemon/base/up.h", '#include "store/store.h"\n', "daemon/base/up.h: "),
    ("sizes", "proto/long.c", "int f(void)\n{\n" + "    ;\n" * 78 + "}\n", "f has 81 lines"),
    ("sizes", "proto/long.c", "int a;\n" * 701, "701 lines"),
    ("sizes", "tests/long.py", "a = 1\n" * 701, "701 lines"),
    ("sizes", "proto/odd.c", "int f(void)\n{\n", "braces do not pair up"),
    ("calls", "client/copy.c", 'void f(char *s)\n{\n    strcpy (s, "x");\n}\n', "strcpy is never"),
    ("calls", "client/run.c", 'int f(void)\n{\n    return system("x");\n}\n', "system is never"),
    ("format", "client/form.c", "int  f( void ) { return 1; }\n", "client/form.c:1: not as"),
    ("tests", "tests/unit/test_a.c", "int a;\n", "the first line must be"),
    ("tests", "tests/sim/test_a.c", "/* layer: nowhere */\n", "the first line must be"),
    ("readmes", "config/demo/data.csv", "a,b\n", "config/demo: has no README.md"),
    ("top", "docs/README.md", "# More\n", "docs: does not belong"),
    ("scripts", "tests/run", "#!/usr/bin/env bash\nif true; then\n", "syntax error"),
    ("scripts", "tests/t.py", "def f(:\n", "tests/t.py:1: "),
    ("scripts", "tests/t.py", "#!/usr/bin/env python3\n", "is not executable"),
    ("words", "README.md", "See /home" + "/me/tally.\n", "the path of somebody's machine"),
    ("words", "README.md", "See ../shared" + "/design.md.\n", "does not come with the project"),
    ("spoken", "client/ask.c", "const char *ask(void);\n\nconst char *ask(void)\n{\n    return _(\"what\");\n}\n",
     "used but not defined"),
    ("spoken", "client/say.c", "const char *say(void);\n\nconst char *say(void)\n{\n    return \"no\";\n}\n",
     "not defined"),
]


class LintTest(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="tally-lint-")
        self.addCleanup(shutil.rmtree, self.root)
        shutil.copy(os.path.join(HERE, "..", "..", ".clang-format"), self.root)

    def write(self, name, text):
        path = os.path.join(self.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def write_good(self):
        for name, text in GOOD.items():
            self.write(name, text)
        os.chmod(os.path.join(self.root, "tests/run"), 0o755)

    def faults(self, check):
        examined, _, faults = lint.CHECKS[check](Tree(self.root))
        return examined, faults

    def test_good_tree_passes(self):
        self.write_good()
        for check in lint.CHECKS:
            with self.subTest(check):
                examined, faults = self.faults(check)
                self.assertGreater(examined, 0)
                self.assertEqual(faults, [])

    def test_each_planted_fault_is_found(self):
        for check, name, text, said in PLANTED:
            with self.subTest(check=check, file=name, text=text[:60]):
                shutil.rmtree(self.root)
                os.makedirs(self.root)
                shutil.copy(os.path.join(HERE, "..", "..", ".clang-format"), self.root)
                self.write_good()
                self.write(name, text)
                _, faults = self.faults(check)
                self.assertTrue(any(said in fault for fault in faults), faults)

    def test_every_check_has_a_planted_fault(self):
        self.assertEqual({plant[0] for plant in PLANTED}, set(lint.CHECKS))

    def test_examining_nothing_fails(self):
        os.remove(os.path.join(self.root, ".clang-format"))
        for check in lint.CHECKS:
            with self.subTest(check), contextlib.redirect_stdout(io.StringIO()):
                self.assertIn("nothing was examined", lint.run_check(check, Tree(self.root)))

    def test_what_is_not_code_is_not_seen(self):
        self.write("client/quiet.c", '/* strcpy(a) { */\n// gets(a) {\n#define X(a) atoi(a) {\n'
                                     'const char *t = "system(\\"{\\")";\nchar c = \'{\';\n')
        self.assertEqual(self.faults("calls")[1], [])
        self.assertEqual(self.faults("sizes")[1], [])

    def test_functions_are_measured(self):
        code = ("struct s {\n    int a;\n};\nstatic const int T[] = {1, 2};\n\nstatic int\n"
                "one(int a,\n    int b)\n{\n    if (a) {\n        b++;\n    }\n    return b;\n}\n"
                "void two(void)\n{\n}\n")
        self.assertEqual(list(functions(code)), [("one", 6, 14), ("two", 15, 17)])


if __name__ == "__main__":
    print(f"{len(PLANTED)} faults to plant for {len(lint.CHECKS)} checks")
    sys.exit(0 if unittest.main(exit=False, verbosity=1).result.wasSuccessful() else 1)
