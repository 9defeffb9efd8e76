"""Schedule and rule are checked together."""

from __future__ import annotations

import pytest

from protonet.errors import NetworkError
from protonet.proto.text import Source, read_solver
from protonet.solvers.check import check_solver

TEXT = """base_lr: 0.1
lr_policy: "steps"
type: "Adam"
momentum: 1.5
"""


def test_mistakes_of_both_with_their_lines() -> None:
    source = Source("solver.prototxt", TEXT)
    solver = read_solver(source)
    with pytest.raises(NetworkError) as caught:
        check_solver(solver, source)
    policy, momentum = caught.value.mistakes
    assert (policy.line, policy.message) == (2, "unknown lr_policy 'steps'; did you mean 'step'?")
    assert (momentum.file, momentum.line) == ("solver.prototxt", 4)
    with pytest.raises(NetworkError, match=r"solver: type 'Adam' needs momentum in \[0, 1\)"):
        check_solver(solver)


def test_good_settings_pass() -> None:
    check_solver(read_solver(Source("solver.prototxt", 'base_lr: 1 lr_policy: "fixed"')))
