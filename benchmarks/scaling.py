"""How training scales from one rank to two on this machine, beside PyTorch's
DistributedDataParallel over gloo; and the sum of the gradients beside MPI_Allreduce.

    python benchmarks/scaling.py [--only lenet,googlenet,resnet50] [--rounds 5] [--seconds 3]

Each rank has one core and one thread. Weak scaling: every rank has the batch of one; strong: the
ranks share it out. An efficiency is images per second of two ranks over twice those of one rank, in
the same round; half: those of one rank with half the batch over those with all of it, which is the
strong efficiency that two ranks would have if they did not disturb each other, and the sum took no
time. Figures are medians of rounds, in which all turns alternate.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.util
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from cases import CASES, Case
from check import check_training
from groups import Group, Turn
from machine import describe
from processes import alternate
from report import Target, number_text, table, targets_table
from settings import Setting

NETWORKS = ("lenet", "googlenet", "resnet50")
RANKS = 2
WEAK = 0.9
"""Efficiency that GoogLeNet and ResNet-50 must reach."""
SUM = 1.15
"""Of the time of MPI_Allreduce, at most."""
_TITLES = {"protonet": "protonet", "pytorch": "DDP"}


@dataclass(frozen=True)
class Scaling:
    """Seconds per iteration of a network in each round: of ``SIDE, one|half|weak|strong`` and,
    of the sums of ``bytes`` of gradients, ``sum`` and ``allreduce``.
    """

    case: Case
    bytes: int
    seconds: Mapping[str, Sequence[float]]

    def rate(self, side: str, job: str) -> float:
        """Images per second."""
        batch = self.case.batch * (RANKS if job == "weak" else 1)
        return batch / median(self.seconds[f"{side}, {job}"])

    def efficiency(self, side: str, job: str) -> float:
        """The share of ``RANKS`` times the speed of one rank that they reach; of ``half``, the
        share of the speed of one rank.
        """
        ideal = 1 if job == "weak" else RANKS
        pairs = zip(self.seconds[f"{side}, one"], self.seconds[f"{side}, {job}"], strict=True)
        return median(one / (ideal * several) for one, several in pairs)

    @property
    def sum_ratio(self) -> float:
        """The time of the sum over that of MPI_Allreduce."""
        pairs = zip(self.seconds["sum"], self.seconds["allreduce"], strict=True)
        return median(ours / theirs for ours, theirs in pairs)

    @property
    def sides(self) -> list[str]:
        """The sides that were measured."""
        return [side for side in _TITLES if f"{side}, one" in self.seconds]

    def row(self) -> list[str]:
        """Of the table."""
        row = [self.case.title, str(self.case.batch)]
        for side in self.sides:
            row += [number_text(self.rate(side, job)) for job in ("one", "weak")]
            row += [f"{self.efficiency(side, job):.3f}" for job in ("weak", "half", "strong")]
        row += [number_text(self.bytes / 2**20)]
        row += [number_text(1000 * median(self.seconds[job])) for job in ("sum", "allreduce")]
        return [*row, f"{self.sum_ratio:.3f}"]

    def targets(self) -> list[Target]:
        """What must be reached."""
        found, name = [], self.case.title
        if self.case.name != "lenet":
            ours = self.efficiency("protonet", "weak")
            found.append(Target.at_least(f"{name}, weak efficiency", WEAK, ours, ""))
        for job in ("weak", "strong") if "pytorch" in self.sides else ():
            ours, theirs = (self.efficiency(side, job) for side in ("protonet", "pytorch"))
            target = f"{name}, {job} efficiency of DDP"
            found.append(Target.at_least(target, round(theirs, 3), ours, ""))
        ratio = Target.at_most(f"{name}, time of the sum", SUM, self.sum_ratio, " x MPI_Allreduce")
        return [*found, ratio]


def tables(results: Sequence[Scaling]) -> str:
    """One table, and the targets.

    Images per second are those of weak scaling; ``weak``, ``half`` and ``strong`` are efficiencies.
    """
    head = ["network", "batch of a rank"]
    for side in results[0].sides:
        title = _TITLES[side]
        head += [f"{title} images/s, 1 rank", f"{RANKS} ranks"]
        head += [f"{title} {job}" for job in ("weak", "half", "strong")]
    head += ["MiB", "sum ms", "MPI_Allreduce ms", "ratio"]
    found = [target for result in results for target in result.targets()]
    return f"{table(head, [result.row() for result in results])}\n\n{targets_table(found)}"


def measure(case: Case, sides: Sequence[str], rounds: int, seconds: float) -> Scaling:
    """Start both groups of each side, compare what they compute, and measure."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)

        def group(side: str, size: int) -> Group:
            own = folder / f"{side}{size}"
            own.mkdir()
            return stack.enter_context(Group(side, size, own))

        groups = {(side, size): group(side, size) for side in sides for size in (1, RANKS)}
        weights = folder / "weights.npz"
        groups["protonet", 1].ask("write_weights", case=case.name, path=str(weights))
        if len(sides) > 1:
            check_training(case, {side: groups[side, RANKS] for side in sides}, weights)
        turns = {}
        for side in sides:
            for job, size, batch in (
                ("one", 1, case.batch),
                ("half", 1, case.batch // RANKS),
                ("weak", RANKS, case.batch),
                ("strong", RANKS, case.batch // RANKS),
            ):
                turn = Turn(groups[side, size], job)
                turn.ask("training", case=case.name, weights=str(weights), batch=batch)
                turns[f"{side}, {job}"] = turn
        ranks = groups["protonet", RANKS]
        took = alternate(turns, rounds, seconds)
        size = ranks.ask("sums", job="weak")
        sums = {job: Turn(ranks, job) for job in ("sum", "allreduce")}
        took |= alternate(sums, max(5, rounds), min(1.0, seconds))
        return Scaling(case, size, took)


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default=",".join(NETWORKS), metavar="NAME,...")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of a turn")
    parser.add_argument("--no-torch", action="store_true", help="protonet alone")
    parser.add_argument("--markdown", action="store_true", help="write RESULTS-SCALING.md too")
    found = parser.parse_args(arguments)
    found.only = found.only.split(",")
    unknown = [name for name in found.only if name not in CASES]
    if unknown:
        parser.error(f"unknown network '{unknown[0]}'; there are {', '.join(CASES)}")
    return found


def main() -> None:
    """Measure, and print the table."""
    asked = options()
    sides = ["protonet"]
    if asked.no_torch or importlib.util.find_spec("torch") is None:
        print("PyTorch is skipped:", "--no-torch" if asked.no_torch else "it is not installed")
    else:
        sides.append("pytorch")
    results = []
    for name in asked.only:
        print(f"{name} ...", file=sys.stderr, flush=True)
        results.append(measure(CASES[name], sides, asked.rounds, asked.seconds))
    today = datetime.datetime.now(datetime.UTC).date()
    told = [*describe(Setting()), f"{today}, {asked.rounds} rounds, one core for each rank"]
    head = "\n".join(f"- {line}" for line in told)
    text = f"# Scaling\n\n{head}\n\n{tables(results)}\n"
    print(text, end="")
    if asked.markdown:
        Path(__file__).with_name("RESULTS-SCALING.md").write_text(text)


if __name__ == "__main__":
    main()
