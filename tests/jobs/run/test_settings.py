"""Settings: what cannot be is refused, and JSON goes round."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from protonet.errors import UsageError
from protonet.jobs.run.settings import RunSettings


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"epochs": 0.0}, "epochs must be above 0, got 0"),
        ({"epochs": float("inf")}, "epochs must be finite"),
        ({"lr": -1.0}, "lr must be above 0"),
        ({"momentum": -0.1}, "momentum must be at least 0 and finite"),
        ({"weight_decay": -0.1}, "weight decay must be at least 0 and finite"),
        ({"val_every": float("nan")}, "val every must be at least 0 and finite, got nan"),
        ({"batch_size": 0}, "batch size must be at least 1"),
        ({"accumulation": 0}, "accumulation must be at least 1"),
        ({"seed": -1}, "seed must be at least 0"),
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


@pytest.mark.parametrize("mean", [None, "none", "mean.binaryproto"])
def test_json_goes_round(tmp_path: Path, mean: str | None) -> None:
    settings = RunSettings(
        tmp_path / "d",
        val_data=tmp_path / "v",
        lr_policy="multistep",
        steps=(20.0, 50.0),
        seed=7,
        mean=mean if mean in (None, "none") else str(tmp_path / mean),
    )
    assert RunSettings.from_json(json.loads(json.dumps(settings.to_json()))) == settings


def test_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    values = RunSettings(Path("d"), mean="m.binaryproto").to_json()
    assert (values["data"], values["mean"]) == (
        str(tmp_path / "d"),
        str(tmp_path / "m.binaryproto"),
    )


def test_settings_of_a_newer_version_are_refused() -> None:
    with pytest.raises(UsageError, match="does not know: colour"):
        RunSettings.from_json({"data": "d", "colour": 1})


def test_settings_that_lack_the_data_are_refused() -> None:
    with pytest.raises(UsageError, match=r"cannot be read: .*'data'"):
        RunSettings.from_json({"seed": 1})
