"""Programs and commands on several ranks, started by mpiexec."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import chdir
from pathlib import Path
from typing import Any

from protonet.jobs.run.settings import SolverSettings
from protonet.jobs.training.start import start_solver

ROOT = Path(__file__).parents[2]
MPIEXEC = Path(sys.executable).with_name("mpiexec")


def environment() -> Mapping[str, str]:
    """Lines of ranks are written whole, so that none is inside another's."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": ""}


def on_ranks(count: int, program: str, folder: Path) -> str:
    """What a Python program prints on ``count`` ranks; an error of one ends all."""
    file = folder / "program.py"
    file.write_text(program)
    command = [MPIEXEC, "-n", str(count), sys.executable, "-m", "mpi4py", file]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, cwd=folder, env=environment(),
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def wait_for_iterations(process: subprocess.Popen[str], run: Path) -> None:
    """Wait until a training, which must go on, has made some; it ends if it takes too long."""
    metrics = run / "metrics.jsonl"
    end = time.monotonic() + 180
    while not metrics.exists() or metrics.stat().st_size == 0:
        assert process.poll() is None, process.communicate()
        if time.monotonic() > end:
            process.terminate()
            raise AssertionError(process.communicate())
        time.sleep(0.05)


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


_TRAININGS = """
import json
from pathlib import Path
from protonet.jobs.run.settings import SolverSettings
from protonet.jobs.training.join import join
from protonet.jobs.training.start import start_solver
from protonet.ranks.mpi import communicator
ranks = communicator()
for solver, settings in json.loads(Path("cases.json").read_text()):
    if ranks.rank == 0:
        paths = {name: Path(settings[name]) for name in ("out", "snapshot") if name in settings}
        settings.update(paths)
        start_solver(Path(solver), SolverSettings(**settings), ranks=ranks)
    else:
        join(ranks, ranks.broadcast(None))
"""


def train_all(count: int, cases: Sequence[tuple[str, Mapping[str, Any]]], folder: Path) -> None:
    """Train solver files of a folder, each with settings, one after another on the same ranks; one
    rank is this process.
    """
    if count > 1:
        (folder / "cases.json").write_text(json.dumps(cases))
        on_ranks(count, _TRAININGS, folder)
        return
    with chdir(folder):
        for solver, settings in cases:
            out = Path(settings["out"])
            start_solver(Path(solver), SolverSettings(**{**settings, "out": out}))
