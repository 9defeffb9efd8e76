"""What ``docs/kernels.md`` shows of the kernels, read from their code: which versions there are,
when each is taken, where they are, and which test holds them equal.

``python -m tests.kernels.page`` writes it below the page's introduction.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from itertools import dropwhile, takewhile, zip_longest
from pathlib import Path
from typing import Any

from protonet.kernels import cuda
from protonet.kernels.kernel import Algorithm, Kernel

ROOT = Path(__file__).parents[2]
KERNELS = ROOT / "protonet" / "kernels"
TESTS = ROOT / "tests" / "kernels"
PAGE = ROOT / "docs" / "kernels.md"
BEGIN = "<!-- below: written by `python -m tests.kernels.page` -->\n"

LIBRARIES = {"cublas": "cuBLAS", "cudnn": "cuDNN", "matmul": "BLAS"}
"""By the attribute through which code gets at them."""

MODULES = (
    *("native.load()", "native.of(self.dtype)"),
    *("self._module", "module"),
)
"""What code calls the C++ modules."""

TYPES = ("float32", "float64", "TF32", "float16", "bfloat16")


@dataclass
class Reach:
    """What the code of a version uses, itself or through what it calls."""

    modules: set[str] = field(default_factory=set)
    compiled: set[str] = field(default_factory=set)
    """Names that the C++ modules bind."""
    sources: set[str] = field(default_factory=set)
    """Names of CUDA sources."""
    attributes: set[str] = field(default_factory=set)
    seen: set[Any] = field(default_factory=set)

    def visit(self, thing: Any) -> None:
        """Read a class or function of the kernels, and what of them it names."""
        if isinstance(thing, tuple):
            for each in thing:
                self.visit(each.implementation if isinstance(each, Algorithm) else each)
            return
        ours = getattr(thing, "__module__", "").startswith("protonet.kernels.")
        if not (inspect.isclass(thing) or inspect.isfunction(thing)) or not ours:
            return
        if thing in self.seen:
            return
        self.seen.add(thing)
        self.modules.add(thing.__module__.removeprefix("protonet.kernels."))
        names = vars(sys.modules[thing.__module__])
        for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(thing)))):
            if isinstance(node, ast.Name):
                self.visit(names.get(node.id))
            elif isinstance(node, ast.Attribute):
                self.attributes.add(node.attr)
                if ast.unparse(node.value) in MODULES:
                    self.compiled.add(node.attr)
            elif isinstance(node, ast.Constant) and node.value in cuda.sources():
                self.sources.add(node.value)
        for base in getattr(thing, "__mro__", ()):
            self.visit(base)

    @property
    def libraries(self) -> list[str]:
        return [name for key, name in LIBRARIES.items() if key in self.attributes]


@cache
def reach_of(version: type[Kernel], definition: type[Kernel] | None = None) -> Reach:
    """That of a version, or of a definition; what a version inherits is the definition's."""
    reach = Reach(seen={Kernel, *(definition.__mro__ if definition else ())})
    reach.visit(version)
    return reach


def chapters() -> list[str]:
    """The modules of definitions; those that hold the choice and its words are not among them."""
    return sorted(path.stem for path in KERNELS.glob("*.py") if path.stem not in MACHINERY)


MACHINERY = {"__init__", "kernel"}

WORD = re.compile(r"\w+")


@cache
def used_words() -> set[str]:
    """The words in the code of those above the kernels that import any."""
    texts = (path.read_text() for path in (ROOT / "protonet").rglob("*.py") if not is_kernel(path))
    return {word for text in texts if "protonet.kernels" in text for word in WORD.findall(text)}


def is_kernel(path: Path) -> bool:
    return KERNELS in path.parents


def names_of(chapter: str) -> Iterator[tuple[str, Any]]:
    """The classes and functions of a chapter that layers, solvers and others use, and kernels that
    a function of it selects for them.
    """
    module = import_module(f"protonet.kernels.{chapter}")
    for name, thing in vars(module).items():
        made_here = getattr(thing, "__module__", "") == module.__name__
        if name.startswith("_") or not made_here or getattr(thing, "processor", ""):
            continue
        selected = inspect.isclass(thing) and issubclass(thing, Kernel) and thing.versions()
        if name in used_words() or selected:
            yield name, thing


def kernels(chapter: str) -> list[type[Kernel]]:
    """The definitions of a chapter, without bases that only others are made of."""
    found = [t for _, t in names_of(chapter) if inspect.isclass(t) and issubclass(t, Kernel)]
    return [kind for kind in found if kind.versions() or not is_base(kind)]


