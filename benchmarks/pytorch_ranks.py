"""PyTorch's side of ``scaling.py``: DistributedDataParallel over gloo, with its defaults."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from cases import Case
from pytorch_side import Training
from settings import Setting


class Ranks:
    """The place of this process among the ranks, and what it can be asked for."""

    def __init__(self) -> None:
        torch.set_num_threads(1)
        torch.set_num_interop_threads(1)
        rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        self.size = size
        if size > 1:
            dist.init_process_group(
                "gloo", init_method=os.environ["MEETING"], rank=rank, world_size=size
            )

    def training(self, case: Case, weights: Path, *, dropout: bool) -> Training:
        """A training at the batch of the case on each rank."""
        made = Training if self.size == 1 else _Distributed
        rank = int(os.environ["RANK"])
        return made(case, weights, Setting(), dropout=dropout, rank=rank)

    def wait(self) -> None:
        """Wait for the other ranks."""
        if self.size > 1:
            dist.barrier()


class _Distributed(Training):
    """A training of one of several ranks."""

    def __init__(
        self,
        case: Case,
        weights: Path | None,
        setting: Setting,
        *,
        dropout: bool = True,
        rank: int = 0,
    ) -> None:
        super().__init__(case, weights, setting, dropout=dropout, rank=rank)
        self.forward = DistributedDataParallel(self.net.module)

    def results(self) -> dict[str, np.ndarray]:
        """The loss of the whole batch, and every parameter."""
        loss = torch.tensor(self.loss)
        dist.all_reduce(loss)
        return {**super().results(), "loss": loss.numpy() / dist.get_world_size()}
