"""The house: rules of layout and style that no linter knows, read off the tree in under a second.

Every rule is a function from one file to its objections, and has two samples below: one that it must
object to (or it proves nothing), and one that it must let pass.
"""

import ast
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parent.parent

FUNCTION_LINES_MAX = 45
RUST_FUNCTION_LINES_MAX = 60
MODULE_LINES_MAX = 500

CORE_IMPORTERS = frozenset(
    (
        "wire",
        "transport",
        "journal",
        "storage",
        "ingest",
        "custody",
        "access",
        "app",
        "cli",
        "demo",
        "__main__",
    )
)
BANNED_NAMES = frozenset(
    ("util", "utils", "helper", "helpers", "common", "misc", "manager", "managers", "stuff", "tools")
)
# Files that may start a task without a task group, each with its reason.
TASK_PARENTS: dict[str, str] = {}
# Files that may catch every exception, each with its reason.
SUPERVISORS: dict[str, str] = {
    "gateway/app.py": "the top task group: what gets here is logged, and ends the program",
    "gateway/listeners/dicom.py": "one association's task: a defect there is logged, and ends that association",
}
PRINTERS = ("gateway/cli/", "gateway/demo/", "scripts/", "benchmarks/")
# The stub is the core's documentation in one place, and cargo writes its lock file itself.
LONG_FILES = frozenset(("gateway/_core.pyi",))
GENERATED = frozenset(("Cargo.lock",))
# Bytes for parsers to break on: some of them happen to be text, none of them is ours to read.
INPUTS = ("rust_core/fuzz/corpus/", "rust_core/fuzz/regressions/")

# In two halves, so that this file does not object to itself.
STRAY = re.compile(r"\b(?:FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
HOSTS = re.compile(
    "|".join(
        re.escape(left + right)
        for left, right in (
            ("pypi", ".org"),
            ("files.python", "hosted"),
            ("crates", ".io"),
            ("registry.npm", "js"),
            ("proxy.go", "lang"),
            ("repo.ma", "ven.apache"),
            ("repo1.mav", "en"),
            ("deb.deb", "ian"),
        )
    )
)
MACHINE_PATHS = re.compile(
    r"(?<![\w.])/(?:ro" + r"ot|ho" + r"me/\w+|wo" + r"rk|opt/whe" + r"els|tmp/w" + r"t)/"
)
SQL = re.compile(
    r"\s*(?:SELECT\s|INSERT\s+INTO\s|UPDATE\s+[\w.\"]+\s+SET\s|DELETE\s+FROM\s|WITH\s+\w+\s+AS\s|MERGE\s+INTO\s"
    r"|(?:CREATE|ALTER|DROP)\s+(?:TABLE|INDEX|ROLE|SCHEMA|DATABASE|POLICY|FUNCTION|VIEW|TYPE)\s"
    r"|(?:LISTEN|NOTIFY|TRUNCATE|COPY)\s+\w|SET\s+(?:LOCAL|ROLE|SESSION)\s|(?:GRANT|REVOKE)\s+\w+\s+ON\s)",
)
LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)")
RUST_FUNCTION = re.compile(
    r"^( *)(?:pub(?:\([^)]*\))? )?(?:const )?(?:async )?(?:unsafe )?(?:extern \"C\" )?fn (\w+)", re.MULTILINE
)


