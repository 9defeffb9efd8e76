"""Small databases, and what real Caffe read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from protonet.data.datum import make_datum
from protonet.data.writer import DatabaseWriter
from protonet.proto.caffe_pb2 import Datum

Make = Callable[..., Path]


@pytest.fixture
def golden() -> Path:
    """The databases of Caffe's own training."""
    return Path(__file__).parents[1] / "golden" / "regression"


@pytest.fixture
def make_database(tmp_path: Path) -> Make:
    """Write records under their keys; without records, 7 random images 2x3x5 with labels."""

    def make(records: Mapping[str, Datum] | None = None, name: str = "db") -> Path:
        if records is None:
            images = np.random.default_rng(3).integers(0, 256, (7, 2, 3, 5), np.uint8)
            records = {f"{i:02}": make_datum(im, label=10 + i) for i, im in enumerate(images)}
        with DatabaseWriter(tmp_path / name) as writer:
            for key, datum in records.items():
                writer.put(key.encode(), datum)
        return tmp_path / name

    return make
