"""Processors and random numbers."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from protonet.device import Clock, Device, RandomStream
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


def draw(stream: RandomStream, iteration: int, count: int = 1000) -> np.ndarray:
    stream.clock.iteration = iteration
    out = np.empty(count, np.float32)
    stream.uniform(out)
    return out


def test_numbers_are_a_function_of_seed_name_and_iteration() -> None:
    device = Device("cpu")
    stream = RandomStream(device, 7, "drop")
    first = draw(stream, 3)
    np.testing.assert_array_equal(draw(stream, 3), first)
    np.testing.assert_array_equal(draw(RandomStream(device, 7, "drop"), 3), first)
    for other in (
        draw(stream, 4),
        draw(RandomStream(device, 8, "drop"), 3),
        draw(RandomStream(device, 7, "other"), 3),
    ):
        assert (other != first).mean() > 0.99
    assert 0 <= first.min() < 0.01 < 0.99 < first.max() < 1
    assert abs(first.mean() - 0.5) < 0.05


def test_streams_of_one_net_share_a_clock() -> None:
    device = Device("cpu")
    clock = Clock(device)
    one, two = (RandomStream(device, 1, name, clock) for name in "ab")
    assert draw(one, 5) is not None
    assert two.clock.iteration == 5
    assert clock.on_device is None


def philox(count: int, key: tuple[int, int], iteration: int) -> np.ndarray:
    """Philox4x64-10 in plain Python, as the CUDA source computes it."""
    mask, out = 2**64 - 1, []
    for block in range(-(-count // 8)):
        c, k = [block + 1, 0, iteration, 0], list(key)
        for _ in range(10):
            p0, p1 = 0xD2E7470EE14C6C93 * c[0], 0xCA5A826395121157 * c[2]
            c = [(p1 >> 64) ^ c[1] ^ k[0], p1 & mask, (p0 >> 64) ^ c[3] ^ k[1], p0 & mask]
            k = [(k[0] + 0x9E3779B97F4A7C15) & mask, (k[1] + 0xBB67AE8584CAA73B) & mask]
        for word in c:
            out += [(word & 0xFFFFFFFF) >> 8, (word >> 32) >> 8]
    return np.array(out[:count], np.float32) / np.float32(2**24)


def test_numpy_draws_what_the_gpu_kernel_defines() -> None:
    stream = RandomStream(Device("cpu"), 99, "drop")
    np.testing.assert_array_equal(draw(stream, 6, 37), philox(37, stream.key, 6))


@pytest.mark.gpu
def test_the_gpu_draws_the_same_numbers() -> None:
    device = Device("cuda:0")
    stream = RandomStream(device, 99, "drop")
    stream.clock.iteration = 6
    out = device.empty((1003,))
    stream.uniform(out)
    np.testing.assert_array_equal(
        device.get(out), draw(RandomStream(Device("cpu"), 99, "drop"), 6, 1003)
    )


@pytest.mark.gpu
def test_the_count_of_passes_moves_on_in_the_gpus_memory() -> None:
    clock = Clock(Device("cuda:0"))
    clock.iteration = 41
    clock.advance()
    clock.count()
    assert clock.iteration == int(clock.on_device.get()[0]) == 42


@pytest.mark.gpu
def test_a_gpu_that_is_not_there() -> None:
    with pytest.raises(DeviceError, match="is not there"):
        Device("cuda:99")


def test_on_a_cpu_nothing_is_queued() -> None:
    device = Device("cpu")
    before = device.stamp()
    target = device.zeros((2, 3))
    device.send(device.pinned((2, 3)) * 0 + 7, target)
    device.mark().synchronize()
    assert (target == 7).all()
    assert 0 <= device.seconds(before, device.stamp()) < 5


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
    first, second = device.stamp(), device.stamp()
    assert device.seconds(first, second) == 1.5
    device.mark().synchronize()
    assert log == ["record", "record", "synchronize", "record", "synchronize"]
    sent: list[object] = []
    out = SimpleNamespace(set=lambda host, stream: sent.append((host, stream)))
    device.send(np.zeros(2), out)
    assert sent[0][1] == "stream"  # type: ignore[index]
