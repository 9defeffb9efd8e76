"""Every error that a user can cause, and the exit code of its kind.

A class owns its exit code, so the command line needs no table: it prints the
message of whatever ``ProtonetError`` reaches it and leaves with ``exit_code``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache

_LONGEST = 160
"""Letters of a line that a message shows."""

_MOST = 100
"""Mistakes that one error shows: a text of rubbish has as many as letters."""


_LONG_WORD = re.compile(r"\S{401,}")
"""Rubbish is one word of millions of letters; paths and lists of names are shorter."""

_GUESSED = 64
"""Letters of the longest name that a nearest one is looked for."""


@dataclass(frozen=True)
class Mistake:
    """One mistake in a text: what is wrong, where, and what would work.

    ``line`` and ``column`` count from 1; 0 means that the place is not known.
    ``excerpt`` is the line of the text without its newline.
    """

    message: str
    file: str = ""
    line: int = 0
    column: int = 0
    excerpt: str = ""
    hint: str = ""

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        message = _short(self.message)
        parts = [f"{place}: {message}" if place else message]
        if self.excerpt and self.column:
            excerpt, column = self.window
            lead = "".join("\t" if c == "\t" else " " for c in excerpt[: column - 1])
            parts += [f"    {excerpt}", f"    {lead}^"]
        if self.hint:
            parts.append(f"    {_short(self.hint)}")
        return "\n".join(parts)

    @property
    def window(self) -> tuple[str, int]:
        """The part of a long line around the column, and the column in it."""
        if len(self.excerpt) <= _LONGEST:
            return self.excerpt, self.column
        start = max(0, min(self.column - 1 - _LONGEST // 2, len(self.excerpt) - _LONGEST))
        end = start + _LONGEST
        before = "..." if start else ""
        after = "..." if end < len(self.excerpt) else ""
        part = f"{before}{self.excerpt[start:end]}{after}"
        return part, self.column - start + len(before)


class ProtonetError(Exception):
    """Base of all errors that are a user's to mend."""

    exit_code = 1


class UsageError(ProtonetError):
    """Options that contradict each other, a file that is not there, an existing folder."""

    exit_code = 2


class NetworkError(ProtonetError):
    """Mistakes in a network or solver definition: the first hundred, and how many there are."""

    exit_code = 3

    def __init__(self, mistakes: Iterable[Mistake] | str) -> None:
        found = (Mistake(mistakes),) if isinstance(mistakes, str) else tuple(mistakes)
        self.count = len(found)
        if self.count > _MOST:
            rest = Mistake(f"and {self.count - _MOST:,} more mistakes", found[0].file)
            found = (*found[:_MOST], rest)
        self.mistakes = found
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))


class LayerError(ProtonetError):
    """What a layer refuses, said without its place: the plan adds file, line, name and type.

    ``path`` names the field at fault inside the layer's message, such as
    ``("bottom", 1)`` or ``("inner_product_param", "num_output")``.
    """

    exit_code = 3

    def __init__(self, message: str, path: Sequence[str | int] = (), hint: str = "") -> None:
        super().__init__(message)
        self.path = tuple(path)
        self.hint = hint


class DataError(ProtonetError):
    """A database, record, image or mean that cannot be read or does not fit."""

    exit_code = 4


class FormatError(ProtonetError):
    """A file of weights or state that is damaged, of another kind, or of another net."""

    exit_code = 5


class OtherNetError(FormatError):
    """Weights whose layers have other shapes than the net's."""


class NoJobError(UsageError):
    """A job that is not there."""


class DeviceError(ProtonetError):
    """A processor that is not there or has not enough memory."""

    exit_code = 6


class TrainingError(ProtonetError):
    """Training that cannot go on, such as a loss that is not finite."""

    exit_code = 7


def _short(text: str) -> str:
    """The text with the middle of overlong words left out."""
    return _LONG_WORD.sub(lambda word: f"{word[0][:200]}...{word[0][-100:]}", text)


def nearest(name: str, known: Iterable[str]) -> str:
    """``"; did you mean 'x'?"`` for the nearest of ``known``, or an empty string."""
    return _nearest(name, tuple(known)) if len(name) <= _GUESSED else ""


@lru_cache(maxsize=64)
def _nearest(name: str, known: tuple[str, ...]) -> str:
    folded = {option.lower(): option for option in known if len(option) <= 2 * _GUESSED}
    matches = get_close_matches(name.lower(), list(folded), n=1, cutoff=0.6)
    return f"; did you mean '{folded[matches[0]]}'?" if matches else ""
