"""Images and boxes for NVIDIA's DetectNet: joint augmentation, and the coverage grid.

Facts from NVIDIA/caffe 0.17: detectnet_transform_layer.cpp, detectnet_coverage_rectangular.cpp.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from protonet.data.colour import sectors
from protonet.data.interpolation import Interpolation, resample
from protonet.proto.caffe_pb2 import (
    DetectNetAugmentationParameter,
    DetectNetGroundTruthParameter,
)

LABEL = 16
"""Numbers of a box: x, y, width and height, angle, class, scenario, turn, truncation, and others
that are not looked at."""
CELL = 8
"""Maps before those of the classes: object, four corners, 1 / width, 1 / height, 1 / coverage."""
_CLASS = 5
_TINY = float(np.finfo(np.float32).eps)
_FULL = np.float32(255)


@dataclass(frozen=True)
class Augmentation:
    """The augmentation of one image: ``scale`` is a (height, width), ``rotation`` in degrees,
    ``offset`` the (row, column) of the crop.
    """

    scale: tuple[int, int]
    offset: tuple[int, int] = (0, 0)
    hue: float = 0.0
    saturation: float = 1.0
    flip: bool = False
    rotation: float = 0.0


def draw_augmentation(
    param: DetectNetAugmentationParameter,
    size: tuple[int, int],
    wanted: tuple[int, int],
    random: np.random.Generator,
) -> Augmentation:
    """A random augmentation for an image of ``size`` that is cropped to ``wanted``."""
    hue, saturation, scale, rotation = 0.0, 1.0, size, 0.0
    if random.random() <= param.hue_rotation_prob:
        hue = min(max((2 * random.random() - 1) * param.hue_rotation, -180.0), 180.0)
    if random.random() <= param.desaturation_prob:
        saturation = 1 - random.random() * param.desaturation_max
    flip = bool(random.random() <= param.flip_prob)
    if random.random() <= param.scale_prob:
        factor = param.scale_min + (param.scale_max - param.scale_min) * random.random()
        scale = (max(1, round(size[0] * factor)), max(1, round(size[1] * factor)))
    if random.random() <= param.rotation_prob:
        rotation = (2 * random.random() - 1) * param.max_rotate_degree
    before = rotated_size(scale, rotation) if abs(rotation) > _TINY else scale
    # x is drawn before y.
    across, down, shift_x, shift_y = 0.5, 0.5, 0, 0
    if random.random() <= param.crop_prob:
        across, down = random.random(), random.random()
        shift_x, shift_y = param.shift_x, param.shift_y
    offset = (
        round(down * (before[0] - wanted[0] + shift_y) - shift_y // 2),
        round(across * (before[1] - wanted[1] + shift_x) - shift_x // 2),
    )
    return Augmentation(scale, offset, hue, saturation, flip, rotation)


def augment_image(
    image: np.ndarray, augmentation: Augmentation, wanted: tuple[int, int], mean: np.ndarray | None
) -> np.ndarray:
    """A float32 image (3, h, w) of 0 to 255, augmented, mean subtracted, cropped to ``wanted``.

    The crop is zero outside the image.
    """
    image = image / _FULL
    if abs(augmentation.hue) > _TINY or augmentation.saturation < 1 - 1 / 255:
        image = shift_colour(image, augmentation.hue, augmentation.saturation)
    if mean is not None:
        image = image - mean / _FULL
    if augmentation.flip:
        image = image[:, :, ::-1]
    image = resample(image, *augmentation.scale, Interpolation.CUBIC)
    if abs(augmentation.rotation) > _TINY:
        image = rotated(image, augmentation.rotation)
    out = np.zeros((3, *wanted), np.float32)
    spans = [
        (max(at, 0), min(at + want, have), at)
        for at, want, have in zip(augmentation.offset, wanted, image.shape[1:], strict=True)
    ]
    (top, bottom, row), (left, right, column) = spans
    if top < bottom and left < right:
        part = image[:, top:bottom, left:right]
        out[:, top - row : bottom - row, left - column : right - column] = part
    return out * _FULL


def augment_boxes(
    boxes: np.ndarray, augmentation: Augmentation, size: tuple[int, int]
) -> np.ndarray:
    """The label rows (n, LABEL) of an image of ``size``, augmented with it."""
    boxes = boxes.copy()
    if augmentation.flip:
        boxes[:, 0] = size[1] - boxes[:, 0] - boxes[:, 2] - 1
    factors = np.array(
        [augmentation.scale[1] / size[1], augmentation.scale[0] / size[0]] * 2, np.float32
    )
    boxes[:, :4] *= factors
    if abs(augmentation.rotation) > _TINY:
        # Only the centre is rotated.
        matrix, shift = rotation_matrix(augmentation.scale, augmentation.rotation)
        middle = boxes[:, :2] + boxes[:, 2:4] / 2
        boxes[:, :2] = middle @ matrix.T + shift - boxes[:, 2:4] / 2
    boxes[:, :2] -= np.array(augmentation.offset[::-1], np.float32)
    return boxes


def shift_colour(image: np.ndarray, hue: float, saturation: float) -> np.ndarray:
    """BGR of 0 to 1 with the hue rotated by degrees and the saturation scaled."""
    blue, green, red = image
    value, least = image.max(axis=0), image.min(axis=0)
    spread = value - least
    safe = np.where(spread > 0, spread, 1)
    angle = np.where(
        value == red,
        (green - blue) / safe,
        np.where(value == green, 2 + (blue - red) / safe, 4 + (red - green) / safe),
    )
    strength = np.where(value > 0, spread / np.where(value > 0, value, 1), 0) * saturation
    return sectors((angle + hue / 60) % 6, strength, value).astype(np.float32)


def rotation_matrix(size: tuple[int, int], degrees: float) -> tuple[np.ndarray, np.ndarray]:
    """X' = A x + b for points (x, y): clockwise about the centre, shifted to show the whole."""
    angle = math.radians(degrees)
    matrix = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    middle = np.array([size[1] / 2, size[0] / 2])
    corner, _ = _around(size, matrix)
    return matrix, middle - corner - matrix @ middle


