"""Trainings on machines whose link is cut."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from protonet.errors import DeviceError
from tests.jobs.training.test_join import RANDOM, SOLVER
from tests.ranks.agreement import digits
from tests.ranks.machines import machines_on
from tests.ranks.started import protonet

LONG = SOLVER.replace("max_iter: 100", "max_iter: 800")
PATIENCE = 6
"""Seconds; by default 20."""


def wait_for(reached: Callable[[], bool], process: subprocess.Popen[str] | None = None) -> None:
    end = time.monotonic() + 30
    while not reached():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)


def iteration(folder: Path) -> int:
    """The newest iteration in the metrics of a run; 0 before the first."""
    file = folder / "run" / "metrics.jsonl"
    lines = file.read_text().split("\n") if file.exists() else []
    return int(json.loads(lines[-2])["iteration"]) if len(lines) > 1 else 0


def test_the_link_is_cut_and_the_training_resumed(tmp_path: Path) -> None:
    """A rank that stands still for five seconds is waited for. Where the link is cut all end with a
    message; resumed, the weights are those of a training that nothing has stopped.
    """
    cut, whole = (digits(tmp_path / name, RANDOM, long=LONG) for name in ("cut", "whole"))
    arguments = ["train", "--quiet", "--solver", "long.prototxt", "--out", "run"]
    with machines_on(tmp_path) as machines, ThreadPoolExecutor() as pool:
        uncut = pool.submit(protonet, *arguments, "--ranks", 2, folder=whole)
        process = machines.start(arguments, cut, PROTONET_RANK_TIMEOUT=str(PATIENCE))
        wait_for(lambda: iteration(cut) >= 60, process)
        (slow,) = machines.processes(1)
        os.kill(slow, signal.SIGSTOP)
        time.sleep(5)
        before = iteration(cut)
        os.kill(slow, signal.SIGCONT)
        wait_for(lambda: iteration(cut) > before, process)
        machines.cut()
        began = time.monotonic()
        assert machines.sent() > 50_000
        _, told = process.communicate(timeout=30)
        wait_for(lambda: not machines.processes(1))
        assert time.monotonic() - began < 30
        assert process.returncode == DeviceError.exit_code
        assert "error: rank 1 on b cannot be reached: nothing was heard of it for 6 s" in told
        assert told.count("error:") == 1
        assert before <= iteration(cut) < 800
        machines.mend()
        resumed = machines.start(["train", "--quiet", "--resume", "run"], cut)
        _, told = resumed.communicate(timeout=60)
        assert resumed.returncode == 0, told
        assert uncut.result().returncode == 0, uncut.result().stderr
    name = "long_iter_800.caffemodel"
    assert (cut / name).read_bytes() == (whole / name).read_bytes()


def test_two_of_four_machines_that_reach_each_other_no_more(tmp_path: Path) -> None:
    """The first and the third are no neighbours in the order of ranks: all ranks end with a message
    all the same.
    """
    folder = digits(tmp_path, RANDOM, long=LONG.replace("max_iter: 800", "max_iter: 100000"))
    arguments = ["train", "--quiet", "--solver", "long.prototxt", "--out", "run"]
    with machines_on(tmp_path, 4) as machines:
        process = machines.start(arguments, folder, PROTONET_RANK_TIMEOUT="3")
        wait_for(lambda: iteration(folder) >= 20, process)
        machines.separate(0, 2)
        began = time.monotonic()
        _, told = process.communicate(timeout=30)
        wait_for(lambda: not any(machines.processes(number) for number in range(4)))
        assert time.monotonic() - began < 30
    assert process.returncode == DeviceError.exit_code
    assert "error: rank 2 on c cannot be reached: nothing was heard of it for 3 s" in told
    assert told.count("error:") == 1
