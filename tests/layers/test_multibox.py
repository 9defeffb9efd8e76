"""MultiBoxLoss against losses worked out by hand, and its gradients by differences."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.kernels.boxes import encode
from protonet.testing import LayerHarness, check_gradients

BOXES = np.array([[0, 0, 0.4, 0.4], [0.1, 0, 0.5, 0.4], [0.6, 0.6, 1, 1], [0.6, 0, 1, 0.4]])
VARIANCE = np.array([0.5, 0.5, 0.25, 0.25])
PRIORS = np.stack([BOXES, np.tile(VARIANCE, (4, 1))]).reshape(1, 2, 16)
# In image 0 an object of class 2 at the first prior, which the second overlaps by 0.6.
OBJECT = [0, 2, 0, *BOXES[0], 0]
NONE = [-1.0] * 8
THIRD = np.log(3)


def loss(
    fields: str = "",
    loc: object = None,
    conf: object = None,
    rows: object = (OBJECT, NONE),
    more: str = "",
) -> LayerHarness:
    """Two images, four priors, three classes."""
    loc = np.zeros((2, 16)) if loc is None else loc
    conf = np.zeros((2, 12)) if conf is None else conf
    text = f'type: "MultiBoxLoss" {more} multibox_loss_param {{ num_classes: 3 {fields} }}'
    return LayerHarness(text, [loc, conf, PRIORS, np.reshape(rows, (1, 1, -1, 8))], dtype=float)


def value(*arguments: object, **more: object) -> float:
    (top,) = loss(*arguments, **more).forward()
    assert top.shape == ()
    return float(top)


def slopes(harness: LayerHarness, weight: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    harness.forward()
    dloc, dconf, dpriors, dtruths = harness.backward([weight])
    assert dpriors is None
    assert dtruths is None
    assert dloc is not None
    assert dconf is not None
    return dloc.reshape(2, 4, -1), dconf.reshape(2, 4, 3)


def test_matches_and_negatives_by_hand() -> None:
    """Two matches and two negatives; the second match is off by (0.2, 0, 0.4, 0)."""
    harness = loss()
    (top,) = harness.forward()
    np.testing.assert_allclose(top, ((0.2**2 + 0.4**2) / 2 + 4 * THIRD) / 2)
    dloc, dconf = slopes(harness, 10.0)
    expected = np.zeros((2, 4, 4))
    expected[0, 1] = [1, 0, 2, 0]
    np.testing.assert_allclose(dloc, expected, atol=1e-12)
    np.testing.assert_allclose(dconf[0] * 3 / 5, [[1, 1, -2], [1, 1, -2], [-2, 1, 1], [-2, 1, 1]])
    assert not dconf[1].any()


def test_every_prior_counts_without_mining() -> None:
    harness = loss("mining_type: NONE")
    np.testing.assert_allclose(harness.forward()[0], 0.05 + 8 * THIRD / 2)
    _, dconf = slopes(harness, 6.0)
    np.testing.assert_allclose(dconf[1], [[-2, 1, 1]] * 4)


@pytest.mark.parametrize(
    ("more", "divisor"),
    [
        ("loss_param { normalization: FULL }", 8),
        ("loss_param { normalization: BATCH_SIZE }", 2),
        ("loss_param { normalize: false }", 2),
        ("loss_param { normalize: true }", 1),
        ("loss_param { normalization: NONE normalize: true }", 1),
    ],
)
def test_what_the_loss_is_divided_by(more: str, divisor: int) -> None:
    """One match and two negatives; the second prior overlaps by too much to be one."""
    found = value("match_type: BIPARTITE", more=more)
    np.testing.assert_allclose(found, 3 * THIRD / divisor)


def test_both_parts_have_their_weight() -> None:
    np.testing.assert_allclose(value("loc_weight: 6"), (0.6 + 4 * THIRD) / 2)
    down = "propagate_down: %s propagate_down: %s propagate_down: false propagate_down: false"
    harness = loss(more=down % ("true", "false"))
    np.testing.assert_allclose(harness.forward()[0], 0.05)
    assert not slopes(harness)[1].any()
    harness = loss(more=down % ("false", "true"))
    np.testing.assert_allclose(harness.forward()[0], 2 * THIRD)
    assert not slopes(harness)[0].any()


def test_far_offsets_cost_their_distance() -> None:
    loc = np.zeros((2, 4, 4))
    loc[0, 0], loc[0, 1] = [3, -2, 1, 0.5], encode(BOXES, np.tile(VARIANCE, (4, 1)),
                                                  BOXES[[0] * 4], "CORNER")[1]  # fmt: skip
    far = loss("match_type: BIPARTITE mining_type: NONE", loc.reshape(2, 16))
    np.testing.assert_allclose(far.forward()[0], 2.5 + 1.5 + 0.5 + 0.125 + 8 * THIRD)
    np.testing.assert_allclose(slopes(far)[0][0, 0], [1, -1, 1, 0.5])
    squared = loss("match_type: BIPARTITE mining_type: NONE loc_loss_type: L2", loc.reshape(2, 16))
    np.testing.assert_allclose(squared.forward()[0], 4.5 + 2 + 0.5 + 0.125 + 8 * THIRD)
    np.testing.assert_allclose(slopes(squared)[0][0, 0], [3, -2, 1, 0.5])


def test_logistic_scores_by_hand() -> None:
    """Of each score, log(1 + e^x), less x where the class is right."""
    conf = np.zeros((2, 4, 3))
    conf[0, 0] = [0, 0, np.log(3)]
    harness = loss("conf_loss_type: LOGISTIC", conf=conf.reshape(2, 12))
    two = np.log(2)
    np.testing.assert_allclose(
        harness.forward()[0], (0.1 + (2 * two + np.log(4) - np.log(3)) + 9 * two) / 2
    )
    _, dconf = slopes(harness, 4.0)
    np.testing.assert_allclose(dconf[0], [[1, 1, -0.5], [1, 1, -1], [-1, 1, 1], [-1, 1, 1]])
    assert not dconf[1].any()
    _, dconf = slopes(loss("conf_loss_type: LOGISTIC mining_type: NONE"), 4.0)
    np.testing.assert_allclose(dconf, [[[1, 1, -1]] * 2 + [[1, 1, 1]] * 2, [[1, 1, 1]] * 4])


def test_only_the_hardest_negatives_count() -> None:
    conf = np.zeros((2, 4, 3))
    conf[0, 2, 0], conf[0, 3, 0] = np.log(2), -np.log(2)
    harness = loss("neg_pos_ratio: 0.5", conf=conf.reshape(2, 12))
    np.testing.assert_allclose(harness.forward()[0], (0.1 + 2 * THIRD + np.log(5)) / 2)
    _, dconf = slopes(harness)
    assert dconf.any(axis=2).tolist() == [[True, True, False, True], [False] * 4]


def test_hard_examples_may_leave_out_matches() -> None:
    """Sorted by both losses: the second prior costs 0.1 more than the others."""
    harness = loss("mining_type: HARD_EXAMPLE sample_size: 1")
    np.testing.assert_allclose(harness.forward()[0], 0.1 + THIRD)
    conf = np.zeros((2, 4, 3))
    conf[0, 3, 0] = -9
    harness = loss("mining_type: HARD_EXAMPLE sample_size: 1", conf=conf.reshape(2, 12))
    np.testing.assert_allclose(harness.forward()[0], np.log(2 + np.exp(-9)) + 9)
    assert not slopes(harness)[0].any()


@pytest.mark.parametrize("rows", [(NONE,), (NONE, NONE)])
def test_nothing_to_find_costs_nothing(rows: object) -> None:
    harness = loss(rows=rows)
    assert harness.forward()[0] == 0
    assert not any(each.any() for each in slopes(harness))
    np.testing.assert_allclose(value("mining_type: NONE", rows=rows), 8 * THIRD)


def test_an_object_that_no_prior_overlaps_costs_nothing() -> None:
    assert value(rows=[[1, 1, 0, 0.45, 0.45, 0.55, 0.55, 0]]) == 0


def test_an_unlikely_class_costs_no_more_than_87() -> None:
    conf = np.zeros((2, 4, 3))
    conf[0, 0, 2] = -1e4
    found = value("match_type: BIPARTITE neg_overlap: 0.1", conf=conf.reshape(2, 12))
    np.testing.assert_allclose(found, -np.log(np.finfo(np.float32).tiny) + 2 * THIRD)


@pytest.mark.parametrize("code", ["CORNER", "CORNER_SIZE", "CENTER_SIZE"])
@pytest.mark.parametrize("inside", [False, True])
def test_right_offsets_cost_nothing(code: str, inside: bool) -> None:
    """Those that encode gives; not over variances where the targets have them."""
    truth = np.array([[0.05, 0.05, 0.35, 0.45]] * 4)
    variances = np.ones((4, 4)) if inside else np.tile(VARIANCE, (4, 1))
    loc = encode(BOXES, variances, truth, code)
    found = value(
        f"code_type: {code} overlap_threshold: 0.4 "
        f"encode_variance_in_target: {str(inside).lower()}",
        np.stack([loc, loc]).reshape(2, 16),
        None,
        [[0, 1, 0, *truth[0], 0]],
    )
    np.testing.assert_allclose(found, 2 * THIRD)


def test_offsets_of_borders_outside_the_image_may_be_held() -> None:
    rows = [[0, 2, 0, 0, 0, 0.4, 0.4, 0]]
    priors = PRIORS.copy().reshape(2, 4, 4)
    priors[0, 1] = [-0.1, 0.1, 0.3, 0.5]
    text = 'type: "MultiBoxLoss" multibox_loss_param { num_classes: 3 bp_inside: true %s }'
    bottoms = [np.ones((2, 16)), np.zeros((2, 12)), priors.reshape(1, 2, 16), rows]
    shapes = "overlap_threshold: 0.3 loc_loss_type: L2"
    dloc, _ = slopes(LayerHarness(text % shapes, bottoms, dtype=float))
    # The second prior's target is (0.2, -0.2, 0.4, -0.4).
    np.testing.assert_allclose(dloc[0, :2] * 2, [[1] * 4, [0, 1.2, 0.6, 1.4]])
    bottoms[0] = np.full((2, 16), -0.1)
    shapes += " use_prior_for_matching: false"
    dloc, _ = slopes(LayerHarness(text % shapes, bottoms, dtype=float))
    # The boxes meant are (-0.05, -0.05, 0.375, 0.375) and (-0.15, 0.05, 0.275, 0.475).
    np.testing.assert_allclose(
        dloc[0, :2] * 2, [[0, 0, -0.1, -0.1], [0, 0.1, -0.5, 0.3]], atol=1e-12
    )


def random_bottoms(sets: int = 1) -> list[np.ndarray]:
    """Three images of 12 priors, of four classes; one image has no object."""
    generator = np.random.default_rng(3)
    starts = np.stack(np.meshgrid([0.05, 0.25, 0.45, 0.65], [0.1, 0.3, 0.5]), -1).reshape(12, 2)
    boxes = np.concatenate([starts, starts + np.array([0.3, 0.4])], axis=1)
    priors = np.stack([boxes, np.tile([0.1, 0.15, 0.2, 0.25], (12, 1))]).reshape(1, 2, 48)
    rows = [
        [2, 1, 0, 0.1, 0.15, 0.4, 0.5, 0],
        [0, 3, 0, 0.5, 0.3, 0.8, 0.75, 1],
        [2, 2, 0, 0.4, 0.4, 0.85, 0.8, 0],
        NONE,
        [2, 1, 1, 0.6, 0.1, 0.9, 0.45, 0],
    ]
    return [
        generator.standard_normal((3, 48 * sets)) * 0.4,
        generator.standard_normal((3, 48)),
        priors,
        np.reshape(rows, (1, 1, 5, 8)),
    ]


@pytest.mark.parametrize(
    "fields",
    [
        "",
        "loc_loss_type: L2 code_type: CENTER_SIZE loc_weight: 2",
        "conf_loss_type: LOGISTIC code_type: CORNER_SIZE",
        "mining_type: NONE encode_variance_in_target: true code_type: CENTER_SIZE",
        "mining_type: NONE conf_loss_type: LOGISTIC background_label_id: 0",
        "mining_type: HARD_EXAMPLE sample_size: 5",
        "match_type: BIPARTITE neg_pos_ratio: 1.5",
        "use_prior_for_matching: false overlap_threshold: 0.3",
        "use_prior_for_matching: false bp_inside: true encode_variance_in_target: true",
        "nms_param { nms_threshold: 0.2 }",
        "nms_param { nms_threshold: 0.2 } use_prior_for_nms: true",
        "share_location: false mining_type: NONE",
        "share_location: false mining_type: NONE use_prior_for_matching: false",
        "share_location: false mining_type: NONE use_prior_for_matching: false "
        "conf_loss_type: LOGISTIC overlap_threshold: 0.1",
        "use_difficult_gt: false",
        "ignore_difficult_gt: true",
    ],
)
def test_gradients_agree_with_differences(fields: str) -> None:
    bottoms = random_bottoms(4 if "share_location: false" in fields else 1)
    text = f'type: "MultiBoxLoss" multibox_loss_param {{ num_classes: 4 {fields} }}'
    harness = LayerHarness(text, bottoms, dtype=float)
    harness.forward()
    dloc, dconf = harness.backward([1.0])[:2]
    assert dloc is not None
    assert dconf is not None
    assert dloc.any()
    assert dconf.any()
    check_gradients(text, bottoms)


def test_a_net_that_went_astray_gives_no_warning() -> None:
    """Scores that are not numbers show; boxes far away match nothing."""
    assert np.isnan(value(conf=np.full((2, 12), np.inf)))
    for offset in (1e308, np.inf, np.nan):
        fields = "use_prior_for_matching: false code_type: CENTER_SIZE"
        assert value(fields, np.full((2, 16), offset)) == 0


M = "multibox_loss_param"
SHAPES = ((2, 16), (2, 12), (1, 2, 16), (1, 1, 5, 8))


@pytest.mark.parametrize(
    ("fields", "shapes", "message", "path"),
    [
        ("", SHAPES, "num_classes is missing: expected a count of 1 or more", (M,)),
        (
            "num_classes: 3 background_label_id: 3",
            SHAPES,
            "expected a background_label_id of 0 to 2, got 3",
            (M, "background_label_id"),
        ),
        (
            "num_classes: 3 map_object_to_agnostic: true",
            SHAPES,
            "map_object_to_agnostic needs num_classes 2 and background_label_id 0, got 3 and 0",
            (M, "map_object_to_agnostic"),
        ),
        (
            "num_classes: 3 do_neg_mining: false",
            SHAPES,
            "do_neg_mining: false contradicts mining_type: MAX_NEGATIVE",
            (M, "do_neg_mining"),
        ),
        (
            "num_classes: 3 share_location: false",
            SHAPES,
            "mining needs share_location: true",
            (M, "share_location"),
        ),
        (
            "num_classes: 3 neg_pos_ratio: 0",
            SHAPES,
            "expected neg_pos_ratio above 0, got 0",
            (M, "neg_pos_ratio"),
        ),
        (
            "num_classes: 3 mining_type: HARD_EXAMPLE sample_size: -4",
            SHAPES,
            "expected sample_size above 0, got -4",
            (M, "sample_size"),
        ),
        (
            "num_classes: 3",
            (*SHAPES[:3], (5, 7)),
            "expected rows of 8 values in 'x3', got 5x7",
            ("bottom", 3),
        ),
        (
            "num_classes: 4",
            SHAPES,
            "expected 16 values per image in 'x1', one for each of 4 priors and 4 classes, got "
            "2x12",
            ("bottom", 1),
        ),
    ],
)
def test_mistakes(
    fields: str,
    shapes: tuple[tuple[int, ...], ...],
    message: str,
    path: tuple[str | int, ...],
) -> None:
    text = f'type: "MultiBoxLoss" {M} {{ {fields} }}'
    with pytest.raises(LayerError) as caught:
        LayerHarness(text, [np.ones(shape) for shape in shapes])
    assert (str(caught.value), caught.value.path) == (message, path)


def test_old_mining_may_agree() -> None:
    assert value("do_neg_mining: true") == value()


def test_variances_must_be_above_0() -> None:
    harness = loss()
    harness.inputs[2][0, 1, 3] = 0
    with pytest.raises(LayerError, match="expected variances above 0 in 'x2', got 0") as caught:
        harness.forward()
    assert caught.value.path == ("bottom", 2)
