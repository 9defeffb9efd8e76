"""Nets in 8-bit integers: which values hold codes, and how far results are from float32."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.graph.int8 import int8_params, measured_values
from protonet.graph.net import Net
from protonet.graph.plan import Plan
from protonet.kernels import native
from protonet.proto.caffe_pb2 import TEST
from tests.graph.nets import plan_of
from tests.kernels.instructions import INTEGERS


def conv(name: str, bottom: str, outputs: int, more: str = "kernel_size: 3 pad: 1") -> str:
    return f"""
layer {{ name: "{name}" type: "Convolution" bottom: "{bottom}" top: "{name}"
  convolution_param {{ num_output: {outputs} {more} weight_filler {{ type: "msra" }} }} }}"""


def relu(name: str) -> str:
    return f'layer {{ name: "{name}/relu" type: "ReLU" bottom: "{name}" top: "{name}" }}'


DATA = """
layer { name: "data" type: "Input" top: "data"
  input_param { shape { dim: 2 dim: 3 dim: 16 dim: 15 } } }"""
IP = """
layer { name: "ip" type: "InnerProduct" bottom: "last" top: "ip"
  inner_product_param { num_output: 9 weight_filler { type: "xavier" } } }
layer { name: "prob" type: "Softmax" bottom: "ip" top: "prob" }"""
RESIDUAL = (
    DATA
    + conv("a", "data", 20)
    + """
layer { name: "norm" type: "BatchNorm" bottom: "a" top: "a" }
layer { name: "scale" type: "Scale" bottom: "a" top: "a" scale_param { bias_term: true } }"""
    + relu("a")
    + conv("b", "a", 20)
    + relu("b")
    + conv("c", "b", 20, "kernel_size: 1")
    + 'layer { name: "sum" type: "Eltwise" bottom: "c" bottom: "a" top: "sum" }'
    + relu("sum")
    + """
layer { name: "mean" type: "Pooling" bottom: "sum" top: "last"
  pooling_param { pool: AVE global_pooling: true } }"""
    + IP
)
JOINED = (
    DATA
    + conv("a", "data", 20, "kernel_size: 5 stride: 2")
    + relu("a")
    + """
layer { name: "pool" type: "Pooling" bottom: "a" top: "pool"
  pooling_param { kernel_size: 3 stride: 2 } }
layer { name: "norm" type: "LRN" bottom: "pool" top: "norm" }"""
    + conv("b", "norm", 7)
    + relu("b")
    + conv("c", "norm", 9, "kernel_size: 1")
    + """
layer { name: "both" type: "Concat" bottom: "b" bottom: "c" top: "both" }
layer { name: "means" type: "Pooling" bottom: "both" top: "means"
  pooling_param { pool: AVE kernel_size: 3 stride: 1 pad: 1 } }"""
    + conv("d", "means", 8)
    + """
layer { name: "drop" type: "Dropout" bottom: "d" top: "d" }
layer { name: "same" type: "Pooling" bottom: "d" top: "last"
  pooling_param { kernel_size: 2 stride: 1 } }"""
    + IP
)
RECTIFIED = (
    DATA
    + conv("a", "data", 20)
    + """
layer { name: "pool" type: "Pooling" bottom: "a" top: "pool"
  pooling_param { kernel_size: 3 stride: 2 } }
layer { name: "relu" type: "ReLU" bottom: "pool" top: "pool" }"""
    + conv("b", "pool", 7)
    + """
layer { name: "all" type: "Concat" bottom: "pool" bottom: "b" top: "all" }
layer { name: "relu2" type: "ReLU" bottom: "b" top: "rectified" }
layer { name: "both" type: "Concat" bottom: "all" bottom: "rectified" top: "last" }"""
    + IP
)
INVERTED = (
    DATA
    + conv("a", "data", 20, "kernel_size: 3 stride: 2")
    + relu("a")
    + conv("b", "a", 20, "kernel_size: 3 pad: 1 group: 20")
    + relu("b")
    + conv("c", "b", 20, "kernel_size: 1")
    + 'layer { name: "sum" type: "Eltwise" bottom: "a" bottom: "c" top: "sum" }'
    + conv("d", "sum", 20, "kernel_size: 3 pad: 1 stride: 2 group: 20")
    + """
