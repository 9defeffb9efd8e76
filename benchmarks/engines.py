"""Inference beside the engines that Caffe's networks are deployed with: times, answers, memory.

Every engine has two threads and a process of its own, and opens the same weights: exported to ONNX,
and converted from that where it reads a format of its own. What an engine answers is compared with
protonet's before it is timed. Rounds alternate between all of them. What was measured is kept in a
folder, so that a run may be done in pieces; the tables are of all that is there.
"""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from cases import CASES, Case
from engine_models import BATCHES, inputs_file, make_models, model_file
from engine_processes import STARTED, kinds, peaks, starts
from engine_report import ENGINES, Kept, Measured, report
from machine import describe_engines, keep_to_cores
from processes import Engine, alternate

_HERE = Path(__file__).parent
NETWORKS = (
    *("lenet", "cifar10", "alexnet", "googlenet", "resnet50", "squeezenet"),
    *("mobilenet", "mobilenet_v2", "inception_v3", "vgg16"),
)
_ALLOWED = {"float32": 1e-3, "bfloat16": 0.1}
"""The largest difference of an answer, relative to its largest value. In bfloat16 both sides round,
each in its own places.
"""


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    several = {"type": lambda text: text.split(","), "metavar": "NAME,..."}
    parser.add_argument("--only", default=list(NETWORKS), help="networks to measure", **several)
    parser.add_argument("--engines", default=list(ENGINES), help="and what beside", **several)
    parser.add_argument("--batch", type=int, choices=BATCHES, help="1 or 16; both by default")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.5, help="of a turn")
    parser.add_argument("--precision", choices=_ALLOWED, default="float32")
    parser.add_argument("--folder", type=Path, default=_HERE.parent / "build" / "engines")
    parser.add_argument("--prepare", action="store_true", help="only write the engines' files")
    parser.add_argument("--memory", action="store_true", help="memory in place of times")
    parser.add_argument("--start", action="store_true", help="a process in place of times")
    parser.add_argument("--layers", action="store_true", help="kinds of layers, likewise")
    parser.add_argument("--report", action="store_true", help="only print what was measured")
    parser.add_argument(
        "--markdown", action="store_true", help="write RESULTS-ENGINES.md, or -PRECISION, too"
    )
    found = parser.parse_args(arguments)
    for given, known in ((found.only, NETWORKS), (found.engines, ENGINES)):
        if unknown := [name for name in given if name not in known]:
            parser.error(f"there is no '{unknown[0]}', but {', '.join(known)}")
    found.batches = [found.batch] if found.batch else list(BATCHES)
    return found


def main() -> None:
    """Measure, print, and write with --markdown."""
    asked = options()
    keep_to_cores()
    kept = Kept(asked.folder, asked.precision)
    if not asked.report:
        measure(asked, kept)
    today = datetime.datetime.now(datetime.UTC).date()
    head = [*describe_engines(asked.precision), f"{today}"]
    text = report(head, kept)
    print(text, end="")
    if asked.markdown:
        more = "" if asked.precision == "float32" else f"-{asked.precision}"
        (_HERE / f"RESULTS-ENGINES{more}.md").write_text(text)


def measure(asked: argparse.Namespace, kept: Kept) -> None:
    """All networks at their batches, one after the other."""
    for name in [STARTED] if asked.start else asked.only:
        case = CASES[name]
        _tell(f"{name} ...")
        missing = make_models(asked.folder, case, asked.engines)
        if asked.memory:
            there = [each for each in ("protonet", *asked.engines) if each not in missing]
            kept.write_peaks(name, peaks(asked.folder, case, there, asked.precision))
        elif asked.layers:
            kept.write_kinds(name, kinds(asked.folder, case))
        elif asked.start:
            kept.write_starts(starts(asked.folder, asked.rounds))
        elif not asked.prepare:
            for batch in asked.batches:
                measured = times(case, batch, missing, asked)
                kept.write(name, batch, measured)
                _tell(f"  {batch}: {measured}")


def times(
    case: Case, batch: int, missing: Mapping[str, str], asked: argparse.Namespace
) -> Measured:
    """The times of those engines that answer as protonet does."""
    measured = Measured(dict(missing), {}, {})
    with ExitStack() as stack:
        running: dict[str, Engine] = {}
        answers: dict[str, np.ndarray] = {}
        for name in ("protonet", *asked.engines):
            if name in missing:
                continue
            try:
                engine = stack.enter_context(Engine(name, asked.precision))
                model = model_file(asked.folder, case, name, batch)
                answer = answer_of(engine, model, inputs_file(asked.folder, case, batch))
            except RuntimeError as error:
                if name == "protonet":
                    raise
                measured.missing[name] = str(error)
                continue
            answers[name] = answer
            measured.apart[name] = apart = difference(answer, answers["protonet"])
            if apart <= _ALLOWED[asked.precision]:
                running[name] = engine
            else:
                measured.missing[name] = f"answers differ by {apart:.2g} of the largest value"
        measured.seconds = alternate(running, asked.rounds, asked.seconds)
    return measured


def answer_of(engine: Engine, model: Path, inputs: Path) -> np.ndarray:
    """What an engine answers to the inputs of a file."""
    engine.ask("inference", model=str(model), inputs=str(inputs))
    engine.ask("run", iterations=3)  # the third answer is the first, unless inputs are lost
    path = model.with_name(f"{engine.name}.npy")
    engine.ask("results", path=str(path))
    answer: np.ndarray = np.load(path)
    path.unlink()
    return answer


def difference(answer: np.ndarray, ours: np.ndarray) -> float:
    """The largest one, relative to the largest value; without regard to axes of extent 1."""
    if answer.size != ours.size:
        return float("inf")
    return float(np.abs(answer.reshape(ours.shape) - ours).max() / np.abs(ours).max())


def _tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
