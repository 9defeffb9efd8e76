"""How a solver wants detectors to be evaluated: the SSD fork's ``ap_version``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

from protonet.errors import nearest
from protonet.proto.caffe_pb2 import SolverParameter
from protonet.solvers.mistakes import Finding, SolverError

ApVersion = Literal["11point", "MaxIntegral", "Integral"]
AP_VERSIONS: tuple[ApVersion, ...] = get_args(ApVersion)
"""The forms of average precision."""


def ap_version(solver: SolverParameter) -> ApVersion:
    """The form of average precision that a solver names.

    Raises:
        SolverError: for one that does not exist.
    """
    for known in AP_VERSIONS:
        if known == solver.ap_version:
            return known
    raise SolverError(list(evaluation_findings(solver)))


def evaluation_findings(solver: SolverParameter) -> Iterable[Finding]:
    """The mistakes in the fields of evaluation."""
    if solver.ap_version not in AP_VERSIONS:
        guess = nearest(solver.ap_version, AP_VERSIONS)
        known = f"the forms are {', '.join(AP_VERSIONS)}"
        yield Finding(("ap_version",), f"unknown ap_version '{solver.ap_version}'{guess}", known)
