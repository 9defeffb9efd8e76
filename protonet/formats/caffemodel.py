"""Weights on disk: .caffemodel and .caffemodel.h5."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from protonet.errors import FormatError, NetworkError, UsageError
from protonet.formats import hdf5
from protonet.formats.arrays import SUFFIXES, read_arrays, write_arrays
from protonet.formats.atomic import write_atomic
from protonet.formats.blobs import from_array, to_array
from protonet.formats.kind import SIZE_LIMIT, is_hdf5, read_message
from protonet.formats.stored_weights import StoredParams, int8_of, stored_weights
from protonet.proto.caffe_pb2 import NetParameter
from protonet.proto.upgrade import upgrade_message

_WANTED = "a .caffemodel (weights)"

Weights = Mapping[str, Sequence[np.ndarray | None]]
"""The parameters of each layer by its name; None for one that another layer's entry holds. None
at all for a layer that its file lists without any.
"""


def read_model(path: str | Path) -> NetParameter:
    """The net of a binary .caffemodel with its weights, upgraded to the current dialect.

    Raises:
        UsageError: when the file cannot be read.
        FormatError: when it is not a .caffemodel; says what it looks like instead.
    """
    net = read_message(Path(path), NetParameter, _WANTED)
    try:
        return upgrade_message(net)
    except (NetworkError, UnicodeDecodeError) as error:
        raise FormatError(f"{path}: holds a net that cannot be: {error}") from error


def write_model(path: str | Path, net: NetParameter) -> None:
    """Write a net with its weights atomically; as HDF5 if the name ends in .h5.

    Raises:
        UsageError: when the folder cannot be written to, or h5py is needed and missing.
        FormatError: when the disk is full, or the net is too large for protobuf.
    """
    path = Path(path)
    if path.suffix == ".h5":
        write_hdf5(path, _owned(net))
        return
    # Layer by layer: ByteSize() fails for a message over the limit.
    if sum(layer.ByteSize() + 8 for layer in net.layer) > SIZE_LIMIT:
        raise FormatError(
            f"{path}: the net is larger than 2 GiB, which protobuf cannot hold; "
            f"store it as HDF5 (snapshot_format: HDF5, {path.name}.h5)"
        )
    write_atomic(path, net.SerializeToString())


def read_weights(path: str | Path) -> Weights:
    """The weights of every layer, from a .caffemodel, a .caffemodel.h5, an .npz or a .safetensors
    file.

    Caffe's two formats are recognized by content. A .caffemodel also lists layers without weights.

    Raises:
        UsageError: when the file cannot be read, or h5py is needed and missing.
        FormatError: when it has no weights; says what it looks like instead.
    """
    weights = open_weights(path)
    return {name: list(params) for name, params in weights.items()}


def open_weights(path: str | Path) -> Weights:
    """As ``read_weights``; of a .caffemodel, values are read from the file when they are asked for.
    The file stays open as long as the weights are.

    Raises:
        UsageError, FormatError: as ``read_weights``.
    """
    path = Path(path)
    if path.suffix in SUFFIXES:
        return read_arrays(path)
    if is_hdf5(path):
        return _read_hdf5(path)
    with suppress(OSError, ValueError):  # of which reading it all says more
        return stored_weights(path)
    return {
        layer.name: StoredParams(
            [
                to_array(blob, f"{path}: layer '{layer.name}' parameter {index}")
                for index, blob in enumerate(layer.blobs)
            ],
            int8_of(layer),
        )
        for layer in read_model(path).layer
    }


def write_weights(path: str | Path, weights: Weights) -> None:
    """Write weights alone, without a net or layers without weights; the extension of the file
    name decides the format.

    Raises:
        UsageError: for another ending, or a library that is missing.
        FormatError: when the disk is full, or the weights are too large for protobuf.
    """
    path = Path(path)
    weights = {name: params for name, params in weights.items() if len(params)}
    if path.suffix in SUFFIXES:
        write_arrays(path, weights)
        return
    if path.suffix == ".h5":
        write_hdf5(path, weights)
        return
    if path.suffix != ".caffemodel":
        kinds = ", ".join([".caffemodel", ".h5", *SUFFIXES])
        raise UsageError(f"{path}: expected a name that ends in {kinds}")
    net = NetParameter()
    for name, params in weights.items():
        if any(array is None for array in params):
            raise FormatError(f"layer '{name}' lacks parameters that come before others")
        blobs = [from_array(array) for array in params if array is not None]
        net.layer.add(name=name, blobs=blobs)
    write_model(path, net)


def _read_hdf5(path: Path) -> Weights:
    """``/data/<layer>/<index>``; layers without weights have an empty group."""
    with hdf5.reading(path) as file:
        root = hdf5.children(file)
        if "data" not in root or not hdf5.is_group(root["data"]):
            kind = "a .solverstate.h5" if "iter" in root else "an HDF5 file of another kind"
            raise FormatError(f"{path}: is {kind}; expected a .caffemodel.h5 (weights)")
        weights: dict[str, Sequence[np.ndarray | None]] = {}
        # A slash in a layer's name makes nested groups, so layers may be at any depth.
        pending = [("", root["data"])]
        seen = set()
        while pending:
            name, group = pending.pop(0)
            if group in seen:
                raise FormatError(f"{path}: the groups of /data contain each other")
            seen.add(group)
            nodes = hdf5.children(group)
            below = {key: node for key, node in nodes.items() if hdf5.is_group(node)}
            pending += [(f"{name}/{key}" if name else key, node) for key, node in below.items()]
            if len(nodes) > len(below):
                weights[name] = _blobs(path, name, nodes.keys() - below.keys(), nodes)
        return weights


def _blobs(
    path: Path, layer: str, keys: set[str], nodes: Mapping[str, Any]
) -> list[np.ndarray | None]:
    """The parameters of a layer, in order."""
    places = {int(key) for key in keys if key.isdecimal()}
    if len(places) < len(keys) or max(places) > 1000:
        raise FormatError(f"{path}: /data/{layer} has {sorted(keys)}; expected datasets 0, 1, ...")
    return [
        hdf5.numbers(nodes[str(place)], f"{path}: /data/{layer}/{place}")
        if place in places
        else None
        for place in range(max(places) + 1)
    ]


def write_hdf5(path: Path, weights: Weights) -> None:
    """Write weights in Caffe's layout: a group for each layer, a dataset for each parameter that
    is not None. float64 is kept, all else becomes float32.

    Raises:
        UsageError: when the folder cannot be written to, or h5py is missing.
        FormatError: when the disk is full.
    """
    with hdf5.writing(path) as file:
        data = file.create_group("data")
        for name, params in weights.items():
            group = data.require_group(name)
            for index, array in enumerate(params):
                if array is not None:
                    kind = np.float64 if array.dtype == np.float64 else np.float32
                    group.create_dataset(str(index), data=array, dtype=kind)


def _owned(net: NetParameter) -> Weights:
    """The parameters of each layer of a net; None for shared ones after their first occurrence."""
    owned: set[str] = set()
    weights: dict[str, list[np.ndarray | None]] = {}
    for layer in net.layer:
        params = weights.setdefault(layer.name, [])
        for index, blob in enumerate(layer.blobs):
            shared = layer.param[index].name if index < len(layer.param) else ""
            what = f"layer '{layer.name}' parameter {index}"
            params.append(None if shared in owned else to_array(blob, what))
            if shared:
                owned.add(shared)
    return weights
