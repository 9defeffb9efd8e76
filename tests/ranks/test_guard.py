"""The process that waits for a rank of the user's mpiexec."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from protonet.errors import DeviceError
from protonet.ranks.guard import guard, is_unguarded, step_of
from tests.jobs.training.test_join import RANDOM, SOLVER
from tests.ranks.agreement import digits
from tests.ranks.started import MPIEXEC, environment, wait_for_iterations

SLURM = {"SLURM_JOB_ID": "73", "SLURM_STEP_ID": "4", "SLURM_PROCID": "1",
         "SLURM_STEP_NUM_TASKS": "2"}  # fmt: skip


def test_steps_of_slurm() -> None:
    """An mpiexec in a job of Slurm ends its ranks itself; a whole job is never ended."""
    rank = {"PMI_RANK": "1", "PMI_SIZE": "2"}
    assert step_of({**rank, **SLURM}) == "73.4"
    assert step_of(rank) == ""
    assert step_of(SLURM) == ""
    for name, value in (("SLURM_STEP_ID", "batch"), ("SLURM_STEP_ID", ""), ("PMI_RANK", "0"),
                        ("SLURM_STEP_NUM_TASKS", "1")):  # fmt: skip
        assert step_of({**rank, **SLURM, name: value}) == ""


def test_a_step_of_slurm_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """srun lets the other ranks wait for one that was killed."""
    command = tmp_path / "scancel"
    command.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/ended\n')
    command.chmod(0o755)
    for name, value in {"PMI_RANK": "1", "PMI_SIZE": "2", **SLURM}.items():
        monkeypatch.setenv(name, value)
    told: list[str] = []
    killed = ["-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"]
    assert guard(killed, told.append) == DeviceError.exit_code, "without such a command"
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert guard(killed, told.append) == DeviceError.exit_code
    assert (tmp_path / "ended").read_text() == "--signal=KILL 73.4\n"
    assert "rank 1 on" in told[1]
    assert guard(["-c", "raise SystemExit(3)"], told.append) == 3
    assert len(told) == 2


def test_who_names_ranks() -> None:
    """MPICH's mpiexec and srun do not, unless `launch` has called them."""
    mpich = {"PMI_RANK": "1", "PMI_SIZE": "2"}
    assert is_unguarded(mpich)
    assert not is_unguarded({})
    assert not is_unguarded({"PMI_RANK": "0", "PMI_SIZE": "1"})
    assert is_unguarded({**mpich, **SLURM})
    others = ("PROTONET_RANKS", "PROTONET_GUARDED", "PMIX_RANK", "OMPI_COMM_WORLD_SIZE")
    for each in others:
        assert not is_unguarded({**mpich, each: "2"})


@pytest.fixture
def training(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """An endless one on three ranks, which has made some iterations."""
    endless = SOLVER.replace("max_iter: 100", "max_iter: 1000000")
    folder = digits(tmp_path, RANDOM, long=endless)
    process = subprocess.Popen(
        [MPIEXEC, "-n", "3", sys.executable, "-m", "protonet", "train", "--quiet", "--solver",
         "long.prototxt", "--out", "run"],
        cwd=folder, env=environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    wait_for_iterations(process, folder / "run")
    yield process
    process.kill()
    process.communicate()


def ranks_of(launcher: int) -> dict[str, int]:
    """The processes of the ranks: the children of those that wait."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            variables = (entry / "environ").read_bytes().split(b"\0")
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        known = dict(each.partition(b"=")[::2] for each in variables)
        if b"PROTONET_GUARDED" in known and _is_under(int(entry.name), launcher) and command:
            found[known[b"PMI_RANK"].decode()] = int(entry.name)
    return found


def _is_under(pid: int, ancestor: int) -> bool:
    while pid > 1:
        stat = Path(f"/proc/{pid}/stat").read_text()
        pid = int(stat.rpartition(")")[2].split()[1])
        if pid == ancestor:
            return True
    return False


def test_a_rank_that_is_killed_is_named(training: subprocess.Popen[str]) -> None:
    ranks = ranks_of(training.pid)
    assert sorted(ranks) == ["0", "1", "2"]
    began = time.monotonic()
    os.kill(ranks["1"], signal.SIGKILL)
    _, told = training.communicate(timeout=30)
    assert time.monotonic() - began < 10
    assert training.returncode, "that of mpiexec"
    assert told.count("error:") == 1
    assert f"rank 1 on {os.uname().nodename} (process {ranks['1']}) was ended by SIGKILL" in told
    end = time.monotonic() + 5
    while any(Path(f"/proc/{pid}").exists() for pid in ranks.values()):
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_signal_to_mpiexec_comes_once(training: subprocess.Popen[str], tmp_path: Path) -> None:
    """Twice it would end without a snapshot."""
    training.send_signal(signal.SIGINT)
    _, told = training.communicate(timeout=30)
    assert told.count("stopping after this iteration") == 1
    metrics = tmp_path / "digits" / "run" / "metrics.jsonl"
    last = json.loads(metrics.read_text().splitlines()[-1])
    assert last["event"] == "snapshotted"
