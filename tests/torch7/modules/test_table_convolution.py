"""Convolutions of tables: initial values, planes and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError, NetworkError
from protonet.torch7.modules.base import Session, create, module_class
from protonet.torch7.objects import Tensor
from tests.torch7.modules.windows import convolve, forward, random
from tests.torch7.trees import Draws, nn

PAIRS = [(1, 1), (3, 1), (2, 2), (1, 3), (2, 3), (3, 3)]
TABLE = Tensor.of(np.array(PAIRS))


def test_each_kernel_is_drawn_by_the_inputs_of_its_output() -> None:
    draws = Draws()
    create("nn.SpatialConvolutionMap", [TABLE, 2, 3], Session(draws))
    inputs = [2, 2, 1, 3, 3, 3, 2, 1, 3]  # of each kernel, then of each bias
    assert [high for _, _, high in draws.asked] == pytest.approx(
        [(6 * each) ** -0.5 for each in inputs]
    )


def test_planes_of_a_table() -> None:
    made, x = nn("SpatialConvolutionMap", TABLE, 2, 3, 1, 2), random(2, 4, 7, 5)
    w, b = made.fields["weight"].array, made.fields["bias"].array
    dense = np.zeros((3, 4, 3, 2))
    for kernel, (i, o) in zip(w, PAIRS, strict=True):
        dense[o - 1, i - 1] = kernel
    expected = convolve(x, dense, b, (2, 1))
    np.testing.assert_allclose(forward(made, x), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(forward(made, x[0]), expected[0], rtol=1e-4, atol=1e-5)


def test_the_transpose_of_a_table() -> None:
    made, x = nn("SpatialFullConvolutionMap", TABLE, 2, 3, 2, 1), random(1, 3, 4, 5)
    w, b = made.fields["weight"].array, made.fields["bias"].array
    expected = np.tile(b.reshape(1, 3, 1, 1), (1, 1, 6, 10))
    for kernel, (i, o) in zip(w, PAIRS, strict=True):
        for r, c in np.ndindex(4, 5):
            expected[0, o - 1, r : r + 3, 2 * c : 2 * c + 2] += x[0, i - 1, r, c] * kernel
    np.testing.assert_allclose(forward(made, x), expected, rtol=1e-4, atol=1e-5)


def test_what_is_refused() -> None:
    with pytest.raises(LayerError, match=r"conMatrix must be a tensor of pairs, .* got 4"):
        nn("SpatialConvolutionMap", 4, 2, 2)
    with pytest.raises(LayerError, match=r"conMatrix must be a tensor of pairs, .* got 4x3"):
        nn("SpatialConvolutionMap", Tensor.of(np.ones((4, 3))), 2, 2)
    with pytest.raises(NetworkError, match="expected at least 3 input planes, got 1x2x5x5"):
        forward(nn("SpatialConvolutionMap", TABLE, 2, 2), random(1, 2, 5, 5))


def test_a_standard_deviation_replaces_all_bounds() -> None:
    draws = Draws()
    made = create("nn.SpatialConvolutionMap", [TABLE, 2, 3], Session(draws))
    module_class(made.typename)(made, Session(draws)).reset(1.0)
    assert draws.asked[-2:] == [("uniform", -(3**0.5), 3**0.5)] * 2
