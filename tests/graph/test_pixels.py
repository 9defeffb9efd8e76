"""Which values of nets in bfloat16 hold pixels, and that results are those of planes."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.blob import Pixels
from protonet.device import Device
from protonet.graph.fusion import fuse
from protonet.graph.net import Net
from protonet.graph.pixels import form_of, with_pixels
from protonet.graph.plan import Plan
from protonet.graph.types import Types, choose_types
from protonet.kernels import native
from protonet.precision import type_of
from protonet.proto.caffe_pb2 import TEST
from tests.graph.nets import plan_of

BF16 = type_of("bfloat16")
NET = """
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 9 dim: 8 } } }
layer { name: "c1" type: "Convolution" bottom: "x" top: "c1"
  convolution_param { num_output: 8 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "r1" type: "ReLU" bottom: "c1" top: "c1" }
layer { name: "c2" type: "Convolution" bottom: "c1" top: "c2"
  convolution_param { num_output: 8 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "sum" type: "Eltwise" bottom: "c1" bottom: "c2" top: "sum" }
layer { name: "wide" type: "Concat" bottom: "sum" bottom: "c1" top: "wide" }
layer { name: "norm" type: "MVN" bottom: "wide" top: "norm" }
layer { name: "pool" type: "Pooling" bottom: "wide" top: "pool"
  pooling_param { kernel_size: 2 stride: 2 } }
layer { name: "mean" type: "Pooling" bottom: "pool" top: "mean"
  pooling_param { pool: AVE kernel_size: 2 } }
layer { name: "ip" type: "InnerProduct" bottom: "mean" top: "ip"
  inner_product_param { num_output: 4 weight_filler { type: "xavier" } } }
layer { name: "prob" type: "Softmax" bottom: "ip" top: "prob" }
"""
FLAT = """
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 9 dim: 8 } } }
layer { name: "c1" type: "Convolution" bottom: "x" top: "c1"
  convolution_param { num_output: 8 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "flat" type: "Flatten" bottom: "c1" top: "flat" }
layer { name: "ip" type: "InnerProduct" bottom: "flat" top: "ip"
  inner_product_param { num_output: 4 weight_filler { type: "xavier" } } }
"""
has_bf16 = native.has("avx512_bf16")


def chosen(text: str) -> tuple[Plan, Types]:
    plan = fuse(plan_of(text, phase=TEST), gradients=False)
    device = Device()
    return plan, with_pixels(plan, device, choose_types(plan, device, np.float32, BF16))


def held(plan: Plan, types: Types) -> set[str]:
    return {value.name for value in plan.values if value in types.pixels}


def forms(plan: Plan, types: Types) -> dict[str, Pixels]:
    found = {step.name: form_of(types, at, step) for at, step in enumerate(plan.steps)}
    return {name: form for name, form in found.items() if form is not Pixels.NONE}


def test_values_between_layers_that_take_pixels() -> None:
    plan, types = chosen(NET)
    if not has_bf16:
        assert not types.pixels
        assert not types.in_pixels
        return
    assert held(plan, types) == {"c1", "c2", "sum", "wide", "pool", "mean"}
    assert forms(plan, types) == {
        "c1": Pixels.WRITTEN,
        **dict.fromkeys(("c2", "wide", "pool", "mean"), Pixels.ALL),  # c2 adds c1
    }


def test_values_seen_in_another_shape_are_planes() -> None:
    plan, types = chosen(FLAT)
    assert held(plan, types) == set()
    assert set(forms(plan, types)) == ({"c1"} if has_bf16 else set())


@pytest.mark.parametrize("precision", [np.float32, np.float16])
def test_other_types_have_planes(precision: type) -> None:
    plan = fuse(plan_of(NET, phase=TEST), gradients=False)
    types = choose_types(plan, Device(), np.float32, precision)
    assert with_pixels(plan, Device(), types) is types


@pytest.mark.parametrize("items", [1, 2])
@pytest.mark.parametrize("text", [NET, FLAT])
def test_answers_are_those_of_planes(text: str, items: int) -> None:
    plan = plan_of(text.replace("dim: 2 dim: 3", f"dim: {items} dim: 3"), phase=TEST)
    x = np.random.default_rng(0).normal(size=(items, 3, 9, 8)).astype(np.float32)
    answers = []
    for packed, precision in ((True, BF16), (False, BF16), (True, np.float32)):
        net = Net(plan, Device(), seed=3, packed=packed, precision=precision, gradients=False)
        net.inputs["x"].data[...] = x
        net.forward()
        net.forward()
        answers.append({name: values for name, values, _ in net.outputs()})
    for name, pixels in answers[0].items():
        np.testing.assert_allclose(pixels, answers[1][name], rtol=0.02, atol=0.02)
        np.testing.assert_allclose(pixels, answers[2][name], rtol=0.05, atol=0.05)


def test_other_batches_keep_their_form() -> None:
    plan = plan_of(NET, phase=TEST)
    net = Net(plan, Device(), seed=3, packed=True, precision=BF16, gradients=False)
    x = np.random.default_rng(0).normal(size=(5, 3, 9, 8)).astype(np.float32)
    net.reshape({"x": x.shape})
    net.inputs["x"].data[...] = x
    net.forward()
    whole = {name: values for name, values, _ in net.outputs()}
    net.reshape({"x": (2, 3, 9, 8)})
    net.inputs["x"].data[...] = x[3:]
    net.forward()
    for name, values, _ in net.outputs():
        np.testing.assert_allclose(values, whole[name][3:], rtol=1e-2, atol=1e-2)
