"""The forward pass of a convolution and the pooling of its result at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.graph.net import Net
from protonet.layers.pooled import Pooled
from protonet.proto.caffe_pb2 import TEST
from tests.graph.nets import plan_of

NET = """
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 8 dim: 20 dim: 18 } } }
layer { name: "first" type: "Convolution" bottom: "x" top: "first"
  convolution_param { num_output: 8 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "one" type: "Convolution" bottom: "first" top: "one"
  convolution_param { num_output: 20 kernel_size: 3 pad: 1 weight_filler { type: "xavier" }
    bias_filler { type: "constant" value: 0.5 } } }
layer { name: "pool" type: "Pooling" bottom: "one" top: "pool"
  pooling_param { kernel_size: 3 stride: 2 } }
layer { name: "relu" type: "ReLU" bottom: "pool" top: "pool" }
layer { name: "last" type: "Convolution" bottom: "pool" top: "last"
  convolution_param { num_output: 8 kernel_size: 1 weight_filler { type: "xavier" } } }
"""


@pytest.mark.parametrize("count", [2, 3])
def test_layers_at_once_are_layers_one_after_another(count: int) -> None:
    """On a processor that computes on pixels, with a ReLU and without."""
    how: Any = {"gradients": False, "packed": True, "keep_weights": True}
    net = Net(plan_of(NET, phase=TEST), Device(), seed=3, **how)
    if not net.layout.types.in_pixels:
        pytest.skip("this processor has no kernels over pixels")
    names = [step.name for step in net.plan.steps]
    convolution, pool, _ = layers = [
        net.layers[names.index(each)] for each in ("one", "pool", "relu")
    ]
    x = np.random.default_rng(0).normal(size=(2, 8, 20, 18)).astype(np.float32)
    between, found = np.empty((2, 20, 20, 18), np.float32), np.empty((2, 20, 10, 9), np.float32)
    wanted = np.empty_like(found)
    convolution.forward([x], [between])
    pool.forward([between], [wanted])
    at_once = Pooled(layers[:count])
    at_once.forward([x], [found])
    np.testing.assert_array_equal(found, np.maximum(wanted, 0) if count > 2 else wanted)
    assert (wanted < 0).any()
    function, arguments = at_once.settled([x], [found]) or (None, ())
    assert function is not None
    assert arguments[0] is x
