"""DetectionLoss and DetectionGroupLoss."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness

ONE = "cls_num: 3 field_w: 20 field_h: 30 downsample_rate: 8 bg_multiple: 2"
GROUP = "cls_num: 3 field_w: [20, 40] field_h: [30, 10] stride: 8 bg_multiple: 2"
NORM = "bbox_reg_param { bbox_mean: [0.1, 0, 0, 0] bbox_std: [0.5, 0.5, 0.7, 0.9] }"


def label_maps(count: int, objects: int = 3, height: int = 4, width: int = 6) -> np.ndarray:
    """Maps with objects of classes 1 and 2, background, and background near to objects."""
    generator = np.random.default_rng(3)
    maps = np.zeros((count, 6, height, width))
    maps[:, 5] = generator.uniform(0, 0.7, (count, height, width))
    for image in maps:
        for place, cell in enumerate(generator.permutation(height * width)[:objects]):
            row, column = divmod(int(cell), width)
            start = (column + 0.5) * 8 + 3, (row + 0.5) * 8 - 2
            image[:, row, column] = [1 + place % 2, *start, 24 + place, 25, 0.8]
    return maps


def one(fields: str, seed: int = 0, maps: np.ndarray | None = None, more: str = "") -> LayerHarness:
    generator = np.random.default_rng(5)
    x = generator.uniform(-0.4, 0.4, (2, 7, 4, 6))
    text = f'type: "DetectionLoss" {NORM} detection_loss_param {{ {ONE} {fields} }}'
    labels = label_maps(2) if maps is None else maps
    return LayerHarness(f"{text} {more}", [x, labels], dtype=float, seed=seed)


def group(fields: str, seed: int = 0, maps: np.ndarray | None = None) -> LayerHarness:
    generator = np.random.default_rng(5)
    scores, offsets = (generator.uniform(-0.4, 0.4, (4, n, 4, 6)) for n in (3, 4))
    text = f'type: "DetectionGroupLoss" {NORM} detection_group_loss_param {{ {GROUP} {fields} }}'
    labels = label_maps(4) if maps is None else maps
    return LayerHarness(text, [scores, offsets, labels], dtype=float, seed=seed)


def slopes_agree(harness: LayerHarness) -> None:
    """Differences of the first value, of which the second is a part."""
    harness.forward()
    found = harness.backward([[[[[1.7, 0.0]]]]])
    assert found[-1] is None
    for place, dx in enumerate(found[:-1]):
        assert dx is not None
        values = harness.inputs[place]
        direction = np.random.default_rng(place).standard_normal(values.shape)
        start, sides = values.copy(), []
        for step in (1e-6, -1e-6):
            values[...] = start + step * direction
            sides.append(1.7 * harness.forward()[0].flat[0])
        values[...] = start
        expected = (sides[0] - sides[1]) / 2e-6
        assert abs((dx * direction).sum() - expected) < 1e-6 * max(1, abs(expected))


@pytest.mark.parametrize(
    "fields",
    [
        "sample_mode: 'all'",
        "sample_mode: 'all' bb_smooth: false lambda: 0.3",
        "sample_mode: 'all' iou_weighted: true",
        "pos_neg_weighted: true",
        "sample_mode: 'mixture' pos_neg_weighted: true iou_weighted: true",
    ],
)
def test_gradients_of_one_kind(fields: str) -> None:
    slopes_agree(one(fields))


@pytest.mark.parametrize(
    "fields",
    [
        "",
        "batch_size: 9 pos_neg_weighted: true",
        "bbox_loss_type: 'Euclidean_L2' lambda: 0.3 batch_size: 4",
        "field_xyr: 1 field_whr: 8",
    ],
)
def test_gradients_of_a_group(fields: str) -> None:
    slopes_agree(group(fields))


def value_by_a_loop(harness: LayerHarness, maps: np.ndarray, chosen: np.ndarray) -> list[float]:
    """The loss of one kind, of the cells that are told."""
    x, cost, box, cells, objects = harness.inputs[0], 0.0, 0.0, 0, 0
    for image, row, column in np.argwhere(chosen).tolist():
        scores, t = x[image, :3, row, column], x[image, 3:, row, column]
        kind, cx, cy, w, h, _ = maps[image, :, row, column]
        cost -= scores[int(kind)] - np.log(np.exp(scores).sum())
        cells += 1
        if not kind:
            continue
        objects += 1
        g = [(cx - (column + 0.5) * 8) / 20, (cy - (row + 0.5) * 8) / 30]
        g += [np.log(w / 20), np.log(h / 30)]
        d = np.abs(t - (np.array(g) - [0.1, 0, 0, 0]) / [0.5, 0.5, 0.7, 0.9])
        box += np.where(d < 1, d * d / 2, d - 0.5).sum()
    box /= 4 * objects
    return [cost / cells + box, box]


def test_the_loss_of_all_cells_is_that_of_a_loop() -> None:
    maps, harness = label_maps(2), one("sample_mode: 'all' bg_threshold: 0.4")
    chosen = (maps[:, 0] > 0) | (maps[:, 5] < 0.4)
    np.testing.assert_allclose(
        harness.forward()[0].reshape(-1), value_by_a_loop(harness, maps, chosen)
    )


def test_hard_background_has_the_highest_scores_of_each_class() -> None:
    """Two objects of class 1 and one of class 2: four cells of background for each class."""
    maps, harness = label_maps(2), one("sample_mode: 'bootstrap' bg_threshold: 0.4")
    chosen = maps[:, 0] > 0
    for image in range(2):
        free = np.flatnonzero(((maps[image, 0] == 0) & (maps[image, 5] < 0.4)).ravel())
        for kind in (1, 2):
            ranks = harness.inputs[0][image, kind].ravel()[free]
            chosen[image].reshape(-1)[free[np.argsort(-ranks)[:4]]] = True
    np.testing.assert_allclose(
        harness.forward()[0].reshape(-1), value_by_a_loop(harness, maps, chosen)
    )


def chosen_cells(harness: LayerHarness) -> np.ndarray:
    """Cells whose scores get a gradient."""
    harness.forward()
    found = harness.backward([[[[[1.0, 0.0]]]]])[0]
    assert found is not None
    cells: np.ndarray = np.abs(found[:, :3]).sum(axis=1) > 0
    return cells


def test_random_background_follows_from_the_seed() -> None:
    maps = label_maps(2)
    first, again, other = (chosen_cells(one("", seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    for cells in (first, other):
        assert cells[maps[:, 0] > 0].all()
        assert not cells[(maps[:, 0] == 0) & (maps[:, 5] >= 0.5)].any()
        # Eight cells are drawn: 4 times two classes, more than twice three objects.
        assert (cells & (maps[:, 0] == 0)).sum(axis=(1, 2)).max() <= 8


def test_a_group_takes_a_batch_of_each_image() -> None:
    """Six objects in two kinds of each image: a third of 9 cells are objects."""
    maps = label_maps(4)
    for fields, objects, count in (
        ("batch_size: 9", 3, 9),
        ("batch_size: 30", 6, 30),
        ("", 6, 18),
        ("min_num_neg: 20", 6, 26),
    ):
        cells = chosen_cells(group(fields + " bg_threshold: 2"))
        for image in (cells[:2], cells[2:]):
            assert image.sum() == count, fields
        assert (cells & (maps[:, 0] > 0))[:2].sum() == objects, fields
        assert (cells & (maps[:, 0] > 0))[2:].sum() == objects, fields


@pytest.mark.parametrize(("kind", "hard"), [("bootstrap", 12), ("mixture", 6)])
def test_a_group_takes_the_hardest_background(kind: str, hard: int) -> None:
    """The least probable: 12 cells for 6 objects, all or half of them."""
    maps, harness = label_maps(4), group(f"neg_mining_type: '{kind}' bg_threshold: 2")
    cells = chosen_cells(harness) & (maps[:, 0] == 0)
    scores = harness.inputs[0]
    p = np.exp(scores[:, 0]) / np.exp(scores).sum(axis=1)
    p[maps[:, 0] > 0] = 2
    for part in (slice(0, 2), slice(2, 4)):
        order = np.argsort(p[part].ravel())
        assert cells[part].sum() == 12
        assert cells[part].ravel()[order[:hard]].all()
        assert cells[part].ravel()[order[:12]].all() == (kind == "bootstrap")


def test_bounds_let_gradients_through_and_leave_the_bottom() -> None:
    harness = group("field_xyr: 1 field_whr: 2 batch_size: 96 bg_threshold: 2")
    harness.inputs[1][...] = 50
    free = group("batch_size: 96 bg_threshold: 2")
    free.inputs[1][...] = 50
    bounded, unbounded = (each.forward()[0].flat[1] for each in (harness, free))
    assert bounded < unbounded / 10
    np.testing.assert_array_equal(harness.bottoms[1], 50)
    slope = harness.backward([[[[[1.0, 0.0]]]]])[1]
    assert slope is not None
    assert (np.abs(slope).sum(axis=1) > 0).sum() == 12


def test_ignored_cells_have_no_part() -> None:
    maps = label_maps(2)
    maps[0, 0, 1, 2], maps[1, 0, 3, 4] = 255, 255
    cells = chosen_cells(one("sample_mode: 'all'", maps=maps, more=IGNORE))
    assert not cells[maps[:, 0] == 255].any()
    assert cells[(maps[:, 0] == 1) | (maps[:, 0] == 2)].all()


IGNORE = "loss_param { ignore_label: 255 }"


def test_a_batch_without_objects_or_cells_has_no_loss() -> None:
    maps = np.zeros((2, 6, 4, 6))
    maps[:, 5] = 1
    harness = one("", maps=maps)
    np.testing.assert_array_equal(harness.forward()[0].reshape(-1), [0, 0])
    (dx, _) = harness.backward([[[[[1.0, 0.0]]]]])
    np.testing.assert_array_equal(dx, 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sample_mode: 'hard'", "unknown sample_mode 'hard'; there are random, bootstrap, mixture"),
    ],
)
def test_settings_of_one_kind_that_cannot_be(text: str, message: str) -> None:
    with pytest.raises(LayerError, match=message):
        one(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("neg_mining_type: 'all'", "unknown neg_mining_type 'all'"),
        ("neg_ranking_type: 'x'", "unknown neg_ranking_type 'x'"),
        ("bbox_loss_type: 'L1'", "unknown bbox_loss_type 'L1'; there are Smooth_L1, Euclidean_L2"),
        ("batch_size: 0", "expected batch_size above 0, or -1 for all objects, got 0"),
    ],
)
def test_settings_of_a_group_that_cannot_be(text: str, message: str) -> None:
    with pytest.raises(LayerError, match=message):
        group(text)


def test_background_needs_a_share() -> None:
    fields = ONE.replace("multiple: 2", "multiple: 0")
    text = f'type: "DetectionLoss" detection_loss_param {{ {fields} }}'
    with pytest.raises(LayerError, match="expected bg_multiple above 0, got 0"):
        LayerHarness(text, [np.zeros((2, 7, 4, 6)), np.zeros((2, 6, 4, 6))])


def test_an_invalid_class_is_named() -> None:
    maps = label_maps(2)
    maps[0, 0, 0, 0] = 3
    with pytest.raises(LayerError, match="expected classes 0 to 2 in 'x1', got 3"):
        one("", maps=maps).forward()
    with pytest.raises(LayerError, match="expected classes 0 to 2 in 'x2', got 3"):
        group("", maps=np.concatenate([maps, maps])).forward()
