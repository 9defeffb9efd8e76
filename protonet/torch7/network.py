"""From a tree of modules to a net: a definition, initial weights, Torch7's order of parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np

from protonet.errors import LayerError, Mistake, UsageError
from protonet.proto.caffe_pb2 import TRAIN, LayerParameter, NetParameter
from protonet.proto.source import NetDefinition, Source, Where
from protonet.proto.tree import Place
from protonet.torch7.builder import Blob, NetBuilder, Placed, Value
from protonet.torch7.modules.base import Criterion, module_class
from protonet.torch7.objects import TorchObject


@dataclass(frozen=True)
class LuaSource(Source):
    """A Lua text. The path of a layer is ``("line", n)``; n is 0 if that is unknown."""

    def position(self, path: Sequence[str | int]) -> Place | None:
        """The first letter of the line of ``path``."""
        if len(path) < 2 or path[0] != "line" or not path[1]:
            return None
        line = int(path[1])
        lines = self.text.split("\n")
        text = lines[line - 1] if line <= len(lines) else ""
        return line, len(text) - len(text.lstrip()) + 1

    def mistake_of_line(self, line: int, message: str, hint: str = "") -> Mistake:
        """A mistake in a line of the text."""
        return self.mistake(("line", line), message, hint)


@dataclass(frozen=True)
class TorchNet:
    """A translated tree of modules.

    ``placed`` are all tensors of modules that are parameters of layers, running statistics
    included; ``parameters`` those of them that ``module:parameters()`` gives, in its order.
    ``outputs`` are the blobs that the model returns.
    """

    definition: NetDefinition
    outputs: Value
    placed: tuple[Placed, ...]
    parameters: tuple[Placed, ...]

    def weights(self) -> dict[str, list[np.ndarray | None]]:
        """The tensors' present values, by layer name: what ``Net.load`` takes."""
        found: dict[str, list[np.ndarray | None]] = {}
        for each in self.placed:
            values = each.bound.to_layer(each.bound.tensor.array, each.shape)
            found.setdefault(each.layer, []).append(values.astype(np.float32, copy=False))
        return found


def inputs_of(net: NetBuilder, shapes: Sequence[Any], stem: str = "input") -> Value:
    """Input layers' blobs: one for a single shape, else a table. A list of shapes among them is a
    table in the table; alone, it is the table itself.

    Raises:
        UsageError: for extents in place of shapes.
    """
    if any(isinstance(each, int | np.integer) for each in shapes):
        raise UsageError(f"expected a list of shapes, such as [(2, 3)], got {shapes!r}")
    if len(shapes) == 1:
        if not _is_table(shapes[0]):
            return net.input(stem, tuple(shapes[0]))
        (shapes,) = shapes
    numbers = count(1)

    def blobs(given: Sequence[Any]) -> Value:
        if _is_table(given):
            return [blobs(each) for each in given]
        return net.input(f"{stem}{next(numbers)}", tuple(given))

    return [blobs(each) for each in shapes]


def _is_table(given: Sequence[Any]) -> bool:
    """Whether it is a list of shapes, and not a shape."""
    return any(isinstance(each, Sequence) for each in given)


def translate(
    model: TorchObject,
    x: Value,
    net: NetBuilder,
    *,
    loss: TorchObject | None = None,
    target: Value | None = None,
) -> TorchNet:
    """Translate a model, and with ``loss`` and ``target`` its criterion, on the input ``x``.

    The definition has no layers for its inputs: they are blobs that a data layer or an Input
    layer is to provide.

    Raises:
        NetworkError: at the line of the module that is unknown or does not fit.
    """
    tree = module_class(model.typename)(model)
    outputs = _ended(net, net.add(tree, x))
    if loss is not None and target is not None:
        add_loss(net, loss, outputs, target)
        _leave_to_deploy(net, outputs)
    return TorchNet(_definition(net), outputs, tuple(net.placed), _in_order(net, model))


def _ended(net: NetBuilder, outputs: Value) -> Value:
    """Let the outputs of the model be the net's: a table's that a layer takes too are split off,
    and blobs that nothing takes are no outputs.
    """
    taken = {name for spec in net.specs for name in spec.bottom}
    if isinstance(outputs, list):
        outputs = [_split_off(net, each, taken) for each in outputs]
    taken.update(blob.name for blob in flat(outputs))
    unused = [
        name
        for spec in net.specs
        for name in spec.top
        if name not in taken and not spec.loss_weight
    ]
    if unused:
        net.layer_of_tops("Silence", [Blob(name, ()) for name in unused], 0)
    return outputs


def _split_off(net: NetBuilder, output: Value, taken: set[str]) -> Value:
    if isinstance(output, list):
        return [_split_off(net, each, taken) for each in output]
    return net.layer("Split", output) if output.name in taken else output


def add_loss(net: NetBuilder, loss: TorchObject, x: Value, target: Value) -> Blob:
    """Add a criterion: layers for training and validation only.

    Raises:
        NetworkError: at the line of what is no criterion or does not fit.
    """
    criterion = module_class(loss.typename)(loss)
    with net.at(criterion), net.with_labels():
        if not isinstance(criterion, Criterion):
            raise LayerError("expected a criterion as the loss", hint="such as nn.MSECriterion()")
        return criterion.loss(net, x, target)


def _leave_to_deploy(net: NetBuilder, outputs: Value) -> None:
    """Take a last LogSoftmax whose loss computes it itself out of training and validation."""
    read = {name for spec in net.specs for name in spec.bottom}
    for blob in flat(outputs):
        producer = net.producer(blob)
        if producer is not None and producer.type == "LogSoftmax" and blob.name not in read:
            producer.include.add().stage.append("deploy")


def _definition(net: NetBuilder) -> NetDefinition:
    made = NetParameter()
    made.layer.extend(net.specs)
    origins: list[Where] = [("line", line) for line in net.lines]
    return NetDefinition(made, net.source, tuple(origins))


def _in_order(net: NetBuilder, model: TorchObject) -> tuple[Placed, ...]:
    """The placed parameters in the order of ``module:parameters()``; shared ones each time."""
    by_field = {(id(each.bound.owner), each.bound.field): each for each in net.placed}
    tree = module_class(model.typename)(model)
    named = ((id(owner), name) for owner, name in tree.parameters())
    return tuple(by_field[key] for key in named if key in by_field)


def with_inputs(made: TorchNet, inputs: Value) -> NetDefinition:
    """The definition with Input layers for its inputs."""
    layers: list[LayerParameter] = []
    for blob in flat(inputs):
        layer = LayerParameter(name=blob.name, type="Input", top=[blob.name])
        layer.input_param.shape.add().dim.extend(blob.shape)
        layers.append(layer)
    definition = made.definition
    origins: list[Where] = [("line", 0)] * len(layers)
    return definition.with_layers([*layers, *definition.net.layer], [*origins, *definition.origins])


def flat(value: Value) -> list[Blob]:
    """The blobs of a table, nested ones included."""
    if isinstance(value, Blob):
        return [value]
    return [blob for each in value for blob in flat(each)]


def builder(source: Source, phase: int = TRAIN) -> NetBuilder:
    """A builder for a Lua text; positions are its lines."""
    lines = source if isinstance(source, LuaSource) else LuaSource(source.name, source.text)
    return NetBuilder(lines, phase)
