"""What all tests share: GPU tests are skipped where there is no GPU, long tests begin first, so
that no worker waits for the last of them, and Ctrl-C reaches the programs that tests start.
"""

from __future__ import annotations

import signal

import pytest

from protonet.device import Device
from protonet.errors import DeviceError


def pytest_configure() -> None:
    """A shell's jobs in the background ignore Ctrl-C, and so would all that they start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _why_no_gpu() -> str:
    try:
        Device("cuda:0")
    except DeviceError as error:
        return str(error)
    return ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    gpu = [item for item in items if item.get_closest_marker("gpu")]
    why = _why_no_gpu() if gpu else ""
    if why:
        for item in gpu:
            item.add_marker(pytest.mark.skip(reason=why))
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
