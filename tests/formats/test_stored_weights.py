"""Weights that stay in their file until they are asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.errors import FormatError
from protonet.formats.blobs import from_array, to_array
from protonet.formats.caffemodel import read_weights
from protonet.formats.stored_weights import StoredArray, StoredParams, stored_weights
from protonet.formats.wire import field_of
from protonet.proto.caffe_pb2 import BlobProto, NetParameter, V1LayerParameter

RANDOM = np.random.default_rng(3)
BIG = RANDOM.normal(size=(5, 7, 3, 2)).astype(np.float32)
SMALL = np.arange(3, dtype=np.float32)


def write(path: Path, *blobs: BlobProto, old: bool = False) -> Path:
    net = NetParameter()
    if old:
        net.layers.add(name="a", type=V1LayerParameter.CONVOLUTION, blobs=blobs)
    else:
        net.layer.add(name="a", type="Convolution", blobs=blobs)
    path.write_bytes(net.SerializeToString())
    return path


@pytest.mark.parametrize("old", [False, True])
def test_values_are_read_from_the_file(tmp_path: Path, old: bool) -> None:
    double = RANDOM.normal(size=(9, 4))
    blobs = [from_array(each) for each in (BIG, SMALL, double)]
    blobs[0].diff.extend([1.0] * BIG.size)
    weights = stored_weights(write(tmp_path / "w", *blobs, old=old))
    params = weights["a"]
    assert isinstance(params, StoredParams)
    assert [isinstance(each, StoredArray) for each in params.arrays] == [True, False, True]
    for found, expected in zip(params, (BIG, SMALL, double), strict=True):
        assert found is not None
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
    (last,) = params[2:]
    np.testing.assert_array_equal(last, double)
    out = np.zeros_like(BIG)
    assert isinstance(params.arrays[0], StoredArray)
    params.arrays[0].read_into(out)
    np.testing.assert_array_equal(out, BIG)


def raw() -> BlobProto:
    halves = BIG.astype("<f2")
    blob = BlobProto(raw_data=halves.tobytes(), raw_data_type=2)
    blob.shape.dim.extend(BIG.shape)
    return blob


def test_rare_files_are_read_by_protobuf(tmp_path: Path) -> None:
    path = write(tmp_path / "raw", raw())
    with pytest.raises(ValueError, match="raw values"):
        stored_weights(path)
    (found,) = read_weights(path)["a"]
    np.testing.assert_array_equal(found, BIG.astype("<f2").astype(np.float32))
    half, rest, shape = from_array(BIG[:2]), from_array(BIG[2:]), BlobProto()
    half.ClearField("shape")
    rest.ClearField("shape")
    shape.shape.dim.extend(BIG.shape)
    parts = b"".join(each.SerializeToString() for each in (half, rest, shape))
    path.write_bytes(field_of(100, b"\x0a\x01a" + field_of(7, parts)))
    with pytest.raises(ValueError, match="do not fit"):
        stored_weights(path)
    (found,) = read_weights(path)["a"]
    np.testing.assert_array_equal(found, BIG)


def test_values_that_do_not_fit_their_shape_are_refused_by_name(tmp_path: Path) -> None:
    blob = from_array(BIG)
    blob.shape.dim[0] = 6
    path = write(tmp_path / "w", blob)
    with pytest.raises(FormatError, match=r"layer 'a' parameter 0 has 210 value\(s\), but its sha"):
        read_weights(path)


def test_a_file_that_becomes_shorter_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "w", from_array(BIG))
    params = stored_weights(path)["a"]
    with path.open("r+b") as file:
        file.truncate(100)
    with pytest.raises(FormatError, match="was cut short while it was read"):
        params[0]


def test_other_files_are_refused(tmp_path: Path) -> None:
    for data in (b"", b"\x08\x01", b"text of a file", to_array(from_array(BIG)).tobytes()):
        (tmp_path / "w").write_bytes(data)
        with pytest.raises(ValueError, match=r"no |empty|cut short|group"):
            stored_weights(tmp_path / "w")
