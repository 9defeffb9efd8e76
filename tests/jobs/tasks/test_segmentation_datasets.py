"""Data sets for segmentation of tasks; what they make is tested in tests/data."""

from __future__ import annotations

from pathlib import Path

from protonet.data.database import Database
from protonet.jobs.tasks.segmentation_datasets import MakeSegments


def test_segments(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    task = MakeSegments(folder=tmp_path / "d", width=20, height=16, count=10, seed=3)
    assert task.make(lambda *each: told.append(each)) == {"train": 10, "val": 2}
    assert told == [(n, 12) for n in range(1, 13)]
    with Database(tmp_path / "d" / "val_labels") as labels:
        assert len(labels) == 2
