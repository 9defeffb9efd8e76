"""Whether a run fits into memory, checked before anything is allocated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from protonet.device import Device
from protonet.errors import DeviceError
from protonet.graph.capacity import check_capacity, largest_layer
from protonet.graph.estimate import estimate, fitting_batch, parameter_bytes
from protonet.graph.plan import Plan
from protonet.proto.caffe_pb2 import SolverParameter
from protonet.sizes import byte_count
from protonet.solvers.update_rule import RULES


@dataclass(frozen=True)
class TrainingMemory:
    """The memory limit of a training, and how it uses memory.

    ``limit`` in bytes, None for that of the device; ``recompute`` recomputes the outputs of cheap
    layers in the backward pass; without ``packed`` no blobs share memory; ``fuse`` fuses layers of
    a packed net; ``precision`` is the type of blobs.
    """

    limit: int | None = None
    recompute: bool = False
    packed: bool = True
    fuse: bool = True
    precision: Any = np.float32


@dataclass(frozen=True)
class _Needs:
    """Bytes by purpose."""

    parts: dict[str, int]

    @property
    def total(self) -> int:
        return sum(self.parts.values())

    def __str__(self) -> str:
        parts = sorted(self.parts.items(), key=lambda part: -part[1])
        return ", ".join(f"{byte_count(count)} for {what}" for what, count in parts if count)


def check_training(
    plans: Sequence[Plan],
    solver: SolverParameter,
    device: Device,
    memory: TrainingMemory,
    *,
    averages: bool = False,
) -> str:
    """A warning that a training may not fit; empty if it fits.

    The first plan is the train net, the others are test nets that share its memory.

    Raises:
        DeviceError: when it needs more than the limit, or than the device has at all.
    """
    packed, precision = memory.packed, memory.precision
    if memory.limit is None:
        for number, plan in enumerate(plans):
            check_capacity(plan, device, gradients=number == 0, packed=packed, precision=precision)

    def needs(plan: Plan, memory: TrainingMemory = memory) -> _Needs:
        return _training_needs(plan, plans[1:], solver, memory, averages)

    found = needs(plans[0])
    if memory.limit is None and found.total <= device.memory()[0]:
        return ""
    limit, of = _room(device, memory.limit)
    advice = _advice(fitting_batch(plans[0], limit, lambda plan: needs(plan).total))
    frugal = replace(memory, recompute=True)
    if memory.packed and not memory.recompute and needs(plans[0], frugal).total <= limit:
        advice += "; --recompute would also suffice"
    message = (
        f"training needs about {byte_count(found.total)}, {of}: {found}; "
        f"{largest_layer(plans[0], precision)}"
    )
    if memory.limit is None and found.total <= device.most_memory():
        return f"{message}; {advice}"
    if found.total > limit:
        raise DeviceError(f"{message}; {advice}")
    return ""


def check_inference(
    plan: Plan,
    limit: int | None,
    *,
    packed: bool,
    fuse: bool = True,
    keep_weights: bool = False,
    copies: int = 0,
) -> None:
    """Raise DeviceError if a net without gradients needs more than ``limit`` bytes.

    ``keep_weights`` as of ``estimate``. ``copies`` is the number of further copies of the
    parameters as they are, such as weights that were read into memory.
    """
    if limit is None:
        return

    def needs(plan: Plan) -> _Needs:
        how: Any = {"packed": packed, "fuse": fuse, "keep_weights": keep_weights}
        net = estimate(plan, gradients=False, **how)
        parameters = net.parameters + copies * parameter_bytes(plan)
        return _Needs(
            {"blobs": net.blobs, "scratch": net.scratch, "parameters": parameters, "data": net.data}
        )

    found = needs(plan)
    if found.total <= limit:
        return
    advice = _advice(fitting_batch(plan, limit, lambda plan: needs(plan).total))
    raise DeviceError(
        f"the net needs about {byte_count(found.total)}, more than the memory limit of "
        f"{byte_count(limit)}: {found}; {largest_layer(plan)}; {advice}"
    )


def _training_needs(
    plan: Plan,
    tested: Sequence[Plan],
    solver: SolverParameter,
    memory: TrainingMemory,
    averages: bool,
) -> _Needs:
    """The memory for training the first plan, shared by test nets of the others."""
    fuse, precision = memory.fuse, memory.precision
    train = estimate(
        plan,
        gradients=True,
        packed=memory.packed,
        recompute=memory.recompute,
        fuse=fuse,
        precision=precision,
    )
    tests = [estimate(each, gradients=False, fuse=fuse, precision=precision) for each in tested]
    slots = RULES[solver.type].slots if solver.type in RULES else 1
    beyond = max([0, *(test.blobs - train.blobs for test in tests)])
    return _Needs(
        {
            "blobs and their gradients": train.blobs,
            "scratch of the layers": train.scratch,
            "parameters and their gradients": train.parameters + train.gradients,
            # the rule's own scratch is as large as one slot
            "the solver": train.parameters * (slots + 1 + 2 * averages),
            "data": train.data + sum(test.data for test in tests),
            "tests": beyond + sum(test.scratch for test in tests),
        }
    )


def _room(device: Device, limit: int | None) -> tuple[int, str]:
    """The available bytes, and the words of a message for them."""
    if limit is not None:
        return limit, f"more than the memory limit of {byte_count(limit)}"
    free, total = device.memory()
    where = f"of the {byte_count(total)} of device '{device.name}'"
    return free, f"but {where} about {byte_count(free)} are free"


def _advice(batch: int | None) -> str:
    if batch is None:
        return "a smaller batch size needs less"
    if batch == 0:
        return "not even a batch of 1 would fit"
    return f"a batch size of {batch} would fit"
