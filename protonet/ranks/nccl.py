"""Ranks with a GPU each: NCCL carries what lies on the GPUs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from protonet.device import Device
from protonet.errors import DeviceError
from protonet.ranks.communicator import Communicator, Pending

MISSING = (
    "several GPUs need NCCL, which is not installed: pip install 'protonet[nccl]' for CUDA 12, "
    "or [nccl13]"
)
_CAPTURABLE = 20906
"""NCCL's first version, 2.9.6, whose calls a CUDA graph can record."""


class NCCLCommunicator(Communicator):
    """Ranks with a GPU each.

    Arrays of the GPU are summed and sent by NCCL, on a stream of its own: behind what is queued
    when the call is made, beside what is queued later. Calls have the same order on all ranks,
    also where they are recorded. Everything else goes the way of ``hosts``.

    Raises:
        DeviceError: without NCCL, or where it cannot connect the GPUs.
    """

    def __init__(self, hosts: Communicator, device: Device) -> None:
        nccl = device.nccl()
        if nccl is None:
            raise DeviceError(f"device '{device.name}': {MISSING}")
        self._hosts, self._nccl = hosts, nccl
        self.rank, self.size, self.host = hosts.rank, hosts.size, hosts.host
        self.failures = (*hosts.failures, nccl.NcclError)
        self.capturable = nccl.get_version() >= _CAPTURABLE
        try:
            known = hosts.broadcast(nccl.get_unique_id() if hosts.rank == 0 else None)
            self._comm = nccl.NcclCommunicator(self.size, known, self.rank)
        except nccl.NcclError as error:
            raise DeviceError(
                f"device '{device.name}': NCCL cannot connect the GPUs of the ranks ({error}); "
                "with NCCL_DEBUG=INFO in the environment it tells why"
            ) from error
        self._arrays, self._cuda = device.xp.ndarray, device.xp.cuda
        self._stream = self._cuda.Stream(non_blocking=True)
        self._queued = _Queued(self._cuda, self._stream)

    def sum(self, array: Any) -> None:
        """Replace an array by its sum over all ranks."""
        self.begin_sum(array).wait()

    def sums(self, values: Sequence[float]) -> Sequence[float]:
        """The sum of each value over all ranks."""
        return self._hosts.sums(values)

    def begin_sum(self, array: Any, /) -> Pending:
        """Begin ``sum``, behind what is queued."""
        if not isinstance(array, self._arrays):
            return self._hosts.begin_sum(array)
        self._queued.follow()
        place, kind = array.data.ptr, self._kind(array)
        self._comm.allReduce(place, place, array.size, kind, self._nccl.NCCL_SUM, self._stream.ptr)
        return self._queued

    def begin_swap(self, sent: Any, received: Any) -> Pending:
        """Begin to send row i of an array to rank i, behind what is queued."""
        if not isinstance(sent, self._arrays):
            return self._hosts.begin_swap(sent, received)
        self._queued.follow()
        bytes_, stream = self._nccl.NCCL_UINT8, self._stream.ptr
        self._nccl.groupStart()
        for rank in range(self.size):
            row, other = sent[rank], received[rank]
            self._comm.send(row.data.ptr, row.nbytes, bytes_, rank, stream)
            self._comm.recv(other.data.ptr, other.nbytes, bytes_, rank, stream)
        self._nccl.groupEnd()
        return self._queued

    def begin_collect(self, sent: Any, received: Any) -> Pending:
        """Begin to send an array to all ranks, behind what is queued."""
        if not isinstance(sent, self._arrays):
            return self._hosts.begin_collect(sent, received)
        self._queued.follow()
        place, there = sent.data.ptr, received.data.ptr
        self._comm.allGather(place, there, sent.nbytes, self._nccl.NCCL_UINT8, self._stream.ptr)
        return self._queued

    def broadcast(self, value: Any) -> Any:
        """The value of rank 0."""
        return self._hosts.broadcast(value)

    def broadcast_array(self, array: Any) -> None:
        """Replace an array by that of rank 0."""
        if not isinstance(array, self._arrays):
            self._hosts.broadcast_array(array)
            return
        self._queued.follow()
        place, kind = array.data.ptr, self._kind(array)
        self._comm.broadcast(place, place, array.size, kind, 0, self._stream.ptr)
        self._queued.wait()

    def gather(self, value: Any) -> Sequence[Any]:
        """The values of all ranks."""
        return self._hosts.gather(value)

    def any_of(self, *flags: bool) -> tuple[bool, ...]:
        """Each flag, true if it is on any rank."""
        return self._hosts.any_of(*flags)

    def watch(self, on_lost: Callable[[str], object], code: int) -> None:
        """Call ``on_lost`` when the machine of a rank cannot be reached."""
        self._hosts.watch(on_lost, code)

    def end_all(self, code: int) -> None:
        """End every rank at once with an exit code."""
        self._hosts.end_all(code)

    def _kind(self, array: Any) -> int:
        """NCCL's name of the type of an array."""
        kind: int = getattr(self._nccl, f"NCCL_{array.dtype.name.upper()}")
        return kind


class _Queued:
    """What was begun on the stream of NCCL; the host never waits for it."""

    def __init__(self, cuda: Any, stream: Any) -> None:
        self._cuda, self._stream = cuda, stream
        self._event = cuda.Event(disable_timing=True)

    def follow(self) -> None:
        """Let what is begun from now on wait for all that is queued."""
        self._event.record(self._cuda.get_current_stream())
        self._stream.wait_event(self._event)

    def progress(self) -> bool:
        """It proceeds by itself; whether it is complete, the host does not know."""
        return False

    def wait(self) -> None:
        """Let what is queued from now on wait for all that was begun."""
        self._event.record(self._stream)
        self._cuda.get_current_stream().wait_event(self._event)
