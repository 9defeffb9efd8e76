"""Measurements beside engines: kept as files, as tables, and as targets that are met or not."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cases import CASES
from engine_models import BATCHES
from report import Target, number_text, table, targets_table

ENGINES = {
    "onnxruntime": "onnxruntime",
    "openvino": "OpenVINO",
    "opencv": "OpenCV",
    "ncnn": "ncnn",
    "mnn": "MNN",
}
"""Names of the engines, and how they are written."""

_LEAST = 0.9
"""Of every network; a ratio of 1 is wanted of eight in ten."""


_SHOWN = 0.03
"""The share of a pass from which a kind of layers is shown."""


@dataclass
class Measured:
    """A network at a batch: why engines are missing, how far their answers are from protonet's
    relative to the largest value, and seconds of a pass for each round of each engine.
    """

    missing: dict[str, str]
    apart: dict[str, float]
    seconds: dict[str, list[float]]

    def __str__(self) -> str:
        times = [f"{name} {number_text(self.milliseconds(name))}" for name in self.seconds]
        return f"{', '.join(times)} ms; missing: {self.missing or 'none'}"

    def milliseconds(self, name: str) -> float | None:
        """The median; None of an engine that is not there."""
        rounds = self.seconds.get(name)
        return 1000 * statistics.median(rounds) if rounds else None

    @property
    def fastest(self) -> str | None:
        """The engine with the smallest median."""
        medians = {n: statistics.median(s) for n, s in self.seconds.items() if n != "protonet"}
        return min(medians, key=medians.__getitem__) if medians else None

    def ratio(self, name: str) -> float | None:
        """How many times as fast protonet is: the median over the rounds' ratios."""
        if name not in self.seconds:
            return None
        pairs = zip(self.seconds["protonet"], self.seconds[name], strict=True)
        return statistics.median(theirs / ours for ours, theirs in pairs)


Peaks = dict[str, tuple[float, float]]
"""MiB of each engine's process: after its imports, and at the peak."""

Starts = dict[str, list[tuple[float, float]]]
"""Processor and wall seconds of a process, a pair for each round."""

Kinds = dict[str, tuple[float, int]]
"""Seconds of a pass and operations, of the layers of each kind."""


class Kept:
    """The measurements of a precision in a folder: a file for each."""

    def __init__(self, folder: Path, precision: str) -> None:
        self.folder = folder / f"measured-{precision}"

    def write(self, name: str, batch: int, measured: Measured) -> None:
        """Keep the times of a network at a batch."""
        self._write(f"{name}-{batch}", asdict(measured))

    def write_peaks(self, name: str, peaks: Peaks) -> None:
        """Keep the memory of a network."""
        self._write(f"{name}-memory", peaks)

    def write_kinds(self, name: str, kinds: Kinds) -> None:
        """Keep protonet's time by kinds of layers."""
        self._write(f"{name}-layers", kinds)

    def write_starts(self, starts: Starts) -> None:
        """Keep what whole processes took."""
        self._write("starts", starts)

    def times(self) -> Iterator[tuple[str, int, Measured]]:
        """Those of all networks and batches, in their order."""
        for name in CASES:
            for batch in BATCHES:
                if (found := self._read(f"{name}-{batch}")) is not None:
                    yield name, batch, Measured(**found)

    def peaks(self) -> dict[str, Peaks]:
        """The memory of each network."""
        found = {name: self._read(f"{name}-memory") for name in CASES}
        return {name: each for name, each in found.items() if each is not None}

    def kinds(self) -> dict[str, Kinds]:
        """The time of each network by them."""
        found = {name: self._read(f"{name}-layers") for name in CASES}
        return {name: each for name, each in found.items() if each is not None}

    def starts(self) -> Starts:
        """What whole processes took; empty if that was not measured."""
        return self._read("starts") or {}

    def _write(self, name: str, what: Any) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / f"{name}.json").write_text(json.dumps(what))

    def _read(self, name: str) -> Any:
        path = self.folder / f"{name}.json"
        return json.loads(path.read_text()) if path.exists() else None


def report(head: Sequence[str], kept: Kept) -> str:
    """All tables of what there is."""
    times, peaks, starts = list(kept.times()), kept.peaks(), kept.starts()
    parts = ["# Inference beside engines", "\n".join(f"- {line}" for line in head)]
    if times:
        parts += [_times_table(times), *_missing_table(times)]
    if peaks:
        parts.append(_peaks_table(peaks))
    if kinds := kept.kinds():
        parts.append(_kinds_table(kinds))
    if starts:
        parts.append(_starts_table(starts))
    parts.append(targets_table([*_ratios(times), *_least_memory(peaks), *_least_start(starts)]))
    return "\n\n".join(parts) + "\n"


