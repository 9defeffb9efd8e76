"""DetectionAccuracy, DetectionGroupAccuracy and BboxAccuracy."""

from __future__ import annotations

import math

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness
from tests.layers.test_box_losses import NORM, label_maps

ONE = "cls_num: 3 field_w: 20 field_h: 30 downsample_rate: 8"
GROUP = "cls_num: 3 field_w: [20, 40] field_h: [30, 10] stride: 8"
SIZES = [(20, 30), (40, 10)]


def by_a_loop(
    scores: np.ndarray, offsets: np.ndarray, maps: np.ndarray, *, xyr: float, whr: float, top: int
) -> list[float]:
    right, right_objects, cells, objects, shared = 0, 0, 0, 0, 0.0
    for place in np.ndindex(len(maps), *maps.shape[2:]):
        image, row, column = place
        kind, gx, gy, gw, gh, overlap = maps[image, :, row, column]
        if not kind and overlap >= 0.5:
            continue
        hit = int(kind) in np.argsort(-scores[image, :, row, column])[:top]
        right, cells = right + hit, cells + 1
        if not kind:
            continue
        right_objects, objects = right_objects + hit, objects + 1
        width, height = SIZES[image % 2] if len(maps) == 4 else SIZES[0]
        t = offsets[image, :, row, column] * [0.5, 0.5, 0.7, 0.9] + [0.1, 0, 0, 0]
        x, y = np.clip(t[:2], -1 / xyr, 1 / xyr) * [width, height]
        w, h = np.exp(np.clip(t[2:], -math.log(whr), math.log(whr))) * [width, height]
        x, y = x + (column + 0.5) * 8, y + (row + 0.5) * 8
        across = min(x + w / 2, gx + gw / 2) - max(x - w / 2, gx - gw / 2)
        down = min(y + h / 2, gy + gh / 2) - max(y - h / 2, gy - gh / 2)
        both = max(across, 0) * max(down, 0)
        shared += both / (w * h + gw * gh - both)
    return [right / cells, right_objects / objects, shared / objects]


@pytest.mark.parametrize("top", [1, 2])
def test_one_kind(top: int) -> None:
    generator, maps = np.random.default_rng(2), label_maps(2, objects=7)
    x = generator.standard_normal((2, 7, 4, 6))
    text = f'type: "DetectionAccuracy" top: "a" top: "b" {NORM} detection_accuracy_param {{ {ONE} '
    share, overlap = LayerHarness(text + f"top_k: {top} }}", [x, maps], dtype=float).forward()
    np.testing.assert_allclose(
        [*share.flat, overlap.item()],
        by_a_loop(x[:, :3], x[:, 3:], maps, xyr=4, whr=2, top=top),
    )


def test_a_group() -> None:
    generator, maps = np.random.default_rng(2), label_maps(4, objects=7)
    scores, offsets = (generator.standard_normal((4, n, 4, 6)) for n in (3, 4))
    text = 'type: "DetectionGroupAccuracy" top: "a" top: "b" '
    text += f"{NORM} detection_group_accuracy_param {{ {GROUP} field_xyr: 1 field_whr: 8 }}"
    share, overlap = LayerHarness(text, [scores, offsets, maps], dtype=float).forward()
    np.testing.assert_allclose(
        [*share.flat, overlap.item()], by_a_loop(scores, offsets, maps, xyr=1, whr=8, top=1)
    )


def test_equal_scores() -> None:
    """The forks differ: the last class is the best there, the first one here."""
    maps = np.zeros((2, 6, 1, 1))
    maps[1, 0] = 2
    one = LayerHarness(
        f'type: "DetectionAccuracy" detection_accuracy_param {{ {ONE} }}',
        [np.zeros((2, 7, 1, 1)), maps],
    )
    np.testing.assert_array_equal(one.forward()[0].flat, [0.5, 1])
    group = LayerHarness(
        f'type: "DetectionGroupAccuracy" detection_group_accuracy_param {{ {GROUP} }}',
        [np.zeros((2, 3, 1, 1)), np.zeros((2, 4, 1, 1)), maps],
    )
    np.testing.assert_array_equal(group.forward()[0].flat, [0.5, 0])


