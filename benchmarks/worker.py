"""A process of one side: requests over standard input, replies with seconds.

``python worker.py protonet|pytorch SETTING``, the setting as JSON. Each line is a request as JSON,
``[name, arguments]``; each answer is a line of JSON. Two sides never share a process: two thread
pools would compete.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from cases import CASES
from machine import resident
from serve import serve
from settings import Setting


class Worker:
    """The requests of a process. One job is held at a time."""

    def __init__(self, side: str, setting: Setting) -> None:
        self.setting = setting
        self.side = importlib.import_module(f"{side}_side")
        self.side.import_all(setting)
        self.imported = resident("VmRSS")
        self.job: Any = None

    def training(self, case: str, weights: str | None, dropout: bool = True) -> None:
        """Prepare training of a network."""
        self.job = None
        self.job = self.side.Training(
            CASES[case].on(self.setting), _path(weights), self.setting, dropout=dropout
        )

    def inference(self, case: str, weights: str | None, batch: int) -> None:
        """Prepare inference of a network at a batch size."""
        self.job = None
        self.job = self.side.Inference(CASES[case], batch, _path(weights), self.setting)

    def gemm(self) -> None:
        """Prepare the matrix product."""
        self.job = None
        self.job = self.side.Gemm(self.setting)

    def run(self, iterations: int) -> float:
        """Run the job; returns the seconds."""
        began = time.perf_counter()
        self.job.run(iterations)
        return time.perf_counter() - began

    def results(self, path: str) -> None:
        """Write the results of the job."""
        np.savez(path, **self.job.results())

    def write_weights(self, case: str, path: str) -> None:
        """Write the parameters that both sides begin with; only of our side."""
        self.side.write_weights(CASES[case], Path(path))

    def memory(self) -> tuple[float, float]:
        """MiB after the imports, and at the peak; of a GPU what was taken there."""
        if self.setting.on_gpu:
            return 0.0, self.side.gpu_memory(self.setting)
        return self.imported, resident("VmHWM")


def _path(name: str | None) -> Path | None:
    return None if name is None else Path(name)


if __name__ == "__main__":
    serve(lambda: Worker(sys.argv[1], Setting(**json.loads(sys.argv[2]))))