@dataclass(frozen=True)
class File:
    """One file of the tree."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(self.tree))

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.path).suffix

    @property
    def is_python(self) -> bool:
        return self.suffix == ".py"

    @property
    def in_gateway(self) -> bool:
        return self.is_python and self.path.startswith("gateway/")

    @property
    def room(self) -> str:
        return PurePosixPath(self.path).parts[1].removesuffix(".py")


Rule = Callable[[File], Iterator[str]]


# --- layout -------------------------------------------------------------------------------------


def only_some_rooms_import_the_core(file: File) -> Iterator[str]:
    if not file.in_gateway or file.room in CORE_IMPORTERS:
        return
    for node in file.nodes:
        names = (
            {f"{node.module}.{alias.name}" for alias in node.names}
            if isinstance(node, ast.ImportFrom)
            else set()
        )
        names |= {alias.name for alias in node.names} if isinstance(node, ast.Import) else set()
        if any(name == "gateway._core" or name.startswith("gateway._core.") for name in names):
            yield f"{node.lineno}: {file.room} may not import gateway._core"  # type: ignore[attr-defined]


def no_module_is_a_drawer(file: File) -> Iterator[str]:
    if file.suffix in (".py", ".rs"):
        for part in PurePosixPath(file.path).with_suffix("").parts:
            if part in BANNED_NAMES:
                yield f"{part} names a drawer; name the noun that is owned"


def no_module_is_too_long(file: File) -> Iterator[str]:
    lines = file.text.count("\n")
    if file.suffix in (".py", ".pyi", ".rs") and lines > MODULE_LINES_MAX and file.path not in LONG_FILES:
        yield f"{lines} lines; which of its two jobs moves next door?"


def only_the_binding_crate_knows_pyo3(file: File) -> Iterator[str]:
    ours = file.path.startswith("rust_core/") and not file.path.startswith("rust_core/python/")
    if ours and file.suffix in (".rs", ".toml") and re.search(r"\bpyo3\b", file.text):
        yield "pyo3 is named outside rust_core/python"


def every_link_in_the_documents_leads_somewhere(file: File) -> Iterator[str]:
    if file.suffix != ".md":
        return
    for target in LINK.findall(file.text):
        if not (ROOT / file.path).parent.joinpath(target).exists():
            yield f"{target} does not exist"


# --- shape --------------------------------------------------------------------------------------


def every_module_says_what_it_owns(file: File) -> Iterator[str]:
    if not file.text.strip():
        return
    first = file.text.removeprefix("#!/usr/bin/env python3\n")
    if file.is_python and not first.startswith('"""'):
        yield "the first line is no docstring"
    if file.suffix == ".rs" and not first.startswith("//!"):
        yield "the first line is no //! comment"


def no_function_is_too_long(file: File) -> Iterator[str]:
    if file.is_python:
        for node in file.nodes:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES_MAX:
                    yield f"{node.lineno}: {node.name} has {lines} lines"


def no_rust_function_is_too_long(file: File) -> Iterator[str]:
    """By indentation, which rustfmt keeps."""
    if file.suffix == ".rs":
        for match in RUST_FUNCTION.finditer(file.text):
            end = re.compile(rf"^{match[1]}(?:\}}|\S.*[;}}]$)", re.MULTILINE).search(file.text, match.start())
            lines = file.text.count("\n", match.start(), end.end()) + 1 if end else 0
            if lines > RUST_FUNCTION_LINES_MAX:
                yield f"{match[2]} has {lines} lines"


def nothing_stray_is_left(file: File) -> Iterator[str]:
    for number, line in enumerate(file.text.splitlines(), 1):
        if found := STRAY.search(line):
            yield f"{number}: {found[0]}: do it, or file it"


# --- calls --------------------------------------------------------------------------------------

REPLACEMENTS = {
    "asyncio.create_task": "TaskGroup.create_task: a task has a parent",
    "asyncio.ensure_future": "TaskGroup.create_task: a task has a parent",
    "loop.create_task": "TaskGroup.create_task: a task has a parent",
    "asyncio.get_event_loop": "asyncio.get_running_loop",
    "datetime.utcnow": "datetime.now(UTC): times are aware",
    "datetime.utcfromtimestamp": "datetime.fromtimestamp(seconds, UTC): times are aware",
    "datetime.datetime.utcnow": "datetime.now(UTC): times are aware",
    "print": "the log, or the console of cli and demo",
    "breakpoint": "nothing",
}


def banned_calls_have_a_replacement(file: File) -> Iterator[str]:
    if not file.in_gateway:
        return
    for node in file.nodes:
        name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
        if name not in REPLACEMENTS or (name == "print" and file.path.startswith(PRINTERS)):
            continue
        if file.path not in TASK_PARENTS or "task" not in name:
            yield f"{node.lineno}: {name}; use {REPLACEMENTS[name]}"  # type: ignore[attr-defined]


def nobody_catches_everything(file: File) -> Iterator[str]:
    if not file.in_gateway or file.path in SUPERVISORS:
        return
    for node in file.nodes:
        if not isinstance(node, ast.ExceptHandler):
            continue
        caught = {"BaseException"} if node.type is None else _caught(node.type)
        if "Exception" in caught:
            yield f"{node.lineno}: except Exception; name what you expect"
        if "BaseException" in caught and not isinstance(node.body[-1], ast.Raise):
            yield f"{node.lineno}: catches everything, cancellation too, and does not raise it again"


def _caught(kind: ast.expr) -> set[str]:
    return {ast.unparse(part) for part in (kind.elts if isinstance(kind, ast.Tuple) else [kind])}


def sql_lives_in_sql_files(file: File) -> Iterator[str]:
    if not file.in_gateway:
        return
    docstrings = {id(node.value) for node in file.nodes if isinstance(node, ast.Expr)}
    for node in file.nodes:
        text = node.value if isinstance(node, ast.Constant) and id(node) not in docstrings else None
        if isinstance(text, str) and SQL.match(text):
            yield f"{node.lineno}: SQL in Python: {text.strip()[:30]!r}"  # type: ignore[attr-defined]


