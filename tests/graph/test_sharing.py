"""Memory that is shared over time never changes a number: training with it gives the same bits."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.graph.net import Net
from protonet.graph.plan import Plan
from protonet.precision import type_of
from tests.graph.nets import FAN_OUT, plan_of
from tests.test_examples import plan_of as example

KINDS = [
    "ReLU",
    "Sigmoid",
    "Power",
    "Dropout",
    "BatchNorm",
    "Scale",
    "LRN",
    "Pooling",
    "Convolution",
    "Convolution",
    "Eltwise",
    "Split",
    "Concat",
    "ReLU",
    "TanH",
    "ELU",
    "PReLU",
    "Bias",
    "Softmax",
]
XAVIER = 'weight_filler { type: "xavier" }'
IMAGES = 'layer { name: "in" type: "Input" top: "x" top: "t" input_param { ' + (
    "shape { dim: 2 dim: 4 dim: 5 dim: 6 } shape { dim: 2 dim: 3 } } }\n"
)
LSTM = """
layer { name: "in" type: "Input" top: "x" top: "cont" top: "t" input_param {
  shape { dim: 4 dim: 2 dim: 3 } shape { dim: 4 dim: 2 } shape { dim: 4 dim: 2 dim: 2 } } }
layer { name: "lstm" type: "LSTM" bottom: "x" bottom: "cont" top: "h"
  recurrent_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "drop" type: "Dropout" bottom: "h" top: "h" }
