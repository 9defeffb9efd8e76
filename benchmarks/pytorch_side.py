"""PyTorch's side: the same as ``protonet_side``, eager or compiled."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cases import Case
from protonet.graph.plan import Plan
from settings import DECAY, MOMENTUM, RATE, Setting
from torch_net import TorchNet

MODES = ("", "channels_last", "compile", "channels_last+compile", "channels_last+max-autotune")
"""Ways to train: eager; images whose channels are next to each other; by ``torch.compile``."""


def import_all(setting: Setting) -> None:
    """Take one step with a tiny network: PyTorch imports much only when it is first used. Sets
    what of PyTorch is the same for all networks.
    """
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = setting.precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = setting.precision == "tf32"
    module = torch.nn.Conv2d(1, 1, 3).to(setting.device)
    optimizer = torch.optim.SGD(module.parameters(), lr=RATE, momentum=MOMENTUM)
    module(torch.zeros(1, 1, 4, 4, device=setting.device)).sum().backward()
    optimizer.step()


def gpu_memory(setting: Setting) -> float:
    """MiB of the GPU that were taken so far."""
    return torch.cuda.max_memory_reserved(setting.device) / 2**20


def _rounding(setting: Setting) -> AbstractContextManager[Any]:
    """PyTorch's way to compute in 16 bits."""
    if setting.precision not in ("float16", "bfloat16"):
        return nullcontext()
    return torch.autocast("cuda" if setting.on_gpu else "cpu", getattr(torch, setting.precision))


def _wait(setting: Setting) -> None:
    if setting.on_gpu:
        torch.cuda.synchronize(setting.device)


class Training:
    """Forward, backward and ``torch.optim.SGD`` with its defaults; on a CPU it reads each
    iteration's loss, on a GPU the last one.
    """

    def __init__(
        self,
        case: Case,
        weights: Path | None,
        setting: Setting,
        *,
        dropout: bool = True,
        rank: int = 0,
    ) -> None:
        self.setting = setting
        plan = case.training(dropout=dropout)
        self.net = TorchNet(plan)
        if weights is not None:
            self.net.load(np.load(weights))
        self.net.module.to(setting.device)
        self.inputs = _tensors(case, plan, setting, rank)
        self.net.module.train()
        self.optimizer = torch.optim.SGD(
            self.net.module.parameters(), lr=RATE, momentum=MOMENTUM, weight_decay=DECAY
        )
        self.forward: Callable[..., torch.Tensor] = self.net.module.forward
        self.update: Callable[[], object] = self.optimizer.step
        self._choose(setting.mode.split("+"))
        scaled = setting.precision == "float16"
        kind = "cuda" if setting.on_gpu else "cpu"
        self.scaler = torch.amp.GradScaler(kind, enabled=True) if scaled else None
        self.loss = 0.0

    def _choose(self, modes: list[str]) -> None:
        """Compute in this mode."""
        if "channels_last" in modes:
            layout = torch.channels_last
            self.net.module.to(memory_format=layout)
            self.inputs = [
                x.contiguous(memory_format=layout) if x.dim() == 4 else x for x in self.inputs
            ]
        if modes[-1] in ("compile", "max-autotune"):
            how = "max-autotune" if modes[-1] == "max-autotune" else None
            self.forward = torch.compile(self.net.module, mode=how)
            self.update = torch.compile(self.optimizer.step, mode=how)

    def run(self, iterations: int) -> None:
        """Train so many iterations."""
        optimizer, scaler = self.optimizer, self.scaler
        for number in range(iterations):
            optimizer.zero_grad()
            with _rounding(self.setting):
                loss = self.forward(*self.inputs)
            if scaler is None:
                loss.backward()
                self.update()
            else:
                scaler.scale(loss).backward()
                scaler.step(optimizer)
                scaler.update()
            if not self.setting.on_gpu or number == iterations - 1:
                self.loss = loss.item()
        _wait(self.setting)

    def results(self) -> dict[str, np.ndarray]:
        """The loss of the last iteration, and every parameter that is learned."""
        params = {
            f"{layer}/{index}": tensor.detach().cpu().numpy()
            for layer, tensors in self.net.params.items()
            for index, tensor in enumerate(tensors)
        }
        return {"loss": np.array(self.loss), **params}


class Inference:
    """Passes forward under ``torch.inference_mode``."""

    def __init__(self, case: Case, batch: int, weights: Path | None, setting: Setting) -> None:
        self.setting = setting
        plan = case.inference(batch)
        self.net = TorchNet(plan)
        if weights is not None:
            self.net.load(np.load(weights))
        self.net.module.to(setting.device).eval()
        self.inputs = _tensors(case, plan, setting)
        self.output = torch.empty(0)

    def run(self, iterations: int) -> None:
        """Make so many passes."""
        forward, inputs = self.net.module.forward, self.inputs
        with torch.inference_mode(), _rounding(self.setting):
            for _ in range(iterations):
                self.output = forward(*inputs)
        _wait(self.setting)

    def results(self) -> dict[str, np.ndarray]:
        """The output."""
        return {"output": self.output.float().cpu().numpy()}


class Gemm:
    """PyTorch's product of two square matrices."""

    def __init__(self, setting: Setting) -> None:
        self.setting, rows = setting, setting.tile
        exact = setting.precision in ("float32", "tf32")
        dtype = torch.float32 if exact else getattr(torch, setting.precision)
        self.a, self.b, self.c = (
            torch.zeros((rows, rows), dtype=dtype, device=setting.device) for _ in range(3)
        )

    def run(self, iterations: int) -> None:
        """Multiply so many times."""
        for _ in range(iterations):
            torch.mm(self.a, self.b, out=self.c)
        _wait(self.setting)


def _tensors(case: Case, plan: Plan, setting: Setting, rank: int = 0) -> list[torch.Tensor]:
    """The inputs of a rank in the plan's order."""
    arrays = case.inputs(plan, rank)
    return [torch.from_numpy(arrays[value.name]).to(setting.device) for value in plan.inputs]
