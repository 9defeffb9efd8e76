"""The measurements as tables, and as targets that are met or not."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from cases import Case
from settings import Setting

TRAINING = "training"
INFERENCE = "inference"


@dataclass
class Timing:
    """Seconds per iteration of a network, for each round of each side.

    ``operations`` are those of one iteration; a pass backward has twice those of one forward.
    """

    case: Case
    kind: str
    batch: int
    operations: int
    seconds: dict[str, list[float]]

    def __str__(self) -> str:
        times = [number_text(self.milliseconds(side)) for side in self.seconds]
        return f"{self.kind} {self.batch}: {' and '.join(times)} ms"

    def milliseconds(self, side: str) -> float | None:
        """The median; None of a side that is not there."""
        rounds = self.seconds.get(side)
        return 1000 * statistics.median(rounds) if rounds else None

    @property
    def fastest(self) -> str | None:
        """The fastest of the other sides, by its median; None without one."""
        others = [side for side in self.seconds if side != "protonet"]
        return min(others, key=lambda side: statistics.median(self.seconds[side]), default=None)

    @property
    def ratio(self) -> float | None:
        """How many times as fast as the fastest: the median over the rounds' ratios."""
        return None if self.fastest is None else self.ratio_to(self.fastest)

    def ratio_to(self, side: str) -> float:
        """How many times as fast as a side: the median over the rounds' ratios."""
        pairs = zip(self.seconds["protonet"], self.seconds[side], strict=True)
        return statistics.median(other / protonet for protonet, other in pairs)

    def without(self, side: str) -> Timing:
        """The times of the other sides."""
        return replace(self, seconds={k: v for k, v in self.seconds.items() if k != side})

    def rate(self, side: str) -> float | None:
        """GFLOP/s."""
        took = self.milliseconds(side)
        return None if took is None else self.operations / took / 1e6


@dataclass
class Memory:
    """MiB of each side's process for a network: after imports, and at the peak."""

    case: Case
    kind: str
    batch: int
    sides: dict[str, tuple[float, float]]

    def above_imports(self, side: str) -> float | None:
        """What the network itself needs; None of a side that is not there."""
        if side not in self.sides:
            return None
        imports, peak = self.sides[side]
        return peak - imports


@dataclass
class Results:
    """The results of a benchmark run; empty or None where skipped."""

    timings: list[Timing] = field(default_factory=list)
    memory: list[Memory] = field(default_factory=list)
    gemm: dict[str, float] = field(default_factory=dict)
    bare_ratios: list[float] = field(default_factory=list)
    start: list[float] = field(default_factory=list)
    setting: Setting = field(default_factory=Setting)

    def tables(self) -> Iterable[str]:
        """Every table of what is there, with its heading."""
        if self.gemm:
            yield self._gemm()
        for kind in (TRAINING, INFERENCE):
            if any(timing.kind == kind for timing in self.timings):
                yield self._times(kind)
        if self.memory:
            yield self._memory()
        if self.bare_ratios or self.start:
            yield self._seed()
        targets = list(self.targets())
        if targets:
            yield targets_table(targets)

    def _gemm(self) -> str:
        names = {"protonet": "cuBLAS" if self.setting.on_gpu else "NumPy", "pytorch": "PyTorch"}
        rates = ", ".join(f"{names[side]} {rate:.0f}" for side, rate in self.gemm.items())
        rows, precision = self.setting.tile, self.setting.precision
        return f"Product of two {rows} x {rows} {precision} matrices, best, GFLOP/s: {rates}."

    def _times(self, kind: str) -> str:
        most = max(self.gemm.values(), default=0.0)
        rows = []
        for timing in self.timings:
            if timing.kind != kind:
                continue
            row = [timing.case.title, str(timing.batch)]
            row += [number_text(timing.milliseconds(side)) for side in ("protonet", "pytorch")]
            row.append(number_text(timing.ratio, " x"))
            for side in ("protonet", "pytorch"):
                rate = timing.rate(side)
                row.append(number_text(rate))
                row.append("" if rate is None or not most else f"{100 * rate / most:.0f} %")
            rows.append(row)
        head = ["network", "batch", "protonet ms", "PyTorch ms", "ratio"]
        head += ["protonet GFLOP/s", "share", "PyTorch GFLOP/s", "share"]
        what = "one iteration" if kind == TRAINING else "one pass"
        note = "ratio: how many times as fast as PyTorch; share: of the best rate above."
        return f"## {kind.capitalize()}, {what}\n\n{table(head, rows)}\n\n{note}"

    def _memory(self) -> str:
        rows = []
        for found in self.memory:
            row = [found.case.title, found.kind, str(found.batch)]
            for side in ("protonet", "pytorch"):
                row.append(number_text(found.above_imports(side)))
                row.append(number_text(found.sides[side][1] if side in found.sides else None))
            rows.append(row)
        head = ["network", "kind", "batch", "protonet MiB", "whole process"]
        head += ["PyTorch MiB", "whole process"]
        if self.setting.on_gpu:
            head = ["network", "kind", "batch", "protonet MiB", "PyTorch MiB"]
            rows = [[*row[:3], row[3], row[5]] for row in rows]
            note = "Each in a fresh process: the most that its pool took of the GPU's memory."
            return f"## Peak memory\n\n{table(head, rows)}\n\n{note}"
        note = (
            "Each in a fresh process. MiB: the peak (VmHWM) less what the process held right "
            "after its imports (VmRSS; of PyTorch after a step of a tiny network, which imports "
            "more); whole process: the peak itself."
        )
        return f"## Peak memory\n\n{table(head, rows)}\n\n{note}"

    def _seed(self) -> str:
        rows = []
        if self.bare_ratios:
            ratio = statistics.median(self.bare_ratios)
            rows.append(["iterations per second relative to the bare NumPy loop", f"{ratio:.2f} x"])
        if self.start:
            took = statistics.median(self.start)
            rows.append(["start of `protonet train` to its first iteration", f"{took:.2f} s"])
        return f"## The seed network\n\n{table(['what', 'median'], rows)}"

    def targets(self) -> Iterable[Target]:
        """The targets that this run has measurements for."""
        for timing in self.timings:
            targets = _TRAINING if timing.kind == TRAINING else _INFERENCE
            if self.setting.on_gpu:
                targets = _ON_GPU if timing.kind == TRAINING else {}
            elif not self.setting.is_exact:
                targets = {}
            wanted = targets.get(timing.case.name)
            if wanted is not None and timing.ratio is not None:
                name = f"{timing.case.title} {timing.batch}, {timing.kind}"
                yield Target.at_least(name, wanted, timing.ratio, " x PyTorch")
        if self.bare_ratios:
            ratio = statistics.median(self.bare_ratios)
            yield Target.at_least("the seed network 10, training", 0.5, ratio, " x bare NumPy")
        for found in self.memory:
            protonet, pytorch = (found.above_imports(side) for side in ("protonet", "pytorch"))
            if protonet is not None and pytorch is not None:
                name = f"{found.case.title} {found.batch}, memory of {found.kind}"
                yield Target.at_most(name, pytorch, protonet, " MiB")
        if self.start:
            took = statistics.median(self.start)
            yield Target.at_most(
                "start of `protonet train` to its first iteration", 0.8, took, " s"
            )