layer { name: "ip" type: "InnerProduct" bottom: "h" top: "y"
  inner_product_param { num_output: 2 axis: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "t" top: "loss" }
"""
SIAMESE = """
layer { name: "in" type: "Input" top: "a" top: "b" top: "same" input_param {
  shape { dim: 3 dim: 4 } shape { dim: 3 dim: 4 } shape { dim: 3 } } }
layer { name: "left" type: "InnerProduct" bottom: "a" top: "fa" param { name: "w" }
  inner_product_param { num_output: 5 bias_term: false weight_filler { type: "xavier" } } }
layer { name: "one" type: "ReLU" bottom: "fa" top: "fa" }
layer { name: "right" type: "InnerProduct" bottom: "b" top: "fb" param { name: "w" }
  inner_product_param { num_output: 5 bias_term: false weight_filler { type: "xavier" } } }
layer { name: "two" type: "ReLU" bottom: "fb" top: "rb" }
layer { name: "loss" type: "ContrastiveLoss" bottom: "fa" bottom: "rb" bottom: "same" top: "loss" }
"""
FILTERED = """
layer { name: "in" type: "Input" top: "x" top: "on" top: "t" input_param {
  shape { dim: 4 dim: 3 } shape { dim: 4 } shape { dim: 4 dim: 2 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y"
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "act" type: "Sigmoid" bottom: "y" top: "z" }
layer { name: "keep" type: "Filter" bottom: "z" bottom: "t" bottom: "on" top: "kz" top: "kt" }
layer { name: "more" type: "InnerProduct" bottom: "kz" top: "v"
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "v" bottom: "kt" top: "loss" }
"""

# What is made again for a layer's backward pass needs its source until then, and here the source's
# own last reader is the step before.
CUT = """
layer { name: "data" type: "Input" top: "data" top: "label" input_param {
  shape { dim: 3 dim: 7 } shape { dim: 3 dim: 2 } } }
layer { name: "cut" type: "Slice" bottom: "data" top: "part" top: "rest" slice_param {
  axis: 1 slice_point: 2 } }
layer { name: "scaled" type: "Scale" bottom: "part" top: "scaled" }
layer { name: "rest" type: "Silence" bottom: "rest" }
layer { name: "output" type: "InnerProduct" bottom: "scaled" top: "output" inner_product_param {
  num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "output" bottom: "label" top: "loss" }
"""
"""A slice is read by a backward pass, while the memory of the other may hold the loss by then."""

JUST_READ = """
layer { name: "in" type: "Input" top: "x" top: "t" input_param {
  shape { dim: 4 dim: 3 } shape { dim: 4 dim: 2 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "s"
  inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "one" type: "ReLU" bottom: "s" top: "v" }
layer { name: "two" type: "Sigmoid" bottom: "s" top: "w" }
layer { name: "both" type: "Eltwise" bottom: "v" bottom: "w" top: "p"
  eltwise_param { operation: PROD } }
layer { name: "left" type: "InnerProduct" bottom: "s" top: "a"
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "wide" type: "InnerProduct" bottom: "p" top: "wide"
  inner_product_param { num_output: 30 weight_filler { type: "xavier" } } }
layer { name: "act" type: "TanH" bottom: "wide" top: "wide" }
layer { name: "right" type: "InnerProduct" bottom: "wide" top: "b"
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "a" bottom: "t" top: "loss" }
layer { name: "more" type: "EuclideanLoss" bottom: "b" bottom: "t" top: "more" }
"""


def random_net(seed: int) -> str:
    """A net of layers of all kinds over arrays of one shape, with two losses."""
    rng = random.Random(seed)
    names, lines = ["x"], [IMAGES]
    for number in range(rng.randrange(4, 16)):
        bottom, top = rng.choice(names[-4:]), f"v{number}"
        kind = rng.choice(KINDS)
        in_place = kind in ("ReLU", "Sigmoid", "TanH", "Dropout", "BatchNorm", "Bias", "ELU")
        if in_place and bottom != "x" and rng.random() < 0.6:
            top = bottom
        bottoms, tops, more = [bottom], [top], ""
        if kind == "Eltwise":
            bottoms.append(rng.choice(names))
            more = f"eltwise_param {{ operation: {rng.choice(['SUM', 'PROD', 'MAX'])} }}"
        elif kind == "Power":
            more = f"power_param {{ power: {rng.choice([1, 2])} scale: 0.7 shift: 0.1 }}"
        elif kind == "Scale":
            more = "scale_param { bias_term: true }"
        elif kind == "Pooling":
            more = f"pooling_param {{ pool: {rng.choice(['MAX', 'AVE'])} kernel_size: 3 pad: 1 }}"
        elif kind == "Split":
            tops.append(f"w{number}")
        elif kind == "Convolution":
            more = f"convolution_param {{ num_output: 4 kernel_size: 3 pad: 1 {XAVIER} }}"
        ends = "".join(f' bottom: "{each}"' for each in bottoms)
        if kind == "Concat":
            half = f"h{number}"
            lines.append(
                f'layer {{ name: "cut{number}" type: "Slice" bottom: "{bottom}" top: "{half}a" '
                f'top: "{half}b" }}\n'
            )
            ends = f' bottom: "{half}b" bottom: "{half}a"'
        starts = "".join(f' top: "{each}"' for each in tops)
        lines.append(f'layer {{ name: "l{number}" type: "{kind}"{ends}{starts} {more} }}\n')
        names += [each for each in tops if each not in names]
    for number, bottom in enumerate((names[-1], rng.choice(names[1:]))):
        lines.append(
            f'layer {{ name: "ip{number}" type: "InnerProduct" bottom: "{bottom}" top: "y{number}" '
            'inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }\n'
            f'layer {{ name: "loss{number}" type: "EuclideanLoss" bottom: "y{number}" bottom: "t" '
            f'top: "loss{number}" loss_weight: {number + 0.5} }}\n'
        )
    return "".join(lines)


def free(net: Net, moment: int) -> None:
    """Fill all memory that nothing needs at this moment with what is not a number."""
    layout, arena = net.layout, net._arrays.arena
    alive = sorted(
        (at, at + size)
        for at, size, spans in zip(layout.offsets, layout.sizes, layout.live_ranges, strict=True)
        if spans is not None and any(first <= moment <= last for first, last in spans)
    )
    end = 0
    for start, stop in [*alive, (arena.size, arena.size)]:
        arena[end:start] = 0xFF  # four of these are no number, nor are two
        end = max(end, stop)


def passes(net: Net, *, poisoned: bool) -> None:
    """One pass each way; step by step, with freed memory spoilt, where that is asked."""
    if not poisoned:
        net.forward()
        net.backward()
        return
    count = len(net.plan.steps)
    for index in range(count):
        free(net, index)
        net.forward_step(index)
    net.clock.iteration += 1
    for index in range(count, -1, -1):
        free(net, 2 * count - index)
        net.backward_step(index)
    free(net, 2 * count + 1)


def train(net: Net, *, poisoned: bool = False) -> Iterator[bytes]:
    """What three iterations of gradient descent make: losses, outputs and parameters."""
    generator = np.random.default_rng(3)
    for _ in range(3):
        for value in net.plan.inputs:
            blob = net.blobs[value.name]
            small = value.name in ("label", "same", "cont", "on")
            shape = blob.shape
            blob.data[...] = generator.integers(0, 2, shape) if small else generator.random(shape)
        net.store.diff.fill(0)
        passes(net, poisoned=poisoned)
        yield np.float64(net.loss()).tobytes()
        for _, values, _ in net.outputs():
            yield values.tobytes()
        net.store.data -= np.float32(0.01) * net.store.diff
        yield net.store.data.tobytes()


def check(plan: Plan, again: Plan, third: Plan, precision: str = "float32") -> None:
    device = Device()
    options: dict[str, Any] = {"seed": 2, "precision": type_of(precision)}
    with np.errstate(all="ignore"):
        expected = list(train(Net(plan, device, **options)))
        shared = Net(again, device, **options, packed=True, fuse=False)
        found = list(
            train(shared, poisoned=not any(s.layer.traits.dynamic for s in shared.plan.steps))
        )
        less = Net(third, device, **options, packed=True, fuse=False, recompute=True)
        recomputed = list(
            train(less, poisoned=not any(s.layer.traits.dynamic for s in less.plan.steps))
        )
    assert np.isfinite(less.store.data).all()
    assert found == expected
    assert recomputed == expected
    plain = Net(plan, device, **options, packed=True)
    both = Net(again, device, **options, packed=True, recompute=True)
    with np.errstate(all="ignore"):
        fused = list(train(plain))
        found = list(train(both, poisoned=not any(s.layer.traits.dynamic for s in both.plan.steps)))
    assert found == fused


@pytest.mark.parametrize("text", [FAN_OUT, LSTM, SIAMESE, FILTERED, CUT, JUST_READ])
def test_nets_of_special_layers(text: str) -> None:
    check(plan_of(text), plan_of(text), plan_of(text))


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("lenet", {"data": (3, 1, 28, 28), "label": (3,)}),
        ("cifar10", {"data": (3, 3, 32, 32), "label": (3,)}),
        ("squeezenet", {"data": (1, 3, 67, 67), "label": (1,)}),
        ("resnet50", {"data": (2, 3, 64, 64), "label": (2,)}),
    ],
)
def test_examples(name: str, inputs: dict[str, tuple[int, ...]]) -> None:
    check(*(example(name, "train", inputs) for _ in range(3)))


@pytest.mark.parametrize("seed", range(40))
def test_nets_at_random(seed: int) -> None:
    text = random_net(seed)
    check(plan_of(text), plan_of(text), plan_of(text))


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
@pytest.mark.parametrize("seed", range(40, 52))
def test_nets_at_random_whose_values_are_of_16_bits(seed: int, precision: str) -> None:
    text = random_net(seed)
    check(plan_of(text), plan_of(text), plan_of(text), precision)


@pytest.mark.parametrize("text", [FAN_OUT, LSTM, SIAMESE, FILTERED])
def test_nets_of_special_layers_whose_values_are_of_16_bits(text: str) -> None:
    check(plan_of(text), plan_of(text), plan_of(text), "bfloat16")


def test_a_test_net_in_the_memory_of_its_train_net_leaves_the_training_as_it_is() -> None:
    alone = Net(plan_of(FAN_OUT), Device(), seed=1)
    lender = Net(plan_of(FAN_OUT), Device(), seed=1, packed=True, fuse=False)
    tenant = Net(
        plan_of(FAN_OUT, 1),
        Device(),
        seed=1,
        gradients=False,
        packed=True,
        fuse=False,
        memory_of=lender,
        params_of=lender,
    )
    assert np.shares_memory(tenant._arrays.arena, lender._arrays.arena)
    for net in (alone, lender):
        net.blobs["x"].data[...] = 0.5
    for _ in range(3):
        tenant.forward()
        for net in (alone, lender):
            net.forward()
            net.backward()
    np.testing.assert_array_equal(alone.store.diff, lender.store.diff)
