"""A process that waits for a rank, and names it when it is killed.

Open MPI and Slurm name rank and host of a process that was killed, MPICH's mpiexec its number and
host only; and the other ranks are ended before they notice. So where it was called by a user, each
rank is a child of a process that does nothing but wait. (`launch` watches its ranks itself.)
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from protonet.errors import DeviceError
from protonet.ranks.communicator import RESUMABLE
from protonet.ranks.launch import SIGNS, end_with_parent, passing_on
from protonet.ranks.mpi import PASSED_ON, number_of_ranks

_GUARDED = "PROTONET_GUARDED"
"""Variable of ranks that have such a process."""
_NAMING = ("OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "SLURM_STEP_NUM_TASKS")
"""Variables of launchers that name ranks."""
_PASSED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def is_unguarded(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether nobody would name this rank, of several."""
    known = any(name in environment for name in (_GUARDED, SIGNS, *_NAMING))
    return "PMI_RANK" in environment and not known and number_of_ranks(environment) > 1


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
    with passing_on(process.send_signal, _PASSED):
        code = process.wait()
    if code >= 0:
        return code
    tell(
        f"rank {os.environ['PMI_RANK']} on {os.uname().nodename} (process {process.pid}) was ended "
        f"by {signal.Signals(-code).name}; {remedy}"
    )
    sys.stderr.flush()
    time.sleep(PASSED_ON)
    return DeviceError.exit_code
