"""A net: the arrays of a plan, and its forward and backward passes as lists of prepared calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from protonet.blob import Array, Blob, Param, Shape
from protonet.device import Clock, Device, RandomStream
from protonet.formats.blobs import from_array
from protonet.graph.arrays import Arrays
from protonet.graph.calls import Call, Calls, StepCalls, run
from protonet.graph.fusion import fuse as fuse_layers
from protonet.graph.fusion import unfuse
from protonet.graph.lives import can_repeat
from protonet.graph.memory import lay_out
from protonet.graph.names import AUTOMATIC, Value
from protonet.graph.parameters import LoadReport, load_params, make_params, share_params
from protonet.graph.plan import Plan, Step
from protonet.graph.room import check_room
from protonet.graph.shapes import infer_all, infer_tops
from protonet.graph.types import Types, choose_types
from protonet.proto.caffe_pb2 import TRAIN, NetParameter

__all__ = ["LoadReport", "Net"]


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
        share_memory: let blobs and gradients whose lives do not overlap share memory; only
            inputs and outputs can be read then.
        recompute: with shared memory and gradients, free what cheap layers make after the forward
            pass, and make it again for the backward pass.
        memory_of: a net whose shared memory this one uses too, where it is large enough; each
            is at work only when nobody needs the other's blobs, as a test net and a train net.
        fuse: let layers compute those that follow them (``graph.fusion``); where memory is not
            shared, only those that work in place, so that every blob can still be read.
        precision: the type of values and their gradients where that does no harm
            (``graph.types``); parameters are float32. In float16 gradients are multiplied by
            ``loss_scale`` from the losses on.
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
        recompute: bool = False,
        fuse: bool = False,
        precision: Any = np.float32,
        memory_of: Net | None = None,
        params_of: Net | None = None,
    ) -> None:
        self.plan = plan
        self.device = device
        self.seed = seed
        self.dtype = np.dtype(dtype)
        if gradients is None:
            gradients = plan.phase == TRAIN or plan.definition.net.force_backward
        self.gradients = gradients
        check_room(plan, device, gradients=gradients, share=share_memory, precision=precision)
        self.clock = Clock(device)
        self.blobs: dict[str, Blob] = {}
        self.params: dict[str, list[Param]] = {}
        self.losses: list[tuple[float, Array]] = []  # what each weighs in the objective
        self.version = 0  # another number whenever arrays are others than they were
        self._share_memory, self._recompute = share_memory, recompute
        self.loss_scale: Array | None = None
        if gradients and np.dtype(precision) == np.float16:
            self.loss_scale = device.zeros(())
            self.loss_scale.fill(1.0)
        self._precision = np.dtype(precision)
        self._lent = memory_of._arrays.arena if memory_of is not None else None
        self._arrays: Arrays
        if fuse:
            fuse_layers(plan, gradients=gradients, visible=not share_memory)
        else:
            unfuse(plan)
        for step in plan.steps:
            random = RandomStream(device, seed, step.name, self.clock)
            step.layer.attach(device, self.dtype, random, gradients=gradients)
        with device.out_of_memory(f"net '{plan.name}' needs more memory for its parameters"):
            self.store = make_params(
                plan,
                device,
                self.dtype,
                seed=seed,
                gradients=gradients,
                lent=params_of.params if params_of is not None else {},
            )
        for step in plan.steps:
            if step.params:
                self.params.setdefault(step.name, step.layer.params)
        self._allocate()

    # Running.

    def forward(self) -> None:
        """Compute every top from the data layers' next batch and the present input blobs."""
        for segment in range(len(self._forward)):
            # Read anew: the end of a segment may replace those after it.
            for call, arguments in self._forward[segment]:
                call(*arguments)
        self.clock.iteration += 1

    def backward(self) -> None:
        """Compute the gradients of the last ``forward``; parameter gradients are added."""
        if not self.gradients:
            raise ValueError("this net was built without gradients")
        for call, arguments in self._backward:
            call(*arguments)

    @property
    def forward_steps(self) -> list[StepCalls]:
        """The calls of ``forward`` with their steps, to the first dynamic one."""
        return self._forward_steps[0]

    def walk_forward(self) -> Iterator[tuple[int, Call]]:
        """The very calls of ``forward`` with their steps, for a caller that makes each as it comes.

        A dynamic step may replace those after it; the pass counts when the last one was made.
        """
        for segment in range(len(self._forward_steps)):
            for index, calls in self._forward_steps[segment]:
                for call in calls:
                    yield index, call
        self.clock.iteration += 1

    def walk_backward(self) -> Iterator[tuple[int, Call]]:
        """The very calls of ``backward`` with their steps, for a caller that makes each.

        The step past the last one sets the gradients of the losses.
        """
        for index, calls in self._backward_steps:
            for call in calls:
                yield index, call

    def forward_step(self, index: int) -> None:
        """Compute the tops of one step from its bottoms as they are."""
        step = self.plan.steps[index]
        if step.layer.dynamic:
            self._follow(index)
        if index not in self._layout.views and step.type != "Input":
            run(self._calls.forward_step(index))

    def begin_at(self, index: int) -> None:
        """Let the steps from ``index`` on read the last values of the names of their bottoms.

        That is what they find where a name is one memory, and values were written to it.
        """
        for step in self.plan.steps[index:]:
            for value in step.bottoms:
                last = self.plan.last[value.name]
                if value.producer < index and last is not value and last.shape == value.shape:
                    data = self._arrays.data
                    self.device.xp.copyto(data[value], data[last])

    def backward_step(self, index: int) -> None:
        """Compute the gradients of one step's bottoms and parameters from those of its tops.

        The step past the last one sets the gradients of the losses.
        """
        for at, calls in self._backward_steps:
            if at == index:
                run(calls)

    def loss(self) -> float:
        """The weighted objective of the last ``forward``; waits for the device."""
        return sum(
            weight * float(array.item() if array.size == 1 else array.sum())
            for weight, array in self.losses
        )

    def outputs(self) -> list[tuple[str, np.ndarray, float]]:
        """Name, values (a copy on the host) and loss weight of every output, alphabetically."""
        return [
            (
                value.name,
                np.array(self.device.get(self._arrays.data[value]), self.dtype),
                value.loss_weight,
            )
            for value in self.plan.outputs
        ]

    @property
    def types(self) -> Types:
        """The types of the values."""
        return self._layout.types

    def data_of(self, value: Value) -> Array:
        """The array of a value of the plan; later values may lie in the same memory."""
        return self._arrays.data[value]

    def diff_of(self, value: Value) -> Array | None:
        """The gradient of a value of the plan, where it has one."""
        return self._arrays.diff.get(value)

    def tops_in_order(self) -> Iterable[tuple[Step, str, Array]]:
        """Every top of the last ``forward`` as (step, name, data) in the order of computation, to
        look for bad values.

        In training with shared memory the pass is made again for that, one step after the other:
        from the same data, with the same random numbers. What follows is no longer the same.
        """
        again = self._share_memory and self.gradients
        self.clock.iteration -= again
        try:
            for index, step in enumerate(self.plan.steps):
                if again and step.tops and can_repeat(step):
                    self.forward_step(index)
                for value in step.tops:
                    yield step, value.name, self._arrays.data[value]
        finally:
            self.clock.iteration += again

    # Weights and state.

    def load(
        self,
        weights: Mapping[str, Sequence[np.ndarray | None]],
        source: str,
        *,
        allow_mismatch: bool = False,
    ) -> LoadReport:
        """Copy weights in by layer name, as Caffe does; None leaves a parameter as it is.

        With ``allow_mismatch`` layers whose count or shapes of parameters differ stay as they are.

        Raises:
            FormatError: listing every such layer otherwise; nothing is loaded then.
        """
        return load_params(
            self.plan.steps, weights, source, self.device, allow_mismatch=allow_mismatch
        )

    def share_with(self, other: Net) -> None:
        """Use the parameters of another net, not their gradients, for layers of the same name.

        Raises:
            FormatError: where such parameters differ in count or shape; nothing is shared then.
        """
        share_params(self.plan.steps, other.params)
        self.version += 1

    def message(self) -> NetParameter:
        """The net with its parameters as Caffe's message, for a .caffemodel."""
        net = NetParameter()
        net.CopyFrom(self.plan.definition.net)
        for step, layer in zip(self.plan.steps, net.layer, strict=True):
            del layer.blobs[:]
            if not layer.HasField("phase"):
                layer.phase = self.plan.phase
            if step.layer.is_loss and not layer.loss_weight:
                layer.loss_weight.append(1)  # as Caffe writes what a loss weighs by default
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

    # Shapes.

    def reshape(self, inputs: Mapping[str, Shape]) -> None:
        """Give input blobs other shapes, and all that follows from them its own.

        Parameters stay; so do the values of inputs whose shape stays.

        Raises:
            KeyError: for a name that is no input.
            LayerError: naming the layer that cannot take its new bottoms; the net is as before.
        """
        wanted = {value: value.shape or () for value in self.plan.inputs}
        by_name = {value.name: value for value in wanted}
        wanted.update({by_name[name]: tuple(shape) for name, shape in inputs.items()})
        kept = {
            value: np.array(self.device.get(self._arrays.data[value]))
            for value, shape in wanted.items()
            if shape == (value.shape or ())
        }
        infer_all(self.plan, wanted)
        self._allocate(again=True)
        for value, host in kept.items():
            self.device.put(host, self._arrays.data[value])

    def _follow(self, index: int) -> None:
        """Give a dynamic step the shapes that its bottoms ask for, and those after it theirs."""
        step = self.plan.steps[index]
        shapes = step.layer.measure([self._arrays.data[v] for v in step.bottoms])
        changed = self._set_shapes(step.tops, shapes)
        if not changed:
            return
        for later in self.plan.steps[index + 1 :]:
            if changed.intersection(later.bottoms):
                changed |= self._set_shapes(later.tops, infer_tops(later))
                later.layer.build(later.shapes)
        self._prepare()

    def _set_shapes(self, values: Sequence[Value], shapes: Sequence[Shape]) -> set[Value]:
        """Set shapes and fit the arrays; returns the values whose shape is another now."""
        changed = set()
        for value, shape in zip(values, shapes, strict=True):
            if value.shape != tuple(shape):
                value.shape = tuple(shape)
                changed.add(value)
        self._arrays.fit(changed)
        return changed

    # Building.

    def _allocate(self, *, again: bool = False) -> None:
        """Make the arrays for the shapes of now, the layers' scratch, and the calls.

        A second time, layers without bottoms stay as they are: their shapes are their own.
        """
        plan, device = self.plan, self.device
        types = choose_types(plan, device, self.dtype, self._precision)
        for index, step in enumerate(plan.steps):
            step.layer.dtype = types.in_step(index)
        self._layout = lay_out(
            plan,
            types,
            gradients=self.gradients,
            share=self._share_memory,
            recompute=self._recompute,
        )
        size = self._layout.bytes
        with device.out_of_memory(f"net '{plan.name}' needs {size >> 20} MiB for its blobs"):
            self._arrays = Arrays(self._layout, device, self._lent)
            for step in plan.steps:
                if step.bottoms or not again:
                    step.layer.build(step.shapes)
        self._prepare()

    def _prepare(self) -> None:
        """Make the calls of both passes, and let ``blobs`` show the arrays of now."""
        self.version += 1
        plan, layout, arrays = self.plan, self._layout, self._arrays
        readable = {*plan.inputs, *plan.outputs}
        for name, value in plan.last.items():
            if name == AUTOMATIC or (self._share_memory and value not in readable):
                continue
            blob = self.blobs.setdefault(name, Blob(name, arrays.data[value]))
            blob.data, blob.diff = arrays.data[value], arrays.diff.get(value)
        self.losses = [
            (value.loss_weight, arrays.data[value]) for value in plan.values if value.loss_weight
        ]
        self._calls = Calls(plan, layout, arrays, self.device, self.loss_scale)
        self._forward_steps = self._calls.forward(self._follow)
        self._forward = [
            [call for _, calls in segment for call in calls] for segment in self._forward_steps
        ]
        self._backward_steps = self._calls.backward() if self.gradients else []
        self._backward: list[Call] = [call for _, calls in self._backward_steps for call in calls]
