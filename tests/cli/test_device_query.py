"""device-query on a machine with or without a GPU."""

from __future__ import annotations

import os
import re
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


def test_ranks_and_what_connects_them(protonet: Any) -> None:
    """Real ranks; each tells its place once, and rank 0 all else."""
    found = protonet("device-query", "--ranks", "2")
    assert (found.returncode, found.stderr) == (0, "")
    told = found.stdout.splitlines()
    host = os.uname().nodename
    assert [line for line in told if line.startswith("rank ")] == [
        f"rank 0: {host}",
        f"rank 1: {host}",
    ]
    assert sum(line.startswith("  threads: ") for line in told) == 2
    (mpi,) = (line for line in told if line.startswith("MPI: "))
    assert re.fullmatch(r"MPI: .+ [\d.]+, MPI [\d.]+, mpi4py [\d.]+", mpi)
    assert any(line.startswith("  mpiexec: /") for line in told)
    assert sum(line.startswith("NCCL: ") for line in told) == 1
