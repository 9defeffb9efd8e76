"""Inputs of other shapes, also of those that only some layers can take."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.pycaffe import TEST, Net

WHOLE_PLANES = """
force_backward: true
layer { name: "data" type: "Input" top: "data" input_param {
  shape { dim: 1 dim: 2 dim: 8 dim: 8 } } }
layer { name: "twice" type: "Power" bottom: "data" top: "twice" power_param { scale: 2 } }
layer { name: "mean" type: "Pooling" bottom: "twice" top: "mean"
  pooling_param { pool: AVE kernel_size: 8 } }
layer { name: "out" type: "InnerProduct" bottom: "mean" top: "out"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
"""


@pytest.fixture
def net(tmp_path: Path) -> Net:
    file = tmp_path / "net.prototxt"
    file.write_text(WHOLE_PLANES)
    return Net(file, TEST)


def test_a_pass_to_an_inner_layer_takes_what_later_ones_cannot(net: Net) -> None:
    """As Caffe's layers, which take their shapes when they run: small images in deep dreams."""
    values = np.arange(40, dtype=np.float32).reshape(1, 2, 4, 5)
    net.blobs["data"].reshape(1, 2, 4, 5)
    net.blobs["data"].data[...] = values
    found = net.forward(end="twice")
    np.testing.assert_array_equal(found["twice"], 2 * values)
    net.blobs["twice"].diff[...] = values
    net.backward(start="twice")
    np.testing.assert_array_equal(net.blobs["data"].diff, 2 * values)
    assert net.blobs["mean"].shape == (1, 2, 1, 1)


def test_layers_behind_it_refuse_and_take_images_again(net: Net) -> None:
    weights = net.params["out"][0].data.copy()
    values = np.ones((2, 2, 8, 8), np.float32)
    net.blobs["data"].reshape(1, 2, 4, 5)
    net.forward(end="twice")
    for whole in (net.forward, net.reshape, lambda: net.forward(start="mean")):
        with pytest.raises(LayerError, match=r'"mean".*does not fit'):
            whole()
    net.forward(end="twice")
    net.blobs["data"].reshape(*values.shape)
    found = net.forward(data=values)
    bias = net.params["out"][1].data
    np.testing.assert_allclose(found["out"], 2 * values[:, :, 0, 0] @ weights.T + bias, rtol=1e-6)


def test_a_pass_to_an_inner_layer_shapes_all_that_can_be(net: Net) -> None:
    net.blobs["data"].reshape(3, 2, 8, 8)
    net.forward(end="twice")
    assert net.blobs["out"].shape == (3, 3)
    net.blobs["data"].data[...] = 1
    net.forward(end="twice")
    before = net.blobs["twice"].data.copy()
    net.forward(start="mean")
    np.testing.assert_array_equal(net.blobs["twice"].data, before)


def test_the_layer_itself_must_take_them(net: Net) -> None:
    net.blobs["data"].reshape(1, 2, 4, 5)
    with pytest.raises(LayerError, match='"mean"'):
        net.forward(end="mean")
