"""Constants, and axes in another order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.errors import LayerError, NetworkError
from protonet.torch7.api import TorchModule
from protonet.torch7.objects import Tensor
from tests.torch7.modules.computing import inputs, outputs, same, slopes
from tests.torch7.trees import nn

VALUE = Tensor.of(np.arange(6).reshape(2, 3))


def test_a_constant() -> None:
    (x,) = inputs((4, 5))
    same(outputs(nn("Constant", VALUE), x), VALUE.array)
    same(outputs(nn("Constant", VALUE, 2), x), VALUE.array)
    same(outputs(nn("Constant", 3), x), np.array([3]))


def test_a_constant_for_each_item() -> None:
    (x,) = inputs((4, 5))
    model = TorchModule(nn("Constant", VALUE, 1), [x.shape])
    same(model.forward(x), np.stack([VALUE.array] * 4))
    assert model.parameters() == []
    same(outputs(nn("Constant", 3, 1), x), np.full((4, 1), 3))
    same(outputs(nn("Constant", 3, 0), x[0]), np.full((5, 1), 3))
    assert not slopes(nn("Constant", VALUE, 1), x)[0].any()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), lambda x: x),
        (("bchw", "bhwc"), lambda x: x.transpose(0, 2, 3, 1)),
        (("bchw", "chwb"), lambda x: x.transpose(1, 2, 3, 0)),
        (("chw", "hwc"), lambda x: x.transpose(0, 2, 3, 1)),
        (("bchw", "bf"), lambda x: x.reshape(2, 60)),
        (("cbhw", "bf"), lambda x: x.transpose(1, 0, 2, 3).reshape(3, 40)),
    ],
)
def test_conversions(arguments: tuple[str, ...], expected: Any) -> None:
    (x,) = inputs((2, 3, 4, 5))
    same(outputs(nn("Convert", *arguments), x), expected(x))


def test_conversions_of_few_axes() -> None:
    (x,) = inputs((2, 3))
    same(outputs(nn("Convert", "bt", "b"), x), x[:, 0])
    same(outputs(nn("Convert", "tb", "b"), x), x[0])
    same(outputs(nn("Convert", "bf", "b"), x[:, :1]), x[:, 0])
    same(outputs(nn("Convert", "b", "bt"), x[0]), x[0][:, None])
    same(outputs(nn("Convert", "b", "bf"), x[0]), x[0][:, None])
    same(outputs(nn("Convert", "cw", "f"), x), x.reshape(6))


@pytest.mark.parametrize(
    ("arguments", "shape", "message"),
    [
        (("bt", "bf"), (2, 3), "cannot convert shape bt to bf"),
        (("bf", "b"), (2, 3), "cannot convert bf to b when there are features: 2x3"),
        (("bchw", "bwhc"), (2, 3), "expected an input of 4 dimensions, bchw, got 1x2x3"),
    ],
)
def test_conversions_that_are_not_there(
    arguments: tuple[str, str], shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(NetworkError, match=message):
        TorchModule(nn("Convert", *arguments), [shape])


def test_places_of_maxima() -> None:
    (x,) = inputs((2, 3, 4))
    same(outputs(nn("ArgMax"), x), x.argmax(0) + 1)
    same(outputs(nn("ArgMax", 1, 2), x), x.argmax(1) + 1)
    same(outputs(nn("ArgMax"), x[0, 0]), np.array([x[0, 0].argmax() + 1]))
    assert not slopes(nn("ArgMax"), x)[0].any()


def test_gradients_pass_where_values_were_clipped() -> None:
    (x,) = inputs((2, 3))
    same(outputs(nn("Clip", -1, 0.5), x), np.clip(x, -1, 0.5))
    same(slopes(nn("Clip", -1, 0.5), x)[0], np.arange(1.0, 7).reshape(2, 3))


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("Clip", (1,), "nn.Clip: argument 2, maxval, is nil"),
        ("Constant", (), "nn.Constant: expected a number or tensor, got None"),
        ("Convert", (None, "bf"), "expected an inputShape beside the outputShape"),
        ("Convert", ("b*", "bf"), r"both shapes are b\*, or neither"),
    ],
)
def test_arguments_that_are_refused(name: str, arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(LayerError, match=message):
        nn(name, *arguments)
