"""resize_param: sizes, bands and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.data.resize import resize
from protonet.data.resize_modes import check_resize, resize_by_mode, resized_size
from protonet.errors import LayerError
from protonet.proto.caffe_pb2 import ResizeParameter

IMAGE = np.random.default_rng(0).integers(0, 256, (3, 4, 8), np.uint8)
PAD, COVER = ResizeParameter.FIT_LARGE_SIZE_AND_PAD, ResizeParameter.FIT_SMALL_SIZE


def param(**fields: Any) -> ResizeParameter:
    return ResizeParameter(**fields)


@pytest.mark.parametrize(
    ("size", "expected"), [((4, 8), (10, 20)), ((8, 4), (24, 12)), ((5, 6), (10, 12))]
)
def test_covering_keeps_the_form(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert resized_size(param(resize_mode=COVER, height=10, width=12), size) == expected


def test_covering() -> None:
    found = resize_by_mode(
        IMAGE, param(resize_mode=COVER, height=6, width=6), ResizeParameter.LINEAR
    )
    np.testing.assert_array_equal(found, resize(IMAGE, 6, 12))


def test_bands_hold_the_value_of_each_channel() -> None:
    asked = param(resize_mode=PAD, height=9, width=8, pad_value=[1, 2, 3])
    found = resize_by_mode(IMAGE, asked, ResizeParameter.LINEAR)
    assert found.shape == (3, 9, 8)
    np.testing.assert_array_equal(found[:, 2:6], IMAGE)
    for rows in (found[:, :2], found[:, 6:]):
        assert (rows == np.array([1, 2, 3])[:, None, None]).all()


def test_bands_of_the_image() -> None:
    asked = param(resize_mode=PAD, height=7, width=8, pad_mode=ResizeParameter.MIRRORED)
    found = resize_by_mode(IMAGE, asked, ResizeParameter.LINEAR)
    np.testing.assert_array_equal(found, IMAGE[:, [1, 0, 1, 2, 3, 2, 1]])
    asked.pad_mode = ResizeParameter.REPEAT_NEAREST
    found = resize_by_mode(IMAGE, asked, ResizeParameter.LINEAR)
    np.testing.assert_array_equal(found, IMAGE[:, [0, 0, 1, 2, 3, 3, 3]])
    asked = param(resize_mode=PAD, height=3, width=9, pad_mode=ResizeParameter.MIRRORED)
    one = resize_by_mode(IMAGE[:, :1, :2], asked, ResizeParameter.NEAREST)
    assert one.shape == (3, 3, 9)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"height": 3}, "needs a height and a width of 1 or more, got 3 and 0"),
        ({"height": 3, "width": 3, "prob": 0.5}, "leave prob at 1"),
        ({"height": 3, "width": 3, "pad_value": [1, 2]}, "expected 1 pad_value or one for each"),
    ],
)
def test_what_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(LayerError, match=message):
        check_resize(param(**fields), 3)
