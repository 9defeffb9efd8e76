"""The Python layers of Faster R-CNN, against loops after py-faster-rcnn's description."""

from __future__ import annotations

import math

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.kernels.anchors import RATIOS, make_anchors
from protonet.proto.caffe_pb2 import TEST, TRAIN
from protonet.testing import LayerHarness
from tests.kernels.test_anchors import overlap

TRUTHS = np.array([[10, 10, 60, 50, 1], [50, 30, 100, 90, 2.0]])
INFO = np.array([[96.0, 128, 1]])


def python(module: str, layer: str, tops: int, param_str: str) -> str:
    names = " ".join(f'top: "t{place}"' for place in range(tops))
    return (
        f'type: "Python" {names} python_param {{ module: "rpn.{module}" layer: "{layer}" '
        f'param_str: "{param_str}" }}'
    )


def proposals(phase: int, param_str: str = "'scales': [2, 4, 8]") -> list[np.ndarray]:
    generator = np.random.default_rng(7)
    scores = generator.uniform(0, 1, (1, 18, 6, 8))
    offsets = generator.normal(0, 0.2, (1, 36, 6, 8))
    text = python("proposal_layer", "ProposalLayer", 2, param_str)
    harness = LayerHarness(text, [scores, offsets, INFO], phase=phase)
    harness.forward()
    harness._fit([top.shape for top in harness.layer.reshaped_tops().values()])
    return harness.forward()


def test_proposals_are_those_of_proposal() -> None:
    generator = np.random.default_rng(7)
    scores = generator.uniform(0, 1, (1, 18, 6, 8))
    offsets = generator.normal(0, 0.2, (1, 36, 6, 8))
    text = (
        'type: "Proposal" top: "r" top: "s" proposal_param '
        "{ scale: [2, 4, 8] pre_nms_topn: 50 post_nms_topn: 9 }"
    )
    expected = LayerHarness(text, [scores, offsets, INFO]).forward()
    settings = "{'scales': [2, 4, 8], 'pre_nms_topn': 50, 'post_nms_topn': 9}"
    for array, found in zip(expected, proposals(TEST, settings), strict=True):
        assert len(found) == 9
        np.testing.assert_array_equal(found, array)


def test_each_phase_has_its_numbers() -> None:
    layer = LayerHarness(
        python("proposal_layer", "ProposalLayer", 1, ""),
        [np.zeros((1, 18, 2, 2)), np.zeros((1, 36, 2, 2)), INFO],
        phase=TEST,
    ).layer
    assert (layer.user.proposing.before, layer.user.proposing.after) == (6000, 300)
    layer = LayerHarness(
        python("proposal_layer", "ProposalLayer", 1, ""),
        [np.zeros((1, 18, 2, 2)), np.zeros((1, 36, 2, 2)), INFO],
        phase=TRAIN,
    ).layer
    assert (layer.user.proposing.before, layer.user.proposing.after) == (12000, 2000)


def at_anchors(param_str: str = "", truths: np.ndarray = TRUTHS, seed: int = 0) -> LayerHarness:
    text = python("anchor_target_layer", "AnchorTargetLayer", 4, f"'scales': [2, 4, 8]{param_str}")
    data = np.zeros((1, 3, 96, 128))
    return LayerHarness(text, [np.zeros((1, 18, 6, 8)), truths, INFO, data], seed=seed)


