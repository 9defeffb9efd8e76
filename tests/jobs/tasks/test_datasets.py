"""Data sets of tasks; the commands over them are in tests/cli, what they make in tests/data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.data.database import Database
from protonet.data.datum import decode, encode_image
from protonet.errors import UsageError
from protonet.jobs.tasks.datasets import ConvertFolders, ConvertVectors, MakeGradients


def silent(done: int, total: int) -> None:
    assert done <= total


def image(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (3, 6, 8)).astype(np.uint8)
    path.write_bytes(encode_image(pixels))


def shape(database: Path) -> tuple[int, ...]:
    with Database(database) as found:
        key, datum = found.first()
        return decode(datum, found.where(key)).shape


def test_gradients(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    task = MakeGradients(folder=tmp_path / "d", width=6, height=5, count=10, seed=3)
    assert task.make(lambda *each: told.append(each)) == {"train": 10, "val": 2}
    assert told == [(n, 12) for n in range(1, 13)]
    assert shape(tmp_path / "d" / "train_images") == (1, 5, 6)
    few = MakeGradients(folder=tmp_path / "e", width=6, height=5, count=3, val_count=2)
    assert few.make(silent) == {"train": 3, "val": 2}


def test_class_folders(tmp_path: Path) -> None:
    for number in range(8):
        image(tmp_path / "flowers" / "ab"[number % 2] / f"{number}.png", number)
    told: list[tuple[int, int]] = []
    task = ConvertFolders(
        root=tmp_path / "flowers", folder=tmp_path / "d", width=5, height=4, gray=True
    )
    assert task.make(lambda *each: told.append(each)) == {"train": 6, "val": 2}
    assert told[-1] == (8, 8)
    assert shape(tmp_path / "d" / "train_images") == (1, 4, 5)
    with pytest.raises(UsageError, match="tga: expected one of png"):
        ConvertFolders(root=tmp_path, folder=tmp_path / "e", encoding="tga")


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({}, (3, 6, 8)),
        ({"gray": True}, (1, 6, 8)),
        ({"width": 5, "height": 4, "gray": False}, (3, 4, 5)),
    ],
)
def test_vectors(tmp_path: Path, values: dict[str, int], wanted: tuple[int, ...]) -> None:
    for number in range(4):
        image(tmp_path / f"{number}.png", number)
    table = tmp_path / "t.csv"
    table.write_text("".join(f"{n}.png,{n},{n / 2}\n" for n in range(4)))
    task = ConvertVectors(table=table, folder=tmp_path / "d", val_share=0.25, **values)
    assert task.make(silent) == {"train": 3, "val": 1}
    assert shape(tmp_path / "d" / "train_images") == wanted


def test_a_width_needs_a_height() -> None:
    with pytest.raises(UsageError, match="go together"):
        ConvertVectors(table=Path("t"), folder=Path("d"), width=3)
