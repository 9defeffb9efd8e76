"""The scores of a net: where they are, and what the greatest one is."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.device import Device
from protonet.graph.net import Net
from protonet.graph.plan import Plan
from protonet.graph.planning import plan_net
from protonet.jobs.quantization.answers import Scores
from protonet.proto.caffe_pb2 import TEST
from protonet.proto.text import Source, read_net

INPUTS = """
layer { name: "x" type: "Input" top: "x" top: "label"
  input_param { shape { dim: 3 dim: 4 } shape { dim: 3 } } }
layer { name: "ip" type: "Power" bottom: "x" top: "ip" }
"""
ACCURACY = """
layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy"
  accuracy_param { ignore_label: 2 } }
"""
LOSS = 'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }'
PROB = 'layer { name: "prob" type: "Softmax" bottom: "ip" top: "prob" }'
OTHER = 'layer { name: "other" type: "AbsVal" bottom: "ip" top: "other" }'
MAPS = """
layer { name: "x" type: "Input" top: "x" top: "label"
  input_param { shape { dim: 2 dim: 3 dim: 1 dim: 2 } shape { dim: 2 dim: 1 dim: 1 dim: 2 } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "x" bottom: "label" top: "loss" }
"""


def plan_of(text: str) -> Plan:
    return plan_net(read_net(Source("net.prototxt", text)), phase=TEST)


@pytest.mark.parametrize(
    ("text", "value", "labels", "ignored"),
    [
        (LOSS + ACCURACY, "ip", "label", 2),
        (LOSS, "ip", "label", None),
        (PROB, "prob", None, None),
        (PROB + LOSS, "ip", "label", None),
    ],
)
def test_where_scores_are(text: str, value: str, labels: str | None, ignored: int | None) -> None:
    found = Scores.of(plan_of(INPUTS + text))
    assert found is not None
    assert (found.value.name, found.ignored, found.classes) == (value, ignored, 4)
    assert (None if found.labels is None else found.labels.name) == labels


def test_two_outputs_have_none() -> None:
    assert Scores.of(plan_of(INPUTS + PROB + OTHER)) is None


def test_the_greatest_score() -> None:
    plan = plan_of(INPUTS + ACCURACY)
    scores = Scores.of(plan)
    assert scores is not None
    net = Net(plan.keeping(scores.values), Device(), gradients=False, packed=True)
    net.inputs["x"].data[...] = [[1, 5, 2, 3], [9, 0, 1, 2], [0, 0, 0, 1]]
    net.inputs["label"].data[...] = [1, 2, 0]
    net.forward()
    best, truths = scores.read(net, 2, None)
    assert best.tolist() == [1, 0]
    assert truths is not None
    assert truths.tolist() == [1, -1]  # the second one is ignored


def test_the_greatest_score_of_pixels() -> None:
    plan = plan_of(MAPS)
    scores = Scores.of(plan)
    assert scores is not None
    net = Net(plan.keeping(scores.values), Device(), gradients=False, packed=True)
    net.inputs["x"].data[...] = np.arange(12).reshape(2, 3, 1, 2) % [[[[5, 4]]]]
    net.inputs["label"].data[...] = np.array([0, 1, 2, 0]).reshape(2, 1, 1, 2)
    net.forward()
    best, truths = scores.read(net, 2, None)
    assert best.tolist() == net.inputs["x"].data.argmax(axis=1).tolist()
    assert truths is not None
    assert truths.tolist() == [[[0, 1]], [[2, 0]]]


def test_classes_that_the_net_does_not_read() -> None:
    plan = plan_of(INPUTS + PROB)
    scores = Scores.of(plan)
    assert scores is not None
    net = Net(plan, Device(), gradients=False, packed=True)
    net.inputs["x"].data[...] = np.eye(3, 4)
    net.forward()
    best, truths = scores.read(net, 2, np.array([3, -1, -1]))
    assert best.tolist() == [0, 1]
    assert truths is not None
    assert truths.tolist() == [3, -1]
    assert scores.read(net, 2, None)[1] is None