def _times_table(found: Sequence[tuple[str, int, Measured]]) -> str:
    rows = []
    for name, batch, measured in found:
        row = [CASES[name].title, str(batch), number_text(measured.milliseconds("protonet"))]
        row += [number_text(measured.milliseconds(engine)) for engine in ENGINES]
        fastest = measured.fastest
        row.append(ENGINES[fastest] if fastest else "")
        row.append(number_text(measured.ratio(fastest), " x") if fastest else "")
        rows.append(row)
    head = ["network", "batch", "protonet ms", *(f"{title} ms" for title in ENGINES.values())]
    note = "ratio: how many times as fast as the fastest of the engines."
    return f"## One pass\n\n{table([*head, 'fastest', 'ratio'], rows)}\n\n{note}"


def _missing_table(found: Sequence[tuple[str, int, Measured]]) -> Iterator[str]:
    rows = [
        [ENGINES[engine], CASES[name].title, str(batch), reason]
        for name, batch, measured in found
        for engine, reason in measured.missing.items()
    ]
    if rows:
        yield f"## What is missing\n\n{table(['engine', 'network', 'batch', 'reason'], rows)}"


def _peaks_table(found: Mapping[str, Peaks]) -> str:
    names = {"protonet": "protonet", **ENGINES}
    rows = []
    for name, peaks in found.items():
        row = [CASES[name].title]
        for engine in names:
            imported, peak = peaks.get(engine, (None, None))
            row.append(number_text(peak))
            row.append(number_text(None if imported is None else peak - imported))
        rows.append(row)
    head = ["network", *(text for title in names.values() for text in (f"{title} MiB", "net"))]
    note = (
        "Each in a fresh process that opens the network's files and makes four passes: the peak "
        "(VmHWM), and that less what the process held right after its imports (VmRSS)."
    )
    return f"## Peak memory at batch 1\n\n{table(head, rows)}\n\n{note}"


def _kinds_table(found: Mapping[str, Kinds]) -> str:
    rows = []
    for name, kinds in found.items():
        total = sum(seconds for seconds, _ in kinds.values())
        for kind, (seconds, count) in sorted(kinds.items(), key=lambda item: -item[1][0]):
            if seconds >= _SHOWN * total:
                share, rate = f"{100 * seconds / total:.0f} %", number_text(count / seconds / 1e9)
                rows.append([CASES[name].title, kind, number_text(1000 * seconds), share, rate])
    head = ["network", "layers", "ms", "share", "GFLOP/s"]
    note = f"Each layer timed by itself; those of less than {100 * _SHOWN:.0f} % are left out."
    return f"## Where protonet's time goes at batch 1\n\n{table(head, rows)}\n\n{note}"


def _starts_table(found: Starts) -> str:
    rows = [
        [
            {"protonet": "protonet", **ENGINES}[name],
            *(f"{_median(found, name, at):.2f}" for at in (0, 1)),
        ]
        for name in found
    ]
    note = "`protonet infer` beside `onnxruntime_infer.py`."
    head = ["what", "processor s", "wall s"]
    return (
        f"## GoogLeNet, from the start of a process to its answer\n\n{table(head, rows)}\n\n{note}"
    )


def _median(starts: Starts, name: str, place: int) -> float:
    return statistics.median(each[place] for each in starts[name])


def _ratios(found: Sequence[tuple[str, int, Measured]]) -> Iterator[Target]:
    """As fast as the fastest engine on eight of ten networks at either batch, and 0.9 on all."""
    ratios: dict[str, list[float]] = {}
    for name, batch, measured in found:
        if measured.fastest is None:
            continue
        ratio = measured.ratio(measured.fastest)
        assert ratio is not None
        ratios.setdefault(name, []).append(ratio)
        yield Target.at_least(f"{CASES[name].title} {batch}", _LEAST, ratio, " x")
    if ratios:
        met, wanted = sum(min(each) >= 1 for each in ratios.values()), round(0.8 * len(ratios))
        what = f"{wanted} of {len(ratios)}"
        yield Target("networks of at least 1 x at either batch", what, f"{met}", met >= wanted)


def _least_memory(found: Mapping[str, Peaks]) -> Iterator[Target]:
    """The whole process has no higher peak than MNN's."""
    for name, peaks in found.items():
        if "mnn" in peaks:
            what = f"{CASES[name].title} 1, memory"
            yield Target.at_most(what, peaks["mnn"][1], peaks["protonet"][1], " MiB")


def _least_start(found: Starts) -> Iterator[Target]:
    if "onnxruntime" in found:
        ours, theirs = (_median(found, name, 0) for name in ("protonet", "onnxruntime"))
        yield Target.at_most("from the start to an answer, processor", theirs, ours, " s")
