"""The shapes of the weights in a large .caffemodel, without reading their values."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError

from protonet.errors import FormatError, NetworkError, UsageError
from protonet.formats.blobs import blob_shape
from protonet.formats.caffemodel import Weights, read_weights
from protonet.formats.kind import HDF5_SIGNATURE
from protonet.proto.caffe_pb2 import BlobProto, NetParameter
from protonet.proto.upgrade import upgrade_message

_LARGE = 16 * 2**20
"""Bytes from which on the values are left out; smaller files are read and checked completely."""
_VALUES = {
    field.number
    for field in BlobProto.DESCRIPTOR.fields
    if "data" in field.name or "diff" in field.name
}
"""The fields of a blob that have its values."""
_AXES = 32
"""Caffe's largest number of axes."""


def weight_shapes(path: str | Path) -> Weights:
    """The weights of every layer, of a large .caffemodel as arrays of zeros that take no memory.

    Raises:
        UsageError, FormatError: as ``read_weights``.
    """
    path = Path(path)
    with suppress(OSError, ValueError):  # of which reading it says more
        if path.stat().st_size >= _LARGE and path.suffix == ".caffemodel":
            return shapes_of_message(path)
    return read_weights(path)


def shapes_of_message(path: Path) -> Weights:
    """The weights of a binary .caffemodel as arrays of zeros that take no memory.

    Raises:
        ValueError: for another file.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[: len(HDF5_SIGNATURE)] == HDF5_SIGNATURE:
            raise ValueError("HDF5")
        kept = b"".join(_stripped(data, 0, len(data), NetParameter.DESCRIPTOR))
    try:
        net = upgrade_message(NetParameter.FromString(kept))
    except (DecodeError, NetworkError, FormatError, UnicodeDecodeError, UsageError) as error:
        raise ValueError("no .caffemodel") from error
    if not net.layer:
        raise ValueError("no layers")
    return {layer.name: [_zeros(blob) for blob in layer.blobs] for layer in net.layer}


def _zeros(blob: BlobProto) -> np.ndarray:
    shape = blob_shape(blob)
    if len(shape) > _AXES or min(shape, default=0) < 0:
        raise ValueError("a shape that cannot be")
    return np.broadcast_to(np.float32(0), shape)


def _stripped(data: Any, at: int, end: int, kind: Descriptor) -> Iterator[bytes]:
    """The bytes of a message of this kind without the values of its blobs."""
    inner = {
        field.number: field.message_type
        for field in kind.fields
        if field.message_type is not None and _may_have_blobs(field.message_type)
    }
    values = _VALUES if kind is BlobProto.DESCRIPTOR else set()
    while at < end:
        begin = at
        tag, at = _varint(data, at, end)
        number, wire = tag >> 3, tag & 7
        content = at
        if wire == 2:
            size, content = _varint(data, at, end)
            at = content + size
        elif wire == 0:
            _, at = _varint(data, at, end)
        elif wire in (1, 5):
            at += 8 if wire == 1 else 4
        else:
            raise ValueError("a group, or no message")
        if at > end:
            raise ValueError("cut short")
        if wire == 2 and number in inner:
            message = b"".join(_stripped(data, content, at, inner[number]))
            yield _as_varint(tag) + _as_varint(len(message)) + message
        elif number not in values:
            yield data[begin:at]


def _may_have_blobs(kind: Descriptor) -> bool:
    """Whether messages of this kind are blobs, or layers, which have them."""
    return (
        kind is BlobProto.DESCRIPTOR
        or any(field.message_type is BlobProto.DESCRIPTOR for field in kind.fields)
        or kind.name.endswith("LayerParameter")
    )


def _varint(data: Any, at: int, end: int) -> tuple[int, int]:
    """A number, and where the next one begins."""
    value = shift = 0
    while at < end and shift < 64:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise ValueError("cut short")


def _as_varint(value: int) -> bytes:
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
