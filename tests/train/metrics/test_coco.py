"""COCO's figures, compared with pycocotools'."""

from __future__ import annotations

import contextlib
import io
import time

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from protonet.train.metrics.boxes import FoundBoxes, TrueBoxes
from protonet.train.metrics.coco import coco
from tests.train.metrics.box_cases import random_boxes


def reference(found: FoundBoxes, truths: TrueBoxes, labels: list[int]) -> COCOeval:
    """The evaluation of pycocotools; its silence."""

    def extent(corners: np.ndarray) -> list[float]:
        return [*corners[:2].tolist(), *(corners[2:] - corners[:2]).tolist()]

    count = 1 + int(max(found.images.max(initial=0), truths.images.max(initial=0)))
    data = COCO()
    data.dataset = {
        "images": [{"id": image} for image in range(count)],
        "categories": [{"id": label} for label in labels],
        "annotations": [
            {
                "id": 1 + at,
                "image_id": int(truths.images[at]),
                "category_id": int(truths.labels[at]),
                "bbox": extent(truths.corners[at]),
                "area": extent(truths.corners[at])[2] * extent(truths.corners[at])[3],
                "iscrowd": int(truths.crowd[at]),
            }
            for at in range(len(truths))
        ],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        data.createIndex()
        rows = [
            {
                "image_id": int(found.images[at]),
                "category_id": int(found.labels[at]),
                "bbox": extent(found.corners[at]),
                "score": float(found.scores[at]),
            }
            for at in range(len(found))
        ]
        evaluation = COCOeval(data, data.loadRes(rows), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


@pytest.mark.parametrize("seed", range(60))
def test_figures_are_those_of_pycocotools(seed: int) -> None:
    few, many = {"images": 3, "classes": 3}, {"images": 25, "classes": 9, "most": 12}
    found, truths = random_boxes(seed, **(few if seed % 3 else many), extent=40.0 * (1 + seed % 7))
    labels = list(range(1, 12))
    expected = reference(found, truths, labels)
    got = coco(found, truths, labels, by_size=True)

    by_class = expected.eval["precision"][:, :, :, 0, -1]  # overlaps, recalls, classes
    absent = (by_class == -1).all(axis=(0, 1))
    np.testing.assert_array_equal(np.isnan(got.by_class).all(axis=1), absent)
    np.testing.assert_allclose(
        got.by_class[~absent], by_class.mean(axis=1).T[~absent], rtol=0, atol=1e-6
    )
    figures = [got.mean_ap, got.ap50, got.ap75, *got.by_size.values()]
    figures = [-1.0 if np.isnan(figure) else figure for figure in figures]
    np.testing.assert_allclose(figures, expected.stats[:6], rtol=0, atol=1e-6)


def test_only_a_hundred_boxes_of_an_image_and_class_count() -> None:
    random = np.random.default_rng(5)
    start = random.uniform(0, 100, (150, 2))
    corners = np.concatenate([start, start + 20], axis=1)
    found = np.concatenate(
        [np.zeros((150, 1)), np.ones((150, 1)), random.random((150, 1)), corners], 1
    )
    truths = np.concatenate([np.zeros((150, 1)), np.ones((150, 2)), corners, np.zeros((150, 1))], 1)
    boxes = FoundBoxes.of_rows(found), TrueBoxes.of_rows(truths)
    expected = reference(*boxes, [1]).stats[0]
    assert coco(*boxes, [1]).mean_ap == pytest.approx(expected, abs=1e-6)
    assert expected < 0.8


@pytest.mark.parametrize("nothing", ["found", "truths", "both"])
def test_nothing_has_no_figure_or_zero(nothing: str) -> None:
    found, truths = random_boxes(1)
    if nothing != "truths":
        found = found[np.zeros(len(found), bool)]
    if nothing != "found":
        truths = truths[np.zeros(len(truths), bool)]
    got = coco(found, truths, [1, 2, 3, 4, 5])
    if nothing == "found":
        assert (got.mean_ap, got.ap50) == (0, 0)
    else:
        assert np.isnan([got.mean_ap, got.ap50, got.ap75]).all()


def test_thousands_of_images_are_counted_in_seconds() -> None:
    random = np.random.default_rng(3)
    count, each = 3000, 60
    images = np.repeat(np.arange(count), each)
    labels = random.integers(1, 21, count * each)
    start = random.random((count * each, 2)) * 0.8
    corners = np.concatenate([start, start + 0.05 + random.random((count * each, 2)) * 0.15], 1)
    found = FoundBoxes(images, labels, random.random(count * each), corners)
    true = np.flatnonzero(random.random(count * each) < 0.1)
    none = np.zeros(len(true), bool)
    truths = TrueBoxes(images[true], labels[true], corners[true], none, none)
    begin = time.process_time()
    got = coco(found, truths, range(1, 21))
    assert time.process_time() - begin < 10
    assert 0.1 < got.mean_ap < 0.5
