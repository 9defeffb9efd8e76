"""Inference in 8-bit integers beside onnxruntime's models in QDQ form, and beside float32.

Both sides are calibrated with the same inputs, and have per-channel weights, two threads and a
process of their own. Their answers are compared with protonet's in float32 before they are timed.
Rounds alternate between all. What was measured is kept in a folder, so that a run may be done in
pieces; the table is of all that is there.
"""

from __future__ import annotations

import argparse
import datetime
import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cases import CASES, Case
from engine_models import BATCHES, inputs_file, make_models, model_file
from engine_report import Kept, Measured
from engines import NETWORKS, answer_of
from int8_models import MODEL, make_int8
from machine import describe_engines, keep_to_cores
from processes import Engine, alternate
from report import Target, number_text, table, targets_table

_HERE = Path(__file__).parent
_LEAST = 1.0
"""How many times as fast as onnxruntime's."""
_SNR = 10.0
"""Decibels from an answer in float32, so that a side is timed."""


class _Side(NamedTuple):
    """An engine, and how it computes."""

    engine: str
    precision: str
    title: str


SIDES = {
    "float32": _Side("protonet", "float32", "protonet float32"),
    "protonet": _Side("protonet", "int8", "protonet int8"),
    "onnxruntime": _Side("onnxruntime", "int8", "onnxruntime QDQ"),
}


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    several = {"type": lambda text: text.split(","), "metavar": "NAME,..."}
    parser.add_argument("--only", default=list(NETWORKS), help="networks to measure", **several)
    parser.add_argument("--batch", type=int, choices=BATCHES, help="1 or 16; both by default")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.5, help="of a turn")
    parser.add_argument("--folder", type=Path, default=_HERE.parent / "build" / "engines")
    parser.add_argument("--prepare", action="store_true", help="only write the files")
    parser.add_argument("--report", action="store_true", help="only print what was measured")
    parser.add_argument("--markdown", action="store_true", help="write RESULTS-INT8.md, too")
    found = parser.parse_args(arguments)
    if unknown := [name for name in found.only if name not in NETWORKS]:
        parser.error(f"there is no '{unknown[0]}', but {', '.join(NETWORKS)}")
    found.batches = [found.batch] if found.batch else list(BATCHES)
    return found


def main() -> None:
    """Measure, print, and write with --markdown."""
    asked = options()
    keep_to_cores()
    kept = Kept(asked.folder, "int8")
    for name in () if asked.report else asked.only:
        case = CASES[name]
        make_models(asked.folder, case, ())
        missing = make_int8(asked.folder, case)
        for batch in () if asked.prepare else asked.batches:
            measured = times(case, batch, missing, asked)
            kept.write(name, batch, measured)
            print(f"{name} {batch}: {measured}", file=sys.stderr, flush=True)
    today = datetime.datetime.now(datetime.UTC).date()
    head = [*describe_engines("8-bit integers"), f"{today}"]
    text = report(head, list(kept.times()))
    print(text, end="")
    if asked.markdown:
        (_HERE / "RESULTS-INT8.md").write_text(text)


def times(case: Case, batch: int, missing: dict[str, str], asked: argparse.Namespace) -> Measured:
    """The times of those sides whose answers are near to float32; ``apart`` are decibels."""
    measured = Measured(dict(missing), {}, {})
    with ExitStack() as stack:
        running: dict[str, Engine] = {}
        exact: np.ndarray | None = None
        for name, side in SIDES.items():
            if name in missing:
                continue
            engine = stack.enter_context(Engine(side.engine, side.precision))
            model = model_file(asked.folder, case, side.engine, batch)
            if side.engine == "onnxruntime":
                model = model.with_name(MODEL)
            inputs = inputs_file(asked.folder, case, batch)
            try:
                answer = answer_of(engine, model, inputs)
            except RuntimeError as error:
                measured.missing[name] = str(error)
                continue
            exact = answer if exact is None else exact
            measured.apart[name] = snr = decibels(exact, answer)
            if snr >= _SNR:
                running[name] = engine
            else:
                measured.missing[name] = f"its answer is {snr:.1f} dB from float32"
        measured.seconds = alternate(running, asked.rounds, asked.seconds)
    return measured


def decibels(exact: np.ndarray, answer: np.ndarray) -> float:
    """The ratio of an answer to its error, both without their means: those of random weights are
    nearly equal for all classes.
    """
    values, other = (x.reshape(len(x), -1).astype(np.float64) for x in (exact, answer))
    noise = float(np.sum(np.square(values - other)))
    signal = float(np.sum(np.square(values - values.mean(axis=1, keepdims=True))))
    if not noise or not signal:
        return -math.inf if noise else math.inf
    return 10 * math.log10(signal / noise)


def report(head: Sequence[str], found: Sequence[tuple[str, int, Measured]]) -> str:
    """The table of all that was measured, and the targets."""
    lines = "\n".join(f"- {line}" for line in head)
    heads = ["network", "batch", *(f"{side.title}, ms" for side in SIDES.values())]
    heads += ["beside onnxruntime", "beside float32", "protonet, dB", "onnxruntime, dB"]
    rows = []
    for name, batch, measured in found:
        row = [CASES[name].title, str(batch)]
        row += [number_text(measured.milliseconds(side)) for side in SIDES]
        row += [_times(measured.ratio(side)) for side in ("onnxruntime", "float32")]
        apart = [measured.apart.get(side) for side in ("protonet", "onnxruntime")]
        rows.append([*row, *("" if snr is None else f"{snr:.1f}" for snr in apart)])
    missing = [
        f"{CASES[name].title} {batch}: {SIDES[side].title}: {why}"
        for name, batch, measured in found
        for side, why in measured.missing.items()
    ]
    parts = ["# Inference in 8-bit integers", lines, table(heads, rows), *missing]
    parts += [_NOTE, targets_table(list(_targets(found)))]
    return "\n\n".join(parts) + "\n"


_NOTE = (
    "Times are medians of rounds, ratios medians of the rounds' ratios. Weights are random, as the "
    "networks' fillers make them, and inputs are noise: dB is the ratio of the spread of an answer "
    "to its distance from protonet's in float32. docs/quantization.md has accuracies of trained "
    "networks."
)


def _times(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f} x"


def _targets(found: Sequence[tuple[str, int, Measured]]) -> Iterator[Target]:
    for name, batch, measured in found:
        ratio = measured.ratio("onnxruntime")
        if ratio is not None:
            yield Target.at_least(f"{CASES[name].title} {batch}", _LEAST, ratio, " x")


if __name__ == "__main__":
    main()
