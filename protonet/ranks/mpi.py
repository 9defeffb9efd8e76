"""The ranks of an MPI program, as mpiexec or srun starts them."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from protonet.errors import UsageError
from protonet.ranks.communicator import ALONE, Communicator
from protonet.ranks.cores import own_cores, share_of
from protonet.ranks.watch import watch_machines

if TYPE_CHECKING:
    from mpi4py import MPI

    from protonet.device import Device

_SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MPI_LOCALNRANKS", "PMIX_SIZE")
"""Variables with the number of ranks that the launchers of MPICH, Open MPI and Slurm set."""

_SUMS_AT_ONCE = 4
"""MPI takes memory for each sum. That of a few, of a megabyte each, is used again, and stays in the
processor's cache; for all sums of 51 MiB the system must give it anew, and they take twice as long.
"""
PASSED_ON = 0.3
"""Seconds in which launchers read what was printed: they pass nothing on after an abort."""
_ENDED = 5
"""Seconds in which MPI must end the ranks."""

_TOLD = 4
"""Lines of a library's own words that are of use; MPICH's tell then how it was built."""
MISSING = (
    "several ranks need MPI: pip install 'protonet[mpi]', or mpi4py for the MPI of your cluster"
)


def number_of_ranks(environment: Mapping[str, str] = os.environ) -> int:
    """The number of ranks that a launcher has started; 1 without a launcher."""
    sizes = [environment.get(name, "") for name in _SIZES]
    if "SLURM_STEP_NUM_TASKS" in environment and "PMI_RANK" in environment:
        sizes.append(environment["SLURM_STEP_NUM_TASKS"])
    return max([1, *(int(size) for size in sizes if size.isdigit())])


@dataclass(frozen=True)
class Library:
    """An MPI library: vendor and version, the version of the standard, that of mpi4py, and what the
    library tells of itself.
    """

    vendor: str
    standard: str
    binding: str
    details: tuple[str, ...]


def library() -> Library | None:
    """The MPI library; None without one, or without mpi4py. Starts no ranks."""
    try:
        import mpi4py

        if "mpi4py.MPI" not in sys.modules:
            mpi4py.rc.initialize = False
        from mpi4py import MPI
    except (ImportError, RuntimeError):  # no mpi4py; no MPI library
        return None
    vendor, version = MPI.get_vendor()
    told = [" ".join(line.split()) for line in MPI.Get_library_version().splitlines()]
    return Library(
        f"{vendor} {'.'.join(map(str, version))}",
        ".".join(map(str, MPI.Get_version())),
        mpi4py.__version__,
        tuple(line for line in told if line)[:_TOLD],
    )


def communicator() -> Communicator:
    """The ranks that this process was started with. Those of one machine share out its cores, so
    call this before libraries start their threads.

    Raises:
        UsageError: under a launcher without mpi4py.
    """
    if number_of_ranks() == 1:
        return ALONE
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # no mpi4py; no MPI library
        raise UsageError(f"{MISSING}\n{str(error).splitlines()[0]}") from None
    if MPI.COMM_WORLD.size == 1:
        return ALONE
    ranks = MPICommunicator(MPI.COMM_WORLD)
    cores = share_of(ranks.rank, ranks.gather(own_cores(ranks.host)))
    if cores:
        os.sched_setaffinity(0, cores)
    return ranks


class _Exchange:
    """A nonblocking operation. MPI proceeds only inside its calls."""

    def __init__(self, request: MPI.Request) -> None:
        self._request = request

    def progress(self) -> bool:
        """Let it proceed, without waiting; whether it is complete."""
        return bool(self._request.Test())

    def wait(self) -> None:
        """Wait until it is complete."""
        self._request.Wait()


class MPICommunicator(Communicator):
    """The ranks of an MPI communicator; arrays are on the CPU."""

    sums_at_once = _SUMS_AT_ONCE

    def __init__(self, comm: MPI.Intracomm) -> None:
        from mpi4py import MPI

        self._mpi, self._comm = MPI, comm
        # Operations of one communicator begin in the same order on all ranks.
        self._summing, self._swapping, self._collecting = comm.Dup(), comm.Dup(), comm.Dup()
        self.failures = (MPI.Exception,)
        self.rank, self.size = comm.rank, comm.size
        self.host = MPI.Get_processor_name()
        self._on: dict[str, Communicator] = {}
        self._sent: list[MPI.Request] = []

    def on(self, device: Device) -> Communicator:
        """These ranks, with NCCL if the device is a GPU.

        Raises:
            DeviceError: without NCCL, or where it cannot connect the GPUs.
        """
        if device.is_cpu:
            return self
        if device.name not in self._on:
            from protonet.ranks.nccl import NCCLCommunicator

            self._on[device.name] = NCCLCommunicator(self, device)
        return self._on[device.name]

    def sum(self, array: Any) -> None:
        """Replace an array by its sum over all ranks."""
        self._comm.Allreduce(self._mpi.IN_PLACE, array)

    def sums(self, values: Sequence[float]) -> Sequence[float]:
        """The sum of each value over all ranks, in double precision."""
        if not values:
            return values
        array = (ctypes.c_double * len(values))(*values)
        self._comm.Allreduce(self._mpi.IN_PLACE, [array, self._mpi.DOUBLE])
        return list(array)

    def begin_sum(self, array: Any, /) -> _Exchange:
        """Begin ``sum``; it proceeds when ``progress`` is called."""
        return _Exchange(self._summing.Iallreduce(self._mpi.IN_PLACE, array))

    def begin_swap(self, sent: Any, received: Any) -> _Exchange:
        """Begin to send row i of an array to rank i."""
        return _Exchange(self._swapping.Ialltoall(sent, received))

    def begin_collect(self, sent: Any, received: Any) -> _Exchange:
        """Begin to send an array to all ranks."""
        return _Exchange(self._collecting.Iallgather(sent, received))

    def broadcast(self, value: Any) -> Any:
        """The value of rank 0, pickled."""
        return self._comm.bcast(value)

    def broadcast_array(self, array: Any) -> None:
        """Replace an array by that of rank 0."""
        self._comm.Bcast(array)

    def gather(self, value: Any) -> Sequence[Any]:
        """The values of all ranks, pickled."""
        return list(self._comm.allgather(value))

    def any_of(self, *flags: bool) -> tuple[bool, ...]:
        """Each flag, true if it is on any rank."""
        mine = bytearray(flags)
        self._comm.Allreduce(self._mpi.IN_PLACE, [mine, self._mpi.BYTE], self._mpi.BOR)
        return tuple(map(bool, mine))

    def send(self, value: Any, rank: int) -> None:
        """Begin to send a value, pickled, to another rank."""
        self._proceed()
        self._sent.append(self._comm.isend(value, rank))

    def received(self) -> tuple[int, Any] | None:
        """A value that another rank has sent, and that rank; None if none has arrived."""
        self._proceed()
        message = self._comm.improbe()
        if message is None:
            return None
        status = self._mpi.Status()
        value = message.recv(status)
        return status.source, value

    def _proceed(self) -> None:
        """Let what is being sent proceed; its buffers live until then."""
        self._sent = [request for request in self._sent if not request.Test()]

    def watch(self, on_lost: Callable[[str], object], code: int) -> None:
        """From now on call ``on_lost`` when the machine of a rank cannot be reached."""
        watch_machines(self._comm, self.gather(self.host), on_lost, lambda: self.end_all(code))

    def end_all(self, code: int) -> None:
        """End every rank at once with an exit code."""
        sys.stdout.flush()
        sys.stderr.flush()
        time.sleep(PASSED_ON)
        signal.alarm(_ENDED)  # ends this process where MPI waits for a network that has failed
        self._comm.Abort(code)
        os._exit(code)
