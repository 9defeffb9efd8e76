"""Values as .t7 files, byte for byte as ``torch.save`` writes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from protonet.errors import FormatError
from protonet.formats.atomic import write_atomic
from protonet.torch7.objects import Function, Storage, Table, Tensor, TorchObject
from protonet.torch7.serial import codes
from protonet.torch7.serial.sink import BinarySink, Sink, TextSink

Mode = Literal["binary", "ascii"]

_LARGEST = 2**31 - 1
"""Bytes of a text, and fields of a table: their number is an int of C."""


def write(value: Any, mode: Mode = "binary", long_size: int = 8) -> bytes:
    """A value as the bytes that ``torch.save`` writes.

    Args:
        value: None, a bool, a number, a str or bytes, a list or dict, or a value of
            ``protonet.torch7.objects``. Fields of tables are written in their order.
        mode: the form, as in ``torch.save``.
        long_size: the bytes of a long in the binary form: 8, or 4 for a 32-bit Torch7.

    Raises:
        FormatError: for a value that Torch7 has no form for.
    """
    return b"".join(_pieces(value, mode, long_size))


def save(path: str | Path, value: Any, mode: Mode = "binary") -> None:
    """Write a value to a file, atomically.

    Raises:
        FormatError: as ``write``, or when the disk is full.
        UsageError: when the folder cannot be written to.
    """
    write_atomic(path, _pieces(value, mode, 8))


def _pieces(value: Any, mode: Mode, long_size: int) -> list[bytes]:
    sink: Sink = TextSink() if mode == "ascii" else BinarySink(long_size)
    Writer(sink).put(value)
    return sink.pieces


class Writer:
    """Writes values. Values within values are on a stack of its own, so depth is no danger."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.indices: dict[int, int] = {}
        self.kept: list[Any] = []  # while it lives, nothing else gets its identity

    def put(self, value: Any) -> None:
        """Write one value with all that it refers to."""
        stack: list[Iterator[Any]] = [iter([value])]
        while stack:
            for part in stack[-1]:
                parts = self._begin(part)
                if parts is not None:
                    stack.append(parts)
                    break
            else:
                stack.pop()

    def _begin(self, value: Any) -> Iterator[Any] | None:
        """Write a value up to its first part; returns its parts."""
        sink = self.sink
        if value is None:
            sink.integer(codes.NIL)
        elif isinstance(value, bool):
            sink.integer(codes.BOOLEAN)
            sink.integer(int(value))
        elif isinstance(value, (str, bytes)):
            sink.integer(codes.STRING)
            self._text(value)
        elif isinstance(value, (Mapping, list, tuple)):
            return self._table(value)
        elif isinstance(value, (TorchObject, Tensor, Storage)):
            return self._torch(value)
        elif isinstance(value, Function):
            return self._function(value)
        else:
            try:
                number = float(value)
            except (TypeError, ValueError, OverflowError):
                kind = type(value).__name__
                raise FormatError(f"a {kind} cannot be written to a .t7 file") from None
            sink.integer(codes.NUMBER)
            sink.number(number)
        return None

    def _new(self, value: Any, code: int) -> bool:
        """Write type and index; False if the value was written before."""
        self.sink.integer(code)
        index = self.indices.get(id(value))
        if index is None:
            self.kept.append(value)
            self.indices[id(value)] = len(self.kept)
        self.sink.integer(self.indices[id(value)])
        return index is None

    def _text(self, text: str | bytes) -> None:
        data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
        if len(data) > _LARGEST:
            raise FormatError(f"a text of {len(data):,} bytes cannot be written to a .t7 file")
        self.sink.integer(len(data))
        self.sink.text(data)

    def _table(self, value: Any) -> Iterator[Any] | None:
        if not self._new(value, codes.TABLE):
            return None
        table = value if isinstance(value, Mapping) else Table.of(value)
        fields = [(key, part) for key, part in table.items() if part is not None]
        self.sink.integer(len(fields))
        return (part for pair in fields for part in pair)

    def _torch(self, value: TorchObject | Tensor | Storage) -> Iterator[Any] | None:
        if not self._new(value, codes.TORCH):
            return None
        if isinstance(value, TorchObject):
            if value.version:
                self._text(f"V {value.version}")
            self._text(value.typename)
            return iter([value.fields])
        self._text("V 1")
        if isinstance(value, Storage):
            self._text(f"torch.{value.kind}Storage")
            self.sink.longs(value.size)
            self.sink.elements(value.kind, value.data)
            return None
        self._text(f"torch.{value.kind}Tensor")
        axes = len(value.shape) if value.count else 0
        self.sink.integer(axes)
        self.sink.longs(*value.shape[:axes])
        self.sink.longs(*value.strides[:axes])
        self.sink.longs(value.offset + 1)
        return iter([value.storage])

    def _function(self, value: Function) -> Iterator[Any] | None:
        if value.form == codes.OLD_FUNCTION:
            self.sink.integer(value.form)
        elif not self._new(value, value.form):
            return None
        self._text(value.code)
        return iter([value.upvalues])
