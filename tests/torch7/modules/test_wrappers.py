"""Modules that pass their input on, and modules around another one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.errors import LayerError, NetworkError
from protonet.torch7.api import TorchModule
from tests.torch7.modules.computing import inputs, outputs, same, slopes
from tests.torch7.modules.test_containers import filled
from tests.torch7.trees import call, nn, sequential


@pytest.mark.parametrize("name", ["Identity", "Contiguous", "Copy", "PrintSize"])
def test_values_that_pass(name: str) -> None:
    (x,) = inputs((2, 3))
    same(outputs(nn(name), x), x)
    assert TorchModule(nn(name), [(2, 3)]).translated.definition.net.layer == []


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("Decorator", ()),
        ("DontCast", (True,)),
        ("Serial", ("torch.FloatTensor",)),
        ("NaN", ()),
        ("Profile", (5, "slow")),
        ("GPU", (2,)),
    ],
)
def test_the_module_inside_computes(name: str, arguments: tuple[Any, ...]) -> None:
    (x,) = inputs((2, 3))
    same(outputs(nn(name, nn("MulConstant", 3), *arguments), x), 3 * x)


def test_fields_are_those_of_torch7() -> None:
    inside = nn("Identity")
    fields = nn("DontCast", inside, True).fields
    assert (fields["castin"], fields["castout"]) == (True, True)
    assert fields["moduleType"] == "torch.FloatTensor"
    assert nn("GPU", inside, 2).fields["outdevice"] == 2
    assert nn("Profile", inside).fields["name"] == "nn.Identity"
    serial = nn("Serial", inside)
    assert call(serial, "mediumSerial") is serial
    assert call(call(serial, "lightSerial"), "heavySerial") is serial
    fields = nn("Bottle", inside, 3, 2).fields
    assert (fields["nInputDim"], fields["nOutputDim"], fields["dimDelta"]) == (3, 2, 1)
    assert (fields["inShape"].shape, fields["outShape"].shape) == ((3,), (2,))


def test_a_bottle_merges_the_first_axes() -> None:
    (x,) = inputs((2, 3, 4, 5))
    linear = nn("Linear", 5, 6)
    w, b = linear.fields["weight"].array, linear.fields["bias"].array
    same(outputs(nn("Bottle", linear), x), x @ w.T + b)
    same(outputs(nn("Bottle", linear), x[0, 0]), x[0, 0] @ w.T + b)
    same(outputs(nn("Bottle", nn("Sum", 2), 3, 2), x), x.sum(2))


def test_what_is_refused() -> None:
    with pytest.raises(LayerError, match=r"nn.Bottle: expected a module, got nil"):
        nn("Bottle")
    with pytest.raises(LayerError, match=r"nn.GPU: expected the number of a device, got None"):
        nn("GPU", nn("Identity"))
    with pytest.raises(NetworkError, match="expected an output of 2 dimensions from the module"):
        TorchModule(nn("Bottle", nn("Sum", 1)), [(2, 3, 4)])
    empty = nn("Decorator", nn("Identity"))
    empty.fields["modules"].clear()
    with pytest.raises(NetworkError, match="expected a module inside, got none"):
        TorchModule(empty, [(2, 3)])


def test_a_gradient_of_0() -> None:
    (x,) = inputs((2, 3))
    both = filled("ConcatTable", nn("ZeroGrad"), nn("MulConstant", 3))
    made = sequential(both, nn("CAddTable"))
    same(outputs(made, x), 4 * x)
    same(slopes(made, x)[0], 3 * np.arange(1.0, 7).reshape(2, 3))
    assert not slopes(nn("ZeroGrad"), x)[0].any()
    table = TorchModule(nn("ZeroGrad"), [(2, 3), (4,)])
    assert [y.shape for y in table.forward(x, np.ones(4))] == [(2, 3), (4,)]


def test_a_module_for_several_devices() -> None:
    (x,) = inputs((2, 3))
    made = nn("DataParallelTable", 1, True, True)
    with pytest.raises(NetworkError, match="expected a module inside, got none"):
        TorchModule(made, [(2, 3)])
    assert call(made, "add", nn("MulConstant", 3), 1) is made
    call(made, "threads")
    same(outputs(made, x), 3 * x)
    call(made, "add", nn("Linear", 3, 3))
    assert TorchModule(made, [(2, 3)]).parameters() == []
