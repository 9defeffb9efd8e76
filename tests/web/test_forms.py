"""Forms: defaults are DIGITS', nothing unknown, nothing beyond its bounds; sweeps."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from protonet.web.forms import TrainingForm, numbers, sweep


def form(**values: Any) -> TrainingForm:
    return TrainingForm.model_validate({"name": "m", "network": "x", "dataset": "d", **values})


def test_defaults_are_those_of_digits() -> None:
    given = form()
    assert (given.epochs, given.lr, given.lr_policy, given.steps, given.solver) == (
        30, 0.01, "multistep", [], "SGD",
    )  # fmt: skip
    assert sweep(given) == [("m", 0.01, None)]


def test_several_rates_and_sizes_are_a_sweep() -> None:
    found = sweep(form(lrs=[0.1, 0.01], batch_sizes=[4, 8]))
    assert [(rate, size) for _, rate, size in found] == [(0.1, 4), (0.1, 8), (0.01, 4), (0.01, 8)]
    assert found[0][0] == "m lr 0.1 batch 4"


@pytest.mark.parametrize(
    "values",
    [
        {"lr": 0}, {"lr": float("nan")}, {"lr": float("inf")}, {"epochs": -1}, {"momentum": 1},
        {"solver": "Magic"}, {"lr_policy": "never"}, {"device": "cuda:0; rm"}, {"seed": -1},
        {"precision": "float8"},
        {"batch_sizes": [0]}, {"lrs": [0.1] * 21}, {"steps": [101]}, {"name": ""},
        {"weights_at": "../x"}, {"surprise": 1}, {"network": "a\0b"}, {"notes": "x" * 20_001},
    ],
)  # fmt: skip
def test_what_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        form(**values)


def test_lists_as_people_type_them() -> None:
    assert numbers("0.1, 0.01;1", float) == [0.1, 0.01, 1.0]
    assert numbers(" ", int) == []
    with pytest.raises(ValueError, match="x"):
        numbers("x", int)
