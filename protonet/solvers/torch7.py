"""The update rules of Torch7's optim, with its defaults.

Where Caffe's rule is the same arithmetic, its kernel is used. A field that the solver does not set
has optim's default. ``learning_rate_decay`` is part of the schedule.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from protonet.kernels.updates import (
    AdaDeltaUpdate,
    AdaGradUpdate,
    AdamUpdate,
    NesterovUpdate,
    RMSPropUpdate,
    TorchSGDUpdate,
)
from protonet.proto.caffe_pb2 import SolverParameter
from protonet.solvers.adaptive import no_momentum
from protonet.solvers.mistakes import Finding
from protonet.solvers.momentum import Momentum
from protonet.solvers.update_rule import Rule, Segment, register_rule


def _nesterov(solver: SolverParameter) -> Iterable[Finding]:
    """As optim.sgd demands it."""
    if solver.nesterov and not (solver.momentum > 0 and _dampening(solver) == 0):
        yield Finding(
            ("nesterov",),
            "nesterov needs a momentum, and dampening 0, "
            f"got momentum {solver.momentum:g} and dampening {_dampening(solver):g}",
            "set dampening: 0; without it, dampening is the momentum",
        )


def _positive_momentum(solver: SolverParameter) -> Iterable[Finding]:
    if not _WithDefaults.value(solver, "momentum", 0.9) > 0:
        yield Finding(
            ("momentum",), f"type '{solver.type}' needs momentum above 0, got {solver.momentum:g}"
        )


def _averages(solver: SolverParameter) -> Iterable[Finding]:
    """Decay rates of averages are in [0, 1)."""
    for name in ("momentum", "momentum2", "rms_decay"):
        value = getattr(solver, name)
        if solver.HasField(name) and not 0 <= value < 1:
            yield Finding((name,), f"type '{solver.type}' needs {name} in [0, 1), got {value:g}")


def _dampening(solver: SolverParameter) -> float:
    return float(solver.dampening if solver.HasField("dampening") else solver.momentum)


class _WithDefaults(Rule):
    """A rule whose unset fields have optim's defaults."""

    defaults: ClassVar[Mapping[str, float]] = {}

    @staticmethod
    def value(solver: SolverParameter, name: str, default: float) -> float:
        """A field, or its default where it is not set."""
        return float(getattr(solver, name)) if solver.HasField(name) else default

    def constant(self, solver: SolverParameter, name: str) -> float:
        return self.value(solver, name, self.defaults[name])


@register_rule("TorchSGD")
class TorchSGD(Momentum):
    """optim.sgd: ``h = momentum h + (1 - dampening) g; w -= rate h``.

    Without ``dampening`` it is the momentum. The first gradient is taken undampened. With
    ``nesterov``: ``w -= rate (g + momentum h)``.
    """

    update = TorchSGDUpdate
    constants = ("momentum", "dampening", "nesterov")
    checks = (_nesterov,)

    def constant(self, solver: SolverParameter, name: str) -> float:
        return _dampening(solver) if name == "dampening" else super().constant(solver, name)

    def is_frozen(self, segment: Segment) -> bool:
        # Here a history moves nothing without a learning rate.
        return segment.lr_mult == 0


@register_rule("TorchNAG")
class TorchNAG(Momentum, _WithDefaults):
    """optim.nag, by the arithmetic of Caffe's Nesterov: the stored weights are those at which
    the next gradient is taken, ``momentum`` times the last step ahead of optim's. The momentum is
    0.9 by default.
    """

    update = NesterovUpdate
    defaults: ClassVar = {"momentum": 0.9}
    checks = (_positive_momentum,)


@register_rule("TorchAdam")
class TorchAdam(_WithDefaults):
    """optim.adam: Adam with beta1 ``momentum``, beta2 ``momentum2`` and epsilon ``delta``, by
    default 0.9, 0.999 and 1e-8.
    """

    update = AdamUpdate
    constants = ("delta", "momentum", "momentum2")
    defaults: ClassVar = {"delta": 1e-8, "momentum": 0.9, "momentum2": 0.999}
    checks = (_averages,)
    slots = 2


@register_rule("TorchAdaGrad")
class TorchAdaGrad(_WithDefaults):
    """optim.adagrad: AdaGrad with ``delta`` 1e-10 by default."""

    update = AdaGradUpdate
    constants = ("delta",)
    defaults: ClassVar = {"delta": 1e-10}
    checks = (no_momentum,)


@register_rule("TorchRMSProp")
class TorchRMSProp(_WithDefaults):
    """optim.rmsprop: RMSProp with alpha ``rms_decay`` and epsilon ``delta``, by default 0.99 and
    1e-8. It has no momentum (torch/optim, rmsprop.lua).
    """

    update = RMSPropUpdate
    constants = ("delta", "rms_decay")
    defaults: ClassVar = {"delta": 1e-8, "rms_decay": 0.99}
    checks = (_averages, no_momentum)


@register_rule("TorchAdaDelta")
class TorchAdaDelta(_WithDefaults):
    """optim.adadelta: AdaDelta with rho ``momentum`` and eps ``delta``, by default 0.9 and 1e-6.
    As in optim, the learning rate has no effect: it is 1.
    """

    update = AdaDeltaUpdate
    constants = ("delta", "momentum")
    defaults: ClassVar = {"delta": 1e-6, "momentum": 0.9}
    checks = (_averages,)
    slots = 2

    def prepare(self, rate: float, iteration: int) -> None:
        super().prepare(1.0, iteration)

    def step(self, rate: float, iteration: int) -> None:
        super().step(1.0, iteration)
