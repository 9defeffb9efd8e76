"""A process of one input pipeline: requests over standard input, replies with seconds.

``python loader_worker.py LOADER FOLDER``, answered as in ``engine_worker.py``. ``FOLDER`` has the
records twice: the LMDB ``jpeg``, which protonet and DALI read, and their files one behind the other
in ``files.bin``, mapped into memory for the others. A loader's process imports nothing of protonet.
"""

from __future__ import annotations

import importlib
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from loader_settings import LOADERS
from serve import serve


class Worker:
    """The requests of a process. One pipeline is open at a time."""

    def __init__(self, loader: str, folder: str) -> None:
        self.loader = LOADERS[loader]
        self.folder = Path(folder)
        self.job: Any = None

    def open(self, *, plain: bool) -> str:
        """Open the pipeline, ``plain`` for the centres of the images, as they are; its version."""
        self.job = None
        side = importlib.import_module(self.loader.module)
        self.job = getattr(side, self.loader.kind)(self.folder, plain=plain)
        version: str = side.VERSION
        return version

    def run(self, iterations: int) -> float:
        """Take so many batches; returns the seconds."""
        take = self.job.take
        began = time.perf_counter()
        for _ in range(iterations):
            take()
        return time.perf_counter() - began

    def batch(self, path: str) -> None:
        """Write the next batch."""
        np.save(path, self.job.take())


if __name__ == "__main__":  # a loader's error is named in the table
    serve(lambda: Worker(*sys.argv[1:]), lambda error: f"{type(error).__name__}: {error}")
