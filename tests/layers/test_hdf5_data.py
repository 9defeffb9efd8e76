"""HDF5Data in a net."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from protonet.device import Device
from protonet.errors import NetworkError
from protonet.graph.net import Net
from protonet.graph.planning import plan_net
from protonet.proto.caffe_pb2 import TRAIN
from protonet.proto.text import Source, read_net

NET = """
layer { name: "rows" type: "HDF5Data" top: "x" top: "y"
  hdf5_data_param { source: "list.txt" batch_size: 2 } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip"
  inner_product_param { num_output: 1 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "ip" bottom: "y" top: "loss" }
"""


@pytest.fixture
def net(tmp_path: Path) -> Net:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = np.arange(15, dtype=np.float32).reshape(5, 3)
        file["y"] = np.arange(5, dtype=np.float32)
    (tmp_path / "list.txt").write_text("a.h5\n")
    source = Source(str(tmp_path / "net.prototxt"), NET)
    return Net(plan_net(read_net(source), phase=TRAIN), Device("cpu"))


def test_tops_are_the_datasets_of_their_names(net: Net) -> None:
    net.forward()
    net.backward()
    np.testing.assert_array_equal(net.blobs["x"].data, [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(net.blobs["y"].data, [0, 1])
    assert net.store.diff.any()


def test_a_restored_net_goes_on_with_the_row_that_was_due(net: Net) -> None:
    net.forward()
    state = net.state()
    net.forward()
    expected = net.blobs["x"].data.copy()
    net.forward()
    net.restore(state)
    net.forward()
    np.testing.assert_array_equal(net.blobs["x"].data, expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hdf5_data_param { batch_size: 2 }", "needs a source"),
        ('hdf5_data_param { source: "l" }', "needs a batch_size"),
        (
            'hdf5_data_param { source: "l" batch_size: 2 } transform_param { scale: 2 }',
            "HDF5 rows are not transformed",
        ),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    layer = f'layer {{ name: "l" type: "HDF5Data" top: "x" {text} }}'
    with pytest.raises(NetworkError, match=message):
        plan_net(read_net(Source("net", layer)), phase=TRAIN)
