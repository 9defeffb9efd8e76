"""Parts of concatenations lie where the whole lies: nothing is copied, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.device import Device
from protonet.graph.net import Net
from protonet.graph.planning import plan_net
from protonet.proto.caffe_pb2 import TEST
from protonet.proto.text import Source, read_net

TEXT = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 4 dim: 6 dim: 6 } } }
layer { name: "a" type: "Convolution" bottom: "x" top: "a" convolution_param { num_output: 8
  kernel_size: 1 weight_filler { type: "msra" } } }
layer { name: "ra" type: "ReLU" bottom: "a" top: "a" }
layer { name: "b" type: "Pooling" bottom: "x" top: "b"
  pooling_param { pool: MAX kernel_size: 3 stride: 1 pad: 1 } }
layer { name: "inner" type: "Concat" bottom: "a" bottom: "b" top: "inner" }
layer { name: "c" type: "Convolution" bottom: "inner" top: "c" convolution_param { num_output: 4
  kernel_size: 3 pad: 1 weight_filler { type: "msra" } } }
layer { name: "outer" type: "Concat" bottom: "c" bottom: "inner" top: "outer" }
layer { name: "ro" type: "ReLU" bottom: "outer" top: "outer" }
LATER
layer { name: "y" type: "Convolution" bottom: "outer" top: "y" convolution_param { num_output: 4
  kernel_size: 1 weight_filler { type: "msra" } } }
"""
READ_LATER = """
layer { name: "late" type: "Power" bottom: "inner" top: "late" power_param { scale: 2 } }
"""
OF_INPUT = """
layer { name: "late" type: "Concat" bottom: "x" bottom: "outer" top: "late" }
"""
TWICE = """
layer { name: "late" type: "Concat" bottom: "outer" bottom: "outer" top: "late" }
"""


def net_of(later: str = "", items: int = 1, axis: int = 1, **options: bool) -> Net:
    text = TEXT.replace("LATER", later).replace("dim: 1 dim: 4", f"dim: {items} dim: 4")
    text = text.replace('type: "Concat"', f'type: "Concat" concat_param {{ axis: {axis} }}')
    how: dict[str, bool] = {"packed": True, "gradients": False, **options}
    net = Net(plan_net(read_net(Source("net", text)), phase=TEST), Device("cpu"), seed=3, **how)
    shape = net.inputs["x"].shape
    net.inputs["x"].data[...] = np.random.default_rng(1).normal(size=shape)
    return net


def joined(net: Net) -> list[str]:
    return [net.plan.steps[index].name for index in sorted(net.layout.joined.steps)]


@pytest.mark.parametrize("items", [1, 2])
@pytest.mark.parametrize("later", ["", READ_LATER, OF_INPUT, TWICE])
def test_the_answers_are_the_same(later: str, items: int) -> None:
    plain, net = net_of(later, items, packed=False), net_of(later, items)
    for _ in range(2):
        plain.forward()
        net.forward()
        for (name, found, _), (_, expected, _) in zip(net.outputs(), plain.outputs(), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5, err_msg=name)


def test_what_is_joined() -> None:
    assert joined(net_of()) == ["inner", "outer"]
    assert not joined(net_of(items=2))  # parts of two items lie apart
    assert not joined(net_of(packed=False))
    assert not joined(net_of(gradients=True))
    assert joined(net_of(READ_LATER)) == ["inner"]  # the ReLU behind the outer would change it
    assert joined(net_of(OF_INPUT)) == ["inner", "outer"]
    assert joined(net_of(TWICE)) == ["inner", "outer"]


def test_parts_lie_in_the_whole() -> None:
    net = net_of()
    values = net.plan.last
    start = net.data_of(values["outer"]).ctypes.data
    at = {name: net.data_of(values[name]).ctypes.data - start for name in ("c", "inner", "a", "b")}
    image = 6 * 6 * 4
    assert at == {"c": 0, "inner": 4 * image, "a": 4 * image, "b": 12 * image}
    net.reshape({"x": (2, 4, 6, 6)})
    assert not joined(net)


def test_kept_values_have_memory_of_their_own() -> None:
    text = TEXT.replace("LATER", "")
    plan = plan_net(read_net(Source("net", text)), phase=TEST)
    kept = plan.keeping([plan.last["inner"]])
    net = Net(kept, Device("cpu"), packed=True, gradients=False)
    assert joined(net) == ["inner"]
