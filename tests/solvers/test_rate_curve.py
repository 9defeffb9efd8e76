"""The curve of the learning rate; tests/web/test_learning_rate.py has it for each policy."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.errors import UsageError
from protonet.proto.caffe_pb2 import SolverParameter
from protonet.solvers.rate_curve import Curve, draw_rates, solver_curve


def test_a_solver_file_has_its_own_iterations() -> None:
    solver = SolverParameter(base_lr=0.5, lr_policy="step", gamma=0.1, stepsize=40, max_iter=100)
    curve = solver_curve(solver)
    assert curve.x == "iteration"
    rates = dict(curve.points)
    assert (min(rates), max(rates)) == (0, 99)
    assert [rates[at] for at in (0, 39, 40, 79, 80, 99)] == pytest.approx(
        [0.5, 0.5, 0.05, 0.05, 0.005, 0.005]
    )
    solver.ClearField("max_iter")
    with pytest.raises(UsageError, match="has no max_iter"):
        solver_curve(solver)


def test_pictures(tmp_path: Path) -> None:
    curves = {"lr 1": Curve("epoch", [(0, 1.0), (1.5, None), (2, 0.5)]),
              "lr 2": Curve("epoch", [(0, 2.0), (2, 1.0)])}  # fmt: skip
    draw_rates(curves, tmp_path / "rate.svg")
    text = (tmp_path / "rate.svg").read_text()
    assert all(f"<!-- {told} -->" in text for told in ("epoch", "lr 1", "lr 2", "learning rate"))
    with pytest.raises(UsageError, match="expected a picture of kind png, svg, pdf"):
        draw_rates(curves, tmp_path / "rate.txt")
