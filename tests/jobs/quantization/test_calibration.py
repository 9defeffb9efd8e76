"""Calibration: the values of blobs on some records."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.device import Device
from protonet.errors import DataError
from protonet.graph.names import Value
from protonet.graph.net import Net
from protonet.graph.planning import plan_net
from protonet.jobs.quantization.calibration import calibrate
from protonet.jobs.quantization.records import Block
from protonet.proto.caffe_pb2 import TEST
from protonet.proto.text import Source, read_net

TEXT = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 4 dim: 3 } } }
layer { name: "double" type: "Power" bottom: "data" top: "x" power_param { scale: 2 } }
layer { name: "relu" type: "ReLU" bottom: "x" top: "x" }
"""
LOG = 'layer { name: "log" type: "Log" bottom: "x" top: "y" }'
VALUES = np.arange(24, dtype=np.float32).reshape(8, 3) - 5


class Rows:
    """Records that are rows of an array."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values
        self.length: int | None = len(values)

    def put(self, net: Net, block: Block) -> None:
        data = net.inputs["data"].data
        data[...] = 1000  # what is behind a block does not count
        data[: block.count] = self.values[block.first : block.first + block.count]

    def close(self) -> None: ...


def opened(text: str, *names: str) -> tuple[Net, list[Value]]:
    plan = plan_net(read_net(Source("net.prototxt", text)), phase=TEST)
    values = [next(step.tops[0] for step in plan.steps if step.name == name) for name in names]
    return Net(plan.keeping(values), Device(), gradients=False, packed=True), values


def test_values_of_the_records_of_blocks() -> None:
    net, values = opened(TEXT, "data", "relu")
    done: list[tuple[int, int]] = []
    blocks = [Block(0, 4), Block(6, 2)]
    found = calibrate(net, values, Rows(VALUES), blocks, lambda *told: done.append(told))
    assert done == [(4, 6), (6, 6)]
    seen = VALUES[[0, 1, 2, 3, 6, 7]]
    assert list(found) == values
    for value, expected in zip(values, (seen, np.maximum(2 * seen, 0)), strict=True):
        histogram = found[value]
        assert (histogram.low, histogram.high) == (expected.min(), expected.max())
        assert histogram.total == expected.size
        assert histogram.zeros == (expected == 0).sum()


def test_a_blob_that_is_not_finite_is_named() -> None:
    net, values = opened(TEXT + LOG, "data", "relu", "log")
    message = (
        r"net.prototxt: blob 'y', top of layer 'log' \(Log\), has values that are not finite "
        r"\(records 4 to 7\)"
    )
    positive = np.concatenate([VALUES[4:] + 5, VALUES[:4]])
    with np.errstate(divide="ignore"), pytest.raises(DataError, match=message):
        calibrate(net, values, Rows(positive), [Block(0, 4), Block(4, 4)])
