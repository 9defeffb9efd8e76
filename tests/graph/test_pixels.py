"""Which values of nets that only answer hold pixels, and that results are those of planes."""

from __future__ import annotations

from typing import Any

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
FILTER = """
layer { name: "some" type: "Filter" bottom: "pool" bottom: "prob" top: "some" }
"""
PRECISIONS = [np.float32, BF16]
WHOLES = """
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 8 dim: 9 dim: 8 } } }
layer { name: "a" type: "Convolution" bottom: "x" top: "a"
  convolution_param { num_output: 16 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "b" type: "Convolution" bottom: "a" top: "b"
  convolution_param { num_output: 16 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "c" type: "Convolution" bottom: "a" top: "c"
  convolution_param { num_output: 32 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "rc" type: "ReLU" bottom: "c" top: "c" }
layer { name: "d" type: "Convolution" bottom: "a" top: "d"
  convolution_param { num_output: 16 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "inner" type: "Concat" bottom: "b" bottom: "c" top: "inner" }
layer { name: "outer" type: "Concat" bottom: "inner" bottom: "d" top: "outer" }
layer { name: "pool" type: "Pooling" bottom: "outer" top: "pool"
  pooling_param { global_pooling: true pool: AVE } }
"""


def has_pixels(precision: Any) -> bool:
    return native.has("avx512_bf16" if precision == BF16 else "avx2")


def chosen(text: str, precision: Any = BF16) -> tuple[Plan, Types]:
    plan = fuse(plan_of(text, phase=TEST), gradients=False)
    device = Device()
    types = choose_types(plan, device, np.float32, precision)
    return plan, with_pixels(plan, device, types, keep_weights=precision == np.float32)


def held(plan: Plan, types: Types) -> set[str]:
    return {value.name for value in plan.values if value in types.pixels}


def forms(plan: Plan, types: Types) -> dict[str, Pixels]:
    found = {step.name: form_of(types, at, step) for at, step in enumerate(plan.steps)}
    return {name: form for name, form in found.items() if form is not Pixels.NONE}


@pytest.mark.parametrize("precision", PRECISIONS)
def test_values_between_layers_that_take_pixels(precision: Any) -> None:
    plan, types = chosen(NET, precision)
    if not has_pixels(precision):
        assert not types.pixels
        assert not types.in_pixels
        return
    assert held(plan, types) == {"c1", "c2", "sum", "wide", "pool", "mean"}
    assert forms(plan, types) == {
        "c1": Pixels.WRITTEN,
        **dict.fromkeys(("c2", "wide", "pool", "mean"), Pixels.ALL),  # c2 adds c1
    }


@pytest.mark.parametrize("precision", PRECISIONS)
def test_values_seen_in_another_shape_are_planes(precision: Any) -> None:
    plan, types = chosen(FLAT, precision)
    assert held(plan, types) == set()
    assert set(forms(plan, types)) == ({"c1"} if has_pixels(precision) else set())


@pytest.mark.parametrize("precision", [np.float32, np.float16])
def test_other_types_have_planes(precision: type) -> None:
    plan = fuse(plan_of(NET, phase=TEST), gradients=False)
    types = choose_types(plan, Device(), np.float32, precision)
    assert with_pixels(plan, Device(), types, keep_weights=False) is types


@pytest.mark.parametrize("precision", PRECISIONS)
def test_values_that_shapes_depend_on_are_planes(precision: Any) -> None:
    """A layer looks at them before its pass, in which it could get a cast."""
    plan, types = chosen(NET.replace("num_output: 4", "num_output: 1") + FILTER, precision)
    assert "pool" not in held(plan, types)
    assert ("wide" in held(plan, types)) is has_pixels(precision)


def test_weights_that_change_are_read_over_planes() -> None:
    net = Net(plan_of(NET, phase=TEST), Device(), seed=3, packed=True, gradients=False)
    assert not net.layout.types.pixels


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("items", [1, 3])
def test_convolutions_write_to_their_places_in_a_concatenation(items: int, precision: Any) -> None:
    plan = plan_of(WHOLES.replace("dim: 2 dim: 8", f"dim: {items} dim: 8"), phase=TEST)
    x = np.random.default_rng(0).normal(size=(items, 8, 9, 8)).astype(np.float32)
    how: Any = {"seed": 3, "gradients": False}
    nets = [
        Net(plan, Device(), packed=True, precision=precision, keep_weights=True, **how),
        Net(plan, Device(tuned=False), **how),
    ]
    if has_pixels(precision):
        joined = {nets[0].plan.steps[index].name for index in nets[0].layout.joined.steps}
        assert joined == {"inner"}  # what is a whole itself is copied
    answers = []
    for net in nets:
        net.inputs["x"].data[...] = x
        net.forward()
        net.forward()
        answers.append({name: values for name, values, _ in net.outputs()}["pool"])
    bound = 1e-5 if precision == np.float32 else 0.05
    np.testing.assert_allclose(answers[0], answers[1], rtol=bound, atol=bound)


@pytest.mark.parametrize("items", [1, 2])
@pytest.mark.parametrize("text", [NET, FLAT])
def test_answers_are_those_of_planes(text: str, items: int) -> None:
    plan = plan_of(text.replace("dim: 2 dim: 3", f"dim: {items} dim: 3"), phase=TEST)
    x = np.random.default_rng(0).normal(size=(items, 3, 9, 8)).astype(np.float32)
    answers = []
    how: Any = {"seed": 3, "gradients": False}
    for packed, precision in ((True, BF16), (False, BF16), (True, np.float32), (False, np.float32)):
        kept = packed and precision == np.float32
        net = Net(plan, Device(), packed=packed, precision=precision, keep_weights=kept, **how)
        net.inputs["x"].data[...] = x
        net.forward()
        net.forward()
        answers.append({name: values for name, values, _ in net.outputs()})
    for name, pixels in answers[0].items():
        np.testing.assert_allclose(pixels, answers[1][name], rtol=0.02, atol=0.02)
        np.testing.assert_allclose(pixels, answers[2][name], rtol=0.05, atol=0.05)
        np.testing.assert_allclose(answers[2][name], answers[3][name], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_other_batches_keep_their_form(precision: Any) -> None:
    plan = plan_of(NET, phase=TEST)
    how: Any = {"packed": True, "gradients": False, "keep_weights": True}
    net = Net(plan, Device(), seed=3, precision=precision, **how)
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
