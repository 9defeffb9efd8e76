"""The form of a training: defaults are those of the settings, nothing unknown or out of bounds."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from protonet.jobs.run.bounds import POLICIES
from protonet.web.training_form import CheckForm, TrainingForm, within


def form(**values: Any) -> TrainingForm:
    return TrainingForm.model_validate({"name": "m", "network": "x", "dataset": "d", **values})


def test_defaults_are_those_of_digits() -> None:
    given = form()
    assert (given.epochs, given.rates, given.lr_policy, given.steps, given.solver) == (
        30, [0.01], None, [], "SGD",
    )  # fmt: skip
    assert form(lrs=[0.1, 0.2]).rates == [0.1, 0.2]


@pytest.mark.parametrize(
    "values",
    [
        {"lr": 0}, {"lr": float("nan")}, {"lr": float("inf")}, {"epochs": -1}, {"momentum": 1},
        {"solver": "Magic"}, {"lr_policy": "never"}, {"device": "cuda:0; rm"}, {"seed": -1},
        {"device": "cuda:0,"}, {"device": "cuda:all,1"}, {"ranks": 0}, {"ranks": 1025},
        {"precision": "float8"}, {"crop": -1}, {"keep": 0}, {"delta": 0}, {"threads": 0},
        {"regularization": "L3"}, {"mean": ""}, {"warmup_lr": -1},
        {"batch_sizes": [0]}, {"lrs": [0.1] * 21}, {"steps": [101]}, {"name": ""},
        {"weights_at": "../x"}, {"surprise": 1}, {"network": "a\0b"}, {"notes": "x" * 20_001},
    ],
)  # fmt: skip
def test_what_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        form(**values)


def test_several_devices_and_ranks() -> None:
    for device in ("cpu", "cuda:3", "cuda:0,1", "cuda:all"):
        assert form(device=device).device == device
    assert (form().ranks, form(ranks=2).ranks) == (None, 2)


def test_the_schema_tells_bounds_and_words() -> None:
    told = TrainingForm.model_json_schema()["properties"]
    assert told["lr"]["exclusiveMinimum"] == 0
    assert told["momentum"]["exclusiveMaximum"] == 1
    assert (told["seed"]["minimum"], told["seed"]["maximum"]) == (0, 2**63 - 1)
    assert told["lr_policy"]["anyOf"][0]["enum"] == list(POLICIES)
    assert within("average").metadata


def test_a_check_may_name_weights() -> None:
    assert CheckForm(network="x", weights="a.caffemodel", crop=3).weights_at == "last"
