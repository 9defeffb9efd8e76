"""protonet's side: what one process of it trains, asks and multiplies."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from cases import Case
from protonet.device import Device
from protonet.graph.net import Net
from protonet.graph.plan import Plan
from protonet.proto.caffe_pb2 import SolverParameter
from protonet.train.trainer import Trainer
from settings import DECAY, MOMENTUM, RATE, TILE


def import_all() -> None:
    """Nothing is left to import."""


class Training:
    """The loop of ``protonet train`` between two displays; it reads each iteration's loss."""

    def __init__(self, case: Case, weights: Path | None, *, dropout: bool = True) -> None:
        plan = case.training(dropout=dropout)
        self.net = _filled(Net(plan, Device("cpu"), share_memory=True, fuse=True), case, plan)
        if weights is not None:
            _load(self.net, np.load(weights))
        solver = SolverParameter(
            base_lr=RATE,
            lr_policy="fixed",
            momentum=MOMENTUM,
            weight_decay=DECAY,
            max_iter=2**31 - 1,
        )
        self.run = Trainer(solver, self.net).advance

    def results(self) -> dict[str, np.ndarray]:
        """The loss of the last iteration, and every parameter that is learned."""
        found = {"loss": np.array(self.net.loss())}
        for name, array in named_params(self.net).items():
            layer, index = name.rsplit("/", 1)
            if self.net.params[layer][int(index)].lr_mult:
                found[name] = array
        return found


class Inference:
    """Passes forward of the deploy net, in which blobs share memory."""

    def __init__(self, case: Case, batch: int, weights: Path | None) -> None:
        plan = case.inference(batch)
        self.net = _filled(Net(plan, Device("cpu"), share_memory=True, fuse=True), case, plan)
        if weights is not None:
            _load(self.net, np.load(weights))

    def run(self, iterations: int) -> None:
        """Make so many passes."""
        for _ in range(iterations):
            self.net.forward()

    def results(self) -> dict[str, np.ndarray]:
        """The output."""
        ((_, values, _),) = self.net.outputs()
        return {"output": values}


class Gemm:
    """NumPy's product of two square matrices."""

    def __init__(self) -> None:
        self.a, self.b = (np.full((TILE, TILE), value, np.float32) for value in (0.5, 2))
        self.c = np.empty_like(self.a)

    def run(self, iterations: int) -> None:
        """Multiply so many times."""
        for _ in range(iterations):
            np.matmul(self.a, self.b, out=self.c)


def write_weights(case: Case, path: Path) -> None:
    """Write parameters under which every layer matters to the outputs.

    Those that begin as zeros become small numbers, and one pass gives BatchNorm its statistics.
    """
    net = Training(case, None).net
    generator = np.random.default_rng(1)
    for params in net.params.values():
        for param in params:
            if param.lr_mult and not param.data.any():
                param.data[...] = generator.normal(0, 0.1, param.shape)
    net.forward()
    np.savez(path, **named_params(net))


def named_params(net: Net) -> dict[str, np.ndarray]:
    """The parameters under the names ``layer/index``."""
    return {
        f"{layer}/{index}": param.data
        for layer, params in net.params.items()
        for index, param in enumerate(params)
    }


def _filled(net: Net, case: Case, plan: Plan) -> Net:
    for name, values in case.inputs(plan).items():
        net.blobs[name].data[...] = values
    return net


def _load(net: Net, weights: Mapping[str, np.ndarray]) -> None:
    for name, array in named_params(net).items():
        array[...] = weights[name]
