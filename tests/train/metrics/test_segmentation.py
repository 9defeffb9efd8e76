"""Figures of segmentation, compared with scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.proto.caffe_pb2 import TEST
from protonet.train.events import Output
from protonet.train.metrics import keeping_measured, meters_of
from protonet.train.metrics.segmentation import (
    PixelCounts,
    SegmentationMeter,
    count_pass,
    count_pixels,
    segmentation_loss,
)
from tests.graph.nets import plan_of
from tests.train.nets import maps_net

IGNORE = 255


@pytest.mark.parametrize("seed", range(8))
def test_figures_are_those_of_scikit_learn(seed: int) -> None:
    from sklearn.metrics import (
        accuracy_score,
        confusion_matrix,
        jaccard_score,
        precision_score,
        recall_score,
    )

    random = np.random.default_rng(seed)
    classes = int(random.integers(2, 22))
    present = random.permutation(classes)[: max(2, classes - seed)]  # some classes may be absent
    truth = random.choice([*present, IGNORE], (7, 11, 13))
    guess = np.where(random.random(truth.shape) < 0.6, truth, random.choice(present, truth.shape))
    guess = np.where(guess == IGNORE, present[0], guess)
    counts = PixelCounts.of(truth, guess, classes, IGNORE)

    kept = truth != IGNORE
    y, x, every = truth[kept], guess[kept], list(range(classes))
    assert counts.ignored == np.count_nonzero(~kept)
    np.testing.assert_array_equal(counts.confusion, confusion_matrix(y, x, labels=every))
    assert counts.accuracy == pytest.approx(accuracy_score(y, x), abs=1e-6)
    seen = np.union1d(y, x)
    absent = np.setdiff1d(every, seen)
    ious = jaccard_score(y, x, labels=seen, average=None)
    np.testing.assert_allclose(counts.ious[seen], ious, atol=1e-6)
    assert np.isnan(counts.ious[absent]).all()
    assert counts.mean_iou == pytest.approx(
        jaccard_score(y, x, labels=seen, average="macro"), abs=1e-6
    )
    assert counts.weighted_iou == pytest.approx(
        jaccard_score(y, x, labels=seen, average="weighted"), abs=1e-6
    )
    true = np.unique(y)
    recalls = recall_score(y, x, labels=true, average=None)
    np.testing.assert_allclose(counts.class_accuracies[true], recalls, atol=1e-6)
    assert counts.mean_accuracy == pytest.approx(recalls.mean(), abs=1e-6)
    told = np.unique(x)
    np.testing.assert_allclose(
        counts.precisions[told], precision_score(y, x, labels=told, average=None), atol=1e-6
    )


def test_counts_add_up() -> None:
    random = np.random.default_rng(3)
    truth, guess = random.integers(0, 5, (2, 4, 6, 7))
    parts = [PixelCounts.of(t, g, 4, 2) for t, g in zip(truth, guess % 4, strict=True)]
    total = sum(parts, PixelCounts.none(4))
    whole = PixelCounts.of(truth, guess % 4, 4, 2)
    np.testing.assert_array_equal(total.confusion, whole.confusion)
    assert total.ignored == whole.ignored == np.count_nonzero((truth == 2) | (truth == 4))
    assert not whole.confusion[2].any()


def test_no_pixel_has_no_figure() -> None:
    none = PixelCounts.of(np.full((2, 3), 9), np.zeros((2, 3), int), 3, 9)
    assert none.ignored == 6
    for value in (none.accuracy, none.mean_iou, none.mean_accuracy, none.weighted_iou):
        assert np.isnan(value)


def test_each_image_is_counted_by_itself() -> None:
    truth = np.array([[[0, 1], [1, 7]], [[1, 1], [-1, 0]]])
    guess = np.array([[[0, 0], [1, 1]], [[1, 0], [0, 0]]])
    counts = count_pixels(np, truth, guess, 2, None)
    assert counts.tolist() == [[1, 0, 1, 1, 1], [1, 0, 1, 1, 1]]


def test_a_meter_counts_the_passes_of_a_packed_net() -> None:
    """Its scores are kept, although a layer negates them in place and others follow."""
    packed, named = maps_net(packed=True), maps_net(packed=False)
    (meter,) = meters_of(packed)
    expected = PixelCounts.none(4)
    for _ in range(3):
        packed.forward()
        named.forward()
        meter.take(packed)
        guess = named.blobs["score"].data.argmin(axis=1)  # negated
        expected = expected + PixelCounts.of(named.blobs["label"].data, guess[:, None], 4, 3)
    found = meter.outputs([meter.counts()])
    assert [output.name for output in found] == ["mean_iou", "pixel_accuracy"]
    assert found[0].value == pytest.approx(expected.mean_iou)
    assert found[1].value == pytest.approx(expected.accuracy)
    assert 0 < found[0].value < 1
    assert meter.outputs([meter.counts()]) == []  # begins anew


def test_only_maps_of_labels_from_data_are_segmentation() -> None:
    assert segmentation_loss(plan_of(CLASSIFIER, TEST)) is None
    assert meters_of(maps_net(packed=False)) == [SegmentationMeter()]
    plan = plan_of(CLASSIFIER, TEST)
    assert keeping_measured(plan) is plan
    over_maps = plan_of(AUXILIARY, TEST)
    loss = segmentation_loss(over_maps)
    assert loss is not None
    assert loss.name == "last"
    assert keeping_measured(over_maps).kept == {*loss.bottoms}
    assert segmentation_loss(plan_of(COMPUTED, TEST)) is None


def test_labels_out_of_range_on_other_types_of_blobs() -> None:
    net = maps_net(packed=False)
    net.forward()
    step = segmentation_loss(net.plan)
    assert step is not None
    counts, classes = count_pass(net, step)
    assert (counts.shape, classes) == ((5, 17), 4)
    assert counts.sum() == 5 * 6 * 7


def test_outputs_are_values() -> None:
    meter = SegmentationMeter()
    net = maps_net(packed=False)
    net.forward()
    meter.take(net)
    assert all(
        isinstance(each, Output) and each.loss_weight == 0
        for each in meter.outputs([meter.counts()])
    )


CLASSIFIER = """
layer { name: "in" type: "Input" top: "x" top: "t"
  input_param { shape { dim: 3 dim: 4 } shape { dim: 3 } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "x" bottom: "t" top: "loss" }
"""
AUXILIARY = """
layer { name: "in" type: "Input" top: "x" top: "t"
  input_param { shape { dim: 3 dim: 4 dim: 5 dim: 6 } shape { dim: 3 dim: 1 dim: 10 dim: 12 } } }
layer { name: "less" type: "Pooling" bottom: "t" top: "less"
  pooling_param { kernel_size: 2 stride: 2 } }
layer { name: "first" type: "SoftmaxWithLoss" bottom: "x" bottom: "less" top: "first" }
layer { name: "last" type: "SoftmaxWithLoss" bottom: "x" bottom: "less" top: "last" }
"""
COMPUTED = """
layer { name: "in" type: "Input" top: "x" top: "t"
  input_param { shape { dim: 3 dim: 4 dim: 5 dim: 6 } shape { dim: 3 dim: 1 dim: 5 dim: 6 } } }
layer { name: "sum" type: "Eltwise" bottom: "t" bottom: "t" top: "sum" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "x" bottom: "sum" top: "loss" }
"""
