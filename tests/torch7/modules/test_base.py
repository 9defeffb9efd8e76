"""Constructors, fields and trees of modules."""

from __future__ import annotations

import math

import numpy as np
import pytest

from protonet.errors import LayerError, NetworkError
from protonet.torch7.api import TorchModule
from protonet.torch7.modules.base import module_class
from protonet.torch7.objects import Function, Tensor, TorchObject
from tests.torch7.trees import SESSION, call, nn, seed_net


def test_every_module_has_the_fields_of_nn_module() -> None:
    made = nn("MulConstant", 2)
    assert made.fields["_type"] == "torch.FloatTensor"
    assert isinstance(made.fields["output"], Tensor)
    assert made.fields["constant_scalar"] == 2
    assert made.fields["inplace"] is False


def test_other_packages_names_are_those_of_nn() -> None:
    assert module_class("cudnn.Linear") is module_class("nn.Linear")
    assert module_class("nn.LinearMM") is module_class("nn.Linear")


def test_an_unknown_module_names_the_nearest() -> None:
    with pytest.raises(LayerError, match=r"no module 'nn.Linaer'; did you mean 'nn.Linear'"):
        module_class("nn.Linaer")


def test_fields_of_another_type_are_told() -> None:
    odd = module_class("nn.Linear")(TorchObject("nn.Linear"))
    odd["weight"] = "heavy"
    with pytest.raises(LayerError, match=r"nn.Linear: weight must be a tensor, got heavy"):
        odd.tensor_field("weight")
    with pytest.raises(LayerError, match=r"weight must be a number, got heavy"):
        odd.number("weight")
    with pytest.raises(LayerError, match=r"weight must be a whole number, got heavy"):
        odd.integer("weight")
    with pytest.raises(LayerError, match=r"has no field 'bias'"):
        odd["bias"]


def test_parameters_in_order() -> None:
    tree = module_class("nn.Sequential")(seed_net())
    assert [name for _, name in tree.parameters()] == ["weight", "bias"]
    assert [each.object.name for each in tree.walk()] == [
        "Sequential",
        "MulConstant",
        "View",
        "Linear",
    ]


def test_a_frozen_module_does_not_learn() -> None:
    made = module_class("nn.Linear")(nn("Linear", 3, 2), SESSION)
    assert made.bound("weight").learned
    made["accGradParameters"] = Function()
    assert not made.bound("weight").learned


def test_a_module_of_a_file_draws_nothing() -> None:
    with pytest.raises(LayerError, match="was read from a file"):
        _ = module_class("nn.Linear")(TorchObject("nn.Linear")).session


def test_arguments_that_nobody_takes_are_dropped() -> None:
    """As Lua does: nn.Sigmoid(true) is in many definitions."""
    assert nn("Sigmoid", True).fields.keys() == nn("Sigmoid").fields.keys()
    assert nn("Select", 2, 1, 7).fields["index"] == 1


@pytest.mark.parametrize("arguments", [(2,), (2, None), (2, None, 3)])
def test_arguments_that_are_needed(arguments: tuple[object, ...]) -> None:
    with pytest.raises(LayerError, match=r"nn.Select: argument 2, index, is nil"):
        nn("Select", *arguments)


@pytest.mark.parametrize(
    ("name", "arguments", "field", "value", "message"),
    [
        ("Select", (2, 1), "index", math.nan, "index must be a whole number, got nan"),
        ("Select", (2, 1), "dimension", math.inf, "dimension must be a whole number, got inf"),
        ("MulConstant", (2,), "constant_scalar", 1e300, "too large for the layer Power"),
        ("Linear", (4, 2), "weight", Tensor.of(np.zeros(4)), "weight must have 2 axes, got 1"),
        ("Sequential", (), "modules", 3, "modules must be a table, got 3"),
        ("MapTable", (), "modules", 3, "modules must be a table, got 3"),
    ],
)
def test_fields_of_a_file_may_be_anything(
    name: str, arguments: tuple[object, ...], field: str, value: object, message: str
) -> None:
    made = nn(name, *arguments)
    if name == "MapTable":
        call(made, "add", nn("Identity"))
    made.fields[field] = value
    shapes = [(2, 4)] * (2 if name == "MapTable" else 1)
    with pytest.raises(NetworkError, match=message):
        TorchModule(made, shapes)


def test_a_tensor_that_no_memory_holds() -> None:
    with pytest.raises(LayerError, match="a tensor of 1000000000x1000000 is too large"):
        nn("Linear", 1e6, 1e9)
