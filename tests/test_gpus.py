"""What is told of GPUs, here of a machine that has none or is made up."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from protonet import gpus
from protonet.errors import DeviceError

PROPERTIES = {
    "name": b"Made up", "major": 9, "minor": 0, "totalGlobalMem": 80 << 30,
    "multiProcessorCount": 132, "maxThreadsPerBlock": 1024, "sharedMemPerBlock": 48 << 10,
    "warpSize": 32,
}  # fmt: skip


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = SimpleNamespace(
        getDeviceCount=lambda: 2, getDeviceProperties=lambda number: PROPERTIES
    )
    xp = SimpleNamespace(cuda=SimpleNamespace(runtime=runtime))
    monkeypatch.setattr(gpus, "Device", lambda name: SimpleNamespace(xp=xp))


@pytest.mark.usefixtures("two")
def test_all_or_those_that_are_asked_for() -> None:
    assert list(gpus.gpu_properties()) == [0, 1]
    assert gpus.gpu_properties([1]) == {
        1: {
            "name": "Made up",
            "compute capability": "9.0",
            "memory": "81920 MiB",
            "multiprocessors": "132",
            "threads in a block": "1024",
            "shared memory of a block": "48 KiB",
            "warp size": "32",
        }
    }


@pytest.mark.usefixtures("two")
def test_a_number_that_is_not_there() -> None:
    with pytest.raises(DeviceError, match="device 'cuda:2' is not there; this machine has 2"):
        gpus.gpu_properties([0, 2])


def test_addresses_are_known_without_using_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = SimpleNamespace(deviceGetPCIBusId=lambda number: f"0000:0{number}:00.0")
    cupy = SimpleNamespace(cuda=SimpleNamespace(runtime=runtime))
    monkeypatch.setattr(gpus, "load_cupy", lambda name: (cupy, 2))
    assert gpus.gpu_addresses("cuda:all") == ("0000:00:00.0", "0000:01:00.0")
