"""``--ranks``: errors, signals and kills of real ranks."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.jobs.training.test_join import DIGITS, RANDOM, SOLVER
from tests.ranks.started import environment, protonet, wait_for_iterations


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "digits"
    shutil.copytree(DIGITS, made)
    (made / "net.prototxt").write_text(RANDOM)
    (made / "long.prototxt").write_text(SOLVER.replace("max_iter: 100", "max_iter: 1000000"))
    return made


def started(folder: Path, ranks: int) -> subprocess.Popen[str]:
    """An endless training; returns when it has made some iterations."""
    process = subprocess.Popen(
        [sys.executable, "-m", "protonet", "train", "--solver", "long.prototxt", "--quiet",
         "--out", "run", "--ranks", str(ranks)],
        cwd=folder, env=environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    wait_for_iterations(process, folder / "run")
    return process


def ranks_of(launcher: int) -> list[int]:
    """The processes of the ranks: grandchildren of mpiexec."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])

    def under(pid: int) -> list[int]:
        return [child for child, parent in parents.items() if parent == pid]

    return [rank for mpi in under(launcher) for proxy in under(mpi) for rank in under(proxy)]


def test_a_killed_rank_ends_all_and_is_named(folder: Path) -> None:
    process = started(folder, 3)
    ranks = sorted(ranks_of(process.pid))
    assert len(ranks) == 3
    began = time.monotonic()
    os.kill(ranks[1], signal.SIGKILL)
    _, told = process.communicate(timeout=30)
    assert time.monotonic() - began < 10
    assert process.returncode == 6
    assert told.count("error:") == 1
    assert f"rank 1 on {os.uname().nodename} (process {ranks[1]}) was ended by SIGKILL" in told
    assert "BAD TERMINATION" not in told
    assert not any(Path(f"/proc/{rank}").exists() for rank in ranks)


def test_ctrl_c_stops_all_with_one_snapshot(folder: Path) -> None:
    process = started(folder, 2)
    process.send_signal(signal.SIGINT)
    output, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert told.count("stopping after this iteration") == 1
    assert output == "results: run\n"
    last = json.loads((folder / "run" / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["event"] == "snapshotted"
    done = protonet("train", "--resume", "run", "--max-iter", last["iteration"] + 3, "--ranks", 2,
                    folder=folder)  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_mistake_is_told_once(folder: Path) -> None:
    (folder / "net.prototxt").write_text(RANDOM.replace("num_output: 9", "num_output: 0"))
    done = protonet("train", "--solver", "long.prototxt", "--ranks", 3, folder=folder)
    assert done.returncode == 3
    assert done.stderr.count("num_output") == 2, "the message, and the line it points at"
    assert "Traceback" not in done.stderr
    assert "rank" not in done.stderr


def test_a_batch_smaller_than_the_ranks(folder: Path) -> None:
    (folder / "net.prototxt").write_text(RANDOM.replace("batch_size: 31", "batch_size: 2"))
    done = protonet("train", "--solver", "long.prototxt", "--ranks", 3, folder=folder)
    assert done.returncode in (2, 3)
    assert "a batch of 2 cannot be shared out over 3 ranks" in done.stderr


def test_data_that_cannot_be_shared_out(folder: Path) -> None:
    made = RANDOM.replace('type: "Data" top: "data" top: "label" include { phase: TRAIN }',
                          'type: "MemoryData" top: "data" top: "label" include { phase: TRAIN }\n'
                          "memory_data_param { batch_size: 6 channels: 1 height: 6 width: 6 }"
                          )  # fmt: skip
    made = made.replace('data_param { source: "train_db" batch_size: 31 shuffle: true }', "")
    made = made.replace("transform_param { crop_size: 6 mirror: true scale: 0.06 }", "", 1)
    (folder / "net.prototxt").write_text(made)
    done = protonet("train", "--solver", "long.prototxt", "--ranks", 2, folder=folder)
    assert done.returncode == 3
    assert 'layer "data" (MemoryData): a script gives its arrays to one process' in done.stderr
