"""A sweep: several learning rates or batch sizes make a training each."""

from __future__ import annotations

from collections.abc import Sequence

MOST = 100
"""Trainings of one sweep."""

Swept = tuple[str, float, int | None]
"""What tells a training apart (empty for a single one), its learning rate and its batch size."""


def sweep(rates: Sequence[float], sizes: Sequence[int]) -> list[Swept]:
    """Every learning rate with every batch size; without sizes, the network's own."""
    found: list[Swept] = []
    each_size: Sequence[int | None] = sizes or [None]
    for rate in rates:
        for size in each_size:
            told = [f"lr {rate:g}"] if len(rates) > 1 else []
            told += [f"batch {size}"] if len(sizes) > 1 else []
            found.append((" ".join(told), rate, size))
    return found
