"""Nets that several tests of the graph use."""

from __future__ import annotations

import numpy as np

from protonet.device import Device
from protonet.graph.net import Net
from protonet.graph.plan import Plan
from protonet.graph.planning import plan_net
from protonet.proto.caffe_pb2 import TRAIN
from protonet.proto.text import Source, read_net


def plan_of(text: str, phase: int = TRAIN, **state: object) -> Plan:
    """Plan a net given as text."""
    return plan_net(read_net(Source("net.prototxt", text)), phase=phase, **state)


def net_of(text: str, phase: int = 0, **options: object) -> Net:
    net = Net(plan_of(text, phase), Device("cpu"), **options)
    generator = np.random.default_rng(3)
    for value in net.plan.inputs:
        blob = net.blobs[value.name]
        blob.data[...] = generator.normal(size=blob.shape)
    return net


def numeric_gradient(net: Net, array: np.ndarray, step: float = 1e-5) -> np.ndarray:
    gradient = np.zeros_like(array)
    for index in np.ndindex(array.shape):
        kept = array[index]
        losses = []
        for sign in (1, -1):
            array[index] = kept + sign * step
            net.forward()
            losses.append(net.loss())
        array[index] = kept
        gradient[index] = (losses[0] - losses[1]) / (2 * step)
    return gradient


SEED = """
name: "seed"
layer { name: "data" type: "Input" top: "data" top: "label"
  input_param { shape { dim: 3 dim: 1 dim: 4 dim: 5 } shape { dim: 3 dim: 2 } } }
layer { name: "scale" type: "Power" bottom: "data" top: "scale" power_param { scale: 0.004 } }
layer { name: "hidden" type: "InnerProduct" bottom: "scale" top: "output"
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "output" bottom: "label" top: "loss"
  exclude { stage: "deploy" } }
"""

FAN_OUT = """
layer { name: "in" type: "Input" top: "x" top: "t"
  input_param { shape { dim: 3 dim: 4 } shape { dim: 3 dim: 6 } } }
layer { name: "base" type: "InnerProduct" bottom: "x" top: "h"
  inner_product_param { num_output: 2 weight_filler { type: "gaussian" } } }
layer { name: "act" type: "TanH" bottom: "h" top: "h" }
layer { name: "left" type: "Power" bottom: "h" top: "left" power_param { power: 2 } }
layer { name: "right" type: "Sigmoid" bottom: "h" top: "right" }
layer { name: "join" type: "Concat" bottom: "left" bottom: "right" bottom: "h" top: "join" }
layer { name: "loss" type: "EuclideanLoss" bottom: "join" bottom: "t" top: "loss" }
"""
