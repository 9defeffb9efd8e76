"""A net: the arrays of a plan, and its forward and backward passes as lists of prepared calls."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from protonet.blob import Array, Blob, Param, ParamStore, Shape
from protonet.device import Clock, Device, RandomStream
from protonet.errors import FormatError
from protonet.formats.blobs import from_array, shapes_fit
from protonet.graph.memory import gradient_edges, lay_out
from protonet.graph.names import AUTOMATIC
from protonet.graph.plan import Plan, Step
from protonet.layers.base import shape_text
from protonet.layers.fillers import fill
from protonet.proto.caffe_pb2 import TRAIN, NetParameter

Call = tuple[Callable[..., Any], tuple[Any, ...]]


@dataclass(frozen=True)
class LoadReport:
    """What ``Net.load`` did: layers that took weights, layers that the file has none for, and
    layers of the file that the net lacks.
    """

    loaded: tuple[str, ...]
    absent: tuple[str, ...]
    unused: tuple[str, ...]


class Net:
    """A plan with memory on a device.

    ``forward`` and ``backward`` run prepared calls over fixed arrays: they allocate nothing.
    ``blobs`` maps each name to its last value; ``params`` each layer's name to its parameters.

    Args:
        plan: what to build. Its data layers belong to this net from now on.
        device: where the arrays live.
        seed: decides the fillers and every random layer.
        gradients: whether ``backward`` can run; by default in phase TRAIN, and where the text
            has ``force_backward``.
        share_memory: let blobs whose lives do not overlap share memory; only inputs and outputs
            can be read then. Needs ``gradients=False``.
        params_of: a net whose parameters this one uses for layers of the same name and shapes,
            as a test net uses the train net's.

    Raises:
        DeviceError: when the arrays do not fit into the device's memory.
    """

    def __init__(
        self,
        plan: Plan,
        device: Device,
        *,
        seed: int = 0,
        dtype: Any = np.float32,
        gradients: bool | None = None,
        share_memory: bool = False,
        params_of: Net | None = None,
    ) -> None:
        self.plan = plan
        self.device = device
        self.seed = seed
        self.dtype = np.dtype(dtype)
        if gradients is None:
            gradients = not share_memory and (
                plan.phase == TRAIN or plan.definition.net.force_backward
            )
        self.gradients = gradients
        self.clock = Clock(device)
        self.blobs: dict[str, Blob] = {}
        self.params: dict[str, list[Param]] = {}
        self._layout = lay_out(plan, gradients=gradients, share=share_memory)
        size = self._layout.elements * self.dtype.itemsize
        with device.out_of_memory(f"net '{plan.name}' needs {size >> 20} MiB for its blobs"):
            self._allocate()
            self._build_layers(params_of)
        self._losses = [
            (value.loss_weight, self._data[value]) for value in plan.values if value.loss_weight
        ]
        self._forward = self._prepare_forward()
        self._backward = self._prepare_backward() if gradients else []

    # Running.

    def forward(self) -> None:
        """Compute every top from the data layers' next batch and the present input blobs."""
        for call, arguments in self._forward:
            call(*arguments)
        self.clock.iteration += 1

    def backward(self) -> None:
        """Compute the gradients of the last ``forward``; parameter gradients are added."""
        if not self.gradients:
            raise ValueError("this net was built without gradients")
        for call, arguments in self._backward:
            call(*arguments)

    def loss(self) -> float:
        """The weighted objective of the last ``forward``; waits for the device."""
        return sum(
            weight * float(array.item() if array.size == 1 else array.sum())
            for weight, array in self._losses
        )

    def outputs(self) -> list[tuple[str, np.ndarray, float]]:
        """Name, values (a copy on the host) and loss weight of every output, alphabetically."""
        return [
            (value.name, np.array(self.device.get(self._data[value])), value.loss_weight)
            for value in self.plan.outputs
        ]

    def tops_in_order(self) -> Iterable[tuple[Step, str, Array]]:
        """Every top as (step, name, data) in the order of computation, to look for bad values."""
        for step in self.plan.steps:
            for value in step.tops:
                yield step, value.name, self._data[value]

    # Weights and state.

    def load(self, weights: Mapping[str, Sequence[np.ndarray | None]], source: str) -> LoadReport:
        """Copy weights in by layer name, as Caffe does; None leaves a parameter as it is.

        Raises:
            FormatError: listing every layer whose count or shapes of parameters differ; nothing
                is loaded then.
        """
        problems, loaded = [], []
        for name, params in self.params.items():
            found = weights.get(name)
            if not found:
                continue
            loaded.append(name)
            if len(found) != len(params):
                problems.append(f"layer '{name}' has {len(params)} parameter(s), not {len(found)}")
                continue
            problems += [
                f"layer '{name}' parameter {i}: expected {shape_text(param.shape)}, "
                f"got {shape_text(array.shape)}"
                for i, (param, array) in enumerate(zip(params, found, strict=True))
                if array is not None and not shapes_fit(array.shape, param.shape)
            ]
        if problems:
            raise FormatError(
                f"{source}: the weights are of another net:\n  " + "\n  ".join(problems)
            )
        for name in loaded:
            for param, array in zip(self.params[name], weights[name], strict=True):
                if array is not None:
                    self.device.put(np.asarray(array, self.dtype), param.data)
        return LoadReport(
            tuple(loaded),
            tuple(name for name in self.params if name not in loaded),
            tuple(name for name in weights if name not in self.params and weights[name]),
        )

    def message(self) -> NetParameter:
        """The net with its parameters as Caffe's message, for a .caffemodel."""
        net = NetParameter()
        net.CopyFrom(self.plan.definition.net)
        for step, layer in zip(self.plan.steps, net.layer, strict=True):
            del layer.blobs[:]
            if not layer.HasField("phase"):
                layer.phase = self.plan.phase
            for param in step.layer.params:
                layer.blobs.append(from_array(self.device.get(param.data)))
        return net

    def state(self) -> dict[str, Any]:
        """What an exact resume needs beside parameters: JSON values only."""
        layers = {step.name: step.layer.state() for step in self.plan.steps}
        return {
            "passes": self.clock.iteration,
            "layers": {name: state for name, state in layers.items() if state},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a ``state`` again."""
        self.clock.iteration = state["passes"]
        for step in self.plan.steps:
            if step.name in state["layers"]:
                step.layer.restore(state["layers"][step.name])

    def close(self) -> None:
        """Release files and threads of the data layers."""
        self.plan.close()

    # Building.

    def _allocate(self) -> None:
        """Make the arrays of all values and the parameters."""
        layout, device = self._layout, self.device
        if layout.offsets is None:
            stores = [device.zeros((size,), self.dtype) for size in layout.sizes]
        else:
            arena = device.zeros((layout.arena,), self.dtype)
            stores = [
                arena[start : start + size]
                for start, size in zip(layout.offsets, layout.sizes, strict=True)
            ]
        diffs = [device.zeros((size,), self.dtype) for size in layout.diff_sizes]
        self._data = {value: _view(stores[at], value.shape) for value, at in layout.storage.items()}
        self._diff = {
            value: _view(diffs[at], value.shape) for value, at in layout.diff_storage.items()
        }
        readable = {*self.plan.inputs, *self.plan.outputs}
        for name, value in self.plan.last.items():
            if name != AUTOMATIC and (layout.offsets is None or value in readable):
                self.blobs[name] = Blob(name, self._data[value], self._diff.get(value))

    def _build_layers(self, lender: Net | None) -> None:
        """Fill the parameters, move them into flat arrays, and let the layers make scratch."""
        owned: dict[tuple[int, int], Param] = {}
        lent: dict[tuple[int, int], Param] = {}
        for index, step in enumerate(self.plan.steps):
            random = RandomStream(self.device, self.seed, step.name, self.clock)
            step.layer.attach(self.device, self.dtype, random)
            theirs = lender.params.get(step.name, []) if lender is not None else []
            for place, planned in enumerate(step.params):
                if planned.owner is not None:
                    continue
                if place < len(theirs) and theirs[place].shape == planned.weight.shape:
                    lent[index, place] = theirs[place]
                else:
                    owned[index, place] = self._filled(step, place)
        self.store = ParamStore(
            list(owned.values()), self.device, self.dtype, gradients=self.gradients
        )
        params = {**owned, **lent}
        for index, step in enumerate(self.plan.steps):
            step.layer.params = [
                params[index, place]
                if planned.owner is None
                else params[planned.owner].view(planned.weight.shape)
                for place, planned in enumerate(step.params)
            ]
            if step.params:
                self.params.setdefault(step.name, step.layer.params)
            step.layer.build(step.shapes)

    def _filled(self, step: Step, place: int) -> Param:
        """A parameter of its own with the values of its filler: a function of seed and name."""
        planned = step.params[place]
        key = np.random.SeedSequence([self.seed % 2**64, zlib.crc32(step.name.encode()), place])
        host = fill(
            planned.weight.filler,
            planned.weight.shape,
            np.random.Generator(np.random.Philox(key)),
            self.dtype,
        )
        data = self.device.empty(planned.weight.shape, self.dtype)
        self.device.put(host, data)
        name = planned.name if planned.name else f"{step.name}/{place}"
        return Param(name, data, None, planned.lr_mult, planned.decay_mult)

    def _prepare_forward(self) -> list[Call]:
        return [
            (
                step.layer.forward,
                ([self._data[v] for v in step.bottoms], [self._data[v] for v in step.tops]),
            )
            for index, step in enumerate(self.plan.steps)
            if index not in self._layout.views and step.type != "Input"
        ]

    def _prepare_backward(self) -> list[Call]:
        """One call a step in reverse, with additions where a value has several consumers."""
        calls = self._loss_gradients()
        scratch = self._gradient_scratch()
        for index in range(len(self.plan.steps) - 1, -1, -1):
            step = self.plan.steps[index]
            if not step.runs_backward or index in self._layout.diff_views:
                continue
            targets: list[Array | None] = []
            additions: list[Call] = []
            used = 0
            for place, value in enumerate(step.bottoms):
                if not step.wanted[place]:
                    targets.append(None)
                    continue
                edges = gradient_edges(self.plan, value)
                if edges[0] == (index, place) and not value.loss_weight:
                    targets.append(self._diff[value])
                    continue
                part = _view(scratch[used : used + value.count], value.shape)
                used += value.count
                targets.append(part)
                total = self._diff[value]
                additions.append((self.device.xp.add, (total, part, total)))
            arguments = (
                [self._diff[v] for v in step.tops],
                [self._data[v] for v in step.bottoms],
                [self._data[v] for v in step.tops],
                targets,
            )
            calls += [(step.layer.backward, arguments), *additions]
        return calls

    def _loss_gradients(self) -> list[Call]:
        """Set the gradient of each loss to its weight: once where nothing else writes there,
        otherwise at the start of every backward pass.
        """
        calls: list[Call] = []
        layout = self._layout
        holders = Counter(layout.diff_storage.values())
        for value in self.plan.values:
            if not value.loss_weight:
                continue
            call: Call = (self._diff[value].fill, (value.loss_weight,))
            call[0](*call[1])
            if holders[layout.diff_storage[value]] > 1 or gradient_edges(self.plan, value):
                calls.append(call)
        return calls

    def _gradient_scratch(self) -> Array:
        """One array that holds the later gradients of any one step before they are added."""
        most = 0
        for index, step in enumerate(self.plan.steps):
            if step.runs_backward:
                most = max(
                    most,
                    sum(
                        value.count
                        for place, value in enumerate(step.bottoms)
                        if step.wanted[place]
                        and (
                            value.loss_weight
                            or gradient_edges(self.plan, value)[0] != (index, place)
                        )
                    ),
                )
        return self.device.zeros((most,), self.dtype)


def _view(flat: Array, shape: Shape | None) -> Array:
    """The beginning of a flat array in the given shape."""
    count = int(np.prod(shape or (), dtype=np.int64))
    return flat[:count].reshape(shape or ())
