"""protonet's side of ``scaling.py``: ranks of MPI, their trainings, and the sum alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cases import Case
from protonet.ranks.mpi import communicator
from protonet.train.gradient_sum import GradientSum
from protonet_side import Training, write_weights
from settings import Setting


class Ranks:
    """The place of this process among the ranks, and what it can be asked for."""

    def __init__(self) -> None:
        self.ranks = communicator()
        self.ranks.gather(0)

    def training(self, case: Case, weights: Path, *, dropout: bool) -> Training:
        """A training at the batch of the case on each rank."""
        return Training(case, weights, Setting(), dropout=dropout, ranks=self.ranks)

    def sums(self, training: Training) -> dict[str, Sum | AllReduce]:
        """The sum of a training's gradients, and MPI's of the same bytes."""
        return {"sum": Sum(training), "allreduce": AllReduce(training)}

    def write_weights(self, case: Case, path: Path) -> None:
        """Write the parameters that all begin with. At a small batch: the values do not matter."""
        write_weights(replace(case, batch=2), path)

    def wait(self) -> None:
        """Wait for the other ranks."""
        self.ranks.any_of(False)


class Sum:
    """The sums of an iteration, as if its backward pass took no time."""

    def __init__(self, training: Training) -> None:
        self._sum = GradientSum(training.net, training.ranks)
        training.net.store.diff.fill(0)

    def run(self, iterations: int) -> None:
        """Sum so many times."""
        for _ in range(iterations):
            self._sum.begin_all()
            self._sum.wait()


class AllReduce:
    """MPI_Allreduce of all gradients at once."""

    def __init__(self, training: Training) -> None:
        self._diff = training.net.store.diff

    def run(self, iterations: int) -> None:
        """Sum so many times."""
        from mpi4py import MPI

        for _ in range(iterations):
            MPI.COMM_WORLD.Allreduce(MPI.IN_PLACE, self._diff)
