"""Fields of the form, filled with given values; empty ones mean the default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui

from protonet.web.forms import numbers

Given = Mapping[str, Any]
"""The values of a form by name, such as those of a cloned training."""


class Fields:
    """The fields of a section. ``values`` are what the form takes of them.

    Args:
        given: the values to show at first.
    """

    def __init__(self, given: Given) -> None:
        self.given = given
        self._read: dict[str, Any] = {}
        self.shown: dict[str, Any] = {}

    def values(self) -> dict[str, Any]:
        """The values by name.

        Raises:
            ValueError: for a text that is no number where one belongs.
        """
        return {name: read() for name, read in self._read.items()}

    def text(self, name: str, label: str, usual: str = "") -> Any:
        """A text."""
        value = self.given.get(name)
        field = self._add(name, ui.input(label, value=usual if value in (None, "") else value))
        self._read[name] = lambda: field.value or ""
        return field

    def number(self, name: str, label: str, usual: float | None = None, *, whole: bool = False,
               hint: str = "") -> Any:  # fmt: skip
        """A number; empty for None."""
        value = self.given.get(name, usual)
        shown = "" if value is None else f"{value:.12g}"
        field = self._add(name, ui.input(label, value=shown, placeholder=hint))
        self._read[name] = lambda: _one(field.value, label, int if whole else float)
        return field

    def numbers(self, name: str, label: str, usual: str = "", *, whole: bool = False,
                hint: str = "") -> Any:  # fmt: skip
        """Numbers with commas between them."""
        value = self.given.get(name)
        shown = listed(value) if value else usual
        field = self._add(name, ui.input(label, value=shown, placeholder=hint))
        self._read[name] = lambda: _many(field.value, label, int if whole else float)
        return field

    def choice(self, name: str, label: str, options: Any, usual: Any = None) -> Any:
        """One of several values; ``options`` are a list, or labels by value."""
        value = self.given.get(name, usual)
        field = ui.select(options, value=value if value in options else usual, label=label)
        self._add(name, field.props("options-dense"))
        self._read[name] = lambda: field.value
        return field

    def check(self, name: str, label: str, *, usual: bool = False) -> Any:
        """A box to check."""
        field = ui.checkbox(label, value=bool(self.given.get(name, usual)))
        self._read[name] = lambda: bool(field.value)
        self.shown[name] = field
        return field

    def _add(self, name: str, field: Any) -> Any:
        self.shown[name] = field
        return field.props("outlined dense stack-label").classes("field")


def listed(values: Sequence[float]) -> str:
    """Numbers with commas between them."""
    return ", ".join(f"{value:.12g}" for value in values)


def _one(text: str | None, label: str, kind: Any) -> Any:
    many = _many(text, label, kind)
    if len(many) > 1:
        raise ValueError(f"{label}: expected one number, got '{text}'")
    return many[0] if many else None


def _many(text: str | None, label: str, kind: Any) -> list[Any]:
    try:
        return numbers(text or "", kind)
    except ValueError:
        what = "whole numbers" if kind is int else "numbers"
        raise ValueError(f"{label}: expected {what}, got '{text}'") from None
