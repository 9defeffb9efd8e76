"""The base of layers that load images with boxes: shapes before the first batch, and states."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.errors import NetworkError
from protonet.graph.planning import plan_net
from protonet.proto.caffe_pb2 import TEST
from protonet.proto.text import Source, read_net
from tests.layers.test_box_data import folder, make, step

__all__ = ["folder"]


def test_shapes_before_the_first_batch(folder: Path) -> None:
    net = make(folder, "DetectionData", "batch_size: 2 short_size: 32 long_size: 64", 4)
    shapes = [value.data.shape for _, value in sorted(net.blobs.items())]
    assert shapes == [(2, 3, 32, 64), (2, 6, 4, 8), (2, 6, 2, 4), (1, 8, 1, 1)]
    net.close()


def test_a_position_is_restored(folder: Path) -> None:
    fields = "batch_size: 1 crop_width: 40 crop_height: 32"
    net = make(folder, "ImageGtData", fields, 4, "mirror: true")
    batches = [step(net) for _ in range(3)]
    layer = net.layers[0]
    assert layer.state() == {"position": 3}
    layer.restore({"position": 1})
    for found, expected in zip(step(net), batches[1], strict=True):
        np.testing.assert_array_equal(found, expected)
    net.close()


def test_a_source_is_needed() -> None:
    layer = 'layer { name: "in" type: "EvalData" top: "a" top: "b" eval_data_param { } }'
    with pytest.raises(NetworkError, match="eval_data_param needs a source"):
        plan_net(read_net(Source("net", layer)), phase=TEST)
