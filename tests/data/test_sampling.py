"""Windows by chance: their size and form, the constraints, and how many."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.data.boxes import iou
from protonet.data.image_rng import ImageRNG
from protonet.data.sampling import check_samplers, draw, sample, satisfied
from protonet.errors import LayerError
from protonet.proto.caffe_pb2 import BatchSampler, SampleConstraint, Sampler

KEY = np.array([1, 2], np.uint64)
BOXES = np.array([[0.1, 0.1, 0.5, 0.5], [0.6, 0.6, 0.9, 0.9]], np.float32)
SAMPLER = Sampler(min_scale=0.3, max_scale=1, min_aspect_ratio=0.5, max_aspect_ratio=2)


def test_windows_have_the_scales_and_forms_and_lie_inside() -> None:
    windows = np.array([draw(SAMPLER, ImageRNG(KEY, index)) for index in range(300)])
    size = windows[:, 2:] - windows[:, :2]
    assert windows.min() >= 0
    assert windows.max() <= 1 + 1e-6
    areas, ratios = size.prod(axis=1), size[:, 0] / size[:, 1]
    assert 0.3**2 - 1e-6 <= areas.min() < 0.12
    assert 0.9 < areas.max() <= 1
    assert 0.5 - 1e-5 <= ratios.min() < 0.6
    assert 1.7 < ratios.max() <= 2 + 1e-5


@pytest.mark.parametrize(
    ("constraint", "expected"),
    [
        ({}, True),
        ({"min_jaccard_overlap": 0.3}, True),  # 0.16 / 0.36 with the first
        ({"min_jaccard_overlap": 0.5}, False),
        ({"max_jaccard_overlap": 0.1}, True),  # the second one: 0
        ({"min_object_coverage": 0.99}, True),
        ({"min_sample_coverage": 0.4}, True),  # 0.16 / 0.36
        ({"min_sample_coverage": 0.5}, False),
        ({"max_object_coverage": 0.5, "min_jaccard_overlap": 0.1}, False),  # one must fulfil both
    ],
)
def test_constraints(constraint: dict[str, float], expected: bool) -> None:
    window = np.array([0, 0, 0.6, 0.6], np.float32)
    assert satisfied(SampleConstraint(**constraint), BOXES, window) is expected


def test_no_object_fulfils_nothing() -> None:
    none = np.zeros((0, 4), np.float32)
    window = np.array([0, 0, 0.6, 0.6], np.float32)
    assert not satisfied(SampleConstraint(min_jaccard_overlap=0.1), none, window)
    assert satisfied(SampleConstraint(), none, window)


def test_how_many_are_found() -> None:
    asked = BatchSampler(sampler=SAMPLER, max_sample=2, max_trials=50)
    asked.sample_constraint.min_jaccard_overlap = 0.3
    found = sample([BatchSampler(max_sample=1, max_trials=1), asked], BOXES, ImageRNG(KEY, 0))
    np.testing.assert_array_equal(found[0], [0, 0, 1, 1])
    assert len(found) == 3
    assert all(iou(BOXES, window).max() >= 0.3 for window in found[1:])
    asked.sample_constraint.min_jaccard_overlap = 0.99
    assert sample([asked], BOXES, ImageRNG(KEY, 0)).shape == (0, 4)
    asked.use_original_image = False
    asked.ClearField("sample_constraint")
    assert len(sample([asked], BOXES, ImageRNG(KEY, 0))) == 0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"min_scale": 0}, "expected 0 < min_scale <= max_scale <= 1, got 0 and 1"),
        ({"max_scale": 2}, "<= 1, got 1 and 2"),
        ({"min_aspect_ratio": 3}, "min_aspect_ratio <= max_aspect_ratio, got 3 and 1"),
    ],
)
def test_windows_that_cannot_be(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(LayerError, match=message) as caught:
        check_samplers([BatchSampler(), BatchSampler(sampler=Sampler(**fields))])
    assert caught.value.path == ("annotated_data_param", "batch_sampler", 1, "sampler")
