"""Layers as a net runs them: copies of those of the plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

import protonet.pycaffe as caffe
from protonet.device import Device
from protonet.graph.estimate import estimate
from protonet.graph.fusion import fuse
from protonet.graph.net import Net
from protonet.graph.operations import prepared_layers
from protonet.graph.planning import plan_net
from protonet.kernels.random_stream import Clock
from protonet.proto.caffe_pb2 import TRAIN
from protonet.proto.text import Source, read_net
from tests.graph.nets import SEED, plan_of


class Factor(caffe.Layer):
    """y = w x, with one parameter."""

    def setup(self, bottom: Any, top: Any) -> None:
        self.blobs.add_blob(1)

    def reshape(self, bottom: Any, top: Any) -> None:
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom: Any, top: Any) -> None:
        top[0].data[...] = self.blobs[0].data * bottom[0].data

    def backward(self, top: Any, propagate_down: Any, bottom: Any) -> None:
        self.blobs[0].diff[...] += (top[0].diff * bottom[0].data).sum()


def test_two_nets_of_a_plan_have_layers_of_their_own() -> None:
    device = Device()
    plan = plan_of(SEED)
    one, other = (
        prepared_layers(plan, device, np.float32, 3, Clock(device), gradients=each)
        for each in (True, False)
    )
    assert [layer.name for layer in one] == [step.name for step in plan.steps]
    assert not {map(id, one)} & {map(id, other)}
    assert (one[1].gradients, other[1].gradients) == (True, False)
    assert "device" not in vars(plan.steps[1].layer), "the description has no processor"


def test_what_is_fused_are_layers_of_the_same_net() -> None:
    device = Device()
    text = SEED.replace(
        'name: "loss"',
        'name: "act" type: "ReLU" bottom: "output" top: "act" } layer { name: "loss"',
    ).replace('bottom: "output" bottom: "label"', 'bottom: "act" bottom: "label"')
    plan = fuse(plan_of(text), gradients=True)
    layers = prepared_layers(plan, device, np.float32, 0, Clock(device), gradients=True)
    by_name = {layer.name: layer for layer in layers}
    assert by_name["hidden"].fused.layers == (by_name["act"],)
    assert by_name["hidden"].fused.rectify
    assert not by_name["act"].fused.layers


PYTHON = """
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "w" type: "Python" bottom: "x" top: "y"
  python_param { module: "tests.graph.test_operations" layer: "Factor" } }
layer { name: "sum" type: "Reduction" bottom: "y" top: "loss" loss_weight: 1 }
"""


def test_two_nets_of_a_plan_have_objects_of_the_users_class_of_their_own() -> None:
    plan = plan_of(PYTHON)
    one, other = (Net(plan, Device()) for _ in range(2))
    estimate(plan, gradients=True)
    for net, weight in ((one, 5), (other, 7)):
        net.params["w"][0].data[...] = weight
        net.inputs["x"].data[...] = 2
    other.reshape({"x": (4, 3)})
    other.inputs["x"].data[...] = 3
    for net, loss, gradient in ((one, 60, 12), (other, 252, 36)):
        net.forward()
        net.backward()
        assert net.loss() == loss
        assert net.params["w"][0].diff.tolist() == [gradient]
    assert one.params["w"][0].data.tolist() == [5]


ROWS = """
layer { name: "rows" type: "HDF5Data" top: "x" hdf5_data_param { source: "l" batch_size: 2 } }
layer { name: "sum" type: "Reduction" bottom: "x" top: "loss" loss_weight: 1 }
"""


def test_two_nets_of_a_plan_read_streams_of_their_own(tmp_path: Path) -> None:
    """Neither takes the other's rows, nor closes the other's files."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = np.arange(6, dtype=np.float32)
    (tmp_path / "l").write_text("a.h5\n")
    plan = plan_net(read_net(Source(str(tmp_path / "net.prototxt"), ROWS)), phase=TRAIN)
    one, other = (Net(plan, Device()) for _ in range(2))
    for loss in (1, 5, 9):
        one.forward()
        assert one.loss() == loss
    one.close()
    for loss in (1, 5, 9, 1):
        other.forward()
        assert other.loss() == loss
    other.close()
    third = Net(plan, Device())
    third.forward()
    assert third.loss() == 1
    third.close()
