"""The databases of one part go on where they were, whichever of the two is ahead."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.data.database import Database
from protonet.data.detection_boxes import Boxes
from protonet.data.detection_parts import PartWriter
from protonet.data.detection_set import AnnotatedFile, NamedBox
from protonet.data.record_format import RecordFormat
from protonet.data.resumable import Settings, resumable_output
from protonet.data.writer import DatabaseWriter
from protonet.errors import UsageError
from tests.data import detection_sets as sets

FORM = RecordFormat(None, color=True, encoded="png")


def files(folder: Path, right: float = 9.0) -> list[AnnotatedFile]:
    for stem in "abc":
        sets.save(folder, stem)
    box = NamedBox("car", (0.0, 1.0, right, 8.0), False, ":1")
    return [
        AnnotatedFile(folder / f"{stem}.png", f"{stem}.png", folder / "x", (box,)) for stem in "abc"
    ]


def test_what_one_database_lacks_is_written(tmp_path: Path) -> None:
    measured = [Boxes({"car": 1}, FORM).measured(each) for each in files(tmp_path)]
    counted: list[int] = []
    with resumable_output(tmp_path / "out", Settings({})) as work:
        PartWriter(work, "train", measured, FORM, detectnet=True).write(counted.append)
        assert counted == [0, 1, 2, 3]
        with Database(work.folder / "train_boxes") as boxes:
            records = list(boxes)
        for path in (work.folder / "train_boxes").iterdir():
            path.unlink()
        with DatabaseWriter(work.folder / "train_boxes", resume=True) as writer:
            writer.put(*records[0])
        PartWriter(work, "train", measured, FORM, detectnet=True).write(counted.append)
        assert counted[4:] == [1, 2, 3]
        with Database(work.folder / "train_boxes") as boxes:
            assert list(boxes) == records
        with Database(work.folder / "train_images") as images:
            assert [str(key) for key in images.keys()] == [str(key) for key, _ in records]  # noqa: SIM118 - no dict


def test_other_boxes_than_were_written(tmp_path: Path) -> None:
    with resumable_output(tmp_path / "out", Settings({})) as work:
        for right in (9.0, 8.0):
            measured = [Boxes({"car": 1}, FORM).measured(each) for each in files(tmp_path, right)]
            part = PartWriter(work, "train", measured, FORM)
            if right == 9.0:
                part.write(lambda done: None)
                assert not (work.folder / "train_boxes").exists()
                continue
            with pytest.raises(UsageError, match="record 0 was already written as"):
                part.write(lambda done: None)
