"""Boxes against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.kernels import boxes
from tests.kernels.instructions import CPU, MODULES, UNTUNED, use

SQUARE = [0.0, 0.0, 2.0, 2.0]
NONE = np.zeros((0, 4))


def test_sizes_are_areas_and_never_negative() -> None:
    found = boxes.sizes(np.array([[1.0, 2, 4, 7], [3, 0, 1, 9], [3, 0, 1, -9], [1, 1, 1, 5]]))
    assert found.tolist() == [15, 0, 0, 0]


def test_overlaps_are_intersection_over_union() -> None:
    others = [SQUARE, [1, 1, 3, 3], [2, 0, 4, 2], [5, 5, 6, 6], [0, 0, 1, 2], [2, 2, 0, 0]]
    found = boxes.overlaps(np.array([SQUARE, [1, 1, 3, 3]]), np.array(others, float))
    expected = [[1, 1 / 7, 0, 0, 1 / 2, 0], [1 / 7, 1, 1 / 7, 0, 0, 0]]
    np.testing.assert_allclose(found, expected)


def test_overlaps_of_nothing() -> None:
    point = np.zeros((1, 4))
    assert boxes.overlaps(point, point).tolist() == [[0]]
    assert boxes.overlaps(NONE, point).shape == (0, 1)
    assert boxes.overlaps(point, NONE).shape == (1, 0)


def test_each_coordinate_is_outside_by_itself() -> None:
    found = boxes.outside(np.array([[-0.1, 0, 1, 1.1]]))
    assert found.tolist() == [[True, False, False, True]]


PRIORS = np.array([[1.0, 2, 5, 4], [0, 0, 2, 1]])
VARIANCES = np.array([[0.5, 0.25, 0.5, 0.25], [1, 1, 1, 1]])


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("CORNER", [2, -8, 4, 16]),
        ("CORNER_SIZE", [2 / 4, -8 / 2, 4 / 4, 16 / 2]),
        ("CENTER_SIZE", [1.5 / 4 / 0.5, 1 / 2 / 0.25, np.log(5 / 4) / 0.5, np.log(4) / 0.25]),
    ],
)
def test_codes_and_their_inverse(code: str, expected: list[float]) -> None:
    given = np.array([[2.0, 0, 7, 8], [0, 0, 2, 1]])
    offsets = boxes.encode(PRIORS, VARIANCES, given, code)
    np.testing.assert_allclose(offsets, [expected, [0, 0, 0, 0]])
    np.testing.assert_allclose(boxes.decode(PRIORS, VARIANCES, offsets, code), given)
    both = boxes.decode(PRIORS, VARIANCES, np.stack([offsets, 0 * offsets]), code)
    np.testing.assert_allclose(both, [given, PRIORS])


def row(*starts: float) -> np.ndarray:
    """Boxes of 10 x 1; two that begin d apart overlap by (10 - d) / (10 + d)."""
    return np.array([[start, 0, start + 10, 1] for start in starts], float)


def test_the_best_of_what_overlaps_stays() -> None:
    given, scores = row(0, 1, 30, 2, 31), np.array([0.5, 0.9, 0.1, 0.7, 0.2])
    assert boxes.nms(given, scores, 0.6).tolist() == [1, 4]
    assert boxes.nms(given, scores, 0.81).tolist() == [1, 4]
    assert boxes.nms(given, scores, 0.82).tolist() == [1, 3, 0, 4, 2]
    assert boxes.nms(given, scores, 1.0, top_k=2).tolist() == [1, 3]
    assert boxes.nms(given, scores, 1.0, top_k=0).tolist() == []
    assert boxes.nms(NONE, np.zeros(0), 0.5).tolist() == []


def test_the_first_of_equal_scores_goes_first() -> None:
    assert boxes.nms(row(0, 1, 2), np.ones(3), 0.6).tolist() == [0]


def test_the_threshold_shrinks_with_each_that_stays_until_it_is_half() -> None:
    given, scores = row(0, 3, 6), np.array([0.9, 0.8, 0.7])
    # Neighbours overlap by 7 / 13 = 0.54.
    assert boxes.nms(given, scores, 0.6).tolist() == [0, 1, 2]
    assert boxes.nms(given, scores, 0.6, eta=0.8).tolist() == [0, 2]
    assert boxes.nms(given, scores, 0.55, eta=0.98).tolist() == [0, 1]
    assert boxes.nms(row(0, 4), scores[:2], 0.45, eta=0.5).tolist() == [0, 1]


def test_no_more_are_kept_than_asked_for() -> None:
    given, scores = row(0, 1, 30, 60), np.array([0.9, 0.8, 0.7, 0.6])
    assert boxes.nms(given, scores, 0.6, keep=2).tolist() == [0, 2]
    assert boxes.nms(given, scores, 0.6, keep=0).tolist() == []
    assert boxes.nms(given, scores, 0.6, keep=9).tolist() == [0, 2, 3]


def some_boxes(dtype: type, seed: int) -> np.ndarray:
    """Boxes that overlap by all amounts; some have no area, no end, or what is no number."""
    generator = np.random.default_rng(seed)
    centres, halves = generator.random((400, 2)), generator.random((400, 2)) * 0.2 - 0.02
    found = np.concatenate([centres - halves, centres + halves], axis=1).astype(dtype)
    odd = generator.choice([np.nan, np.inf, -np.inf, 0.0], (40, 4))
    found[::10] = np.where(generator.random((40, 4)) < 0.5, odd, found[::10])
    return found


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("threshold", "eta"), [(0.0, 1.0), (0.3, 1.0), (0.9, 0.99), (0.6, 1.1)])
def test_every_instruction_set_keeps_what_the_definition_does(
    threshold: float, eta: float, dtype: type, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(module, monkeypatch)
    tuned = boxes.Suppression.make(CPU, dtype)
    assert tuned.processor == "native"
    for seed in range(10):
        given = some_boxes(dtype, seed)
        for count, most in ((400, 400), (400, 7), (37, 37), (1, 1), (0, 0)):
            with np.errstate(invalid="ignore"):
                found, expected = (
                    each.stay(given[:count], threshold, eta, most)
                    for each in (tuned, boxes.Suppression(UNTUNED, dtype))
                )
            np.testing.assert_array_equal(found, expected)
            assert count == 0 or 0 < len(found) <= most


TRUTHS = row(0, 20)


def test_every_truth_takes_a_box_whatever_the_overlap() -> None:
    given = row(9, 1, 2, 28, 50)
    expected = np.array([1 / 19, 9 / 11, 8 / 12, 2 / 18, 0])
    matches, greatest = boxes.match(given, TRUTHS, threshold=None)
    assert matches.tolist() == [-1, 0, -1, 1, -1]
    np.testing.assert_allclose(greatest, expected)
    matches, greatest = boxes.match(given, TRUTHS, threshold=8 / 12)
    assert matches.tolist() == [-1, 0, 0, 1, -1]
    np.testing.assert_allclose(greatest, expected)
    assert boxes.match(given, TRUTHS, threshold=0.0)[0].tolist() == [0, 0, 0, 1, -1]


def test_a_truth_may_have_to_take_its_second_best() -> None:
    """The one box that both overlap goes to the truth that overlaps it more."""
    matches, greatest = boxes.match(row(5, 13), row(4, 0), threshold=None)
    assert matches.tolist() == [0, -1]
    matches, greatest = boxes.match(row(5, 7), row(4, 0), threshold=None)
    assert matches.tolist() == [0, 1]
    np.testing.assert_allclose(greatest, [9 / 11, 3 / 17])


def test_boxes_over_the_border_are_ignored() -> None:
    given = np.array([[-0.1, 0, 0.5, 0.5], [0.1, 0, 0.5, 0.5], [0.6, 0, 0.9, 0.5]])
    truths = np.array([[0.0, 0, 0.5, 0.5]])
    matches, greatest = boxes.match(given, truths, threshold=0.5, inside_only=True)
    assert matches.tolist() == [boxes.IGNORED, 0, boxes.FREE]
    np.testing.assert_allclose(greatest, [0, 0.8, 0])


def test_boxes_of_difficult_truths_are_ignored() -> None:
    matches, _ = boxes.match(row(1, 19, 22), TRUTHS, threshold=0.5, difficult=np.array([0, 1]))
    assert matches.tolist() == [0, boxes.IGNORED, boxes.IGNORED]


def test_nothing_matches_nothing() -> None:
    for given, truths in ((row(1, 2), NONE), (NONE, TRUTHS)):
        matches, greatest = boxes.match(given, truths, threshold=0.5)
        assert matches.tolist() == [-1] * len(given)
        assert greatest.tolist() == [0] * len(given)
