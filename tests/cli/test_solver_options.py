"""The constants of update rules, from the command line into solver.prototxt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from protonet.data.create import create_gradients
from protonet.jobs.definitions.solver import CONSTANTS, constants_of
from protonet.proto.caffe_pb2 import SolverParameter
from protonet.solvers.update_rule import RULES
from tests.cli.test_schedule_options import NET, TRAIN


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path) -> Path:
    create_gradients(tmp_path / "data", 6, 4, 12, 4, seed=1)
    (tmp_path / "net.prototxt").write_text(NET)
    return tmp_path


def solver_of(protonet: Any, folder: Path, *options: Any) -> str:
    given = ("--epochs", 1, "--batch-size", 4, "--out", folder / "run", "--quiet", "--mean", "none")
    found = protonet("train", *TRAIN, *given, *options)
    assert (found.returncode, found.stderr) == (0, "")
    return (folder / "run" / "solver.prototxt").read_text()


def test_constants_of_adam(protonet: Any, workplace: Path) -> None:
    text = solver_of(protonet, workplace, "--solver", "adam", "--beta2", 0.9, "--delta", 1e-4,
                     "--regularization", "L1", "--clip-gradients", 3)  # fmt: skip
    for line in ("momentum2: 0.9", "delta: 0.0001", 'regularization_type: "L1"',
                 "clip_gradients: 3"):  # fmt: skip
        assert line in text


def test_constants_of_rmsprop(protonet: Any, workplace: Path) -> None:
    assert "rms_decay: 0.8" in solver_of(protonet, workplace, "--solver", "RMSProp",
                                         "--rms-decay", 0.8)  # fmt: skip


def test_constants_of_another_rule(protonet: Any, workplace: Path) -> None:
    found = protonet("train", *TRAIN, "--rms-decay", 0.9)
    assert found.returncode == 2
    assert "rms decay is no constant of SGD, but of RMSProp" in found.stderr
    found = protonet("train", *TRAIN, "--delta", -1)
    assert "delta must be above 0, got -1" in found.stderr


def test_they_are_those_of_the_rules() -> None:
    known = {name for rule in RULES for name in RULES[rule].constants}
    assert set(CONSTANTS) == known - {"momentum", "nesterov"}
    assert set(CONSTANTS) <= {field.name for field in SolverParameter.DESCRIPTOR.fields}
    assert constants_of("Adam") == ("momentum2", "delta")
    assert constants_of("SGD") == ()
    assert constants_of("SGD", "return function(p) end") == ("dampening",)
