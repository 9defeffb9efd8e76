"""PyTorch's side on a GPU with everything on but the compiler: images are channels_last."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

import pytorch_side
from cases import Case
from pytorch_side import gpu_memory, import_all
from settings import Setting

__all__ = ["Inference", "Training", "gpu_memory", "import_all"]


def channels_last(job: Any) -> None:
    """Lay out the weights and the inputs of a job so."""
    layout = torch.channels_last
    job.net.module.to(memory_format=layout)
    job.inputs = [x.contiguous(memory_format=layout) if x.dim() == 4 else x for x in job.inputs]


class Training(pytorch_side.Training):
    """Forward, backward and ``torch.optim.SGD``, eagerly."""

    def __init__(self, case: Case, weights: Path | None, setting: Setting, **more: Any) -> None:
        super().__init__(case, weights, setting, **more)
        channels_last(self)


class Inference(pytorch_side.Inference):
    """Passes forward under ``torch.inference_mode``, eagerly."""

    def __init__(self, case: Case, batch: int, weights: Path | None, setting: Setting) -> None:
        super().__init__(case, batch, weights, setting)
        channels_last(self)
