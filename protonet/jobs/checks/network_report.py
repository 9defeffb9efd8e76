"""The report on a network: its mistakes, or its layers, memory and weights; and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from protonet.errors import Mistake
from protonet.graph.summary import Row
from protonet.graph.weights_report import WeightsReport


@dataclass(frozen=True)
class NetworkReport:
    """The mistakes of a network, or its layers and their memory.

    ``deployed`` names the layers of the deploy net; the others are only for training or testing.
    ``ignored`` are given fields without effect. ``images`` is their number per epoch, and
    ``batch_size`` per iteration; 0 without a data set. ``notes`` are remarks for the
    user; ``boxes`` tells that the labels are the boxes of DetectNet. ``weights`` compares the
    network with given weights; ``weights_error`` tells why they cannot be used.
    """

    mistakes: tuple[Mistake, ...] = ()
    name: str = ""
    rows: tuple[Row, ...] = ()
    deployed: frozenset[str] = frozenset()
    parameters: int = 0
    training_bytes: int = 0
    inference_bytes: int = 0
    ignored: tuple[str, ...] = ()
    images: int = 0
    batch_size: int = 0
    notes: tuple[str, ...] = ()
    boxes: bool = False
    weights: WeightsReport | None = None
    weights_error: str = ""


def report_json(report: NetworkReport) -> dict[str, Any]:
    """A report as JSON; ``only_trains`` are layers that are not in the deploy net."""
    return {
        "mistakes": [mistake_json(each) for each in report.mistakes],
        "name": report.name,
        "layers": [
            {
                "name": row.name,
                "type": row.type,
                "bottoms": [{"name": name, "shape": list(shape)} for name, shape in row.bottoms],
                "tops": [{"name": name, "shape": list(shape)} for name, shape in row.tops],
                "parameters": row.parameters,
                "only_trains": bool(report.deployed) and row.name not in report.deployed,
            }
            for row in report.rows
        ],
        "parameters": report.parameters,
        "training_bytes": report.training_bytes,
        "inference_bytes": report.inference_bytes,
        "ignored": list(report.ignored),
        "images": report.images,
        "batch_size": report.batch_size,
        "notes": list(report.notes),
        "weights": None if report.weights is None else weights_json(report.weights),
        "weights_error": report.weights_error,
    }


def weights_json(report: WeightsReport) -> dict[str, Any]:
    """What a net takes of weights: ``state`` is loaded, differs or new."""
    return {
        "layers": [
            {
                "name": layer.name,
                "type": layer.type,
                "state": layer.state,
                "expected": [list(shape) for shape in layer.expected],
                "found": [list(shape) for shape in layer.found],
            }
            for layer in report.layers
        ],
        "unused": [
            {"name": each.name, "found": [list(shape) for shape in each.found]}
            for each in report.unused
        ],
    }


def mistake_json(mistake: Mistake) -> dict[str, Any]:
    """A mistake with its position; line and column are 0 if unknown."""
    return {
        "line": mistake.line,
        "column": mistake.column,
        "message": mistake.message,
        "hint": mistake.hint,
        "text": mistake.window[0],
    }
