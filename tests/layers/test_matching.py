"""Which priors match which objects, and which count."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.layers.matching import Matcher, Pairs, Truths
from protonet.layers.multibox import MultiBoxLoss
from protonet.testing import parse_layer


def matcher(fields: str = "", images: int = 2, priors: int = 3) -> Matcher:
    text = f'type: "MultiBoxLoss" multibox_loss_param {{ num_classes: 4 {fields} }}'
    return Matcher(MultiBoxLoss(parse_layer(text, 4)), images, priors)


ROWS = np.array(
    [
        [1.0, 3, 0, 0.1, 0.2, 0.3, 0.4, 1],
        [-1, 9, 0, 9, 9, 9, 9, 9],
        [0, 1, 0, 0.5, 0.6, 0.7, 0.8, 0],
    ]
)


def test_rows_without_an_image_are_no_objects() -> None:
    truths = matcher().read(ROWS)
    assert truths.image.tolist() == [1, 0]
    assert truths.label.tolist() == [3, 1]
    assert truths.difficult.tolist() == [True, False]
    assert truths.corners.tolist() == [[0.1, 0.2, 0.3, 0.4], [0.5, 0.6, 0.7, 0.8]]
    assert matcher().read(ROWS[:0]).corners.shape == (0, 4)


def test_difficult_objects_may_be_left_out() -> None:
    assert matcher("use_difficult_gt: false").read(ROWS).label.tolist() == [1]


def test_objects_may_be_of_one_kind() -> None:
    assert matcher("map_object_to_agnostic: true").read(ROWS).label.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("fields", "column", "value", "message"),
    [
        ("", 0, 2, "image 2 in 'x3' is not one of 0 to 1"),
        ("", 0, -2, "image -2 in 'x3' is not one of 0 to 1"),
        ("", 0, float("nan"), "image nan in 'x3' is not one of 0 to 1"),
        ("", 1, 4, "label 4 in 'x3' is not one of 0 to 3 but 0, the background"),
        ("", 1, 0, "label 0 in 'x3' is not one of 0 to 3 but 0, the background"),
        (
            "background_label_id: 2",
            1,
            2,
            "label 2 in 'x3' is not one of 0 to 3 but 2, the background",
        ),
        ("map_object_to_agnostic: true", 1, 0, "label 0 in 'x3' is not one of 1 and more"),
    ],
)
def test_objects_that_cannot_be(fields: str, column: int, value: float, message: str) -> None:
    rows = ROWS.copy()
    rows[2, column] = value
    with pytest.raises(LayerError) as caught:
        matcher(fields).read(rows)
    assert str(caught.value) == f'layer "l" (MultiBoxLoss): {message}'
    assert caught.value.path == ("bottom", 3)


# The second prior overlaps the first by 0.6; the third, none of them.
PRIORS = np.array([[0, 0, 0.4, 0.4], [0.1, 0, 0.5, 0.4], [0.6, 0.6, 1, 1]])


def truths(*objects: tuple[int, int, int]) -> Truths:
    """Objects of image and label at the place of a prior."""
    image, label, place = np.array(objects, int).reshape(-1, 3).T
    return Truths(image, label, PRIORS[place], np.zeros(len(image), bool))


def listed(pairs: Pairs) -> list[list[int]]:
    return np.stack([pairs.image, pairs.prior, pairs.place, pairs.truth], axis=1).tolist()


def test_pairs_and_overlaps_of_the_others() -> None:
    pairs, free = matcher().pair(PRIORS, None, truths((1, 3, 0)))
    assert listed(pairs) == [[1, 0, 0, 0], [1, 1, 0, 0]]
    assert free.tolist() == [[np.inf] * 3, [np.inf, np.inf, 0]]
    pairs, free = matcher("match_type: BIPARTITE").pair(PRIORS, None, truths((1, 3, 0), (0, 1, 2)))
    assert listed(pairs) == [[0, 2, 0, 1], [1, 0, 0, 0]]
    np.testing.assert_allclose(free, [[0, 0, np.inf], [np.inf, 0.6, 0]])


def test_no_objects_no_pairs() -> None:
    pairs, free = matcher().pair(PRIORS, None, truths())
    assert listed(pairs) == []
    assert np.isinf(free).all()


def test_sets_of_offsets_for_each_class() -> None:
    """By priors, a pair belongs to the object's class; by boxes, each class sees its own."""
    fields = "share_location: false mining_type: NONE"
    given = truths((0, 3, 0), (0, 1, 2))
    pairs, _ = matcher(fields).pair(PRIORS, None, given)
    assert listed(pairs) == [[0, 0, 3, 0], [0, 1, 3, 0], [0, 2, 1, 1]]
    boxes = np.stack([np.stack([PRIORS, PRIORS, PRIORS, PRIORS[::-1]])] * 2)
    pairs, _ = matcher(fields + " use_prior_for_matching: false").pair(PRIORS, boxes, given)
    assert listed(pairs) == [[0, 2, 1, 1], [0, 1, 3, 0], [0, 2, 3, 0]]


