"""The targets on one GPU, in one precision: protonet beside PyTorch with everything on.

Training of LeNet and ResNet-50, batch 64, beside eager PyTorch (cudnn.benchmark, channels_last) and
torch.compile; inference of ResNet-50 at batch 1, a recorded graph of protonet's beside eager
PyTorch. What the sides compute is compared first; then rounds alternate.
"""

from __future__ import annotations

import argparse
import datetime
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from cases import CASES
from check import check_inference, check_training
from machine import describe, keep_to_cores
from processes import Side, alternate
from report import Target, targets_table
from settings import PRECISIONS, Setting

_HERE = Path(__file__).parent
EAGER, COMPILED = "pytorch_eager_gpu", "pytorch_compiled_gpu"
TRAINING = {("lenet", EAGER): 3.0, ("resnet50", EAGER): 1.0, ("resnet50", COMPILED): 0.9}
"""At least so many times as fast, by network and side."""
INFERENCE = 2.0
"""The same of ResNet-50 at batch 1 beside eager PyTorch."""
TITLES = {EAGER: "eager PyTorch", COMPILED: "torch.compile"}


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--precision", choices=PRECISIONS, default="tf32")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0, help="of a turn")
    parser.add_argument("--only", type=lambda text: text.split(","), default=["lenet", "resnet50"])
    parser.add_argument("--skip-compiled", action="store_true")
    parser.add_argument(
        "--markdown", action="store_true", help="write RESULTS-BARS-PRECISION.md too"
    )
    return parser.parse_args(arguments)


def main() -> None:
    """Measure, print, and write with --markdown."""
    asked = options()
    keep_to_cores()
    setting = Setting(asked.device, asked.precision)
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        names = ["protonet", EAGER, *([] if asked.skip_compiled else [COMPILED])]
        sides = {name: stack.enter_context(Side(name, setting)) for name in names}
        found = list(measure(sides, setting, asked, Path(folder)))
    today = datetime.datetime.now(datetime.UTC).date()
    head = "\n".join(
        f"- {line}" for line in [*describe(setting), f"{today}, {asked.rounds} rounds"]
    )
    text = f"# Results on a GPU\n\n{head}\n\n{targets_table(found)}\n"
    print(text, end="")
    if asked.markdown:
        (_HERE / f"RESULTS-BARS-{asked.precision}.md").write_text(text)


def measure(
    sides: dict[str, Side], setting: Setting, asked: argparse.Namespace, folder: Path
) -> Iterator[Target]:
    """Every target that is asked for."""
    for name in asked.only:
        case, weights = CASES[name].on(setting), folder / f"{name}.npz"
        sides["protonet"].ask("write_weights", case=name, path=str(weights))
        taken = {
            side: process
            for side, process in sides.items()
            if side == "protonet" or (name, side) in TRAINING
        }
        for side in taken.keys() - {"protonet"}:
            check_training(case, {"protonet": sides["protonet"], "pytorch": taken[side]}, weights)
        for process in taken.values():
            process.ask("training", case=name, weights=str(weights))
        seconds = alternate(taken, asked.rounds, asked.seconds)
        for side in taken.keys() - {"protonet"}:
            title = f"{case.title} {case.batch}, training, beside {TITLES[side]}"
            yield Target.at_least(title, TRAINING[name, side], ratio(seconds, side), " x")
        if name == "resnet50":
            pair = {"protonet": sides["protonet"], "pytorch": sides[EAGER]}
            check_inference(case, pair, weights)
            for process in pair.values():
                process.ask("inference", case=name, weights=str(weights), batch=1)
            seconds = alternate(pair, asked.rounds, asked.seconds)
            title = f"{case.title} 1, inference, beside {TITLES[EAGER]}"
            yield Target.at_least(title, INFERENCE, ratio(seconds, "pytorch"), " x")


def ratio(seconds: dict[str, list[float]], side: str) -> float:
    """How many times as fast protonet is: the median over the rounds' ratios."""
    pairs = zip(seconds["protonet"], seconds[side], strict=True)
    return statistics.median(other / ours for ours, other in pairs)


if __name__ == "__main__":
    main()
