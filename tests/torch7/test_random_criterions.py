"""Random nets with criterions, as they are trained, beside the same in float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.graph.net import Net
from protonet.graph.planning import plan_net
from protonet.proto.caffe_pb2 import TEST, TRAIN
from protonet.proto.source import Source
from protonet.torch7.network import TorchNet, builder, translate, with_inputs
from protonet.torch7.objects import TorchObject
from tests.torch7 import reference_windows  # noqa: F401 - it enters its functions
from tests.torch7.random_nets import Random
from tests.torch7.reference import Reference, softmax
from tests.torch7.test_random_nets import SHAPES, signed, slopes_of
from tests.torch7.trees import call, nn, sequential

Loss = Callable[[Any, np.ndarray], float]


def trained(
    model: TorchObject, loss: TorchObject, x: np.ndarray, target: np.ndarray, base: int | None
) -> tuple[Net, TorchNet]:
    """The net of a training after one pass, forward and backward."""
    net = builder(Source("n", ""))
    blob, wanted = net.input("data", x.shape), net.input("label", target.shape, base)
    made = translate(model, blob, net, loss=loss, target=wanted)
    plan = plan_net(with_inputs(made, [blob, wanted]), phase=TRAIN)
    running = Net(plan, Device(), gradients=True, packed=True, recompute=base is None)
    running.load(made.weights(), "n")
    running.inputs["data"].data[...] = x
    running.inputs["label"].data[...] = target
    running.forward()
    running.backward()
    return running, made


def hold(
    model: TorchObject,
    loss: TorchObject,
    formula: Loss,
    x: np.ndarray,
    target: np.ndarray,
    base: int | None = None,
) -> TorchNet:
    """Compare the loss, and the gradients of the parameters."""
    running, made = trained(model, loss, x, target, base)
    reference = Reference(model)
    expected = formula(reference(x), target)
    assert running.loss() == pytest.approx(expected, rel=1e-4, abs=1e-5)
    generator = np.random.default_rng(0)
    for placed in made.parameters:
        gradient = placed.bound.to_tensor(running.params[placed.layer][placed.index].diff)
        slopes_of(reference, placed, gradient, lambda: formula(reference(x), target), generator)
    return made


def of_rows(function: Callable[[np.ndarray, int], float]) -> Loss:
    """The mean over items of a function of scores and label, which counts from 0."""

    def mean(y: np.ndarray, target: np.ndarray) -> float:
        return float(np.mean([function(row, int(t)) for row, t in zip(y, target, strict=True)]))

    return mean


def margins(row: np.ndarray, label: int) -> float:
    """Of MultiMarginCriterion."""
    return sum(max(0.0, 1 - row[label] + other) for c, other in enumerate(row) if c != label) / len(
        row
    )


VALUES: dict[str, Loss] = {
    "MSECriterion": lambda y, t: float(((y - t) ** 2).mean()),
    "AbsCriterion": lambda y, t: float(np.abs(y - t).mean()),
    "SmoothL1Criterion": lambda y, t: float(
        np.where(np.abs(y - t) < 1, (y - t) ** 2 / 2, np.abs(y - t) - 0.5).mean()
    ),
    "MultiLabelSoftMarginCriterion": lambda y, t: float((np.logaddexp(0, y) - y * t).mean()),
}


@pytest.mark.parametrize("seed", range(2000, 2024))
def test_values(seed: int) -> None:
    random = Random(seed)
    shape = SHAPES[seed % len(SHAPES)]
    model, output = random.net(shape, random.pick(2, 5))
    # the last layer may not be in place of what the loss reads
    model = sequential(model, nn("MulConstant", 0.7))
    name = list(VALUES)[seed % len(VALUES)]
    target = random.generator.uniform(0.1, 0.9, output)
    hold(model, nn(name), VALUES[name], signed(random, shape), target)


CLASSES: dict[str, tuple[Sequence[str], Loss]] = {
    "ClassNLLCriterion": (["LogSoftMax"], of_rows(lambda row, t: -row[t])),
    "CrossEntropyCriterion": ([], of_rows(lambda row, t: -np.log(softmax(row)[t]))),
    "MultiMarginCriterion": ([], of_rows(margins)),
}


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("seed", range(3000, 3008))
def test_classes(name: str, seed: int) -> None:
    random = Random(seed)
    shape = SHAPES[seed % len(SHAPES)]
    net, output = random.net(shape, random.pick(2, 4))
    if output[0] != shape[0]:
        net, output = nn("Sequential"), shape
    last, formula = CLASSES[name]
    view = call(nn("View", -1), "setNumInputDims", len(output) - 1)
    linear = nn("Linear", int(np.prod(output[1:])), 5)
    flat = [view, linear] if len(output) > 1 else [nn("View", -1, 1), nn("Linear", 1, 5)]
    model = sequential(net, *flat, *map(nn, last))
    target = random.generator.integers(0, 5, shape[0])
    made = hold(model, nn(name), formula, signed(random, shape), target, base=0)
    types = [layer.type for layer in made.definition.net.layer]
    assert types[-1] == "Accuracy"
    assert ("SoftmaxWithLoss" in types) == (name != "MultiMarginCriterion")


def test_a_last_logsoftmax_is_in_the_deployed_net_alone() -> None:
    net = builder(Source("n", ""))
    x, label = net.input("data", (6, 4)), net.input("label", (6,), base=0)
    model = sequential(nn("Linear", 4, 5), nn("LogSoftMax"))
    made = translate(model, x, net, loss=nn("ClassNLLCriterion"), target=label)
    whole = with_inputs(made, [x, label])

    def types(phase: int, *stages: str) -> list[str]:
        steps = plan_net(whole, phase=phase, stages=stages).steps
        return [step.layer.type for step in steps if step.layer.type != "Input"]

    assert types(TRAIN) == ["InnerProduct", "SoftmaxWithLoss"]
    assert types(TEST) == ["InnerProduct", "SoftmaxWithLoss", "Accuracy"]
    assert types(TEST, "deploy") == ["InnerProduct", "LogSoftmax"]


def test_a_logsoftmax_that_others_read_stays() -> None:
    both = nn("MultiCriterion")
    call(both, "add", nn("ClassNLLCriterion"))
    call(both, "add", nn("L1Cost"), 0.5)
    model = sequential(nn("Linear", 4, 5), nn("LogSoftMax"))
    x, target = np.random.default_rng(0).normal(size=(6, 4)), np.arange(6) % 5
    nll = CLASSES["ClassNLLCriterion"][1]
    hold(model, both, lambda y, t: nll(y, t) + 0.5 * float(np.abs(y).sum()), x, target, base=0)
