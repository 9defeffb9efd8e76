"""Random scales and places of images with boxes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from protonet.data.box_crops import FreeZoom, OctaveZoom, Zoom, place_image
from protonet.data.box_list import Scene
from protonet.data.image_rng import ImageRNG
from protonet.data.resize import resize

KEY = np.array([1, 2], np.uint64)
BOX = np.array([10.0, 20, 50, 40])


def scene(*corners: list[float]) -> Scene:
    count = len(corners)
    marks = np.zeros(count, bool)
    boxes = np.array(corners, float).reshape(-1, 4)
    return Scene(boxes, np.ones(count), marks, marks, np.empty((0, 4)))


def gray(height: int, width: int) -> np.ndarray:
    """Pixels that tell where they are: columns in the first channel, rows in the second."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([columns, rows, rows + columns]).astype(np.uint8)


def draws(zoom: Zoom, box: np.ndarray | None = BOX) -> list[tuple[float, float]]:
    return [zoom.draw(box, ImageRNG(KEY, place)) for place in range(400)]


def test_octaves_bring_the_object_to_scales() -> None:
    """Scales of 20, 20 sqrt 2, ... 80: the object's, sqrt 800, is nearest to the second."""
    found = draws(OctaveZoom(20, 80))
    factors = {round(across, 6) for across, _ in found}
    assert factors == {round(2 ** (step / 2), 6) for step in (-1, 0, 1, 2, 3)}
    assert all(across == down for across, down in found)
    assert 0.5 < sum(factor == (1.0, 1.0) for factor in found) / 400 < 0.7
    assert draws(OctaveZoom(20, 80), None) == [(1.0, 1.0)] * 400


def test_octaves_change_the_aspect_within_limits() -> None:
    found = [each for each in draws(OctaveZoom(20, 80, (0.5, 1.0))) if each[0] != each[1]]
    assert len(found) > 20
    for across, down in found:
        ratio = 2 * across / down
        assert 0.5 <= ratio < 1.0 + 1e-9
        assert abs(ratio / 0.05 - round(ratio / 0.05)) < 1e-6
        step = 2 * math.log2(max(across, down))
        side = across * 40 if abs(2 * math.log2(down) % 1) < 1e-9 else down * 20
        assert 16 <= side <= 96, step


def test_free_scales() -> None:
    found = draws(FreeZoom(0.5, 2))
    kept = [across for across, down in found if (across, down) != (1.0, 1.0)]
    assert 0.4 < len(kept) / 400 < 0.6
    assert 0.5 <= min(kept) < 0.6
    assert 1.7 < max(kept) <= 2
    assert abs(np.log2(kept).mean()) < 0.15
    scales = draws(FreeZoom(100, 200, 1, scales=True))
    scale = math.sqrt(41 * 21)
    assert all(100 <= across * scale <= 200 for across, _ in scales)
    assert draws(FreeZoom(100, 200, 1, scales=True), None) == [(1.0, 1.0)] * 400
    aspects = draws(FreeZoom(1, 1, 1, aspects=(0.5, 2)))
    assert all(abs(across * down - 1) < 1e-9 for across, down in aspects)
    assert min(across / down for across, down in aspects) < 0.6


def test_large_images_are_cut_around_an_object() -> None:
    image, boxes = gray(100, 120), scene([30, 40, 50, 60], [80, 10, 90, 20])
    seen = set()
    for place in range(60):
        placed = place_image(image, boxes, (40, 50), None, ImageRNG(KEY, place))
        assert (placed.left, placed.top, placed.pixels.shape) == (0, 0, (3, 40, 50))
        column, row = placed.pixels[:2, 0, 0].tolist()
        np.testing.assert_array_equal(placed.pixels, image[:, row : row + 40, column : column + 50])
        moved = placed.scene.corners - boxes.corners
        np.testing.assert_array_equal(moved, [[-column, -row] * 2] * 2)
        near = abs(column + 25 - 40) <= 10 and abs(row + 20 - 50) <= 10
        other = abs(column + 25 - 85) <= 10 and row <= 5
        assert near or other
        seen.add(near)
    assert seen == {True, False}


def test_small_images_are_placed_near_the_middle() -> None:
    image, boxes = gray(30, 100), scene([30, 10, 50, 20])
    tops = set()
    for place in range(60):
        placed = place_image(image, boxes, (40, 50), None, ImageRNG(KEY, place))
        assert placed.pixels.shape == (3, 30, 50)
        column = int(placed.pixels[0, 0, 0])
        np.testing.assert_array_equal(
            placed.scene.corners, boxes.corners + [-column, placed.top] * 2
        )
        tops.add(placed.top)
    assert tops == set(range(11))


def test_images_without_objects_are_cut_anywhere() -> None:
    columns = {
        int(
            place_image(gray(30, 100), scene(), (40, 50), None, ImageRNG(KEY, place)).pixels[
                0, 0, 0
            ]
        )
        for place in range(300)
    }
    assert min(columns) < 5
    assert max(columns) > 45


class Fixed:
    """The same factors for all."""

    def __init__(self, across: float, down: float) -> None:
        self.factors = across, down

    def draw(self, box: np.ndarray | None, rng: ImageRNG) -> tuple[float, float]:
        return self.factors


@pytest.mark.parametrize("factors", [(1.25, 0.5), (0.5, 0.5)])
def test_images_are_scaled(factors: tuple[float, float]) -> None:
    image, boxes = gray(60, 80), scene([20, 20, 40, 30])
    placed = place_image(image, boxes, (200, 200), Fixed(*factors), ImageRNG(KEY, 5))
    size = (int(60 * factors[1]), int(80 * factors[0]))
    np.testing.assert_array_equal(placed.pixels, resize(image, *size))
    np.testing.assert_allclose(
        placed.scene.corners,
        boxes.corners * [*factors, *factors] + [placed.left, placed.top] * 2,
    )


def test_images_that_grow_much_are_cut_before() -> None:
    """1.2 / 2 of each axis is kept around the object; the box stays on its pixels."""
    image, boxes = gray(100, 120), scene([30, 40, 50, 60])
    placed = place_image(image, boxes, (300, 300), Fixed(2, 2), ImageRNG(KEY, 5))
    assert placed.pixels.shape == (3, 120, 144)
    np.testing.assert_array_equal(placed.pixels, resize(image[:, 20:80, 4:76], 120, 144))
    corners = (boxes.corners - [4, 20] * 2) * 2 + [placed.left, placed.top] * 2
    np.testing.assert_allclose(placed.scene.corners, corners)
