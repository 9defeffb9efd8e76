"""The real program, run in a process of its own."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.forked import Forks

Program = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    with Forks() as made:
        yield made


@pytest.fixture
def protonet(forks: Forks, tmp_path: Path) -> Program:
    """Runs ``protonet`` with the given arguments in the test's folder, its output in files."""

    def run(*arguments: object, text: str = "") -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "COLUMNS": "80"}
        return forks.run([*map(str, arguments)], tmp_path, environment, text)

    return run


@pytest.fixture
def terminal(tmp_path: Path) -> Program:
    """Runs ``protonet`` on a pseudo-terminal; ``stdout`` holds what it showed, errors too.

    Keyword arguments are environment variables.
    """

    def run(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
        ours, theirs = pty.openpty()
        environment = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "CI")}
        command = [sys.executable, "-m", "protonet", *map(str, arguments)]
        with subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=tmp_path,
            env={**environment, "TERM": "xterm-256color", "COLUMNS": "100", **variables},
        ) as process:
            os.close(theirs)
            shown = read_terminal(ours)
        os.close(ours)
        return subprocess.CompletedProcess(command, process.returncode, shown, "")

    return run


def read_terminal(descriptor: int) -> str:
    """Everything that a program wrote to a pseudo-terminal until it left."""
    found = b""
    while True:
        try:
            part = os.read(descriptor, 65536)
        except OSError:  # Linux says EIO where other systems say end of file.
            break
        if not part:
            break
        found += part
    return found.decode()
