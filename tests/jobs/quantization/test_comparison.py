"""Answers of two nets beside each other."""

from __future__ import annotations

import math

import numpy as np
import pytest

from protonet.device import Device
from protonet.graph.net import Net
from protonet.graph.planning import plan_net
from protonet.jobs.quantization.answers import Scores
from protonet.jobs.quantization.comparison import compare
from protonet.jobs.quantization.records import Block
from protonet.proto.caffe_pb2 import TEST
from protonet.proto.text import Source, read_net

TEXT = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "ip" type: "Power" bottom: "data" top: "ip" power_param { shift: 0 } }
"""
LOSS = """
layer { name: "data" type: "Input" top: "data" top: "label"
  input_param { shape { dim: 2 dim: 3 } shape { dim: 2 dim: 3 } } }
layer { name: "ip" type: "Power" bottom: "data" top: "ip" power_param { shift: 0 } }
layer { name: "loss" type: "EuclideanLoss" bottom: "ip" bottom: "label" top: "loss" }
"""
ROWS = np.array([[3, 1, 0], [0, 2, 1], [1, 0, 1.1], [5, 6, 0]], np.float32)


class Rows:
    """Records that are rows of an array, with their classes."""

    length: int | None = 4

    def __init__(self, classes: np.ndarray | None) -> None:
        self.classes = classes

    def put(self, net: Net, block: Block) -> np.ndarray | None:
        rows = slice(block.first, block.first + block.count)
        net.inputs["data"].data[: block.count] = ROWS[rows]
        return None if self.classes is None else self.classes[rows]

    def close(self) -> None: ...


def opened(text: str, shift: float) -> Net:
    definition = read_net(Source("net.prototxt", text.replace("shift: 0", f"shift: {shift}")))
    plan = plan_net(definition, phase=TEST)
    scores = Scores.of(plan)
    kept = () if scores is None else scores.values
    return Net(plan.keeping(kept), Device(), gradients=False, packed=True)


def test_shares_of_same_and_of_right_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    exact, quantized = opened(TEXT, 0), opened(TEXT, 0)
    forward = quantized.forward

    def wrong() -> None:
        forward()
        quantized.data_of(quantized.plan.outputs[0])[:, 0] += 0.5

    monkeypatch.setattr(quantized, "forward", wrong)
    records = Rows(np.array([0, 1, 2, -1]))
    done: list[tuple[int, int]] = []
    found = compare(
        exact, quantized, records, [Block(0, 2), Block(2, 2)], lambda *told: done.append(told)
    )
    assert done == [(2, 4), (4, 4)]
    # row 2: 1.5 instead of 1 is above 1.1
    assert (found.records, found.agreement, found.known) == (4, 0.75, 3)
    assert found.accuracies == (1, 2 / 3)
    (output,) = found.outputs
    expected = 10 * math.log10(float((ROWS.astype(float) ** 2).sum()) / (4 * 0.25))
    assert (output.name, output.means) == ("ip", None)
    assert output.snr == pytest.approx(expected)


def test_without_classes() -> None:
    found = compare(opened(TEXT, 0), opened(TEXT, 0), Rows(None), [Block(0, 1)])
    assert (found.records, found.agreement, found.known, found.accuracies) == (1, 1, 0, None)
    assert found.outputs[0].snr == math.inf


def test_means_of_losses() -> None:
    found = compare(opened(LOSS, 0), opened(LOSS, 1), Rows(None), [Block(0, 2), Block(2, 2)])
    assert found.agreement is None
    (output,) = found.outputs
    losses = [(np.square(ROWS.astype(float) + shift)).sum() / 8 for shift in (0, 1)]
    assert output.means == pytest.approx(tuple(losses))


def test_infinite_scores_have_no_ratio(monkeypatch: pytest.MonkeyPatch) -> None:
    """And no warning."""
    monkeypatch.setitem(globals(), "ROWS", np.full((4, 3), np.inf, np.float32))
    found = compare(opened(TEXT, 0), opened(TEXT, 0), Rows(None), [Block(0, 2)])
    assert not math.isfinite(found.outputs[0].snr)
    assert found.agreement == 1
