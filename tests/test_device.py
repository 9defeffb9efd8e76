"""Processors."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from protonet.device import Device, load_nccl
from protonet.errors import DeviceError


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "cpu:1", ""])
def test_unknown_names_are_refused(name: str) -> None:
    with pytest.raises(DeviceError, match="expected 'cpu' or 'cuda:N'"):
        Device(name)


def test_a_missing_cupy_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(DeviceError, match=r"protonet\[cuda12\]"):
        Device("cuda:0")


def test_tf32_needs_a_gpu() -> None:
    with pytest.raises(DeviceError, match="leave tf32 out, or train on cuda:0"):
        Device("cpu", tf32=True)


def test_put_and_get_on_the_cpu() -> None:
    device = Device("cpu")
    array = device.empty((2, 3))
    device.put(np.arange(6.0), array)
    assert device.get(array) is array
    np.testing.assert_array_equal(array, [[0, 1, 2], [3, 4, 5]])
    assert device.zeros((2,), np.float64).dtype == np.float64
    device.synchronize()


def test_memory_is_less_than_there_is() -> None:
    free, total = Device("cpu").memory()
    assert 0 < free <= total


def test_out_of_memory_says_what_for() -> None:
    with (
        pytest.raises(DeviceError, match="net 'x' needs it"),
        Device("cpu").out_of_memory("net 'x' needs it"),
    ):
        raise MemoryError


@pytest.mark.gpu
def test_a_gpu_that_is_not_there() -> None:
    with pytest.raises(DeviceError, match="is not there"):
        Device("cuda:99")


def test_on_a_cpu_nothing_is_queued() -> None:
    device = Device("cpu")
    before = device.timestamp()
    target = device.zeros((2, 3))
    device.send(device.pinned((2, 3)) * 0 + 7, target)
    device.record_event().synchronize()
    assert (target == 7).all()
    assert 0 <= device.seconds_between(before, device.timestamp()) < 5


class Event:
    """Stands in for one of CuPy's."""

    def __init__(self, log: list[str], **_: object) -> None:
        self.log = log

    def record(self) -> None:
        self.log.append("record")

    def synchronize(self) -> None:
        self.log.append("synchronize")


def test_a_gpu_is_asked_for_its_own_time() -> None:
    """Without a GPU: what is called, and in which order."""
    log: list[str] = []
    cuda = SimpleNamespace(
        Event=lambda **settings: Event(log, **settings),
        get_current_stream=lambda: "stream",
        get_elapsed_time=lambda first, second: 1500.0,
    )
    device = Device("cpu")
    device.is_cpu, device.xp = False, SimpleNamespace(cuda=cuda)
    first, second = device.timestamp(), device.timestamp()
    assert device.seconds_between(first, second) == 1.5
    device.record_event().synchronize()
    assert log == ["record", "record", "synchronize", "record", "synchronize"]
    sent: list[object] = []
    out = SimpleNamespace(set=lambda host, stream: sent.append((host, stream)))
    device.send(np.zeros(2), out)
    assert sent[0][1] == "stream"


def test_nccl_is_there_where_cupy_could_load_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for available in (True, False):
        made = SimpleNamespace(available=available)
        monkeypatch.setitem(sys.modules, "cupy.cuda.nccl", made)
        assert load_nccl() is (made if available else None)
    monkeypatch.setitem(sys.modules, "cupy.cuda.nccl", None)
    assert load_nccl() is None
    assert Device().nccl() is None


@pytest.mark.parametrize("size", [1, 1000, 1 << 20])
def test_aligned_bytes(size: int) -> None:
    found = Device().aligned_bytes(size)
    assert (found.shape, found.dtype, found.any()) == ((size,), np.uint8, False)
    assert found.ctypes.data % 64 == 0
