"""Blobs of nets on a device whose arrays are not the host's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protonet import blob as graph
from protonet import pycaffe as caffe
from protonet.device import Device
from protonet.errors import LayerError
from protonet.pycaffe.blobs import NetBlob


class Elsewhere(Device):
    """A device whose arrays can be reached by put and get only."""

    def __init__(self) -> None:
        super().__init__()
        self.is_cpu = False

    def put(self, host: np.ndarray, out: Any) -> None:
        out[...] = host

    def get(self, array: Any) -> np.ndarray:
        return np.array(array)


def blobs(device: Device) -> tuple[graph.Blob, NetBlob]:
    inner = graph.Blob("x", np.zeros((2, 3), np.float32), np.zeros((2, 3), np.float32))
    return inner, NetBlob(inner, device)


def test_on_the_cpu_the_arrays_are_the_net_s() -> None:
    inner, shown = blobs(Device())
    assert shown.data is inner.data
    assert shown.diff is inner.diff


def test_elsewhere_copies_are_taken_back() -> None:
    inner, shown = blobs(Elsewhere())
    shown.data[0] = 5
    shown.diff[1] = 7
    assert shown.data[0, 0] == 5
    assert not inner.data.any()
    shown.flush()
    assert inner.data.tolist() == [[5] * 3, [0] * 3]
    inner.data[1] = 1
    assert shown.data.tolist() == [[5] * 3, [1] * 3]
    assert inner.diff is not None
    assert inner.diff.sum() == 21


def test_a_blob_without_gradient_has_zeros() -> None:
    shown = NetBlob(graph.Blob("x", np.zeros((2, 3), np.float32)), Device())
    shown.diff[0] = 1
    assert shown.diff.sum() == 3


def test_a_wish_for_another_shape() -> None:
    inner, shown = blobs(Device())
    shown.reshape(4, 3)
    assert shown.shape == shown.data.shape == (4, 3)
    assert inner.data.shape == (2, 3)
    shown.reshape(2, 3)
    assert shown.wish is None
    assert shown.data is inner.data
    inner.data[...] = [[1, 2, 3], [4, 5, 6]]
    shown.reshape(2, 2)
    assert shown.data.tolist() == [[1, 2], [3, 4]]  # what Caffe's memory keeps
    shown.reshape(3, 3)
    assert not shown.data.any()
    with pytest.raises(ValueError, match=r"parameter 'w' has the shape .*, \(2, 3\), not \(4, 3\)"):
        NetBlob(graph.Param("w", inner.data), Device()).reshape(4, 3)


def test_a_copy_that_was_only_looked_at_undoes_nothing() -> None:
    """A view of a blob is handed out, then the blob is written to: the view's copy is old."""
    device = Elsewhere()
    inner = graph.Blob("x", np.zeros((2, 3), np.float32))
    view = graph.Blob("flat", inner.data.reshape(6))
    shown, flat = NetBlob(inner, device), NetBlob(view, device)
    assert not flat.data.any()
    shown.data[...] = 5
    shown.flush()
    flat.flush()
    assert (inner.data == 5).all()
    flat.data[0] = np.nan
    flat.flush()
    flat.flush()
    assert np.isnan(inner.data[0, 0])


def test_a_blob_has_no_more_than_a_blob_can_have(tmp_path: Path) -> None:
    path = tmp_path / "net.prototxt"
    path.write_text(
        'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }'
    )
    net = caffe.Net(str(path), caffe.TEST)
    with pytest.raises(LayerError, match="2147483648x3 would have"):
        net.blobs["x"].reshape(2**31, 3)
    with pytest.raises(LayerError, match="33 axes"):
        net.blobs["x"].reshape(*(1,) * 33)
    assert net.blobs["x"].data.shape == (2, 3)
