"""Proposal. What it computes is held to loops in tests/kernels/test_anchors.py."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness

INFO = [[20.0, 28, 1], [20, 28, 1]]


def proposal(fields: str = "", tops: str = 'top: "r" top: "s"') -> LayerHarness:
    scores = np.zeros((2, 2, 5, 7))
    scores[:, 0] = 9  # that there is none
    scores[0, 1, 1, 2], scores[1, 1, 4, 6], scores[1, 1, 0, 0] = 0.5, 0.75, 0.25
    usual = ["feat_stride: 4", "base_size: 4", "min_size: 1"]
    given = " ".join(each for each in usual if each.split(":")[0] not in fields)
    text = f'type: "Proposal" {tops} proposal_param {{ {given} ratio: 1 scale: 1 {fields} }}'
    return LayerHarness(text, [scores, np.zeros((2, 4, 5, 7)), INFO])


def test_regions_come_by_image_and_score() -> None:
    rois, scores = proposal("post_nms_topn: 2").forward()
    assert rois.tolist() == [
        [0, 8, 4, 12, 8],
        [0, 0, 0, 4, 4],
        [1, 24, 16, 27, 19],
        [1, 0, 0, 4, 4],
    ]
    assert scores.tolist() == [[0.5], [0], [0.75], [0.25]]


def test_scores_may_be_left_out() -> None:
    (rois,) = proposal("post_nms_topn: 1", 'top: "r"').forward()
    assert rois.shape == (2, 5)


def test_nothing_found_is_no_region() -> None:
    rois, scores = proposal("min_size: 100").forward()
    assert rois.shape == (0, 5)
    assert scores.shape == (0, 1)


@pytest.mark.parametrize(
    ("fields", "message", "path"),
    [
        ("feat_stride: 0", "expected feat_stride of 1 or more", ("proposal_param", "feat_stride")),
        ("base_size: 0", "expected base_size of 1 or more", ("proposal_param", "base_size")),
        ("ratio: -1", "expected a ratio above 0, got -1", ("proposal_param", "ratio", 1)),
        ("scale: 0", "expected a scale above 0, got 0", ("proposal_param", "scale", 1)),
        ("nms_thresh: -1", "expected nms_thresh of 0 or more", ("proposal_param", "nms_thresh")),
        ("ratio: 2", r"expected N x 4 x H x W in 'x0', 2 for each of 2 anchors", ("bottom", 0)),
    ],
)
def test_wrong_settings_are_refused(fields: str, message: str, path: tuple[object, ...]) -> None:
    with pytest.raises(LayerError, match=message) as caught:
        proposal(fields)
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("shapes", "message", "path"),
    [
        ([(2, 18, 5, 7), (2, 36, 5, 6), (2, 3)], "as many images and cells in 'x1'", ("bottom", 1)),
        ([(2, 18, 5, 7), (2, 18, 5, 7), (2, 3)], "expected N x 36 x H x W in 'x1'", ("bottom", 1)),
        ([(2, 18, 5, 7), (2, 36, 5, 7), (1, 3)], "scale of 2 image", ("bottom", 2)),
        ([(2, 18, 5, 7), (2, 36, 5, 7), (2, 2)], "got 2x2", ("bottom", 2)),
    ],
)
def test_bottoms_that_do_not_fit_are_refused(
    shapes: list[tuple[int, ...]], message: str, path: tuple[object, ...]
) -> None:
    with pytest.raises(LayerError, match=message) as caught:
        LayerHarness('type: "Proposal"', [np.zeros(shape) for shape in shapes])
    assert caught.value.path == path


def test_regions_are_no_objective() -> None:
    with pytest.raises(LayerError, match="cannot be part of the objective"):
        LayerHarness('type: "Proposal" loss_weight: 1', [np.zeros((1, 18, 2, 2))] * 3)