def is_base(kind: type[Kernel]) -> bool:
    return any(not each.processor for each in kind.__subclasses__())


def functions(chapter: str) -> list[str]:
    """What a chapter has beside kernels, which has one version."""
    return [
        name
        for name, thing in names_of(chapter)
        if inspect.isfunction(thing) or (inspect.isclass(thing) and not issubclass(thing, Kernel))
    ]


@cache
def instruction_sets() -> str:
    text = (KERNELS / "native" / "CMakeLists.txt").read_text()
    found = re.search(r"set\(INSTRUCTION_SETS (.*?) CACHE", text)
    assert found is not None
    return ", ".join(found[1].split())


@cache
def bound() -> dict[str, set[str]]:
    """In which files of C++ each name is bound: those of bfloat16 may have one of their own."""
    found: dict[str, set[str]] = {}
    for path in sorted((KERNELS / "native").glob("*.cpp")):
        pattern = r'(?:m\.def\(\s*|nb::class_<\w+>\(m, )"(\w+)"'
        for name in re.findall(pattern, path.read_text()):
            found.setdefault(name, set()).add(path.name)
    return found


def included(files: Iterable[str]) -> set[str]:
    """Files of C++ with all that they include, and the code of what headers declare."""
    folder, found, left = KERNELS / "native", set(), list(files)
    while left:
        name = left.pop()
        if name in found or not (folder / name).exists():
            continue
        found.add(name)
        left += re.findall(r'#include "(.*?)"', (folder / name).read_text())
        left += [f"{name[:-2]}.cpp"] if name.endswith(".h") else []
    return found


def files_of(processor: str, reach: Reach) -> list[str]:
    """Where a version is: not what all versions share."""
    if processor == "native":
        files = {name for each in reach.compiled for name in bound()[each]}
        return [f"native/{name}" for name in sorted(files)]
    modules = {each for each in reach.modules if each.startswith("cuda.")} - {"cuda.launch"}
    names = [f"{each.replace('.', '/')}.py" for each in modules]
    return sorted(names + [f"cuda/{each}.cu" for each in reach.sources])


def holding(processor: str, definition: type[Kernel]) -> list[str]:
    """The tests that compare a version with its definition: that of its chapter, or others."""
    folder = TESTS / "cuda" if processor == "cuda" else TESTS
    chapter = definition.__module__.rpartition(".")[2]
    pattern = re.compile(rf"\b{definition.__name__}\b")
    naming = [path for path in sorted(folder.glob("test_*.py")) if pattern.search(tested(path))]
    own = [path for path in naming if f"{path.stem}_".startswith(f"test_{chapter}_")]
    return [str(path.relative_to(ROOT)) for path in own or naming]


@cache
def tested(path: Path) -> str:
    """The text of a test, and of the tests whose cases and comparisons it takes."""
    text = path.read_text()
    others = re.findall(r"from tests\.kernels\.(test_\w+) import", text)
    return "\n".join([text, *((TESTS / f"{name}.py").read_text() for name in others)])


def types_of(version: type[Kernel], reach: Reach) -> str:
    types = version.dtypes | ({"TF32"} if "tf32" in reach.attributes else set())
    assert types <= set(TYPES), types
    needed = {
        name: f" ({what.upper()})" for name, what in getattr(version, "instructions", {}).items()
    }
    return ", ".join(f"{name}{needed.get(name, '')}" for name in TYPES if name in types)


def conditions(version: type[Kernel]) -> str:
    """When a version is taken, and which of its algorithms when."""
    parts = ["; ".join(each.words for each in version.requires)] if version.requires else []
    for algorithm in version.algorithms:
        made = algorithm.implementation
        name = made if isinstance(made, str) else lowered(made.__doc__)
        parts.append(f"*{name}*: {algorithm.condition.words}")
    return "<br>".join(parts) or "always"


def first_sentence(text: str) -> str:
    return " ".join(re.split(r"(?<=[.:])\s", text.strip(), maxsplit=1)[0].rstrip(".:").split())


def lowered(text: str | None) -> str:
    """The first sentence, to stand inside another; names keep their capital letters."""
    assert text
    sentence = first_sentence(text).replace("``", "`")
    return (
        sentence
        if sentence[1].isupper() or sentence[:2] == "cu"
        else sentence[0].lower() + sentence[1:]
    )