layer { name: "mean" type: "Pooling" bottom: "d" top: "last"
  pooling_param { pool: AVE global_pooling: true } }"""
    + IP
)
CODES = {
    INVERTED: {"a": "a", "b": "b", "c": "c", "sum": "sum", "d": "d", "last": "last", "ip": None},
    RESIDUAL: {"a": "a", "b": "b", "c": "c", "sum": "sum", "last": "last", "ip": None},
    JOINED: {
        "a": "a", "pool": "a", "norm": None, "b": "b", "c": "b", "both": "b", "means": "means",
        "d": "d", "last": "d", "ip": None,
    },
    RECTIFIED: {
        "a": "a", "b": None, "pool": "a", "all": None, "rectified": None, "last": None, "ip": None,
    },
}  # fmt: skip
CPU = Device("cpu")
IMAGES = np.random.default_rng(5).normal(size=(2, 3, 16, 15)).astype(np.float32)


def answers(net: Net) -> np.ndarray:
    net.inputs["data"].data[...] = IMAGES[: net.inputs["data"].shape[0]]
    net.forward()
    return {name: values for name, values, _ in net.outputs()}["prob"]


def measured(plan: Plan) -> tuple[dict[str, Any], np.ndarray]:
    """The ``int8_param`` of layers, for IMAGES, and the answers in float32."""
    values = measured_values(plan)
    net = Net(plan.keeping(values), CPU, gradients=False, packed=True)
    found = answers(net)
    ranges = {v: (float(net.data_of(v).min()), float(net.data_of(v).max())) for v in values}
    return int8_params(plan, ranges), found


def integers(plan: Plan, params: Any, device: Device, **more: Any) -> Net:
    how: dict[str, Any] = {"packed": True, "keep_weights": True, **more}
    return Net(plan, device, gradients=False, int8=params, **how)


@pytest.mark.parametrize("text", CODES, ids=["inverted", "residual", "joined", "rectified"])
def test_nets_in_integers_are_near_to_floats(text: str) -> None:
    plan = plan_of(text, TEST)
    params, exact = measured(plan)
    definition = integers(plan, params, Device("cpu", tuned=False))
    expected = answers(definition)
    assert np.abs(expected - exact).max() < 0.02
    assert exact.std() > 0.02
    codes = {value.name: coding for value, coding in definition.plan.codes.items()}
    held = {name: codes.get(name) for name in CODES[text]}
    for name, same in CODES[text].items():
        assert held[name] == (None if same is None else codes[same])
    tuned = integers(plan, params, CPU)
    if native.has("int8"):
        np.testing.assert_allclose(answers(tuned), expected, rtol=1e-6)
    else:
        assert not tuned.plan.codes
        np.testing.assert_allclose(answers(tuned), exact, rtol=1e-3)
    assert answers(tuned).tobytes() == answers(tuned).tobytes()


def test_codes_of_one_image_beside_floats_are_joined_as_floats() -> None:
    """The parts of one image could lie in the whole, but not as codes."""
    text = (
        DATA.replace("dim: 2", "dim: 1")
        + conv("a", "data", 8)
        + conv("b", "a", 4)
        + 'layer { name: "prob" type: "Concat" bottom: "b" bottom: "a" top: "prob" }'
    )
    plan = plan_of(text, TEST)
    params, exact = measured(plan)
    net = integers(plan, params, INTEGERS)
    assert [value.name for value in net.plan.codes] == ["a"]
    assert 0 < np.abs(answers(net) - exact).max() < 0.03 * np.abs(exact).max()


def test_codes_of_what_is_rectified_begin_with_0() -> None:
    """As far as nothing else needs the values below 0."""
    plan = plan_of(RECTIFIED.replace('bottom: "b" top: "all"', 'bottom: "pool" top: "all"'), TEST)
    params, _ = measured(plan)
    zeros = {
        value.name: each.zero for value, each in integers(plan, params, INTEGERS).plan.codes.items()
    }
    assert zeros == dict.fromkeys(("a", "pool", "all", "b", "rectified", "last"), 0)
    apart = plan_of(RECTIFIED, TEST)
    zeros = {
        value.name: each.zero
        for value, each in integers(apart, measured(apart)[0], INTEGERS).plan.codes.items()
    }
    assert 0 not in zeros.values()


def test_what_is_rectified_is_in_floats_where_others_need_the_values_below_0() -> None:
    text = (
        DATA
        + conv("a", "data", 8)
        + conv("b", "a", 8)
        + """
layer { name: "both" type: "Concat" bottom: "a" bottom: "b" top: "both" }
layer { name: "other" type: "Concat" bottom: "b" bottom: "data" top: "other" }
layer { name: "relu" type: "ReLU" bottom: "both" top: "both" }
layer { name: "prob" type: "Power" bottom: "both" top: "prob" }"""
    )
    plan = plan_of(text, TEST)
    params, exact = measured(plan)
    found = answers(integers(plan, params, CPU))
    assert exact.min() == found.min() == 0
    assert np.abs(found - exact).max() < 0.03 * exact.max()


def test_other_shapes_and_weights_follow() -> None:
    plan = plan_of(RESIDUAL, TEST)
    params, _ = measured(plan)
    net = integers(plan, params, CPU)
    before = answers(net)
    net.load({"ip": [np.zeros((9, 20), np.float32), np.zeros(9, np.float32)]}, "zeros")
    assert np.ptp(answers(net)) < 1e-6 < np.ptp(before)
    net.reshape({"data": (1, 3, 9, 11)})
    net.inputs["data"].data[...] = 1
    net.forward()
    assert net.outputs()[0][1].shape == (1, 9)


def test_what_is_kept_stays_in_floats() -> None:
    plan = plan_of(RESIDUAL, TEST)
    params, _ = measured(plan)
    (sum_,) = (v for v in plan.values if v.name == "sum" and plan.steps[v.producer].type == "ReLU")
    net = integers(plan.keeping([sum_]), params, INTEGERS)
    answers(net)
    held = {value.name for value in net.plan.codes}
    assert held == {"a", "b"}
    exact = Net(plan.keeping([sum_]), CPU, gradients=False, packed=True)
    answers(exact)
    error = np.abs(net.data_of(sum_) - exact.data_of(sum_)).max()
    assert 0 < error < 0.03 * exact.data_of(sum_).max()


def test_other_nets_compute_in_floats() -> None:
    plan = plan_of(RESIDUAL, TEST)
    params, _ = measured(plan)
    for how in ({"packed": False}, {"keep_weights": False}, {"precision": "float16"}):
        assert not integers(plan, params, CPU, **how).plan.codes
    assert not integers(plan, {}, CPU).plan.codes
