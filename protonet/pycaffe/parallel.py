"""Caffe's multi-GPU API, for a single process.

Caffe's ``train.py`` runs here with one GPU; a second process is refused before it would train on
gradients that are not reduced.
"""

from __future__ import annotations

import os
from typing import Any

from protonet.errors import UsageError

_WHY = "nets are trained by one process on one GPU here, by several with caffe train -gpu 0,1"
_UID_BYTES = 128


def has_nccl() -> bool:
    """Whether NCCL is used: never."""
    return False


def solver_count() -> int:
    """How many solvers train together: one."""
    return 1


def set_solver_count(count: int) -> None:
    """Accepts 1.

    Raises:
        UsageError: for another number.
    """
    if count != 1:
        raise UsageError(f"set_solver_count({count}): {_WHY}; expected 1")


def solver_rank() -> int:
    """The number of this solver: 0."""
    return 0


def set_solver_rank(rank: int) -> None:
    """Accepts 0.

    Raises:
        UsageError: for another number.
    """
    if rank != 0:
        raise UsageError(f"set_solver_rank({rank}): {_WHY}; expected 0")


def set_multiprocess(multiprocess: bool) -> None:
    """Accepted and without effect: each process is alone."""


class NCCL:
    """The sum of gradients over processes, for a single one: nothing is to be done.

    ``NCCL(solver, uid)``; may be given to ``Solver.add_callback`` and ``Net.after_backward``.
    """

    def __init__(self, solver: Any, uid: bytes) -> None:
        self.solver, self.uid = solver, uid

    @staticmethod
    def new_uid() -> bytes:
        """A name for a training, as long as NCCL's."""
        return os.urandom(_UID_BYTES)

    def bcast(self) -> None:
        """Send the weights to the others, of which there are none."""

    def __call__(self, *_: Any) -> None:
        """As a hook behind layers: nothing is to be done."""
