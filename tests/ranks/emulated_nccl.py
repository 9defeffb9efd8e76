"""A stand-in for ``cupy.cuda.nccl``: what NCCL does between GPUs, MPI does between processes, on
the stream that is given, and no earlier than it must.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from protonet.precision import type_of
from tests.kernels.cuda.emulation import QUEUE, array_at

TYPES = {
    1: np.dtype(np.uint8),
    2: np.dtype(np.int32),
    6: np.dtype(np.float16),
    7: np.dtype(np.float32),
    8: np.dtype(np.float64),
    9: type_of("bfloat16"),
}


class EmulatedNccl:
    """The names of CuPy's module that are used."""

    NCCL_SUM, NCCL_UINT8 = 0, 1
    NCCL_INT32, NCCL_FLOAT16, NCCL_FLOAT32, NCCL_FLOAT64, NCCL_BFLOAT16 = 2, 6, 7, 8, 9

    class NcclError(RuntimeError):
        pass

    def __init__(self, version: int = 22707, *, refuses: str = "") -> None:
        self.version, self.refuses = version, refuses
        self.begun: list[tuple[str, int]] = []
        """Names and counts of what was begun; what a graph repeats is begun once."""

    def get_version(self) -> int:
        return self.version

    def get_unique_id(self) -> bytes:
        return bytes(range(128))

    def groupStart(self) -> None:
        return

    def groupEnd(self) -> None:
        self.comm.swap()

    def NcclCommunicator(self, size: int, known: bytes, rank: int) -> Any:
        assert len(known) == 128
        self.comm = _Comm(self, size, rank)
        return self.comm


class _Comm:
    """One of CuPy's NcclCommunicator."""

    def __init__(self, nccl: EmulatedNccl, size: int, rank: int) -> None:
        self._nccl, self._comm = nccl, _processes(size)
        assert (size, rank) == (self._comm.size, self._comm.rank)
        self._sends: list[tuple[int, int, int]] = []
        self._receives: list[tuple[int, int, int, int]] = []

    def allReduce(
        self, send: int, receive: int, count: int, kind: int, operation: int, stream: int
    ) -> None:
        assert (send, operation) == (receive, 0), "in place, and a sum"

        def work() -> None:
            array = array_at(receive, count, TYPES[kind])
            array[...] = sum(self._comm.allgather(array.copy()))

        self._begin("sum", count, stream, work)

    def broadcast(
        self, send: int, receive: int, count: int, kind: int, root: int, stream: int
    ) -> None:
        assert send == receive

        def work() -> None:
            array = array_at(receive, count, TYPES[kind])
            array[...] = self._comm.bcast(array.copy(), root)

        self._begin("broadcast", count, stream, work)

    def allGather(self, send: int, receive: int, count: int, kind: int, stream: int) -> None:
        def work() -> None:
            array = array_at(receive, count * self._comm.size, TYPES[kind])
            array[...] = np.concatenate(self._comm.allgather(array_at(send, count, TYPES[kind])))

        self._begin("collect", count, stream, work)

    def send(self, send: int, count: int, kind: int, peer: int, stream: int) -> None:
        assert kind == 1
        self._sends.append((send, count, peer))

    def recv(self, receive: int, count: int, kind: int, peer: int, stream: int) -> None:
        assert kind == 1
        self._receives.append((receive, count, peer, stream))

    def swap(self) -> None:
        """What was sent and received in a group."""
        sends, receives = self._sends, self._receives
        self._sends, self._receives = [], []
        assert [peer for *_, peer in sends] == list(range(self._comm.size))
        assert [peer for *_, peer, _ in receives] == list(range(self._comm.size))

        def work() -> None:
            rows = [array_at(place, count, TYPES[1]).copy() for place, count, _ in sends]
            for row, (place, count, _, _) in zip(self._comm.alltoall(rows), receives, strict=True):
                array_at(place, count, TYPES[1])[...] = row

        self._begin("swap", len(sends), receives[0][3], work)

    def _begin(self, what: str, count: int, stream: int, work: Any) -> None:
        assert stream != 0, "not on the stream of the passes"
        if self._nccl.refuses and QUEUE.kept is not None:
            raise self._nccl.NcclError(self._nccl.refuses)
        self._nccl.begun.append((what, count))
        QUEUE.do_beside(stream, work)


def _processes(size: int) -> Any:
    if size == 1:
        return _Alone()
    from mpi4py import MPI

    return MPI.COMM_WORLD.Dup()


class _Alone:
    """One process, without MPI."""

    size, rank = 1, 0

    def allgather(self, value: Any) -> list[Any]:
        return [value]

    def alltoall(self, values: list[Any]) -> list[Any]:
        return values

    def bcast(self, value: Any, root: int) -> Any:
        return value
