"""Anchors and proposals, against loops after the published formula."""

from __future__ import annotations

import math

import numpy as np
import pytest

from protonet.kernels.anchors import (
    RATIOS,
    SCALES,
    ProposalSettings,
    make_anchors,
    shift_anchors,
    targets,
)


def overlap(a: list[float], b: list[float]) -> float:
    """Of two boxes whose last pixels belong to them."""
    wide = min(a[2], b[2]) - max(a[0], b[0]) + 1
    high = min(a[3], b[3]) - max(a[1], b[1]) + 1
    if wide <= 0 or high <= 0:
        return 0
    both = [(box[2] - box[0] + 1) * (box[3] - box[1] + 1) for box in (a, b)]
    return wide * high / (sum(both) - wide * high)


def test_the_anchors_are_those_that_the_paper_s_code_prints() -> None:
    """The nine of lib/rpn/generate_anchors.py, counted from 0."""
    assert make_anchors(16, RATIOS, SCALES).tolist() == [
        [-84, -40, 99, 55],
        [-176, -88, 191, 103],
        [-360, -184, 375, 199],
        [-56, -56, 71, 71],
        [-120, -120, 135, 135],
        [-248, -248, 263, 263],
        [-36, -80, 51, 95],
        [-80, -168, 95, 183],
        [-168, -344, 183, 359],
    ]


def test_anchors_are_spread_by_row() -> None:
    boxes = shift_anchors(np.array([[0, 0, 1, 2], [3, 3, 3, 3]]), 2, 3, 10)
    assert boxes.shape == (12, 4)
    assert boxes[2].tolist() == [10, 0, 11, 2]
    assert boxes[7].tolist() == [3, 13, 3, 13]
    assert boxes[10].tolist() == [20, 10, 21, 12]


def expected(
    how: ProposalSettings, scores: np.ndarray, offsets: np.ndarray, info: list[float]
) -> tuple[list[list[float]], list[float]]:
    found: list[tuple[float, list[float]]] = []
    for i in range(scores.shape[1]):
        for j in range(scores.shape[2]):
            for a, anchor in enumerate(how.anchors):
                wide, high = anchor[2] - anchor[0] + 1, anchor[3] - anchor[1] + 1
                dx, dy, dw, dh = offsets[4 * a : 4 * a + 4, i, j]
                x = anchor[0] + j * how.stride + wide / 2 + dx * wide
                y = anchor[1] + i * how.stride + high / 2 + dy * high
                half = [wide * math.exp(dw) / 2, high * math.exp(dh) / 2]
                box = [x - half[0], y - half[1], x + half[0], y + half[1]]
                box = [
                    max(0, min(value, info[1 - place % 2] - 1)) for place, value in enumerate(box)
                ]
                if min(box[2] - box[0], box[3] - box[1]) + 1 >= how.least * info[2]:
                    found.append((scores[a, i, j], box))
    found.sort(key=lambda each: -each[0])
    kept: list[tuple[float, list[float]]] = []
    for score, box in found[: how.before or None]:
        if all(overlap(box, other) <= how.threshold for _, other in kept):
            kept.append((score, box))
    kept = kept[: how.after or None]
    return [box for _, box in kept], [score for score, _ in kept]


@pytest.mark.parametrize(("before", "after"), [(0, 0), (30, 0), (0, 5), (40, 7)])
@pytest.mark.parametrize("threshold", [0.3, 0.7])
def test_proposals_are_the_formula_s(before: int, after: int, threshold: float) -> None:
    generator = np.random.default_rng(7)
    scores, offsets = generator.uniform(0, 1, (6, 4, 5)), generator.normal(0, 0.4, (24, 4, 5))
    anchors = make_anchors(4, (0.5, 1, 2), (1, 3))
    how = ProposalSettings(4, anchors, least=2.5, before=before, after=after, threshold=threshold)
    boxes, ranks = how.propose(scores, offsets, np.array([17, 20, 1.5]))
    wanted, points = expected(how, scores, offsets, [17, 20, 1.5])
    assert len(wanted) > 3
    np.testing.assert_allclose(boxes, wanted, rtol=1e-9)
    np.testing.assert_allclose(ranks, points)
    assert len(boxes) <= how.most(20)


def test_what_is_no_number_is_no_region() -> None:
    how = ProposalSettings(
        4, make_anchors(4, (1,), (1,)), least=1, before=0, after=0, threshold=0.7
    )
    scores, offsets = np.full((1, 1, 3), 0.5), np.zeros((4, 1, 3))
    scores[0, 0, 0], offsets[2, 0, 1] = np.nan, np.nan
    boxes, _ = how.propose(scores, offsets, np.array([4, 12, 1]))
    assert boxes.tolist() == [[8, 0, 11, 3]]
    offsets[2:, 0, 2] = 1e4  # exp of it has no end: as large as the image
    boxes, _ = how.propose(scores, offsets, np.array([4, 12, 1]))
    assert boxes.tolist() == [[0, 0, 11, 3]]


def test_factors_may_differ_for_rows_and_columns() -> None:
    how = ProposalSettings(
        4, make_anchors(4, (1,), (1,)), least=3, before=0, after=0, threshold=0.7
    )
    scores, offsets = np.ones((1, 1, 1)), np.zeros((4, 1, 1))
    for factors, count in (((1, 1), 1), ((2, 1), 0), ((1, 2), 0)):
        assert len(how.propose(scores, offsets, np.array([9, 9, *factors]))[0]) == count


def test_targets_are_what_gives_the_truths_back() -> None:
    found = targets(np.array([[0, 0, 9, 19.0]]), np.array([[5, 10, 24, 19.0]]))
    np.testing.assert_allclose(found, [[1, 0.25, math.log(2), math.log(0.5)]])
