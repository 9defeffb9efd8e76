"""Ranks of MPI: real processes."""

from __future__ import annotations

import builtins
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from protonet.errors import UsageError
from protonet.ranks.communicator import ALONE
from protonet.ranks.mpi import communicator, library, number_of_ranks
from tests.ranks.started import on_ranks


@pytest.mark.parametrize(
    ("environment", "count"),
    [
        ({}, 1),
        ({"PMI_SIZE": "3", "PMI_RANK": "0"}, 3),
        ({"OMPI_COMM_WORLD_SIZE": "4"}, 4),
        ({"SLURM_STEP_NUM_TASKS": "8", "PMI_RANK": "2"}, 8),
        ({"SLURM_STEP_NUM_TASKS": "8"}, 1),  # a batch script of Slurm, not a task of srun
    ],
)
def test_launchers_tell_the_number_of_ranks(environment: dict[str, str], count: int) -> None:
    assert number_of_ranks(environment) == count


def test_without_a_launcher_a_process_is_alone() -> None:
    assert communicator() is ALONE


def test_without_mpi4py_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "mpi4py":
            raise ImportError(name)
        return imported(name, *rest)

    monkeypatch.setenv("PMI_SIZE", "2")
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError, match=r"pip install 'protonet\[mpi\]'"):
        communicator()


def test_what_ranks_send_each_other(tmp_path: Path) -> None:
    told = on_ranks(
        3,
        """
import os
import numpy as np
from protonet.ranks.mpi import communicator
ranks = communicator()
array = np.arange(4, dtype=np.float32) * (ranks.rank + 1)
ranks.sum(array)
later = np.full(5, ranks.rank, np.float32)
pending = ranks.begin_sum(later)
pending.progress()
pending.wait()
rows = np.array([[ranks.rank, to] for to in range(3)], np.uint16)
received = np.zeros((3, 2), np.uint16)
swap = ranks.begin_swap(rows, received)
swap.wait()
assert swap.progress()
assert received.tolist() == [[0, ranks.rank], [1, ranks.rank], [2, ranks.rank]]
ranks.begin_collect(rows[0], received).wait()
assert received.tolist() == [[0, 0], [1, 0], [2, 0]]
assert ranks.sums([]) == []
assert ranks.sums([0.5, ranks.rank]) == [1.5, 3.0]
first = np.full(2, ranks.rank + 7.0)
ranks.broadcast_array(first)
flags = ranks.any_of(ranks.rank == 2, False)
values = (array.tolist(), later.tolist(), first.tolist(), flags)
part = ranks.part(10)
told = (ranks.rank, *values, ranks.broadcast(f"of {ranks.rank}"), part.first, part.count)
everyone = ranks.gather(told)
if ranks.rank == 0:
    print(*everyone, sep="\\n")
""",
        tmp_path,
    )
    same = "[0.0, 6.0, 12.0, 18.0], [3.0, 3.0, 3.0, 3.0, 3.0], [7.0, 7.0], (True, False), 'of 0'"
    assert told.splitlines() == [f"(0, {same}, 0, 3)", f"(1, {same}, 3, 3)", f"(2, {same}, 6, 4)"]


def test_the_library_is_known_without_ranks() -> None:
    found = library()
    assert found is not None
    assert re.fullmatch(r"\D+ [\d.]+", found.vendor)
    assert all(re.fullmatch(r"\d+(\.\d+)+", each) for each in (found.standard, found.binding))
    assert 1 <= len(found.details) <= 4


def test_without_mpi4py_there_is_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    assert library() is None
