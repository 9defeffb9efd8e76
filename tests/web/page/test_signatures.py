"""What NiceGUI is told of callbacks is what their signatures say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from nicegui import helpers

from protonet.web.page.signatures import remember_signatures


class Some:
    def none(self) -> None: ...
    def one(self, event: object) -> None: ...
    def optional(self, event: object = None) -> None: ...
    @classmethod
    def of_class(cls, event: object) -> None: ...


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Callable[..., Any]]:
    asked: list[Callable[..., Any]] = []
    inspect = helpers.functions.expects_arguments

    def counting(callback: Callable[..., Any]) -> bool:
        asked.append(callback)
        return inspect(callback)

    monkeypatch.setattr(helpers, "expects_arguments", counting)
    return asked


def test_methods_are_inspected_once(asked: list[Callable[..., Any]]) -> None:
    remember_signatures()
    remember_signatures()
    for _ in range(3):
        some = Some()
        told = [helpers.expects_arguments(each)
                for each in (some.none, some.one, some.optional, Some.of_class)]  # fmt: skip
        assert told == [False, True, False, True]
    assert len(asked) == 4


def test_functions_are_inspected_each_time(asked: list[Callable[..., Any]]) -> None:
    """A function that is made for each page would never be forgotten."""
    remember_signatures()
    for _ in range(2):
        assert helpers.expects_arguments(lambda event: None)
        assert not helpers.expects_arguments(lambda: None)
    assert len(asked) == 4
