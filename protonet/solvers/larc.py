"""LARC and LARS, layer-wise adaptive rates (You et al., Large Batch Training of Convolutional
Networks, 2017): as in NVIDIA's fork 0.17 (src/caffe/solvers/sgd_solver.cpp), and in Intel's.
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
_INTELS = "SGD"
_POLICIES = ("scale", "clip")


@dataclass(frozen=True)
class Larc:
    """``local = eta |w| / |g|`` in place of ``lr_mult``, 1 where w or g is 0.

    The rate is ``rate local`` (scale) or ``min(rate, local)`` (clip). g is the gradient without
    weight decay, as in the fork on a GPU. Parameters with an ``lr_mult`` of 0 are not updated.

    ``local_lr_auto``, of Intel's fork, is LARS: ``local = eta |w| / (|g| + decay |w|)``, with the
    ``local_gw_ratio`` for eta and the solver's weight_decay, whatever ``decay_mult`` says.
    """

    eta: float
    clip: bool
    decay: float = 0.0

    @staticmethod
    def of(solver: SolverParameter) -> Larc | None:
        """The settings of a solver; None without ``larc`` or ``local_lr_auto``."""
        if solver.local_lr_auto:
            return Larc(solver.local_gw_ratio, False, solver.weight_decay)
        return Larc(solver.larc_eta, solver.larc_policy == "clip") if solver.larc else None

    def rate(self, rate: float, lr_mult: float, w: Array, g: Array, share: Any) -> float:
        """The rate of one parameter, whose gradient is ``share`` times ``g``."""
        local = lr_mult
        if lr_mult > 0:
            size, slope = _length(w), _length(g) * float(share)
            # A NaN gradient gives a local rate of 1, as in the fork.
            moves = size > 0 and slope > 0
            local = self.eta * size / (slope + self.decay * size) if moves else 1.0
        return min(rate, local) if self.clip else rate * local


def _length(x: Array) -> float:
    return math.sqrt(float(x.dot(x)))


def larc_findings(solver: SolverParameter) -> Iterable[Finding]:
    """The mistakes in the settings of LARC and LARS."""
    if solver.local_lr_auto:
        yield from _intel_findings(solver)
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


def _intel_findings(solver: SolverParameter) -> Iterable[Finding]:
    if solver.larc:
        yield Finding(("local_lr_auto",), "local_lr_auto and larc cannot go together")
    if solver.type != _INTELS:
        yield Finding(
            ("local_lr_auto",), f"local_lr_auto works with type {_INTELS}, not with {solver.type}"
        )
    if not 0 < solver.local_gw_ratio < math.inf:
        yield Finding(
            ("local_gw_ratio",),
            f"local_gw_ratio must be above 0 and finite, got {solver.local_gw_ratio:g}",
        )