# --- what no file may name ----------------------------------------------------------------------


def no_registry_is_named(file: File) -> Iterator[str]:
    if file.path not in GENERATED and (found := HOSTS.search(file.text)):
        yield f"names {found[0]}; whoever builds this chooses where packages come from"


def no_machine_is_named(file: File) -> Iterator[str]:
    if found := MACHINE_PATHS.search(file.text):
        yield f"names {found[0]}, a path of one machine"


def every_requirement_is_pinned_with_hashes(file: File) -> Iterator[str]:
    if not re.fullmatch(r"requirements/.*\.txt", file.path):
        return
    for entry in re.split(r"\n(?=\S)", file.text.strip()):
        if not entry.startswith("#") and not re.match(r"\S+==\S+ \\\n\s+--hash=sha256:[0-9a-f]{64}", entry):
            yield f"{entry.splitlines()[0]}: not pinned with a hash"


RULES: tuple[Rule, ...] = (
    only_some_rooms_import_the_core,
    no_module_is_a_drawer,
    no_module_is_too_long,
    only_the_binding_crate_knows_pyo3,
    every_link_in_the_documents_leads_somewhere,
    every_module_says_what_it_owns,
    no_function_is_too_long,
    no_rust_function_is_too_long,
    nothing_stray_is_left,
    banned_calls_have_a_replacement,
    nobody_catches_everything,
    sql_lives_in_sql_files,
    no_registry_is_named,
    no_machine_is_named,
    every_requirement_is_pinned_with_hashes,
)