def rows_of(definition: type[Kernel]) -> tuple[str, ...]:
    """The lines of a kernel without its name: its definition, then its versions."""
    own, moves = reach_of(definition), " (only moved)" if definition.moves else ""
    blas = ", products by OpenBLAS or cuBLAS" if "BLAS" in own.libraries else ""
    module = f"`{definition.__module__.rpartition('.')[2]}.py`"
    rows = [f"NumPy or CuPy{blas} | all{moves} | where no other is | {module} | |"]
    for processor, version in sorted(definition.versions().items(), reverse=True):
        reach = reach_of(version, definition)
        made = ["C++" if processor == "native" else "CUDA"] if reach_is_own(reach) else []
        shown = f"{', '.join(made + reach.libraries)}: {lowered(version.__doc__)}"
        files = ", ".join(f"`{file}`" for file in files_of(processor, reach))
        held = ", ".join(f"`{test}`" for test in holding(processor, definition))
        row = (shown, types_of(version, reach), conditions(version), files, held)
        rows.append(f"{' | '.join(row)} |")
    return tuple(rows)


def lines_of(kinds: Iterable[type[Kernel]]) -> Iterator[str]:
    """The lines of a chapter's table; kernels whose lines are the same share them."""
    same: dict[tuple[str, ...], list[str]] = {}
    for kind in kinds:
        same.setdefault(rows_of(kind), []).append(f"**{kind.__name__}**")
    for rows, names in same.items():
        for row, name in zip_longest(rows, [", ".join(names)], fillvalue=""):
            yield f"| {name} | {row}"


def reach_is_own(reach: Reach) -> bool:
    return bool(reach.compiled or reach.sources)


def first_comment(path: Path) -> str:
    """What a source says of itself first."""
    lines = dropwhile(lambda line: not line.startswith("//"), path.read_text().splitlines())
    block = takewhile(lambda line: line.startswith("//"), lines)
    return first_sentence(" ".join(line.removeprefix("//").strip() for line in block))


def all_files() -> set[str]:
    """The files that are a part of any version."""
    found: set[str] = set()
    for chapter in chapters():
        for definition in kernels(chapter):
            for processor, version in definition.versions().items():
                reach = reach_of(version, definition)
                found.update(files_of(processor, reach))
                found.update(f"{name.replace('.', '/')}.py" for name in reach.modules)
    return found


def shared() -> Iterator[tuple[str, str]]:
    """The sources behind those of the tables: what each is for, and for whom."""
    own = {name.removeprefix("native/") for name in all_files() if name.startswith("native/")}
    for name in sorted(included(own) - own):
        path = KERNELS / "native" / name
        if path.suffix == ".cpp" and path.with_suffix(".h").exists():
            continue
        users = [f"`{each}`" for each in sorted(own) if name in included([each])]
        whose = "all" if len(users) == len(own) else ", ".join(users)
        yield f"native/{name}", f"{first_comment(path)} | {whose}"
    for name in cuda.COMMON:
        yield f"cuda/{name}", f"{first_comment(KERNELS / 'cuda' / name)} | all"


def table() -> str:
    """The generated part of the page."""
    parts = [f"C++ is compiled for {instruction_sets()}; the best that the processor has runs.\n"]
    for chapter in chapters():
        module, kinds, rest = (
            import_module(f"protonet.kernels.{chapter}"),
            kernels(chapter),
            functions(chapter),
        )
        assert module.__doc__ is not None
        if kinds or rest:
            parts.append(f"## {chapter}\n\n{first_sentence(module.__doc__)}.\n")
        if kinds:
            heads = ("kernel", "version", "types", "taken where", "files", "held equal by")
            parts.append(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
            parts[-1] += "\n" + "\n".join(lines_of(kinds)) + "\n"
        if rest:
            parts.append(f"In one version: {', '.join(f'`{name}`' for name in rest)}.\n")
    lines = [f"| `{name}` | {what} |" for name, what in shared()]
    parts.append(
        "## What versions share\n\n| file | what | for |\n|---|---|---|\n" + "\n".join(lines) + "\n"
    )
    return "\n".join(parts)


def page() -> str:
    """The whole page: its introduction as it stands, and the table."""
    introduction, _, _ = PAGE.read_text().partition(BEGIN)
    return f"{introduction}{BEGIN}\n{table()}"


if __name__ == "__main__":
    PAGE.write_text(page())
