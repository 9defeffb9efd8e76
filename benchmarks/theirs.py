"""PyTorch's side: the same as ``ours`` in eager PyTorch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from cases import Case
from protonet.graph.plan import Plan
from settings import DECAY, MOMENTUM, RATE, TILE
from torch_net import TorchNet


def import_all() -> None:
    """Take one step with a tiny network: PyTorch imports much only when it is first used."""
    module = torch.nn.Conv2d(1, 1, 3)
    optimizer = torch.optim.SGD(module.parameters(), lr=RATE, momentum=MOMENTUM)
    module(torch.zeros(1, 1, 4, 4)).sum().backward()
    optimizer.step()


class Training:
    """Forward, backward and ``torch.optim.SGD`` with its defaults; reads each iteration's loss."""

    def __init__(self, case: Case, weights: Path | None, *, dropout: bool = True) -> None:
        plan = case.training(dropout=dropout)
        self.net = TorchNet(plan)
        if weights is not None:
            self.net.load(np.load(weights))
        self.inputs = _tensors(case, plan)
        self.net.module.train()
        self.optimizer = torch.optim.SGD(
            self.net.module.parameters(), lr=RATE, momentum=MOMENTUM, weight_decay=DECAY
        )
        self.loss = 0.0

    def run(self, iterations: int) -> None:
        """Train so many iterations."""
        forward, inputs, optimizer = self.net.module.forward, self.inputs, self.optimizer
        for _ in range(iterations):
            optimizer.zero_grad()
            loss = forward(*inputs)
            loss.backward()
            optimizer.step()
            self.loss = loss.item()

    def results(self) -> dict[str, np.ndarray]:
        """The loss of the last iteration, and every parameter that is learned."""
        params = {
            f"{layer}/{index}": tensor.detach().numpy()
            for layer, tensors in self.net.params.items()
            for index, tensor in enumerate(tensors)
        }
        return {"loss": np.array(self.loss), **params}


class Inference:
    """Passes forward under ``torch.inference_mode``."""

    def __init__(self, case: Case, batch: int, weights: Path | None) -> None:
        plan = case.inference(batch)
        self.net = TorchNet(plan)
        if weights is not None:
            self.net.load(np.load(weights))
        self.net.module.eval()
        self.inputs = _tensors(case, plan)
        self.output = torch.empty(0)

    def run(self, iterations: int) -> None:
        """Make so many passes."""
        forward, inputs = self.net.module.forward, self.inputs
        with torch.inference_mode():
            for _ in range(iterations):
                self.output = forward(*inputs)

    def results(self) -> dict[str, np.ndarray]:
        """The output."""
        return {"output": self.output.numpy()}


class Gemm:
    """PyTorch's product of two square matrices."""

    def __init__(self) -> None:
        self.a, self.b = (torch.full((TILE, TILE), value) for value in (0.5, 2.0))
        self.c = torch.empty_like(self.a)

    def run(self, iterations: int) -> None:
        """Multiply so many times."""
        for _ in range(iterations):
            torch.mm(self.a, self.b, out=self.c)


def _tensors(case: Case, plan: Plan) -> list[torch.Tensor]:
    """The inputs in the plan's order."""
    arrays = case.inputs(plan)
    return [torch.from_numpy(arrays[value.name]) for value in plan.inputs]
