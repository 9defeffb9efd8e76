"""Which convolutions are computed at once, and that answers are those of one after another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.graph import separable
from protonet.graph.net import Net
from protonet.kernels import native
from protonet.layers.convolution import Convolution
from protonet.precision import type_of
from protonet.proto.caffe_pb2 import TEST
from tests.graph.nets import plan_of
from tests.graph.pixel_nets import answering, chains, net_of, two_threads

__all__ = ["two_threads"]

CONVOLUTION = """
layer {{ name: "{0}" type: "Convolution" bottom: "{1}" top: "{0}"
  convolution_param {{ num_output: {2} {3} weight_filler {{ type: "xavier" }} }} }}
"""
SCALED = """
layer {{ name: "{0}/bn" type: "BatchNorm" bottom: "{0}" top: "{0}" }}
layer {{ name: "{0}/scale" type: "Scale" bottom: "{0}" top: "{0}"
  scale_param {{ bias_term: true filler {{ type: "uniform" min: 0.5 max: 2 }} }} }}
"""
RELU = 'layer {{ name: "{0}/relu" type: "ReLU" bottom: "{0}" top: "{0}" }}\n'


def block(name: str, bottom: str, inner: int, outer: int, stride: int = 1) -> str:
    """An inverted residual block of MobileNet v2, without its sum."""
    single, group = "kernel_size: 1 bias_term: false", f"kernel_size: 3 pad: 1 group: {inner}"
    parts = (
        (f"{name}/expand", bottom, inner, single, RELU),
        (f"{name}/dw", f"{name}/expand", inner, f"{group} stride: {stride}", RELU),
        (f"{name}/project", f"{name}/dw", outer, single, ""),
    )
    return "".join(CONVOLUTION.format(*each) + (SCALED + last).format(each[0])
                   for *each, last in parts)  # fmt: skip


NET = (
    'layer { name: "in" type: "Input" top: "x" '
    "input_param { shape { dim: 1 dim: 3 dim: 32 dim: 32 } } }\n"
    + CONVOLUTION.format("c", "x", 16, "kernel_size: 3 pad: 1")
    + block("one", "c", 48, 16)
    + 'layer { name: "sum" type: "Eltwise" bottom: "c" bottom: "one/project" top: "sum" }\n'
    + block("two", "sum", 32, 24, stride=2)
    + 'layer { name: "pool" type: "Pooling" bottom: "two/project" top: "pool" '
    "pooling_param { pool: AVE global_pooling: true } }\n"
)
FIRST = [("one/expand", "one/dw", "one/project"), ("two/expand", "two/dw", "two/project")]


def with_items(items: int) -> str:
    return NET.replace("dim: 1 dim: 3", f"dim: {items} dim: 3")


def answer(net: Net, items: int = 1) -> np.ndarray:
    net.inputs["x"].data[...] = np.random.default_rng(0).normal(size=(items, 3, 32, 32))
    net.forward()
    net.forward()
    ((_, values, _),) = net.outputs()
    return values


@pytest.mark.parametrize("items", [1, 5])
def test_answers_are_those_of_one_after_another(
    items: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = net_of(with_items(items))
    assert chains(net) == FIRST
    found = answer(net, items)
    monkeypatch.setattr(separable, "separable", lambda plan, types: {})
    apart = net_of(with_items(items))
    assert chains(apart) == []
    np.testing.assert_array_equal(found, answer(apart, items))
    assert np.abs(found).max() > 0.1


def test_what_is_between_has_no_memory() -> None:
    net = net_of(NET)
    without = {value.name for value in net.plan.values if value not in net.layout.storage}
    assert without == {f"{name}/{part}" for name in ("one", "two") for part in ("expand", "dw")}
    assert net.layout.arena < 4 * 48 * 32 * 32


def test_other_batches_keep_their_chains() -> None:
    net = net_of(with_items(3))
    whole = answer(net, 3)
    net.reshape({"x": (1, 3, 32, 32)})
    net.inputs["x"].data[...] = np.random.default_rng(0).normal(size=(3, 3, 32, 32))[1:2]
    net.forward()
    ((_, values, _),) = net.outputs()
    np.testing.assert_allclose(values, whole[1:2], rtol=1e-5, atol=1e-6)


def test_values_that_others_see_are_stored() -> None:
    """One that is an output, one that another layer reads, and one that is kept."""
    shown = NET + CONVOLUTION.format("other", "two/dw", 4, "kernel_size: 1")
    assert chains(net_of(shown)) == FIRST[:1]
    shown = NET + CONVOLUTION.format("other", "one/expand", 4, "kernel_size: 1")
    assert chains(net_of(shown)) == [FIRST[0][1:], FIRST[1]]
    plan = plan_of(NET, phase=TEST)
    plan = plan.keeping(value for value in plan.values if value.name == "one/dw")
    net = answering(plan)
    assert chains(net) == FIRST[1:]


def test_layers_between_those_of_a_chain() -> None:
    """A layer that overwrites the bottom before the chain would have read it."""
    depthwise, project = (f'layer {{ name: "two/{part}"' for part in ("dw", "project"))
    late = 'layer { name: "late" type: "ReLU" bottom: "sum" top: "late" }\n'
    assert chains(net_of(NET.replace(project, late + project))) == FIRST[:1]
    assert chains(net_of(NET.replace(depthwise, late + depthwise))) == [FIRST[0], FIRST[1][1:]]


def test_layers_that_compute_in_another_way_are_no_chain() -> None:
    class Twice(Convolution):
        def forward(self, bottoms: Any, tops: Any) -> None:
            super().forward(bottoms, tops)
            tops[0] *= 2

    plan = plan_of(NET, phase=TEST)
    (own,) = (step.layer for step in plan.steps if step.name == "two/dw")
    own.__class__ = Twice
    net = answering(plan)
    assert chains(net) == FIRST[:1]


def test_chains_of_bfloat16() -> None:
    """Where vectors compute: the same answers as in float32, within what is rounded."""
    if not native.has("avx512_bf16") or native.has("amx_bf16"):
        pytest.skip("this processor has no such vectors, or tiles")
    net, wide = net_of(with_items(3), precision=type_of("bfloat16")), net_of(with_items(3))
    assert chains(net) == FIRST
    wanted = answer(wide, 3)
    bound = 0.02 * np.abs(wanted).max()
    np.testing.assert_allclose(answer(net, 3), wanted, rtol=0, atol=bound)


def test_layers_of_other_kernels_are_no_chain() -> None:
    assert chains(net_of(NET.replace("kernel_size: 3 pad: 1 group: 48", "kernel_size: 5 pad: 2 "
                                     "group: 48"))) == FIRST[1:]  # fmt: skip
    assert chains(net_of(NET.replace("group: 32", "group: 16"))) == FIRST[:1]
    assert chains(net_of(NET, precision=np.float16)) == []
    plan = plan_of(NET, phase=TEST)
    assert chains(Net(plan, Device(), seed=3, gradients=False, packed=True)) == []
