"""Frozen values as JSON, checked when they are read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from protonet.errors import FormatError, UsageError
from protonet.jobs.json_form import from_json, to_json


@dataclass(frozen=True)
class Part:
    """A value inside another."""

    size: int


@dataclass(frozen=True)
class Sample:
    """A field of each kind."""

    path: Path
    name: str = "a"
    rate: float = 0.5
    count: int | None = None
    flag: bool = False
    pair: tuple[int, float] = (1, 2.0)
    many: tuple[str, ...] = ()
    part: Part | None = None
    names: frozenset[str] = frozenset()


def test_values_go_round() -> None:
    value = Sample(
        Path("/p"), "b", 2.5, 3, True, (4, 5.0), ("x", "y", "z"), Part(7), frozenset("ba")
    )
    values = to_json(value)
    assert values["path"] == "/p"
    assert values["many"] == ["x", "y", "z"]
    assert values["names"] == ["a", "b"]
    assert from_json(Sample, values, "f") == value


def test_defaults_and_ready_values() -> None:
    assert from_json(Sample, {"path": "p"}, "f") == Sample(Path("p"))
    assert from_json(Sample, {"count": 2}, "f", path=Path("q")) == Sample(Path("q"), count=2)


def test_whole_numbers_are_floats_and_booleans_are_not() -> None:
    found = from_json(Sample, {"path": "p", "rate": 2}, "f")
    assert (found.rate, type(found.rate)) == (2.0, float)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "f: damaged: path is missing"),
        ({"path": None}, "expected path as Path, got null"),
        ({"path": "p", "count": True}, "expected count as int, got true"),
        ({"path": "p", "count": 1.5}, "expected count as int, got 1.5"),
        ({"path": "p", "flag": 1}, "expected flag as bool, got 1"),
        ({"path": "p", "rate": "x"}, 'expected rate as float, got "x"'),
        ({"path": "p", "pair": [1]}, r"expected pair as tuple, got \[1\]"),
        ({"path": "p", "many": ["a", 2]}, "expected many as str, got 2"),
        ({"path": "p", "part": {"size": "x"}}, "f: part: damaged: expected size as int"),
        ({"path": "p", "names": [1]}, "expected names as str, got 1"),
        ({"path": "p", "names": "ab"}, 'expected names as frozenset, got "ab"'),
        ({"path": "p", "part": 1}, "expected part as Part, got 1"),
        ({"path": "p", "many": "ab"}, 'expected many as tuple, got "ab"'),
    ],
)
def test_what_is_damaged_is_told(values: dict[str, Any], message: str) -> None:
    with pytest.raises(FormatError, match=message):
        from_json(Sample, values, "f")


def test_unknown_names_are_told() -> None:
    with pytest.raises(UsageError, match=r"f: has values unknown .*: a, z"):
        from_json(Sample, {"path": "p", "z": 1, "a": 2}, "f")
