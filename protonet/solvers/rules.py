"""Update rules: how a solver turns gradients into new parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from protonet.blob import Array, Group, ParamStore
from protonet.device import Device
from protonet.errors import FormatError, Mistake, NetworkError, nearest
from protonet.proto.caffe_pb2 import SolverParameter

_RULES: dict[str, type[Rule]] = {}


def register_rule(name: str) -> Callable[[type[Rule]], type[Rule]]:
    """Class decorator: make a rule known under a solver type; a second one is refused."""

    def enter(cls: type[Rule]) -> type[Rule]:
        if name in _RULES:
            raise ValueError(f"solver type '{name}' is registered twice")
        _RULES[name] = cls
        return cls

    return enter


def make_rule(solver: SolverParameter, store: ParamStore, device: Device) -> Rule:
    """The rule that the solver's ``type`` names, over the parameters of ``store``.

    Raises:
        NetworkError: for an unknown type, regularization or a field that cannot be.
    """
    if solver.type not in _RULES:
        known = ", ".join(sorted(_RULES))
        raise NetworkError(
            [
                Mistake(
                    f"unknown solver type '{solver.type}'{nearest(solver.type, _RULES)}",
                    hint=f"known types: {known}",
                )
            ]
        )
    return _RULES[solver.type](solver, store, device)


class Rule:
    """One solver's update, in Caffe's order: clip, divide by iter_size, regularise, move.

    Works on long vectors: one for each group of parameters with equal multipliers. Nothing is
    allocated in a step, and nothing waits for a GPU.

    ``slots`` is how many arrays of history a parameter has.
    """

    slots: ClassVar[int] = 1

    def __init__(self, solver: SolverParameter, store: ParamStore, device: Device) -> None:
        self.solver = solver
        self.store = store
        self.xp: Any = device.xp
        self.device = device
        self.slot_arrays = [self.xp.zeros_like(store.data) for _ in range(self.slots)]
        self._scratch = self.xp.empty_like(store.data)
        self._norm = self.xp.zeros((), store.data.dtype)
        self._decay = float(solver.weight_decay)
        self._l1 = solver.regularization_type == "L1"
        if solver.regularization_type not in ("L1", "L2"):
            raise NetworkError(
                f"solver: regularization_type '{solver.regularization_type}'; expected L1 or L2"
            )
        if solver.iter_size < 1:
            raise NetworkError(f"solver: iter_size must be at least 1, got {solver.iter_size}")
        self._parts = [self._part(group) for group in store.groups if group.stop > group.start]

    def _part(self, group: Group) -> tuple[Group, Array, Array, Array, list[Array]]:
        """A group with its stretches of data, diff, scratch and history."""
        stretch = slice(group.start, group.stop)
        return (
            group,
            self.store.data[stretch],
            self.store.diff[stretch],
            self._scratch[stretch],
            [array[stretch] for array in self.slot_arrays],
        )

    def step(self, rate: float, iteration: int) -> None:
        """Move every parameter by the gradients in the store, which are used up."""
        if self.solver.clip_gradients >= 0:
            self._clip(float(self.solver.clip_gradients))
        if self.solver.iter_size > 1:
            self.store.diff *= 1.0 / self.solver.iter_size
        for group, data, diff, scratch, history in self._parts:
            decay = self._decay * group.decay_mult
            if decay:
                if self._l1:
                    self.xp.sign(data, scratch)
                    scratch *= decay
                else:
                    self.xp.multiply(data, decay, scratch)
                diff += scratch
            self.move(data, diff, scratch, history, rate * group.lr_mult, iteration)

    def move(
        self,
        w: Array,
        g: Array,
        scratch: Array,
        history: Sequence[Array],
        rate: float,
        iteration: int,
    ) -> None:
        """Update ``w`` by its gradient ``g`` (may be overwritten) at learning rate ``rate``."""
        raise NotImplementedError

    def _clip(self, limit: float) -> None:
        """Scale all gradients so that their global L2 norm is at most ``limit``.

        The factor limit / max(norm, limit) is computed where the arrays are.
        """
        xp, norm = self.xp, self._norm
        xp.multiply(self.store.diff, self.store.diff, self._scratch)
        xp.sum(self._scratch, out=norm)
        xp.sqrt(norm, norm)
        xp.maximum(norm, limit, norm)
        xp.divide(limit, norm, norm)
        self.store.diff *= norm

    def history(self) -> list[np.ndarray]:
        """Copies of the history in Caffe's order: every parameter's first array, then the next."""
        return [
            np.array(self.device.get(part))
            for array in self.slot_arrays
            for part in self.store.split(array)
        ]

    def restore(self, history: Sequence[np.ndarray]) -> None:
        """Take up a ``history`` again.

        Raises:
            FormatError: when it belongs to another net or another kind of solver.
        """
        parts = [part for array in self.slot_arrays for part in self.store.split(array)]
        if len(parts) != len(history):
            raise FormatError(
                f"the solver state has {len(history)} history blobs; "
                f"solver {self.solver.type} over this net has {len(parts)}"
            )
        for index, (part, saved) in enumerate(zip(parts, history, strict=True)):
            if part.size != saved.size:
                raise FormatError(
                    f"history blob {index} of the solver state has shape {saved.shape}, "
                    f"expected {tuple(part.shape)}: it is of another net"
                )
        for part, saved in zip(parts, history, strict=True):
            self.device.put(np.asarray(saved, part.dtype), part)


@register_rule("SGD")
class SGD(Rule):
    """Stochastic gradient descent with momentum m: h = m h + rate g; w -= h."""

    def move(
        self,
        w: Array,
        g: Array,
        scratch: Array,
        history: Sequence[Array],
        rate: float,
        iteration: int,
    ) -> None:
        (h,) = history
        h *= self.solver.momentum
        g *= rate
        h += g
        w -= h
