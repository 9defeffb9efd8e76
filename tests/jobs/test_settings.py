"""Settings: what cannot be is refused, and JSON goes round."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from protonet.errors import UsageError
from protonet.jobs.settings import RunSettings


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"epochs": 0.0}, "epochs must be above 0"),
        ({"lr": -1.0}, "lr must be above 0"),
        ({"momentum": -0.1}, "momentum must be at least 0"),
        ({"weight_decay": -0.1}, "weight_decay must be at least 0"),
        ({"batch_size": 0}, "batch size must be at least 1"),
        ({"steps": (0.0,)}, "steps are percentages"),
        ({"val_labels": Path("v")}, "--val-labels needs --val-data"),
        ({"val_data": Path("v"), "labels": Path("l")}, "both --labels and --val-labels"),
    ],
)
def test_what_cannot_be(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        RunSettings(Path("data"), **given)


def test_json_goes_round(tmp_path: Path) -> None:
    settings = RunSettings(
        tmp_path / "d", val_data=tmp_path / "v", steps=(20.0, 50.0), seed=7, mean="none"
    )
    assert RunSettings.from_json(json.loads(json.dumps(settings.to_json()))) == settings


def test_settings_of_a_newer_version_are_refused() -> None:
    with pytest.raises(UsageError, match="does not know: colour"):
        RunSettings.from_json({"data": "d", "colour": 1})
