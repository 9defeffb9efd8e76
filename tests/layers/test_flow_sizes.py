"""Resample and Downsample, compared with loops over all weights."""

from __future__ import annotations

import math

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness, check_gradients

X = np.random.default_rng(3).standard_normal((2, 3, 7, 8))


def weight(kind: str, distance: float) -> float:
    x = abs(distance)
    if kind == "LINEAR":
        return max(0, 1 - x)
    if x <= 1:
        return x * x * (1.5 * x - 2.5) + 1
    return x * (x * (-0.5 * x + 2.5) - 4) + 2 if x < 2 else 0


def resampled(kind: str, size: tuple[int, int], antialias: bool) -> np.ndarray:
    fy, fx = 7 / size[0], 8 / size[1]
    smooth = antialias and (fx > 1 or fy > 1)
    ax, ay = (1 / f if smooth else 1 for f in (fx, fy))
    reach = 2 if kind == "LINEAR" else 4
    rx, ry = (2 if f < 1 else math.ceil(reach / a) for f, a in ((fx, ax), (fy, ay)))
    found = np.zeros((2, 3, *size))
    for i, j in np.ndindex(*size):
        x, y = j * fx + fy / 2 - 0.5, i * fy + fx / 2 - 0.5
        row, column = (int(math.copysign(math.floor(abs(v) + 0.5), v)) for v in (y, x))
        if kind == "NEAREST":
            found[:, :, i, j] = X[:, :, min(max(row, 0), 6), min(max(column, 0), 7)]
            continue
        total = 0.0
        for q in range(max(0, row - ry), min(7, row + ry + 1)):
            for p in range(max(0, column - rx), min(8, column + rx + 1)):
                w = weight(kind, ax * (x - p)) * weight(kind, ay * (y - q))
                found[:, :, i, j] += w * X[:, :, q, p]
                total += w
        found[:, :, i, j] = found[:, :, i, j] / total if total else 0
    return found


@pytest.mark.parametrize("size", [(3, 5), (14, 16), (7, 8), (14, 4)])
@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("kind", ["LINEAR", "CUBIC", "NEAREST"])
def test_images_in_another_size(kind: str, size: tuple[int, int], antialias: bool) -> None:
    text = (
        f'type: "Resample" resample_param {{ height: {size[0]} width: {size[1]} type: {kind} '
        f"antialias: {str(antialias).lower()} }}"
    )
    found = LayerHarness(text, [X], dtype=float).forward()[0]
    np.testing.assert_allclose(found, resampled(kind, size, antialias), atol=1e-12)
    check_gradients(text, [X])


def test_the_size_of_another_blob() -> None:
    text = 'type: "Resample"'
    found = LayerHarness(text, [X, np.zeros((1, 9, 3, 5))], dtype=float).forward()[0]
    np.testing.assert_allclose(found, resampled("LINEAR", (3, 5), True), atol=1e-12)


def downsampled(x: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    fy, fx = (x.shape[2] - 1) / (size[0] - 1), (x.shape[3] - 1) / (size[1] - 1)
    found = np.empty((*x.shape[:2], *size))
    for n, c, i, j in np.ndindex(*found.shape):
        total = lost = value = 0.0
        for row, column in np.ndindex(*x.shape[2:]):
            w = max(0, 1 - abs(column - j * fx) / fx) * max(0, 1 - abs(row - i * fy) / fy)
            if math.isnan(x[n, c, row, column]):
                lost += w
            else:
                value, total = value + w * x[n, c, row, column], total + w
        found[n, c, i, j] = math.nan if lost > 0.5 * total or not total else value / total
    return found


@pytest.mark.parametrize("size", [(3, 4), (2, 7), (13, 8)])
def test_smaller_images_without_what_is_unknown(size: tuple[int, int]) -> None:
    x = X.copy()
    x[0, 0, :3, :4], x[1, 2, 5, 6] = np.nan, np.nan
    text = f'type: "Downsample" downsample_param {{ top_height: {size[0]} top_width: {size[1]} }}'
    found = LayerHarness(text, [x], dtype=float).forward()[0]
    assert np.isnan(found).any()
    np.testing.assert_allclose(found, downsampled(x, size), atol=1e-12)


def test_an_image_of_the_size_stays_as_it_is() -> None:
    found = LayerHarness('type: "Downsample"', [X, np.zeros((1, 1, 7, 8))], dtype=float).forward()
    np.testing.assert_array_equal(found[0], X)


@pytest.mark.parametrize(
    ("text", "shape", "message"),
    [
        ('type: "Resample"', (2, 3, 7, 8), "expected height and width above 0, or a second bottom"),
        ('type: "Resample" resample_param { type: AREA }', (2, 3, 7, 8), "AREA is not defined"),
        ('type: "Downsample"', (2, 3, 7, 8), "expected top_height and top_width above 0"),
        ('type: "Downsample" downsample_param { top_height: 1 top_width: 4 }', (2, 3, 7, 8),
         "2 pixels or more along both axes, got 7 x 8 and 1 x 4"),
        ('type: "Downsample"', (2, 3), "expected N x C x H x W, got 'x0' 2x3"),
    ],
)  # fmt: skip
def test_sizes_that_cannot_be(text: str, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(LayerError, match=message):
        LayerHarness(text, [np.zeros(shape)])
