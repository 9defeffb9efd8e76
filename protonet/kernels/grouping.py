"""Grouping of similar rectangles, as OpenCV's groupRectangles does.

Source: opencv/opencv, modules/objdetect/src/cascadedetect.cpp (groupRectangles) and
modules/core/include/opencv2/core/operations.hpp (partition).
"""

from __future__ import annotations

import numpy as np

from protonet.blob import Array


def group_rectangles(rectangles: Array, threshold: int, eps: float) -> tuple[Array, Array]:
    """The means of groups of similar rectangles of integers (n, 4) x, y, width, height, and the
    size of each group.

    Two are similar when each edge differs by no more than eps times the mean of the smaller width
    and the smaller height; groups are what is connected so. Groups of ``threshold`` or fewer are
    left out, and those within a larger group's mean, extended by eps of its sides: where they have
    fewer than three members, or that one has more than they, and more than three. With a threshold
    of 0 or less each rectangle is a group.
    """
    if threshold <= 0 or not len(rectangles):
        return rectangles, np.ones(len(rectangles), np.int64)
    labels = _partition(rectangles, eps)
    counts = np.bincount(labels)
    sums = np.zeros((len(counts), 4))
    np.add.at(sums, labels, rectangles)
    shares = np.float32(1) / counts.astype(np.float32)
    means = np.rint(sums.astype(np.float32) * shares[:, None]).astype(np.int64)
    kept = [place for place in range(len(counts)) if counts[place] > threshold]
    stay = [place for place in kept if not _is_inside(place, kept, means, counts, eps)]
    return means[stay], counts[stay]


def _partition(rectangles: Array, eps: float) -> Array:
    """The number of the group of each, by the order of the first members."""
    low, extent = rectangles[:, :2], rectangles[:, 2:]
    edges = np.concatenate([low, low + extent], axis=1)
    labels = np.full(len(rectangles), -1)
    groups = 0
    for start in range(len(rectangles)):
        if labels[start] >= 0:
            continue
        labels[start], reached = groups, [start]
        groups += 1
        while reached:
            place = reached.pop()
            free = np.flatnonzero(labels < 0)
            limit = eps * np.minimum(extent[free], extent[place]).sum(axis=1) * 0.5
            apart = np.abs(edges[free] - edges[place]).max(axis=1, initial=0)
            near = free[apart <= limit]
            labels[near] = labels[start]
            reached.extend(near.tolist())
    return labels


def _is_inside(place: int, kept: list[int], means: Array, counts: Array, eps: float) -> bool:
    """Whether another group hides one."""
    x, y, width, height = means[place].tolist()
    count = counts[place]
    for other in kept:
        if other == place or not (counts[other] > max(3, count) or count < 3):
            continue
        left, top, wide, high = means[other].tolist()
        dx, dy = round(wide * eps), round(high * eps)
        inside = x >= left - dx and y >= top - dy
        if inside and x + width <= left + wide + dx and y + height <= top + high + dy:
            return True
    return False
