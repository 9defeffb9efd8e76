"""Layers that compute those behind them: the same numbers in fewer passes."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.graph.estimate import estimate
from protonet.graph.fusion import fuse, fusions
from protonet.graph.net import Net
from protonet.graph.plan import Plan
from protonet.graph.planning import plan_net
from protonet.precision import type_of
from protonet.proto.caffe_pb2 import TEST, TRAIN, SolverParameter
from protonet.proto.text import Source, read_net
from protonet.train.trainer import Trainer

HEAD = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 3 dim: 5 dim: 9 dim: 11 } } }
layer { name: "t" type: "Input" top: "t" input_param { shape { dim: 3 dim: 4 } } }
"""
RECTIFIED = """
layer { name: "c" type: "Convolution" bottom: "x" top: "c"
  convolution_param { num_output: 6 kernel_size: 3 pad: 1 weight_filler { type: "msra" } } }
layer { name: "r" type: "ReLU" bottom: "c" top: "c" }
layer { name: "p" type: "Pooling" bottom: "c" top: "p" pooling_param { kernel_size: 2 stride: 2 } }
layer { name: "i" type: "InnerProduct" bottom: "p" top: "i"
  inner_product_param { num_output: 7 weight_filler { type: "xavier" } } }
layer { name: "s" type: "ReLU" bottom: "i" top: "s" }
layer { name: "o" type: "InnerProduct" bottom: "s" top: "o"
  inner_product_param { num_output: 4 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "o" bottom: "t" top: "loss" }
"""
NORMALIZED = """
layer { name: "c" type: "Convolution" bottom: "x" top: "c"
  convolution_param { num_output: 6 kernel_size: 3 weight_filler { type: "msra" } } }
layer { name: "b" type: "BatchNorm" bottom: "c" top: "c" }
layer { name: "k" type: "Scale" bottom: "c" top: "c" scale_param { bias_term: true
  filler { type: "uniform" min: 0.5 max: 2 } bias_filler { type: "gaussian" std: 1 } } }
layer { name: "r" type: "ReLU" bottom: "c" top: "c" }
layer { name: "d" type: "DepthwiseConvolution" bottom: "c" top: "d"
  convolution_param { num_output: 6 kernel_size: 3 bias_term: false
    weight_filler { type: "msra" } } }
layer { name: "b2" type: "BatchNorm" bottom: "d" top: "d" }
layer { name: "k2" type: "Scale" bottom: "d" top: "e" scale_param { bias_term: false } }
layer { name: "o" type: "InnerProduct" bottom: "e" top: "o"
  inner_product_param { num_output: 4 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "o" bottom: "t" top: "loss" }
"""
SUMMED = """
layer { name: "a" type: "Convolution" bottom: "x" top: "a"
  convolution_param { num_output: 5 kernel_size: 3 pad: 1
    weight_filler { type: "gaussian" std: 0.1 } } }
layer { name: "e" type: "Eltwise" bottom: "a" bottom: "x" top: "e" eltwise_param { COEFFS } }
layer { name: "r" type: "ReLU" bottom: "e" top: "e" }
layer { name: "b" type: "Convolution" bottom: "e" top: "b"
  convolution_param { num_output: 5 kernel_size: 3 pad: 1
    weight_filler { type: "gaussian" std: 0.1 } } }
layer { name: "f" type: "Eltwise" bottom: "b" bottom: "e" bottom: "b" top: "f"
  eltwise_param { OPERATION } }
layer { name: "q" type: "ReLU" bottom: "f" top: "g" }
layer { name: "o" type: "InnerProduct" bottom: "g" top: "o"
  inner_product_param { num_output: 4 weight_filler { type: "gaussian" std: 0.01 } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "o" bottom: "t" top: "loss" }
"""
SUMS = SUMMED.replace("COEFFS", "coeff: 1 coeff: -0.5").replace("OPERATION", "operation: SUM")
PRODUCTS = SUMMED.replace("COEFFS", "").replace("OPERATION", "operation: PROD")
QUOTIENTS = PRODUCTS.replace("PROD", "PROD stable_prod_grad: false").replace(
    'bottom: "b" bottom: "e" bottom: "b"', 'bottom: "b" bottom: "a" bottom: "b"'
)
MAXIMA = SUMMED.replace("COEFFS", "").replace("OPERATION", "operation: MAX")
RESIDUAL = """
layer { name: "s" type: "Convolution" bottom: "x" top: "s"
  convolution_param { num_output: 6 kernel_size: 1 weight_filler { type: "gaussian" std: 0.1 } } }
layer { name: "a" type: "Convolution" bottom: "x" top: "a"
  convolution_param { num_output: 6 kernel_size: 3 pad: 1 bias_term: false
    weight_filler { type: "gaussian" std: 0.1 } } }
layer { name: "ab" type: "BatchNorm" bottom: "a" top: "a" }
layer { name: "ak" type: "Scale" bottom: "a" top: "a" scale_param { bias_term: true } }
layer { name: "e" type: "Eltwise" bottom: "s" bottom: "a" top: "e" }
layer { name: "er" type: "ReLU" bottom: "e" top: "e" }
layer { name: "b" type: "Convolution" bottom: "e" top: "b"
  convolution_param { num_output: 6 kernel_size: 1 weight_filler { type: "gaussian" std: 0.1 } } }
layer { name: "br" type: "ReLU" bottom: "b" top: "b" }
layer { name: "c" type: "DepthwiseConvolution" bottom: "b" top: "c"
  convolution_param { num_output: 6 kernel_size: 3 pad: 1
    weight_filler { type: "gaussian" std: 0.1 } } }
layer { name: "f" type: "Eltwise" bottom: "c" bottom: "e" top: "f" }
layer { name: "g" type: "Convolution" bottom: "f" top: "g"
  convolution_param { num_output: 6 kernel_size: 1 weight_filler { type: "gaussian" std: 0.1 } } }
layer { name: "h" type: "Convolution" bottom: "f" top: "h"
  convolution_param { num_output: 6 kernel_size: 1 weight_filler { type: "gaussian" std: 0.1 } } }
layer { name: "hr" type: "ReLU" bottom: "h" top: "h" }
layer { name: "i" type: "Eltwise" bottom: "g" bottom: "h" top: "i" }
layer { name: "ir" type: "ReLU" bottom: "i" top: "j" }
layer { name: "o" type: "InnerProduct" bottom: "j" top: "o"
  inner_product_param { num_output: 4 weight_filler { type: "gaussian" std: 0.001 } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "o" bottom: "t" top: "loss" }
"""
CHAINS = """
layer { name: "c" type: "Convolution" bottom: "x" top: "c"
  convolution_param { num_output: 6 kernel_size: 3 weight_filler { type: "gaussian" std: 0.1 } } }
layer { name: "p" type: "Power" bottom: "c" top: "c" power_param { scale: 0.5 shift: 0.25 } }
layer { name: "p2" type: "Power" bottom: "c" top: "p2" power_param { scale: -2 shift: 1 } }
layer { name: "pr" type: "ReLU" bottom: "p2" top: "p2" }
layer { name: "s" type: "Scale" bottom: "p2" top: "s" scale_param {
  filler { type: "uniform" min: 0.5 max: 2 } } }
layer { name: "sb" type: "Bias" bottom: "s" top: "s" bias_param {
  filler { type: "gaussian" std: 1 } } }
layer { name: "sr" type: "ReLU" bottom: "s" top: "s" }
layer { name: "b" type: "Bias" bottom: "s" top: "b" bias_param {
  filler { type: "gaussian" std: 1 } } }
layer { name: "br" type: "ReLU" bottom: "b" top: "b" }
layer { name: "k" type: "Scale" bottom: "b" top: "k" scale_param { bias_term: true } }
layer { name: "k2" type: "Scale" bottom: "k" top: "k2" scale_param {
  filler { type: "uniform" min: 0.5 max: 2 } } }
layer { name: "u" type: "Power" bottom: "k2" top: "u" power_param { scale: 0.5 shift: 1 } }
layer { name: "u2" type: "Power" bottom: "u" top: "u2" power_param { power: 2 scale: 0.5 } }
layer { name: "u3" type: "Power" bottom: "u2" top: "u3" power_param { scale: 0.125 } }
layer { name: "o" type: "InnerProduct" bottom: "u3" top: "o"
  inner_product_param { num_output: 4 weight_filler { type: "gaussian" std: 0.001 } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "o" bottom: "t" top: "loss" }
"""
TEXTS = pytest.mark.parametrize(
    "text",
    [RECTIFIED, NORMALIZED, SUMS, PRODUCTS, QUOTIENTS, MAXIMA, RESIDUAL, CHAINS],
    ids=[
        "rectified",
        "normalized",
        "sums",
        "products",
        "quotients",
        "maxima",
        "residual",
        "chains",
    ],
)


