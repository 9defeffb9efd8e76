"""All mistakes of a solver's settings at once, before anything is built."""

from __future__ import annotations

from protonet.proto.caffe_pb2 import SolverParameter
from protonet.proto.text import Source
from protonet.solvers.evaluation import evaluation_findings
from protonet.solvers.mistakes import SolverError
from protonet.solvers.schedules import schedule_findings
from protonet.solvers.update_rule import rule_findings


def check_solver(solver: SolverParameter, source: Source | None = None) -> None:
    """Refuse invalid settings of the learning-rate schedule, the update rule and evaluation.

    Args:
        solver: in the current dialect.
        source: the text that it was read from, so that mistakes show line and column.

    Raises:
        NetworkError: with all mistakes.
    """
    findings = [
        *schedule_findings(solver),
        *rule_findings(solver),
        *evaluation_findings(solver),
    ]
    if findings:
        error = SolverError(findings)
        raise error if source is None else error.placed(source)
