"""The errors that a user can cause, with their exit codes.

The command line prints the message of any ``ProtonetError`` and exits with its ``exit_code``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

_LONGEST = 160
"""Characters of a line shown in a message."""

_MOST = 100
"""Mistakes shown by one error: garbage has as many as characters."""


_LONG_WORD = re.compile(r"\S{401,}")
"""Garbage may be one word of millions of characters; paths and names are shorter."""

_GUESSED = 64
"""Length of the longest name for which a nearest one is suggested."""


@dataclass(frozen=True)
class Mistake:
    """One mistake in a text: what is wrong, where, and what would work.

    ``line`` and ``column`` count from 1; 0 means that the position is unknown.
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
    """Base of all errors that a user can correct."""

    exit_code = 1


class UsageError(ProtonetError):
    """Contradictory options, a missing file, an existing folder."""

    exit_code = 2


class NetworkError(ProtonetError):
    """Mistakes in a network or solver definition: the first hundred, and their number."""

    exit_code = 3

    def __init__(self, mistakes: Iterable[Mistake] | str) -> None:
        shown = (Mistake(mistakes),) if isinstance(mistakes, str) else tuple(mistakes)
        self.count = len(shown)
        if self.count > _MOST:
            rest = Mistake(f"and {self.count - _MOST:,} more mistakes", shown[0].file)
            shown = (*shown[:_MOST], rest)
        self.mistakes = shown
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))


class DamagedTextError(NetworkError):
    """Mistakes of single fields of a text, whose other parts can be judged as well."""


class LayerError(ProtonetError):
    """A layer's error without its position: the plan adds file, line, name and type.

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
    """A file of weights or state that is damaged, of another type, or of another net."""

    exit_code = 5


class OtherNetError(FormatError):
    """Weights whose shapes differ from those of the net."""


class NoJobError(UsageError):
    """A job that does not exist."""


class DeviceError(ProtonetError):
    """A device that does not exist or has not enough memory."""

    exit_code = 6


class TrainingError(ProtonetError):
    """Training that cannot continue, such as with a non-finite loss."""

    exit_code = 7


def _short(text: str) -> str:
    """The text with overlong words abbreviated."""
    return _LONG_WORD.sub(lambda word: f"{word[0][:200]}...{word[0][-100:]}", text)


def nearest(name: str, known: Iterable[str]) -> str:
    """``"; did you mean 'x'?"`` for the nearest of ``known``, or an empty string."""
    return _nearest(name, tuple(known)) if len(name) <= _GUESSED else ""


@lru_cache(maxsize=64)
def _nearest(name: str, known: tuple[str, ...]) -> str:
    from difflib import get_close_matches  # a mistake is rare

    folded = {option.lower(): option for option in known if len(option) <= 2 * _GUESSED}
    matches = get_close_matches(name.lower(), list(folded), n=1, cutoff=0.6)
    return f"; did you mean '{folded[matches[0]]}'?" if matches else ""
