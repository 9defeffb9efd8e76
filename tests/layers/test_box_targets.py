"""ProposalTarget and HardMining."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness

REGIONS = np.array([
    [0, 10, 10, 29, 29],  # is the first truth
    [0, 14, 10, 33, 29],  # overlaps it by 16 / 24
    [0, 22, 10, 41, 29],  # by 8 / 32
    [0, 60, 60, 79, 79],  # is the ignored one
    [1, 10, 10, 29, 29],  # another image: nothing
    [1, 40, 40, 59, 49.0],  # overlaps the third truth by half
])  # fmt: skip
TRUTHS = np.array([
    [0, 10, 10, 29, 29, 2, 0], [0, 60, 60, 79, 79, 1, 1], [1, 40, 40, 59, 59, 1, 0.0]
])  # fmt: skip
NORM = "bbox_reg_param { bbox_mean: [0.1, 0, 0, 0] bbox_std: [0.1, 0.1, 0.2, 0.5] }"


def layer(
    fields: str, truths: np.ndarray = TRUTHS, more: str = NORM, seed: int = 0
) -> LayerHarness:
    tops = " ".join(f'top: "t{place}"' for place in range(7))
    text = f'type: "ProposalTarget" {tops} {more} proposal_target_param {{ cls_num: 3 '
    text += f"img_width: 90 img_height: 80 num_img_per_batch: 2 {fields} }}"
    return LayerHarness(text, [REGIONS, truths], dtype=float, seed=seed)


def rows(
    fields: str, truths: np.ndarray = TRUTHS, more: str = NORM, seed: int = 0
) -> list[np.ndarray]:
    tops = layer(fields, truths, more, seed).forward()
    return [top.reshape(len(top), -1) for top in tops]


def test_all_regions() -> None:
    found, kinds, targets, inside, outside, truths, weights = rows("batch_size: -1 bg_thr_lw: 0.1")
    own = TRUTHS[[0, 2], :5]
    np.testing.assert_array_equal(found, [*REGIONS[[0, 1, 5]], *own, REGIONS[2]])
    np.testing.assert_array_equal(kinds[:, 0], [2, 2, 1, 2, 1, 0])
    expected = np.zeros((6, 3, 4))
    # Less the mean of 0.1, over the deviation; the second lies 4 of 20 pixels right of its truth.
    expected[[0, 3], 2, 0] = expected[4, 1, 0] = -1
    expected[1, 2] = [-3, 0, 0, 0]
    expected[2, 1] = [-1, 5 / 10 / 0.1, 0, np.log(2) / 0.5]
    np.testing.assert_allclose(targets, expected.reshape(6, 12), atol=1e-12)
    marks = np.zeros((6, 3, 4))
    marks[np.arange(5), kinds[:5, 0].astype(int)] = 1
    np.testing.assert_array_equal(inside, marks.reshape(6, 12))
    np.testing.assert_array_equal(outside, inside)
    np.testing.assert_allclose(truths[1], [2, 10, 10, 29, 29, 16 / 24])
    np.testing.assert_allclose(truths[2], [1, 40, 40, 59, 59, 0.5])
    np.testing.assert_array_equal(truths[5], 0)
    np.testing.assert_allclose(weights[:, 0], [*[0.25 * 6 / 5] * 5, 0.75 * 6])


def test_objects_by_their_overlap() -> None:
    """Weights follow overlaps, and offsets of objects beyond a bound count for nothing."""
    fields = "batch_size: -1 iou_weighted: true append_gtbox: false bbox_thr_hg: 0.9 bg_thr_lw: 0.1"
    found, kinds, _, inside, _, truths, weights = rows(fields)
    np.testing.assert_array_equal(found, REGIONS[[0, 1, 5, 2]])
    np.testing.assert_array_equal(inside.any(axis=1), [False, True, True, False])
    overlap = np.array([1, 16 / 24, 0.5])
    np.testing.assert_allclose(truths[:3, 5], overlap)
    np.testing.assert_allclose(weights[:3, 0], overlap * 0.25 * 4 / overlap.sum())
    np.testing.assert_allclose(weights[3, 0], 3)
    assert kinds.ravel().tolist() == [2, 2, 1, 0]


def test_offsets_of_no_class() -> None:
    _, kinds, targets, inside, *_ = rows(
        "batch_size: -1 bg_thr_lw: 0.1", more="bbox_reg_param { cls_aware: false }"
    )
    assert targets.shape == (6, 8)
    np.testing.assert_array_equal(inside[:, 4:].all(axis=1), kinds[:, 0] > 0)
    np.testing.assert_array_equal(inside[:, :4], 0)
    np.testing.assert_allclose(targets[1, 4:], [-0.2, 0, 0, 0])


def test_a_batch_is_sampled_and_filled() -> None:
    """MS-CNN's truths have seven values: random background fills up, clear of objects."""
    found, kinds, *_ = rows("batch_size: 40 fg_fraction: 0.05")
    assert len(found) == 40
    assert (kinds[:2] > 0).all()
    assert not kinds[2:].any()
    np.testing.assert_array_equal(found[2], REGIONS[2])  # the only background
    np.testing.assert_array_equal(found[3], REGIONS[4])  # of neither kind
    spare = found[4:]
    assert len(np.unique(spare, axis=0)) == 36
    assert set(spare[:, 0]) == {0, 1}
    sides = spare[:, 3:] - spare[:, 1:3] + 1
    assert sides.min() >= 32
    assert (spare[:, 3:] < [90, 80]).all()
    again, *_ = rows("batch_size: 40 fg_fraction: 0.05")
    np.testing.assert_array_equal(found, again)
    other, *_ = rows("batch_size: 40 fg_fraction: 0.05", seed=4)
    assert (found != other).any()


