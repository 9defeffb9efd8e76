"""Latency and bandwidth between two ranks, for ``scale_model.py``.

    mpiexec -n 2 python benchmarks/bandwidth.py
    mpiexec -n 2 -hosts a,b python benchmarks/bandwidth.py

Latency is half a round trip of one byte; bandwidth is that of 16 MiB in both directions at once, as
sums send them. Of many times the shortest: other programs only make them longer.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from mpi4py import MPI

_BYTES = 2**24


def shortest(call: Callable[[], object], times: int) -> float:
    """Seconds of the shortest of several calls, which all ranks begin together."""
    found = float("inf")
    for _ in range(times):
        MPI.COMM_WORLD.Barrier()
        began = time.perf_counter()
        call()
        found = min(found, time.perf_counter() - began)
    return found


def main() -> None:
    """Measure and print."""
    comm = MPI.COMM_WORLD
    other = 1 - comm.rank
    short, sent = np.zeros(1, np.uint8), np.zeros(_BYTES, np.uint8)
    received = np.zeros_like(sent)

    def round_trips() -> None:
        for _ in range(100):
            if comm.rank:
                comm.Recv(short, other)
                comm.Send(short, other)
            else:
                comm.Send(short, other)
                comm.Recv(short, other)

    latency = shortest(round_trips, 50) / 200
    rate = _BYTES / shortest(lambda: comm.Sendrecv(sent, other, 0, received, other), 50)
    if comm.rank == 0:
        print(f"latency {latency * 1e6:.1f} us, {rate / 1e9:.1f} GB/s in each direction")


if __name__ == "__main__":
    main()
