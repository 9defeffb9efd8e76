"""The launcher of ranks: real processes."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from protonet.errors import DeviceError, UsageError
from protonet.ranks import launch as launching
from protonet.ranks.launch import Ended, launch, leave_sign
from tests.ranks.started import ROOT

PROGRAM = """
import os, signal, sys
from protonet.ranks.launch import leave_sign
from protonet.ranks.mpi import communicator
ranks = communicator()
leave_sign(ranks.rank)
os.write(1, f"rank {ranks.rank} of {ranks.size}\\n".encode())
ranks.gather(0)
%s
"""


@pytest.fixture(autouse=True)
def package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def test_output_and_exit_code_are_those_of_the_ranks(capfd: pytest.CaptureFixture[str]) -> None:
    assert launch(2, ["-c", PROGRAM % "sys.exit(3)"]) == Ended(3)
    told = capfd.readouterr()
    assert sorted(told.out.splitlines()) == ["rank 0 of 2", "rank 1 of 2"]
    assert told.err == "", "what mpiexec says itself is left out"


def test_rank_0_knows_of_the_terminal_behind_its_pipe(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """So that it draws a progress bar as wide as the terminal."""
    program = """
import os
from protonet.cli.terminal import console, shows_bars
os.write(1, f"{shows_bars(console())} {console().width}\\n".encode())
"""
    monkeypatch.setenv("TERM", "xterm")
    for name in ("COLUMNS", "LINES", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    assert launch(1, ["-c", program]) == Ended(0)
    assert capfd.readouterr().out == "False 10000\n"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(launching.shutil, "get_terminal_size", lambda: os.terminal_size((91, 30)))
    assert launch(1, ["-c", program]) == Ended(0)
    assert capfd.readouterr().out == "True 91\n"


def test_a_kill_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    end = "if ranks.rank == 1: os.kill(os.getpid(), signal.SIGKILL)\nranks.gather(0)"
    ended = launch(2, ["-c", PROGRAM % end])
    assert ended.code == DeviceError.exit_code
    where = rf"rank 1 on {os.uname().nodename} \(process \d+\)"
    assert re.match(f"{where} was ended by SIGKILL; all ranks were stopped", ended.message)
    assert capfd.readouterr().err == ""


def test_without_mpiexec_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(launching.shutil, "which", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'protonet\[mpi\]'"):
        launch(2, [])


def test_a_kill_before_all_signs_is_told_by_mpiexec(capfd: pytest.CaptureFixture[str]) -> None:
    """The rank that left its sign ends later, and is not taken for the one that was killed."""
    early = "if ranks.rank == 1: os.kill(os.getpid(), signal.SIGKILL)\nleave_sign(ranks.rank)"
    ended = launch(2, ["-c", PROGRAM.replace("leave_sign(ranks.rank)", early) % ""])
    where = rf"rank [0?] on {os.uname().nodename} \(process \d+\)"
    assert re.match(f"{where} was ended by SIGKILL; all ranks were stopped", ended.message)
    assert capfd.readouterr().err == ""


def test_signs_are_left_for_a_launcher_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("PROTONET_RANKS", raising=False)
    leave_sign(0)
    os.mkfifo(tmp_path / "2")
    launcher = os.open(tmp_path / "2", os.O_RDONLY | os.O_NONBLOCK)
    monkeypatch.setenv("PROTONET_RANKS", str(tmp_path))
    leave_sign(2)
    assert os.read(launcher, 100) == str(os.getpid()).encode()
    os.close(launcher)
    leave_sign(2)  # it has ended
