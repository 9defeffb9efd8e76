"""Arrays of any number of items, for nets that take batches of one size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np


def batches_of(given: Mapping[str, Any], size: int) -> Iterator[dict[str, np.ndarray]]:
    """Batches of this size; the last one is filled up with zeros."""
    arrays = {name: np.asarray(values) for name, values in given.items()}
    items = len(next(iter(arrays.values())))
    for start in range(0, items, size):
        batch = {name: array[start : start + size] for name, array in arrays.items()}
        missing = size - len(next(iter(batch.values())))
        if missing:
            batch = {
                name: np.concatenate([array, np.zeros((missing, *array.shape[1:]))])
                for name, array in batch.items()
            }
        yield batch


def trimmed(
    found: Mapping[str, Sequence[np.ndarray]], given: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """Arrays of as many items as were given."""
    items = len(next(iter(given.values())))
    return {
        name: np.asarray(values)[:items] if len(values) > items else np.asarray(values)
        for name, values in found.items()
    }
