"""Data sets for segmentation of tasks; what they make is tested in tests/data."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.data.database import Database
from protonet.errors import UsageError
from protonet.jobs.tasks.segmentation_datasets import ConvertSegmentation, MakeSegments
from tests.data import segmentation_sets as sets


def test_segments(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    task = MakeSegments(folder=tmp_path / "d", width=20, height=16, count=10, seed=3)
    assert task.make(lambda *each: told.append(each)) == {"train": 10, "val": 2}
    assert told == [(n, 12) for n in range(1, 13)]
    with Database(tmp_path / "d" / "val_labels") as labels:
        assert len(labels) == 2


def test_label_pictures(tmp_path: Path) -> None:
    sets.folders(tmp_path / "set")
    told: list[tuple[str, int, int]] = []
    task = ConvertSegmentation(
        root=tmp_path / "set", folder=tmp_path / "d", width=5, height=4, gray=True, val_share=0.25
    )
    made = task.make(
        lambda *each: told.append(("made", *each)), lambda *each: told.append(("checked", *each))
    )
    assert made.parts == {"train": 3, "val": 1}
    checked = [("checked", n, 4) for n in range(1, 5)]
    assert told == checked + [("made", n, 4) for n in (0, 1, 2, 3, 3, 4)]
    ((image, labels),) = sets.records(tmp_path / "d", "val").values()
    assert (image.shape, labels.shape) == ((1, 4, 5), (1, 4, 5))
    with pytest.raises(UsageError, match="--width and --height go together"):
        ConvertSegmentation(root=tmp_path, folder=tmp_path / "e", width=3)
    with pytest.raises(UsageError, match="tga: expected one of own, none, png"):
        ConvertSegmentation(root=tmp_path, folder=tmp_path / "e", encoding="tga")