def test_maps_without_cells_are_marked() -> None:
    maps = np.zeros((2, 6, 3, 5))
    maps[:, 5] = 1
    text = f'type: "DetectionAccuracy" top: "a" top: "b" detection_accuracy_param {{ {ONE} }}'
    share, overlap = LayerHarness(text, [np.zeros((2, 7, 3, 5)), maps]).forward()
    np.testing.assert_array_equal([*share.flat, overlap.item()], [-1, -1, -1])


def test_accuracies_that_cannot_be() -> None:
    arrays = [np.zeros((2, 7, 3, 5)), np.zeros((2, 6, 3, 5))]
    text = 'type: "DetectionAccuracy" detection_accuracy_param { ' + ONE
    for top in (0, 4):
        with pytest.raises(LayerError, match=f"expected top_k of 1 to 3, got {top}"):
            LayerHarness(text + f" top_k: {top} }}", arrays)
    with pytest.raises(LayerError, match="cannot be part of the objective"):
        LayerHarness(text + " } loss_weight: 1", arrays)
    arrays[1][0, 0, 0, 0] = -2
    with pytest.raises(LayerError, match="expected classes 0 to 2 in 'x1', got -2"):
        LayerHarness(text + " }", arrays).forward()


REGIONS = np.array([[0, 10, 20, 29, 59], [1, 0, 0, 9, 9], [0, 5, 5, 104, 54.0], [0, 0, 0, 9, 9]])
TRUTHS = np.array([
    [2, 12, 22, 31, 61, 0.7], [0, 0, 0, 0, 0, 0], [1, 5, 5, 84, 44, 0.6], [1, 0, 0, 9, 9, 1.0]
])  # fmt: skip


def test_boxes_of_regions() -> None:
    """Two count: one shows nothing, and one is its truth itself. Offsets that are right give 1."""
    offsets = np.zeros((4, 12))
    offsets[0, 8:10] = [2 / 20, 2 / 40]
    offsets[0, 8:] /= 0.5
    text = 'type: "BboxAccuracy" top: "a" top: "b" '
    text += "bbox_reg_param { bbox_mean: [0, 0, 0, 0] bbox_std: [0.5, 0.5, 1, 1] }"
    after, before = LayerHarness(text, [offsets, REGIONS, TRUTHS], dtype=float).forward()
    inner = 80 * 40 / (100 * 50)
    moved = 18 * 38 / (2 * 20 * 40 - 18 * 38)
    np.testing.assert_allclose(
        [after.item(), before.item()], [(1 + inner) / 2, (moved + inner) / 2]
    )
    single = LayerHarness(
        text.replace("1] }", "1] cls_aware: false }"),
        [np.concatenate([offsets[:, :4], offsets[:, 8:]], axis=1), REGIONS, TRUTHS],
        dtype=float,
    )
    np.testing.assert_allclose(single.forward()[0].item(), (1 + inner) / 2)


def test_boxes_without_objects_are_marked() -> None:
    text = 'type: "BboxAccuracy" top: "a" top: "b"'
    tops = LayerHarness(text, [np.zeros((4, 12)), REGIONS, TRUTHS * 0]).forward()
    assert [top.item() for top in tops] == [-1, -1]


@pytest.mark.parametrize(
    ("text", "shapes", "message"),
    [
        ("", [(4, 12), (3, 5), (4, 6)], "expected R x 5 in 'b', as many rows in all bottoms"),
        ("", [(4, 12), (4, 5), (4, 5)], "expected R x 6 in 'c'"),
        ("", [(4, 10), (4, 5), (4, 6)], r"expected R x \(4 K\) in 'a', got 4x10"),
        ("bbox_reg_param { cls_aware: false }", [(4, 12), (4, 5), (4, 6)],
         "expected R x 8 in 'a', got 4x12"),
        ("loss_weight: 1", [(4, 12), (4, 5), (4, 6)], "cannot be part of the objective"),
    ],
)  # fmt: skip
def test_boxes_that_cannot_be(text: str, shapes: list[tuple[int, ...]], message: str) -> None:
    with pytest.raises(LayerError, match=message):
        LayerHarness(
            f'type: "BboxAccuracy" bottom: "a" bottom: "b" bottom: "c" {text}',
            [np.zeros(shape) for shape in shapes],
        )


def test_a_class_without_offsets_is_named() -> None:
    with pytest.raises(LayerError, match="expected classes 0 to 1 in 'x2', got 2"):
        LayerHarness('type: "BboxAccuracy"', [np.zeros((4, 8)), REGIONS, TRUTHS]).forward()
