"""Update rules: their contract, their registry, and the steps that all share.

Order and arithmetic are those of Caffe's ``SGDSolver::ApplyUpdate``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from protonet.blob import Array, Group, ParamStore
from protonet.device import Device
from protonet.errors import FormatError, nearest
from protonet.kernels.gradients import GradientClipping
from protonet.kernels.updates import Update
from protonet.proto.caffe_pb2 import SolverParameter
from protonet.registry import Registry
from protonet.solvers.larc import Larc, larc_findings
from protonet.solvers.mistakes import Finding, SolverError

RULES: Registry[type[Rule]] = Registry("solver type", "type")

Check = Callable[[SolverParameter], Iterable[Finding]]
"""Yields the mistakes in the settings of a solver."""

UpdateClass = type[Update]
"""The kernel that a rule runs on each of its segments."""

register_rule = RULES.register
"""Class decorator: make a rule known as a solver ``type``; a second one is refused."""


def rule_names() -> list[str]:
    """The names of all solver types, sorted."""
    return RULES.names()


def make_rule(
    solver: SolverParameter, store: ParamStore, device: Device, halt: Array | None = None
) -> Rule:
    """The rule that the solver's ``type`` names, over the parameters of ``store``; ``halt`` as in
    ``Rule``.

    Raises:
        SolverError: for an unknown type or invalid settings; all mistakes at once.
    """
    findings = list(rule_findings(solver))
    if findings:
        raise SolverError(findings)
    return RULES[solver.type](solver, store, device, halt)


def rule_findings(solver: SolverParameter) -> Iterable[Finding]:
    """All mistakes in the fields of the update rule."""
    if solver.regularization_type not in ("L1", "L2"):
        yield Finding(
            ("regularization_type",),
            f"unknown regularization_type '{solver.regularization_type}'; expected L1 or L2",
        )
    if solver.iter_size < 1:
        yield Finding(("iter_size",), f"iter_size must be at least 1, got {solver.iter_size}")
    yield from _unsupported(solver)
    if solver.type in RULES:
        for check in RULES[solver.type].checks:
            yield from check(solver)
    else:
        yield Finding(
            ("type",),
            f"unknown type '{solver.type}'{nearest(solver.type, RULES)}",
            f"the types are {', '.join(rule_names())}",
        )


def _unsupported(solver: SolverParameter) -> Iterable[Finding]:
    """Settings of NVIDIA's fork that change the training and are not supported."""
    yield from larc_findings(solver)
    for name in ("momentum_policy", "weight_decay_policy"):
        if getattr(solver, name) != "fixed":
            yield Finding(
                (name,), f"{name} '{getattr(solver, name)}' is not supported; only fixed is"
            )


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment of the flat parameter vector with equal multipliers, and its update."""

    update: Update
    lr_mult: float


class Rule:
    """A solver's update: clip, divide by ``iter_size``, regularise, move.

    Works on a few long vectors, one segment for each group of the store. A step allocates nothing
    and does not synchronize. A rule is a subclass that names its ``update`` and its constants.

    Args:
        solver: its settings, already checked.
        store: the parameters to update; it must have gradients.
        device: where the store's arrays are.
        halt: one number on the device; where it is not 0, a step changes nothing.
    """

    type: ClassVar[str]
    update: ClassVar[UpdateClass]
    """The kernel that updates a vector of parameters."""
    constants: ClassVar[tuple[str, ...]] = ()
    """The fields of the solver that the update takes."""
    slots: ClassVar[int] = 1
    """Optimizer state: vectors of history for each parameter."""
    checks: ClassVar[tuple[Check, ...]] = ()
    """Checks of the fields that only this rule reads."""

    def __init__(
        self,
        solver: SolverParameter,
        store: ParamStore,
        device: Device,
        halt: Array | None = None,
    ) -> None:
        self.store = store
        self._halt = halt
        self.device = device
        self.xp: Any = device.xp
        self._slots = [self.xp.zeros_like(store.data) for _ in range(self.slots)]
        self.version = 0
        """Changes whenever the set of updated segments changes."""
        self.reconfigure(solver)

    def reconfigure(self, solver: SolverParameter) -> None:
        """Apply changed settings; the history stays."""
        self._clipping = None
        if solver.clip_gradients >= 0:
            limit, store = solver.clip_gradients, self.store
            self._clipping = GradientClipping.make(self.device, store.data.dtype, store.diff, limit)
        self._share = 1 / solver.iter_size
        self._larc = Larc.of(solver)
        groups = self.store.groups if self._larc is None else self.store.singles()
        self._segments = [self._segment(solver, group) for group in groups]
        self._active = self._find_active()
        self.version += 1

    @property
    def capturable(self) -> bool:
        """Whether a CUDA graph can capture ``launch``, with ``prepare`` before it."""
        return self._larc is None and all(each.update.capturable for each in self._segments)

    def prepare(self, rate: float, iteration: int) -> None:
        """Write the learning rate of this step to where ``launch`` reads it."""
        for segment in self._active:
            segment.update.prepare(rate * segment.lr_mult, iteration)

    def launch(self) -> None:
        """Run the prepared step: the same work each time, which a CUDA graph can capture."""
        share = self._share
        if self._clipping is not None:
            share *= self._clipping.factor()
        for segment in self._active:
            segment.update.launch(share)

    def step(self, rate: float, iteration: int) -> None:
        """Update every parameter with the store's gradients, which are overwritten.

        Args:
            rate: the learning rate before ``lr_mult``.
            iteration: counted from 0.
        """
        if self._halt is not None and not self.capturable and self._halt.item():
            return
        share = self._share
        if self._clipping is not None:
            share *= self._clipping.factor()
        for segment in self._active:
            segment.update.step(self._rate_of(segment, rate, share), iteration, share)

    def _rate_of(self, segment: Segment, rate: float, share: Any) -> float:
        """The learning rate of a segment; with larc, of a single parameter."""
        if self._larc is None:
            return rate * segment.lr_mult
        update = segment.update
        return self._larc.rate(rate, segment.lr_mult, update.w, update.g, share)

    def constant(self, solver: SolverParameter, name: str) -> float:
        """The value of one of ``constants``."""
        value: float = getattr(solver, name)
        return value

    def is_frozen(self, segment: Segment) -> bool:
        """Whether no step changes the parameters of a segment or their history."""
        return False

    def history(self) -> list[np.ndarray]:
        """Copies of the history in Caffe's order: the first slot of every parameter, in the
        order of the net and in its shape, then the second slot.
        """
        return [
            np.array(self.device.get(part))
            for slot in self._slots
            for part in self.store.split(slot)
        ]

    def restore(self, history: Sequence[np.ndarray], source: str = "the solver state") -> None:
        """Restore a ``history``; ``source`` names its file in messages.

        Raises:
            FormatError: when it belongs to another net or solver type; nothing is changed then.
        """
        parts = [part for slot in self._slots for part in self.store.split(slot)]
        params = len(self.store.params)
        if len(history) != len(parts):
            raise FormatError(
                f"{source}: has {len(history)} history blob(s), expected {len(parts)}: "
                f"{self.slots} for each of the {params} parameter(s) with solver type {self.type}"
            )
        for index, (part, stored) in enumerate(zip(parts, history, strict=True)):
            # Older files pad shapes to four axes, so a shape may differ where the count does not.
            if stored.size != part.size:
                raise FormatError(
                    f"{source}: history blob {index}, of parameter "
                    f"'{self.store.params[index % params].name}', has shape {stored.shape}, "
                    f"expected {tuple(part.shape)}: it is of another net"
                )
        for part, stored in zip(parts, history, strict=True):
            self.device.put(np.asarray(stored, part.dtype), part)
        self._active = self._find_active()
        self.version += 1

    def _segment(self, solver: SolverParameter, group: Group) -> Segment:
        part = slice(group.start, group.stop)
        update = self.update.make(
            self.device,
            self.store.data.dtype,
            self.store.data[part],
            self.store.diff[part],
            tuple(slot[part] for slot in self._slots),
            solver.weight_decay * group.decay_mult,
            solver.regularization_type == "L1",
            **{name: self.constant(solver, name) for name in self.constants},
        )
        update.halt = self._halt
        return Segment(update, group.lr_mult)

    def _find_active(self) -> list[Segment]:
        return [segment for segment in self._segments if not self.is_frozen(segment)]
