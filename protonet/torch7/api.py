"""The Python interface: Torch7's modules and criterions as objects that compute."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from protonet.blob import Shape
from protonet.device import Device
from protonet.errors import UsageError
from protonet.graph.net import Net
from protonet.graph.planning import plan_net
from protonet.layers.base import shape_text
from protonet.proto.caffe_pb2 import TEST, TRAIN, LayerParameter, NetParameter
from protonet.proto.source import NetDefinition, Source
from protonet.torch7.builder import Blob, Placed, Value
from protonet.torch7.network import (
    TorchNet,
    add_loss,
    builder,
    flat,
    inputs_of,
    translate,
    with_inputs,
)
from protonet.torch7.objects import TorchObject

_PHASES = {"training": TRAIN, "evaluate": TEST}

Nested = Any
"""An array, or a nested list of arrays for a table."""


class FlatParameters(np.ndarray):
    """A vector of all parameters, with the vector of their ``gradients``; unpacks into both."""

    gradients: np.ndarray | None = None

    def __iter__(self) -> Iterator[Any]:
        if self.gradients is None:  # of what was computed from it
            return iter(np.asarray(self))
        return iter((np.asarray(self), self.gradients))


class Gradients(list[np.ndarray]):
    """The gradients of the inputs, in their order; of a single input, NumPy takes them as its
    array.
    """

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """The gradient of the only input; of several, all in one array."""
        made = self[0] if len(self) == 1 else np.stack(self)
        return np.array(made, dtype, copy=copy)


class TorchModule:
    """A module of Torch7 that computes: a net of its layers.

    Args:
        model: the tree of modules.
        input_shapes: the shape of each input; a list of shapes for a table. ``[[a, b]]`` is one
            input, the table of two, as ``[a, b]`` is.
        phase: ``training`` or ``evaluate``.
        source: the text that mistakes point to.
        device: where to compute; the processor by default.

    Raises:
        NetworkError: at the line of a module that is unknown or does not fit.
    """

    def __init__(
        self,
        model: TorchObject,
        input_shapes: Sequence[Any],
        phase: str = "training",
        source: Source | None = None,
        device: Device | None = None,
    ) -> None:
        if phase not in _PHASES:
            raise UsageError(f"phase must be training or evaluate, got '{phase}'")
        self.model, self.phase = model, phase
        net = builder(source or Source(model.typename, ""), _PHASES[phase])
        self._inputs = inputs_of(net, input_shapes)
        self.translated = translate(model, self._inputs, net)
        definition = _with_gradients(self.translated, self._inputs)
        self._net = _net_of(definition, _PHASES[phase], device)
        self._net.load(self.translated.weights(), model.typename)

    def parameters(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Values and gradient of each parameter, in the order and shapes of Torch7; writable."""
        return [
            (_as_tensor(each, param.data), _as_tensor(each, param.diff))
            for each in self.translated.parameters
            for param in [self._net.params[each.layer][each.index]]
        ]

    def state(self) -> dict[str, np.ndarray]:
        """Running statistics and the like, by their field, such as ``running_mean``; the names of
        those of further modules are preceded by the layer's.
        """
        found: dict[str, np.ndarray] = {}
        learned = {id(each) for each in self.translated.parameters}
        for each in self.translated.placed:
            if id(each) not in learned:
                param = self._net.params[each.layer][each.index]
                key = each.bound.field
                found[key if key not in found else f"{each.layer}/{key}"] = _as_tensor(
                    each, param.data
                )
        return found

    def flat(self) -> FlatParameters:
        """All parameters as one vector in Torch7's order: a copy. It unpacks as what
        ``getParameters`` returns: ``values, gradients = model.flat()``.
        """
        rows = self.parameters()
        empty = np.zeros(0, np.float32)
        made = np.concatenate([empty, *(value.reshape(-1) for value, _ in rows)])
        vector = made.view(FlatParameters)
        vector.gradients = np.concatenate([empty, *(row.reshape(-1) for _, row in rows)])
        return vector

    def forward(self, *inputs: Any) -> Nested:
        """The outputs for these inputs: an array, or a nested list for a table.

        Inputs are arrays in the order of the flattened table, or nested as it is.

        Raises:
            UsageError: for another number of inputs, or other shapes.
        """
        for blob, given in _matched(self._inputs, inputs):
            self._put(blob.name, given, blob.shape)
        self._net.forward()
        return _nested(self.translated.outputs, self._value)

    def backward(self, *grad_outputs: Any) -> Gradients:
        """The gradients of the inputs for those of the outputs, in the order of the flattened
        table. Gradients of parameters are added to.

        Call ``forward`` first; layers with random numbers use those of that pass.
        """
        pairs = _matched(self.translated.outputs, grad_outputs)
        for place, (blob, given) in enumerate(pairs, start=1):
            self._put(f"grad_output{place}", given, blob.shape)
        self._net.backward()
        device = self._net.device
        return Gradients(
            np.array(device.get(self._net.inputs[blob.name].diff)) for blob in flat(self._inputs)
        )

    def _put(self, name: str, given: Any, shape: Shape) -> None:
        values = np.asarray(given, np.float32)
        if values.shape != shape:
            raise UsageError(
                f"{name}: expected shape {shape_text(shape)}, got {shape_text(values.shape)}"
            )
        self._net.inputs[name].data[...] = values

    def _value(self, blob: Blob) -> np.ndarray:
        return np.array(self._net.device.get(self._net.blobs[blob.name].data))


