"""The contract of update rules, the table of them, and what all share: how gradients become steps.

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
from protonet.kernels.gradients import Clipping
from protonet.kernels.updates import Update
from protonet.proto.caffe_pb2 import SolverParameter
from protonet.registry import Registry
from protonet.solvers.larc import Larc, larc_findings
from protonet.solvers.mistakes import Finding, SolverError

RULES: Registry[type[Rule]] = Registry("solver type", "type")

Check = Callable[[SolverParameter], Iterable[Finding]]
"""Tells what is wrong with the settings of a solver."""

Moves = type[Update]
"""The kind of update that a rule makes for each of its stretches."""

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
        SolverError: for an unknown type, or settings that cannot be; all of them at once.
    """
    findings = list(rule_findings(solver))
    if findings:
        raise SolverError(findings)
    return RULES[solver.type](solver, store, device, halt)


def rule_findings(solver: SolverParameter) -> Iterable[Finding]:
    """Everything that is wrong with the fields that decide the update."""
    if solver.regularization_type not in ("L1", "L2"):
        yield Finding(
            ("regularization_type",),
            f"unknown regularization_type '{solver.regularization_type}'; expected L1 or L2",
        )
    if solver.iter_size < 1:
        yield Finding(("iter_size",), f"iter_size must be at least 1, got {solver.iter_size}")
    yield from _unknown_to_us(solver)
    if solver.type in RULES:
        for check in RULES[solver.type].checks:
            yield from check(solver)
    else:
        yield Finding(
            ("type",),
            f"unknown type '{solver.type}'{nearest(solver.type, RULES)}",
            f"the types are {', '.join(rule_names())}",
        )


def _unknown_to_us(solver: SolverParameter) -> Iterable[Finding]:
    """Settings of NVIDIA's fork that would change the training, and that protonet has not."""
    yield from larc_findings(solver)
    for name in ("momentum_policy", "weight_decay_policy"):
        if getattr(solver, name) != "fixed":
            yield Finding(
                (name,), f"{name} '{getattr(solver, name)}' is not supported; only fixed is"
            )


@dataclass(frozen=True, slots=True)
class Stretch:
    """Neighbouring parameters with equal multipliers, and the update that moves them."""

    update: Update
    lr_mult: float


class Rule:
    """A solver's update: clip, divide by ``iter_size``, regularise, move.

    Works on a few long vectors, one set for each group of the store. A step allocates nothing
    and waits for no GPU. A rule is a subclass that names its ``update`` and that one's constants.

    Args:
        solver: its settings, already checked.
        store: the parameters to move; it must have gradients.
        device: where the store's arrays are.
        halt: one number on the device; a step where it is not 0 leaves everything as it is.
    """

    type: ClassVar[str]
    update: ClassVar[Moves]
    """What moves a vector of parameters."""
    constants: ClassVar[tuple[str, ...]] = ()
    """The fields of the solver that the update takes."""
    slots: ClassVar[int] = 1
    """How many numbers of history each parameter has."""
    checks: ClassVar[tuple[Check, ...]] = ()
    """What to ask of the fields that this rule reads beyond those of every rule."""

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
        """Another number when other parameters move than before."""
        self.reread(solver)

    def reread(self, solver: SolverParameter) -> None:
        """Take other settings; the history stays."""
        self._clipping = None
        if solver.clip_gradients >= 0:
            limit, store = solver.clip_gradients, self.store
            self._clipping = Clipping.make(self.device, store.data.dtype, store.diff, limit)
        self._share = 1 / solver.iter_size
        self._larc = Larc.of(solver)
        groups = self.store.groups if self._larc is None else self.store.singles()
        self._stretches = [self._stretch(solver, group) for group in groups]
        self._moving = self._find_moving()
        self.version += 1

    @property
    def capturable(self) -> bool:
        """Whether a CUDA graph can capture ``launch``, with ``prepare`` before it."""
        return self._larc is None and all(each.update.capturable for each in self._stretches)

    def prepare(self, rate: float, iteration: int) -> None:
        """Write the learning rate of this step to where ``launch`` reads it."""
        for stretch in self._moving:
            stretch.update.prepare(rate * stretch.lr_mult, iteration)

    def launch(self) -> None:
        """Run the prepared step: the same work each time, which a CUDA graph can capture."""
        share = self._share
        if self._clipping is not None:
            share *= self._clipping.factor()
        for stretch in self._moving:
            stretch.update.launch(share)

    def step(self, rate: float, iteration: int) -> None:
        """Move every parameter by the store's gradients, which are used up.

        Args:
            rate: the learning rate before ``lr_mult``.
            iteration: counted from 0.
        """
        if self._halt is not None and not self.capturable and self._halt.item():
            return
        share = self._share
        if self._clipping is not None:
            share *= self._clipping.factor()
        for stretch in self._moving:
            stretch.update.step(self._rate_of(stretch, rate, share), iteration, share)

    def _rate_of(self, stretch: Stretch, rate: float, share: Any) -> float:
        """The rate of neighbouring parameters, or, with larc, of one parameter."""
        if self._larc is None:
            return rate * stretch.lr_mult
        update = stretch.update
        return self._larc.rate(rate, stretch.lr_mult, update.w, update.g, share)

    def rests(self, stretch: Stretch) -> bool:
        """Whether no step can change these parameters or their history."""
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
        """Take up a ``history`` again; ``source`` says in messages where it is from.

        Raises:
            FormatError: when it is of another net or solver type; nothing is changed then.
        """
        parts = [part for slot in self._slots for part in self.store.split(slot)]
        params = len(self.store.params)
        if len(history) != len(parts):
            raise FormatError(
                f"{source}: has {len(history)} history blob(s), expected {len(parts)}: "
                f"{self.slots} for each of the {params} parameter(s) with solver type {self.type}"
            )
        for index, (part, found) in enumerate(zip(parts, history, strict=True)):
            # Older files pad shapes to four axes, so a shape may differ where the count does not.
            if found.size != part.size:
                raise FormatError(
                    f"{source}: history blob {index}, of parameter "
                    f"'{self.store.params[index % params].name}', has shape {found.shape}, "
                    f"expected {tuple(part.shape)}: it is of another net"
                )
        for part, found in zip(parts, history, strict=True):
            self.device.put(np.asarray(found, part.dtype), part)
        self._moving = self._find_moving()
        self.version += 1

    def _stretch(self, solver: SolverParameter, group: Group) -> Stretch:
        part = slice(group.start, group.stop)
        update = self.update.make(
            self.device,
            self.store.data.dtype,
            self.store.data[part],
            self.store.diff[part],
            tuple(slot[part] for slot in self._slots),
            solver.weight_decay * group.decay_mult,
            solver.regularization_type == "L1",
            **{name: getattr(solver, name) for name in self.constants},
        )
        update.halt = self._halt
        return Stretch(update, group.lr_mult)

    def _find_moving(self) -> list[Stretch]:
        return [stretch for stretch in self._stretches if not self.rests(stretch)]
