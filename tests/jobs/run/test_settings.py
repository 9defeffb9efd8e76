"""Settings: what cannot be is refused, and JSON goes round."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from protonet.errors import UsageError
from protonet.jobs.run.settings import RunSettings, SolverSettings
from protonet.layers.base import LayerContext


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"epochs": 0.0}, "epochs must be above 0, got 0"),
        ({"epochs": float("inf")}, "epochs must be finite"),
        ({"lr": -1.0}, "lr must be above 0"),
        ({"momentum": -0.1}, "momentum must be at least 0 and below 1, got -0.1"),
        ({"weight_decay": -0.1}, "weight decay must be at least 0 and finite"),
        ({"val_every": float("nan")}, "val every must be at least 0 and finite, got nan"),
        ({"batch_size": 0}, "batch size must be at least 1"),
        ({"accumulation": 0}, "accumulation must be at least 1"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"seed": 2**63}, "seed must be at most 9223372036854775807, got 9223372036854775808"),
        ({"batch_size": 2**31}, "batch size must be at most 2147483647, got 2147483648"),
        ({"accumulation": 2**31}, "accumulation must be at most 2147483647, got 2147483648"),
        ({"warmup": 2**31}, "warmup must be at most 2147483647, got 2147483648"),
        ({"steps": (0.0,)}, "steps are percentages"),
        (
            {"steps": (20.0, 40.0), "lr_policy": "step"},
            "'step' takes one step, got 2; multistep takes several",
        ),
        ({"steps": (20.0,), "lr_policy": "exp"}, "'exp' takes no steps"),
        ({"val_labels": Path("v")}, "--val-labels needs --val-data"),
        ({"val_data": Path("v"), "labels": Path("l")}, "both --labels and --val-labels"),
    ],
)
def test_what_cannot_be(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        RunSettings(Path("data"), **given)


@pytest.mark.parametrize("name", ["level", "seed", "warmup"])
def test_numbers_that_no_solver_holds(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} must be at most .*, got {10**20}"):
        SolverSettings(**{name: 10**20})


def test_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = RunSettings(Path("d"), mean="m.binaryproto").absolute()
    assert settings.data == tmp_path / "d"
    assert settings.mean == str(tmp_path / "m.binaryproto")


def test_what_layers_may_know_of_a_run(tmp_path: Path) -> None:
    told = RunSettings(Path("db"), seed=3, shuffle=True, threads=2, python_layers=False)
    assert told.layer_context(tmp_path) == LayerContext(tmp_path, 3, True, 2, False)
    # a solver file says itself what is shuffled, in each layer
    assert SolverSettings().layer_context(tmp_path) == LayerContext(tmp_path)
    assert SolverSettings(seed=5).layer_context(tmp_path) == LayerContext(tmp_path, 5)


def test_ranks_are_those_that_there_are() -> None:
    alone, two = RunSettings(Path("d")), RunSettings(Path("d"), ranks=2)
    assert alone.on_ranks(1) is alone
    assert alone.on_ranks(3).ranks == 3
    assert two.on_ranks(2) == two
    for settings, count, told in (
        (two, 1, "the settings have 2 ranks, and 1 was started: --ranks 2 .* mpiexec -n 2"),
        (SolverSettings(ranks=4), 3, "the settings have 4 ranks, and 3 were started"),
    ):
        with pytest.raises(UsageError, match=told):
            settings.on_ranks(count)


def test_without_a_number_there_is_a_rank_for_each_device() -> None:
    devices = {"cpu": 1, "cuda:3": 1, "cuda:0,2,5": 3}
    for device, count in devices.items():
        assert RunSettings(Path("d"), device=device).wanted_ranks() == count
        assert RunSettings(Path("d"), device=device, ranks=4).wanted_ranks() == 4