def planned(text: str, phase: int = TRAIN) -> Plan:
    return plan_net(read_net(Source("net", HEAD + text)), phase=phase)


def trained(text: str, **options: Any) -> tuple[Net, list[float]]:
    """A net after five iterations on fixed inputs, and its losses."""
    net = Net(planned(text), Device("cpu"), seed=3, **options)
    generator = np.random.default_rng(1)
    net.blobs["x"].data[...] = generator.normal(size=(3, 5, 9, 11))
    net.blobs["t"].data[...] = generator.normal(size=(3, 4))
    solver = SolverParameter(base_lr=0.01, lr_policy="fixed", momentum=0.9, max_iter=5)
    trainer, losses = Trainer(solver, net), []
    for _ in range(5):
        trainer.advance(1)
        losses.append(net.loss())
    return net, losses


@TEXTS
def test_a_fused_training_is_the_same(text: str) -> None:
    plain, losses = trained(text)
    fused, again = trained(text, packed=True)
    assert fusions(fused.plan)
    np.testing.assert_allclose(again, losses, rtol=1e-5)
    np.testing.assert_allclose(fused.store.data, plain.store.data, rtol=1e-4, atol=1e-6)


@TEXTS
def test_a_fused_inference_is_the_same(text: str) -> None:
    source, _ = trained(text)
    weights = {name: [p.data for p in params] for name, params in source.params.items()}
    found = []
    packed, separate = {"packed": True}, {"packed": True, "fuse": False}
    for options in ({}, separate, packed, {**packed, "keep_weights": True}):
        net = Net(planned(text, TEST), Device("cpu"), gradients=False, **options)
        for name in ("x", "t"):
            net.blobs[name].data[...] = source.blobs[name].data
        net.forward()  # with other weights, which `load` makes forgotten
        net.load(weights, "the trained net")
        for _ in range(2):
            net.forward()
            found.append(net.loss())
    np.testing.assert_allclose(found[1:], found[0], rtol=1e-5)


