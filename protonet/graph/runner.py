"""Runs the passes of a net: lists of prepared calls, for shapes that may change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from protonet.blob import Array, Blob, Shape
from protonet.device import Device
from protonet.graph.arrays import Arrays
from protonet.graph.calls import StepCalls, run
from protonet.graph.memory import Layout
from protonet.graph.passes import Passes, batch_of, layers_for, prepare
from protonet.graph.plan import Plan
from protonet.graph.settled import Settled
from protonet.graph.shapes import following, in_batches
from protonet.kernels.kernel import Call
from protonet.kernels.random_stream import Clock
from protonet.layers.base import Layer, ReshapesTops, Stateful
from protonet.layers.streams import Skipping, Varying
from protonet.ranks.communicator import Part

_MOST_BATCHES = 4
"""For so many other shapes of the batch the passes are kept."""


class Runner:
    """The passes of a net, which sets the plan, the layers and the arrays.

    ``losses`` are loss weights and arrays. ``version`` changes whenever arrays are replaced.
    ``batch`` is what may vary from pass to pass (``batch_of``); ``part`` that of the last batch
    which this rank computes, None for all.
    """

    plan: Plan
    layers: tuple[Layer, ...]
    layout: Layout
    device: Device
    clock: Clock
    blobs: dict[str, Blob]
    inputs: dict[str, Blob]
    losses: list[tuple[float, Array]]
    loss_scale: Array | None
    gradients: bool
    packed: bool
    version = 0
    batch: tuple[Shape, ...] = ()
    part: Part | None = None
    _keep_weights = False
    _settled: Settled | None = None
    _arrays: Arrays
    _of_batches: dict[tuple[Shape, ...], Passes]

    def forward(self) -> None:
        """Compute every top from the data layers' next batch and the current input blobs."""
        if self.batch:
            self.fit_batch()
        if self._settled is not None and self._settled.holds:
            run(self._settled.calls)
        else:
            for segment in range(len(self._forward)):
                # Indexed anew: the end of a segment may replace the later ones.
                run(self._forward[segment])
            if self._keep_weights and len(self._forward) == 1:
                self._settled = Settled(self._forward[0])
        self.clock.iteration += 1

    def fit_batch(self) -> None:
        """Take the shapes of the data layers' next batch: at the end of an epoch it may be smaller.

        The passes for each batch are prepared once; they share storages and parameters.
        """
        varying = {index: self.layers[index] for index in self.plan.varying}
        sources = {index: at for index, at in varying.items() if isinstance(at, Varying)}
        tops = {index: at.upcoming() for index, at in sources.items()}
        part = next(at.upcoming_part() for at in sources.values())
        batch = batch_of([shape for each in tops.values() for shape in each], part)
        if batch == self.batch:
            return
        passes = self._of_batches.get(batch)
        if passes is None:
            if len(self._of_batches) > _MOST_BATCHES:
                self._of_batches = {self.batch: self._of_batches[self.batch]}
            plan = in_batches(self.plan, self.layers, tops)
            arrays = self._arrays.in_shapes_of(plan.values)
            layers = layers_for(plan, self.layers, part)
            if not self.packed:
                arrays.show_params(plan.steps, layers)
            passes = self._prepared(plan, layers, arrays, part)
        passes.rebuild_shared()
        self._use(passes)

    def backward(self) -> None:
        """Compute the gradients of the last ``forward``; parameter gradients are accumulated."""
        if not self.gradients:
            raise ValueError("this net was built without gradients")
        for call, arguments in self._backward:
            call(*arguments)

    @property
    def backward_steps(self) -> list[StepCalls]:
        """The calls of ``backward`` with their steps."""
        return self._backward_steps

    @property
    def forward_steps(self) -> list[StepCalls]:
        """The calls of ``forward`` with their steps, up to the first dynamic one."""
        return self._forward_steps[0]

    def walk_forward(self) -> Iterator[tuple[int, Call]]:
        """The calls of ``forward`` with their steps, for a caller that runs each as it is yielded.

        A dynamic step may replace the later ones; the pass counts when the iterator ends.
        """
        if self.batch:
            self.fit_batch()
        for segment in range(len(self._forward_steps)):
            for index, calls in self._forward_steps[segment]:
                for call in calls:
                    yield index, call
        self.clock.iteration += 1

    def walk_backward(self) -> Iterator[tuple[int, Call]]:
        """The calls of ``backward`` with their steps, for a caller that runs each.

        The step past the last one sets the gradients of the losses.
        """
        for index, calls in self._backward_steps:
            for call in calls:
                yield index, call

    def forward_step(self, index: int) -> None:
        """Compute the tops of one step from its current bottoms."""
        if self.batch and index == self.plan.varying[0]:
            self.fit_batch()
        step = self.plan.steps[index]
        if step.dynamic:
            self._follow(index)
        if index not in self.layout.views and step.type != "Input":
            run(self._calls.forward_step(index))
        if self.layers[index].traits.reshapes_tops:
            self._follow_up(index)

    def backward_step(self, index: int) -> None:
        """Compute the gradients of one step's bottoms and parameters from those of its tops.

        The step past the last one sets the gradients of the losses.
        """
        run(self._backward_by_step.get(index, ()))

    def loss(self) -> float:
        """The weighted objective of the last ``forward``; synchronizes with the device."""
        return sum(
            weight * float(array.item() if array.size == 1 else array.sum())
            for weight, array in self.losses
        )

    def skip(self, passes: int) -> None:
        """Go on as if so many passes had been made: in the data, and in the random numbers."""
        if not passes:
            return
        for layer in self.layers:
            if isinstance(layer, Skipping):
                layer.skip(passes)
        self.clock.iteration += passes

    @property
    def can_skip(self) -> bool:
        """Whether ``skip`` leaves all layers as so many passes would."""
        stateful = [layer for layer in self.layers if isinstance(layer, Stateful)]
        return all(isinstance(layer, Skipping) and layer.can_skip for layer in stateful)

    @property
    def items(self) -> int:
        """The records of the last pass where batches differ in size, else 1."""
        return self.batch[0][0] if self.batch else 1

    # Shapes.

    def _follow(self, index: int) -> None:
        """Set the shapes of a dynamic step by its bottoms' values, and those of later steps."""
        bottoms = [self._arrays.data[value] for value in self.plan.steps[index].bottoms]
        self._refit(index, self.layers[index].measure(bottoms))

    def _refit(self, index: int, tops: Sequence[Shape]) -> None:
        """Set the shapes of a step's tops, and of later steps."""
        shapes = following(self.plan, self.layers, index, tops)
        if shapes:
            self.plan = self.plan.with_shapes(shapes)
            self._arrays.fit([self.plan.values[value.number] for value in shapes])
            self._prepare()

    def _follow_up(self, index: int) -> None:
        """Take over the tops that a step has reshaped in its forward pass."""
        step, layer = self.plan.steps[index], self.layers[index]
        assert isinstance(layer, ReshapesTops)
        made = layer.reshaped_tops()
        if not made:
            return
        tops = enumerate(step.tops)
        self._refit(index, [made[at].shape if at in made else top.shape for at, top in tops])
        for place, host in made.items():
            self.device.put(host, self._arrays.data[step.tops[place]])

    # Preparing.

    def _prepare(self) -> None:
        """Prepare the passes for the current plan and arrays, and drop those of other batches."""
        self.version += 1
        self._of_batches.clear()
        self._use(self._prepared(self.plan, self.layers, self._arrays, self.part))

    def _prepared(
        self, plan: Plan, layers: tuple[Layer, ...], arrays: Arrays, part: Part | None
    ) -> Passes:
        return prepare(
            plan,
            layers,
            self.layout,
            arrays,
            self.device,
            (self._follow, self._follow_up),
            self.loss_scale,
            part,
            gradients=self.gradients,
        )

    def _use(self, passes: Passes) -> None:
        """Run these passes from now on, and bind ``blobs`` to their arrays."""
        plan, arrays = passes.plan, passes.arrays
        self.plan, self.layers, self._arrays = plan, passes.layers, arrays
        self.batch, self.part = passes.batch, passes.part
        self.losses, self._calls = passes.losses, passes.calls
        self._of_batches[self.batch] = passes
        shown = plan.last.values() if not self.packed else (*plan.inputs, *plan.outputs)
        arrays.show(self.blobs, [plan.values[v.number] for v in shown])
        arrays.show(self.inputs, plan.inputs)
        self._forward_steps, self._backward_steps = passes.forward_steps, passes.backward_steps
        self._forward, self._backward = passes.forward, passes.backward
        self._settled = None
        self._backward_by_step = passes.backward_by_step