def test_a_batch_of_cascade_rcnn_stays_small() -> None:
    truths = np.insert(TRUTHS, 7, 0, axis=1)
    found, *_ = rows("batch_size: 40", truths)
    assert len(found) == 5 + 2
    found, *_ = rows("batch_size: 40 pickup_discard: false", truths)
    assert len(found) == 5 + 1


def test_a_batch_with_nothing_gets_one_region() -> None:
    """No truth (-1), no background wanted."""
    for columns in (7, 8):
        found, kinds, targets, *_ = rows(
            "batch_size: -1 bg_thr_lw: 0.1", np.full((1, columns), -1.0)
        )
        assert found.shape == (1, 5)
        assert not kinds.any()
        assert not targets.any()


def test_more_objects_than_the_share_are_drawn() -> None:
    _, kinds, *_ = rows("batch_size: 6 fg_fraction: 0.5")
    np.testing.assert_array_equal(kinds[:, 0] > 0, [1, 1, 1, 0, 0, 0])


@pytest.mark.parametrize(
    ("fields", "shapes", "message"),
    [
        ("", None, "expected cls_num of 2 or more, the background among them, got 0"),
        ("cls_num: 3", None, "expected img_width above 32, that of the net's images, got 0"),
        ("cls_num: 3 batch_size: 0", None, "expected batch_size above 0, or -1 for all, got 0"),
        ("cls_num: 3 fg_fraction: 2", None, "expected fg_fraction of 0 to 1, got 2"),
        ("cls_num: 3 bg_thr_hg: 0.6", None, "expected bg_thr_hg of 0 to 0.5, got 0.6"),
        ("cls_num: 3 bg_thr_lw: 0.6", None, "expected bg_thr_lw of 0 to 0.5, got 0.6"),
        ("cls_num: 3 img_width: 90 img_height: 80", [(6, 4), (3, 7)], "expected R x 5 in 'a'"),
        ("cls_num: 3 img_width: 90 img_height: 80", [(6, 5), (3, 6)],
         "expected G x 7 or G x 8 in 'b', got 3x6"),
    ],
)  # fmt: skip
def test_targets_that_cannot_be(
    fields: str, shapes: list[tuple[int, ...]] | None, message: str
) -> None:
    tops = " ".join(f'top: "t{place}"' for place in range(6))
    text = f'type: "ProposalTarget" bottom: "a" bottom: "b" {tops}'
    with pytest.raises(LayerError, match=message):
        LayerHarness(
            text + f" proposal_target_param {{ {fields} }}",
            [np.zeros(shape) for shape in shapes or [(6, 5), (3, 7)]],
        )


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ((0, 0), 2, "expected images 0 to 1 in 'x1', got 2"),
        ((0, 5), 0, "expected classes 1 to 2 in 'x1', got 0"),
        ((0, 5), 3, "expected classes 1 to 2 in 'x1', got 3"),
    ],
)
def test_invalid_truths_are_named(place: tuple[int, int], value: float, message: str) -> None:
    truths = TRUTHS.copy()
    truths[place] = value
    with pytest.raises(LayerError, match=message):
        rows("", truths)


HARD = 'type: "HardMining" hard_mining_param { num_roi_per_image: 2 num_image: 2 }'


def test_the_hardest_regions_stay_in_their_order() -> None:
    scores = np.array([1, 5, 3, 3, 2, 7.0])
    beside = np.arange(12.0).reshape(6, 2)
    harness = LayerHarness(HARD + ' top: "a" top: "b"', [scores.reshape(6, 1), REGIONS, beside])
    # Of image 0 those of 5 and 3, the last of equal ones; both of image 1.
    regions, rows_ = harness.forward()
    np.testing.assert_array_equal(regions, REGIONS[[1, 3, 4, 5]])
    np.testing.assert_array_equal(rows_, beside[[1, 3, 4, 5]])


def test_a_small_image_leaves_room_for_others() -> None:
    regions = REGIONS.copy()
    regions[:, 0] = [0, 0, 0, 0, 0, 1]
    scores = np.array([[1], [5], [3], [4], [2], [0.5]])
    (found,) = LayerHarness(HARD, [scores, regions]).forward()
    np.testing.assert_array_equal(found, regions[[1, 2, 3, 5]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HARD.replace("num_image: 2", "num_image: 0"), "expected num_image above 0, got 0"),
        (HARD + ' top: "a" top: "b"', "expected a top for each of 1 bottoms after the first"),
        (HARD + " loss_weight: 1", "boxes have no gradient"),
    ],
)
def test_minings_that_cannot_be(text: str, message: str) -> None:
    with pytest.raises(LayerError, match=message):
        LayerHarness(text, [np.zeros((6, 1)), REGIONS])


def test_an_image_that_is_none_is_named() -> None:
    regions = REGIONS.copy()
    regions[2, 0] = 2
    with pytest.raises(LayerError, match="expected images 0 to 1 in 'x1', got 2"):
        LayerHarness(HARD, [np.zeros((6, 1)), regions]).forward()
    with pytest.raises(LayerError, match="expected R x 1 in 'x0'"):
        LayerHarness(HARD, [np.zeros((6, 2)), REGIONS])
