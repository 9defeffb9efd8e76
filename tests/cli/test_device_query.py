"""device-query on a machine with or without a GPU."""

from __future__ import annotations

from typing import Any

from protonet.errors import DeviceError
from protonet.gpus import gpu_properties
from protonet.kernels import native


def test_the_processors_that_there_are(protonet: Any) -> None:
    found = protonet("device-query")
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.startswith("cpu: ")
    assert f"\n  kernels: {native.described()}\n" in found.stdout
    try:
        gpus = gpu_properties()
    except DeviceError:
        assert "no GPU: " in found.stdout
    else:
        assert f"name: {gpus[0]['name']}" in found.stdout


def test_what_is_not_there(protonet: Any) -> None:
    assert protonet("device-query", "-gpu", "99").returncode == 6
    found = protonet("device-query", "-gpu", "first")
    assert found.returncode == 2
    assert "expected comma-separated numbers, or all" in found.stderr
