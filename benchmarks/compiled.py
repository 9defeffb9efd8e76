"""Training beside what compiles a whole training step: torch.compile and JAX; and beside eager
PyTorch whose images are channels_last.

Every side has two threads, a process of its own, the same weights and inputs; what they compute is
compared before it is timed. Rounds alternate between all of them. The ratio is to the fastest of
the others.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.util
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from cases import CASES, Case, operations
from check import DifferenceError, check_training
from machine import describe, keep_to_cores, version
from processes import Side, alternate
from report import TRAINING, Target, Timing, number_text, table, targets_table
from settings import Setting

_HERE = Path(__file__).parent

SIDES = {
    "channels_last": ("pytorch", "channels_last"),
    "compile": ("pytorch", "compile"),
    "channels_last+compile": ("pytorch", "channels_last+compile"),
    "max-autotune": ("pytorch", "channels_last+max-autotune"),
    "jax": ("jax", ""),
    "eager": ("pytorch", ""),
    "float32": ("protonet", ""),
}
"""The module and the mode of every side beside protonet; ``float32`` is protonet itself, beside
bfloat16.
"""

TITLES = {
    "channels_last": "channels_last",
    "compile": "torch.compile",
    "channels_last+compile": "torch.compile, channels_last",
    "max-autotune": "max-autotune, channels_last",
    "jax": "JAX jit",
    "eager": "PyTorch",
    "float32": "float32",
}

_USUAL = ["channels_last", "compile", "channels_last+compile", "jax"]

_TARGETS = {
    "float32": {
        "lenet": 2.0,
        "cifar10": 1.3,
        "googlenet": 1.3,
        "resnet50": 1.2,
        "mobilenet": 1.2,
    },
    "bfloat16": {"resnet50": 1.0},
}
"""At least so many times as fast as the fastest of the others."""
_OWN = 1.5
"""In bfloat16: at least so many times as fast as protonet in float32."""


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    words = {"type": lambda text: text.split(","), "metavar": "NAME,..."}
    parser.add_argument("--only", **words, help=f"networks to measure, of {', '.join(CASES)}")
    parser.add_argument("--sides", **words, help=f"of {', '.join(SIDES)}; or 'none'")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.0, help="of a turn: 2")
    parser.add_argument("--precision", choices=list(_TARGETS), default="float32")
    parser.add_argument(
        "--markdown",
        action="store_true",
        help="write RESULTS-COMPILED.md too, or RESULTS-COMPILED-BFLOAT16.md",
    )
    found = parser.parse_args(arguments)
    if found.only is None:
        found.only = list(_TARGETS[found.precision])
    if found.sides is None:
        found.sides = [*_USUAL, *(["float32"] if found.precision == "bfloat16" else [])]
    if found.sides == ["none"]:
        found.sides = []
    for given, known in ((found.only, CASES), (found.sides, SIDES)):
        for name in given:
            if name not in known:
                parser.error(f"unknown '{name}'; there are {', '.join(known)}")
    return found


def main() -> None:
    """Measure, print, and write with --markdown."""
    asked = options()
    keep_to_cores()
    for name in list(asked.sides):
        module = {"pytorch": "torch"}.get(SIDES[name][0], SIDES[name][0])
        if importlib.util.find_spec(module) is None:
            print(f"{TITLES[name]} is skipped: {module} is not installed")
            asked.sides.remove(name)
    timings = list(measure(asked))
    today = datetime.datetime.now(datetime.UTC).date()
    facts = [
        *describe(Setting(precision=asked.precision)),
        f"jax {version('jax')}",
        f"{today}, {asked.rounds} rounds",
    ]
    head = "\n".join(f"- {line}" for line in facts)
    text = "\n\n".join(["# Training beside compilers", head, *tables(timings, asked)]) + "\n"
    print(text, end="")
    if asked.markdown:
        suffix = "" if asked.precision == "float32" else f"-{asked.precision.upper()}"
        (_HERE / f"RESULTS-COMPILED{suffix}.md").write_text(text)


def measure(asked: argparse.Namespace) -> Iterator[Timing]:
    """The times of every network: nothing runs in parallel to what is timed."""
    setting = Setting(precision=asked.precision)
    with tempfile.TemporaryDirectory() as folder:
        for name in asked.only:
            # Compilers keep what they made: every network has processes of its own.
            with ExitStack() as stack:
                sides = {
                    side: stack.enter_context(start(side, setting))
                    for side in ["protonet", *asked.sides]
                }
                yield _timing(name, sides, Path(folder), asked)


def start(side: str, setting: Setting) -> Side:
    """The process of a side."""
    if side == "protonet":
        return Side(side, setting)
    module, mode = SIDES[side]
    precision = "float32" if side == "float32" else setting.precision
    return Side(module, replace(setting, precision=precision, mode=mode))


def _timing(
    name: str, sides: Mapping[str, Side], folder: Path, asked: argparse.Namespace
) -> Timing:
    case, weights = CASES[name], folder / f"{name}.npz"
    print(f"{name} ...", file=sys.stderr, flush=True)
    sides["protonet"].ask("write_weights", case=name, path=str(weights))
    sides = dict(_alike(case, sides, weights))
    for side in sides.values():
        side.ask(TRAINING, case=name, weights=str(weights))
    seconds = alternate(sides, asked.rounds, asked.seconds)
    weights.unlink()
    timing = Timing(case, TRAINING, case.batch, 3 * operations(case.training()), seconds)
    print(f"  {timing}", file=sys.stderr, flush=True)
    return timing


def _alike(case: Case, sides: Mapping[str, Side], weights: Path) -> Iterator[tuple[str, Side]]:
    """protonet, and the sides that compute the same; the others are named."""
    ours = sides["protonet"]
    yield "protonet", ours
    for name, side in sides.items():
        if side is ours:
            continue
        try:
            check_training(case, {"protonet": ours, name: side}, weights)
        except DifferenceError as error:
            print(f"  {TITLES[name]} is left out: {error}", file=sys.stderr, flush=True)
        else:
            yield name, side


def tables(timings: Sequence[Timing], asked: argparse.Namespace) -> Iterator[str]:
    """The times, how many times as fast protonet is as each side, and the targets."""
    names = [TITLES[side] for side in asked.sides]
    rows = [
        [each.case.title, str(each.batch)]
        + [number_text(each.milliseconds(side)) for side in ("protonet", *asked.sides)]
        for each in timings
    ]
    head = ["network", "batch", "protonet ms", *(f"{name} ms" for name in names)]
    yield f"## One iteration\n\n{table(head, rows)}"
    if asked.sides:
        rows = [
            [each.case.title, str(each.batch)]
            + [
                number_text(each.ratio_to(side), " x") if side in each.seconds else ""
                for side in asked.sides
            ]
            for each in timings
        ]
        note = "How many times as fast as each of them protonet is."
        yield f"## Ratios\n\n{note}\n\n{table(['network', 'batch', *names], rows)}"
    found = list(targets(timings, asked.precision))
    if found:
        yield targets_table(found)


def targets(timings: Sequence[Timing], precision: str) -> Iterator[Target]:
    """The targets that there are measurements for."""
    for timing in timings:
        name = f"{timing.case.title} {timing.batch}, training"
        wanted = _TARGETS[precision].get(timing.case.name)
        peers = timing.without("float32")
        if wanted is not None and peers.ratio is not None and peers.fastest is not None:
            yield Target.at_least(name, wanted, peers.ratio, f" x {TITLES[peers.fastest]}")
        if "float32" in timing.seconds and wanted is not None:
            own = timing.ratio_to("float32")
            yield Target.at_least(name, _OWN, own, " x protonet in float32")


if __name__ == "__main__":
    main()
