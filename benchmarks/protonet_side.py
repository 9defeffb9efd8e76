"""protonet's side: what one process of it trains, asks and multiplies."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from cases import Case
from protonet.device import Device
from protonet.graph.capture import ForwardPass
from protonet.graph.net import Net
from protonet.graph.plan import Plan
from protonet.layers import layer_class, layer_types
from protonet.precision import type_of
from protonet.proto.caffe_pb2 import SolverParameter
from protonet.ranks.communicator import ALONE, Communicator
from protonet.train.trainer import Trainer
from settings import DECAY, MOMENTUM, RATE, Setting


def import_all(_: Setting) -> None:
    """The layers, of which a net imports its own when it is planned."""
    for name in layer_types():
        layer_class(name)


def device_of(setting: Setting) -> Device:
    """Where it is computed."""
    return Device(setting.device, tf32=setting.precision == "tf32")


def gpu_memory(setting: Setting) -> float:
    """MiB of the GPU that were taken so far."""
    return float(device_of(setting).xp.get_default_memory_pool().total_bytes()) / 2**20


class Training:
    """The loop of ``protonet train`` between two displays: on a CPU it reads each iteration's loss,
    on a GPU ten times a second.
    """

    def __init__(
        self,
        case: Case,
        weights: Path | None,
        setting: Setting,
        *,
        dropout: bool = True,
        ranks: Communicator = ALONE,
    ) -> None:
        plan = case.training(dropout=dropout, share=1 / ranks.size)
        self.net = _filled(_net(plan, setting), case, plan, ranks.rank)
        if weights is not None:
            _load(self.net, np.load(weights))
        solver = SolverParameter(
            base_lr=RATE,
            lr_policy="fixed",
            momentum=MOMENTUM,
            weight_decay=DECAY,
            max_iter=2**31 - 1,
        )
        self.ranks = ranks
        self._trainer = Trainer(solver, self.net, alone=True, ranks=ranks)

    def run(self, iterations: int) -> None:
        """Train so many iterations."""
        self._trainer.advance(iterations)
        self.net.device.synchronize()

    def results(self) -> dict[str, np.ndarray]:
        """The loss of the last iteration, and every parameter that is learned."""
        found = {"loss": np.array(*self.ranks.sums([self.net.loss()]))}
        for name, array in named_params(self.net).items():
            layer, index = name.rsplit("/", 1)
            if self.net.params[layer][int(index)].lr_mult:
                found[name] = array
        return found


class Inference:
    """Passes forward of the deploy net, in which blobs share memory."""

    def __init__(self, case: Case, batch: int, weights: Path | None, setting: Setting) -> None:
        plan = case.inference(batch)
        self.net = _filled(_net(plan, setting), case, plan)
        self._forward_pass = ForwardPass(self.net)
        if weights is not None:
            _load(self.net, np.load(weights))

    def run(self, iterations: int) -> None:
        """Make so many passes."""
        for _ in range(iterations):
            self._forward_pass.run()
        self.net.device.synchronize()

    def results(self) -> dict[str, np.ndarray]:
        """The output."""
        ((_, values, _),) = self.net.outputs()
        return {"output": values}


class Gemm:
    """The product of two square matrices: NumPy's, or on a GPU the one that layers use."""

    def __init__(self, setting: Setting) -> None:
        self._device, self._rows = device_of(setting), setting.tile
        dtype = type_of(_kept_in(setting))
        self.a, self.b, self.c = (
            self._device.zeros((self._rows, self._rows), dtype) for _ in range(3)
        )

    def run(self, iterations: int) -> None:
        """Multiply so many times."""
        if self._device.is_cpu:
            for _ in range(iterations):
                np.matmul(self.a, self.b, out=self.c)
            return
        from protonet.kernels.cuda.gemm import gemm

        for _ in range(iterations):
            gemm(self._device).multiply(self.a, self.b, self.c, *[self._rows] * 3)
        self._device.synchronize()


def write_weights(case: Case, path: Path) -> None:
    """Write parameters under which every layer matters to the outputs.

    Those that begin as zeros become small numbers, and one pass gives BatchNorm its statistics.
    """
    net = Training(case, None, Setting()).net
    generator = np.random.default_rng(1)
    for params in net.params.values():
        for param in params:
            if param.lr_mult and not param.data.any():
                param.data[...] = generator.normal(0, 0.1, param.shape)
    net.forward()
    np.savez(path, **named_params(net))


def _net(plan: Plan, setting: Setting) -> Net:
    """A net as ``protonet train`` and ``infer`` build it."""
    precision = type_of(_kept_in(setting))
    return Net(plan, device_of(setting), packed=True, fuse=True, precision=precision)


def _kept_in(setting: Setting) -> str:
    """What values are kept in."""
    return "float32" if setting.precision == "tf32" else setting.precision


def named_params(net: Net) -> dict[str, np.ndarray]:
    """Copies of the parameters under the names ``layer/index``."""
    return {
        f"{layer}/{index}": np.array(net.device.get(param.data))
        for layer, params in net.params.items()
        for index, param in enumerate(params)
    }


def _filled(net: Net, case: Case, plan: Plan, rank: int = 0) -> Net:
    for name, values in case.inputs(plan, rank).items():
        net.device.put(np.asarray(values, np.float32), net.blobs[name].data)
    return net


def _load(net: Net, weights: Mapping[str, np.ndarray]) -> None:
    for layer, params in net.params.items():
        for index, param in enumerate(params):
            net.device.put(weights[f"{layer}/{index}"], param.data)
