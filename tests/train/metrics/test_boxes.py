"""Tables of boxes, and pairs of them."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.train.metrics import boxes
from protonet.train.metrics.boxes import FoundBoxes, TrueBoxes, areas, pairs_of
from tests.train.metrics.box_cases import random_boxes


def test_rows_of_nothing_are_left_out() -> None:
    found = FoundBoxes.of_rows(
        np.array([[[[0, 2, 0.5, 0.1, 0.2, 0.3, 0.4], [1, -1, -1, -1, -1, -1, -1]]]]), first=10
    )
    assert (found.images.tolist(), found.labels.tolist(), len(found)) == ([10], [2], 1)
    assert found.corners.tolist() == [[0.1, 0.2, 0.3, 0.4]]
    truths = TrueBoxes.of_rows(np.array([[-1.0] * 8, [1, 3, 0, 0.1, 0.2, 0.3, 0.4, 1]]), first=10)
    assert (truths.images.tolist(), truths.labels.tolist()) == ([11], [3])
    assert truths.difficult.tolist() == truths.crowd.tolist() == [True]
    assert len(FoundBoxes.joined([])) == len(TrueBoxes.joined([])) == 0
    assert FoundBoxes.joined([found, found]).images.tolist() == [10, 10]
    assert TrueBoxes.joined([truths, truths]).labels.tolist() == [3, 3]


def test_any_numbers_of_a_net_that_diverged_have_overlaps() -> None:
    inf, nan = float("inf"), float("nan")
    rows = [
        [0, 1, nan, -inf, -inf, inf, inf],
        [0, 1, 0.5, nan, 1e30, 1e30, nan],
        [0, 1, 1, 0, 0, 1, 1],
    ]
    found = FoundBoxes.of_rows(np.array(rows))
    assert np.isfinite(found.corners).all()
    truths = TrueBoxes.of_rows(np.array([[0, 1, 0, 0, 0, 1, 1, 0]]))
    assert pairs_of(found, truths, 0.5).found.tolist() == [2]


def test_boxes_are_ranked_by_image_label_and_score() -> None:
    rows = [[1, 1, 0.1], [0, 2, 0.3], [0, 1, 0.5], [0, 2, 0.9], [0, 2, 0.3]]
    found = FoundBoxes.of_rows(np.array([[*row, 0, 0, 1, 1] for row in rows]))
    assert found.ranked().tolist() == [2, 3, 1, 4, 0]


@pytest.mark.parametrize("most", [3, 2_000_000])
@pytest.mark.parametrize("crowds", [False, True])
def test_pairs_are_those_of_two_loops(
    monkeypatch: pytest.MonkeyPatch, crowds: bool, most: int
) -> None:
    monkeypatch.setattr(boxes, "_MOST_PAIRS", most)
    found, truths = random_boxes(7)
    expected = {}
    for at, a in enumerate(found.corners):
        for on, b in enumerate(truths.corners):
            same = found.images[at] == truths.images[on] and found.labels[at] == truths.labels[on]
            width, height = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
            if not same or min(width, height) <= 0:
                continue
            own, other = ((x[2] - x[0]) * (x[3] - x[1]) for x in (a, b))
            whole = own if crowds and truths.crowd[on] else own + other - width * height
            if width * height / whole >= 0.4:
                expected[at, on] = width * height / whole
    got = pairs_of(found, truths, 0.4, crowds=crowds)
    assert list(zip(got.found.tolist(), got.truths.tolist(), strict=True)) == list(expected)
    np.testing.assert_allclose(got.overlaps, list(expected.values()))


def test_a_box_that_ends_before_it_starts_has_no_area() -> None:
    assert areas(np.array([[0.0, 0, 2, 3], [2, 0, 1, 3], [2, 3, 1, 1]])).tolist() == [6, 0, 0]