def test_boxes_may_match_instead_of_priors() -> None:
    boxes = np.stack([PRIORS, PRIORS[[2, 1, 0]]])[:, None]
    given = truths((0, 1, 2), (1, 1, 2))
    pairs, _ = matcher("use_prior_for_matching: false").pair(PRIORS, boxes, given)
    assert listed(pairs) == [[0, 2, 0, 0], [1, 0, 0, 1]]
    pairs, _ = matcher().pair(PRIORS, boxes, given)
    assert listed(pairs) == [[0, 2, 0, 0], [1, 2, 0, 1]]


def test_what_is_ignored_is_neither_pair_nor_negative() -> None:
    priors = PRIORS - np.array([[0.1, 0, 0, 0], [0] * 4, [0] * 4])
    pairs, free = matcher("ignore_cross_boundary_bbox: true").pair(priors, None, truths((0, 1, 2)))
    assert listed(pairs) == [[0, 2, 0, 0]]
    assert free[0].tolist() == [np.inf, 0, np.inf]
    hard = Truths(np.array([0]), np.array([1]), PRIORS[:1], np.array([True]))
    pairs, free = matcher("ignore_difficult_gt: true").pair(PRIORS, None, hard)
    assert listed(pairs) == []
    assert free[0].tolist() == [np.inf, np.inf, 0]


SIX = np.array([[i, 0, i + 10, 1] for i in (0, 1, 30, 31, 60, 90)], float)


def mine(fields: str, costs: list[float], free: list[float], matched: list[int]):
    """Of image 1, whose priors ``matched`` match its only object; image 0 has no object."""
    each = np.array(matched, int)
    pairs = Pairs(np.full_like(each, 1), each, np.zeros_like(each), np.zeros_like(each))
    one = Truths(np.array([1]), np.array([1]), SIX[:1], np.array([False]))
    overlaps = np.stack([np.full(6, np.inf), free])
    taken, chosen = matcher(fields, priors=6).mine(
        one, pairs, overlaps, np.stack([costs, costs]), np.stack([SIX, SIX])
    )
    assert not chosen[0].any()
    return taken.tolist(), np.flatnonzero(chosen[1]).tolist()


COSTS = [9.0, 2, 7, 8, 5, 6]
FREE = [np.inf, 0.1, 0.2, 0.5, 0.0, 0.4]


def test_the_costliest_negatives_count() -> None:
    """Of 1, 2, 4 and 5, which overlap by less than a half."""
    assert mine("neg_pos_ratio: 1", COSTS, FREE, [0]) == ([True], [0, 2])
    assert mine("neg_pos_ratio: 2.9", COSTS, FREE, [0]) == ([True], [0, 2, 5])
    assert mine("", COSTS, FREE, [0, 0]) == ([True, True], [0, 1, 2, 4, 5])
    assert mine("neg_overlap: 0.15", COSTS, FREE, [0]) == ([True], [0, 1, 4])
    assert mine("", COSTS, [0.0] * 6, []) == ([], [])


def test_hard_examples_are_matches_and_negatives() -> None:
    fields = "mining_type: HARD_EXAMPLE sample_size: "
    assert mine(fields + "3", COSTS, FREE, [0]) == ([True], [0, 2, 3])
    assert mine(fields + "2", COSTS[::-1], FREE, [0]) == ([False], [2, 5])
    assert mine(fields + "9", COSTS, [np.inf, *FREE[1:5], np.inf], [0]) == ([True], [0, 1, 2, 3, 4])


def test_negatives_may_be_thinned_out() -> None:
    """Priors 0 and 1, 2 and 3 overlap by 0.82."""
    fields = "neg_overlap: 1 neg_pos_ratio: 6 nms_param { nms_threshold: 0.6 "
    low = [np.inf, *[0.0] * 5]
    assert mine(fields + "}", COSTS, low, [0]) == ([True], [0, 1, 3, 4, 5])
    assert mine(fields + "top_k: 2 }", COSTS, low, [0]) == ([True], [0, 3])
    assert mine("neg_overlap: 1 nms_param { nms_threshold: 0 }", COSTS, low, [0])[1] == [0, 2, 3, 5]
    small = SIX.copy()
    SIX[4, 2] = SIX[4, 0]
    try:
        assert mine(fields + "}", COSTS, low, [0]) == ([True], [0, 1, 3, 5])
    finally:
        SIX[...] = small
