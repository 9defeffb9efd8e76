"""ResizeBilinear and ResizeNearestNeighbor, against loops as their fork has them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness

X = np.random.default_rng(3).standard_normal((2, 3, 4, 6))
BILINEAR, NEAREST = "resize_bilinear_param", "resize_nearest_neighbor_param"


def resized(field: str, fields: str) -> np.ndarray:
    kind = "ResizeBilinear" if field == BILINEAR else "ResizeNearestNeighbor"
    if "data_format" not in fields:
        fields += ' data_format: "NCHW"'
    text = f'type: "{kind}" {field} {{ {fields} }}'
    (top,) = LayerHarness(text, [X], dtype=float).forward()
    return top


def along(x: np.ndarray, out: int, kind: str, mode: str) -> np.ndarray:
    """The last axis resized, value by value."""
    extent = x.shape[-1]
    step = (extent - 1) / (out - 1) if mode == "align_corners" and out > 1 else extent / out
    values = []
    for k in range(out):
        place = k * step
        if "half" in mode:
            place = (k + 0.5) * step - (
                0 if (kind, mode) == (NEAREST, "half_pixel_centers") else 0.5
            )
        if kind == NEAREST:
            found = math.floor(place + 0.5) if mode == "align_corners" else math.floor(place)
            values.append(x[..., min(max(found, 0), extent - 1)])
            continue
        low, high = max(math.floor(place), 0), min(max(math.ceil(place), 0), extent - 1)
        share = place - math.floor(place)
        values.append(x[..., low] * (1 - share) + x[..., high] * share)
    return np.stack(values, axis=-1)


@pytest.mark.parametrize("size", [(7, 9), (2, 3), (1, 6)])
@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        *((kind, mode) for kind in (BILINEAR, NEAREST) for mode in ("", "align_corners",
                                                                  "half_pixel_centers")),
        (BILINEAR, "pytorch_half_pixel"),
        (NEAREST, "half_pixel_onnx"),
    ],
)  # fmt: skip
def test_sizes_by_loops(kind: str, mode: str, size: tuple[int, int]) -> None:
    if mode == "pytorch_half_pixel" and size[0] == 1:
        size = (3, 6)  # one value is at -1/2, see below
    fields = f"output_height: {size[0]} output_width: {size[1]}" + (
        f" {mode}: true" if mode else ""
    )
    wide = along(X, size[1], kind, mode)
    expected = along(wide.swapaxes(2, 3), size[0], kind, mode).swapaxes(2, 3)
    np.testing.assert_allclose(resized(kind, fields), expected, atol=1e-6)


def test_scales_and_one_value() -> None:
    assert resized(NEAREST, "scale_height: 2 scale_width: 1.5").shape == (2, 3, 8, 9)
    np.testing.assert_array_equal(resized(NEAREST, "scale_height: 2")[:, :, ::2], X)
    one = resized(BILINEAR, "output_height: 1 output_width: 1 pytorch_half_pixel: true")
    np.testing.assert_allclose(one[..., 0, 0], X[..., 0, 0])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ('data_format: "NHWC"', 'expected data_format: "NCHW", got "NHWC"'),
        ("align_corners: true half_pixel_centers: true", "cannot be combined"),
        ("scale_height: 0", "expected scale_height above 0, got 0"),
        ("output_width: 0", "expected a width of 1 or more, got 0"),
        ("scale_width: 0.1", "expected a width of 1 or more, got 0"),
    ],
)
@pytest.mark.parametrize("field", [BILINEAR, NEAREST])
def test_sizes_that_cannot_be(field: str, fields: str, message: str) -> None:
    with pytest.raises(LayerError, match=message):
        resized(field, fields)
