"""The rules of the house that a machine can check."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "protonet"

FLOORS = [
    {"errors", "host", "registry", "resources", "sizes"},
    {"device", "gpus", "precision", "proto", "cuda_graph", "ranks", "staging"},
    {"kernels", "data", "blob", "formats"},
    {"layers", "solvers"},
    {"graph"},
    {"train"},
    {"torch7"},
    {"jobs", "onnx", "pycaffe", "testing"},
    {"cli", "web"},
]
"""From the ground up: a module imports from its own floor or a lower one."""

HEAVY = {"numpy", "matplotlib", "rich", "PIL", "h5py", "cupy", "lark", "lmdb", "google"}


@cache
def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULE = re.compile(r"protonet(\.\w+)+\.?")


def named_in_strings(tree: ast.Module) -> Iterator[str]:
    """The modules of the package that constants name, as what follows ``-m`` does; of an f-string
    the package that it begins with, as in ``f"protonet.cli.{name}"``. Texts that only speak of
    a module, such as docstrings, are longer than its name.
    """
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        name = node.value.strip()
        if MODULE.fullmatch(name):
            yield name.removesuffix(".")


@cache
def imports(path: Path) -> tuple[str, ...]:
    """The modules that a file imports or names in a string, anywhere in it."""
    tree = parsed(path)
    found = [*named_in_strings(tree)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.append(node.module or "")
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return tuple(found)


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def top_level_imports(path: Path) -> Iterator[str]:
    for node in parsed(path).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def floor(module: str) -> int | None:
    """The floor of a module of the package; None for others, and for the package itself."""
    parts = module.split(".")
    if parts[0] != "protonet" or len(parts) < 2:
        return None
    for level, names in enumerate(FLOORS):
        if parts[1] in names:
            return level
    return None


def test_imports_point_only_down() -> None:
    higher = [
        f"{name_of(path)} imports {module} from a higher floor"
        for path in modules()
        for module in imports(path)
        if (own := floor(name_of(path))) is not None
        and (other := floor(module)) is not None
        and other > own
    ]
    assert higher == []


def test_every_module_has_a_floor() -> None:
    entry = {"protonet", "protonet.__main__"}
    lost = [n for n in map(name_of, modules()) if n not in entry and floor(n) is None]
    assert lost == []


def test_packages_of_a_floor_do_not_import_each_other_in_circles() -> None:
    graph: dict[str, set[str]] = {}
    for path in modules():
        parts = name_of(path).split(".")
        if len(parts) < 2:
            continue
        for module in imports(path):
            other = module.split(".")
            if other[0] == "protonet" and len(other) > 1 and other[1] != parts[1]:
                graph.setdefault(parts[1], set()).add(other[1])
    assert circle(graph) == []


def test_rooms_of_jobs_import_only_those_named_before_them() -> None:
    """In the order in which the docstring of the package tells of them."""
    rooms = [path.parent.name for path in sorted((PACKAGE / "jobs").glob("*/__init__.py"))]
    told = ast.get_docstring(ast.parse((PACKAGE / "jobs" / "__init__.py").read_text())) or ""
    order = [name for name in re.findall(r"``(\w+)``", told) if name in rooms]
    assert sorted(order) == rooms
    for path in modules():
        parts = name_of(path).split(".")
        if parts[1:2] != ["jobs"] or len(parts) < 4:
            continue
        for module in imports(path):
            other = module.split(".")
            if other[:2] == ["protonet", "jobs"] and len(other) > 2 and other[2] in order:
                assert order.index(other[2]) <= order.index(parts[2]), (name_of(path), module)


def test_rooms_of_jobs_stay_small() -> None:
    counts = {
        path.parent.name: len(list(path.parent.glob("*.py")))
        for path in (PACKAGE / "jobs").glob("*/__init__.py")
    }
    assert {room: count for room, count in counts.items() if count > 10} == {}


@cache
def imported_modules() -> dict[str, set[str]]:
    """What each module imports of the package, anywhere in it: of ``from a import b``, the module
    a.b where there is one, else a.
    """
    known = {name_of(path): path for path in modules()}
    found = {}
    for name, path in known.items():
        named = set(imports(path))
        others = {each for each in named if each in known}
        parents = {each.rpartition(".")[0] for each in others} & named
        # `from protonet.proto import rules` names the package only on the way to the module.
        plain = {
            node.module
            for node in ast.walk(parsed(path))
            if isinstance(node, ast.ImportFrom)
            and any(f"{node.module}.{alias.name}" not in known for alias in node.names)
        }
        found[name] = (others - (parents - plain)) - {name}
    return found


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """Names of which each needs the next and the last the first; empty where there are none."""
    done: set[str] = set()

    def visit(name: str, above: tuple[str, ...]) -> list[str]:
        if name in above:
            return [*above[above.index(name) :], name]
        if name in done:
            return []
        for other in sorted(graph.get(name, ())):
            if found := visit(other, (*above, name)):
                return found
        done.add(name)
        return []

    return next((found for name in sorted(graph) if (found := visit(name, ()))), [])


def test_modules_do_not_import_each_other_in_circles() -> None:
    """Inside a package too, and not by imports inside of functions or for types alone."""
    assert circle(imported_modules()) == []


def test_modules_named_in_strings_are_found() -> None:
    """Whoever starts or loads a module by its name needs it as one who imports it."""
    text = '''
"""Of protonet.web.api, which this only speaks of."""
import sys
call([sys.executable, "-m", "protonet.cli.job", folder])
module = import_module(f"protonet.cli.{name}")
other = import_module(f"{package}.protonet.web")
told = "protonet.web.api is another"
command = "protonet train"
'''
    assert list(named_in_strings(ast.parse(text))) == ["protonet.cli.job", "protonet.cli"]
    assert floor("protonet.cli.job") == floor("protonet.web")


def test_modules_named_in_strings_count_as_imports(tmp_path: Path) -> None:
    made_up = tmp_path / "launcher.py"
    made_up.write_text('import sys\nARGUMENTS = [sys.executable, "-m", "protonet.cli.app"]\n')
    assert set(imports(made_up)) == {"sys", "protonet.cli.app"}


def test_circles_are_found() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert circle({"a": {"b"}, "b": {"c", "d"}, "d": {"b"}}) == ["b", "d", "b"]
    graph = dict(imported_modules())
    assert "protonet.proto.upgrade" in graph["protonet.proto.text"]
    graph["protonet.proto.upgrade"] = graph["protonet.proto.upgrade"] | {"protonet.proto.text"}
    assert set(circle(graph)) == {"protonet.proto.text", "protonet.proto.upgrade"}


def test_only_the_device_imports_cupy() -> None:
    users = {
        name_of(path)
        for path in modules()
        if any(module.split(".")[0] in ("cupy", "cupyx") for module in imports(path))
    }
    assert users == {"protonet.device"}


def test_help_needs_no_heavy_import() -> None:
    script = (
        "import sys; from protonet.cli import main; main(['--help'], )\n"
        f"heavy = {sorted(HEAVY)!r}\n"
        "print([name for name in heavy if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stderr.strip() == "[]"
    assert "Usage" in done.stdout


def test_matplotlib_and_rich_are_imported_where_they_are_used() -> None:
    late = {"matplotlib", "rich", "h5py", "lark"}
    early = {
        (name_of(path), module)
        for path in modules()
        for module in top_level_imports(path)
        if module.split(".")[0] in late
    }
    assert early == set()


def test_tests_mirror_the_tree() -> None:
    missing = []
    for path in modules():
        inside = path.relative_to(PACKAGE)
        if path.stem in ("__init__", "__main__"):
            continue
        mirror = ROOT / "tests" / inside.with_name(f"test_{inside.name}")
        if not mirror.exists():
            missing.append(f"{inside} has no {mirror.relative_to(ROOT)}")
    assert missing == []


MOST_LINES = {"file": 350, "function": 40}

REASON = re.compile(r"\s*# long: \S")
"""Right above a function, or its decorators, that is better read whole; the reason follows."""


def test_files_stay_small() -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for path in modules()
        if (count := len(path.read_text().splitlines())) > MOST_LINES["file"]
    }
    assert long == {}


def long_functions(
    text: str, most: int, tree: ast.Module | None = None
) -> tuple[dict[str, int], list[int]]:
    """Functions of more lines than ``most`` that have no reason above them, and the lines of
    reasons that no such function is below.
    """
    lines = text.splitlines()
    reasons = {number for number, line in enumerate(lines, 1) if REASON.match(line)}
    long, used = {}, set()
    for node in ast.walk(tree or ast.parse(text)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        above = min([node.lineno, *(each.lineno for each in node.decorator_list)]) - 1
        count = (node.end_lineno or node.lineno) - node.lineno + 1
        if count > MOST_LINES["function"] and above in reasons:
            used.add(above)
        elif count > most:
            long[node.name] = count
    return long, sorted(reasons - used)


def test_functions_stay_small_or_say_why() -> None:
    most = MOST_LINES["function"]
    found = {
        name_of(path): long_functions(path.read_text(), most, parsed(path)) for path in modules()
    }
    assert {name: each for name, each in found.items() if each != ({}, [])} == {}


def test_reasons_for_long_functions_are_read() -> None:
    long = "def f():\n" + "    x = 1\n" * 40
    assert long_functions(long, 40) == ({"f": 41}, [])
    assert long_functions(long, 41) == ({}, [])
    assert long_functions(f"# long: one table\n@d\n{long}", 40) == ({}, [])
    assert long_functions(f"# long:\n{long}", 40) == ({"f": 41}, [])
    assert long_functions(f"# long: one table\n\n{long}", 40) == ({"f": 41}, [1])
    assert long_functions("# long: no more\ndef f(): ...\n", 40) == ({}, [1])


def tracked() -> list[Path]:
    done = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in done.stdout.split("\0") if name]


def test_the_project_names_no_machine() -> None:
    folders = "|".join(["work", "root", "home", "Users"])
    pattern = re.compile(rf"(?<![\w.$}}])/({folders})/\w")
    found = []
    for path in tracked():
        if path.suffix in (".mdb", ".npz", ".png", ".h5") or "golden" in path.parts:
            continue
        if not path.is_file():
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if pattern.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert found == []


CODE_FROM_DATA = {
    "pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "yaml",
}  # fmt: skip


def runs_code(path: Path) -> Iterator[str]:
    """What of a file may run code that is data. An exec of an empty text runs nothing."""
    for module in imports(path):
        if module.split(".")[0] in CODE_FROM_DATA:
            yield f"{name_of(path)} imports {module}"
    for node in ast.walk(parsed(path)):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        if name == "exec" and ast.unparse(node) == "exec('')":
            continue
        given = {each.arg: each.value for each in node.keywords}
        reads = name.split(".")[-1] in ("load", "read_array") and name.startswith(("np.", "numpy."))
        plain = "allow_pickle" in given and ast.unparse(given["allow_pickle"]) == "False"
        if name in ("eval", "exec", "compile", "__import__") or (reads and not plain):
            yield f"{name_of(path)}, line {node.lineno}: {name}"


def test_no_file_can_run_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No pickle, no eval, and arrays of NumPy only where pickles in them are refused."""
    assert [each for path in modules() for each in runs_code(path)] == []
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    bad = tmp_path / "bad.py"
    bad.write_text(
        "import pickle\nexec('')\neval('1')\nnp.load(x)\nnp.load(x, allow_pickle=False)\n"
    )
    assert list(runs_code(bad)) == [
        "bad imports pickle",
        "bad, line 3: eval",
        "bad, line 4: np.load",
    ]


def test_no_two_files_are_one_where_case_does_not_count() -> None:
    """A checkout on macOS or Windows would lose one of them."""
    paths = [path.relative_to(ROOT) for path in tracked()]
    found: dict[str, set[str]] = {}
    for path in (*paths, *(folder for each in paths for folder in each.parents)):
        found.setdefault(str(path).casefold(), set()).add(str(path))
    assert len(paths) > 100
    assert [names for names in found.values() if len(names) > 1] == []
