"""Vectors of length 1, and of mean 0."""

from __future__ import annotations

import math

import numpy as np
import pytest

from protonet.errors import LayerError, NetworkError
from protonet.torch7.api import TorchModule
from protonet.torch7.modules.base import Session, create
from tests.torch7.modules.computing import inputs, outputs, same
from tests.torch7.trees import Draws, nn


@pytest.mark.parametrize("p", [1, 2, 3, 1.5, math.inf])
@pytest.mark.parametrize("shape", [(3, 5), (5,)])
def test_normalize(p: float, shape: tuple[int, ...]) -> None:
    (x,) = inputs(shape)
    norms = np.linalg.norm(np.atleast_2d(x), p, axis=1, keepdims=True).reshape(*shape[:-1], 1)
    same(outputs(nn("Normalize", p), x), x / norms)


def test_normalize_takes_vectors() -> None:
    with pytest.raises(NetworkError, match="expected vectors, got 2x3x4"):
        TorchModule(nn("Normalize", 2), [(2, 3, 4)])


@pytest.mark.parametrize(("p", "message"), [(None, "p must be a number"), (0, "0-norm not")])
def test_norms_that_there_are_not(p: float | None, message: str) -> None:
    with pytest.raises(LayerError, match=message):
        nn("Normalize", p)


@pytest.mark.parametrize("affine", [None, False])
def test_layer_normalization(affine: bool | None) -> None:
    (x,) = inputs((3, 5))
    model = TorchModule(nn("LayerNormalization", 5, 0.5, None, affine), [(3, 5)])
    # Torch7 subtracts the means laid out as 5x3, not as 3x5: Replicate takes them for an item
    centred = x - np.tile(x.mean(1), 5).reshape(3, 5)
    expected = centred / np.sqrt((centred**2).mean(1, keepdims=True))
    assert len(model.parameters()) == (2 if affine is None else 0)
    same(model.forward(x), expected + (0.5 if affine is None else 0))


def test_layer_normalization_draws_what_it_then_overwrites() -> None:
    draws = Draws()
    made = create("nn.LayerNormalization", [4], Session(draws))
    assert draws.asked == [("uniform", -0.5, 0.5)] * 2
    gain, shift = made.fields["modules"].sequence[4:]
    assert (gain.typename, shift.typename) == ("nn.CMul", "nn.Add")
    assert gain.fields["weight"].array.tolist() == [1] * 4
    assert shift.fields["bias"].array.tolist() == [0] * 4