def test_what_is_fused() -> None:
    net = Net(planned(RECTIFIED), Device("cpu"), packed=True)
    assert fusions(net.plan) == [("c", ["r"]), ("i", ["s"])]
    net = Net(planned(NORMALIZED), Device("cpu"), packed=True)
    assert fusions(net.plan) == [("b", ["k", "r"]), ("b2", ["k2"])]
    net = Net(planned(NORMALIZED, TEST), Device("cpu"), packed=True)
    assert fusions(net.plan) == [("c", ["b", "k", "r"]), ("d", ["b2", "k2"])]
    for text in (SUMS, PRODUCTS, MAXIMA):
        net = Net(planned(text), Device("cpu"), packed=True)
        assert fusions(net.plan) == [("e", ["r"]), ("f", ["q"])]


def test_a_convolution_adds_what_was_computed_before_it() -> None:
    """``g`` cannot: ``h``, which it would add, comes later, and is rectified before the sum."""
    net = Net(planned(RESIDUAL), Device("cpu"), packed=True)
    assert fusions(net.plan) == [
        ("ab", ["ak"]),
        ("e", ["er"]),
        ("b", ["br"]),
        ("h", ["hr"]),
        ("i", ["ir"]),
    ]
    net = Net(planned(RESIDUAL, TEST), Device("cpu"), packed=True)
    assert fusions(net.plan) == [
        ("a", ["ab", "ak", "e", "er"]),
        ("b", ["br"]),
        ("c", ["f"]),
        ("h", ["hr"]),
        ("i", ["ir"]),
    ]
    a = next(step for step in net.plan.steps if step.name == "a")
    assert [value.name for value in a.added] == ["s"]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("tuned", [True, False])
def test_sums_fused_into_convolutions(tuned: bool, precision: str) -> None:
    """Also for another batch, in the definition, in the net whose weights are kept."""
    found, shape = [], (2, 5, 9, 11)
    for options in ({"fuse": False}, {}, {"keep_weights": True}):
        device = Device("cpu", tuned=tuned)
        dtype = type_of(precision)
        how: dict[str, Any] = {"precision": dtype, "packed": True, **options}
        net = Net(planned(RESIDUAL, TEST), device, seed=5, gradients=False, **how)
        net.reshape({"x": shape, "t": (2, 4)})
        net.inputs["x"].data[...] = np.random.default_rng(1).normal(size=shape)
        net.inputs["t"].data[...] = 0
        net.forward()
        found.append(net.loss())
    np.testing.assert_allclose(found[1:], found[0], rtol=1e-5 if precision == "float32" else 0.02)


