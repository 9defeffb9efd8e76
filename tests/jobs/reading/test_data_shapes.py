"""What a definition is told of its data."""

from __future__ import annotations

from pathlib import Path

from protonet.jobs.reading.data_shapes import NOTHING, DataShapes


def test_labels_are_vectors_in_a_database_of_their_own_or_with_two_axes() -> None:
    assert not NOTHING.gives_vectors
    assert DataShapes(labels=Path("labels")).gives_vectors
    assert DataShapes(inputs={"label": (4, 2)}).gives_vectors
    assert not DataShapes(inputs={"label": (4,)}).gives_vectors
