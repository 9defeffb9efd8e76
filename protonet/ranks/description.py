"""What ranks are: hosts, cores, addresses, GPUs, and the libraries that connect them."""

from __future__ import annotations

import shutil
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from protonet.device import load_nccl
from protonet.errors import DeviceError
from protonet.gpus import gpu_addresses
from protonet.host import network_addresses
from protonet.ranks.communicator import Communicator
from protonet.ranks.cores import own_cores
from protonet.ranks.mpi import library

NO_MPI = "not installed: pip install 'protonet[mpi]', or mpi4py for the MPI of your cluster"
NO_NCCL = "not installed: pip install 'protonet[nccl]' for CUDA 12, or [nccl13]"
NO_CUPY = "needs CuPy, which is not installed: pip install 'protonet[cuda12]' (or [cuda13])"


@dataclass(frozen=True)
class Rank:
    """One rank: where it is, and what it has there."""

    rank: int
    host: str
    cores: tuple[int, ...]
    addresses: dict[str, str]
    gpus: tuple[str, ...]

    def lines(self) -> list[str]:
        """It as lines of text."""
        cores = ", ".join(map(str, self.cores))
        known = [
            f"threads: {len(self.cores)} (core{'s' * (len(self.cores) != 1)} {cores})",
            "addresses: " + (", ".join(f"{a} ({n})" for n, a in self.addresses.items()) or "none"),
            "GPUs: " + (", ".join(self.gpus) or "none"),
        ]
        return [f"rank {self.rank}: {self.host}", *(f"  {line}" for line in known)]


def describe(ranks: Communicator) -> list[Rank]:
    """All ranks, on each of them."""
    host = ranks.host or socket.gethostname()
    try:
        gpus = gpu_addresses("cuda:all")
    except DeviceError:
        gpus = ()
    _, cores = own_cores(host)
    return list(ranks.gather(Rank(ranks.rank, host, cores, network_addresses(), gpus)))


def mpi_lines() -> list[str]:
    """The MPI library of this process, and its launcher."""
    found = library()
    if found is None:
        return [f"MPI: {NO_MPI}"]
    beside = Path(sys.executable).with_name("mpiexec")
    launcher = str(beside) if beside.exists() else shutil.which("mpiexec")
    return [
        f"MPI: {found.vendor}, MPI {found.standard}, mpi4py {found.binding}",
        *(f"  {line}" for line in found.details),
        f"  mpiexec: {launcher or 'not found; --ranks needs it'}",
    ]


def nccl_line() -> str:
    """The NCCL library of this process."""
    nccl = load_nccl()
    if nccl is None:
        return f"NCCL: {NO_NCCL if 'cupy' in sys.modules else NO_CUPY}"
    now, built = (_dotted(each()) for each in (nccl.get_version, nccl.get_build_version))
    return f"NCCL: {now}, CuPy was built with {built}"


def _dotted(version: int) -> str:
    """A version as NCCL writes it; up to 2.8 it has one digit for the second part."""
    major = 1000 if version < 10000 else 10000
    return f"{version // major}.{version % major // 100}.{version % 100}"
