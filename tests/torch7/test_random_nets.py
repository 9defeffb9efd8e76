"""Random nets beside what Torch7's modules compute, in float64."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from protonet.device import Device
from protonet.graph.net import Net
from protonet.graph.planning import plan_net
from protonet.proto.caffe_pb2 import TEST
from protonet.proto.source import Source
from protonet.torch7.api import TorchModule
from protonet.torch7.builder import Placed
from protonet.torch7.network import builder, flat, translate, with_inputs
from protonet.torch7.objects import TorchObject
from tests.torch7 import reference_windows  # noqa: F401 - it enters its functions
from tests.torch7.random_nets import (
    Random,
    convolutions,
    linear,
    planes,
    pointwise,
    poolings,
    sequences,
    volumes,
)
from tests.torch7.reference import Reference
from tests.torch7.trees import nn, sequential

STEP = 1e-6


def hold(model: TorchObject, x: np.ndarray, seed: int) -> None:
    """Compare the output, and the gradients along random directions."""
    formula, generator = Reference(model), np.random.default_rng(seed)
    net = TorchModule(model, [x.shape])
    y = formula(x)
    scale = max(1e-3, float(np.abs(y).max()))
    np.testing.assert_allclose(net.forward(x), y, atol=1e-4 * scale, rtol=1e-4)
    dy = generator.standard_normal(y.shape)
    (dx,) = net.backward(dy)
    along = generator.standard_normal(x.shape)
    close((dx * along).sum(), [float((dy * formula(x + s * along)).sum()) for s in (STEP, -STEP)])
    for placed, (_, gradient) in zip(net.translated.parameters, net.parameters(), strict=True):
        slopes_of(formula, placed, gradient, lambda: float((dy * formula(x)).sum()), generator)


def slopes_of(
    formula: Reference,
    placed: Placed,
    gradient: np.ndarray,
    value: Callable[[], float],
    generator: np.random.Generator,
) -> None:
    """Compare the gradient of a parameter."""
    tensor = placed.bound.tensor
    along, ends = generator.standard_normal(tensor.shape), []
    for sign in (STEP, -STEP):
        formula.params[tensor.place] = tensor.array + sign * along
        ends.append(value())
    del formula.params[tensor.place]
    close((gradient * along).sum(), ends)


def close(found: float, ends: list[float]) -> None:
    """Compare a slope with the difference of two values."""
    slope = (ends[0] - ends[1]) / (2 * STEP)
    assert found == pytest.approx(slope, rel=2e-3, abs=2e-3 * max(1e-2, *map(abs, ends)))


SHAPES = [(2, 6), (3, 7), (2, 5, 4), (2, 3, 6, 5), (3, 2, 7, 8), (2, 2, 3, 4, 5)]


def signed(random: Random, shape: tuple[int, ...]) -> np.ndarray:
    """Values away from 0, all of one sign."""
    values: np.ndarray = random.generator.uniform(0.5, 1.5, shape) * random.one(-1, 1)
    return values


@pytest.mark.parametrize("seed", range(60))
def test_a_random_net(seed: int) -> None:
    random = Random(seed)
    shape = SHAPES[seed % len(SHAPES)]
    model, _ = random.net(shape, random.pick(2, 6))
    hold(model, signed(random, shape), seed)


SINGLE = [pointwise, convolutions, poolings, planes, sequences, volumes, linear]
WITH_BATCH = {"Bottle", "DepthConcat", "SpatialBatchNormalization", "PReLU"}


@pytest.mark.parametrize("seed", range(60))
def test_a_module_without_a_batch(seed: int) -> None:
    random, shape = Random(seed), SHAPES[seed % len(SHAPES)]
    made = None
    while made is None or made.name in WITH_BATCH:
        made = random.one(*SINGLE)(random, shape)
    hold(made, signed(random, shape[1:]), seed)


@pytest.mark.parametrize("seed", range(1000, 1030))
def test_a_net_runs_at_batch_sizes_that_it_was_not_made_for(seed: int) -> None:
    random = Random(seed)
    shape = SHAPES[seed % len(SHAPES)]
    model, _ = random.net(shape, random.pick(2, 6))
    net = TorchModule(model, [shape])
    (blob,) = flat(net.translated.outputs)
    inner = net._net
    for items in (5, 1, 4):
        x = signed(random, (items, *shape[1:]))
        try:
            y = Reference(model)(x)
        except (ValueError, IndexError):
            continue  # it moves the batch axis
        if y.shape != (items, *blob.shape[1:]) or (items == 1 and batches(model)):
            continue
        inner.reshape({"input": x.shape, "grad_output1": y.shape})
        inner.inputs["input"].data[...] = x
        inner.forward()
        np.testing.assert_allclose(inner.blobs[blob.name].data, y, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("seed", range(4000, 4040))
def test_a_random_net_in_inference(seed: int) -> None:
    """Packed and fused, as it is deployed."""
    random, shape = Random(seed, training=False), SHAPES[seed % len(SHAPES)]
    model, _ = random.net(shape, random.pick(2, 6))
    net = builder(Source("n", ""), TEST)
    blob = net.input("data", shape)
    made = translate(model, blob, net)
    (output,) = flat(made.outputs)
    plan = plan_net(with_inputs(made, blob), phase=TEST, stages=("deploy",))
    inference = Net(plan, Device(), packed=True)
    inference.load(made.weights(), "n")
    x = signed(random, shape)
    inference.inputs["data"].data[...] = x
    inference.forward()
    y = Reference(model, training=False)(x)
    atol = 1e-4 * max(1e-3, float(np.abs(y).max()))
    np.testing.assert_allclose(inference.blobs[output.name].data, y, rtol=1e-4, atol=atol)


def batches(made: TorchObject) -> bool:
    """Whether a single item is normalized by other statistics."""
    inside = made.fields.get("modules")
    return "BatchNormalization" in made.name or any(map(batches, inside.sequence if inside else []))


def test_the_formulas_notice_a_wrong_number() -> None:
    model = sequential(nn("LeakyReLU", 0.2), nn("Linear", 6, 3))
    net, formula, x = TorchModule(model, [(2, 6)]), Reference(model), -np.ones((2, 6))
    model.fields["modules"][1].fields["negval"] = 0.21
    assert np.abs(net.forward(x) - formula(x)).max() > 1e-3
