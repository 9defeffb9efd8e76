"""BlobProto messages to arrays and back."""

from __future__ import annotations

import math

import numpy as np

from protonet.blob import Shape
from protonet.errors import FormatError
from protonet.proto.caffe_pb2 import BlobProto

_DATA_KEY = b"\x2a"  # field 5 (data), length-delimited: packed floats
_DOUBLE_KEY = b"\x42"  # field 8 (double_data), length-delimited: packed doubles

PAYLOAD_LIMIT = 2**31 - 1 - 1024
"""Bytes of the largest array that fits into a message with its shape."""

_RAW_TYPES = {0: "<f8", 1: "<f4", 2: "<f2"}
"""The dtype of ``raw_data`` by ``raw_data_type`` (NVIDIA's fork of Caffe)."""


def to_array(blob: BlobProto, what: str = "blob") -> np.ndarray:
    """The values of a blob in its shape: float32, or float64 where it holds doubles.

    The array is a copy. ``what`` names the blob in messages.

    Raises:
        FormatError: when the number of values does not match the shape, or the storage format is
            unknown.
    """
    values = _values(blob, what)
    shape = blob_shape(blob)
    if min(shape, default=0) < 0 or values.size != math.prod(shape):
        text = "x".join(map(str, shape)) or "that of a scalar"
        raise FormatError(f"{what} has {values.size} value(s), but its shape is {text}")
    return values.reshape(shape)


def blob_shape(blob: BlobProto) -> Shape:
    """The shape of a blob, in the new field or the four old ones.

    ``()`` without either: Caffe writes scalars so.
    """
    if blob.HasField("shape"):
        return tuple(blob.shape.dim)
    if any(blob.HasField(axis) for axis in ("num", "channels", "height", "width")):
        return (blob.num, blob.channels, blob.height, blob.width)
    return ()


def from_array(array: np.ndarray) -> BlobProto:
    """A blob with the shape and values of ``array``; float64 is kept, all else becomes float32.

    Raises:
        FormatError: for 2 GiB or more, the limit of a message.
    """
    double = array.dtype == np.float64
    payload = np.ascontiguousarray(array, "<f8" if double else "<f4").tobytes()
    if len(payload) > PAYLOAD_LIMIT:
        raise FormatError(
            f"a blob of {array.size} values is larger than 2 GiB, which protobuf cannot hold; "
            "store it as HDF5 (.h5)"
        )
    # Parsing packed bytes is several times faster than appending values.
    blob: BlobProto = BlobProto.FromString(
        (_DOUBLE_KEY if double else _DATA_KEY) + _varint(len(payload)) + payload
    )
    blob.shape.SetInParent()
    blob.shape.dim.extend(array.shape)
    return blob


def shapes_fit(stored: Shape, expected: Shape) -> bool:
    """Whether values of shape ``stored`` can be loaded as ``expected``.

    Old files pad shapes to four axes with leading ones.
    """
    if stored == expected:
        return True
    return len(stored) == 4 and stored == (1,) * (4 - len(expected)) + tuple(expected)


def _values(blob: BlobProto, what: str) -> np.ndarray:
    """The values of a blob, flat."""
    if blob.HasField("raw_data"):
        raw, kind = blob.raw_data, int(blob.raw_data_type)
        if not blob.HasField("raw_data_type") or kind not in _RAW_TYPES:
            raise FormatError(f"{what} has raw_data that is not float, double or float16")
        stored = np.dtype(_RAW_TYPES[kind])
        if len(raw) % stored.itemsize:
            raise FormatError(f"{what} has {len(raw)} bytes of raw_data, no multiple of {stored}")
        return np.frombuffer(raw, stored).astype(np.float64 if kind == 0 else np.float32)
    if blob.double_data:
        return np.array(blob.double_data, np.float64)
    return np.array(blob.data, np.float32)


def _varint(number: int) -> bytes:
    """A number as a protobuf varint."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
