"""What Data and ImageData share is tested with them; here: closing what did not open well."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.layers.batches import BatchSettings, ImageBatches
from protonet.testing import parse_layer


class Store:
    """Images in memory."""

    advice = ""

    def __init__(self) -> None:
        self.closed = 0

    def __len__(self) -> int:
        return 4

    def keys(self) -> Sequence[int]:
        return range(4)

    def read(self, key: int, *, color: bool | None = None) -> tuple[np.ndarray, int]:
        return np.full((1, 3, 5), key, np.uint8), key

    def where(self, key: int) -> str:
        return str(key)

    def close(self) -> None:
        self.closed += 1


def layer(transform: str = "") -> Any:
    return ImageBatches(parse_layer(f'type: "Data" transform_param {{ {transform} }}', 0))


def test_a_store_is_closed_when_its_images_do_not_fit() -> None:
    store, found = Store(), layer("crop_size: 4")
    with pytest.raises(LayerError, match="crop_size 4 is larger"):
        found.open(store, BatchSettings(2))
    assert store.closed == 1


def test_sizes_are_known_before_arrays_are_made() -> None:
    found = layer()
    found.open(Store(), BatchSettings(2))
    assert (found.length, found.batch_size) == (4, 2)
    assert found.infer([]) == [(2, 1, 3, 5)]
    assert found.state() == {}
    found.restore({"position": 3})
    found.close()
