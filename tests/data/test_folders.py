"""Class folders: what is found, how it is split, and databases that can be trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from protonet.data.database import Database
from protonet.data.folders import ClassFolders, convert_folders
from protonet.data.record_format import RecordFormat
from protonet.errors import DataError, UsageError


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    """Three classes of 8, 4 and 6 images; the red part tells the class."""
    root = tmp_path / "flowers"
    for number, (name, count) in enumerate({"rose": 8, "iris": 4, "tulip": 6}.items()):
        (root / name / "more").mkdir(parents=True)
        for index in range(count):
            folder = root / name / ("more" if index % 2 else "")
            pixels = np.full((10 + index, 14, 3), (40 * number, index, 0), np.uint8)
            Image.fromarray(pixels).save(folder / f"{index} x.png")
    (root / "notes").mkdir()
    (root / "notes" / "a.md").touch()
    return root


def test_folders_with_images_are_classes(flowers: Path) -> None:
    found = ClassFolders.read(flowers)
    assert list(found.classes) == ["iris", "rose", "tulip"]
    assert found.classes["iris"] == (
        "iris/0 x.png", "iris/2 x.png", "iris/more/1 x.png", "iris/more/3 x.png",
    )  # fmt: skip


def test_each_class_is_split(flowers: Path) -> None:
    parts = ClassFolders.read(flowers).split(0.25, seed=3)
    assert [sum(1 for _, label in parts["val"] if label == each) for each in range(3)] == [1, 2, 2]
    both = parts["train"] + parts["val"]
    assert len(both) == len(set(both)) == 18
    assert parts == ClassFolders.read(flowers).split(0.25, seed=3)
    assert parts != ClassFolders.read(flowers).split(0.25, seed=4)
    assert [label for _, label in parts["train"]] != sorted(label for _, label in parts["train"])
    with pytest.raises(UsageError, match=r"rose: a validation share of 0\.99 leaves none"):
        ClassFolders(flowers, {"rose": ("rose/0 x.png",)}).split(0.99, seed=0)


def test_databases_with_labels_means_and_names(flowers: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    counts = convert_folders(flowers, out, RecordFormat((6, 7), True), val_share=0.25, seed=1)
    assert counts == {"train": 13, "val": 5}
    assert (out / "labels.txt").read_text() == "iris\nrose\ntulip\n"
    for part, count in counts.items():
        assert (out / f"{part}_mean.binaryproto").exists()
        with Database(out / f"{part}_images") as database:
            assert len(database) == count
            for key, _ in database:
                image, label = database.image(key)
                assert image.shape == (3, 6, 7)
                # blue, green, red: the classes were painted in the order rose, iris, tulip
                assert int(image[2, 0, 0]) == 40 * {1: 0, 0: 1, 2: 2}[label]
    with pytest.raises(UsageError, match="exists already"):
        convert_folders(flowers, out, RecordFormat((6, 7), True))


def test_what_was_interrupted_goes_on(flowers: Path, tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    form = RecordFormat((6, 7), True)
    convert_folders(flowers, whole, form, seed=2)

    told: list[tuple[int, int]] = []

    def stop(done: int, total: int) -> None:
        told.append((done, total))
        with Database(whole / "train_images") as train:
            if done == len(train) + 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert_folders(flowers, broken, form, seed=2, progress=stop)
    assert (broken / "train_images").exists()
    with Database(whole / "train_images") as train, Database(whole / "val_images") as val:
        assert told[-1] == (len(train) + 2, len(train) + len(val))
    assert not (broken / "val_images").exists()
    with pytest.raises(UsageError, match="not the beginning of this conversion"):
        convert_folders(flowers, broken, form, seed=3)
    convert_folders(flowers, broken, form, seed=2)
    for part in ("train", "val"):
        with Database(whole / f"{part}_images") as a, Database(broken / f"{part}_images") as b:
            assert [(key, datum.SerializeToString()) for key, datum in a] == [
                (key, datum.SerializeToString()) for key, datum in b
            ]


def test_what_cannot_be_used(flowers: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        ClassFolders.read(tmp_path / "absent")
    with pytest.raises(UsageError, match="expected a folder for each class"):
        ClassFolders.read(flowers / "rose" / "more")
    (flowers / "rose" / "0 x.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"rose/0 x\.png"):
        convert_folders(flowers, tmp_path / "out", RecordFormat((6, 7), True))
