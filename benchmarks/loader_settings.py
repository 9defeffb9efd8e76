"""What all input pipelines share: the task, and the files that it is read from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

SIDE, CROP, BATCH, MEAN, WORKERS = 256, 227, 32, 110.0, 2
CENTRE = (SIDE - CROP) // 2


@dataclass(frozen=True)
class Loader:
    """A pipeline: its name in tables, and the class of a module that runs it."""

    title: str
    module: str
    kind: str


LOADERS = {
    "protonet": Loader("protonet", "protonet_loader", "Loading"),
    "dali": Loader("DALI, CPU, windows decoded", "dali_loader", "Loading"),
    "dali-whole": Loader("DALI, CPU, images decoded", "dali_loader", "Whole"),
    "torch": Loader("PyTorch DataLoader, 2 processes", "torch_loader", "Loading"),
    "grain": Loader("Grain, 2 threads", "grain_loader", "Threads"),
    "grain-processes": Loader("Grain, 2 processes", "grain_loader", "Processes"),
}


class Files:
    """The files of all records, mapped into memory."""

    def __init__(self, folder: Path) -> None:
        self.ends = np.load(folder / "ends.npy")
        self.data = np.memmap(folder / "files.bin", np.uint8, "r")

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, index: int) -> np.ndarray:
        index %= len(self.ends)
        return self.data[self.ends[index - 1] if index else 0 : self.ends[index]]


def write_files(folder: Path, files: list[bytes]) -> None:
    """Write what ``Files`` reads."""
    (folder / "files.bin").write_bytes(b"".join(files))
    np.save(folder / "ends.npy", np.cumsum([len(each) for each in files]))


def window(generator: np.random.Generator | None) -> tuple[int, int, bool]:
    """The first row and column of a crop, and whether it is mirrored; else the centre."""
    if generator is None:
        return CENTRE, CENTRE, False
    top, left = generator.integers(0, SIDE - CROP + 1, 2)
    return int(top), int(left), bool(generator.integers(0, 2))
