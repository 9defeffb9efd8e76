"""Anchors and region proposals.

Source: Ren et al., Faster R-CNN, NIPS 2015; rbgirshick/py-faster-rcnn, lib/rpn. Boxes are in
pixels, with inclusive ends: one from 3 to 3 is a pixel wide. ``closed`` converts such a box
to exclusive ends, as in ``kernels.boxes``. All arrays are
NumPy's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from protonet.blob import Array
from protonet.kernels.boxes import decode, encode, nms, overlaps

RATIOS = (0.5, 1.0, 2.0)
SCALES = (8.0, 16.0, 32.0)
_CODE = "CENTER_SIZE"


def closed(boxes: Array) -> Array:
    """Boxes (..., 4) with inclusive ends, as boxes with exclusive ends."""
    return boxes + np.array([0, 0, 1, 1], boxes.dtype)


def overlaps_inclusive(a: Array, b: Array) -> Array:
    """Intersection over union of each of ``a`` (A, 4) with each of ``b`` (B, 4): (A, B)."""
    return overlaps(closed(a), closed(b))


def targets(boxes: Array, truths: Array) -> Array:
    """The regression targets of ``boxes`` (P, 4) for their ground truths."""
    boxes = closed(boxes)
    return encode(boxes, np.ones_like(boxes), closed(truths), _CODE)


def make_anchors(base: int, ratios: Sequence[float], scales: Sequence[float]) -> Array:
    """Boxes (A, 4) around a square of ``base`` pixels at 0: each ratio in each scale.

    A ratio is height over width; the area is that of the square, up to whole pixels.
    """
    width = np.round(np.sqrt(base * base / np.array(ratios, float)))
    height = np.round(width * np.array(ratios, float))
    sides = np.stack([width, height], axis=1)[:, None] * np.array(scales, float)[:, None]
    half = (sides.reshape(-1, 2) - 1) / 2
    centre = (base - 1) / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def shift_anchors(anchors: Array, height: int, width: int, stride: int) -> Array:
    """The anchors at each cell of a map, (H W A, 4), cells by row."""
    rows, columns = np.mgrid[:height, :width] * float(stride)
    shift = np.stack([columns, rows, columns, rows], axis=-1)
    return (shift[:, :, None] + anchors).reshape(-1, 4)


def channels_last(maps: Array, length: int) -> Array:
    """(A length) x H x W as (H W A, length)."""
    return maps.transpose(1, 2, 0).reshape(-1, length)


@dataclass(frozen=True)
class ProposalSettings:
    """How proposals are selected: counts of 0 mean all.

    ``least`` is the least side, in pixels of the image before it was scaled.
    """

    stride: int
    anchors: Array
    least: float
    before: int
    after: int
    threshold: float

    def most(self, cells: int) -> int:
        """How many regions an image can have at most."""
        every = cells * len(self.anchors)
        return min([every, *(count for count in (self.before, self.after) if count > 0)])

    def propose(self, scores: Array, offsets: Array, info: Array) -> tuple[Array, Array]:
        """The proposals of an image and their scores, best first: (R, 4), (R,).

        Args:
            scores: A x H x W, that there is an object.
            offsets: (A 4) x H x W.
            info: height, width, and the factor by which the image was scaled: one, or one for
                rows and one for columns.
        """
        ranks = channels_last(scores, 1)[:, 0]
        boxes = closed(shift_anchors(self.anchors, scores.shape[1], scores.shape[2], self.stride))
        # A diverged net may predict NaN, which gives no region.
        with np.errstate(all="ignore"):
            boxes = decode(boxes, np.ones(4), channels_last(offsets, 4), _CODE)
            limit = np.array([info[1] - 1, info[0] - 1] * 2)
            boxes = np.maximum(np.minimum(boxes, limit), 0)
            sides = boxes[:, 2:] - boxes[:, :2] + 1
            least = self.least * np.array([info[3 if len(info) > 3 else 2], info[2]])
            good = np.flatnonzero((sides >= least).all(axis=1) & ~np.isnan(ranks))
        order = good[np.argsort(-ranks[good], kind="stable")]
        if self.before > 0:
            order = order[: self.before]
        boxes, ranks = boxes[order], ranks[order]
        keep = self.after if self.after > 0 else -1
        stay = nms(closed(boxes), ranks, self.threshold, keep=keep)
        return boxes[stay], ranks[stay]