@dataclass(frozen=True)
class Target:
    """The target, the measurement, and whether it is met."""

    name: str
    wanted: str
    found: str
    met: bool

    @staticmethod
    def at_least(name: str, wanted: float, found: float, unit: str) -> Target:
        """A lower bound."""
        return Target(name, f"at least {wanted:g}{unit}", f"{found:.2f}{unit}", found >= wanted)

    @staticmethod
    def at_most(name: str, wanted: float, found: float, unit: str) -> Target:
        """An upper bound."""
        return Target(
            name,
            f"at most {number_text(wanted)}{unit}",
            f"{number_text(found)}{unit}",
            found <= wanted,
        )


_TRAINING = {
    "seed": 2.0,
    "digits": 1.8,
    "lenet": 1.8,
    "cifar10": 1.4,
    "alexnet": 1.4,
    "googlenet": 1.2,
    "resnet50": 1.1,
    "mobilenet": 1.2,
}
_INFERENCE = {
    "lenet": 1.0,
    "cifar10": 1.0,
    "alexnet": 1.0,
    "googlenet": 1.0,
    "resnet50": 1.0,
    "mobilenet": 1.2,
}
"""At least so many times as fast as PyTorch, at either batch."""

_ON_GPU = {"lenet": 3.0, "resnet50": 1.0}
"""The same of training on a GPU, whatever the precision."""


def number_text(value: float | None, unit: str = "") -> str:
    """Three digits; empty where there is no measurement."""
    if value is None:
        return ""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:.{digits}f}{unit}"


def targets_table(targets: Sequence[Target]) -> str:
    """The targets under a heading."""
    rows = [
        [target.name, target.wanted, target.found, "met" if target.met else "not met"]
        for target in targets
    ]
    return f"## Targets\n\n{table(['target', 'wanted', 'measured', 'result'], rows)}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns are also aligned; numbers are right-aligned."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    right = [
        all(not row[place] or row[place][0].isdigit() for row in rows) for place in range(len(head))
    ]

    def line(cells: Sequence[str]) -> str:
        placed = (
            cell.rjust(width) if stands else cell.ljust(width)
            for cell, width, stands in zip(cells, widths, right, strict=True)
        )
        return f"| {' | '.join(placed)} |"

    marks = [
        "-" * (width - 1) + ":" if stands else "-" * width
        for width, stands in zip(widths, right, strict=True)
    ]
    return "\n".join([line(head), line(marks), *map(line, rows)])
