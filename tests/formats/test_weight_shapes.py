"""Shapes of weights without their values: those that reading gives, in little memory."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from protonet.errors import FormatError
from protonet.formats.blobs import from_array
from protonet.formats.caffemodel import read_weights, write_weights
from protonet.formats.weight_shapes import shapes_of_message, weight_shapes
from protonet.proto.caffe_pb2 import NetParameter


def shapes(weights: object) -> dict[str, list[tuple[int, ...]]]:
    assert isinstance(weights, dict)
    return {name: [each.shape for each in arrays] for name, arrays in weights.items()}


def test_shapes_are_those_of_the_values(tmp_path: Path) -> None:
    path = tmp_path / "w.caffemodel"
    write_weights(path, {
        "conv": [np.ones((4, 3, 5, 7)), np.ones(4)],
        "scalar": [np.ones(())],
        "double": [np.ones((2, 3), np.float64)],
    })  # fmt: skip
    assert shapes(shapes_of_message(path)) == shapes(read_weights(path))


def test_old_layers_and_old_shapes(tmp_path: Path) -> None:
    net = NetParameter(name="old")
    layer = net.layers.add(name="conv1", type="CONVOLUTION", bottom=["data"], top=["conv1"])
    layer.convolution_param.num_output = 2
    blob = layer.blobs.add(num=2, channels=3, height=1, width=4)
    blob.data.extend(range(24))
    path = tmp_path / "w.caffemodel"
    path.write_bytes(net.SerializeToString())
    assert shapes(shapes_of_message(path)) == {"conv1": [(2, 3, 1, 4)]}
    assert shapes(read_weights(path)) == {"conv1": [(2, 3, 1, 4)]}


def test_a_large_file_takes_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "w.caffemodel"
    net = NetParameter()
    net.layer.add(name="fc6", type="InnerProduct").blobs.append(
        from_array(np.ones((5000, 1000), np.float32))
    )
    path.write_bytes(net.SerializeToString())
    del net
    tracemalloc.start()
    found = weight_shapes(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert shapes(found) == {"fc6": [(5000, 1000)]}
    assert peak < 2**20


@pytest.mark.parametrize("keep", [3, 10, 2**24 + 5])
def test_other_files_are_told_by_reading_them(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "w.caffemodel"
    write_weights(path, {"a": [np.ones((5000, 1000))]})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match="cut short"):
        shapes_of_message(path)
    with pytest.raises(FormatError):
        weight_shapes(path)


def test_other_endings_are_read(tmp_path: Path) -> None:
    for name in ("w.npz", "w.safetensors", "w.caffemodel.h5"):
        write_weights(tmp_path / name, {"a": [np.ones((2, 3))]})
        assert shapes(dict(weight_shapes(tmp_path / name))) == {"a": [(2, 3)]}