def rotated_size(size: tuple[int, int], degrees: float) -> tuple[int, int]:
    """The (height, width) of the bounding box of a rotated image of ``size``."""
    angle = math.radians(degrees)
    matrix = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    _, (width, height) = _around(size, matrix)
    return int(height), int(width)


def _around(size: tuple[int, int], matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First corner, width and height of a rotated image's bounding box in whole pixels."""
    middle = np.array([size[1] / 2, size[0] / 2])
    corners = np.array([[0, 0], [size[1], 0], [0, size[0]], [size[1], size[0]]]) - middle
    points = corners @ matrix.T + middle
    least, most = np.floor(points.min(axis=0)), np.ceil(points.max(axis=0))
    return least, most - least + 1


def rotated(image: np.ndarray, degrees: float) -> np.ndarray:
    """An image rotated clockwise, bilinear; 0 where one of the four pixels is missing."""
    size = (image.shape[1], image.shape[2])
    matrix, shift = rotation_matrix(size, degrees)
    height, width = rotated_size(size, degrees)
    rows, columns = np.indices((height, width))
    points = np.stack([columns, rows], axis=-1) - shift
    place = points @ np.linalg.inv(matrix).T
    x, y = place[..., 0], place[..., 1]
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    seen = (left >= 0) & (top >= 0) & (left < size[1] - 1) & (top < size[0] - 1)
    left, top = np.where(seen, left, 0), np.where(seen, top, 0)
    right, below = (x - left).astype(np.float32), (y - top).astype(np.float32)
    beside, under = np.minimum(left + 1, size[1] - 1), np.minimum(top + 1, size[0] - 1)
    upper = image[:, top, left] * (1 - right) + image[:, top, beside] * right
    lower = image[:, under, left] * (1 - right) + image[:, under, beside] * right
    mixed: np.ndarray = np.where(seen, upper * (1 - below) + lower * below, 0)
    return mixed.astype(np.float32)


class CoverageGrid:
    """Boxes as maps of a grid: which cells are covered, and where the box lies from each.

    Args:
        param: stride, size of the image, and how much of a box counts.
    """

    def __init__(self, param: DetectNetGroundTruthParameter) -> None:
        self.param = param
        self.size = (int(param.image_size_y), int(param.image_size_x))
        self.cells = (round(self.size[0] / param.stride), round(self.size[1] / param.stride))
        # Class 1 is the car of KITTI.
        self.classes = {one.src: one.dst for one in param.object_class} or {1: 0}
        self.maps = CELL + max(self.classes.values()) + 1

    def write(self, boxes: np.ndarray, out: np.ndarray) -> None:
        """The rows of labels (n, LABEL) into ``out`` (maps, rows, columns); later ones win."""
        out.fill(0)
        for row in boxes.astype(np.float32):
            name = self.classes.get(int(row[_CLASS]))
            x, y, width, height = row[:4].tolist()
            left, top, right, bottom = x, y, x + width, y + height
            if self.param.crop_bboxes:
                left, top = max(left, 0.0), max(top, 0.0)
                right, bottom = min(right, self.size[1]), min(bottom, self.size[0])
            width, height = right - left, bottom - top
            if name is None or width <= 0 or height <= 0 or width * height < _TINY:
                continue
            self._mark((left, top, right, bottom), CELL + name, out)

    def _mark(self, box: tuple[float, float, float, float], place: int, out: np.ndarray) -> None:
        """Write one box into the cells that the middle of it covers."""
        stride = self.param.stride
        left, top, right, bottom = box
        ends = self._covered(left, right), self._covered(top, bottom)
        across, down = (
            self._cells(low, high, count)
            for (low, high), count in zip(ends, self.cells[::-1], strict=True)
        )
        x, y = (np.arange(cells.start, cells.stop) * stride for cells in (across, down))
        wide, high = (
            np.maximum(np.minimum(end, first + stride) - np.maximum(start, first), 0)
            for (start, end), first in zip(ends, (x, y), strict=True)
        )
        width, height = ends[0][1] - ends[0][0], ends[1][1] - ends[1][0]
        norm = stride**2 / max(width * height, _TINY)
        values = np.zeros((self.maps, y.size, x.size), np.float32)
        values[0] = values[place] = 1
        values[1], values[2] = left - x, top - y[:, None]
        values[3], values[4] = right - x, bottom - y[:, None]
        values[5], values[6] = 1 / (right - left), 1 / (bottom - top)
        values[7] = norm if self.param.obj_norm else max(1.0, norm)
        covered = high[:, None] * wide / stride**2 > _TINY
        np.copyto(out[:, down, across], values, where=covered)

    def _covered(self, low: float, high: float) -> tuple[float, float]:
        """The middle part of a side that counts."""
        param, extent = self.param, high - low
        shrunk = extent * param.scale_cvg
        if param.gridbox_type == DetectNetGroundTruthParameter.GRIDBOX_MIN:
            shrunk = min(extent, max(float(param.min_cvg_len), shrunk))
        else:
            shrunk = min(float(param.max_cvg_len), shrunk)
        middle = (low + high) / 2
        return middle - shrunk / 2, middle + shrunk / 2

    def _cells(self, low: float, high: float, count: int) -> slice:
        """The cells of an axis that a part of a side touches."""
        first = max(0, math.floor(low / self.param.stride))
        last = min(count, math.ceil(high / self.param.stride))
        return slice(first, max(first, last))
