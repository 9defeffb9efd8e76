"""Groups of processes: the ranks of one side, which are asked together."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from machine import POOLS, clean_environment
from settings import Setting

_WORKER = Path(__file__).with_name("scaling_worker.py")


class Group:
    """``size`` ranks of a side, of one core and one thread each."""

    setting = Setting()

    def __init__(self, side: str, size: int, folder: Path) -> None:
        self.name = f"{side}, {size} ranks"
        for name in (*map(str, range(size)), "answers"):
            os.mkfifo(folder / name)
        environment = {
            **clean_environment(),
            **dict.fromkeys(POOLS, "1"),
            "WORLD_SIZE": str(size),
            "MEETING": f"file://{folder}/meeting",
        }
        command = [sys.executable, str(_WORKER), side, str(folder)]
        started = [{"RANK": str(rank)} for rank in range(size)]
        if side == "protonet" and size > 1:
            mpiexec = Path(sys.executable).with_name("mpiexec")
            command = [str(mpiexec) if mpiexec.exists() else "mpiexec", "-n", str(size), *command]
            started = [{}]
        # What libraries print goes to standard error.
        self._processes = [
            subprocess.Popen(
                command, env={**environment, **more}, stdin=subprocess.DEVNULL, stdout=2
            )
            for more in started
        ]
        # Opened for both directions, a pipe does not wait for its other end.
        pipes = [os.open(folder / str(rank), os.O_RDWR) for rank in range(size)]
        self._requests = [os.fdopen(pipe, "w", buffering=1) for pipe in pipes]
        self._answers = os.fdopen(os.open(folder / "answers", os.O_RDWR), "rb", buffering=0)

    def ask(self, request: str, **arguments: Any) -> Any:
        """Send a request to all ranks, and wait for the reply of rank 0."""
        self._send(request, **arguments)
        answer = b""
        while not answer.endswith(b"\n"):
            if select.select([self._answers], [], [], 1)[0]:
                answer += self._answers.read(65536)
            elif any(process.poll() is not None for process in self._processes):
                raise RuntimeError(f"{self.name}: a process ended at {request} {arguments}")
        return json.loads(answer)

    def _send(self, request: str, **arguments: Any) -> None:
        for each in self._requests:
            each.write(json.dumps([request, arguments]) + "\n")

    def __enter__(self) -> Group:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._send("end")
        for process in self._processes:
            try:
                process.wait(10 if kind is None else 1)
            except subprocess.TimeoutExpired:
                process.terminate()
                process.wait()
        for pipe in (*self._requests, self._answers):
            pipe.close()


class Turn:
    """A job of a group, as ``alternate`` measures it."""

    def __init__(self, group: Group, job: str) -> None:
        self._group, self._job = group, job

    def ask(self, request: str, **arguments: Any) -> Any:
        """Send a request about this job."""
        return self._group.ask(request, job=self._job, **arguments)
