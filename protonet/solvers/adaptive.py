"""Adaptive rules: per-parameter learning rates from the squares of past gradients."""

from __future__ import annotations

from collections.abc import Iterable

from protonet.kernels.updates import (
    AdaDeltaUpdate,
    AdaGradUpdate,
    AdamUpdate,
    AdamWUpdate,
    RMSPropUpdate,
)
from protonet.proto.caffe_pb2 import SolverParameter
from protonet.solvers.mistakes import Finding
from protonet.solvers.update_rule import Check, Rule, register_rule


def _delta(solver: SolverParameter) -> Iterable[Finding]:
    if not solver.delta > 0:
        yield Finding(
            ("delta",),
            f"type '{solver.type}' needs delta above 0, got {solver.delta:g}",
            "otherwise the step of a parameter without gradient divides by 0",
        )


def no_momentum(solver: SolverParameter) -> Iterable[Finding]:
    """Like Caffe, refuse momentum for rules that do not use it."""
    if solver.momentum:
        yield Finding(
            ("momentum",),
            f"type '{solver.type}' has no momentum, got {solver.momentum:g}",
            "leave momentum out, or choose SGD, Nesterov or Adam",
        )


def _fraction(field: str) -> Check:
    """Check that a decay rate is in [0, 1)."""

    def check(solver: SolverParameter) -> Iterable[Finding]:
        value = getattr(solver, field)
        if not 0 <= value < 1:
            yield Finding((field,), f"type '{solver.type}' needs {field} in [0, 1), got {value:g}")

    return check


@register_rule("AdaGrad")
class AdaGrad(Rule):
    """Adaptive gradients (Duchi et al., JMLR 2011).

    ``h += g^2; w -= rate g / (sqrt(h) + delta)``.
    """

    update = AdaGradUpdate
    constants = ("delta",)
    checks = (_delta, no_momentum)


@register_rule("RMSProp")
class RMSProp(Rule):
    """RMSProp (Tieleman and Hinton, 2012), with d = ``rms_decay``.

    ``h = d h + (1 - d) g^2; w -= rate g / (sqrt(h) + delta)``.
    """

    update = RMSPropUpdate
    constants = ("delta", "rms_decay")
    checks = (_delta, no_momentum, _fraction("rms_decay"))


@register_rule("AdaDelta")
class AdaDelta(Rule):
    """AdaDelta (Zeiler, arXiv 1212.5701), with m = ``momentum``.

    ``h = m h + (1 - m) g^2; u = g sqrt((s + delta) / (h + delta)); s = m s + (1 - m) u^2;
    w -= rate u``.
    """

    update = AdaDeltaUpdate
    constants = ("delta", "momentum")
    checks = (_delta, _fraction("momentum"))
    slots = 2


@register_rule("Adam")
class Adam(Rule):
    """Adam (Kingma and Ba, ICLR 2015), with b1 = ``momentum``, b2 = ``momentum2``, t from 1.

    ``m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2;
    w -= rate sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + delta)``.
    """

    update = AdamUpdate
    constants = ("delta", "momentum", "momentum2")
    checks = (_delta, _fraction("momentum"), _fraction("momentum2"))
    slots = 2


@register_rule("AdamW")
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter, ICLR 2019).

    ``w -= rate decay w``, then ``w -= rate / (1 - b1^t) m / (sqrt(v / (1 - b2^t)) + delta)`` with
    the m and v of Adam: the decay is no part of the averages, and delta is added where PyTorch's
    AdamW adds it. Caffe has no such type; the history is that of Adam.
    """

    update = AdamWUpdate
