"""Rules that give each parameter a rate of its own from the squares of its past gradients."""

from __future__ import annotations

import math
from collections.abc import Iterable

from protonet.blob import Array, ParamStore
from protonet.device import Device
from protonet.proto.caffe_pb2 import SolverParameter
from protonet.solvers.mistakes import Finding
from protonet.solvers.rules import Check, Rule, Stretch, register_rule


def _delta(solver: SolverParameter) -> Iterable[Finding]:
    if not solver.delta > 0:
        yield Finding(
            ("delta",),
            f"type '{solver.type}' needs delta above 0, got {solver.delta:g}",
            "a parameter without gradient would be divided by 0",
        )


def _no_momentum(solver: SolverParameter) -> Iterable[Finding]:
    """Caffe refuses momentum for rules that have none; to ignore it would mislead."""
    if solver.momentum:
        yield Finding(
            ("momentum",),
            f"type '{solver.type}' has no momentum, got {solver.momentum:g}",
            "leave momentum out, or choose SGD, Nesterov or Adam",
        )


def _fraction(field: str) -> Check:
    """A share of the past that is kept must be in [0, 1)."""

    def check(solver: SolverParameter) -> Iterable[Finding]:
        value = getattr(solver, field)
        if not 0 <= value < 1:
            yield Finding((field,), f"type '{solver.type}' needs {field} in [0, 1), got {value:g}")

    return check


class _Adaptive(Rule):
    """What the adaptive rules share: ``delta``, which keeps a divisor from 0."""

    def __init__(self, solver: SolverParameter, store: ParamStore, device: Device) -> None:
        self.delta = solver.delta
        super().__init__(solver, store, device)

    def _average(self, mean: Array, keep: float, value: Array) -> None:
        """``mean = keep mean + (1 - keep) value``; overwrites ``value``."""
        xp = self.xp
        xp.multiply(value, 1 - keep, value)
        xp.multiply(mean, keep, mean)
        xp.add(mean, value, mean)

    def _descend(self, stretch: Stretch, direction: Array, squares: Array, rate: float) -> None:
        """``w -= rate direction / (sqrt(squares) + delta)``; overwrites ``g`` and ``scratch``."""
        xp, w, g, scratch = self.xp, stretch.w, stretch.g, stretch.scratch
        xp.sqrt(squares, scratch)
        xp.add(scratch, self.delta, scratch)
        xp.divide(direction, scratch, g)
        xp.multiply(g, rate, g)
        xp.subtract(w, g, w)


@register_rule("AdaGrad")
class AdaGrad(_Adaptive):
    """Adaptive gradients (Duchi et al., JMLR 2011).

    ``h += g^2; w -= rate g / (sqrt(h) + delta)``.
    """

    checks = (_delta, _no_momentum)

    def move(self, stretch: Stretch, rate: float, iteration: int) -> None:
        xp, g, (h,), scratch = self.xp, stretch.g, stretch.history, stretch.scratch
        xp.multiply(g, g, scratch)
        xp.add(h, scratch, h)
        self._descend(stretch, g, h, rate)


@register_rule("RMSProp")
class RMSProp(_Adaptive):
    """RMSProp (Tieleman and Hinton, 2012), with d = ``rms_decay``.

    ``h = d h + (1 - d) g^2; w -= rate g / (sqrt(h) + delta)``.
    """

    checks = (_delta, _no_momentum, _fraction("rms_decay"))

    def __init__(self, solver: SolverParameter, store: ParamStore, device: Device) -> None:
        self.rms_decay = solver.rms_decay
        super().__init__(solver, store, device)

    def move(self, stretch: Stretch, rate: float, iteration: int) -> None:
        g, (h,), scratch = stretch.g, stretch.history, stretch.scratch
        self.xp.multiply(g, g, scratch)
        self._average(h, self.rms_decay, scratch)
        self._descend(stretch, g, h, rate)


@register_rule("AdaDelta")
class AdaDelta(_Adaptive):
    """AdaDelta (Zeiler, arXiv 1212.5701), with m = ``momentum``.

    ``h = m h + (1 - m) g^2; u = g sqrt((s + delta) / (h + delta)); s = m s + (1 - m) u^2;
    w -= rate u``.
    """

    checks = (_delta, _fraction("momentum"))
    slots = 2

    def __init__(self, solver: SolverParameter, store: ParamStore, device: Device) -> None:
        self.momentum = solver.momentum
        super().__init__(solver, store, device)

    def move(self, stretch: Stretch, rate: float, iteration: int) -> None:
        xp, w, u, (h, s), scratch = (
            self.xp, stretch.w, stretch.g, stretch.history, stretch.scratch,
        )  # fmt: skip
        xp.multiply(u, u, scratch)
        self._average(h, self.momentum, scratch)
        for squares, scale in ((h, xp.divide), (s, xp.multiply)):
            xp.add(squares, self.delta, scratch)
            xp.sqrt(scratch, scratch)
            scale(u, scratch, u)
        xp.multiply(u, u, scratch)
        self._average(s, self.momentum, scratch)
        xp.multiply(u, rate, u)
        xp.subtract(w, u, w)


@register_rule("Adam")
class Adam(_Adaptive):
    """Adam (Kingma and Ba, ICLR 2015), with b1 = ``momentum``, b2 = ``momentum2``, t from 1.

    ``m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2;
    w -= rate sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + delta)``.
    """

    checks = (_delta, _fraction("momentum"), _fraction("momentum2"))
    slots = 2

    def __init__(self, solver: SolverParameter, store: ParamStore, device: Device) -> None:
        self.b1 = solver.momentum
        self.b2 = solver.momentum2
        super().__init__(solver, store, device)

    def move(self, stretch: Stretch, rate: float, iteration: int) -> None:
        g, (m, v), scratch = stretch.g, stretch.history, stretch.scratch
        self.xp.multiply(g, g, scratch)
        self._average(v, self.b2, scratch)
        self._average(m, self.b1, g)
        t = iteration + 1
        correction = math.sqrt(1 - self.b2**t) / (1 - self.b1**t)
        self._descend(stretch, m, v, rate * correction)


@register_rule("AdamW")
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter, ICLR 2019).

    ``w -= rate decay w``, then ``w -= rate / (1 - b1^t) m / (sqrt(v / (1 - b2^t)) + delta)`` with
    the m and v of Adam: the decay is no part of the averages, and delta is added where PyTorch's
    AdamW adds it. Caffe has no such type; the history is that of Adam.
    """

    def regularize(self, stretch: Stretch, rate: float) -> None:
        self.xp.multiply(stretch.scratch, rate, stretch.scratch)
        self.xp.subtract(stretch.w, stretch.scratch, stretch.w)

    def move(self, stretch: Stretch, rate: float, iteration: int) -> None:
        xp, w, g, (m, v), scratch = (
            self.xp, stretch.w, stretch.g, stretch.history, stretch.scratch,
        )  # fmt: skip
        xp.multiply(g, g, scratch)
        self._average(v, self.b2, scratch)
        self._average(m, self.b1, g)
        t = iteration + 1
        xp.divide(v, 1 - self.b2**t, scratch)
        xp.sqrt(scratch, scratch)
        xp.add(scratch, self.delta, scratch)
        xp.divide(m, scratch, g)
        xp.multiply(g, rate / (1 - self.b1**t), g)
        xp.subtract(w, g, w)