def test_what_is_to_be_learned_at_anchors() -> None:
    """With room for all: nothing is left to chance."""
    labels, found, inside, outside = at_anchors("\\n'batch_size': 9999").forward()
    anchors = make_anchors(16, RATIOS, (2, 4, 8))
    table = {}
    for i, j, a in np.ndindex(6, 8, 9):
        box = (anchors[a] + np.array([j, i, j, i]) * 16).tolist()
        if min(box[:2]) >= 0 and box[2] < 128 and box[3] < 96:
            table[i, j, a] = (box, [overlap(box, truth[:4]) for truth in TRUTHS.tolist()])
    best = [max(row[place] for _, row in table.values()) for place in range(2)]
    counted = 0
    for i, j, a in np.ndindex(6, 8, 9):
        label = -1
        if (i, j, a) in table:
            box, row = table[i, j, a]
            is_best = any(value == most for value, most in zip(row, best, strict=True))
            label = 1 if is_best or max(row) >= 0.7 else 0 if max(row) < 0.3 else -1
            truth = TRUTHS[int(np.argmax(row))]
            wide, high = box[2] - box[0] + 1, box[3] - box[1] + 1
            target = [
                ((truth[0] + truth[2] + 1) / 2 - (box[0] + box[2] + 1) / 2) / wide,
                ((truth[1] + truth[3] + 1) / 2 - (box[1] + box[3] + 1) / 2) / high,
                math.log((truth[2] - truth[0] + 1) / wide),
                math.log((truth[3] - truth[1] + 1) / high),
            ]
            np.testing.assert_allclose(found[0, 4 * a : 4 * a + 4, i, j], target, rtol=1e-4)
        assert labels[0, 0, a * 6 + i, j] == label
        assert set(inside[0, 4 * a : 4 * a + 4, i, j]) == {float(label == 1)}
        counted += label >= 0
    assert (labels == 1).sum() >= 2
    np.testing.assert_allclose(outside[outside > 0], 1 / counted, rtol=1e-5)
    assert (outside > 0).sum() == 4 * counted


def test_anchors_beyond_a_batch_go_by_chance_that_comes_again() -> None:
    settings = "\\n'batch_size': 6\\n'fg_fraction': 0.5\\n'positive_overlap': 0.3"
    first = at_anchors(settings).forward()[0]
    assert (first == 1).sum() == 3
    assert (first == 0).sum() == 3
    np.testing.assert_array_equal(at_anchors(settings).forward()[0], first)
    assert (at_anchors(settings, seed=1).forward()[0] != first).any()
    harness = at_anchors(settings)
    harness.clock.count()
    assert (harness.forward()[0] != first).any()


def test_an_image_without_objects_is_background() -> None:
    labels, found, inside, outside = at_anchors(truths=np.zeros((0, 5))).forward()
    assert (labels == 1).sum() == 0
    assert (labels == 0).sum() > 9
    assert not found.any()
    assert not inside.any()
    assert outside.any()


def test_a_truth_that_no_anchor_meets_makes_none_an_object() -> None:
    labels = at_anchors(truths=np.array([[900, 900, 950, 950, 1.0]])).forward()[0]
    assert (labels == 1).sum() == 0


def test_weights_may_prefer_objects() -> None:
    settings = "\\n'batch_size': 9999\\n'positive_weight': 0.75"
    _, _, inside, outside = at_anchors(settings).forward()
    assert outside[inside > 0].sum() == pytest.approx(4 * 0.75, rel=1e-5)
    assert outside.sum() == pytest.approx(4, rel=1e-5)


ROIS = np.array(
    [
        [0, 12, 8, 58, 52],
        [0, 45, 33, 99, 88],
        [0, 0, 60, 20, 90],
        [0, 100, 0, 127, 20],
        [0, 40, 20, 80, 70.0],
    ]
)


def at_regions(
    param_str: str, rois: np.ndarray = ROIS, truths: np.ndarray = TRUTHS, classes: int = 3
) -> list[np.ndarray]:
    settings = f"'num_classes': {classes}{param_str}"
    text = python("proposal_target_layer", "ProposalTargetLayer", 5, settings)
    harness = LayerHarness(text, [rois, truths])
    harness.forward()
    shapes = [top.shape for top in harness.tops]
    for place, made in harness.layer.reshaped_tops().items():
        shapes[place] = made.shape
    harness._fit(shapes)
    return harness.forward()


