"""The shapes of the weights in a large .caffemodel, without reading their values."""

from __future__ import annotations

import mmap
from contextlib import suppress
from pathlib import Path

import numpy as np
from google.protobuf.message import DecodeError

from protonet.errors import FormatError, NetworkError, UsageError
from protonet.formats.blobs import blob_shape
from protonet.formats.caffemodel import Weights, read_weights
from protonet.formats.kind import HDF5_SIGNATURE
from protonet.formats.wire import rewritten
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
        kind = NetParameter.DESCRIPTOR
        kept = b"".join(rewritten(data, 0, len(data), kind, _leave_out))
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


def _leave_out(number: int, _begin: int, _end: int) -> bytes | None:
    return b"" if number in _VALUES else None
