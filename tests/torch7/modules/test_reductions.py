"""Sums, means and extremes along a dimension."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError, NetworkError
from tests.torch7.modules.computing import inputs, outputs, same, slopes
from tests.torch7.trees import nn


def test_sums_and_means() -> None:
    (x,) = inputs((2, 3, 4))
    same(outputs(nn("Sum"), x), x.sum(0))
    same(outputs(nn("Sum", 1, 2), x), x.sum(1))
    same(outputs(nn("Sum", -1, 2), x), x.sum(2))
    same(outputs(nn("Sum", 2, None, True), x), x.mean(1))
    same(outputs(nn("Sum", 2, None, False, False), x), x.sum(1, keepdims=True))
    same(outputs(nn("Mean", 3), x), x.mean(2))
    same(outputs(nn("Mean", 2, 2), x), x.mean(2))
    same(slopes(nn("Mean", 1), x)[0], np.stack([np.arange(1.0, 13).reshape(3, 4) / 2] * 2))


def test_a_vector_leaves_one_element() -> None:
    (x,) = inputs((5,))
    same(outputs(nn("Sum", 1), x), x.sum(keepdims=True))
    same(outputs(nn("Sum", 1, None, False, False), x), x.sum(keepdims=True))
    same(outputs(nn("Max", 1), x), x.max(keepdims=True))


def test_extremes() -> None:
    (x,) = inputs((2, 3, 4))
    same(outputs(nn("Max"), x), x.max(0))
    same(outputs(nn("Max", 1, 2), x), x.max(1))
    same(outputs(nn("Min", -2), x), x.min(1))
    expected = np.zeros((2, 3))
    expected[:, 0] = [1, 2]
    same(slopes(nn("Max", 2), np.ones((2, 3), np.float32))[0], expected)


def test_what_is_refused() -> None:
    with pytest.raises(LayerError, match=r"squeeze must be true or false, got 1"):
        nn("Sum", 1, None, False, 1)
    with pytest.raises(NetworkError, match=r"an input of 2 dimensions .2x3. has no dimension 3"):
        outputs(nn("Sum", 3), *inputs((2, 3)))
