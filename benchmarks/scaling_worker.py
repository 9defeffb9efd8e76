"""A rank of one side of ``scaling.py``: requests from a pipe of its own, replies of rank 0.

``python scaling_worker.py protonet|pytorch FOLDER``. Every rank reads its own pipe, so that ranks
that wait for a request sleep, and take nothing from the side whose turn it is.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

_RANK = int(os.environ.get("PMI_RANK", os.environ.get("RANK", "0")))
_CORES = sorted(os.sched_getaffinity(0))
os.sched_setaffinity(0, {_CORES[_RANK % len(_CORES)]})

import numpy as np  # after the core is chosen, which its threads inherit

from cases import CASES


class Worker:
    """The requests to a rank."""

    def __init__(self, side: str) -> None:
        self._ranks: Any = importlib.import_module(f"{side}_ranks").Ranks()
        self._jobs: dict[str, Any] = {}

    def training(
        self,
        case: str,
        weights: str,
        job: str = "check",
        batch: int | None = None,
        dropout: bool = True,
    ) -> None:
        """Prepare a training, at another batch on each rank than that of the case."""
        found = CASES[case] if batch is None else replace(CASES[case], batch=batch)
        self._jobs[job] = self._ranks.training(found, Path(weights), dropout=dropout)

    def sums(self, job: str) -> int:
        """Prepare the jobs ``sum`` and ``allreduce`` with the gradients of a training; their
        bytes. Only of protonet.
        """
        self._jobs |= self._ranks.sums(self._jobs[job])
        return int(self._jobs[job].net.store.diff.nbytes)

    def run(self, iterations: int, job: str = "check") -> float:
        """Run a job on all ranks; the seconds."""
        self._ranks.wait()
        began = time.perf_counter()
        self._jobs[job].run(iterations)
        self._ranks.wait()
        return time.perf_counter() - began

    def results(self, path: str) -> None:
        """Write the results of the job ``check``, and end it."""
        found = self._jobs.pop("check").results()
        if _RANK == 0:
            np.savez(path, **found)

    def write_weights(self, case: str, path: str) -> None:
        """Write the parameters that both sides begin with; only of protonet."""
        self._ranks.write_weights(CASES[case], Path(path))


def main() -> None:
    """Answer until the request to end."""
    folder = Path(sys.argv[2])
    worker = Worker(sys.argv[1])
    with (folder / str(_RANK)).open() as requests, (folder / "answers").open("w") as answers:
        for line in requests:
            name, arguments = json.loads(line)
            if name == "end":
                return
            answer = getattr(worker, name)(**arguments)
            if _RANK == 0:
                answers.write(json.dumps(answer) + "\n")
                answers.flush()


if __name__ == "__main__":
    main()
