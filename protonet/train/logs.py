"""Parsing of training logs: Caffe's and ours, metrics.jsonl, run directories."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from protonet.errors import FormatError, UsageError
from protonet.train.listeners.metrics import read_metrics

# Anything before glog's timestamp (a container's name, a terminal's ^C) is skipped. Newer glog
# puts the year before month and day.
_LINE = re.compile(
    r"^.*?[IWEF](\d{4}|\d{8}) (\d\d:\d\d:\d\d\.\d+)\s+\d+ \S+:\d+\] (.*)$",
    re.MULTILINE,
)
# NVIDIA's Caffe from 0.17 on names the GPU: [0.0] or [0] of a training, (0.0) or (0) of a test.
_GPU = re.compile(r"\s*[\[(]\d+(?:\.\d+)?[\])] ")
_NUMBER = r"([-+]?(?:\d+\.?\d*(?:e[-+]?\d+)?|nan|inf))"
# It prints the rate (since 0.13) and the epochs (since 0.16) after the iteration.
_ITERATION = re.compile(rf"Iteration (\d+)(?: \([^)]*\))?,(?: \S+/\S+ep,)? loss = {_NUMBER}")
_TESTING = re.compile(r"Iteration (\d+), Testing net \(#(\d+)\)")
_RATE = re.compile(rf"Iteration (\d+)(?: \([^)]*\))?, lr = {_NUMBER}")
_OUTPUT = re.compile(
    r"(Train|Test) net output(?: mAP)? #\d+: "
    rf"(\S+) = {_NUMBER}(?: \(\* {_NUMBER} = \S+ loss\))?"
)
_TELLS = re.compile(r"Iteration \d+.*(?:loss|lr) = |(?:Train|Test) net output")
"""Lines that should have been parsed."""


@dataclass
class Entry:
    """A displayed iteration, or a pass over a test net.

    ``loss`` is the smoothed loss of a training, the weighted sum of the outputs of a test;
    ``rate`` the learning rate, of a test the last one printed before. ``seconds`` count from the
    beginning of the log. A blob of several elements has an output for each: ``name[0]``,
    ``name[1]``, ...
    """

    iteration: int
    seconds: float | None = None
    rate: float | None = None
    loss: float | None = None
    outputs: dict[str, float] = field(default_factory=dict)


@dataclass
class TrainingLog:
    """The entries of the training, and of each test net by its number.

    ``lost`` are lines about an iteration in an unknown format.
    """

    train: list[Entry] = field(default_factory=list)
    tests: dict[int, list[Entry]] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)

    def warning(self) -> str | None:
        """A warning about lost lines; None if there are none."""
        if not self.lost:
            return None
        return (
            f"skipped {len(self.lost)} line(s) about an iteration in an unknown format; the first: "
            f"{self.lost[0].strip()[:200]}"
        )


def read_log(path: Path) -> TrainingLog:
    """Read a log of Caffe or protonet, a metrics.jsonl, or that of a run directory.

    Raises:
        UsageError: when it cannot be read.
        FormatError: when it is not a training log.
    """
    if path.is_dir():
        path = path / "metrics.jsonl"
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    log = _of_metrics(path) if text.lstrip().startswith("{") else _of_caffe(_LINE.findall(text))
    if not log.train and not log.tests:
        raise FormatError(
            f"{path}: has no iterations; expected a log of Caffe or protonet, or a metrics.jsonl"
        )
    for entries in log.tests.values():
        for entry in entries:
            entry.rate = _rate_at(log.train, entry.iteration)
    return log


def _rate_at(train: list[Entry], iteration: int) -> float | None:
    """The last learning rate printed up to an iteration, else the first one."""
    shown = [entry for entry in train if entry.rate is not None]
    before = [entry for entry in shown if entry.iteration <= iteration]
    return before[-1].rate if before else shown[0].rate if shown else None


def _of_metrics(path: Path) -> TrainingLog:
    log, seconds = TrainingLog(), 0.0
    for line in read_metrics(path):
        if line["event"] == "iterated":
            seconds += line["seconds"]
            entry = Entry(line["iteration"], seconds, line["lr"], line["loss"])
            log.train.append(entry)
        elif line["event"] == "tested":
            entry = Entry(line["iteration"], seconds, None, line["loss"])
            log.tests.setdefault(line["net"], []).append(entry)
        else:
            continue
        entry.outputs = dict(_spread(line["outputs"]))
    return log


def _spread(outputs: dict[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in outputs.items():
        if not isinstance(value, list):
            yield name, _float(value)
            continue
        for place, each in enumerate(value):
            yield f"{name}[{place}]", _float(each)


def _float(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _of_caffe(lines: Iterable[tuple[str, str, str]]) -> TrainingLog:
    """Entries of lines (day, time, text); outputs belong to the last iteration printed."""
    log = TrainingLog()
    current: dict[str, Entry | None] = {"Train": None, "Test": None}
    begin: datetime | None = None
    for day, hour, whole in lines:
        text = _GPU.sub("", whole, count=1).lstrip()
        try:
            now = _time(day, hour)
        except ValueError:  # not a valid date
            log.lost.append(whole)
            continue
        begin = now if begin is None or text.startswith("Solving ") else begin
        # Dates without a year: going back means that a year has ended.
        passed = len(day) == 4 and now < begin
        seconds = (now - begin + timedelta(days=366 if passed else 0)).total_seconds()
        if match := _TESTING.match(text):
            entry = current["Test"] = Entry(int(match[1]), seconds)
            log.tests.setdefault(int(match[2]), []).append(entry)
        elif match := _ITERATION.match(text):
            entry = current["Train"] = Entry(int(match[1]), seconds, None, float(match[2]))
            log.train.append(entry)
        elif match := _RATE.match(text):
            shown = current["Train"]
            if shown is not None and shown.iteration == int(match[1]):
                shown.rate = float(match[2])
        elif match := _OUTPUT.match(text):
            shown = current[match[1]]
            if shown is not None:
                _add_output(shown, match)
        elif _TELLS.match(text):
            log.lost.append(whole)
    # Caffe ends with the loss of one more pass, without a rate.
    if log.train and log.train[-1].rate is None and not log.train[-1].outputs:
        log.train.pop()
    return log


def _time(day: str, hour: str) -> datetime:
    dated = day if len(day) == 8 else f"2000{day}"
    return datetime.strptime(f"{dated} {hour}", "%Y%m%d %H:%M:%S.%f")


def _add_output(entry: Entry, match: re.Match[str]) -> None:
    """Add an output to its entry; outputs of a test add to its loss with their weight."""
    kind, name, value, weight = match.groups()
    _take(entry, name, float(value))
    if kind == "Test" and weight is not None:
        before = 0.0 if entry.loss is None else entry.loss
        entry.loss = before + float(value) * float(weight)


def _take(entry: Entry, name: str, value: float) -> None:
    """Add an output; a second one of the same name makes them ``name[0]``, ``name[1]``."""
    outputs = entry.outputs
    if name in outputs:
        outputs[f"{name}[0]"] = outputs.pop(name)
    place = 0
    while f"{name}[{place}]" in outputs:
        place += 1
    outputs[f"{name}[{place}]" if place else name] = value


def to_csv(entries: Iterable[Entry], delimiter: str = ",") -> str:
    """Entries as CSV with the columns of Caffe's parse_log: NumIters, Seconds, LearningRate, and
    one for each output.
    """
    entries = list(entries)
    names = list(dict.fromkeys(name for entry in entries for name in entry.outputs))
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    writer.writerow(["NumIters", "Seconds", "LearningRate", *names])
    for entry in entries:
        head = [entry.iteration, _cell(entry.seconds), _cell(entry.rate)]
        writer.writerow([*head, *(_cell(entry.outputs.get(name)) for name in names)])
    return out.getvalue()


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.10g}"
