"""Bounds tell what they expected; they are those of the settings' fields."""

from __future__ import annotations

from dataclasses import fields

import pytest

from protonet.jobs.run.bounds import BOUNDS, CHOICES, MEANS, POLICIES, STEPPED, Bound, mean_values
from protonet.jobs.run.settings import RunSettings


@pytest.mark.parametrize(
    ("bound", "wrong", "problem"),
    [
        (Bound(0, above=True), 0.0, "must be above 0, got 0"),
        (Bound(0, above=True), float("inf"), "must be finite"),
        (Bound(0), -0.5, "must be at least 0 and finite, got -0.5"),
        (Bound(0), float("nan"), "must be at least 0 and finite, got nan"),
        (Bound(0, 1, below=True), 1.0, "must be at least 0 and below 1, got 1"),
        (Bound(0, 1, above=True, below=True), 1.0, "must be between 0 and 1, got 1"),
        (Bound(0, 100, above=True), 101.0, "must be above 0 and at most 100, got 101"),
        (Bound(1, 9, whole=True), 0, "must be at least 1, got 0"),
        (Bound(1, 9, whole=True), 10, "must be at most 9, got 10"),
    ],
)
def test_what_is_wrong(bound: Bound, wrong: float, problem: str) -> None:
    assert bound.problem(wrong) == problem
    assert bound.problem(bound.least + (1 if bound.whole else 0.5)) is None


def test_they_are_those_of_settings() -> None:
    names = {each.name for each in fields(RunSettings)}
    assert BOUNDS.keys() | CHOICES.keys() <= names
    assert set(STEPPED) < set(POLICIES)


def test_a_mean_of_numbers() -> None:
    assert mean_values("104,117.5, 3") == (104.0, 117.5, 3.0)
    assert [mean_values(each) for each in (*MEANS, "mean.binaryproto", "")] == [None] * 5
