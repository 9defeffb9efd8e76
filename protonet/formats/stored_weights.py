"""The weights of a .caffemodel where they are in its file: values are read from there to where
they are needed, without a copy of the file or of its message.
"""

from __future__ import annotations

import mmap
import os
import struct
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any, overload

import numpy as np
from google.protobuf.message import DecodeError

from protonet.blob import Shape
from protonet.errors import FormatError, NetworkError
from protonet.formats.blobs import blob_shape, to_array
from protonet.formats.kind import SIZE_LIMIT
from protonet.formats.wire import field_of, rewritten
from protonet.proto.caffe_pb2 import BlobProto, Int8Parameter, LayerParameter, NetParameter
from protonet.proto.upgrade import upgrade_message

_NUMBERS = {each.name: each.number for each in BlobProto.DESCRIPTOR.fields}
_KINDS: dict[int, np.dtype[Any]] = {
    _NUMBERS["data"]: np.dtype("<f4"),
    _NUMBERS["double_data"]: np.dtype("<f8"),
}
_GRADIENTS = (_NUMBERS["diff"], _NUMBERS["double_diff"])
_RAW = _NUMBERS["raw_data"]
_LEAST = 64
"""Bytes of values from which on they stay in the file."""
_PLACE = struct.Struct("<QQB")
"""Begin and end of values in the file, and bytes of one."""


class StoredArray:
    """An array in a file."""

    def __init__(self, file: _File, shape: Shape, dtype: np.dtype, at: int) -> None:
        self.shape, self.dtype = shape, dtype
        self._file, self._at = file, at

    def read(self) -> np.ndarray:
        """Its values, in a new array."""
        found = np.empty(self.shape, self.dtype)
        self.read_into(found)
        return found

    def read_into(self, out: np.ndarray) -> None:
        """Read it into a contiguous array of its type and count.

        Raises:
            FormatError: when the file has become shorter, or cannot be read.
        """
        self._file.read_into(out.reshape(-1).view(np.uint8).data, self._at)


class StoredParams(Sequence[np.ndarray | None]):
    """The parameters of a layer, each read when it is asked for; ``arrays`` are not read. ``int8``
    is what was measured of the layer's values; None for nothing.
    """

    def __init__(
        self, arrays: Sequence[np.ndarray | StoredArray], int8: Int8Parameter | None = None
    ) -> None:
        self.arrays, self.int8 = tuple(arrays), int8

    def __len__(self) -> int:
        return len(self.arrays)

    @overload
    def __getitem__(self, place: int) -> np.ndarray | None: ...
    @overload
    def __getitem__(self, place: slice) -> list[np.ndarray | None]: ...
    def __getitem__(self, place: int | slice) -> np.ndarray | list[np.ndarray | None] | None:
        if isinstance(place, slice):
            return [_values(each) for each in self.arrays[place]]
        return _values(self.arrays[place])


def _values(array: np.ndarray | StoredArray) -> np.ndarray:
    return array.read() if isinstance(array, StoredArray) else array


@dataclass
class _File:
    """An open file, closed when nothing needs it any more."""

    path: Path
    number: int
    _close: weakref.finalize[[int], _File] = field(init=False)

    def __post_init__(self) -> None:
        self._close = weakref.finalize(self, os.close, self.number)

    def read_into(self, out: memoryview, at: int) -> None:
        done = 0
        while done < len(out):
            try:
                count = os.preadv(self.number, [out[done:]], at + done)
            except OSError as error:
                raise FormatError(f"{self.path}: cannot be read: {error.strerror}") from error
            if count == 0:
                raise FormatError(f"{self.path}: was cut short while it was read")
            done += count


def stored_weights(path: Path) -> Mapping[str, Sequence[np.ndarray | None]]:
    """The weights of every layer of a binary .caffemodel, read when they are asked for.

    Raises:
        ValueError: for another file, and for one that needs protobuf: it says what is wrong.
        FormatError: for values that do not fit their shape.
        OSError: when it cannot be read.
    """
    file = _File(path, os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0)))
    if not 0 < os.fstat(file.number).st_size <= SIZE_LIMIT:
        raise ValueError("empty, too large, or no file")
    found, marks = _marked(file)
    layers = {
        layer.name: StoredParams(
            [
                _blob(file, blob, f"{path}: layer '{layer.name}' parameter {index}")
                for index, blob in enumerate(layer.blobs)
            ],
            int8_of(layer),
        )
        for layer in found.layer
    }
    arrays = [array for params in layers.values() for array in params.arrays]
    if sum(isinstance(array, StoredArray) for array in arrays) != marks or not layers:
        raise ValueError("values in several parts, or layers of one name")
    return layers


def int8_of(layer: LayerParameter) -> Int8Parameter | None:
    """What was measured of a layer's values, in a quantized file; else None."""
    return layer.int8_param if layer.HasField("int8_param") else None


def int8_params_in(
    weights: Mapping[str, Sequence[np.ndarray | None]],
) -> dict[str, Int8Parameter]:
    """What was measured of the values of each layer; empty unless the file was quantized."""
    return {
        name: params.int8
        for name, params in weights.items()
        if isinstance(params, StoredParams) and params.int8 is not None
    }


def _marked(file: _File) -> tuple[NetParameter, int]:
    """The net with marks in place of the values of its blobs, and their number."""
    marks = 0

    def mark(number: int, begin: int, end: int) -> bytes | None:
        nonlocal marks
        if number in _GRADIENTS:
            return b""
        if number == _RAW:
            raise ValueError("raw values")
        kind = _KINDS.get(number)
        if kind is None or end - begin < _LEAST:
            return None
        if (end - begin) % kind.itemsize:
            raise ValueError("cut values")
        marks += 1
        return field_of(_RAW, _PLACE.pack(begin, end, kind.itemsize))

    with mmap.mmap(file.number, 0, access=mmap.ACCESS_READ) as data:
        if data[:1] == b"\x08":  # a .solverstate
            raise ValueError("no net")
        kept = b"".join(rewritten(data, 0, len(data), NetParameter.DESCRIPTOR, mark))
    try:
        return upgrade_message(NetParameter.FromString(kept)), marks
    except (DecodeError, NetworkError, UnicodeDecodeError) as error:
        raise ValueError("no .caffemodel") from error


def _blob(file: _File, blob: BlobProto, what: str) -> np.ndarray | StoredArray:
    """The array of a blob; in the file, where its values are marked."""
    if not blob.HasField("raw_data"):
        return to_array(blob, what)
    if blob.data or blob.double_data:
        raise ValueError("values in several parts")
    begin, end, size = _PLACE.unpack(blob.raw_data)
    shape, count = blob_shape(blob), (end - begin) // size
    if min(shape, default=0) < 0 or count != prod(shape):
        raise ValueError("values that do not fit")
    return StoredArray(file, shape, np.dtype(f"<f{size}"), begin)
