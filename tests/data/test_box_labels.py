"""Label maps, compared with a loop over cells and objects."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.data.box_labels import Area, Labeller, Level
from protonet.data.box_list import Scene

SIZE = (48, 64)
LEVELS = [Level(8, 20, 16), Level(16, 32, 40)]
WHOLE = Area(0, 0, 64, 48)


def scene(regions: int = 0, seed: int = 0) -> Scene:
    generator = np.random.default_rng(seed)

    def boxes(count: int) -> np.ndarray:
        starts = generator.integers(-5, 45, (count, 2))
        return (
            np.concatenate([starts, starts + generator.integers(8, 30, (count, 2))], axis=1) * 1.0
        )

    ignored = np.array([False, True, False, False, False])
    return Scene(boxes(5), np.arange(1.0, 6), ignored, ~ignored, boxes(regions))


def shared(a: np.ndarray, b: np.ndarray, last: int) -> tuple[float, float, float]:
    """The area of both, of a and of b."""
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]) + last
    areas = [float((each[2:] - each[:2] + last).prod()) for each in (a, b)]
    return float(max(sides[0], 0) * max(sides[1], 0)), areas[0], areas[1]


def by_a_loop(made: Labeller, found: Scene, area: Area) -> list[np.ndarray]:
    last, maps = int(made.closed), []
    count = len(found.corners)
    best, level, matched = [0.0] * count, [0] * count, [False] * count
    for place, each in enumerate(made.levels):
        rows, columns = SIZE[0] // each.stride, SIZE[1] // each.stride
        labels = np.zeros((6, rows, columns))
        left, top, wide, high = (int(value / each.stride + 0.5) for value in area)
        for row, column in np.ndindex(rows, columns):
            centre = np.array([column + 0.5, row + 0.5]) * each.stride
            half = np.array([each.width, each.height]) / 2
            box = np.concatenate([centre - half, centre + half])
            if not (left <= column < left + wide and top <= row < top + high):
                labels[5, row, column] = 1
                continue
            ends = np.array([area.left, area.top, area.left + area.width, area.top + area.height])
            if made.margin is not None:
                room = made.margin * half
                if (box[:2] < ends[:2] - room).any() or (box[2:] >= ends[2:] + room).any():
                    labels[5, row, column] = 1
                    continue
            elif made.inside is not None:
                both, own, _ = shared(box, ends * 1.0, last)
                if both / own < made.inside:
                    labels[5, row, column] = 1
                    continue
            covered = sum(
                shared(box, region, last)[0] / shared(box, region, last)[1]
                for region in found.regions
            )
            if covered >= made.ignore and not made.closed:
                labels[5, row, column] = 1
                continue
            greatest, own_object = 0.0, -1
            for number, corners in enumerate(found.corners):
                both, a, b = shared(corners, box, last)
                iou = both / (a + b - both)
                if iou > greatest:
                    greatest, own_object = iou, number
                if iou > best[number]:
                    best[number], level[number] = iou, place
            labels[5, row, column] = greatest
            if greatest > made.threshold:
                corners = found.corners[own_object]
                labels[0, row, column] = 0 if found.ignored[own_object] else found.kinds[own_object]
                labels[1:3, row, column] = (corners[:2] + corners[2:]) / 2
                labels[3:5, row, column] = corners[2:] - corners[:2] + last
                matched[own_object] = True
            elif covered >= made.ignore:
                labels[5, row, column] = 1
        maps.append(labels)
    for number, corners in enumerate(found.corners):
        if found.ignored[number] or matched[number] or best[number] < made.least:
            continue
        stride, labels = made.levels[level[number]].stride, maps[level[number]]
        centre = (corners[:2] + corners[2:]) / 2
        column, row = (
            min(max(int(np.floor(value / stride)), 0), extent - 1)
            for value, extent in zip(centre, labels.shape[:0:-1], strict=True)
        )
        if labels[0, row, column] > 0:
            continue
        labels[0, row, column] = found.kinds[number]
        labels[1:3, row, column], labels[3:5, row, column] = (
            centre,
            corners[2:] - corners[:2] + last,
        )
        if made.closed:
            labels[5, row, column] = best[number]
    return maps


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("settings", "area"),
    [
        ({}, WHOLE),
        ({"least": 0.05}, WHOLE),
        ({}, Area(10, 5, 40, 30)),
        ({"closed": True}, WHOLE),
        ({"closed": True, "ignore": 0.1, "least": 0.05}, WHOLE),
        ({"closed": True, "margin": 0.5}, WHOLE),
        ({"closed": True, "inside": 0.8}, Area(10, 5, 40, 30)),
    ],
)
def test_maps_are_those_of_a_loop(settings: dict[str, float], area: Area, seed: int) -> None:
    made = Labeller(LEVELS, 0.5, **settings)
    found = scene(regions=2, seed=seed)
    maps = made.maps(found, SIZE, area)
    for labels, expected in zip(maps, by_a_loop(made, found, area), strict=True):
        assert labels.any()
        np.testing.assert_allclose(labels, expected, atol=1e-12)


def test_an_object_that_is_a_cell_of_a_map() -> None:
    box = np.array([[2.0, 4, 22, 20]])
    found = Scene(box, np.array([3.0]), np.zeros(1, bool), np.zeros(1, bool), np.empty((0, 4)))
    first, second = Labeller(LEVELS, 0.9).maps(found, SIZE, WHOLE)
    np.testing.assert_allclose(first[:, 1, 1], [3, 12, 12, 20, 16, 1])
    assert np.count_nonzero(first[0]) == 1
    assert not second[0].any()


def test_images_without_objects_are_background() -> None:
    none = np.empty(0)
    found = Scene(np.empty((0, 4)), none, none.astype(bool), none.astype(bool), np.empty((0, 4)))
    for labels, each in zip(Labeller(LEVELS, 0.5).maps(found, SIZE, WHOLE), LEVELS, strict=True):
        assert labels.shape == (6, *each.grid(SIZE))
        assert not labels.any()


def test_grids() -> None:
    assert Level(32, 1, 1).grid((79, 80)) == (2, 3)
    assert Level(32, 1, 1).grid((8, 80)) == (1, 3)
