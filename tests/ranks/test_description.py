"""What is told of ranks and of the libraries between them."""

from __future__ import annotations

import socket
import sys
from types import SimpleNamespace

import pytest

from protonet.errors import DeviceError
from protonet.ranks import description
from protonet.ranks.communicator import ALONE
from protonet.ranks.cores import own_cores
from protonet.ranks.description import Rank, describe, mpi_lines, nccl_line
from protonet.ranks.mpi import Library


def no_gpu(name: str) -> tuple[str, ...]:
    raise DeviceError(f"device '{name}': no usable GPU")


def test_one_rank_is_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(description, "gpu_addresses", no_gpu)
    monkeypatch.setattr(description, "network_addresses", lambda: {"eth0": "192.0.2.7"})
    host = socket.gethostname()
    assert describe(ALONE) == [Rank(0, host, own_cores(host)[1], {"eth0": "192.0.2.7"}, ())]
    monkeypatch.setattr(description, "gpu_addresses", lambda name: ("0000:01:00.0",))
    assert describe(ALONE)[0].gpus == ("0000:01:00.0",)


def test_a_rank_as_text() -> None:
    addresses = {"eth0": "192.0.2.7", "ib0": "192.0.2.8"}
    assert Rank(1, "a", (4, 5), addresses, ("0000:01:00.0", "0000:41:00.0")).lines() == [
        "rank 1: a",
        "  threads: 2 (cores 4, 5)",
        "  addresses: 192.0.2.7 (eth0), 192.0.2.8 (ib0)",
        "  GPUs: 0000:01:00.0, 0000:41:00.0",
    ]
    assert Rank(0, "b", (3,), {}, ()).lines() == [
        "rank 0: b", "  threads: 1 (core 3)", "  addresses: none", "  GPUs: none",
    ]  # fmt: skip


def test_the_mpi_library(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Library("Open MPI 5.0.8", "3.1", "4.1.2", ("Open MPI v5.0.8, package: Debian",))
    monkeypatch.setattr(description, "library", lambda: made)
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    monkeypatch.setattr(description.shutil, "which", lambda name: f"/usr/bin/{name}")
    told = "MPI: Open MPI 5.0.8, MPI 3.1, mpi4py 4.1.2"
    own = "  Open MPI v5.0.8, package: Debian"
    assert mpi_lines() == [told, own, "  mpiexec: /usr/bin/mpiexec"]
    monkeypatch.setattr(description.shutil, "which", lambda name: None)
    assert mpi_lines()[-1] == "  mpiexec: not found; --ranks needs it"
    monkeypatch.setattr(description, "library", lambda: None)
    (told,) = mpi_lines()
    assert told.startswith("MPI: not installed: pip install 'protonet[mpi]'")


@pytest.mark.parametrize(
    ("now", "built", "told"), [(23203, 22707, "2.32.3 2.27.7"), (2804, 20905, "2.8.4 2.9.5")]
)
def test_the_nccl_library(monkeypatch: pytest.MonkeyPatch, now: int, built: int, told: str) -> None:
    made = SimpleNamespace(get_version=lambda: now, get_build_version=lambda: built)
    monkeypatch.setattr(description, "load_nccl", lambda: made)
    first, second = told.split()
    assert nccl_line() == f"NCCL: {first}, CuPy was built with {second}"


def test_without_nccl_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(description, "load_nccl", lambda: None)
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace())
    assert nccl_line().startswith("NCCL: not installed: pip install 'protonet[nccl]' for CUDA 12")
    monkeypatch.delitem(sys.modules, "cupy")
    assert nccl_line().startswith("NCCL: needs CuPy, which is not installed")
