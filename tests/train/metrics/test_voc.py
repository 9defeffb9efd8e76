"""The counts and figures of VOC, compared with the formulas of its development kit."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.train.metrics.boxes import FoundBoxes, TrueBoxes
from protonet.train.metrics.voc import voc
from tests.train.metrics.box_cases import random_boxes


def kit(
    found: FoundBoxes, truths: TrueBoxes, label: int, threshold: float, *, difficult: bool
) -> tuple[np.ndarray, np.ndarray, int]:
    """As VOCevaldet.m: true and false positives by descending score, and the number of objects.

    Of equal scores the box of the first image comes first; the kit sorts in no stated order.
    """
    order = np.flatnonzero(found.labels == label)
    order = order[np.argsort(found.images[order], kind="stable")]
    order = order[np.argsort(-found.scores[order], kind="stable")]
    own = [np.flatnonzero((truths.images == i) & (truths.labels == label)) for i in range(99)]
    hard = truths.difficult & (not difficult)
    taken: set[int] = set()
    tp, fp = np.zeros(len(order)), np.zeros(len(order))
    for d, at in enumerate(order):
        most, best = -1.0, -1
        bb = found.corners[at]
        for j in own[found.images[at]]:
            gt = truths.corners[j]
            width = min(bb[2], gt[2]) - max(bb[0], gt[0])
            height = min(bb[3], gt[3]) - max(bb[1], gt[1])
            if width > 0 and height > 0:
                union = (bb[2] - bb[0]) * (bb[3] - bb[1])
                union += (gt[2] - gt[0]) * (gt[3] - gt[1]) - width * height
                if width * height / union > most:
                    most, best = width * height / union, j
        if most >= threshold:
            if not hard[best]:
                tp[d], fp[d] = best not in taken, best in taken
                taken.add(best)
        else:
            fp[d] = 1
    return tp, fp, int((~hard & (truths.labels == label)).sum())


def eleven_points(tp: np.ndarray, fp: np.ndarray, objects: int) -> float:
    """As VOCevaldet.m and VOCap.m of 2007."""
    recall = np.cumsum(tp) / objects
    precision = np.cumsum(tp) / np.maximum(np.cumsum(tp) + np.cumsum(fp), 1e-9)
    ap = 0.0
    for t in range(11):
        reached = precision[recall >= t / 10]
        ap += (reached.max() if len(reached) else 0) / 11
    return ap


def area(tp: np.ndarray, fp: np.ndarray, objects: int) -> float:
    """As VOCap.m since 2010."""
    recall = np.concatenate([[0], np.cumsum(tp) / objects, [1]])
    precision = np.cumsum(tp) / np.maximum(np.cumsum(tp) + np.cumsum(fp), 1e-9)
    precision = np.concatenate([[0], precision, [0]])
    for i in range(len(precision) - 2, -1, -1):
        precision[i] = max(precision[i], precision[i + 1])
    steps = np.flatnonzero(recall[1:] != recall[:-1]) + 1
    return float(((recall[steps] - recall[steps - 1]) * precision[steps]).sum())


def natural(tp: np.ndarray, fp: np.ndarray, objects: int) -> float:
    """As Integral in ComputeAP of the SSD fork (src/caffe/util/bbox_util.cpp)."""
    ap, before, hits, wrong = 0.0, 0.0, 0.0, 0.0
    for right, false in zip(tp, fp, strict=True):
        hits, wrong = hits + right, wrong + false
        if abs(hits / objects - before) > 1e-6:
            ap += hits / (hits + wrong) * abs(hits / objects - before)
        before = hits / objects
    return ap


@pytest.mark.parametrize("difficult", [False, True])
@pytest.mark.parametrize("seed", range(25))
def test_figures_are_those_of_the_kit(seed: int, difficult: bool) -> None:
    found, truths = random_boxes(seed, classes=4, images=9)
    threshold = (0.3, 0.5, 0.7)[seed % 3]
    result = voc(found, truths, threshold, difficult=difficult)
    for label in range(1, 6):
        tp, fp, objects = kit(found, truths, label, threshold, difficult=difficult)
        curve = result.curve(label)
        assert curve.objects == objects
        counted = (tp + fp) > 0
        np.testing.assert_array_equal(curve.right, tp[counted] > 0)
        for version, formula in (
            ("11point", eleven_points),
            ("MaxIntegral", area),
            ("Integral", natural),
        ):
            got = curve.average_precision(version)
            if objects:
                assert got == pytest.approx(formula(tp, fp, objects), abs=1e-6)
            else:
                assert np.isnan(got)


def test_the_counts_of_a_threshold() -> None:
    found = FoundBoxes.of_rows(
        np.array(
            [
                [0, 1, 0.9, 0, 0, 10, 10],
                [0, 1, 0.8, 0, 0, 10, 9],  # the same object once more
                [0, 1, 0.7, 50, 50, 60, 60],  # difficult
                [1, 1, 0.6, 0, 0, 10, 10],  # of another image
                [1, 2, 0.4, 20, 20, 40, 40],
            ]
        )
    )
    truths = TrueBoxes.of_rows(
        np.array(
            [
                [0, 1, 0, 0, 0, 10, 10, 0],
                [0, 1, 0, 50, 50, 60, 61, 1],
                [1, 2, 0, 20, 20, 40, 40, 0],
                [2, 1, 0, 5, 5, 9, 9, 0],
            ]
        )
    )
    result = voc(found, truths)
    assert result.right.tolist() == [True, False, False, False, True]
    assert result.ignored.tolist() == [False, False, True, False, False]
    assert result.false(0.5).tolist() == [False, True, False, True, False]
    assert result.missed(0.5).tolist() == [False, False, True, True]
    assert result.missed(0.3).tolist() == [False, False, False, True]
    assert result.curve(1).at(0.8) == (1, 1)
    assert result.curve(1).at(0.81) == (1, 0)
    assert result.curve(1).objects == 2
    every = voc(found, truths, difficult=True)
    assert every.right.tolist() == [True, False, True, False, True]
    assert every.curve(1).objects == 3
