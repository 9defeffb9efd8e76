"""BlobProto and arrays: every way of storing values and shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.errors import FormatError
from protonet.formats import blobs
from protonet.formats.blobs import blob_shape, from_array, shapes_fit, to_array
from protonet.proto.caffe_pb2 import BlobProto

VALUES = np.random.default_rng(0).normal(size=(2, 3, 5)).astype(np.float32)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(2, 3, 5), (30,), (), (0, 4)])
def test_there_and_back(dtype: Any, shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(1).normal(size=shape).astype(dtype)
    blob = BlobProto.FromString(from_array(array).SerializeToString())
    again = to_array(blob)
    assert again.dtype == (dtype if array.size else np.float32)
    assert again.shape == shape
    np.testing.assert_array_equal(again, array)


def test_bytes_are_those_of_appended_values() -> None:
    appended = BlobProto(data=VALUES.ravel().tolist())
    appended.shape.dim.extend(VALUES.shape)
    assert from_array(VALUES).SerializeToString() == appended.SerializeToString()


def test_views_and_other_types_become_float32() -> None:
    np.testing.assert_array_equal(to_array(from_array(VALUES.T)), VALUES.T)
    halves = from_array(VALUES.astype(np.float16))
    assert to_array(halves).dtype == np.float32
    np.testing.assert_array_equal(to_array(from_array(np.arange(300))), np.arange(300.0))


def test_the_four_old_fields_are_a_shape() -> None:
    blob = BlobProto(num=1, channels=2, height=3, width=5, data=VALUES.ravel().tolist())
    np.testing.assert_array_equal(to_array(blob), VALUES[None])


def test_no_shape_is_a_scalar() -> None:
    assert to_array(BlobProto(data=[2.5])) == np.float32(2.5)
    assert blob_shape(BlobProto(data=[2.5])) == ()
    with pytest.raises(
        FormatError, match=r"mean has 2 value\(s\), but its shape is that of a scalar"
    ):
        to_array(BlobProto(data=[1, 2]), "mean")


@pytest.mark.parametrize(
    ("dims", "count"), [((2, 3), 5), ((-2, -3), 6), ((2**32, 2**32), 0), ((7,), 0)]
)
def test_a_count_that_is_not_the_shapes(dims: tuple[int, ...], count: int) -> None:
    blob = BlobProto(data=[0.0] * count)
    blob.shape.dim.extend(dims)
    shape = "x".join(map(str, dims))
    with pytest.raises(FormatError, match=rf"^w has {count} value\(s\), but its shape is {shape}$"):
        to_array(blob, "w")


@pytest.mark.parametrize(
    ("kind", "stored", "read"),
    [(0, np.float64, np.float64), (1, np.float32, np.float32), (2, np.float16, np.float32)],
)
def test_raw_data_of_nvidias_fork(kind: int, stored: Any, read: Any) -> None:
    values = VALUES.astype(stored)
    blob = BlobProto(raw_data_type=kind, raw_data=values.tobytes())
    blob.shape.dim.extend(VALUES.shape)
    again = to_array(blob)
    assert again.dtype == read
    np.testing.assert_array_equal(again, values.astype(read))
    again[0] = 0
    assert blob.raw_data == values.tobytes()


def test_raw_data_that_cannot_be_read() -> None:
    with pytest.raises(FormatError, match="b has raw_data that is not float"):
        to_array(BlobProto(raw_data=b"1234"), "b")
    with pytest.raises(FormatError, match="b has raw_data that is not float"):
        to_array(BlobProto(raw_data=b"1234", raw_data_type=3), "b")
    with pytest.raises(FormatError, match="b has 5 bytes of raw_data, no multiple of float32"):
        to_array(BlobProto(raw_data=b"12345", raw_data_type=1), "b")


@pytest.mark.parametrize(
    ("found", "expected", "fits"),
    [
        ((3, 5), (3, 5), True),
        ((1, 1, 3, 5), (3, 5), True),
        ((1, 1, 1, 5), (5,), True),
        ((1, 1, 1, 1), (), True),
        ((2, 3, 5, 7), (2, 3, 5, 7), True),
        ((1, 1, 5, 3), (3, 5), False),
        ((1, 2, 3, 5), (3, 5), False),
        ((1, 3, 5), (3, 5), False),
        ((3, 5, 1, 1), (3, 5), False),
        ((3, 5), (1, 1, 3, 5), False),
        ((1, 1, 3, 5), (1, 1, 1, 3, 5), False),
        ((15,), (3, 5), False),
    ],
)
def test_which_shapes_fit(found: tuple[int, ...], expected: tuple[int, ...], fits: bool) -> None:
    assert shapes_fit(found, expected) is fits


def test_too_large_for_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blobs, "PAYLOAD_LIMIT", 119)
    with pytest.raises(FormatError, match=r"a blob of 30 values is larger than 2 GiB.*\.h5"):
        from_array(VALUES)
    monkeypatch.setattr(blobs, "PAYLOAD_LIMIT", 120)
    assert to_array(from_array(VALUES)).shape == VALUES.shape
