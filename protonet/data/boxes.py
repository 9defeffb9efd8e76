"""Boxes of objects in normalized coordinates, and how they follow the image's transforms.

Boxes are float32 (n, 4): xmin, ymin, xmax, ymax. A window is one such box in the coordinates of
the image that it is cropped from; it may exceed it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from protonet.proto.caffe_pb2 import EmitConstraint, ResizeParameter

FULL_IMAGE = np.array([0, 0, 1, 1], np.float32)
"""The window that is the image itself."""


class Objects(NamedTuple):
    """The objects of one image.

    ``marks`` is float32 (n, 3): class, number of the object, 1 where it is hard to see.
    """

    boxes: np.ndarray
    marks: np.ndarray

    @staticmethod
    def none() -> Objects:
        """No object."""
        return Objects(np.zeros((0, 4), np.float32), np.zeros((0, 3), np.float32))

    def only(self, rows: np.ndarray) -> Objects:
        """A selection by indices or by a mask."""
        return Objects(self.boxes[rows], self.marks[rows])


def areas(boxes: np.ndarray) -> np.ndarray:
    """The areas; 0 for an inverted box."""
    width, height = boxes[..., 2] - boxes[..., 0], boxes[..., 3] - boxes[..., 1]
    found: np.ndarray = np.where((width < 0) | (height < 0), 0, width * height)
    return found


def intersection(boxes: np.ndarray, window: np.ndarray) -> np.ndarray:
    """The intersection area of each box with a window."""
    corners = np.concatenate(
        [np.maximum(boxes[:, :2], window[:2]), np.minimum(boxes[:, 2:], window[2:])], axis=1
    )
    return areas(corners)


def iou(boxes: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Intersection over union with a window (Jaccard overlap)."""
    both = intersection(boxes, window)
    either = areas(boxes) + areas(window) - both
    return np.where(both > 0, both / np.where(either > 0, either, 1), 0)


def coverage(boxes: np.ndarray, window: np.ndarray) -> np.ndarray:
    """The fraction of each box that the window covers."""
    both, size = intersection(boxes, window), areas(boxes)
    return np.where(both > 0, both / np.where(size > 0, size, 1), 0)


def project(objects: Objects, window: np.ndarray, emit: EmitConstraint | None) -> Objects:
    """The objects that a window shows, in its coordinates and clipped to it.

    ``emit`` requires the centre, or a fraction of the object, to lie in the window.
    """
    boxes = objects.boxes
    keep = (boxes[:, 0] < window[2]) & (boxes[:, 2] > window[0])
    keep &= (boxes[:, 1] < window[3]) & (boxes[:, 3] > window[1])
    if emit is not None:
        keep &= _emitted(boxes, window, emit)
    size = np.concatenate([window[2:] - window[:2]] * 2)
    moved = ((boxes - np.concatenate([window[:2]] * 2)) / size).clip(0, 1).astype(np.float32)
    keep &= areas(moved) > 0
    return Objects(moved, objects.marks).only(keep)


def _emitted(boxes: np.ndarray, window: np.ndarray, emit: EmitConstraint) -> np.ndarray:
    if emit.emit_type == EmitConstraint.MIN_OVERLAP:
        return coverage(boxes, window) > emit.emit_overlap
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    inside: np.ndarray = ((centres >= window[:2]) & (centres <= window[2:])).all(axis=1)
    return inside


def mirrored(objects: Objects) -> Objects:
    """Flipped horizontally."""
    boxes = objects.boxes.copy()
    boxes[:, 0], boxes[:, 2] = 1 - objects.boxes[:, 2], 1 - objects.boxes[:, 0]
    return Objects(boxes, objects.marks)


def resized(objects: Objects, param: ResizeParameter, size: tuple[int, int]) -> Objects:
    """Where boxes lie in an image of ``size`` (height, width) once it was resized.

    Only the mode that pads moves them; the padding is not rounded to pixels (SSD
    fork, UpdateBBoxByResizePolicy).
    """
    if param.resize_mode != ResizeParameter.FIT_LARGE_SIZE_AND_PAD:
        upper = np.minimum(np.maximum(objects.boxes, 0), [np.inf, np.inf, 1, 1])
        return Objects(upper.astype(np.float32), objects.marks)
    height, width = size
    given = width / height
    wanted = param.width / param.height
    boxes = objects.boxes.copy()
    # The padded axis, and the fraction of the new image that the old one takes on it.
    axis, taken = (1, wanted / given) if given > wanted else (0, given / wanted)
    band = (1 - taken) / 2
    boxes[:, axis] = band + np.maximum(boxes[:, axis] * taken, 0)
    boxes[:, axis + 2] = band + np.minimum(boxes[:, axis + 2] * taken, 1)
    other = 1 - axis
    boxes[:, other] = np.maximum(boxes[:, other], 0)
    boxes[:, other + 2] = np.minimum(boxes[:, other + 2], 1)
    return Objects(boxes, objects.marks)


def extrapolated(
    objects: Objects, param: ResizeParameter, size: tuple[int, int], window: np.ndarray
) -> Objects:
    """Boxes in units of ``height_scale`` and ``width_scale``, where both are given and the image
    was made to cover its size (SSD fork, ExtrapolateBBox).
    """
    down, across = float(param.height_scale), float(param.width_scale)
    if not (down and across) or param.resize_mode != ResizeParameter.FIT_SMALL_SIZE:
        return objects
    given, wanted = size[1] / size[0], param.width / param.height
    height = param.width / given if given < wanted else float(param.height)
    width = float(param.width) if given < wanted else param.height * given
    factors = np.array(
        [width * (window[2] - window[0]) / across, height * (window[3] - window[1]) / down] * 2
    )
    return Objects((objects.boxes * factors).astype(np.float32), objects.marks)
