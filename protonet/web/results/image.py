"""Predictions of a trained net for one image, with all activations."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from protonet.data.datum import encode_image
from protonet.data.resize import resize
from protonet.jobs.inference.classification import answer_json, as_probabilities, best
from protonet.jobs.inference.trained_run import Predictor
from protonet.jobs.run.directory import RunDirectory
from protonet.web.datasets import Histogram, histogram, picture

_BEST = 5
_TILES = 64
_LONGEST = 800
"""Pixels of the longer side of an image file that is sent to the browser."""


@dataclass(frozen=True)
class Statistic:
    """Statistics of an array: shape, mean, standard deviation, extremes, and histogram.

    ``png`` shows its planes side by side, if it has any.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    mean: float
    deviation: float
    least: float
    most: float
    histogram: Histogram
    png: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class ImagePrediction:
    """The prediction for one image, with the activations of every layer.

    ``classes`` are (name, score) of classifiers, the best first. ``answer`` is that of
    ``infer --json``.
    """

    snapshot: int
    outputs: dict[str, tuple[float, ...]]
    classes: tuple[tuple[str, float], ...]
    note: str
    seen: bytes = field(repr=False)
    activations: tuple[Statistic, ...]
    weights: tuple[Statistic, ...]
    answer: dict[str, Any] = field(repr=False)


def predict_image(run: RunDirectory, image: Path, snapshot: str = "last") -> ImagePrediction:
    """Predict on one image file.

    Raises:
        UsageError: when the run has no such snapshot.
        DataError: for a file that is absent, not an image, or damaged.
    """
    with Predictor(run, snapshot) as predictor:
        inside = predictor.activations(image)
        outputs = {
            name: tuple(float(v) for v in values.ravel()[:1000])
            for name, values in inside.prediction.outputs.items()
        }
        return ImagePrediction(
            predictor.iteration,
            outputs,
            _likeliest(inside.prediction.outputs, predictor.class_names),
            inside.prediction.note,
            picture(inside.seen),
            tuple(
                statistic(blob, f"{layer} ({kind})", values)
                for layer, kind, blob, values in inside.blobs
            ),
            tuple(statistic(name, "weights", values) for name, values in inside.weights),
            answer_json(inside.prediction, predictor.iteration, predictor.class_names),
        )


def statistic(name: str, kind: str, values: np.ndarray) -> Statistic:
    """The statistics of an array."""
    flat = values.astype(np.float64).ravel()
    flat = flat[np.isfinite(flat)]
    empty = flat.size == 0
    return Statistic(
        name,
        kind,
        tuple(values.shape),
        0.0 if empty else float(flat.mean()),
        0.0 if empty else float(flat.std()),
        0.0 if empty else float(flat.min()),
        0.0 if empty else float(flat.max()),
        histogram(name, flat),
        tiles(values),
    )


def tiles(values: np.ndarray) -> bytes | None:
    """The first planes of an array side by side as PNG bytes; None if it has no planes."""
    if values.ndim < 3 or min(values.shape[-2:]) < 2:
        return None
    planes = values.reshape(-1, *values.shape[-2:])[:_TILES]
    count, height, width = planes.shape
    across = math.ceil(math.sqrt(count))
    down = math.ceil(count / across)
    low, high = float(planes.min()), float(planes.max())
    grid = np.full((down * (height + 1) - 1, across * (width + 1) - 1), low, np.float32)
    for place, plane in enumerate(planes):
        top, left = place // across * (height + 1), place % across * (width + 1)
        grid[top : top + height, left : left + width] = plane
    scaled = (grid - low) * (255 / (high - low) if high > low else 0)
    return picture(scaled.astype(np.uint8)[None])


def small_picture(image: np.ndarray) -> bytes:
    """An image as a PNG file, of which no side is longer than 800 pixels."""
    pixels = np.ascontiguousarray(image)
    scale = _LONGEST / max(pixels.shape[1:])
    if scale < 1:
        height, width = (max(1, round(side * scale)) for side in pixels.shape[1:])
        pixels = resize(pixels, height, width)
    return encode_image(pixels)


def _likeliest(
    outputs: dict[str, np.ndarray], classes: list[str] | None
) -> tuple[tuple[str, float], ...]:
    for values in outputs.values():
        scores = as_probabilities(values.ravel())
        if classes and len(scores) == len(classes):
            return tuple((classes[i], float(scores[i])) for i in best(scores, _BEST))
    return ()
