"""protonet as an engine: a deploy.prototxt and a .caffemodel, opened as ``protonet infer`` does."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from protonet.device import Device
from protonet.formats.caffemodel import read_weights
from protonet.graph.capture import ForwardPass
from protonet.graph.net import Net
from protonet.graph.planning import plan_net
from protonet.precision import type_of
from protonet.proto.caffe_pb2 import TEST
from protonet.proto.text import Source, read_net


class Inference:
    """Passes forward over one input."""

    def __init__(self, model: Path, values: np.ndarray, precision: str, _: int) -> None:
        plan = plan_net(
            read_net(Source(str(model), model.read_text())), phase=TEST, stages=["deploy"]
        )
        self.net = Net(
            plan,
            Device(),
            gradients=False,
            packed=True,
            fuse=True,
            precision=type_of(precision),
            keep_weights=True,
        )
        path = model.with_name("net.caffemodel")
        self.net.load(read_weights(path), str(path))
        self._pass = ForwardPass(self.net)
        self.net.device.put(values, self.net.inputs["data"].data)

    def run(self) -> None:
        """One pass."""
        self._pass.run()

    def output(self) -> np.ndarray:
        """The output of the last pass."""
        ((_, values, _),) = self.net.outputs()
        return values
