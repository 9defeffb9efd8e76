"""Modules that are composed of others."""

from __future__ import annotations

from typing import Any

import pytest

from protonet.errors import LayerError
from protonet.torch7.api import TorchModule
from protonet.torch7.objects import Table
from tests.torch7.modules.computing import inputs, outputs, same
from tests.torch7.trees import nn


def test_maxout() -> None:
    (x,) = inputs((2, 3))
    made = nn("Maxout", 3, 4, 5)
    linear = made.fields["modules"][1].fields
    rows = x @ linear["weight"].array.T + linear["bias"].array
    same(outputs(made, x), rows.reshape(2, 5, 4).max(1))
    same(outputs(made, x[0]), rows[0].reshape(5, 4).max(0))
    turned = nn("Maxout", 3, 4, 5, nn("MulConstant", -1)).fields["modules"].sequence
    assert [each.name for each in turned] == ["Linear", "View", "MulConstant", "Max"]


def test_inception() -> None:
    sizes = {"inputSize": 3, "outputSize": [4, 5], "reduceSize": [2, 3, 6, 7]}
    config = Table({k: Table.of(v) if isinstance(v, list) else v for k, v in sizes.items()})
    made = nn("Inception", config)
    (x,) = inputs((2, 3, 6, 8))
    model = TorchModule(made, [x.shape])
    y = model.forward(x)
    # the pooling has no padding, so its column is smaller, with a border of zeros
    assert y.shape == (2, 4 + 5 + 6 + 7, 6, 8)
    assert not y[:, 9:15, 0].any()
    assert y[:, 9:15, 1:-1, 1:-1].any()
    shapes = [value.shape for value, _ in model.parameters()]
    assert shapes[0::2] == [
        (2, 3, 1, 1), (4, 2, 5, 5), (3, 3, 1, 1), (5, 3, 3, 3), (6, 3, 1, 1), (7, 3, 1, 1),
    ]  # fmt: skip
    same(outputs(made, x[0]), y[0])
    config["batchNorm"] = True
    with_norms = TorchModule(nn("Inception", config), [x.shape])
    assert len(with_norms.parameters()) == 24


def test_fire_module() -> None:
    made = nn("FireModule", 3, 2, 4, 5, "Tanh")
    (x,) = inputs((2, 3, 6, 8))
    model = TorchModule(made, [x.shape])
    assert model.forward(x).shape == (2, 9, 6, 8)
    shapes = [value.shape for value, _ in model.parameters()]
    assert shapes == [(2, 3, 1, 1), (2,), (4, 2, 1, 1), (4,), (5, 2, 3, 3), (5,)]
    kinds = [each.type for each in model.translated.definition.net.layer]
    assert kinds.count("TanH") == 2


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("Maxout", (3, 4), "one of them is nil"),
        ("Inception", (3,), "expected a table of settings, got 3"),
        ("Inception", (Table(),), "nn.Inception: inputSize is missing"),
        ("FireModule", (3, 2), "nn.FireModule: e1x1 is nil"),
    ],
)
def test_arguments_that_are_refused(name: str, arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(LayerError, match=message):
        nn(name, *arguments)
