"""Kernel, stride, pad and dilation: the forms that are understood and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness

X = (2, 6, 5, 7)


def harness(text: str, *bottoms: tuple[int, ...]) -> LayerHarness:
    values = [np.zeros(shape) for shape in bottoms or (X,)]
    return LayerHarness(f'type: "Im2col" convolution_param {{ {text} }}', values)


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("kernel_size: 3", (2, 54, 3, 5)),
        ("kernel_size: [2, 3] stride: [1, 2]", (2, 36, 4, 3)),
        ("kernel_h: 2 kernel_w: 3 stride_h: 1 stride_w: 2", (2, 36, 4, 3)),
        ("kernel_size: 3 pad: 1 dilation: 2", (2, 54, 3, 5)),
        ("kernel_size: 3 pad_w: 1", (2, 54, 3, 7)),
        ("kernel_size: 7 axis: 2", (2, 6, 35, 1)),
    ],
)
def test_forms(text: str, shape: tuple[int, ...]) -> None:
    assert harness(text).tops[0].shape == shape


@pytest.mark.parametrize(
    ("text", "message", "path"),
    [
        ("stride: 2", "needs a kernel_size", "kernel_size"),
        ("kernel_size: 3 kernel_h: 2", "kernel_size and kernel_h", "kernel_h"),
        ("kernel_size: 3 pad: 1 pad_w: 2", "pad and pad_w are both", "pad_w"),
        ("kernel_h: 3", "kernel_h needs kernel_w as well", None),
        ("kernel_size: [3, 3, 3]", "expected 1 or 2 kernel_size, got 3", "kernel_size"),
        ("kernel_size: 3 stride: 0", "stride must be above 0", "stride"),
        ("kernel_size: 8", "a kernel of 8x8", None),
        ("kernel_size: 3 axis: 3", "no axis after channel axis 3", None),
        ("kernel_size: 3 axis: 4", "axis 4 is out of range", "axis"),
    ],
)
def test_what_is_refused(text: str, message: str, path: str | None) -> None:
    with pytest.raises(LayerError, match=message) as caught:
        harness(text)
    if path is not None:
        assert caught.value.path == ("convolution_param", path)


def test_bottoms_of_different_shapes_are_refused() -> None:
    with pytest.raises(
        LayerError, match="expected bottoms of the same shape, got 2x6x5x7, 2x6x5x8"
    ):
        harness("kernel_size: 3", X, (2, 6, 5, 8))
