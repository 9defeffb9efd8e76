"""Which job the options of train ask for; the jobs themselves are in test_train.py."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from protonet.cli.train import command
from protonet.cli.training_job import choose_jobs, match_solver, percentages
from protonet.errors import UsageError
from protonet.jobs.run.bounds import SOLVERS
from protonet.jobs.run.settings import SolverSettings
from protonet.jobs.training.resume import ResumeOptions, resume
from protonet.jobs.training.start import start_solver
from protonet.solvers.update_rule import RULES, rule_names


def test_a_solver_file_and_a_run_to_resume(tmp_path: Path) -> None:
    path = tmp_path / "solver.prototxt"
    path.touch()
    (planned,) = choose_jobs(None, None, {"solver": str(path), "keep": 3, "lr_policy": "cosine"})
    job = planned.job
    assert isinstance(job, partial)
    assert (job.func, job.args) == (
        start_solver,
        (path, SolverSettings(keep=3, lr_policy="cosine")),
    )
    (planned,) = choose_jobs(None, tmp_path, {"val_data": tmp_path / "v"})
    job = planned.job
    assert isinstance(job, partial)
    changes = ResumeOptions(moved={"val_data": tmp_path / "v"})
    assert (job.func, job.args, job.keywords) == (resume, (tmp_path, changes), {})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "nothing to train"),
        ({"solver": "SGD"}, "--solver SGD names an update rule, which needs a NETWORK"),
        ({"solver": "s.prototxt"}, "no such file"),
        ({"allow_python_layers": True}, "--allow-python-layers requires --untrusted"),
    ],
)
def test_options_that_ask_for_nothing(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        choose_jobs(None, None, options)


@pytest.mark.parametrize("name", SOLVERS)
def test_update_rules_are_found_in_any_case(name: str) -> None:
    assert match_solver(name.upper()) == match_solver(name.lower()) == name
    assert match_solver(name + "x") is None


def test_percentages_are_a_list_of_numbers() -> None:
    assert percentages("33") == (33.0,)
    assert percentages("50,82.5") == (50.0, 82.5)
    with pytest.raises(UsageError, match="got '50;75'"):
        percentages("50;75")


def test_the_help_names_the_update_rules_that_are_registered() -> None:
    """Those of Torch7 by the names that optim has for them."""
    named = next(each.help for each in command.params if each.name == "solver")
    torch = [name for name in rule_names() if name.startswith("Torch")]
    assert sorted([*SOLVERS, *torch]) == rule_names()
    assert all(name.removeprefix("Torch").lower() in named for name in torch)


def test_a_name_of_optim_is_a_rule() -> None:
    assert [match_solver(name) for name in ("nag", "NAG")] == ["TorchNAG"] * 2


def test_a_rule_of_ones_own_is_known_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RULES, "Mine", RULES["SGD"])
    assert match_solver("mine") == "Mine"
