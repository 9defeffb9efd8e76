"""Full convolutions: the transposes of convolutions, and the sizes of their outputs."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError, NetworkError
from protonet.torch7.api import TorchModule
from tests.torch7.modules.windows import convolve, forward, random
from tests.torch7.trees import call, nn


def test_it_is_the_transpose_of_a_convolution() -> None:
    """<x, conv(y)> = <full(x), y> with the same weight, and the sizes fit."""
    made, x = nn("SpatialFullConvolution", 3, 2, 4, 3, 2, 3, 1, 1, 1, 2), random(2, 3, 5, 4)
    call(made, "noBias")
    full = forward(made, x)
    assert full.shape == (2, 2, 15, 9)
    y = random(*full.shape)
    back = convolve(y, made.fields["weight"].array, np.zeros(3), (3, 2), (1, 1))
    np.testing.assert_allclose((back * x).sum(), (full * y).sum(), rtol=1e-4)


def test_the_same_of_volumes() -> None:
    made = nn("VolumetricFullConvolution", 2, 3, 2, 3, 2, 2, 1, 3, 0, 1, 0, 1, 0, 2)
    call(made, "noBias")
    x = random(2, 2, 3, 2, 4)
    full = forward(made, x)
    assert full.shape == (2, 3, 7, 7, 4)
    y = random(*full.shape)
    back = convolve(y, made.fields["weight"].array, np.zeros(2), (2, 3, 1), (0, 0, 1))
    np.testing.assert_allclose((back * x).sum(), (full * y).sum(), rtol=1e-4)


def test_a_table_gives_the_size_of_the_output() -> None:
    made, x, like = (
        nn("SpatialFullConvolution", 3, 2, 3, 3, 2, 2),
        random(1, 3, 4, 5),
        (1, 7, 10, 11),
    )
    model = TorchModule(made, [x.shape, like])
    y = model.forward(x, random(*like))
    assert y.shape == (1, 2, 10, 11)
    dx, dlike = model.backward(np.ones_like(y))
    assert dx.any()
    assert not dlike.any()


@pytest.mark.parametrize("shapes", [[(1, 3, 4, 5)] * 3])
def test_a_table_of_more_is_refused(shapes: list[tuple[int, ...]]) -> None:
    with pytest.raises(NetworkError, match=r"expected a table of the input and a tensor .* got 3"):
        TorchModule(nn("SpatialFullConvolution", 3, 2, 3, 3), shapes)


def test_adjustments_are_below_the_stride() -> None:
    with pytest.raises(LayerError, match="adjW must be below dW, 2, got 2"):
        nn("SpatialFullConvolution", 3, 2, 3, 3, 2, 3, 0, 0, 2, 2)
    with pytest.raises(LayerError, match="argument 3, kT, is nil"):
        nn("VolumetricFullConvolution", 3, 4)
