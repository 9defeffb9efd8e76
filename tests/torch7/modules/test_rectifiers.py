"""Piecewise activations."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError, NetworkError
from protonet.torch7.api import TorchModule
from protonet.torch7.objects import TorchObject
from tests.torch7.modules.computing import inputs, outputs, same, slopes
from tests.torch7.trees import nn

X = np.array([[-3, -0.5, 0.25], [1, 5, 8]], np.float32)


@pytest.mark.parametrize(
    ("made", "y", "slope"),
    [
        (nn("ReLU"), [0, 0, 0.25, 1, 5, 8], [0, 0, 1, 1, 1, 1]),
        (nn("ReLU", True), [0, 0, 0.25, 1, 5, 8], [0, 0, 1, 1, 1, 1]),
        (nn("ReLU6", False), [0, 0, 0.25, 1, 5, 6], [0, 0, 1, 1, 1, 0]),
        (nn("LeakyReLU"), [-0.03, -0.005, 0.25, 1, 5, 8], [0.01, 0.01, 1, 1, 1, 1]),
        (nn("LeakyReLU", 0.5, True), [-1.5, -0.25, 0.25, 1, 5, 8], [0.5, 0.5, 1, 1, 1, 1]),
        (nn("LeakyReLU", True), [-0.03, -0.005, 0.25, 1, 5, 8], [0.01, 0.01, 1, 1, 1, 1]),
        (nn("LeakyReLU", -1), [3, 0.5, 0.25, 1, 5, 8], [-1, -1, 1, 1, 1, 1]),
        (nn("PReLU"), [-0.75, -0.125, 0.25, 1, 5, 8], [0.25, 0.25, 1, 1, 1, 1]),
        (nn("Threshold", 0, 0), [0, 0, 0.25, 1, 5, 8], [0, 0, 1, 1, 1, 1]),
        (nn("Threshold", 0.25, -3), [-3, -3, -3, 1, 5, 8], [0, 0, 0, 1, 1, 1]),
        (nn("Threshold", 1, -3, True), [-3, -3, -3, -3, 5, 8], [0, 0, 0, 0, 1, 1]),
        (nn("Threshold"), [0, 0, 0.25, 1, 5, 8], [0, 0, 1, 1, 1, 1]),
        (nn("HardTanh"), [-1, -0.5, 0.25, 1, 1, 1], [0, 1, 1, 0, 0, 0]),
        (nn("HardTanh", -0.5, 5, True), [-0.5, -0.5, 0.25, 1, 5, 5], [0, 0, 1, 1, 0, 0]),
        (nn("Clamp", 0, 3), [0, 0, 0.25, 1, 3, 3], [0, 0, 1, 1, 0, 0]),
        (nn("Clamp", 0, np.inf), [0, 0, 0.25, 1, 5, 8], [0, 0, 1, 1, 1, 1]),
        (nn("HardTanh", -np.inf, 0.5), [-3, -0.5, 0.25, 0.5, 0.5, 0.5], [1, 1, 1, 0, 0, 0]),
        (nn("HardShrink"), [-3, 0, 0, 1, 5, 8], [1, 0, 0, 1, 1, 1]),
        (nn("HardShrink", 1), [-3, 0, 0, 0, 5, 8], [1, 0, 0, 0, 1, 1]),
        (nn("SoftShrink"), [-2.5, 0, 0, 0.5, 4.5, 7.5], [1, 0, 0, 1, 1, 1]),
        (nn("SoftShrink", 2), [-1, 0, 0, 0, 3, 6], [1, 0, 0, 0, 1, 1]),
        (
            nn("ELU", 2),
            [2 * np.expm1(-3), 2 * np.expm1(-0.5), 0.25, 1, 5, 8],
            [2 * np.exp(-3), 2 * np.exp(-0.5), 1, 1, 1, 1],
        ),
    ],
)
def test_values_and_slopes(made: TorchObject, y: list[float], slope: list[float]) -> None:
    for x in (X, X.reshape(6), X.reshape(1, 2, 3, 1)):
        same(outputs(made, x), np.reshape(y, x.shape))
        model = TorchModule(made, [x.shape])
        model.forward(x)
        same(model.backward(np.ones(x.shape))[0], np.reshape(slope, x.shape))


def test_slopes_of_channels() -> None:
    made = nn("PReLU", 3)
    made.fields["weight"].array[...] = [0.5, 1, 2]
    for shape, seen in (((3,), (3,)), ((2, 3), (3,)), ((2, 3, 4), (3, 1))):
        (x,) = inputs(shape)
        model = TorchModule(made, [shape])
        same(model.forward(x), np.where(x > 0, x, x * np.reshape([0.5, 1, 2], seen)))
        model.backward(np.ones(shape))
        ((_, gradient),) = model.parameters()
        rest = tuple(axis for axis in range(len(shape)) if axis != min(1, len(shape) - 1))
        same(gradient, np.minimum(x, 0).sum(rest))
    with pytest.raises(NetworkError, match="expected 3 planes, got 2x4"):
        TorchModule(made, [(2, 4)])


def test_crelu_doubles_the_channels() -> None:
    (x,) = inputs((2, 3, 4))
    same(outputs(nn("CReLU", 2), x), np.maximum(np.concatenate([x, -x], 1), 0))
    same(outputs(nn("CReLU", 3), x), np.maximum(np.concatenate([x, -x], 0), 0))
    inside = nn("CReLU", 2, True).fields["modules"].sequence
    assert [each.typename for each in inside] == ["nn.ConcatTable", "nn.JoinTable", "nn.ReLU"]
    assert inside[2].fields["inplace"] is True


@pytest.mark.parametrize(("dim", "axis"), [(None, 2), (2, 1)])
def test_gated_linear_units(dim: int | None, axis: int) -> None:
    (x,) = inputs((3, 2, 4))
    x /= 5
    a, b = np.split(x.astype(float), 2, axis)
    gate = 1 / (1 + np.exp(-b))
    made = nn("GatedLinearUnit", dim)
    same(outputs(made, x), a * gate)
    dy = np.arange(1, 13).reshape(a.shape)
    same(slopes(made, x)[0], np.concatenate([dy * gate, dy * a * gate * (1 - gate)], axis))
    with pytest.raises(NetworkError, match="even extent of dimension 2 to halve, got 2x3"):
        TorchModule(nn("GatedLinearUnit"), [(2, 3)])


def test_plain_rectifiers_are_the_fast_layer() -> None:
    for made in (nn("ReLU"), nn("Threshold", 0, 0)):
        (layer,) = TorchModule(made, [(2, 3)]).translated.definition.net.layer
        assert layer.type == "ReLU"


def test_slopes_are_drawn_in_training_only() -> None:
    x = np.full((300, 200), -2, np.float32)
    y = outputs(nn("RReLU", 0.25, 0.75), x)
    assert y.min() >= -1.5
    assert y.max() <= -0.5
    assert y.mean() == pytest.approx(-1, abs=0.01)
    assert y.std() == pytest.approx(1 / np.sqrt(12), abs=0.01)
    model = TorchModule(nn("RReLU", 0.25, 0.75), [x.shape], phase="evaluate")
    assert (model.forward(x) == -1).all()


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("ReLU", (1,), "in-place flag must be true or false, got 1"),
        ("Threshold", ("a",), "threshold must be a number, got a"),
        ("Threshold", (0, 1, True), "requires value .1. not exceed threshold .0."),
        ("HardTanh", (1, 1), "max_value must be larger than min_value, got 1 and 1"),
        ("SoftShrink", ("x",), "lambda must be a number, got x"),
        ("RReLU", (0.5, 0.1), "expected 0 <= lower <= upper, got 0.5 and 0.1"),
        ("ELU", ("x",), "alpha must be a number, got x"),
        ("PReLU", (1.5,), "nOutputPlane must be a whole number, got 1.5"),
        ("CReLU", (), "nInputDims must be a number, got nil"),
        ("GatedLinearUnit", (0,), "dim must be 1 or more, got 0"),
    ],
)
def test_arguments_that_are_refused(name: str, arguments: tuple[object], message: str) -> None:
    with pytest.raises(LayerError, match=message):
        nn(name, *arguments)
