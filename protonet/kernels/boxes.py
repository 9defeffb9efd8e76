"""Boxes (xmin, ymin, xmax, ymax): overlap, codes, matching and non-maximum suppression.

Source: Liu et al., SSD: Single Shot MultiBox Detector, ECCV 2016. All arrays are NumPy's.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels import native
from protonet.kernels.kernel import Kernel

LEAST_OVERLAP = 1e-6
"""Boxes with less overlap never match."""

FREE, IGNORED = -1, -2
"""The values of ``match`` for a box without a truth: it may become a negative, or not."""


def sizes(boxes: Array) -> Array:
    """The area of each box of ``boxes`` (..., 4); 0 for one whose end comes before its start."""
    width = np.maximum(boxes[..., 2] - boxes[..., 0], 0)
    return width * np.maximum(boxes[..., 3] - boxes[..., 1], 0)


def overlaps(a: Array, b: Array) -> Array:
    """Intersection over union of each of ``a`` (A, 4) with each of ``b`` (B, 4): (A, B)."""
    width = np.minimum(a[:, None, 2], b[:, 2]) - np.maximum(a[:, None, 0], b[:, 0])
    height = np.minimum(a[:, None, 3], b[:, 3]) - np.maximum(a[:, None, 1], b[:, 1])
    shared = np.maximum(width, 0) * np.maximum(height, 0)
    union = sizes(a)[:, None] + sizes(b) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=shared > 0)


def outside(boxes: Array) -> Array:
    """Whether each coordinate lies outside of the image, 0 to 1."""
    mask: Array = (boxes < 0) | (boxes > 1)
    return mask


def encode(priors: Array, variances: Array, boxes: Array, code: str) -> Array:
    """The regression targets at each prior: the inverse of ``decode``.

    Args:
        priors: (P, 4).
        variances: (P, 4), what the code is divided by.
        boxes: (P, 4).
        code: CORNER: (box - prior) / variance. CORNER_SIZE: the same, in widths and heights of
            the prior. CENTER_SIZE: the distance of the centres, in widths and heights of the
            prior, and the logarithms of width / width and height / height; over variance.
    """
    if code == "CORNER":
        return (boxes - priors) / variances
    extent = priors[:, 2:] - priors[:, :2]
    if code == "CORNER_SIZE":
        return (boxes - priors) / np.tile(extent, 2) / variances
    shift = (boxes[:, :2] + boxes[:, 2:] - priors[:, :2] - priors[:, 2:]) / 2
    grown = np.log((boxes[:, 2:] - boxes[:, :2]) / extent)
    return np.concatenate([shift / extent, grown], axis=1) / variances


def decode(priors: Array, variances: Array, offsets: Array, code: str) -> Array:
    """The inverse of ``encode``: the boxes of ``offsets`` (..., P, 4) at each prior."""
    moved = offsets * variances
    if code == "CORNER":
        return priors + moved
    extent = priors[:, 2:] - priors[:, :2]
    if code == "CORNER_SIZE":
        return priors + moved * np.tile(extent, 2)
    centre = moved[..., :2] * extent + (priors[:, :2] + priors[:, 2:]) / 2
    half = np.exp(moved[..., 2:]) * extent / 2
    return np.concatenate([centre - half, centre + half], axis=-1)


def nms(
    boxes: Array,
    scores: Array,
    threshold: float,
    *,
    eta: float = 1.0,
    top_k: int = -1,
    keep: int = -1,
) -> Array:
    """Non-maximum suppression: indices of the boxes that are kept, best first.

    The ``top_k`` best (-1: all) are visited by descending score, ties in their order; a box is
    kept when it overlaps no kept one by more than ``threshold``. Whenever a box is kept and the
    threshold is above 0.5, the threshold is multiplied by ``eta``. After ``keep`` of them (-1:
    any number) no other is.
    """
    order = np.argsort(-scores, kind="stable")
    if top_k >= 0:
        order = order[:top_k]
    most = len(order) if keep < 0 else keep
    chosen: Array = order[_suppression(boxes.dtype.name).stay(boxes[order], threshold, eta, most)]
    return chosen


class Suppression(Kernel):
    """Which of some boxes stay in non-maximum suppression. All arrays are NumPy's."""

    def stay(self, boxes: Array, threshold: float, eta: float, most: int) -> Array:
        """The indices of at most ``most`` of ``boxes`` (N, 4), of which the first is the best;
        the other arguments are those of ``nms``.
        """
        worst = np.zeros(len(boxes), boxes.dtype)
        kept: list[int] = []
        for place in range(len(boxes)):
            if len(kept) == most:
                break
            if worst[place] <= threshold:
                kept.append(place)
                later = worst[place + 1 :]
                found = overlaps(boxes[place : place + 1], boxes[place + 1 :])[0]
                np.maximum(later, found, out=later)
                if threshold > 0.5:
                    threshold *= eta
        return np.array(kept, np.intp)


class NativeSuppression(Suppression, processor="native"):
    """The overlaps of a box that stays with all later ones as vectors, without the GIL."""

    dtypes = frozenset({"float32", "float64"})

    def stay(self, boxes: Array, threshold: float, eta: float, most: int) -> Array:
        kept = np.empty(len(boxes), np.intp)
        boxes = np.ascontiguousarray(boxes)
        count = native.load().suppress(boxes, sizes(boxes), threshold, eta, most, kept)
        return kept[:count]


@cache
def _suppression(dtype: str) -> Suppression:
    return Suppression.make(Device(), dtype)


def match(
    boxes: Array,
    truths: Array,
    *,
    threshold: float | None,
    inside_only: bool = False,
    difficult: Array | None = None,
) -> tuple[Array, Array]:
    """The ground truth that each box matches, and the largest overlap of each box with any.

    First each truth takes the free box that it overlaps most, the greatest overlap of all
    first. Then, unless ``threshold`` is None, each box that is still free takes the truth that
    it overlaps most, if by ``threshold`` or more.

    Args:
        boxes: (P, 4).
        truths: (G, 4).
        threshold: the least overlap of the second step; None for none.
        inside_only: boxes that cross the image's border are IGNORED.
        difficult: (G,), truths that are never matched; a box that would match one in the first
            step is IGNORED.

    Returns:
        Two (P,): the index of the truth, FREE or IGNORED; and the overlap.
    """
    matches, table = np.full(len(boxes), FREE), overlaps(boxes, truths)
    if inside_only:
        crossing = outside(boxes).any(axis=1)
        matches[crossing] = IGNORED
        table[crossing] = 0
    table[table <= LEAST_OVERLAP] = 0
    greatest = table.max(axis=1, initial=0)
    for box, truth in _pairs(table, difficult):
        matches[box] = truth
        if truth != IGNORED:
            greatest[box] = table[box, truth]
    if threshold is not None and len(truths):
        late = (matches == FREE) & (greatest > 0) & (greatest >= threshold)
        matches[late] = table[late].argmax(axis=1)
    return matches, greatest


def _pairs(table: Array, difficult: Array | None) -> Iterator[tuple[int, int]]:
    """Boxes and their truths, the greatest overlap first: each box once, and each truth once; but
    difficult ones are not used up, and are reported as IGNORED.
    """
    left = table.copy()
    while left.size:
        box, truth = divmod(int(left.argmax()), table.shape[1])
        if left[box, truth] == 0:
            return
        left[box] = 0
        if difficult is not None and difficult[truth]:
            yield box, IGNORED
        else:
            left[:, truth] = 0
            yield box, truth
