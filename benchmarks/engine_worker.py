"""A process of one engine: requests over standard input, replies with seconds.

``python engine_worker.py ENGINE PRECISION``. Each line is a request as JSON, ``[name, arguments]``;
each answer is a line of JSON. An engine's process imports nothing of protonet.
"""

from __future__ import annotations

import importlib
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from machine import THREADS, resident
from serve import serve


class Worker:
    """The requests of a process. One network is held at a time."""

    def __init__(self, engine: str, precision: str) -> None:
        name = "protonet_deployed" if engine == "protonet" else engine
        self.side = importlib.import_module(f"{name}_side")
        self.precision = precision
        self.imported = resident("VmRSS")
        self.job: Any = None

    def inference(self, model: str, inputs: str) -> None:
        """Open a network for these inputs."""
        self.job = None
        values = np.load(inputs)
        self.job = self.side.Inference(Path(model), values, self.precision, THREADS)

    def run(self, iterations: int) -> tuple[float, float]:
        """So many passes; returns the seconds, and those of the processor."""
        run = self.job.run
        used, began = time.process_time(), time.perf_counter()
        for _ in range(iterations):
            run()
        took = time.perf_counter() - began
        return took, time.process_time() - used

    def results(self, path: str) -> None:
        """Write the output of the last pass."""
        np.save(path, self.job.output())

    def memory(self) -> tuple[float, float]:
        """MiB after the imports, and at the peak."""
        return self.imported, resident("VmHWM")


if __name__ == "__main__":
    serve(lambda: Worker(*sys.argv[1:]), str)  # an engine's error is named in the table
