"""LARC, layer-wise adaptive rates (You et al., Large Batch Training of Convolutional Networks,
2017), as in NVIDIA's fork 0.17 (src/caffe/solvers/sgd_solver.cpp).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from protonet.blob import Array
from protonet.proto.caffe_pb2 import SolverParameter
from protonet.solvers.mistakes import Finding

_TYPES = ("SGD", "Nesterov")
_POLICIES = ("scale", "clip")


@dataclass(frozen=True)
class Larc:
    """``local = eta |w| / |g|`` in place of ``lr_mult``, 1 where w or g is 0.

    The rate is ``rate local`` (scale) or ``min(rate, local)`` (clip). g is the gradient without
    weight decay, as in the fork on a GPU. Parameters with an ``lr_mult`` of 0 are not updated.
    """

    eta: float
    clip: bool

    @staticmethod
    def of(solver: SolverParameter) -> Larc | None:
        """The settings of a solver; None without ``larc``."""
        return Larc(solver.larc_eta, solver.larc_policy == "clip") if solver.larc else None

    def rate(self, rate: float, lr_mult: float, w: Array, g: Array, share: Any) -> float:
        """The rate of one parameter, whose gradient is ``share`` times ``g``."""
        local = lr_mult
        if lr_mult > 0:
            size, slope = _length(w), _length(g) * float(share)
            # A NaN gradient gives a local rate of 1, as in the fork.
            local = self.eta * size / slope if size > 0 and slope > 0 else 1.0
        return min(rate, local) if self.clip else rate * local


def _length(x: Array) -> float:
    return math.sqrt(float(x.dot(x)))


def larc_findings(solver: SolverParameter) -> Iterable[Finding]:
    """The mistakes in the settings of LARC."""
    if not solver.larc:
        return
    if solver.type not in _TYPES:
        yield Finding(
            ("larc",), f"larc works with type {' and '.join(_TYPES)}, not with {solver.type}"
        )
    if solver.larc_policy not in _POLICIES:
        yield Finding(
            ("larc_policy",),
            f"unknown larc_policy '{solver.larc_policy}'; expected {' or '.join(_POLICIES)}",
        )
    if not 0 < solver.larc_eta < math.inf:
        yield Finding(
            ("larc_eta",), f"larc_eta must be above 0 and finite, got {solver.larc_eta:g}"
        )
