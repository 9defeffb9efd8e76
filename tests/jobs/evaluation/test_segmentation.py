"""Evaluation of segmentation."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from protonet.errors import DataError, UsageError
from protonet.jobs.evaluation.full_dataset import average_set, opener
from protonet.jobs.evaluation.segmentation import (
    PixelPairs,
    SegmentationCollector,
    SegmentationReport,
    keys_of_images,
)
from protonet.jobs.evaluation.segmenter import Segmenter
from protonet.jobs.evaluation.validation import evaluated
from protonet.jobs.inference.trained_run import Predictor
from protonet.jobs.run.directory import RunDirectory
from protonet.proto.text import Source, read_net
from protonet.train.metrics.segmentation import PixelCounts
from tests.data import segmentation_sets as sets
from tests.graph.nets import net_of
from tests.train.nets import maps_net


def report_of(*pairs: tuple[np.ndarray, np.ndarray]) -> SegmentationReport:
    counts = (PixelCounts.of(truth, guess, 3, 9) for truth, guess in pairs)
    return SegmentationReport.of("loss", counts, 3)


def test_figures_of_classes_mistakes_and_the_worst(tmp_path: Path) -> None:
    right = np.array([[0, 0, 1], [1, 2, 9]])
    wrong = np.array([[0, 0, 1], [2, 2, 2]])
    nothing = np.full((2, 3), 9)
    report = report_of((right, np.where(right == 9, 0, right)), (right, wrong), (nothing, wrong))
    ground, car, third = report.classes(["ground", "car"])
    assert (ground.name, car.name, third.name) == ("ground", "car", "class 2")
    assert (ground.iou, car.iou) == (1, 3 / 4)
    assert (third.accuracy, third.precision, third.iou) == (1, 2 / 3, 2 / 3)
    assert car.share == pytest.approx(0.4)
    assert report.mistakes(5) == [(1, 2, 1)]
    assert report.worst(5) == [(1, pytest.approx((1 + 0.5 + 0.5) / 3)), (0, 1)]
    report.draw(tmp_path / "c.svg", ["a", "b", "c"])
    assert "90.00% of 10 pixels correct" in (tmp_path / "c.svg").read_text()
    with pytest.raises(UsageError, match="expected a picture of kind png"):
        report.draw(tmp_path / "c.txt")


def test_passes_are_collected_image_by_image() -> None:
    net, collector = maps_net(packed=True), SegmentationCollector()
    assert collector.report() is None
    for _ in range(2):
        net.forward()
        collector.take(net)
    report = collector.report()
    assert report is not None
    assert (report.name, len(report.ious)) == ("loss", 10)
    assert report.counts.confusion.sum() + report.counts.ignored == 10 * 42
    np.testing.assert_array_equal(report.ious[:5], report.ious[5:])
    other = SegmentationCollector()
    classifier = net_of(
        'layer { name: "i" type: "Input" top: "x" input_param { shape { dim: 1 } } }'
    )
    other.take(classifier)
    assert other.report() is None


def test_a_run_is_evaluated_on_each_image_once(segments: Path) -> None:
    """As scikit-learn counts it, from the predictions for the images of the database."""
    from sklearn.metrics import confusion_matrix, jaccard_score

    run = RunDirectory.open(segments / "run")
    found = evaluated(run)
    averages = average_set(
        opener(found.definition, found.net_options, None), 50, lambda *_: None, once=True
    )
    report = averages.pixels
    assert report is not None
    assert averages.length == 4
    data = segments / "data"
    with Predictor(run) as predictor:
        segmenter = Segmenter(predictor, run.pixel_classes())
        pairs = PixelPairs(segmenter, data / "val_images", data / "val_labels")
        told: list[tuple[int, int]] = []
        shown = list(pairs.shown(progress=lambda done, of: told.append((done, of))))
        assert told == [(4, 4)]
        counts = map(pairs.counts, shown)
        same = SegmentationReport.of(segmenter.output, counts, segmenter.classes)
        np.testing.assert_array_equal(same.counts.confusion, report.counts.confusion)
        np.testing.assert_array_equal(same.ious, report.ious)
        assert len(list(pairs.shown(2))) == 2
        other = PixelPairs(segmenter, data / "val_images", data / "train_labels")
        with pytest.raises(DataError, match=r"train_labels: has 12 record\(s\) for 4 of"):
            next(other.shown())
        odd = PixelPairs(segmenter, data / "val_images", data / "val_images")
        with pytest.raises(DataError, match="the labels are 3x6x8, but the net predicts 1x6x8"):
            next(odd.shown())
    truth, predicted = (
        np.concatenate([getattr(each, what).ravel() for each in shown])
        for what in ("truth", "predicted")
    )
    kept = truth != 9
    np.testing.assert_array_equal(
        report.counts.confusion, confusion_matrix(truth[kept], predicted[kept], labels=[0, 1, 2])
    )
    assert report.counts.mean_iou == pytest.approx(
        jaccard_score(truth[kept], predicted[kept], average="macro"), abs=1e-6
    )
    assert [each.key.decode() for each in shown] == list(sets.records(data, "val"))
    place, iou = report.worst(1)[0]
    worst = PixelCounts.of(shown[place].truth, shown[place].predicted, 3, 9)
    assert iou == worst.mean_iou
    assert not math.isnan(iou)


def test_a_net_without_data_layers_has_no_keys() -> None:
    definition = read_net(Source("n", 'layer { name: "x" type: "Input" top: "x" }'))
    assert keys_of_images(definition) == ()
