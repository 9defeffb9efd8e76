"""Looking through data sets: every page of every question has what reading all finds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from protonet.data.database import Database
from protonet.data.shapes import create_shapes
from protonet.jobs.tasks.progress_log import Count
from protonet.web.datasets import Databases, indexing
from protonet.web.datasets.explore import Found, IndexingError, Query, find, found_keys, shares
from protonet.web.datasets.indexing import Indexes


@pytest.fixture
def indexes() -> Iterator[Indexes]:
    found = Indexes()
    yield found
    found.close()


@pytest.fixture
def boxes(tmp_path: Path) -> Databases:
    create_shapes(tmp_path / "set", 24, 16, 40, 7, seed=1)
    return Databases.of_folder(tmp_path / "set")


def test_pages_of_a_class_and_a_text(indexes: Indexes, boxes: Databases, tmp_path: Path) -> None:
    with Database(boxes.train_images) as images:
        keys = images.keys()
        classes = {
            key: {group.group_label for group in images.annotated(key).annotation_group}
            for key in keys
        }
    for number in (None, 1, 2, 3, 9):
        for text in ("", "3", "train1", "x"):
            wanted = [
                key for key in keys
                if text.encode() in key and (number is None or number in classes[key])
            ]  # fmt: skip
            for offset in (0, 5, 1000):
                query = Query("train", number, text, offset, 5)
                found = find(indexes, tmp_path / "index", boxes, query)
                assert found == Found(tuple(wanted[offset : offset + 5]), len(wanted))


def test_shares_of_classes(indexes: Indexes, boxes: Databases, tmp_path: Path) -> None:
    train, val = shares(indexes, tmp_path / "index", boxes)
    assert (train.images, val.images) == (40, 7)
    assert train.classes is not None
    assert [each.name for each in train.classes] == ["circle", "square", "triangle"]
    with Database(boxes.train_images) as images:
        keys = images.keys()
        groups = [g for key in keys for g in images.annotated(key).annotation_group]
    for each in train.classes:
        mine = [group for group in groups if group.group_label == each.number]
        assert each.images == len(mine)
        assert each.things == sum(len(group.annotation) for group in mine)


def test_the_first_images_do_not_wait_for_the_index(
    indexes: Indexes, boxes: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "_AT_ONCE", 0)
    with Database(boxes.val_images or Path()) as images:
        keys = images.keys()
    found = find(indexes, tmp_path / "index", boxes, Query("val", offset=2, count=3))
    assert (found.keys, found.total) == (tuple(keys[2:5]), 7)
    assert found.indexing is not None
    assert found_keys(found) == tuple(keys[2:5])
    (train, val) = shares(indexes, tmp_path / "index", boxes)
    assert (train.classes, val.images) == (None, 7)
    waiting = Found((), None, Count(3, 9, 0, 0.0, 1.0))
    with pytest.raises(IndexingError, match=r"being indexed \(3 of 9\); ask again in a moment"):
        found_keys(waiting)
