"""The net of the golden solver cases written out in NumPy, so that rules are tested alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protonet.blob import Param, ParamStore
from protonet.device import Device
from protonet.formats.solverstate import read_state
from protonet.proto.caffe_pb2 import SolverParameter
from protonet.proto.text import Source, read_solver
from protonet.solvers.schedules import Schedule, make_schedule
from protonet.solvers.update_rule import Rule, make_rule

GOLDEN = Path(__file__).parents[1] / "golden" / "solvers"
NAMES = ("ip1/0", "ip1/1", "ip2/0", "ip2/1")
MULTIPLIERS = ((1, 1), (2, 0), (0.5, 1), (0, 1))


@dataclass
class Training:
    """Caffe's recording of one solver, and our rule on the same parameters."""

    solver: SolverParameter
    data: Any
    folder: Path
    store: ParamStore
    rule: Rule
    schedule: Schedule

    def advance(self, start: int, stop: int) -> None:
        """Run iterations and compare the loss and every parameter with Caffe's after each."""
        for iteration in range(start, stop):
            self.store.diff.fill(0)
            x, t = self.data["x"][iteration], self.data["t"][iteration]
            for _ in range(self.solver.iter_size):
                loss = self.forward_backward(x, t)
            np.testing.assert_allclose(loss, self.data["loss"][iteration], rtol=1e-5)
            self.rule.step(self.schedule.rate(iteration), iteration)
            self.check_params(iteration + 1)

    def forward_backward(self, x: np.ndarray, t: np.ndarray) -> float:
        """InnerProduct, TanH, InnerProduct, EuclideanLoss: adds to the gradients of all but the
        last bias, which is frozen."""
        w1, b1, w2, b2 = self.store.params
        h = np.tanh(x @ w1.data.T + b1.data)
        d = h @ w2.data.T + b2.data - t
        dy = d / len(x)
        w2.diff += dy.T @ h
        dh = dy @ w2.data * (1 - h * h)
        w1.diff += dh.T @ x
        b1.diff += dh.sum(0)
        return float((d * d).sum() / (2 * len(x)))

    def check_params(self, iteration: int, rtol: float = 2e-5, atol: float = 1e-6) -> None:
        for name, param in zip(NAMES, self.store.params, strict=True):
            expected = self.data[f"param/{iteration}/{name}"]
            np.testing.assert_allclose(param.data, expected, rtol=rtol, atol=atol, err_msg=name)

    def put(self, values: str) -> None:
        """Set the parameters to a recording, such as ``param0``."""
        for name, param in zip(NAMES, self.store.params, strict=True):
            param.data[...] = self.data[f"{values}/{name}"]

    def check_trajectory(self) -> None:
        """The whole recording; Caffe's history on the way; and from Caffe's snapshot to the end."""
        (snapshot,) = self.folder.glob("snap_iter_5.solverstate*")
        theirs = read_state(snapshot)
        self.put("param0")
        self.advance(0, 5)
        for found, expected in zip(self.rule.history(), theirs.history, strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-8)
        assert self.schedule.current_step(5) == theirs.current_step
        self.advance(5, 8)
        self.put("param/5")
        self.rule.restore(theirs.history)
        self.advance(5, 8)

    def check_resume(self) -> None:
        """Going on from a copy of parameters and history gives the same bits."""
        self.put("param0")
        self.rule.restore([np.zeros_like(array) for array in self.rule.history()])
        self.advance(0, 4)
        params, history = self.store.data.copy(), self.rule.history()
        self.advance(4, 8)
        whole = self.store.data.copy(), self.rule.history()
        self.store.data[...] = params
        self.rule.restore(history)
        self.advance(4, 8)
        assert self.store.data.tobytes() == whole[0].tobytes()
        for found, expected in zip(self.rule.history(), whole[1], strict=True):
            assert found.tobytes() == expected.tobytes()


@pytest.fixture
def training() -> Callable[[str], Training]:
    """Builds the training of a golden case."""

    def build(case: str) -> Training:
        folder = GOLDEN / case
        solver = read_solver(Source.read(folder / "solver.prototxt"))
        data = np.load(folder / "data.npz")
        device = Device("cpu")
        params = [
            Param(name, data[f"param0/{name}"].copy(), None, lr_mult, decay_mult)
            for name, (lr_mult, decay_mult) in zip(NAMES, MULTIPLIERS, strict=True)
        ]
        store = ParamStore(params, device, np.float32)
        rule = make_rule(solver, store, device)
        return Training(solver, data, folder, store, rule, make_schedule(solver))

    return build
