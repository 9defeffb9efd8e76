"""The networks that are measured: their texts with Input layers, fixed inputs, arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from protonet.blob import Shape
from protonet.graph.cost import arithmetic
from protonet.graph.plan import Plan
from protonet.graph.planning import plan_net
from protonet.proto.caffe_pb2 import TEST, TRAIN
from protonet.proto.text import NetDefinition, Source, read_net
from settings import Setting

_ROOT = Path(__file__).parents[1]
_JUDGES = frozenset({"Accuracy", "EuclideanLoss", "SoftmaxWithLoss"})


@dataclass(frozen=True)
class Case:
    """A network at a batch.

    ``image`` is the shape of one input and ``spread`` the deviation of its values, in the units
    that the network's first layer expects. ``targets`` is the shape of one label, whose values
    are below ``classes``, or any number where that is 0. ``gpu_batch`` is that of a GPU, where it
    is another.
    """

    name: str
    title: str
    text: str
    batch: int
    image: Shape
    classes: int = 1000
    targets: Shape = ()
    spread: float = 1.0
    gpu_batch: int | None = None

    def on(self, setting: Setting) -> Case:
        """The network at the batch of a device."""
        if not setting.on_gpu or self.gpu_batch is None:
            return self
        return replace(self, batch=self.gpu_batch)

    def definition(self, batch: int, *, deploy: bool, dropout: bool = True) -> NetDefinition:
        """The text with Input layers in place of data layers.

        All parameters get one rate and one decay, so that either side has one group of them.
        """
        inputs = {"data": (batch, *self.image)}
        if not deploy:
            inputs["label"] = (batch, *self.targets)
        path = _ROOT / self.text
        lines = [line for line in path.read_text().splitlines() if 'type: "Data"' not in line]
        definition = read_net(Source(str(path), "\n".join([*_input_layers(inputs), *lines])))
        for layer in definition.net.layer:
            layer.ClearField("param")
            if layer.type == "InnerProduct" and not layer.inner_product_param.num_output:
                layer.inner_product_param.num_output = self.classes
            if (deploy and layer.type in _JUDGES) or (not dropout and layer.type == "Dropout"):
                layer.ClearField("include")
                layer.ClearField("exclude")
                layer.exclude.add()  # a rule without conditions: in every state
        return definition

    def training(self, *, dropout: bool = True, share: float = 1.0) -> Plan:
        """The plan of training; without ``dropout`` nothing is random in it. ``share`` is the
        weight of its batch in the mean over the batches of all ranks.
        """
        definition = self.definition(self.batch, deploy=False, dropout=dropout)
        for layer in definition.net.layer:
            if share != 1.0 and layer.type in _JUDGES - {"Accuracy"}:
                layer.loss_weight[:] = [share * each for each in layer.loss_weight or [1.0]]
        return plan_net(definition, phase=TRAIN, stages=["train"])

    def inference(self, batch: int) -> Plan:
        """The plan of inference at a batch."""
        return plan_net(self.definition(batch, deploy=True), phase=TEST, stages=["deploy"])

    def inputs(self, plan: Plan, rank: int = 0) -> dict[str, np.ndarray]:
        """The same arrays at each call on a rank, by the names of the plan's inputs."""
        generator = np.random.default_rng(rank)
        found = {}
        for value in plan.inputs:
            shape = value.shape or ()
            if value.name == "label" and self.classes:
                found[value.name] = generator.integers(0, self.classes, shape)
            else:
                found[value.name] = generator.standard_normal(shape, np.float32)
                if value.name == "data":
                    found[value.name] *= np.float32(self.spread)
        return found


def _input_layers(inputs: Mapping[str, Shape]) -> list[str]:
    return [
        f'layer {{ name: "{top}" type: "Input" top: "{top}" input_param {{ shape {{ '
        f"{' '.join(f'dim: {extent}' for extent in shape)} }} }} }}"
        for top, shape in inputs.items()
    ]


def operations(plan: Plan) -> int:
    """Additions and multiplications of a forward pass."""
    return sum(arithmetic(step) for step in plan.steps)


def _example(name: str, title: str, batch: int, image: Shape, **more: Any) -> Case:
    return Case(name, title, f"examples/prototxt/{name}/net.prototxt", batch, image, **more)


_CASES = (
    Case(
        "seed", "the seed network", "examples/prototxt/gradients/net.prototxt", 10, (1, 50, 50),
        classes=0, targets=(2,), spread=64,
    ),
    Case(
        "digits", "golden/digits", "tests/golden/digits/train_val.prototxt", 50, (1, 8, 8),
        classes=10,
    ),
    _example("lenet", "LeNet", 64, (1, 28, 28), classes=10, spread=64),
    _example("cifar10", "CIFAR-10 quick", 100, (3, 32, 32), classes=10, spread=64),
    _example("alexnet", "AlexNet", 16, (3, 227, 227), gpu_batch=128),
    _example("googlenet", "GoogLeNet", 16, (3, 224, 224), gpu_batch=64),
    _example("resnet50", "ResNet-50", 8, (3, 224, 224), gpu_batch=64),
    _example("squeezenet", "SqueezeNet 1.1", 16, (3, 227, 227), gpu_batch=64),
    _example("mobilenet", "MobileNet", 8, (3, 224, 224), gpu_batch=64),
    Case(
        "mobilenet_v2", "MobileNet v2", "benchmarks/prototxt/mobilenet_v2.prototxt", 8,
        (3, 224, 224), gpu_batch=64,
    ),
    Case(
        "inception_v3", "Inception v3", "benchmarks/prototxt/inception_v3.prototxt", 4,
        (3, 299, 299), gpu_batch=64,
    ),
    _example("vgg16", "VGG-16", 4, (3, 224, 224), gpu_batch=64),
)  # fmt: skip

CASES = {case.name: case for case in _CASES}
"""Every network by its name."""
