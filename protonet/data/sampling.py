"""Random windows of an image whose objects fulfil a constraint: the batch samplers of SSD."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protonet.data.boxes import areas, coverage, intersection, iou
from protonet.data.image_rng import ImageRNG
from protonet.errors import LayerError
from protonet.proto.caffe_pb2 import BatchSampler, SampleConstraint, Sampler

_PATH = ("annotated_data_param", "batch_sampler")


def check_samplers(samplers: Sequence[BatchSampler]) -> None:
    """Refuse invalid samplers.

    Raises:
        LayerError: naming the sampler and the field.
    """
    for place, one in enumerate(samplers):
        path, sampler = (*_PATH, place, "sampler"), one.sampler
        if not 0 < sampler.min_scale <= sampler.max_scale <= 1:
            raise LayerError(
                f"expected 0 < min_scale <= max_scale <= 1, got {sampler.min_scale:g} and "
                f"{sampler.max_scale:g}",
                path,
            )
        if not 0 < sampler.min_aspect_ratio <= sampler.max_aspect_ratio < np.inf:
            raise LayerError(
                "expected 0 < min_aspect_ratio <= max_aspect_ratio, got "
                f"{sampler.min_aspect_ratio:g} and {sampler.max_aspect_ratio:g}",
                path,
            )


def sample(samplers: Sequence[BatchSampler], boxes: np.ndarray, rng: ImageRNG) -> np.ndarray:
    """All windows that the samplers find for objects with these boxes: (n, 4).

    A sampler whose ``use_original_image`` is off draws none: the fork knows no other source.
    """
    found = [
        window
        for sampler in samplers
        if sampler.use_original_image
        for window in _sampled(sampler, boxes, rng)
    ]
    return np.array(found, np.float32).reshape(-1, 4)


def _sampled(param: BatchSampler, boxes: np.ndarray, rng: ImageRNG) -> list[np.ndarray]:
    found: list[np.ndarray] = []
    for _ in range(param.max_trials):
        if param.HasField("max_sample") and len(found) >= param.max_sample:
            break
        window = draw(param.sampler, rng)
        if satisfied(param.sample_constraint, boxes, window):
            found.append(window)
    return found


def draw(sampler: Sampler, rng: ImageRNG) -> np.ndarray:
    """A window inside the image: an area of scale^2, of a form that fits."""
    scale = rng.uniform(sampler.min_scale, sampler.max_scale)
    ratio = rng.uniform(sampler.min_aspect_ratio, sampler.max_aspect_ratio)
    ratio = min(max(ratio, scale**2), 1 / scale**2)
    width, height = min(scale * ratio**0.5, 1.0), min(scale / ratio**0.5, 1.0)
    left, top = rng.uniform(0, 1 - width), rng.uniform(0, 1 - height)
    return np.array([left, top, left + width, top + height], np.float32)


def satisfied(constraint: SampleConstraint, boxes: np.ndarray, window: np.ndarray) -> bool:
    """Whether one of the objects fulfils every constraint that is given; True where none is."""
    measures = {
        "jaccard_overlap": iou(boxes, window),
        "sample_coverage": intersection(boxes, window) / max(float(areas(window)), 1e-12),
        "object_coverage": coverage(boxes, window),
    }
    limits = constraint.ListFields()
    fits = np.ones(len(boxes), bool)
    for field, limit in limits:
        side, _, name = field.name.partition("_")
        fits &= measures[name] >= limit if side == "min" else measures[name] <= limit
    return bool(fits.any()) if limits else True
