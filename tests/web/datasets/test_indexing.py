"""Indexes in this process and in others."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from protonet.data.record_index import RecordIndex
from protonet.data.shapes import create_shapes
from protonet.errors import DataError, UsageError
from protonet.jobs.tasks.progress_log import Count
from protonet.web.datasets import Databases, indexing
from protonet.web.datasets.indexing import Indexes
from tests.web.browser import wait_for


@pytest.fixture
def indexes() -> Iterator[Indexes]:
    found = Indexes()
    yield found
    found.close()


@pytest.fixture
def boxes(tmp_path: Path) -> Databases:
    create_shapes(tmp_path / "set", 24, 16, 12, 3, seed=1)
    return Databases.of_folder(tmp_path / "set")


def test_a_small_one_is_there_at_once(indexes: Indexes, boxes: Databases, tmp_path: Path) -> None:
    found = indexes.of(tmp_path / "index", boxes, "train")
    assert isinstance(found, RecordIndex)
    assert len(found) == 12
    assert indexes.of(tmp_path / "index", boxes, "train") is found
    assert len(Indexes().of(tmp_path / "index", boxes, "val")) == 3
    with pytest.raises(UsageError, match="no part 'val'"):
        indexes.of(tmp_path / "index", Databases(boxes.train_images), "val")
    indexes.forget(tmp_path / "index")
    assert indexes.of(tmp_path / "index", boxes, "train") is not found


def test_a_large_one_is_made_elsewhere(
    indexes: Indexes, boxes: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "_AT_ONCE", 2)
    first = indexes.of(tmp_path / "index", boxes, "train")
    assert isinstance(first, Count), "starting a process does not wait for it"
    assert isinstance(indexes.of(tmp_path / "index", boxes, "val"), Count)  # one after the other
    for part, count in (("train", 12), ("val", 3)):
        wait_for(
            lambda part=part: isinstance(
                indexes.of(tmp_path / "index", boxes, part), RecordIndex
            ), part,
        )  # fmt: skip
        found = indexes.of(tmp_path / "index", boxes, part)
        assert isinstance(found, RecordIndex)
        assert len(found) == count


def test_what_cannot_be_indexed_is_told_once(
    indexes: Indexes, boxes: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "_AT_ONCE", 0)
    monkeypatch.setattr(indexing, "_PICTURES_AT_ONCE", 0)
    labels = Databases(boxes.train_images, boxes.val_images, class_table=tmp_path / "nowhere")

    def ended() -> bool:
        try:
            indexes.of(tmp_path / "index", labels, "train")
        except DataError as error:
            return "there is no such key" in str(error)
        return False

    wait_for(ended, "its complaint")
    assert ended()


def test_a_data_set_that_is_removed_is_left_alone(
    indexes: Indexes, boxes: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "_AT_ONCE", 0)
    (tmp_path / "job").mkdir()
    assert isinstance(indexes.of(tmp_path / "job" / "index", boxes, "train"), Count)
    indexes.forget(tmp_path / "job")
    time.sleep(0.2)
    assert not (tmp_path / "job" / "index" / "train").exists()
