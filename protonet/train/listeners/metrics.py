"""metrics.jsonl: the metrics of a training, one JSON object per line."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, TextIO

from protonet.errors import FormatError
from protonet.formats.atomic import appending
from protonet.formats.json_text import parse_json
from protonet.host import resident_memory
from protonet.train.events import (
    COCO,
    MEAN_IOU,
    Event,
    Failed,
    Iterated,
    Output,
    Snapshotted,
    Started,
    Stopped,
    Tested,
)


class Metrics:
    """Appends a line for each displayed iteration, test pass and snapshot, and flushes it.

    Keys of every line: ``event`` ("iterated", "tested" or "snapshotted"), ``iteration``, and
    ``epoch`` (null where the data has no length). Then, by event:

    - iterated: ``loss`` (smoothed), ``lr``, ``outputs``, ``seconds`` and ``iterations`` since the
      last line of its kind, ``memory`` (of the process, in bytes; null if unknown).
    - tested: ``net`` (index of the test net), ``loss`` (its whole objective with
      ``test_compute_loss``, else the weighted sum of its outputs, null if none has a weight),
      ``outputs``.
    - snapshotted: ``model`` and ``state``, the names of the two files.

    ``outputs`` maps the name of a blob to its value, or to a list for a blob of several
    elements. Floats round-trip exactly; non-finite ones are null, since JSON has none.

    Args:
        target: a text stream, which stays open, or the path of a file; its lines are kept,
            except a truncated last line of a killed run.
    """

    def __init__(self, target: TextIO | Path) -> None:
        self._path = target if isinstance(target, Path) else None
        self._stream = None if isinstance(target, Path) else target
        self._per_epoch: float | None = None

    def __call__(self, event: Event) -> None:
        """Append the line of ``event``, if it has one."""
        match event:
            case Started():
                self._per_epoch = event.per_epoch
            case Iterated():
                self._write(
                    "iterated",
                    event.iteration,
                    loss=_finite(event.loss),
                    lr=_finite(event.rate),
                    outputs=by_name(event.outputs),
                    seconds=event.seconds,
                    iterations=event.iterations,
                    memory=resident_memory(),
                )
            case Tested():
                self._write(
                    "tested",
                    event.iteration,
                    net=event.net,
                    loss=test_loss(event),
                    outputs=by_name(event.outputs),
                )
            case Snapshotted():
                self._write(
                    "snapshotted",
                    event.iteration,
                    model=event.model.name,
                    state=event.state.name,
                )
            case Stopped() | Failed():
                self.close()
            case _:
                pass

    def close(self) -> None:
        """Close the file; a later event reopens it."""
        if self._path is not None and self._stream is not None:
            self._stream.close()
            self._stream = None

    def _write(self, kind: str, iteration: int, **values: Any) -> None:
        if self._stream is None or self._stream.closed:
            assert self._path is not None
            _drop_torn_line(self._path)
            self._stream = self._path.open("a", encoding="utf-8")
        epoch = None if self._per_epoch is None else iteration / self._per_epoch
        line = {"event": kind, "iteration": iteration, "epoch": epoch, **values}
        text = json.dumps(line, allow_nan=False) + "\n"
        with nullcontext() if self._path is None else appending(self._path, self._stream):
            self._stream.write(text)
            self._stream.flush()


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The lines of a metrics file, in order; none if the file does not exist.

    A last line without newline is skipped: it is of a killed run.

    Raises:
        FormatError: with its number, for a line that is not the JSON object of an event.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: not a metrics file: {error}") from error
    lines = []
    for number, line in enumerate(text.split("\n")[:-1], 1):
        try:
            entry = parse_json(line)
        except ValueError as error:
            raise FormatError(f"{path}:{number}: not a JSON object: {error}") from error
        if not isinstance(entry, dict):
            raise FormatError(f"{path}:{number}: expected a JSON object, got {line[:60]}")
        wrong = _wrong(entry)
        if wrong is not None:
            raise FormatError(f"{path}:{number}: not a line of a training: {wrong}")
        lines.append(entry)
    return lines


_NUMBER = (int, float, type(None))
_FIELDS: dict[str, type | tuple[type, ...]] = {
    "event": str,
    "iteration": int,
    "epoch": _NUMBER,
    "loss": _NUMBER,
    "lr": _NUMBER,
    "seconds": (int, float),
    "memory": _NUMBER,
    "net": int,
    "outputs": dict,
}
"""The types of the values of a line, all optional."""
_NEEDED = {"iterated": ("loss", "lr", "outputs", "seconds"), "tested": ("net", "loss", "outputs")}


def _wrong(entry: Mapping[str, Any]) -> str | None:
    """The mistake in a line; None if it is valid."""
    for name, kind in _FIELDS.items():
        if name in entry and (not isinstance(entry[name], kind) or entry[name] is True):
            return f"{name} cannot be {json.dumps(entry[name])[:60]}"
    needed = ("event", "iteration", *_NEEDED.get(entry.get("event", ""), ()))
    absent = next((name for name in needed if name not in entry), None)
    if absent is not None:
        return f"it has no {absent}"
    for name, value in entry.get("outputs", {}).items():
        for each in value if isinstance(value, list) else [value]:
            if not isinstance(each, _NUMBER):
                return f"output {name} cannot be {json.dumps(each)[:60]}"
    return None


def objective(outputs: Sequence[Output]) -> float | None:
    """The weighted sum of the outputs; None if no output has a weight or it is not finite."""
    weighted = [output.loss_weight * output.value for output in outputs if output.loss_weight]
    return _finite(math.fsum(weighted)) if weighted and all(map(math.isfinite, weighted)) else None


def test_loss(event: Tested) -> float | None:
    """The loss of a test pass: its whole objective, if that was computed."""
    return objective(event.outputs) if event.loss is None else _finite(event.loss)


def figure(outputs: Mapping[str, Any], loss: float | None) -> float | None:
    """The metric of a test, lower is better: its negative mean average precision, mean IoU or
    accuracy, else its loss.

    Of several accuracies the alphabetically last counts: the classifiers of one net are numbered
    towards its end.
    """
    best = quality(outputs)
    if best is not None:
        return -best[1]
    accuracies = [
        outputs[name]
        for name in sorted(outputs)
        if "accuracy" in name.lower() and isinstance(outputs[name], float)
    ]
    return -accuracies[-1] if accuracies else loss


_MEAN_AP = re.compile(r"mAP\b")
_BEST = (MEAN_IOU,)
"""Outputs of a test that tell best how good it is, higher is better."""


def quality(outputs: Mapping[str, Any]) -> tuple[str, float] | None:
    """Name and value of a detector's mean average precision or of a mean IoU, None for others.

    DetectNet has an output for each class, named mAP and more: their mean counts.
    """
    detectors = [name.removesuffix(COCO) for name in outputs if name.endswith(COCO)]
    for name in (*detectors[-1:], *_BEST):
        value = outputs.get(name)
        if isinstance(value, float):
            return name, value
    maps = [value for name, value in outputs.items() if _MEAN_AP.match(name)]
    maps = [value for value in maps if isinstance(value, float)]
    return ("mAP", math.fsum(maps) / len(maps)) if maps else None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def by_name(outputs: Sequence[Output]) -> dict[str, Any]:
    """Values of outputs by name, a list for blobs of several; None for non-finite ones."""
    values: dict[str, list[float | None]] = {}
    for output in outputs:
        values.setdefault(output.name, []).append(_finite(output.value))
    return {name: each[0] if len(each) == 1 else each for name, each in values.items()}


def _drop_torn_line(path: Path) -> None:
    """Truncate an existing file after its last newline."""
    if not path.exists():
        return
    with path.open("rb+") as stream:
        content = stream.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            stream.truncate(whole)
