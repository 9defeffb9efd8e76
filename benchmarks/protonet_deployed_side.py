"""protonet as an engine: a deploy.prototxt and a .caffemodel, opened as ``protonet infer`` does."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from protonet.device import Device
from protonet.formats.caffemodel import open_weights
from protonet.jobs.inference.deployed import DeployNets, deploy_net
from protonet.proto.text import Source


class Inference:
    """Passes forward over one input."""

    def __init__(self, model: Path, values: np.ndarray, precision: str, _: int) -> None:
        source = Source(str(model), model.read_text())
        int8 = precision == "int8"
        path = model.with_name("net-int8.caffemodel" if int8 else "net.caffemodel")
        nets = DeployNets(
            source, deploy_net(source), Device(), python_layers=False, memory_limit=None, fuse=True
        )
        nets.use(open_weights(path), str(path))
        self._pass = nets.forward_pass(len(values), None if int8 else precision)
        self.net = self._pass.net
        self.net.device.put(values, self.net.inputs["data"].data)

    def run(self) -> None:
        """One pass."""
        self._pass.run()

    def output(self) -> np.ndarray:
        """The output of the last pass."""
        ((_, values, _),) = self.net.outputs()
        return values
