"""The forward pass of several convolution layers at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.graph.net import Net
from protonet.layers.separable import Separable
from protonet.proto.caffe_pb2 import TEST
from tests.graph.nets import plan_of

NET = """
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 8 dim: 20 dim: 18 } } }
layer { name: "first" type: "Convolution" bottom: "x" top: "first"
  convolution_param { num_output: 8 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "dw" type: "Convolution" bottom: "first" top: "dw"
  convolution_param { num_output: 8 kernel_size: 3 group: 8 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "dw" top: "dw" }
layer { name: "last" type: "Convolution" bottom: "dw" top: "last"
  convolution_param { num_output: 5 kernel_size: 1 weight_filler { type: "xavier" }
    bias_filler { type: "constant" value: 0.5 } } }
layer { name: "pool" type: "Pooling" bottom: "last" top: "pool" pooling_param { kernel_size: 2 } }
"""


def test_layers_at_once_are_layers_one_after_another() -> None:
    """With what is fused into them, on a processor that computes on pixels."""
    how: Any = {"gradients": False, "packed": True, "keep_weights": True}
    net = Net(plan_of(NET, phase=TEST), Device(), seed=3, **how)
    if not net.layout.types.in_pixels:
        pytest.skip("this processor has no kernels over pixels")
    names = [step.name for step in net.plan.steps]
    first, last = (net.layers[names.index(name)] for name in ("dw", "last"))
    assert [layer.spec.type for layer in first.fused.layers] == ["ReLU"]
    x = np.random.default_rng(0).normal(size=(2, 8, 20, 18)).astype(np.float32)
    between, found = np.empty((2, 8, 18, 16), np.float32), np.empty((2, 5, 18, 16), np.float32)
    wanted = np.empty_like(found)
    first.forward([x], [between])
    last.forward([between], [wanted])
    Separable([first, last]).forward([x], [found])
    np.testing.assert_array_equal(found, wanted)
    assert (found != 0.5).any()
