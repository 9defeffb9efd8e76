"""Names, shared parameters and the forms of tensors in layers."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError, NetworkError
from protonet.proto.source import Source
from protonet.torch7.api import TorchModule
from protonet.torch7.builder import Bound
from protonet.torch7.modules.base import module_class
from protonet.torch7.network import builder
from protonet.torch7.objects import Tensor, TorchObject
from tests.torch7.trees import nn, sequential


def test_layers_are_numbered_by_the_module() -> None:
    net = builder(Source("n", ""))
    x = net.input("Linear2", (2, 4))
    module = nn("Linear", 4, 4)
    net.add(module_class("nn.Sequential")(sequential(module, module)), x)
    assert [spec.name for spec in net.specs] == ["Linear1", "Linear3"]
    assert [spec.param[0].name for spec in net.specs] == ["Linear1_weight"] * 2
    assert net.producer(x) is None


def test_a_tensor_in_the_form_of_a_layer_and_back() -> None:
    tensor = Tensor.of(np.arange(24).reshape(4, 6))
    bound = Bound(TorchObject("nn.X"), "weight", tensor, (4, 3, 2), (2, 1, 0))
    layer = bound.to_layer(tensor.array, (2, 12))
    assert (
        layer.tolist() == tensor.array.reshape(4, 3, 2).transpose(2, 1, 0).reshape(2, 12).tolist()
    )
    assert bound.to_tensor(layer).tolist() == tensor.array.tolist()


def test_axes_stay_in_their_order_unless_others_are_given() -> None:
    tensor = Tensor.of(np.arange(6).reshape(2, 3))
    bound = Bound(TorchObject("nn.X"), "weight", tensor)
    assert bound.to_layer(tensor.array, (2, 3)).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert bound.to_tensor(tensor.array.reshape(6)).tolist() == [[0, 1, 2], [3, 4, 5]]


def test_classes_from_zero_and_one() -> None:
    net = builder(Source("n", ""))
    labels = net.input("label", (3,), base=0)
    assert net.classes_from_zero(labels).name == "label"
    assert net.specs == []
    net.classes_from_zero(net.input("target", (3,)))
    assert net.specs[0].power_param.shift == -1
    net.as_in_torch(labels)
    assert net.specs[1].power_param.shift == 1


def test_a_parameter_of_another_size_is_refused() -> None:
    net = builder(Source("n", ""))
    x = net.input("x", (2, 4))
    bound = Bound(TorchObject("nn.X"), "weight", Tensor.of(np.zeros(5)))
    with pytest.raises(LayerError, match="weight is 5, but this input needs 3x4"):
        net.layer(
            "InnerProduct",
            x,
            weights=[bound],
            inner_product_param={"num_output": 3, "bias_term": False},
        )


def test_a_tensor_without_an_order_of_axes_stays_as_it_is() -> None:
    tensor = Tensor.of(np.arange(24).reshape(4, 6))
    bound = Bound(TorchObject("nn.X"), "weight", tensor, (4, 3, 2))
    assert bound.to_layer(tensor.array, (4, 6)).tolist() == tensor.array.tolist()


def test_a_second_top_is_added_once() -> None:
    net = builder(Source("n", ""))
    pooled = net.layer("Pooling", net.input("x", (2, 3, 4, 6)), pooling_param={"kernel_size": 2})
    for _ in range(2):
        assert net.second_top(pooled, "mask").shape == (2, 3, 3, 5)
    assert list(net.specs[0].top) == ["Pooling1", "Pooling1_mask"]


def test_infinite_numbers_are_written() -> None:
    model = TorchModule(nn("Clamp", -np.inf, np.inf), [(2,)])
    (layer,) = model.translated.definition.net.layer
    assert (layer.clip_param.min, layer.clip_param.max) == (-np.inf, np.inf)


def test_a_module_inside_itself_is_refused() -> None:
    outer, inner = nn("Sequential"), nn("ConcatTable")
    outer.fields["modules"][1], inner.fields["modules"][1] = inner, outer
    with pytest.raises(NetworkError, match=r"ConcatTable: nn\.Sequential is inside itself"):
        TorchModule(outer, [(2, 4)])


@pytest.mark.parametrize("depth", [90, 3000])
def test_modules_may_be_nested_to_some_depth(depth: int) -> None:
    model = sequential(nn("Linear", 4, 2))
    for _ in range(depth):
        model = sequential(model)
    if depth < 100:
        assert TorchModule(model, [(2, 4)]).forward(np.ones((2, 4))).shape == (2, 2)
    else:
        path = "/".join(["Sequential"] * 4 + ["..."] + ["Sequential"] * 4)
        with pytest.raises(NetworkError, match=f"{path}: modules are nested deeper than 100"):
            TorchModule(model, [(2, 4)])


def test_a_tensor_with_other_axes_than_the_layer_needs() -> None:
    net = builder(Source("n", ""))
    x = net.input("x", (5, 3))
    weight = Tensor.of(np.zeros(6))
    owner = TorchObject("nn.A")
    bound = Bound(owner, "weight", weight, axes=(1, 0))
    fields = {"num_output": 2, "bias_term": False}
    with pytest.raises(LayerError, match="weight is 6; expected 2 dimensions"):
        net.layer("InnerProduct", x, weights=[bound], inner_product_param=fields)
