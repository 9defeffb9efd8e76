"""Weights on disk: .caffemodel and .caffemodel.h5."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from protonet.errors import FormatError
from protonet.formats import hdf5
from protonet.formats.atomic import write_atomic
from protonet.formats.blobs import to_array
from protonet.formats.kind import looks_like_state, read_message
from protonet.proto.caffe_pb2 import NetParameter
from protonet.proto.upgrade import upgrade_message

_WHAT = "a .caffemodel (weights)"
_LIMIT = 2**31 - 1


def read_model(path: Path) -> NetParameter:
    """The net of a binary .caffemodel with its weights, brought to today's dialect.

    Raises:
        FormatError: naming what the file is instead, when it is no .caffemodel.
    """
    net = NetParameter()
    read_message(path, net, _WHAT)
    net = upgrade_message(net)
    if not net.layer:
        data = Path(path).read_bytes()
        kind = "a .solverstate" if looks_like_state(data) else "a file without layers"
        raise FormatError(f"{path}: is {kind}; expected {_WHAT}")
    return net


def write_model(path: Path, net: NetParameter) -> None:
    """Write a net with its weights, whole or not at all; HDF5 where the name ends in .h5.

    Raises:
        FormatError: when the disk is full, or the net is too large for protobuf.
    """
    if Path(path).suffix == ".h5":
        hdf5.write_weights(path, net)
        return
    if net.ByteSize() > _LIMIT:
        raise FormatError(
            f"{path}: the net is larger than 2 GiB, which protobuf cannot hold; "
            "set snapshot_format: HDF5"
        )
    write_atomic(path, net.SerializeToString())


def read_weights(path: Path) -> Mapping[str, Sequence[np.ndarray | None]]:
    """The weights of every layer that has any, by name, from .caffemodel or .caffemodel.h5.

    None stands for a parameter that the file leaves to the layer that owns it.
    """
    if Path(path).suffix == ".h5":
        return hdf5.read_weights(path)
    return {
        layer.name: [
            to_array(blob, f"{path}: layer '{layer.name}' parameter {i}")
            for i, blob in enumerate(layer.blobs)
        ]
        for layer in read_model(path).layer
        if layer.blobs
    }
