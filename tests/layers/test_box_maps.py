"""Fields of cells: boxes to offsets and back; and what the layers of maps refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.layers.box_maps import Fields, overlap_of
from protonet.testing import LayerHarness

FIELDS = Fields(
    np.array([[20.0, 30.0], [40.0, 10.0]]),
    8,
    np.array([0.1, 0.2, 0.3, 0.4]),
    np.array([0.5, -0.5, 0.25, 0.0]),
)


def test_offsets_are_those_of_a_loop_and_give_the_boxes_back() -> None:
    boxes = np.random.default_rng(1).uniform(5, 30, (3, 2, 4, 2, 5))
    offsets = FIELDS.encode(boxes)
    for place in np.ndindex(3, 2, 2, 5):
        image, kind, row, column = place
        width, height = FIELDS.extents[kind]
        x, y, w, h = boxes[image, kind, :, row, column]
        plain = [
            (x - (column + 0.5) * 8) / width,
            (y - (row + 0.5) * 8) / height,
            math.log(w / width),
            math.log(h / height),
        ]
        np.testing.assert_allclose(
            offsets[image, kind, :, row, column], (plain - FIELDS.mean) / FIELDS.deviation
        )
    np.testing.assert_allclose(FIELDS.decode(offsets, 1e-3, 1e3), boxes)


def test_small_sides_are_encoded_as_two_pixels() -> None:
    boxes = np.full((1, 2, 4, 1, 1), 2.0)
    tiny = boxes.copy()
    tiny[:, :, 2:] = 0.5
    np.testing.assert_array_equal(FIELDS.encode(tiny), FIELDS.encode(boxes))


def test_bounds() -> None:
    """They use the mean of both means, and the geometric mean of both deviations."""
    low, high = (FIELDS.bound(np.full((1, 2, 4, 1, 1), sign * 1e9), 4, 2) for sign in (-1, 1))
    shift, growth = math.sqrt(0.1 * 0.2), math.sqrt(0.3 * 0.4)
    np.testing.assert_allclose(low[0, 0, :, 0, 0], [-0.25 / shift] * 2 + [
        (-math.log(2) - 0.125) / growth] * 2)  # fmt: skip
    np.testing.assert_allclose(high[0, 1, :, 0, 0], [0.25 / shift] * 2 + [
        (math.log(2) - 0.125) / growth] * 2)  # fmt: skip
    np.testing.assert_array_equal(FIELDS.bound(np.zeros((1, 2, 4, 1, 1)), 4, 2), 0)


def test_overlaps_of_pairs() -> None:
    """Of 4 x 2 boxes: one moved by half its width, the same one, one far away, one of no size."""
    a = np.array([[5.0, 5, 4, 2]] * 4)
    b = np.array([[7.0, 5, 4, 2], [5, 5, 4, 2], [50, 5, 4, 2], [5, 5, 0, 2]])
    np.testing.assert_allclose(overlap_of(a, b), [4 / 12, 1, 0, 0])


BASE = "cls_num: 3 field_w: 20 field_h: 30 downsample_rate: 8"
GROUP = "cls_num: 2 field_w: [20, 40] field_h: [30, 10] stride: 8"


@pytest.mark.parametrize(
    ("kind", "fields", "shapes", "message"),
    [
        ("", BASE.replace("cls_num: 3", ""), [(2, 7, 3, 5), (2, 6, 3, 5)],
         "expected cls_num of 2 or more, the background among them, got 0"),
        ("", BASE + " objectness: true", [(2, 7, 3, 5), (2, 6, 3, 5)],
         "expected cls_num 2 for objectness, the background among them, got 3"),
        ("", BASE + " field_whr: 1", [(2, 7, 3, 5), (2, 6, 3, 5)],
         "expected field_whr above 1, got 1"),
        ("", BASE + " field_xyr: 0", [(2, 7, 3, 5), (2, 6, 3, 5)],
         "expected field_xyr above 0, got 0"),
        ("", BASE + " coord_num: 5", [(2, 7, 3, 5), (2, 6, 3, 5)], "expected coord_num 4, got 5"),
        ("", "cls_num: 3 field_w: 20 downsample_rate: 8", [(2, 7, 3, 5), (2, 6, 3, 5)],
         "expected as many field_w as field_h, each above 0, got 20 and 0"),
        ("", "cls_num: 3 field_w: 20 field_h: 30", [(2, 7, 3, 5), (2, 6, 3, 5)],
         "expected a downsample_rate above 0, got 0"),
        ("", BASE, [(2, 6, 3, 5), (2, 6, 3, 5)], "expected N x 7 x H x W in 'a', with one N, H "
         "and W for all, got 2x6x3x5"),
        ("", BASE, [(2, 7, 3, 5), (2, 6, 5, 3)], "expected N x 6 x H x W in 'b'"),
        ("Group", GROUP.replace("[30, 10]", "30"), [(4, 2, 3, 5), (4, 4, 3, 5), (4, 6, 3, 5)],
         "expected as many field_w as field_h, each above 0, got 20, 40 and 30"),
        ("Group", GROUP.replace("stride: 8", ""), [(4, 2, 3, 5), (4, 4, 3, 5), (4, 6, 3, 5)],
         "expected a stride above 0, got 0"),
        ("Group", GROUP, [(3, 2, 3, 5), (3, 4, 3, 5), (3, 6, 3, 5)],
         r"expected \(N 2\) x 2 x H x W in 'a', with one N, H and W for all, got 3x2x3x5"),
        ("Group", GROUP, [(4, 2, 3, 5), (4, 4, 3, 5), (4, 5, 3, 5)],
         r"expected \(N 2\) x 6 x H x W in 'c'"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("what", ["Loss", "Accuracy"])
def test_maps_that_cannot_be(
    what: str, kind: str, fields: str, shapes: list[tuple[int, ...]], message: str
) -> None:
    names = " ".join(f'bottom: "{name}"' for name in "abc"[: len(shapes)])
    field = f"detection_{kind.lower()}{'_' if kind else ''}{what.lower()}_param"
    text = f'type: "Detection{kind}{what}" {names} {field} {{ {fields} }}'
    if kind and "coord_num" in fields:
        return
    with pytest.raises(LayerError, match=message):
        LayerHarness(text, [np.zeros(shape) for shape in shapes])
