"""nn.WeightNorm."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError, NetworkError
from protonet.torch7.api import TorchModule
from protonet.torch7.objects import TorchObject
from tests.torch7.modules.computing import inputs, same
from tests.torch7.trees import nn


def moved(made: TorchObject) -> np.ndarray:
    """Give the lengths and biases other values; returns the weight that they make."""
    made.fields["g"].array[...] += np.arange(made.fields["g"].count)[:, None]
    made.fields["bias"].array[...] = np.arange(made.fields["g"].count) / 3
    v = made.fields["v"].array
    lengths = np.sqrt((v**2).sum(1, keepdims=True) + 1e-4)
    weight: np.ndarray = made.fields["g"].array * v / lengths
    return weight


def test_the_first_weight_has_the_length_of_what_is_drawn() -> None:
    made = nn("WeightNorm", nn("Linear", 4, 3)).fields
    same(made["g"].array, np.sqrt((made["v"].array ** 2).sum(1, keepdims=True)))
    assert not made["bias"].array.any()
    assert made["bias"] is made["modules"][1].fields["bias"]
    assert made["viewIn"].data.tolist() == [3, 4]
    shapes = nn("WeightNorm", nn("SpatialConvolution", 2, 3, 5, 4), 2).fields
    assert shapes["viewOut"].data.tolist() == [2, 3, 4, 5]
    assert shapes["viewIn"].data.tolist() == [2, 60]


def test_linear() -> None:
    made = nn("WeightNorm", nn("Linear", 4, 3))
    w = moved(made)
    (x,) = inputs((2, 4))
    model = TorchModule(made, [x.shape])
    same(model.forward(x), x @ w.T + made.fields["bias"].array)
    same(TorchModule(made, [(4,)]).forward(x[0]), x[0] @ w.T + made.fields["bias"].array)
    dy = np.arange(1.0, 7).reshape(2, 3)
    same(model.backward(dy)[0], dy @ w)
    assert [value.shape for value, _ in model.parameters()] == [(3, 4), (3, 1), (3,)]
    (v, dv), (g, dg), (_, db) = model.parameters()
    length = np.sqrt((v**2).sum(1, keepdims=True) + 1e-4)
    dw = dy.T @ x
    same(dg, (dw * v / length).sum(1, keepdims=True))
    same(dv, g / length * (dw - v * (dw * v).sum(1, keepdims=True) / length**2))
    same(db, dy.sum(0))


def test_a_convolution_is_that_of_its_weight() -> None:
    inside = nn("SpatialConvolution", 2, 3, 3, 2, 2, 1, 1, 0)
    made = nn("WeightNorm", inside)
    plain = nn("SpatialConvolution", 2, 3, 3, 2, 2, 1, 1, 0)
    plain.fields["weight"].array[...] = moved(made).reshape(3, 2, 2, 3)
    plain.fields["bias"].array[...] = made.fields["bias"].array
    (x,) = inputs((2, 2, 6, 7))
    same(TorchModule(made, [x.shape]).forward(x), TorchModule(plain, [x.shape]).forward(x))
    one = x[0]
    same(TorchModule(made, [one.shape]).forward(one), TorchModule(plain, [one.shape]).forward(one))


def test_what_is_refused() -> None:
    with pytest.raises(LayerError, match=r"nn.WeightNorm: nn.Identity has no weight"):
        nn("WeightNorm", nn("Identity"))
    with pytest.raises(LayerError, match=r"nn.WeightNorm: the weight has no dimension 3"):
        nn("WeightNorm", nn("Linear", 4, 3), 3)
    with pytest.raises(NetworkError, match="normalizes weights along dimension 1 only"):
        TorchModule(nn("WeightNorm", nn("Linear", 4, 4), 2), [(2, 4)])
    with pytest.raises(NetworkError, match="expected vectors of 4, got 2x5"):
        TorchModule(nn("WeightNorm", nn("Linear", 4, 4)), [(2, 5)])
    with pytest.raises(NetworkError, match="expected images of 2 planes, got 2x3x4x5"):
        TorchModule(nn("WeightNorm", nn("SpatialConvolution", 2, 3, 1, 1)), [(2, 3, 4, 5)])
    with pytest.raises(NetworkError, match=r"not of nn.TemporalConvolution"):
        TorchModule(nn("WeightNorm", nn("TemporalConvolution", 4, 4, 1)), [(2, 4)])
