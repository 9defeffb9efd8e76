"""Boxes of data sets, as the validation net of a run finds them and as its deploy net does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.errors import UsageError
from protonet.jobs.detection.detector import Detector
from protonet.jobs.evaluation.full_dataset import average_set, opener
from protonet.jobs.evaluation.validation import evaluated
from protonet.jobs.inference.trained_run import Predictor
from protonet.jobs.predictions.predict_boxes import check_boxes, predicted_report, validated_report
from protonet.jobs.run.directory import RunDirectory
from tests.jobs.nets import detector_run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("detector")
    detector_run(folder)
    return folder


def test_both_nets_have_the_figures_of_test(made: Path) -> None:
    run, images = RunDirectory.open(made / "run"), made / "data" / "val_images"
    told: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        told.append((done, total))

    with Predictor(run) as predictor:
        iteration = predictor.iteration
        predicted = predicted_report(Detector(predictor), images, None, progress)
        assert told == [(each, 5) for each in (1, 2, 3, 4, 5)]
        assert predicted_report(Detector(predictor), images, 2, progress).images == 2
    asked = evaluated(run)
    opened = opener(asked.definition, asked.net_options, None)
    (expected,) = average_set(opened, 1, lambda *_: None, once=True).detectors
    told.clear()
    validated = validated_report(run, iteration, images, None, progress)
    assert told == [(4, 5), (5, 5)], "a batch of four, and one of the rest"
    np.testing.assert_array_equal(validated.found.corners, expected.found.corners)
    assert validated.mean() == expected.mean()
    labels, names, keys = expected.labels, expected.names, expected.keys
    assert (predicted.labels, predicted.names, predicted.keys) == (labels, names, keys)
    assert (predicted.output, predicted.images) == ("found", 5)
    np.testing.assert_array_equal(predicted.truths.corners, expected.truths.corners)
    # The answering net sums in another order, and corners are exponentials of what this hardly
    # trained net says: both nets are 2e-5 to 4e-5 of them from the definitions' own.
    corners = predicted.found.corners, expected.found.corners
    np.testing.assert_allclose(*corners, rtol=1e-4, atol=1e-5)
    assert predicted.mean().area == pytest.approx(expected.mean().area, abs=1e-6)
    assert predicted.mean().coco == pytest.approx(expected.mean().coco, abs=1e-6)


@pytest.mark.parametrize(("most", "seen"), [(1, 4), (4, 4), (5, 5), (9, 5)])
def test_the_first_images_and_none_twice(made: Path, most: int, seen: int) -> None:
    """The net sees full batches of four."""
    run, images = RunDirectory.open(made / "run"), made / "data" / "val_images"
    told: list[tuple[int, int]] = []
    report = validated_report(run, 6, images, most, lambda *each: told.append(each))
    assert report.images == min(most, 5)
    assert told[-1] == (seen, seen)
    assert {*report.truths.images, *report.found.images} == set(range(min(most, 5)))
    whole = validated_report(run, 6, images, None, lambda *_: None)
    first = whole.truths[whole.truths.images < most]
    np.testing.assert_array_equal(report.truths.corners, first.corners)
    assert report.mean().objects == len(first)


def test_what_has_no_boxes(made: Path, gradients: Path) -> None:
    images = made / "data" / "val_images"
    for path, labels, message in (
        (images, images, "omit labels"),
        (made / "data", None, "data: expected a database of images with boxes"),
        (gradients / "val_images", None, "val_images: its images have no boxes"),
    ):
        with pytest.raises(UsageError, match=message):
            check_boxes(path, labels)
