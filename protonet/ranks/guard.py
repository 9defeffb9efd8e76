"""A process that waits for a rank, and names it when it is killed.

Open MPI names rank and host of a process that was killed, MPICH's mpiexec its number and host only;
and the other ranks are ended before they notice. srun names both, but lets the other ranks wait for
ever (unless --kill-on-bad-exit, or the cluster's KillOnBadExit, is set). So where a user called one
of these two, each rank is a child of a process that does nothing but wait, and that ends a step of
Slurm. (`launch` watches its ranks itself.)
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial

from protonet.errors import DeviceError
from protonet.ranks.communicator import RESUMABLE
from protonet.ranks.launch import SIGNS, end_with_parent, passing_on
from protonet.ranks.mpi import PASSED_ON, number_of_ranks

_GUARDED = "PROTONET_GUARDED"
"""Variable of ranks that have such a process."""
_NAMING = ("OMPI_COMM_WORLD_SIZE", "PMIX_RANK")
"""Variables of launchers that name ranks."""
_PASSED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def is_unguarded(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether nobody would name this rank, of several."""
    known = any(name in environment for name in (_GUARDED, SIGNS, *_NAMING))
    return "PMI_RANK" in environment and not known and number_of_ranks(environment) > 1


def step_of(environment: Mapping[str, str] = os.environ) -> str:
    """The step of Slurm of which this rank is a task; empty where Slurm has not started it itself,
    but an mpiexec in one of its jobs.
    """
    ours = [environment.get(name, "") for name in ("PMI_RANK", "PMI_SIZE")]
    tasks = [environment.get(name) for name in ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS")]
    step = [environment.get(name, "") for name in ("SLURM_JOB_ID", "SLURM_STEP_ID")]
    return ".".join(step) if ours == tasks and all(map(str.isdigit, step)) else ""


def guard(arguments: Sequence[str], tell: Callable[[str], object], remedy: str = RESUMABLE) -> int:
    """Run Python with ``arguments`` as the rank of this process, and pass signals on; the exit
    code. If it was killed, ``tell`` is called with a message that ends with ``remedy``.
    """
    process = subprocess.Popen(
        [sys.executable, *arguments],
        close_fds=False,  # MPI's connection to its launcher
        start_new_session=True,  # a signal to the group would come twice
        # The launcher kills this process where it ends ranks.
        preexec_fn=partial(end_with_parent, signal.SIGKILL) if sys.platform == "linux" else None,
        env={**os.environ, _GUARDED: "1"},
    )
    step = step_of()
    # Slurm signals all processes of a step, also those in sessions of their own.
    with passing_on((lambda _: None) if step else process.send_signal, _PASSED):
        code = process.wait()
    if code >= 0:
        return code
    tell(
        f"rank {os.environ['PMI_RANK']} on {os.uname().nodename} (process {process.pid}) was ended "
        f"by {signal.Signals(-code).name}; {remedy}"
    )
    sys.stderr.flush()
    time.sleep(PASSED_ON)
    if step:
        with suppress(OSError):  # where Slurm has no such command, srun may be set to end all
            subprocess.run(["scancel", "--signal=KILL", step], check=False)
    return DeviceError.exit_code
