"""Blobs of a net by their numbers, as scripts that walk a net ask for them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import protonet.pycaffe as caffe
from tests.pycaffe.conftest import DEPLOY, TRAIN

Make = Callable[..., caffe.Net]


def test_bottoms_and_tops_of_each_layer_are_places_among_the_blobs(net_of: Make) -> None:
    net = net_of(DEPLOY)
    assert net._blob_names == ["data", "conv", "fc", "prob"]
    assert (net._inputs, net._outputs) == ([0], [3])
    layers = range(len(net._layer_names))
    assert [net._bottom_ids(layer) for layer in layers] == [[], [0], [1], [1], [2]]
    assert [net._top_ids(layer) for layer in layers] == [[0], [1], [1], [2], [3]]
    assert net._blobs[2] is net.blobs["fc"]


def test_two_tops_and_bottoms_keep_their_order(net_of: Make) -> None:
    net = net_of(TRAIN, caffe.TRAIN)
    assert net._blob_names == ["data", "label", "conv", "fc", "loss"]
    assert net._top_ids(0) == [0, 1]
    assert net._bottom_ids(4) == [3, 1]
    assert net._blob_loss_weights == [0, 0, 0, 0, 1]


MEMORY = """
layer { name: "m" type: "MemoryData" top: "data" top: "label"
  memory_data_param { batch_size: 2 channels: 1 height: 1 width: 3 } }
"""


def test_input_arrays_are_set_by_the_inner_name_too(net_of: Make) -> None:
    net = net_of(MEMORY)
    net._set_input_arrays(np.arange(6, dtype=np.float32).reshape(2, 1, 1, 3), np.array([4, 5]))
    net.forward()
    assert net.blobs["data"].data.ravel().tolist() == [0, 1, 2, 3, 4, 5]
    assert net.blobs["label"].data.tolist() == [4, 5]