def test_chains_of_affine_layers() -> None:
    net = Net(planned(CHAINS), Device("cpu"), packed=True)
    powers = [("p", ["p2", "pr"]), ("u", ["u2"])]
    learned = [("s", ["sb", "sr"]), ("b", ["br"])]
    assert sorted(fusions(net.plan)) == sorted([*powers, *learned])
    net = Net(planned(CHAINS, TEST), Device("cpu"), packed=True)
    assert fusions(net.plan) == [
        ("c", ["p", "p2", "pr"]),
        ("s", ["sb", "sr"]),
        ("b", ["br"]),
        ("k", ["k2", "u"]),
    ]


def test_a_net_that_is_looked_into_fuses_nothing() -> None:
    net = Net(planned(RECTIFIED), Device("cpu"), fuse=True)
    assert not fusions(net.plan)
    net.blobs["x"].data[...] = np.random.default_rng(2).normal(size=(3, 5, 9, 11))
    net.forward()
    assert net.blobs["i"].data.min() < 0 <= net.blobs["s"].data.min()


def test_a_plan_that_is_built_on_again_gives_the_same_numbers() -> None:
    """Estimates, and nets of another kind, change nothing of a net that was fused before."""
    plan = planned(NORMALIZED)
    net = Net(plan, Device("cpu"), packed=True)
    generator = np.random.default_rng(4)
    for name in ("x", "t"):
        net.blobs[name].data[...] = generator.normal(size=net.blobs[name].shape)
    net.forward()
    expected = net.loss()
    estimate(plan, gradients=False)
    other = Net(plan, Device("cpu"), gradients=False, packed=True)
    Net(plan, Device("cpu"))
    net.forward()
    assert net.loss() == expected
    assert not fusions(plan)
    for name in ("x", "t"):
        other.blobs[name].data[...] = net.blobs[name].data
    other.forward()
    assert other.loss() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        ('name: "r" type: "ReLU"', 'name: "r" type: "ReLU" relu_param { negative_slope: 0.1 }'),
        ('name: "p" type: "Pooling" bottom: "c"', 'name: "p" type: "Pooling" bottom: "q"'),
        ('name: "c" type: "Convolution"', 'name: "c" type: "Convolution" loss_weight: 1'),
    ],
    ids=["slope", "another reader", "a loss"],
)
def test_what_is_not_fused(change: tuple[str, str]) -> None:
    text = RECTIFIED.replace('bottom: "c" top: "c"', 'bottom: "c" top: "q"').replace(*change)
    net = Net(planned(text), Device("cpu"), packed=True)
    absorbed = dict(fusions(net.plan))
    if 'bottom: "q"' in change[1]:
        assert absorbed["c"] == ["r"]
    else:
        assert "c" not in absorbed


def test_a_layer_behind_frozen_ones_learns_by_itself() -> None:
    """Scale has a gradient of its own to find; BatchNorm below runs no backward pass."""
    text = NORMALIZED.replace(
        'name: "c" type: "Convolution" bottom: "x" top: "c"',
        'name: "c" type: "Convolution" bottom: "x" top: "c" param { lr_mult: 0 } '
        "param { lr_mult: 0 }",
    )
    plain, _ = trained(text)
    fused, _ = trained(text, packed=True)
    assert "b" not in dict(fusions(fused.plan))
    np.testing.assert_allclose(fused.store.data, plain.store.data, rtol=1e-4, atol=1e-6)


def test_long_chains_are_absorbed_in_pieces() -> None:
    """Thousands of layers that could be one: the work grows with the layers, not their square."""
    text = [
        'layer { name: "in" type: "Input" top: "x0" input_param { shape { dim: 2 dim: 3 } } }\n'
        'layer { name: "ip" type: "InnerProduct" bottom: "x0" top: "y0"\n'
        "  inner_product_param { num_output: 4 } }"
    ]
    text += [
        f'layer {{ name: "p{i}" type: "Power" bottom: "y{i}" top: "y{i + 1}"\n'
        "  power_param { scale: 0.5 shift: 1 } }"
        for i in range(4000)
    ]
    plan = plan_net(read_net(Source("net.prototxt", "\n".join(text))), phase=TEST)
    start = time.process_time()
    fused = fuse(plan, gradients=False)
    assert time.process_time() - start < 2
    longest = max(len(step.absorbed) for step in fused.steps)
    assert 1 < longest <= 64
    assert sum(len(step.absorbed) for step in fused.steps) > 3900
