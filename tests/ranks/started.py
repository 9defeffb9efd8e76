"""Programs and commands on several ranks, started by mpiexec."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
MPIEXEC = Path(sys.executable).with_name("mpiexec")


def environment() -> Mapping[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def on_ranks(count: int, program: str, folder: Path) -> str:
    """What a Python program prints on ``count`` ranks."""
    file = folder / "program.py"
    file.write_text(program)
    command = [MPIEXEC, "-n", str(count), sys.executable, file]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, env=environment(), check=False
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def protonet(*arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    """``protonet`` in a folder, with everything that it says."""
    return subprocess.run(
        [sys.executable, "-m", "protonet", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=folder,
        env=environment(),
        check=False,
    )
