"""The device and the seed of new nets: settings of the process, as in Caffe.

Caffe's Python module sets these by functions and every net that is made later follows them, so
this is the one module of the package with global state.
"""

from __future__ import annotations

from protonet.device import Device


class _Mode:
    """What the functions below set."""

    def __init__(self) -> None:
        self.gpu = False
        self.device_id = 0
        self.seed = 0


MODE = _Mode()


def set_mode_cpu() -> None:
    """Compute on the CPU in nets made from now on."""
    MODE.gpu = False


def set_mode_gpu() -> None:
    """Compute on the GPU of ``set_device`` in nets made from now on."""
    MODE.gpu = True


def set_device(device_id: int) -> None:
    """Choose the GPU for ``set_mode_gpu``."""
    MODE.device_id = int(device_id)


def set_random_seed(seed: int) -> None:
    """Seed the fillers and random layers of nets made from now on."""
    MODE.seed = int(seed)


def device() -> Device:
    """The processor for a new net.

    Raises:
        DeviceError: when the GPU is not there.
    """
    return Device(f"cuda:{MODE.device_id}") if MODE.gpu else Device()


def seed() -> int:
    """The seed for a new net."""
    return MODE.seed


def init_log(level: int = 0, stderr: bool = True) -> None:
    """Accepted and without effect: there is no log of the process."""


def log(message: str) -> None:
    """Print a message to standard error, as Caffe's log does."""
    import sys

    print(message, file=sys.stderr)