def _tree() -> Iterator[File]:
    """What is tracked, and what is about to be."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for path in sorted(set(listed.split("\0")) - {""}):
        place = ROOT / path
        if place.is_file() and not path.startswith(INPUTS):
            content = place.read_bytes()
            if b"\0" not in content[:8192]:
                yield File(path, content.decode("utf-8"))


@pytest.fixture(scope="module")
def tree() -> tuple[File, ...]:
    return tuple(_tree())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_tree_keeps_the_rule(rule: Rule, tree: tuple[File, ...]):
    objections = [f"{file.path}:{objection}" for file in tree for objection in rule(file)]
    assert not objections, "\n".join(objections)


def test_the_tree_is_not_empty(tree: tuple[File, ...]):
    paths = {file.path for file in tree}
    assert {"gateway/errors.py", "rust_core/src/lib.rs", "Makefile"} <= paths


# --- negative controls --------------------------------------------------------------------------

DOC = '"""A noun."""\n'


def python(body: str, path: str = "gateway/catalogue/noun.py") -> File:
    return File(path, DOC + body)


def rust(body: str, path: str = "rust_core/src/noun.rs") -> File:
    return File(path, "//! A noun.\n" + body)


def lines(count: int) -> str:
    return "    a = 1\n" * count


LONG_RUST = "    pub fn long(\n        a: u8,\n    ) -> u8 {\n" + "        let a = 1;\n" * 60 + "    }\n"
HASHED = "one==1.0 \\\n    --hash=sha256:" + "0" * 64 + "\n"

SAMPLES: tuple[tuple[Rule, File, File], ...] = (
    (
        only_some_rooms_import_the_core,
        python("from gateway._core import Node\n"),
        python("from gateway._core import Node\n", "gateway/ingest/noun.py"),
    ),
    (
        only_some_rooms_import_the_core,
        python("from gateway import _core\n"),
        python("from gateway import errors\n"),
    ),
    (only_some_rooms_import_the_core, python("import gateway._core\n"), python("import gateway.errors\n")),
    (
        only_some_rooms_import_the_core,
        python("import gateway._core\n", "gateway/listeners/dicom.py"),
        python("import gateway._core\n", "gateway/app.py"),
    ),
    (
        no_module_is_a_drawer,
        python("", "gateway/catalogue/utils.py"),
        python("", "gateway/catalogue/rows.py"),
    ),
    (
        no_module_is_a_drawer,
        rust("", "rust_core/src/helpers/mod.rs"),
        rust("", "rust_core/src/journal/mod.rs"),
    ),
    (no_module_is_too_long, python("a = 1\n" * 500), python("a = 1\n" * 499)),
    (no_module_is_too_long, rust("//\n" * 500), File("docs/long.md", "line\n" * 600)),
    (
        only_the_binding_crate_knows_pyo3,
        rust("use pyo3::prelude::*;\n"),
        rust("use pyo3;\n", "rust_core/python/src/lib.rs"),
    ),
    (
        only_the_binding_crate_knows_pyo3,
        File("rust_core/Cargo.toml", "pyo3 = 1\n"),
        File("Cargo.toml", "pyo3 = 1\n"),
    ),
    (
        every_link_in_the_documents_leads_somewhere,
        File("docs/a.md", "[x](nowhere.md)\n"),
        File("docs/a.md", "[x](../Makefile#help) [y](https://example.org/z) [z](#here)\n"),
    ),
    (every_module_says_what_it_owns, File("gateway/noun.py", "import os\n"), File("gateway/noun.py", DOC)),
    (every_module_says_what_it_owns, File("rust_core/src/a.rs", "use std::io;\n"), rust("")),
    (no_function_is_too_long, python("def f():\n" + lines(45)), python("def f():\n" + lines(44))),
    (no_function_is_too_long, python("async def f():\n" + lines(45)), python("a = 1\n" * 60)),
    (
        no_rust_function_is_too_long,
        rust("impl A {\n" + LONG_RUST + "}\n"),
        rust("trait A {\n    fn a();\n}\nfn b() {}\nfn c() {\n    1\n}\n" + "// x\n" * 70),
    ),
    (nothing_stray_is_left, python("# FIX" + "ME later\n"), python("# XXXL is a size; fixme is a word\n")),
    (
        banned_calls_have_a_replacement,
        python("asyncio.create_task(f())\n"),
        python(
            "async def f():\n    async with asyncio.TaskGroup() as group:\n        group.create_task(g())\n"
        ),
    ),
    (
        banned_calls_have_a_replacement,
        python("asyncio.ensure_future(f())\n"),
        python("asyncio.get_running_loop()\n"),
    ),
    (banned_calls_have_a_replacement, python("datetime.utcnow()\n"), python("datetime.now(UTC)\n")),
    (banned_calls_have_a_replacement, python("print(1)\n"), python("print(1)\n", "gateway/cli/study.py")),
    (
        nobody_catches_everything,
        python("try:\n    f()\nexcept Exception:\n    pass\n"),
        python("try:\n    f()\nexcept OSError:\n    pass\n"),
    ),
    (
        nobody_catches_everything,
        python("try:\n    f()\nexcept (OSError, Exception) as error:\n    raise X from error\n"),
        python("try:\n    f()\nexcept Exception:\n    pass\n", "gateway/app.py"),
    ),
    (
        nobody_catches_everything,
        python("try:\n    f()\nexcept:\n    g()\n"),
        python("try:\n    f()\nexcept BaseException:\n    g()\n    raise\n"),
    ),
    (
        sql_lives_in_sql_files,
        python('q = "SELECT 1 FROM study"\n'),
        python('def f():\n    """SELECT is a word here."""\n'),
    ),
    (sql_lives_in_sql_files, python('q = f"DELETE FROM {t}"\n'), python('q = "select a study; update it"\n')),
    (sql_lives_in_sql_files, python('q = """\n  CREATE TABLE a (b int)"""\n'), python('q = "INSERT coin"\n')),
    (
        no_registry_is_named,
        File("Makefile", "pip -i https://pypi" + ".org/simple\n"),
        File("Makefile", "pip install\n"),
    ),
    (no_registry_is_named, File("docs/a.md", "see crates" + ".io\n"), File("Cargo.lock", "crates" + ".io\n")),
    (
        no_machine_is_named,
        File("a.toml", 'x = "/ro' + 'ot/.cargo"\n'),
        File("a.md", "work/root/home/x and ../home\n"),
    ),
    (
        no_machine_is_named,
        File("docs/a.md", "in /wo" + "rk/shared\n"),
        File("a.md", "/tmp/kuva and /dev/shm\n"),
    ),
    (
        every_requirement_is_pinned_with_hashes,
        File("requirements/a.txt", HASHED + "two==2.0\n"),
        File("requirements/a.txt", "# why\n" + HASHED + "    # via x\n" + HASHED),
    ),
    (
        every_requirement_is_pinned_with_hashes,
        File("requirements/a.txt", "one>=1\n"),
        File("requirements/a.in", "one\n"),
    ),
)


@pytest.mark.parametrize(("rule", "bad", "good"), SAMPLES, ids=lambda value: getattr(value, "__name__", ""))
def test_the_rule_objects_to_a_bad_sample_only(rule: Rule, bad: File, good: File):
    assert list(rule(bad))
    assert not list(rule(good))


def test_every_rule_has_a_negative_control():
    assert {rule for rule, _, _ in SAMPLES} == set(RULES)
