"""NCCL between ranks: its calls and their order, and two real ranks on a stand-in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protonet.errors import DeviceError
from protonet.ranks.communicator import Communicator
from protonet.ranks.nccl import NCCLCommunicator
from tests.kernels.cuda.emulation import EmulatedDevice, needs_compiler
from tests.ranks.started import on_ranks


class Hosts(Communicator):
    """Rank 0 of 2, without a process beside it."""

    size, host = 2, "here"

    def __init__(self, log: list[str]) -> None:
        self.log = log

    def broadcast(self, value: Any) -> Any:
        self.log.append(f"id of {len(value)} bytes")
        return value

    def begin_sum(self, array: Any, /) -> Any:
        self.log.append("a sum of the hosts")
        return super().begin_sum(array)

    def broadcast_array(self, array: Any) -> None:
        self.log.append("an array of the hosts")

    def end_all(self, code: int) -> None:
        self.log.append(f"end with {code}")


class Recorded:
    """CuPy's streams, events and NCCL, which write down what they are asked."""

    NCCL_SUM, NCCL_FLOAT32 = 0, 7

    class NcclError(RuntimeError):
        pass

    def __init__(self, log: list[str], version: int = 22707) -> None:
        self.log, self.version, self.ptr = log, version, 5

    def get_version(self) -> int:
        return self.version

    def get_unique_id(self) -> bytes:
        return bytes(128)

    def NcclCommunicator(self, size: int, known: bytes, rank: int) -> Any:
        if self.version == 0:
            raise self.NcclError("NCCL_ERROR_SYSTEM_ERROR: no route")
        self.log.append(f"rank {rank} of {size}")
        return self

    def allReduce(
        self, send: int, receive: int, count: int, kind: int, operation: int, stream: int
    ) -> None:
        assert send == receive
        self.log.append(f"sum {count} of type {kind} by {operation} on {stream}")

    def broadcast(
        self, send: int, receive: int, count: int, kind: int, root: int, stream: int
    ) -> None:
        self.log.append(f"broadcast {count} of type {kind} from {root} on {stream}")

    def Stream(self, non_blocking: bool) -> Any:
        return _Stream(self.log, "beside", 5)

    def Event(self, disable_timing: bool) -> Any:
        return self

    def record(self, stream: Any) -> None:
        self.log.append(f"record {stream.name}")

    def get_current_stream(self) -> Any:
        return _Stream(self.log, "passes", 0)


class _Stream:
    def __init__(self, log: list[str], name: str, ptr: int) -> None:
        self.log, self.name, self.ptr = log, name, ptr

    def wait_event(self, event: Any) -> None:
        self.log.append(f"{self.name} waits")


def recorded(log: list[str], version: int = 22707) -> NCCLCommunicator:
    made = Recorded(log, version)
    device = EmulatedDevice(nccl=made)
    device.xp.cuda = made
    return NCCLCommunicator(Hosts(log), device)


def test_sums_go_beside_what_is_queued_later() -> None:
    log: list[str] = []
    ranks = recorded(log)
    assert log == ["id of 128 bytes", "rank 0 of 2"]
    assert (ranks.rank, ranks.size, ranks.host, ranks.capturable) == (0, 2, "here", True)
    array = EmulatedDevice().zeros((2, 3))
    log.clear()
    pending = ranks.begin_sum(array)
    pending.progress()
    assert log == ["record passes", "beside waits", "sum 6 of type 7 by 0 on 5"]
    log.clear()
    pending.wait()
    assert log == ["record beside", "passes waits"]
    log.clear()
    ranks.broadcast_array(array)
    begun = ["record passes", "beside waits", "broadcast 6 of type 7 from 0 on 5"]
    assert log == [*begun, "record beside", "passes waits"]


def test_arrays_of_the_host_go_the_way_of_the_hosts() -> None:
    log: list[str] = []
    ranks = recorded(log)
    log.clear()
    ranks.sum(np.zeros(2))
    ranks.broadcast_array(np.zeros(2))
    ranks.end_all(4)
    assert log == ["a sum of the hosts", "an array of the hosts", "end with 4"]
    assert ranks.gather(3) == [3]
    assert ranks.sums([1.5]) == [1.5]
    assert ranks.any_of(True, False) == (True, False)


def test_what_is_missing_is_named() -> None:
    with pytest.raises(
        DeviceError, match=r"pip install 'protonet\[nccl\]' for CUDA 12, or .nccl13"
    ):
        NCCLCommunicator(Hosts([]), EmulatedDevice())


def test_gpus_that_cannot_be_connected() -> None:
    with pytest.raises(DeviceError, match=r"cannot connect the GPUs .*no route.*NCCL_DEBUG=INFO"):
        recorded([], version=0)


def test_an_old_nccl_is_not_captured() -> None:
    assert not recorded([], version=20805).capturable


PROGRAM = """
import numpy as np
from protonet.precision import type_of
from protonet.ranks.mpi import communicator
from protonet.train.compressed_sum import CompressedSums
from tests.kernels.cuda.emulation import EmulatedArray, EmulatedDevice
from tests.ranks.emulated_nccl import EmulatedNccl
hosts = communicator()
device = EmulatedDevice(nccl=EmulatedNccl())
ranks = hosts.on(device)
assert ranks is hosts.on(device)

def made(values, dtype):
    return np.array(values, dtype).view(EmulatedArray)

for dtype in (np.float32, np.float64, np.float16, type_of("bfloat16"), np.int32):
    array = made([1, 2, 3], dtype)
    if ranks.rank:
        array.fill(5)
    ranks.sum(array)
    assert array.tolist() == [6, 7, 8], (dtype, array)
later = made([ranks.rank, 5], np.float32)
pending = ranks.begin_sum(later)
pending.progress()
assert later.tolist() == [ranks.rank, 5], "no earlier than it must"
pending.wait()
assert later.tolist() == [1, 10]
first = made([ranks.rank + 7], np.float32)
ranks.broadcast_array(first)
sent, received = made([[1, 2], [3, 4]], np.uint16), made([[0, 0]] * 2, np.uint16)
ranks.begin_swap(sent, received).wait()
assert received.tolist() == [sent[ranks.rank].tolist()] * 2
ranks.begin_collect(made([ranks.rank, 9], np.uint16), received).wait()
assert received.tolist() == [[0, 9], [1, 9]]
for dtype in ("float16", "bfloat16"):
    guarded = made([1, 2, 3, 4, 5, 77], np.float32)  # two blocks of 3 and 2
    CompressedSums(ranks, device, type_of(dtype)).begin_sum(guarded[:5]).wait()
    assert guarded.tolist() == [2, 4, 6, 8, 10, 77], guarded
host = np.full(2, ranks.rank + 1.0)
ranks.sum(host)
ranks.begin_swap(np.zeros((2, 1)), np.zeros((2, 1))).wait()
ranks.begin_collect(np.zeros(1), np.zeros((2, 1))).wait()
flags = ranks.any_of(ranks.rank == 1)
told = ranks.gather((first.tolist(), host.tolist(), ranks.sums([0.5]), flags))
if ranks.rank == 0:
    print(*told, sep="\\n")
"""


@needs_compiler
def test_two_ranks_on_a_stand_in(tmp_path: Path) -> None:
    told = on_ranks(2, PROGRAM, tmp_path)
    assert told.splitlines() == ["([7.0], [3.0, 3.0], [1.0], (True,))"] * 2
