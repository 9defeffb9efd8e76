"""An index finds what reading everything finds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.data.database import Database
from protonet.data.datum import decode, make_datum
from protonet.data.drawn_segments import create_segments
from protonet.data.record_index import ClassCount, RecordIndex, build_index
from protonet.data.shapes import create_shapes
from protonet.data.writer import DatabaseWriter
from protonet.errors import DataError

LABELS = [3, 0, 3, 3, 7, 0]


@pytest.fixture
def classified(tmp_path: Path) -> Path:
    with DatabaseWriter(tmp_path / "images") as writer:
        for number, label in enumerate(LABELS):
            key = f"{number:03d}_a{'bc'[number % 2]}.png".encode()
            writer.put(key, make_datum(np.full((1, 150, 120), 8, np.uint8), label=label))
    return tmp_path / "images"


def test_keys_and_classes(classified: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    build_index(
        tmp_path / "index", classified, None, "classification",
        lambda done, total: told.append((done, total)),
    )  # fmt: skip
    assert told == [(6, 6)]
    index = RecordIndex(tmp_path / "index", classified)
    with Database(classified) as database:
        assert [index.key(place) for place in range(len(index))] == database.keys()
        assert database.some_keys(2, 3) == database.keys()[2:5]
    assert index.classes == (ClassCount(0, 2, 2), ClassCount(3, 3, 3), ClassCount(7, 1, 1))
    for number in (0, 3, 7, 9):
        wanted = [place for place, label in enumerate(LABELS) if label == number]
        assert index.of_class(number).tolist() == wanted


def test_texts_in_keys(classified: Path, tmp_path: Path) -> None:
    build_index(tmp_path / "index", classified, None, "classification")
    index = RecordIndex(tmp_path / "index", classified)
    for text in ("", "0", "003", "_ab", "c.png", "png", "x", "png001", "003_ac.png", "3" * 99):
        wanted = [place for place in range(6) if text.encode() in index.key(place)]
        assert index.containing(text.encode()).tolist() == wanted, text


def test_boxes(tmp_path: Path) -> None:
    create_shapes(tmp_path / "set", 32, 24, 20, 1, seed=3)
    images = tmp_path / "set" / "train_images"
    build_index(tmp_path / "index", images, None, "detection")
    index = RecordIndex(tmp_path / "index", images)
    things = dict.fromkeys((1, 2, 3), 0)
    with Database(images) as database:
        for place, key in enumerate(database.keys()):
            groups = database.annotated(key).annotation_group
            for number in (1, 2, 3):
                boxes = sum(len(g.annotation) for g in groups if g.group_label == number)
                things[number] += boxes
                assert (place in index.of_class(number)) == (boxes > 0)
    assert {each.number: each.things for each in index.classes} == things


def test_pixels(tmp_path: Path) -> None:
    create_segments(tmp_path / "set", 32, 24, 9, 1, seed=3)
    images, labels = tmp_path / "set" / "train_images", tmp_path / "set" / "train_labels"
    build_index(tmp_path / "index", images, labels, "segmentation")
    index = RecordIndex(tmp_path / "index", images, labels)
    with Database(labels) as database:
        planes = [decode(datum, "x") for _, datum in database]
    for each in index.classes:
        held = [place for place, plane in enumerate(planes) if (plane == each.number).any()]
        assert index.of_class(each.number).tolist() == held
        assert each.things == sum(int((plane == each.number).sum()) for plane in planes)


def test_numbers_have_no_classes(classified: Path, tmp_path: Path) -> None:
    build_index(tmp_path / "index", classified, classified, "regression")
    assert RecordIndex(tmp_path / "index", classified, classified).classes == ()


def test_an_index_of_another_state_is_none(classified: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no index"):
        RecordIndex(tmp_path / "index", classified)
    build_index(tmp_path / "index", classified, None, "classification")
    with DatabaseWriter(classified, resume=True) as writer:
        writer.put(b"9", make_datum(np.zeros((1, 2, 3), np.uint8)))
    with pytest.raises(DataError, match="of an older state"):
        RecordIndex(tmp_path / "index", classified)
    build_index(tmp_path / "index", classified, None, "classification")
    assert len(RecordIndex(tmp_path / "index", classified)) == 7
    assert [path.name for path in tmp_path.glob("index*")] == ["index"]
    (tmp_path / "index" / "ends.npy").write_bytes(b"x")
    with pytest.raises(DataError, match="there is no index"):
        RecordIndex(tmp_path / "index", classified)


def test_damaged_records_are_named(tmp_path: Path) -> None:
    import lmdb

    with lmdb.open(str(tmp_path / "db"), map_size=1 << 20) as env, env.begin(write=True) as writing:
        writing.put(b"bad", b"\xff\xff\xff")
    with pytest.raises(DataError, match="key 'bad': the record is damaged"):
        build_index(tmp_path / "index", tmp_path / "db", None, "classification")
    assert not (tmp_path / "index").exists()
