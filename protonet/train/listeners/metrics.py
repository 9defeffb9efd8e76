"""metrics.jsonl: what was measured in a training, one JSON object a line."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, TextIO

from protonet.errors import FormatError
from protonet.formats.atomic import appending
from protonet.formats.json_text import parse_json
from protonet.train.events import (
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
      last line of its kind.
    - tested: ``net`` (index of the test net), ``loss`` (its whole objective where
      ``test_compute_loss`` asks for it, else the weighted sum of its outputs, null where none has
      a weight), ``outputs``.
    - snapshotted: ``model`` and ``state``, the names of the two files.

    ``outputs`` maps the name of a blob to its value, or to a list for a blob of several
    elements. Floats are written so that they read back as the same float; one that is not finite
    is null, because JSON has no word for it.

    Args:
        target: a text stream, which stays open, or the path of a file; what that holds already is
            kept, but for a last line that was torn when a run was killed.
    """

    def __init__(self, target: TextIO | Path) -> None:
        self._path = target if isinstance(target, Path) else None
        self._stream = None if isinstance(target, Path) else target
        self._per_epoch: float | None = None

    def __call__(self, event: Event) -> None:
        """Append the line of ``event``, where it is worth one."""
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
        """Close the file; a later event would open it again."""
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
    """The lines of a metrics file, in order; none for a file that is not there.

    A last line without its newline is left out: a run that was killed wrote it.

    Raises:
        FormatError: for a line that is no JSON object, or not of an event, with its number.
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
    "net": int,
    "outputs": dict,
}
"""What values of a line are, where they are there."""
_NEEDED = {"iterated": ("loss", "lr", "outputs", "seconds"), "tested": ("net", "loss", "outputs")}


def _wrong(entry: Mapping[str, Any]) -> str | None:
    """What a reader of this line would stumble over; None for a line as they are written."""
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
    """The weighted sum of the outputs; None where no output has a weight, or it is not finite."""
    weighted = [output.loss_weight * output.value for output in outputs if output.loss_weight]
    return _finite(math.fsum(weighted)) if weighted and all(map(math.isfinite, weighted)) else None


def test_loss(event: Tested) -> float | None:
    """The loss of a test pass: of its whole objective where that was asked for."""
    return objective(event.outputs) if event.loss is None else _finite(event.loss)


def figure(outputs: Mapping[str, Any], loss: float | None) -> float | None:
    """By what a test is judged, less is better: its accuracy, negative, else its loss.

    Of several accuracies the last in the alphabet counts: the classifiers of one net are numbered
    towards its end.
    """
    accuracies = [
        outputs[name]
        for name in sorted(outputs)
        if "accuracy" in name.lower() and isinstance(outputs[name], float)
    ]
    return -accuracies[-1] if accuracies else loss


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def by_name(outputs: Sequence[Output]) -> dict[str, Any]:
    """Values of outputs by name, a list where a blob has several; None where one is not finite."""
    values: dict[str, list[float | None]] = {}
    for output in outputs:
        values.setdefault(output.name, []).append(_finite(output.value))
    return {name: found[0] if len(found) == 1 else found for name, found in values.items()}


def _drop_torn_line(path: Path) -> None:
    """Cut what follows the last newline of the file, where there is a file."""
    if not path.exists():
        return
    with path.open("rb+") as stream:
        content = stream.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            stream.truncate(whole)
