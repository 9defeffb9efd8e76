"""Numbers and texts as bytes of a .t7 file, in the binary and in the ascii form."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from protonet.torch7.objects import DTYPES
from protonet.torch7.serial.codes import RAW


class Sink(Protocol):
    """What both forms can write; ``pieces`` is what was written."""

    pieces: list[bytes]

    def integer(self, value: int) -> None:
        """An int of C: 32 bits."""

    def longs(self, *values: int) -> None:
        """Some longs, written at once."""

    def number(self, value: float) -> None:
        """A number of Lua."""

    def text(self, text: bytes) -> None:
        """A text without its size."""

    def elements(self, kind: str, values: np.ndarray) -> None:
        """The elements of a storage."""


class BinarySink:
    """The binary form, little endian."""

    def __init__(self, long_size: int = 8) -> None:
        self.pieces: list[bytes] = []
        self.long_size = long_size

    def integer(self, value: int) -> None:
        """An int of C: 32 bits."""
        self.pieces.append(value.to_bytes(4, "little", signed=True))

    def longs(self, *values: int) -> None:
        """Some longs, at once."""
        self.pieces += [value.to_bytes(self.long_size, "little", signed=True) for value in values]

    def number(self, value: float) -> None:
        """A number of Lua: a double."""
        self.pieces.append(struct.pack("<d", value))

    def text(self, text: bytes) -> None:
        """A text without its size."""
        self.pieces.append(text)

    def elements(self, kind: str, values: np.ndarray) -> None:
        """The elements of a storage."""
        dtype = DTYPES[kind].newbyteorder("<")
        if kind.endswith("Long"):
            dtype = np.dtype(f"<i{self.long_size}")
        self.pieces.append(values.astype(dtype, copy=False).tobytes())


class TextSink:
    """The ascii form: the digits of C's %d, %.9g and %.17g."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def integer(self, value: int) -> None:
        """An int of C: 32 bits."""
        self._line(str(value))

    def longs(self, *values: int) -> None:
        """Some longs, at once."""
        self._line(" ".join(map(str, values)))

    def number(self, value: float) -> None:
        """A number of Lua: a double."""
        self._line(_digits(float(value), ".17g"))

    def text(self, text: bytes) -> None:
        """A text without its size."""
        self.pieces += [text, b"\n"] if text else []

    def elements(self, kind: str, values: np.ndarray) -> None:
        """The elements of a storage."""
        if kind in RAW:
            self.text(values.tobytes())
        elif values.dtype.kind != "f":
            self._line(" ".join(map(str, values.tolist())))
        else:
            self._line(" ".join(_all_digits(values, ".17g" if kind.endswith("Double") else ".9g")))

    def _line(self, text: str) -> None:
        if text:
            self.pieces.append(text.encode() + b"\n")


def _all_digits(values: np.ndarray, form: str) -> Sequence[str]:
    if np.isnan(values).any():
        return [_digits(value, form) for value in values.tolist()]
    return [format(value, form) for value in values.tolist()]


def _digits(value: float, form: str) -> str:
    """As C prints it, which shows the sign of a nan."""
    if math.isnan(value):
        return "-nan" if math.copysign(1, value) < 0 else "nan"
    return format(value, form)
