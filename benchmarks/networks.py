"""Every network compared with PyTorch: time of training and inference, memory, and targets.

Both sides have two threads, processes of their own, the same weights and inputs; what they
compute is compared before it is timed. Rounds alternate between them. On a GPU, batches are those
of a GPU, PyTorch chooses its convolutions by measurement (cudnn.benchmark), and computes in 16 bits
by autocast.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from cases import CASES, Case, operations
from check import check_inference, check_training
from machine import clean_environment, describe, keep_to_cores
from processes import Side, alternate
from report import INFERENCE, TRAINING, Memory, Results, Timing
from settings import PRECISIONS, Setting
from startup import first_iteration

_HERE = Path(__file__).parent
_QUICK = ["seed", "digits", "lenet", "cifar10", "alexnet", "mobilenet"]
_BESIDE_ENGINES = ("mobilenet_v2", "inception_v3", "vgg16")
"""Networks that are measured here when they are named: ``engines.py`` is about them."""


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--only",
        type=lambda text: text.split(","),
        metavar="NAME,...",
        help=f"networks to measure, of {', '.join(CASES)}",
    )
    parser.add_argument(
        "--quick", action="store_true", help=f"times only, in short rounds, of {', '.join(_QUICK)}"
    )
    parser.add_argument("--rounds", type=int, help="7, or 3 with --quick")
    parser.add_argument("--seconds", type=float, help="of a turn: 2, or 0.1 with --quick")
    parser.add_argument("--skip-inference", action="store_true", help="training only")
    parser.add_argument("--no-torch", action="store_true", help="protonet alone")
    parser.add_argument("--device", default="cpu", metavar="NAME", help="cpu or cuda:N")
    parser.add_argument("--precision", choices=PRECISIONS, default="float32")
    parser.add_argument(
        "--markdown",
        action="store_true",
        help="write RESULTS.md too, or on a GPU RESULTS-GPU-PRECISION.md",
    )
    found = parser.parse_args(arguments)
    if found.only is None:
        found.only = _QUICK if found.quick else [n for n in CASES if n not in _BESIDE_ENGINES]
    unknown = [name for name in found.only if name not in CASES]
    if unknown:
        parser.error(f"unknown network '{unknown[0]}'; there are {', '.join(CASES)}")
    if found.rounds is None:
        found.rounds = 3 if found.quick else 7
    if found.seconds is None:
        found.seconds = 0.1 if found.quick else 2.0
    found.setting = Setting(found.device, found.precision)
    if found.precision == "tf32" and not found.setting.on_gpu:
        parser.error("tf32 is of GPUs: give --device cuda:0")
    return found


def main() -> None:
    """Measure, print, and write with --markdown."""
    asked = options()
    keep_to_cores()
    names = ["protonet"]
    if asked.no_torch or importlib.util.find_spec("torch") is None:
        print("PyTorch is skipped:", "--no-torch" if asked.no_torch else "it is not installed")
    else:
        names.append("pytorch")
    results = measure(asked, names)
    today = datetime.datetime.now(datetime.UTC).date()
    head = "\n".join(
        f"- {line}" for line in [*describe(asked.setting), f"{today}, {asked.rounds} rounds"]
    )
    text = "\n\n".join(["# Results", head, *results.tables()]) + "\n"
    print(text, end="")
    if asked.markdown:
        gpu = f"-GPU-{asked.precision}" if asked.setting.on_gpu else ""
        (_HERE / f"RESULTS{gpu}.md").write_text(text)


def measure(asked: argparse.Namespace, names: Sequence[str]) -> Results:
    """All measurements, one after the other: nothing runs in parallel to what is timed."""
    setting: Setting = asked.setting
    results = Results(setting=setting)
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        sides = {name: stack.enter_context(Side(name, setting)) for name in names}
        results.gemm = gemm_rates(sides, asked.rounds, setting)
        for name in asked.only:
            _tell(f"{name} ...")
            weights = Path(folder) / f"{name}.npz"
            sides["protonet"].ask("write_weights", case=name, path=str(weights))
            for timing in times(CASES[name].on(setting), sides, weights, asked):
                results.timings.append(timing)
                _tell(f"  {timing}")
            weights.unlink()
    if not asked.quick:
        for name in asked.only:
            _tell(f"{name}, memory ...")
            results.memory += memory(CASES[name].on(setting), names, asked)
        if "seed" in asked.only and setting == Setting():
            _tell("the bare NumPy loop, and the start ...")
            results.bare_ratios = bare_ratios(asked.rounds)
            results.start = first_iteration(asked.rounds, clean_environment())
    return results


def gemm_rates(sides: Mapping[str, Side], rounds: int, setting: Setting) -> dict[str, float]:
    """GFLOP/s of the best of several products on each side."""
    for side in sides.values():
        side.ask("gemm")
    took = alternate(sides, max(5, rounds), 0.1)
    return {name: 2 * setting.tile**3 / min(seconds) / 1e9 for name, seconds in took.items()}


def times(
    case: Case, sides: Mapping[str, Side], weights: Path, asked: argparse.Namespace
) -> Iterator[Timing]:
    """The times of a network, after both sides were checked to compute the same."""
    if len(sides) > 1:
        check_training(case, sides, weights)
        check_inference(case, sides, weights)
    for kind, batch, arguments in _jobs(case, asked):
        for side in sides.values():
            side.ask(kind, case=case.name, weights=str(weights), **arguments)
        plan = case.training() if kind == TRAINING else case.inference(batch)
        count = operations(plan) * (3 if kind == TRAINING else 1)
        yield Timing(case, kind, batch, count, alternate(sides, asked.rounds, asked.seconds))


def memory(case: Case, names: Sequence[str], asked: argparse.Namespace) -> Iterator[Memory]:
    """The peaks of a network's training and inference, each in a fresh process."""
    for kind, batch, arguments in _jobs(case, asked):
        if batch != case.batch:
            continue
        found = {}
        for name in names:
            with Side(name, asked.setting) as side:
                side.ask(kind, case=case.name, weights=None, **arguments)
                side.ask("run", iterations=3)
                imports, peak = side.ask("memory")
                found[name] = (imports, peak)
        yield Memory(case, kind, batch, found)


def bare_ratios(rounds: int) -> list[float]:
    """The seed network's loop relative to bare NumPy: see ``seed_network.py``."""
    command = [sys.executable, str(_HERE / "seed_network.py"), "--rounds", str(rounds), "--json"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=clean_environment())
    found: list[float] = json.loads(done.stdout)
    return found


def _jobs(case: Case, asked: argparse.Namespace) -> Iterator[tuple[str, int, dict[str, int]]]:
    """What is measured of a network: kind, batch, and further arguments of the request."""
    yield TRAINING, case.batch, {}
    if not asked.skip_inference:
        for batch in (1, case.batch):
            yield INFERENCE, batch, {"batch": batch}


def _tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
