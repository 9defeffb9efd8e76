"""The bytes of a .t7 file as numbers and texts, in the binary and in the ascii form.

Each method checks that the file has what it reads, before anything is allocated.
"""

from __future__ import annotations

import struct
from typing import Any, NoReturn, Protocol

import numpy as np

from protonet.torch7.objects import DTYPES
from protonet.torch7.serial.codes import RAW

_SPACE = b" \t\n\v\f\r"
_LONGEST_NUMBER = 64
"""Characters of a number: Torch writes at most 24."""
_PIECE = 1 << 22
"""Bytes of the ascii form that become numbers at a time."""
_LIMITS = {4: 2**31, 8: 2**63}


class UnreadableError(Exception):
    """Something in the file is not as Torch7 writes it."""

    def __init__(self, position: int, message: str) -> None:
        super().__init__(message)
        self.position = position


class Source(Protocol):
    """What both forms can read. ``position`` counts bytes."""

    position: int
    least_field: int

    @property
    def left(self) -> int:
        """The bytes from the position to the end."""

    def integer(self) -> int:
        """An int of C: 32 bits."""

    def long(self) -> int:
        """A long of C, of 32 or 64 bits."""

    def longs(self, count: int) -> list[int]:
        """Some longs, written at once."""

    def number(self) -> float:
        """A number of Lua."""

    def text(self, size: int) -> bytes:
        """A text of so many bytes."""

    def elements(self, kind: str, count: int) -> np.ndarray:
        """The elements of a storage."""


class BinarySource:
    """The binary form, little endian."""

    least_field = 12
    """The fewest bytes of a field of a table: a number, or two values of eight and four."""

    def __init__(self, data: memoryview, long_size: int) -> None:
        self.data = data
        self.position = 0
        self.long_size = long_size

    @property
    def left(self) -> int:
        """The bytes from the position to the end."""
        return len(self.data) - self.position

    def integer(self) -> int:
        """An int of C: 32 bits."""
        return int.from_bytes(self._take(4), "little", signed=True)

    def long(self) -> int:
        """A long of C."""
        return int.from_bytes(self._take(self.long_size), "little", signed=True)

    def longs(self, count: int) -> list[int]:
        """Some longs, at once."""
        return [int(value) for value in self._array(f"<i{self.long_size}", count)]

    def number(self) -> float:
        """A number of Lua: a double."""
        value: float = struct.unpack("<d", self._take(8))[0]
        return value

    def text(self, size: int) -> bytes:
        """A text of so many bytes."""
        return bytes(self._take(size))

    def elements(self, kind: str, count: int) -> np.ndarray:
        """The elements of a storage."""
        dtype = DTYPES[kind].newbyteorder("<")
        if kind.endswith("Long"):
            dtype = np.dtype(f"<i{self.long_size}")
        return self._array(dtype, count).astype(DTYPES[kind])

    def _array(self, dtype: Any, count: int) -> np.ndarray:
        dtype = np.dtype(dtype)
        return np.frombuffer(self._take(count * dtype.itemsize), dtype)

    def _take(self, size: int) -> memoryview:
        if not 0 <= size <= self.left:
            _lacks(self, size, "bytes")
        part = self.data[self.position : self.position + size]
        self.position += size
        return part


class TextSource:
    """The ascii form: numbers in words, each run of them ended by a newline."""

    least_field = 6

    def __init__(self, data: memoryview) -> None:
        self.data = bytes(data)
        self.position = 0

    @property
    def left(self) -> int:
        """The bytes from the position to the end."""
        return len(self.data) - self.position

    def integer(self) -> int:
        """An int of C: 32 bits."""
        return self._whole(4)

    def long(self) -> int:
        """A long of C."""
        return self._whole(8)

    def longs(self, count: int) -> list[int]:
        """Some longs, at once."""
        return [int(value) for value in self._numbers(np.dtype(np.int64), count)]

    def number(self) -> float:
        """A number of Lua: a double."""
        start, word = self._word()
        try:
            return float(word)
        except ValueError:
            raise UnreadableError(start, f"expected a number, found {_quoted(word)}") from None

    def text(self, size: int) -> bytes:
        """A text of so many bytes."""
        if not 0 <= size <= self.left:
            _lacks(self, size, "bytes")
        text = self.data[self.position : self.position + size]
        self.position += size
        if size:
            self._newline()
        return text

    def elements(self, kind: str, count: int) -> np.ndarray:
        """The elements of a storage."""
        if kind in RAW:
            return np.frombuffer(self.text(count), DTYPES[kind]).copy()
        return self._numbers(DTYPES[kind], count)

    def _numbers(self, dtype: np.dtype[Any], count: int) -> np.ndarray:
        """A line of numbers with a space between two."""
        if not 0 <= 2 * count <= self.left + 1:
            _lacks(self, count, "numbers")
        values = np.empty(count, dtype)
        done = 0
        while done < count:
            end = self._piece()
            words = self.data[self.position : end].split()
            if not words or done + len(words) > count:
                _lacks(self, count, "numbers on this line")
            values[done : done + len(words)] = self._parsed(words, dtype)
            done += len(words)
            self.position = end
            if self.data[end : end + 1] == b"\n" and done < count:
                _lacks(self, count, "numbers on this line")
        if count:
            self._newline()
        return values

    def _piece(self) -> int:
        """Where the next numbers end: at the end of the line, or at a space before it."""
        limit = self.position + _PIECE
        line = self.data.find(b"\n", self.position, limit)
        if line >= 0:
            return line
        if limit >= len(self.data):
            return len(self.data)
        space = self.data.rfind(b" ", self.position, limit)
        return space if space > self.position else limit

    def _parsed(self, words: list[bytes], dtype: np.dtype[Any]) -> np.ndarray:
        try:
            if dtype.kind != "f":
                return np.array([int(word) for word in words], dtype)
            with np.errstate(over="ignore"):
                return np.array([float(word) for word in words]).astype(dtype, copy=False)
        except (ValueError, OverflowError):
            message = f"expected {len(words)} numbers of type {dtype}"
            raise UnreadableError(self.position, message) from None

    def _whole(self, size: int) -> int:
        start, word = self._word()
        try:
            value = int(word)
        except ValueError:
            raise UnreadableError(
                start, f"expected a whole number, found {_quoted(word)}"
            ) from None
        if not -_LIMITS[size] <= value < _LIMITS[size]:
            raise UnreadableError(start, f"{value} does not fit {8 * size} bits")
        return value

    def _word(self) -> tuple[int, bytes]:
        """The next word and where it starts; the newline after it is read, too."""
        while self.data[self.position : self.position + 1].isspace():
            self.position += 1
        start = self.position
        part = self.data[start : start + _LONGEST_NUMBER + 1].split(maxsplit=1)
        if not part:
            raise UnreadableError(start, "the file ends here; it was cut short")
        word = part[0]
        if len(word) > _LONGEST_NUMBER:
            raise UnreadableError(start, f"expected a number, found {_quoted(word)}")
        self.position += len(word)
        self._newline()
        return start, word

    def _newline(self) -> None:
        if self.data[self.position : self.position + 1] == b"\n":
            self.position += 1


def _lacks(source: Source, count: int, what: str) -> NoReturn:
    if count < 0:
        raise UnreadableError(source.position, f"a size of {count} is negative")
    raise UnreadableError(
        source.position, f"expected {count:,} {what}, but {source.left:,} bytes are left"
    )


def _quoted(word: bytes) -> str:
    return repr(word[:24].decode("ascii", "replace"))
