"""Gradient descent with momentum, plain and Nesterov's."""

from __future__ import annotations

from protonet.blob import ParamStore
from protonet.device import Device
from protonet.proto.caffe_pb2 import SolverParameter
from protonet.solvers.rules import Rule, Stretch, register_rule


class _Momentum(Rule):
    """Rules whose one slot is the velocity h."""

    def __init__(self, solver: SolverParameter, store: ParamStore, device: Device) -> None:
        self.momentum = solver.momentum
        super().__init__(solver, store, device)

    def rests(self, stretch: Stretch) -> bool:
        # Frozen parameters cost nothing; but like Caffe's, they coast on a restored velocity.
        return stretch.lr_mult == 0 and not bool(stretch.history[0].any())


@register_rule("SGD")
class SGD(_Momentum):
    """Stochastic gradient descent: ``h = momentum h + rate g; w -= h``."""

    def move(self, stretch: Stretch, rate: float, iteration: int) -> None:
        xp, w, g, (h,) = self.xp, stretch.w, stretch.g, stretch.history
        xp.multiply(g, rate, g)
        xp.multiply(h, self.momentum, h)
        xp.add(h, g, h)
        xp.subtract(w, h, w)


@register_rule("Nesterov")
class Nesterov(_Momentum):
    """Nesterov's accelerated gradient (Sutskever et al., ICML 2013).

    ``h' = momentum h + rate g; w -= (1 + momentum) h' - momentum h``.
    """

    def move(self, stretch: Stretch, rate: float, iteration: int) -> None:
        xp, w, g, (h,), coasted = (
            self.xp, stretch.w, stretch.g, stretch.history, stretch.scratch,
        )  # fmt: skip
        xp.multiply(h, self.momentum, coasted)
        xp.multiply(g, rate, g)
        xp.add(coasted, g, h)
        xp.multiply(h, 1 + self.momentum, g)
        xp.subtract(g, coasted, g)
        xp.subtract(w, g, w)