class TorchCriterion:
    """A criterion of Torch7. Its net is made for the shapes of the first call."""

    def __init__(self, loss: TorchObject, source: Source | None = None) -> None:
        self.loss = loss
        self._source = source or Source(loss.typename, "")
        self._net: Net | None = None
        self._shapes: Any = None
        self._inputs: Value = []

    def forward(self, x: Nested, target: Nested) -> float:
        """The loss of an input, an array or a list for a table, and its target."""
        xs, targets = _arrays(x), _arrays(target)
        shapes = ([each.shape for each in xs], [each.shape for each in targets])
        if self._net is None or shapes != self._shapes:
            self._build(*shapes)
            self._shapes = shapes
        assert self._net is not None
        blobs = [*flat(self._inputs), *flat(self._targets)]
        for blob, values in zip(blobs, [*xs, *targets], strict=True):
            self._net.inputs[blob.name].data[...] = values
        self._net.forward()
        return self._net.loss()

    def backward(self, x: Nested, target: Nested) -> Nested:
        """The gradients of the input, in its form."""
        self.forward(x, target)
        assert self._net is not None
        self._net.backward()
        return _nested(self._inputs, self._gradient)

    def _gradient(self, blob: Blob) -> np.ndarray:
        assert self._net is not None
        return np.array(self._net.device.get(self._net.inputs[blob.name].diff))

    def _build(self, shapes: Sequence[Shape], targets: Sequence[Shape]) -> None:
        net = builder(self._source)
        self._inputs = inputs_of(net, shapes)
        self._targets = inputs_of(net, targets, "target")
        add_loss(net, self.loss, self._inputs, self._targets)
        made = TorchNet(_of(net.specs, net.source), self._inputs, tuple(net.placed), ())
        definition = with_inputs(made, [self._inputs, self._targets])
        for layer in definition.net.layer:
            del layer.exclude[:]
        definition.net.force_backward = True
        self._net = _net_of(definition, TRAIN, None)
        self._net.load(made.weights(), self.loss.typename)


def _of(specs: Sequence[LayerParameter], source: Source) -> NetDefinition:
    net = NetParameter()
    net.layer.extend(specs)
    return NetDefinition(net, source, tuple(("line", 0) for _ in specs))


def _with_gradients(made: TorchNet, inputs: Value) -> NetDefinition:
    """The net with an input ``grad_output`` for each output, and as loss the sum of the outputs
    times these: its gradients are those of Torch7's backward pass.
    """
    outputs = flat(made.outputs)
    given = [Blob(f"grad_output{place + 1}", b.shape) for place, b in enumerate(outputs)]
    definition = with_inputs(made, [*flat(inputs), *given])
    layers = list(definition.net.layer)
    for blob, gradient in zip(outputs, given, strict=True):
        product = LayerParameter(name=f"{gradient.name}_product", type="Eltwise")
        product.bottom.extend([blob.name, gradient.name])
        product.top.append(product.name)
        product.eltwise_param.operation = product.eltwise_param.PROD
        total = LayerParameter(name=f"{gradient.name}_sum", type="Reduction", loss_weight=[1])
        total.bottom.append(product.name)
        total.top.append(total.name)
        layers += [product, total]
    extra = [("line", 0)] * (len(layers) - len(definition.origins))
    whole = definition.with_layers(layers, [*definition.origins, *extra])
    whole.net.force_backward = True
    return whole


def _net_of(definition: NetDefinition, phase: int, device: Device | None) -> Net:
    plan = plan_net(definition, phase=phase)
    return Net(plan, device or Device(), gradients=True)


def _as_tensor(each: Placed, array: Any) -> np.ndarray:
    return each.bound.to_tensor(array)


def _matched(value: Value, given: Sequence[Any]) -> list[tuple[Blob, Any]]:
    """The array of each blob: given in order, or nested as the value."""
    blobs = flat(value)
    if isinstance(value, list) and len(given) == 1 and isinstance(given[0], list | tuple):
        (given,) = given
    if len(given) == len(blobs):
        arrays = list(given)
    elif isinstance(value, list):
        arrays = [each for pair in zip(value, given, strict=False) for each in _spread(*pair)]
    else:
        arrays = []
    if len(arrays) != len(blobs):
        raise UsageError(f"expected {len(blobs)} arrays, got {len(arrays) or len(given)}")
    return list(zip(blobs, arrays, strict=True))


def _spread(value: Value, given: Any) -> list[Any]:
    """The arrays of a part of a table."""
    if isinstance(value, Blob):
        return [given]
    return [each for pair in zip(value, given, strict=False) for each in _spread(*pair)]


def _nested(value: Value, of: Any) -> Nested:
    return of(value) if isinstance(value, Blob) else [_nested(each, of) for each in value]


def _arrays(given: Nested) -> list[np.ndarray]:
    if given is None:
        return []
    if isinstance(given, list | tuple) and not all(isinstance(n, int | float) for n in given):
        return [array for each in given for array in _arrays(each)]
    return [np.asarray(given, np.float32)]
