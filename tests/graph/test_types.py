"""Which values are kept in 16 bits, and who is given them as they are."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.device import Device
from protonet.graph.fusion import fuse
from protonet.graph.net import Net
from protonet.graph.plan import Plan
from protonet.graph.types import Types, all_of, choose_types
from protonet.kernels import native
from protonet.precision import type_of
from tests.graph.nets import SEED, plan_of
from tests.kernels.cuda.emulation import EmulatedDevice, needs_compiler

CUT = """
layer { name: "in" type: "Input" top: "x" top: "both" input_param {
  shape { dim: 3 dim: 4 } shape { dim: 3 dim: 5 } } }
layer { name: "cut" type: "Slice" bottom: "both" top: "t" top: "more"
  slice_param { axis: 1 slice_point: 2 } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 2 } }
layer { name: "act" type: "ReLU" bottom: "y" top: "y" }
layer { name: "mix" type: "Concat" bottom: "y" bottom: "more" top: "mix" }
layer { name: "flat" type: "Flatten" bottom: "y" top: "flat" }
layer { name: "loss" type: "EuclideanLoss" bottom: "flat" bottom: "t" top: "loss" }
"""
FILTERED = """
layer { name: "in" type: "Input" top: "x" top: "on" input_param {
  shape { dim: 4 dim: 3 } shape { dim: 4 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 2 } }
layer { name: "flat" type: "Flatten" bottom: "y" top: "z" }
layer { name: "keep" type: "Filter" bottom: "z" bottom: "on" top: "kz" }
layer { name: "more" type: "InnerProduct" bottom: "kz" top: "v"
  inner_product_param { num_output: 2 } }
"""


def types_of(plan: Plan, device: Device | None = None, precision: type = np.float16) -> Types:
    return choose_types(plan, device or Device(), np.float32, precision)


def narrow(plan: Plan, types: Types) -> set[str]:
    return {value.name for value in plan.values if types.of(value) == np.float16}


def test_rounding_begins_with_weights_and_spares_losses() -> None:
    plan = plan_of(SEED)
    assert narrow(plan, types_of(plan)) == {"output"}


def test_what_has_a_bottom_of_float32_has_such_tops() -> None:
    """Labels that are cut, and what is made of both kinds."""
    plan = plan_of(CUT)
    assert narrow(plan, types_of(plan)) == {"y", "flat"}


def test_what_decides_shapes_is_not_rounded_nor_what_is_the_same_memory() -> None:
    plan = plan_of(FILTERED)
    assert narrow(plan, types_of(plan)) == {"v"}


def test_a_top_that_is_a_loss_is_not_rounded() -> None:
    text = CUT.replace('top: "y" inner', 'top: "y" loss_weight: 1 inner')
    plan = plan_of(text)
    first = next(value for value in plan.values if value.name == "y")
    assert types_of(plan).of(first) == np.float32


def test_in_float32_and_float64_all_values_are_of_one_type() -> None:
    plan = plan_of(SEED)
    assert types_of(plan, precision=np.float32) == all_of(np.float32)
    assert {all_of(np.float64).of(value) for value in plan.values} == {np.dtype(np.float64)}


def test_a_cpu_computes_in_float32_and_moves_in_float16() -> None:
    plan = plan_of(CUT)
    types = types_of(plan)
    assert {plan.steps[index].name for index in types.steps} == {"flat"}
    ip = [step.name for step in plan.steps].index("ip")
    assert types.needs_cast(ip, plan.last["flat"])
    assert not types.needs_cast(ip, plan.last["x"])


@needs_compiler
@pytest.mark.parametrize("fused", [False, True])
def test_a_gpu_computes_products_and_what_was_fused_in_16_bits(fused: bool) -> None:
    plan = plan_of(CUT)
    if fused:
        plan = fuse(plan, gradients=True)
    types = types_of(plan, EmulatedDevice())
    of = {step.name: types.in_step(index) for index, step in enumerate(plan.steps)}
    assert of["ip"] == of["act"] == np.float16
    assert of["loss"] == of["cut"] == np.float32
    assert of["mix"] == np.float32  # one of its bottoms is, and so is its top


def test_half_as_many_bytes() -> None:
    plan = plan_of(SEED)
    types = types_of(plan)
    sizes = {value.name: types.bytes_of(value) for value in plan.values}
    assert sizes == {"data": 240, "label": 24, "scale": 240, "output": 12, "loss": 4}


RESIDUAL = """
layer { name: "in" type: "Input" top: "x" top: "t" input_param {
  shape { dim: 6 dim: 3 dim: 9 dim: 7 } shape { dim: 6 } } }
layer { name: "c1" type: "Convolution" bottom: "x" top: "c1" convolution_param {
  num_output: 4 kernel_size: 3 pad: 1 bias_term: false weight_filler { type: "msra" } } }
layer { name: "n1" type: "BatchNorm" bottom: "c1" top: "n1" }
layer { name: "s1" type: "Scale" bottom: "n1" top: "n1" scale_param { bias_term: true } }
layer { name: "r1" type: "ReLU" bottom: "n1" top: "n1" }
layer { name: "c2" type: "Convolution" bottom: "n1" top: "c2" convolution_param {
  num_output: 4 kernel_size: 3 pad: 1 group: 2 weight_filler { type: "msra" } } }
layer { name: "sum" type: "Eltwise" bottom: "c2" bottom: "n1" top: "sum" }
layer { name: "r2" type: "ReLU" bottom: "sum" top: "sum" }
layer { name: "c3" type: "Convolution" bottom: "sum" top: "c3" convolution_param {
  num_output: 3 kernel_size: 1 stride: 2 weight_filler { type: "msra" } } }
layer { name: "lrn" type: "LRN" bottom: "c3" top: "lrn" }
layer { name: "p1" type: "Pooling" bottom: "sum" top: "p1" pooling_param {
  kernel_size: 2 stride: 2 } }
layer { name: "both" type: "Concat" bottom: "lrn" bottom: "p1" top: "both" }
layer { name: "drop" type: "Dropout" bottom: "both" top: "both" }
layer { name: "ave" type: "Pooling" bottom: "both" top: "ave" pooling_param {
  pool: AVE global_pooling: true } }
layer { name: "ip" type: "InnerProduct" bottom: "ave" top: "ip" inner_product_param {
  num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "t" top: "loss" }
"""


def learned(device: Device, precision: str, **options: bool) -> tuple[float, np.ndarray, Net]:
    """The loss and the gradients of one pass."""
    net = Net(plan_of(RESIDUAL), device, seed=4, precision=type_of(precision), **options)
    generator = np.random.default_rng(3)
    for name, values in (
        ("x", generator.normal(size=(6, 3, 9, 7))),
        ("t", generator.integers(0, 5, 6)),
    ):
        device.put(values.astype(np.float32), net.blobs[name].data)
    scale = 1.0 if net.loss_scale is None else 512.0
    if net.loss_scale is not None:
        net.loss_scale.fill(scale)
    net.forward()
    net.backward()
    return net.loss(), np.array(device.get(net.store.diff)) / scale, net


@needs_compiler
@pytest.mark.parametrize("share", [False, True])
@pytest.mark.parametrize(("precision", "apart"), [("float16", 0.01), ("bfloat16", 0.08)])
@pytest.mark.parametrize("device", [Device, EmulatedDevice])
def test_a_net_learns_what_it_does_in_float32(
    device: type[Device], precision: str, apart: float, share: bool
) -> None:
    loss, gradients, _ = learned(Device(), "float32")
    found, others, net = learned(device(), precision, packed=share, fuse=share)
    steps = {net.plan.steps[index].name for index in net.layout.types.steps}
    computed = {"c1", "n1", "c2", "sum", "c3", "lrn", "p1", "both", "drop", "ave", "ip"}
    if device is Device and precision == "float16":
        computed = {"both"}  # only moves
    elif device is Device and not native.has("avx512_bf16"):
        computed -= {"c1", "c2", "c3", "ip"}
    assert steps & computed == computed
    assert found == pytest.approx(loss, rel=apart)
    assert np.linalg.norm(others - gradients) <= apart * np.linalg.norm(gradients)


@pytest.mark.gpu
@pytest.mark.parametrize(("precision", "apart"), [("float16", 0.01), ("bfloat16", 0.08)])
def test_a_net_learns_on_a_gpu_what_it_does_in_float32(precision: str, apart: float) -> None:
    loss, gradients, _ = learned(Device(), "float32")
    found, others, _ = learned(Device("cuda:0"), precision, packed=True)
    assert found == pytest.approx(loss, rel=apart)
    assert np.linalg.norm(others - gradients) <= apart * np.linalg.norm(gradients)
