"""Sums and products with a learned tensor."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError, NetworkError
from protonet.torch7.api import TorchModule
from protonet.torch7.modules.base import Session, create
from protonet.torch7.modules.shapes import longs
from protonet.torch7.objects import TorchObject
from tests.torch7.modules.computing import inputs, same
from tests.torch7.trees import Draws, call, nn

Shape = tuple[int, ...]


def sums(array: np.ndarray, small: Shape) -> np.ndarray:
    """Summed over the axes that ``small`` is broadcast along; the first of ``small`` are 1."""
    while array.ndim > len(small):
        array = array.sum(0)
    wide = tuple(axis for axis, extent in enumerate(small) if extent != array.shape[axis])
    return np.asarray(array.sum(wide, keepdims=True))


@pytest.mark.parametrize(
    ("sizes", "shape", "seen"),
    [
        ((3, 4), (3, 4), (3, 4)),
        ((12,), (3, 4), (3, 4)),
        ((4,), (2, 4), (4,)),
        ((3, 4), (2, 3, 4), (3, 4)),
        ((12,), (2, 3, 4), (3, 4)),
        ((1, 3, 1), (2, 3, 4), (1, 3, 1)),
        ((1, 1, 4), (2, 3, 4), (1, 1, 4)),
        ((2, 1, 4), (2, 3, 4), (2, 1, 4)),
        ((1, 1, 1), (2, 3, 4), (1, 1, 1)),
        ((1,), (2, 3, 4), (1, 1, 1)),
    ],
)
@pytest.mark.parametrize("name", ["CMul", "CAdd"])
def test_tensors_are_broadcast(name: str, sizes: Shape, shape: Shape, seen: Shape) -> None:
    x, dy = inputs(shape, shape)
    model = TorchModule(nn(name, *sizes), [shape])
    ((value, gradient),) = model.parameters()
    small = value.reshape(seen)
    same(model.forward(x), x * small if name == "CMul" else x + small)
    (dx,) = model.backward(dy)
    same(dx, dy * small if name == "CMul" else dy)
    same(gradient.reshape(seen), sums(dy * x if name == "CMul" else dy, seen))


def test_fields_and_draws_of_cmul() -> None:
    draws = Draws()
    made = create("nn.CMul", [longs([2, 8])], Session(draws))
    assert list(made.fields["size"].data) == [2, 8]
    assert made.fields["gradWeight"].shape == made.fields["output"].shape == (2, 8)
    assert draws.asked == [("uniform", -0.25, 0.25)]
    create("nn.CAdd", [4], Session(draws))
    assert draws.asked[1] == ("uniform", -0.5, 0.5)


def test_mul_has_one_number() -> None:
    for shape in ((4,), (2, 3, 4)):
        x, dy = inputs(shape, shape)
        model = TorchModule(nn("Mul"), [shape])
        ((value, gradient),) = model.parameters()
        assert value.shape == (1,)
        same(model.forward(x), x * value)
        same(model.backward(dy)[0], dy * value)
        same(gradient, np.reshape((dy * x).sum(), 1))


@pytest.mark.parametrize(
    ("made", "shape", "seen"),
    [
        (nn("Add", 5), (3, 5), (5,)),
        (nn("Add", 5), (5,), (5,)),
        (nn("Add", 6), (4, 2, 3), (2, 3)),
        (nn("Add", longs([2, 3])), (2, 3), (2, 3)),
        (nn("Add", 5, False), (3, 5), (5,)),
        (nn("Add", 5, True), (3, 4), (1, 1)),
        (nn("Add", 1, True), (4,), (1,)),
    ],
)
def test_add(made: TorchObject, shape: Shape, seen: Shape) -> None:
    x, dy = inputs(shape, shape)
    model = TorchModule(made, [shape])
    ((value, gradient),) = model.parameters()
    same(model.forward(x), x + value.reshape(seen))
    same(model.backward(dy)[0], dy)
    same(gradient.reshape(seen), sums(dy, seen))


def test_add_draws_by_the_first_extent() -> None:
    draws = Draws()
    create("nn.Add", [16], Session(draws))
    create("nn.Add", [16, True], Session(draws))
    assert draws.asked == [("uniform", -0.25, 0.25), ("uniform", -1, 1)]
    call(made := nn("Add", 4), "reset", 0)
    assert made.fields["bias"].array.tolist() == [0] * 4


@pytest.mark.parametrize(
    ("made", "shape", "message"),
    [
        (nn("CMul", 5), (2, 4), "weight is 5: expected items of 5 values, got 2x4"),
        (nn("CMul", 1, 3), (2, 4), "extents that are 1 or those of 2x4, got 1x3"),
        (nn("CAdd", 2, 2), (3,), "bias is 2x2: expected items of 4 values, got 3"),
        (nn("Add", 5), (2, 4), "expected items of 5 values, got 2x4"),
    ],
)
def test_inputs_that_do_not_fit(made: TorchObject, shape: Shape, message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        TorchModule(made, [shape])


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("CMul", (), "expected sizes of 1 or more, got none"),
        ("CAdd", (2, 0), "expected sizes of 1 or more, got 2x0"),
        ("CMul", (2, float("nan")), "size must be a whole number, got nan"),
        ("Add", (longs([0, 3]),), "inputSize must be 1 or more, got 0"),
        ("Add", (), "inputSize must be a number, got nil"),
        ("Add", (5, 1), "scalar must be true or false, got 1"),
    ],
)
def test_arguments_that_are_refused(name: str, arguments: tuple[object], message: str) -> None:
    with pytest.raises(LayerError, match=message):
        nn(name, *arguments)
