"""Gradient descent with momentum, plain and Nesterov's."""

from __future__ import annotations

from typing import ClassVar

from protonet.kernels.updates import NesterovUpdate, SGDUpdate
from protonet.solvers.update_rule import Rule, Segment, register_rule


class Momentum(Rule):
    """Rules whose one slot is the velocity h."""

    constants: ClassVar[tuple[str, ...]] = ("momentum",)

    def is_frozen(self, segment: Segment) -> bool:
        # Frozen parameters are skipped, unless a restored velocity still moves them, as in Caffe.
        return segment.lr_mult == 0 and not bool(segment.update.history[0].any())


@register_rule("SGD")
class SGD(Momentum):
    """Stochastic gradient descent: ``h = momentum h + rate g; w -= h``."""

    update = SGDUpdate


@register_rule("Nesterov")
class Nesterov(Momentum):
    """Nesterov's accelerated gradient (Sutskever et al., ICML 2013).

    ``h' = momentum h + rate g; w -= (1 + momentum) h' - momentum h``.
    """

    update = NesterovUpdate
