"""Label maps of detectors: what each cell of a map is to predict.

Source: zhaoweicai/mscnn, image_gt_data_layer.cpp; zhaoweicai/cascade-rcnn,
detection_data_layer.cpp.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from protonet.data.box_list import Scene
from protonet.kernels.boxes import overlaps

CHANNELS = 6
"""Of a label map: class, x and y of the centre, width, height, overlap."""


@dataclass(frozen=True)
class Level:
    """One map: pixels from cell to cell, and the extents of the boxes around cells."""

    stride: int
    width: int
    height: int

    def grid(self, size: tuple[int, int]) -> tuple[int, int]:
        """Rows and columns for an image of (height, width)."""
        rows, columns = (max(1, int(extent / self.stride + 0.5)) for extent in size)
        return rows, columns

    def boxes(self, size: tuple[int, int]) -> np.ndarray:
        """The corners of all cells, (rows columns, 4)."""
        rows, columns = np.mgrid[tuple(slice(extent) for extent in self.grid(size))]
        centres = (np.stack([columns, rows], axis=-1).reshape(-1, 2) + 0.5) * self.stride
        half = np.array([self.width, self.height]) / 2
        return np.concatenate([centres - half, centres + half], axis=1)


class Area(NamedTuple):
    """The part of an image that shows something: left, top, width, height."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Labeller:
    """Makes the label maps of an image.

    A cell belongs to the object that its box overlaps most, if by more than ``threshold``. Cells
    that show nothing, and those covered by regions that do not count, by ``ignore`` or more,
    have overlap 1 and class 0. An object that no cell belongs to is given to the one at its
    centre, of the map whose boxes overlap it most, if by ``least`` or more.

    Args:
        levels: the maps.
        closed: the last pixels of boxes belong to them (Cascade R-CNN): widths are one more,
            objects come before regions that do not count, and overlaps are told of given cells.
        margin: cells whose box leaves the shown part by more than this times its half extents do
            not count; None: all do.
        inside: cells whose box is within the shown part by less do not count, where ``margin`` is
            None.
    """

    levels: Sequence[Level]
    threshold: float
    ignore: float = 0.4
    least: float = 0.2
    closed: bool = False
    margin: float | None = None
    inside: float | None = None

    def maps(self, scene: Scene, size: tuple[int, int], area: Area) -> list[np.ndarray]:
        """For each level (6, rows, columns), of an image of (height, width)."""
        objects, made = self._rows(scene), []
        best, level = np.zeros(len(objects)), np.zeros(len(objects), int)
        matched = np.zeros(len(objects), bool)
        for place, each in enumerate(self.levels):
            table, labels = self._level(each, scene, objects, size, area, matched)
            greatest = table.max(axis=0, initial=0)
            level[greatest > best] = place
            best = np.maximum(best, greatest)
            made.append(labels)
        self._give_rest(made, objects, scene.ignored | matched | (best < self.least), best, level)
        return made

    def _rows(self, scene: Scene) -> np.ndarray:
        """What cells are told of each object: class, centre and extents, (n, 5)."""
        corners = scene.corners
        extents = corners[:, 2:] - corners[:, :2] + self.closed
        centres = (corners[:, :2] + corners[:, 2:]) / 2
        return np.concatenate([scene.kinds[:, None], centres, extents], axis=1)

    def _level(
        self,
        level: Level,
        scene: Scene,
        objects: np.ndarray,
        size: tuple[int, int],
        area: Area,
        matched: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Overlaps of the cells that count, (cells, n), and the map; marks ``matched``."""
        boxes, labels = level.boxes(size), np.zeros((CHANNELS, *level.grid(size)))
        flat = labels.reshape(CHANNELS, -1)
        counts = self._shown(level, boxes, size, area)
        covered = self._coverage(boxes, scene.regions) >= self.ignore
        if not self.closed:
            counts &= ~covered
        table = overlaps(self._ends(boxes), self._ends(scene.corners))
        table[~counts] = 0
        overlap = table.max(axis=1, initial=0)
        mine = overlap > self.threshold
        flat[5] = np.where(counts & ~(covered & ~mine), overlap, 1)
        if mine.any():
            own = table[mine].argmax(axis=1)
            flat[:5, mine] = objects[own].T
            flat[0, mine] *= ~scene.ignored[own]
            matched[own] = True
        return table, labels

    def _ends(self, boxes: np.ndarray) -> np.ndarray:
        """Corners with exclusive ends."""
        ends: np.ndarray = boxes + np.array([0, 0, 1, 1]) * self.closed
        return ends

    def _coverage(self, boxes: np.ndarray, regions: np.ndarray) -> np.ndarray:
        """The share of each box that regions cover, added up, (cells,)."""
        first, second = self._ends(boxes)[:, None], self._ends(regions)
        shared = np.minimum(first[..., 2:], second[:, 2:])
        shared = np.maximum(shared - np.maximum(first[..., :2], second[:, :2]), 0).prod(axis=2)
        share: np.ndarray = (
            shared.sum(axis=1) / (first[..., 2:] - first[..., :2]).prod(axis=2)[:, 0]
        )
        return share

    def _shown(
        self, level: Level, boxes: np.ndarray, size: tuple[int, int], area: Area
    ) -> np.ndarray:
        """The cells that show something, (cells,)."""
        left, top, width, height = (int(each / level.stride + 0.5) for each in area)
        rows, columns = np.mgrid[tuple(slice(extent) for extent in level.grid(size))]
        shown = (columns >= left) & (columns < left + width)
        shown = (shown & (rows >= top) & (rows < top + height)).ravel()
        whole = np.array([area.left, area.top, area.left + area.width, area.top + area.height])
        if self.margin is not None:
            room = np.array([level.width, level.height]) / 2 * self.margin
            shown &= (boxes[:, :2] >= whole[:2] - room).all(axis=1)
            shown &= (boxes[:, 2:] < whole[2:] + room).all(axis=1)
        elif self.inside is not None:
            shown &= self._coverage(boxes, whole[None].astype(float)) >= self.inside
        cells: np.ndarray = shown
        return cells

    def _give_rest(
        self,
        maps: list[np.ndarray],
        objects: np.ndarray,
        done: np.ndarray,
        best: np.ndarray,
        level: np.ndarray,
    ) -> None:
        """Give the objects that are not ``done`` to the cells at their centres."""
        for place in np.flatnonzero(~done):
            labels, stride = maps[level[place]], self.levels[level[place]].stride
            column, row = (
                int(np.clip(np.floor(centre / stride), 0, extent - 1))
                for centre, extent in zip(objects[place, 1:3], labels.shape[:0:-1], strict=True)
            )
            if labels[0, row, column] > 0:
                continue
            labels[:5, row, column] = objects[place]
            if self.closed:
                labels[5, row, column] = best[place]
