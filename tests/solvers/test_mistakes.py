"""Mistakes of a solver: first with the field's path, then with its place in the text."""

from __future__ import annotations

from protonet.errors import NetworkError
from protonet.proto.text import Source
from protonet.solvers.mistakes import Finding, SolverError

TEXT = 'base_lr: 1\nlr_policy: "step"\n  stepvalue: 3 stepvalue: 2\n'
ERROR = SolverError(
    [Finding(("stepvalue", 1), "stepvalue must ascend", "sort them"), Finding((), "gamma is due")]
)


def test_without_a_text() -> None:
    assert ERROR.fields == (("stepvalue", 1), ())
    assert str(ERROR) == ("solver: stepvalue must ascend\n    sort them\nsolver: gamma is due")
    assert isinstance(ERROR, NetworkError)
    assert ERROR.exit_code == 3


def test_with_its_text() -> None:
    ascend, gamma = ERROR.placed(Source("solver.prototxt", TEXT)).mistakes
    assert (ascend.file, ascend.line, ascend.hint) == ("solver.prototxt", 3, "sort them")
    assert ascend.excerpt[ascend.column - 1 :].startswith(("2", "stepvalue: 2"))
    assert str(gamma) == "solver.prototxt: gamma is due"
