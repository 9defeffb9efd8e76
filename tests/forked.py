"""``protonet`` in processes that are forked from one whose imports are done: real processes, of
which a short training takes a third of the time.
"""

from __future__ import annotations

import gc
import json
import os
import pkgutil
import resource
import runpy
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from protonet.train.listeners.loss_chart import draw_losses

ROOT = Path(__file__).parents[1]
SECONDS = 120
"""After which a program is given up."""


class Forks:
    """A process that forks one that runs ``protonet`` for each call of ``run``. Use ``with``."""

    def __enter__(self) -> Forks:
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._requests.settimeout(SECONDS)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.forked", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                cwd=ROOT,
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._requests.close()
        self._process.wait(SECONDS)

    def run(
        self,
        arguments: list[str],
        folder: Path,
        environment: Mapping[str, str],
        text: str = "",
        limit: int | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run ``protonet`` in a folder; its output is not a terminal, and its files can grow to
        ``limit`` bytes.
        """
        request = json.dumps([arguments, str(folder), dict(environment), limit]).encode()
        kind: Callable[[], Any] = TemporaryFile if limit is None else _Pipe
        with TemporaryFile() as given, kind() as out, kind() as errors:
            given.write(text.encode())
            given.seek(0)
            files = [given.fileno(), out.fileno(), errors.fileno()]
            socket.send_fds(self._requests, [request], files)
            try:
                code = int(self._requests.recv(100))
            except TimeoutError:
                self._process.kill()  # an answer that comes later would be taken for another's
                raise
            for each in (out, errors):
                each.seek(0)
            told, complaint = (each.read().decode() for each in (out, errors))
        return subprocess.CompletedProcess(["protonet", *arguments], code, told, complaint)


class _Pipe:
    """What a program writes to whose files are limited; it holds more than such a one says."""

    def __init__(self) -> None:
        self._reads, self._writes = os.pipe()

    def __enter__(self) -> _Pipe:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._reads)
        os.close(self._writes)

    def fileno(self) -> int:
        return self._writes

    def seek(self, _: int) -> None:
        """It is at its beginning."""

    def read(self) -> bytes:
        """What was written."""
        os.set_blocking(self._reads, False)
        with suppress(BlockingIOError):
            return os.read(self._reads, 2**16)
        return b""


def serve(requests: socket.socket) -> None:
    """Fork for each request; in the fork, run the program and leave as it does."""
    _import_commands()
    gc.freeze()
    while True:
        request, files, _, _ = socket.recv_fds(requests, 2**20, 3)
        if not request:
            return None
        child = os.fork()
        if not child:
            requests.close()
            return _become(*json.loads(request), files)
        for each in files:
            os.close(each)
        _, status = os.waitpid(child, 0)
        requests.send(str(os.waitstatus_to_exitcode(status)).encode())


def _import_commands() -> None:
    """What commands import only when they need it, pictures too: a fork has it from the start."""
    for name in ("cli", "data", "formats", "graph", "jobs", "layers", "solvers", "train"):
        package = import_module(f"protonet.{name}")
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            import_module(module.name)
    draw_losses("", "", ([0], [1]), ([], []), ([], []))


def _become(
    arguments: list[str],
    folder: str,
    environment: Mapping[str, str],
    limit: int | None,
    files: list[int],
) -> None:
    for target, file in enumerate(files):
        os.dup2(file, target)
        os.close(file)
    if limit is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["protonet", *arguments]
    runpy.run_module("protonet", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
