"""The cores of a machine, shared out over its ranks."""

from __future__ import annotations

import os
from collections.abc import Sequence

Cores = tuple[str, tuple[int, ...]]
"""A host, and the cores that a rank may use there."""


def own_cores(host: str) -> Cores:
    """The cores of this process."""
    granted = getattr(os, "sched_getaffinity", None)  # Linux only
    return host, tuple(sorted(granted(0))) if granted is not None else ()


def share_of(rank: int, cores: Sequence[Cores]) -> tuple[int, ...]:
    """The cores for a rank: those that it shares with other ranks are shared out, unless there are
    fewer cores than ranks.
    """
    together = [other for other, each in enumerate(cores) if each == cores[rank]]
    mine, at = cores[rank][1], together.index(rank)
    if len(mine) < len(together):
        return mine
    first, last = (len(mine) * place // len(together) for place in (at, at + 1))
    return mine[first:last]
