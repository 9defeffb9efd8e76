"""The watch over machines: ranks of one machine, which are told that they are on several."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.errors import UsageError
from protonet.ranks.watch import PATIENCE, patience
from tests.ranks.started import on_ranks

WATCHED = """
import os, signal, subprocess, sys, threading, time
from mpi4py import MPI
from protonet.ranks import watch
watch._SAME_LOSS = 0.2
comm = MPI.COMM_WORLD
rank, pids = comm.rank, comm.allgather(os.getpid())
over, found = threading.Event(), []
def told(*message):
    found.append(message)
    over.set()
def stop(seconds):
    "Stop this process; another lets it go on."
    subprocess.Popen(["sh", "-c", f"sleep {seconds}; kill -CONT {os.getpid()}"])
    os.kill(os.getpid(), signal.SIGSTOP)
watching = watch.Watch(comm.Dup(), HOSTS, told, told, PATIENCE)
"""


def test_a_rank_that_stands_still_for_long_is_lost(tmp_path: Path) -> None:
    """Its neighbours notice, and tell the others; those of its own machine would wait for ever."""
    program = WATCHED.replace("HOSTS", '["a", "a", "a", "b"]').replace("PATIENCE", "2")
    told = on_ranks(
        4,
        program
        + """
if rank == 3:
    stop(5)
else:
    assert over.wait(30)
os.write(1, f"{rank}: {found}\\n".encode())
comm.Barrier()
if rank == 0:
    time.sleep(0.3)
    comm.Abort(0)
time.sleep(10)
""",
        tmp_path,
    )
    message = "rank 3 on b cannot be reached: nothing was heard of it for 2 seconds"
    first, second, third, _ = sorted(told.splitlines())
    # Whoever of the neighbours notices first tells the others, which then have no message.
    assert second == "1: [()]"
    assert {first, third} <= {f"{rank}: [{each}]" for rank in (0, 2) for each in ((message,), ())}
    assert message in first + third


def test_a_link_between_machines_that_are_no_neighbours(tmp_path: Path) -> None:
    """Of four in a ring, the first and the third: both notice, and tell the others."""
    program = WATCHED.replace("HOSTS", '["a", "b", "c", "d"]').replace("PATIENCE", "2")
    told = on_ranks(
        4,
        program.replace("comm.Dup()", "Cut(comm.Dup())").replace(
            "watching =",
            """
class Cut:
    "Loses what the first and the third send each other."
    def __init__(self, comm):
        self.comm, self.rank, self.Irecv = comm, comm.rank, comm.Irecv
    def Isend(self, word, other):
        lost = {rank, other} == {0, 2}
        return MPI.REQUEST_NULL if lost else self.comm.Isend(word, other)
watching =""",
        )
        + """
assert over.wait(30)
os.write(1, f"{rank}: {found}\\n".encode())
comm.Barrier()
if rank == 0:
    time.sleep(0.3)
    comm.Abort(0)
time.sleep(10)
""",
        tmp_path,
    )
    first, second, third, fourth = sorted(told.splitlines())
    lost = "rank {} on {} cannot be reached: nothing was heard of it for 2 seconds"
    assert (second, fourth) == ("1: [()]", "3: [()]")
    # Whoever notices first tells the ring, which tells the other.
    assert first in (f"0: [{each}]" for each in ((lost.format(2, "c"),), ()))
    assert third in (f"2: [{each}]" for each in ((lost.format(0, "a"),), ()))
    assert "cannot be reached" in first + third


def test_a_slow_rank_is_waited_for_and_all_leave_together(tmp_path: Path) -> None:
    """Also the one that stood still: it has heard nothing meanwhile."""
    program = WATCHED.replace("HOSTS", '["a", "b", "b"]').replace("PATIENCE", "3")
    told = on_ranks(
        3,
        program
        + """
if rank == 1:
    stop(0.8)
elif rank == 2:
    time.sleep(3.3)  # busy: its thread tells that it runs
watching.leave()
os.write(1, f"{rank} {found} {watching._thread.is_alive()}\\n".encode())
""",
        tmp_path,
    )
    assert sorted(told.splitlines()) == [f"{rank} [] False" for rank in range(3)]


def test_one_machine_is_not_watched(tmp_path: Path) -> None:
    told = on_ranks(
        2,
        """
import os, threading
from protonet.ranks.mpi import communicator
ranks = communicator()
ranks.watch(print, 6)
os.write(1, f"{threading.active_count()}\\n".encode())
""",
        tmp_path,
    )
    assert told == "1\n1\n"


def test_the_patience_of_the_environment() -> None:
    assert patience({}) == PATIENCE == 20
    assert patience({"PROTONET_RANK_TIMEOUT": "90"}) == 90
    for wrong in ("soon", "0", "-1", "inf", "nan"):
        with pytest.raises(UsageError, match=f"PROTONET_RANK_TIMEOUT is '{wrong}'; it is a number"):
            patience({"PROTONET_RANK_TIMEOUT": wrong})
