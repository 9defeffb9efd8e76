"""PyTorch's side on a GPU by ``torch.compile``, with images that are channels_last."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

import pytorch_eager_gpu_side
from cases import Case
from pytorch_side import gpu_memory, import_all
from settings import Setting

__all__ = ["Training", "gpu_memory", "import_all"]


class Training(pytorch_eager_gpu_side.Training):
    """Forward and backward compiled; the update is PyTorch's fused one by ``foreach``."""

    def __init__(self, case: Case, weights: Path | None, setting: Setting, **more: Any) -> None:
        super().__init__(case, weights, setting, **more)
        self.forward = torch.compile(self.net.module)
