"""Predicted boxes that are kept: what is read again is what was computed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from protonet.errors import FormatError
from protonet.jobs.evaluation import detection
from protonet.jobs.predictions.boxes import BoxPredictions, points_of, write_boxes
from tests.jobs.evaluation.test_detection import report


@pytest.mark.parametrize("sized", [False, True])
def test_what_is_read_was_computed(
    tmp_path: Path, sized: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = replace(report(sized=sized), threshold=0.4, difficult=True)
    about = write_boxes(tmp_path, made, Path("images"), 70)
    assert (about.count, about.of_classes, about.iteration) == (12, False, 70)
    expected = {score: (made.mean(score), made.classes(score)) for score in (0.2, 0.6)}
    for name in ("voc", "coco"):
        monkeypatch.delattr(detection, name)  # nothing is compared again
    found = BoxPredictions.read(tmp_path)
    for score, (mean, classes) in expected.items():
        summary = found.summary(score)
        assert (summary.iteration, summary.count, summary.threshold) == (70, 12, score)
        assert summary.overlap == 0.4
        np.testing.assert_equal(vars(summary.mean), vars(mean))
        np.testing.assert_equal([*map(vars, summary.classes)], [*map(vars, classes)])
        np.testing.assert_equal(summary.sizes, made.coco.by_size)
        assert list(summary.sizes) == (["small", "medium", "large"] if sized else [])
        assert [len(curve) for curve in summary.curves] == [
            min(200, len(each.recall)) if each.objects else 0 for each in made.curves
        ]
    assert (found.report.sizes is not None) is sized


def test_the_images_with_most_mistakes(tmp_path: Path) -> None:
    made = report()
    write_boxes(tmp_path, made, Path("images"), 70)
    found = BoxPredictions.read(tmp_path)
    worst = found.worst(0.3)
    expected = made.worst(12, 0.3)
    assert worst.tolist() == [each.image for each in expected]
    for image, other in zip(found.images(worst, 0.3), expected, strict=True):
        assert (image.place, image.name) == (other.image, other.key)
        assert (image.missed, image.false) == (other.missed, other.false)
        assert image.missed == sum(each.mistake for each in image.truths)
        assert image.false == sum(each.mistake for each in image.found)
        assert all(each.score is not None and each.score >= 0.3 for each in image.found)
        assert len(image.truths) == np.count_nonzero(made.truths.images == image.place)
        for box in (*image.truths, *image.found):
            assert 0 <= min(box.corners) <= max(box.corners) <= 1
            assert box.name == made.name_of(box.label)


def test_files_that_are_damaged(tmp_path: Path) -> None:
    about = write_boxes(tmp_path, report(), Path("images"), 70)
    whole = (tmp_path / "boxes.npz").read_bytes()
    (tmp_path / "boxes.npz").write_bytes(whole[:-900])
    with pytest.raises(FormatError, match="the predictions cannot be read"):
        BoxPredictions.read(tmp_path)
    (tmp_path / "boxes.npz").write_bytes(whole)
    replace(about, count=3).write(tmp_path)
    with pytest.raises(FormatError, match="not all have 3 images"):
        BoxPredictions.read(tmp_path)
    (tmp_path / "names.txt").write_text('"a"\n"b"\n"c"\n')
    with pytest.raises(FormatError, match="boxes of no image"):
        BoxPredictions.read(tmp_path)


def test_long_curves_are_thinned() -> None:
    recall = np.linspace(0, 1, 5001)
    points = points_of(recall, 1 - recall)
    assert len(points) == 200
    assert (points[0], points[-1]) == ((0, 1), (1, 0))
    assert points_of(np.array([np.nan]), np.array([0.0])) == ()
    assert points_of(np.empty(0), np.empty(0)) == ()
