"""Nets that several tests of training use."""

from __future__ import annotations

import numpy as np

from protonet.device import Device
from protonet.graph.net import Net
from protonet.proto.caffe_pb2 import TEST
from protonet.train.metrics import keeping_measured
from tests.graph.nets import plan_of

MAPS = """
layer { name: "in" type: "Input" top: "data" top: "label"
  input_param { shape { dim: 5 dim: 3 dim: 6 dim: 7 } shape { dim: 5 dim: 1 dim: 6 dim: 7 } } }
layer { name: "hidden" type: "Convolution" bottom: "data" top: "hidden"
  convolution_param { num_output: 4 kernel_size: 1 weight_filler { type: "gaussian" std: 1 } } }
layer { name: "score" type: "Convolution" bottom: "hidden" top: "score"
  convolution_param { num_output: 4 kernel_size: 1 weight_filler { type: "gaussian" std: 1 } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss"
  loss_param { ignore_label: 3 } }
layer { name: "soft" type: "Power" bottom: "score" top: "score" power_param { scale: -1 } }
layer { name: "more" type: "Convolution" bottom: "score" top: "more"
  convolution_param { num_output: 4 kernel_size: 1 weight_filler { type: "gaussian" std: 1 } } }
layer { name: "rest" type: "Convolution" bottom: "more" top: "rest"
  convolution_param { num_output: 4 kernel_size: 1 weight_filler { type: "gaussian" std: 1 } } }
layer { name: "end" type: "Convolution" bottom: "rest" top: "end"
  convolution_param { num_output: 4 kernel_size: 1 weight_filler { type: "gaussian" std: 1 } } }
"""
"""The classes of 6 x 7 pixels; class 3 is ignored. Behind the loss, the scores are
negated in place."""


def maps_net(*, packed: bool) -> Net:
    """MAPS with fixed inputs and weights."""
    net = Net(keeping_measured(plan_of(MAPS, TEST)), Device("cpu"), packed=packed, seed=2)
    random = np.random.default_rng(1)
    net.inputs["data"].data[...] = random.normal(size=(5, 3, 6, 7))
    net.inputs["label"].data[...] = random.integers(0, 4, (5, 1, 6, 7))
    return net
