"""Profile a net layer by layer, with its data and its update."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from protonet.data.prefetch import InputTimes, WorkerTime
from protonet.errors import UsageError
from protonet.graph.cost import arithmetic, backward_arithmetic, backward_traffic, traffic
from protonet.graph.net import Net
from protonet.graph.plan import Step
from protonet.graph.timing import Span, seconds_by_step, time_iteration
from protonet.jobs.profiling.machine import Machine, measure_machine
from protonet.kernels.gradients import ZeroGradients
from protonet.solvers.update_rule import Rule

_RATE = 1e-6
"""The time of an update does not depend on the rate; at this one the weights do not change."""
_WARM_SECONDS, _WARM_PASSES = 0.3, 3


@dataclass(frozen=True)
class LayerProfile:
    """Mean seconds per iteration of one layer, and its arithmetic and memory traffic.

    ``data`` is the forward pass of a data layer: waiting and copying. ``update`` is its share of
    the solver's update, by parameters. ``part_of`` is the layer that it is fused into, or empty.
    """

    name: str
    type: str
    data: float
    forward: float
    backward: float
    update: float
    arithmetic: int
    traffic: int
    part_of: str = ""

    @property
    def seconds(self) -> float:
        """All of them."""
        return self.data + self.forward + self.backward + self.update

    @property
    def passes(self) -> float:
        """Forward and backward, the time of ``arithmetic`` and ``traffic``."""
        return self.forward + self.backward


@dataclass(frozen=True)
class InputProfile:
    """Mean seconds per iteration of a source of images: the time that the net waited, and the work
    of the prefetching threads.
    """

    name: str
    waited: float
    reading: float
    transforming: float
    worker_times: tuple[WorkerTime, ...]


@dataclass(frozen=True)
class Profile:
    """A profile. ``seconds`` is the time of an iteration, ``images`` the number of its images."""

    name: str
    device: str
    layers: tuple[LayerProfile, ...]
    inputs: tuple[InputProfile, ...]
    seconds: float
    images: int
    iterations: int
    machine: Machine
    spans: tuple[Span, ...]

    def sum(self, kind: str) -> float:
        """Seconds per iteration of one kind: data, forward, backward or update."""
        return float(sum(getattr(layer, kind) for layer in self.layers))

    @property
    def between(self) -> float:
        """Seconds per iteration outside of layers."""
        return max(0.0, self.seconds - sum(layer.seconds for layer in self.layers))


def profile_net(
    net: Net, rule: Rule | None = None, *, iterations: int = 20, passes: int = 1
) -> Profile:
    """Run ``iterations`` iterations, each of ``passes`` passes and, with a rule, one update.

    Raises:
        UsageError: for less than one iteration.
    """
    if iterations < 1:
        raise UsageError(f"expected 1 iteration or more, got {iterations}")
    machine = measure_machine(net.device)
    update = _update(net, rule)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        _warm_up(net, update)
        sources = _sources(net)
        before = [times.waited for _, times in sources]
        for _, times in sources:
            times.worker_times = []
        spans: list[Span] = []
        net.device.synchronize()
        began = time.perf_counter()
        for _ in range(iterations):
            for at in range(passes):
                spans += time_iteration(net, update if at == passes - 1 else None)
        seconds = (time.perf_counter() - began) / iterations
    inputs = [
        _input(step, times, times.waited - waited, iterations, passes)
        for (step, times), waited in zip(sources, before, strict=True)
    ]
    return Profile(
        net.plan.name,
        net.device.name,
        _layers(net, spans, iterations, passes),
        tuple(inputs),
        seconds,
        passes * _batch(net),
        iterations,
        machine,
        tuple(spans),
    )


def _update(net: Net, rule: Rule | None) -> Callable[[], None] | None:
    if rule is None:
        return None

    zeros = ZeroGradients.make(net.device, net.store.diff.dtype)

    def update() -> None:
        rule.step(_RATE, 0)
        zeros.clear(net.store.diff)

    return update


def _warm_up(net: Net, update: Callable[[], None] | None) -> None:
    """Warm-up passes: touch memory, compile kernels, prefetch batches."""
    end = time.perf_counter() + _WARM_SECONDS
    for _ in range(_WARM_PASSES):
        time_iteration(net, update)
        if time.perf_counter() > end:
            return


def _sources(net: Net) -> list[tuple[Step, InputTimes]]:
    """The layers that prefetch, with the times of their sources."""
    found = [
        (step, getattr(getattr(layer, "source", None), "times", None))
        for step, layer in zip(net.plan.steps, net.layers, strict=True)
    ]
    return [(step, times) for step, times in found if isinstance(times, InputTimes)]


def _input(
    step: Step, times: InputTimes, waited: float, iterations: int, passes: int
) -> InputProfile:
    worker_times, times.worker_times = tuple(times.worker_times or ()), None
    images = sum(work.images for work in worker_times)
    share = passes * (step.tops[0].shape or (1,))[0] / images if images else 0.0
    return InputProfile(
        step.name,
        waited / iterations,
        share * sum(work.reading for work in worker_times),
        share * sum(work.transforming for work in worker_times),
        worker_times,
    )


def _layers(
    net: Net, spans: Sequence[Span], iterations: int, passes: int
) -> tuple[LayerProfile, ...]:
    steps = net.plan.steps
    forward, backward, update = (
        seconds_by_step(spans, kind, len(steps)) / iterations
        for kind in ("forward", "backward", "update")
    )
    counts = [_learned(step) for step in steps]
    share = float(update[-1]) / (sum(counts) or 1)
    back = 1 if net.gradients else 0
    found = []
    for index, step in enumerate(steps):
        brings = not step.bottoms
        ahead = float(forward[index])
        moved = traffic(step, net.layout.types) + back * backward_traffic(step, net.layout.types)
        found.append(
            LayerProfile(
                step.name,
                step.type,
                ahead if brings else 0.0,
                0.0 if brings else ahead,
                float(backward[index]),
                share * counts[index],
                0 if brings else passes * (arithmetic(step) + back * backward_arithmetic(step)),
                0 if brings else passes * moved,
                steps[step.absorbed_by].name if step.absorbed_by is not None else "",
            )
        )
    return tuple(found)


def _learned(step: Step) -> int:
    """The number of learned parameters that this layer owns."""
    return sum(p.weight.count for p in step.params if p.owner is None and p.lr_mult != 0)


def _batch(net: Net) -> int:
    """The batch size of a pass: the first axis of the first layer's top."""
    for step in net.plan.steps:
        if not step.bottoms and step.tops and step.tops[0].shape:
            return int(step.tops[0].shape[0])
    return 1
