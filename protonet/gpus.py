"""Properties of the GPUs of this machine."""

from __future__ import annotations

from collections.abc import Sequence

from protonet.device import Device, load_cupy
from protonet.errors import DeviceError


def gpu_properties(numbers: Sequence[int] | None = None) -> dict[int, dict[str, str]]:
    """The properties that ``caffe device_query`` prints, of the GPUs of these numbers or of all.

    Raises:
        DeviceError: without CuPy or a usable GPU, or for a number that does not exist.
    """
    runtime = Device("cuda:0").xp.cuda.runtime
    count = int(runtime.getDeviceCount())
    gpus = {}
    for number in range(count) if numbers is None else numbers:
        if number >= count:
            raise DeviceError(f"device 'cuda:{number}' is not there; this machine has {count}")
        properties = runtime.getDeviceProperties(number)
        gpus[number] = {
            "name": properties["name"].decode(),
            "compute capability": f"{properties['major']}.{properties['minor']}",
            "memory": f"{properties['totalGlobalMem'] >> 20} MiB",
            "multiprocessors": str(properties["multiProcessorCount"]),
            "threads in a block": str(properties["maxThreadsPerBlock"]),
            "shared memory of a block": f"{properties['sharedMemPerBlock'] >> 10} KiB",
            "warp size": str(properties["warpSize"]),
        }
    return gpus


def gpu_addresses(name: str) -> tuple[str, ...]:
    """The PCI addresses of the GPUs that this process sees, in the order of their numbers; uses
    none of them yet.

    Raises:
        DeviceError: without CuPy or a usable GPU, for which device ``name`` asks.
    """
    cupy, count = load_cupy(name)
    return tuple(str(cupy.cuda.runtime.deviceGetPCIBusId(number)) for number in range(count))