def test_what_is_to_be_learned_at_regions() -> None:
    rois, labels, found, inside, outside = at_regions("\\n'batch_size': -1")
    assert rois.shape == (7, 5, 1, 1)
    assert labels.shape == (7, 1, 1, 1)
    assert found.shape == (7, 12, 1, 1)
    regions = [*ROIS[:, 1:].tolist(), *TRUTHS[:, :4].tolist()]
    rows = {tuple(row[1:, 0, 0]): place for place, row in enumerate(rois)}
    for box in regions:
        place = rows[tuple(box)]
        overlaps = [overlap(box, truth[:4]) for truth in TRUTHS.tolist()]
        truth = TRUTHS[int(np.argmax(overlaps))]
        label = int(truth[4]) if max(overlaps) >= 0.5 else 0
        assert labels[place, 0, 0, 0] == label
        wide, high = box[2] - box[0] + 1, box[3] - box[1] + 1
        expected = np.zeros((3, 4))
        if label:
            expected[label] = [
                ((truth[0] + truth[2] - box[0] - box[2]) / 2) / wide / 0.1,
                ((truth[1] + truth[3] - box[1] - box[3]) / 2) / high / 0.1,
                math.log((truth[2] - truth[0] + 1) / wide) / 0.2,
                math.log((truth[3] - truth[1] + 1) / high) / 0.2,
            ]
        np.testing.assert_allclose(
            found[place, :, 0, 0], expected.reshape(-1), rtol=1e-4, atol=1e-6
        )
        weights = np.zeros((3, 4))
        weights[label] = label > 0
        np.testing.assert_array_equal(inside[place, :, 0, 0], weights.reshape(-1))
    np.testing.assert_array_equal(inside, outside)
    assert sorted(labels.reshape(-1).tolist()) == [0, 0, 0, 1, 1, 2, 2]


def test_regions_beyond_a_batch_go_by_chance_that_comes_again() -> None:
    rois, labels, *_ = at_regions("\\n'batch_size': 4\\n'fg_fraction': 0.25")
    assert (labels.reshape(-1) > 0).tolist() == [True, False, False, False]
    np.testing.assert_array_equal(at_regions("\\n'batch_size': 4\\n'fg_fraction': 0.25")[0], rois)


def test_two_classes_are_object_or_not() -> None:
    """As R-FCN's nets that share offsets between classes."""
    _, labels, _, inside, _ = at_regions("\\n'batch_size': -1", classes=2)
    objects = int((labels > 0).sum())
    assert objects
    assert set(labels[labels > 0]) <= {1, 2}
    assert inside[labels[:, 0, 0, 0] > 0, 4:].sum() == 4 * objects
    assert not inside[:, :4].any()


def test_no_regions_and_no_truths_are_none() -> None:
    rois, labels, *_ = at_regions("", np.zeros((0, 5)), np.zeros((0, 5)))
    assert rois.shape == (0, 5, 1, 1)
    assert labels.shape == (0, 1, 1, 1)


@pytest.mark.parametrize(
    ("rois", "truths", "message"),
    [
        (
            [[1, 0, 0, 5, 5]],
            TRUTHS,
            r'layer "l" \(ProposalTargetLayer\): expects regions of a single image',
        ),
        (ROIS, [[0, 0, 5, 5, 3]], r"expects classes 0 to 2 of truths, got 3"),
        (ROIS, [[0, 0, 5, 5]], "expects G x 5"),
    ],
)
def test_regions_that_cannot_be_are_refused(rois: object, truths: object, message: str) -> None:
    with pytest.raises(LayerError, match=message):
        at_regions("", np.array(rois, float), np.array(truths, float))


@pytest.mark.parametrize(
    ("param_str", "message"),
    [
        ("\\n'batch_size': 0", "expects -1 or a count as 'batch_size'"),
        ("\\n'stds': [1, 1, 1]", "expects 4 numbers as 'stds'"),
        ("\\n'stds': [1, 1, 1, 0]", "expects numbers above 0 as 'stds'"),
        ("\\n'fg_fraction': 2", "expects a number of 0 to 1 as 'fg_fraction'"),
    ],
)
def test_settings_that_cannot_be_are_refused(param_str: str, message: str) -> None:
    with pytest.raises(LayerError, match=message):
        at_regions(param_str)


def test_the_number_of_classes_is_needed() -> None:
    text = python("proposal_target_layer", "ProposalTargetLayer", 5, "")
    with pytest.raises(LayerError, match="ProposalTargetLayer needs 'num_classes' in param_str"):
        LayerHarness(text, [ROIS, TRUTHS])


def test_anchors_are_of_a_single_image() -> None:
    text = python("anchor_target_layer", "AnchorTargetLayer", 4, "")
    with pytest.raises(LayerError, match="expects a single image as bottom 0, got 2x18x6x8"):
        LayerHarness(text, [np.zeros((2, 18, 6, 8)), TRUTHS, INFO])
    with pytest.raises(LayerError, match="a number above 0 as 'positive_weight'"):
        at_anchors("\\n'positive_weight': 0")
