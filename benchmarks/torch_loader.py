"""PyTorch's DataLoader with worker processes, and torchvision's decoder (libjpeg-turbo)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from torch.utils.data import DataLoader, Dataset
from torchvision.io import ImageReadMode, decode_jpeg

from loader_settings import BATCH, CROP, MEAN, WORKERS, Files, window

VERSION = f"{torch.__version__}, torchvision {torchvision.__version__}"
_EPOCHS = 1000
"""So many are one, so that the workers go on."""


class _Images(Dataset[torch.Tensor]):
    def __init__(self, folder: Path, *, plain: bool) -> None:
        self.files, self.plain = Files(folder), plain
        self.generator: np.random.Generator | None = None

    def __len__(self) -> int:
        return len(self.files) * _EPOCHS

    def __getitem__(self, index: int) -> torch.Tensor:
        if self.generator is None and not self.plain:
            self.generator = np.random.default_rng(index)
        image = decode_jpeg(torch.from_numpy(self.files[index].copy()), ImageReadMode.RGB)
        top, left, mirror = window(self.generator)
        image = image[:, top : top + CROP, left : left + CROP].flip(0)
        if mirror:
            image = image.flip(2)
        return image.float().sub_(MEAN)


class Loading:
    """In order, as protonet does."""

    def __init__(self, folder: Path, *, plain: bool) -> None:
        loader = DataLoader(_Images(folder, plain=plain), BATCH, num_workers=WORKERS)
        self.batches: Any = iter(loader)

    def take(self) -> np.ndarray:
        """The next batch: (n, 3, CROP, CROP), of blue, green and red."""
        found: np.ndarray = next(self.batches).numpy()
        return found
