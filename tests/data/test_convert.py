"""Image files to databases: pairs of images and vectors, images with classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.data.convert import (
    ImageForm,
    convert_images,
    convert_vectors,
    read_table,
)
from protonet.data.create import compute_mean
from protonet.data.database import Database, check_pairs
from protonet.data.datum import decode, encode_image
from protonet.data.image_list import ImageList
from protonet.data.resize import resize
from protonet.data.transform import load_mean
from protonet.errors import DataError, UsageError

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 3, 5, 7), np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for index, image in enumerate(IMAGES):
        (tmp_path / f"{index}.png").write_bytes(encode_image(image))
    lines = "".join(f"{index}.png, {index}, {-index / 2}\n" for index in range(6))
    (tmp_path / "labels.csv").write_text("file,angle,speed\n" + lines)
    (tmp_path / "list.txt").write_text("".join(f"{index}.png {index}\n" for index in range(6)))
    return tmp_path


def contents(path: Path) -> list[np.ndarray]:
    with Database(path) as database:
        return [decode(datum, "") for _, datum in database]


def test_a_table_has_a_header_or_none(folder: Path) -> None:
    table = read_table(folder / "labels.csv")
    assert table.columns == ("angle", "speed")
    assert table.rows[2] == (4, "2.png", (2.0, -1.0))
    (folder / "bare.csv").write_text("0.png,1\n\n1.png,2e-1\n")
    bare = read_table(folder / "bare.csv")
    assert (bare.columns, len(bare.rows), bare.rows[1]) == ((), 2, (3, "1.png", (0.2,)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no row of an image and its numbers"),
        ("file,angle\n", "has no row of an image and its numbers"),
        ("0.png,1\n1.png,1,2\n", r"t\.csv:2: expected an image and 1 number\(s\), got 3 column"),
        ("a,b\n0.png,1\n1.png,one\n", r"t\.csv:3: column 2: 'one' is no finite number"),
        ("0.png,1\n1.png,nan\n", r"t\.csv:2: column 2: 'nan' is no finite number"),
        ("0.png,1\n1.png,\n", r"t\.csv:2: column 2: '' is no finite number"),
    ],
)
def test_tables_that_cannot_be(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_table(tmp_path / "t.csv")
    with pytest.raises(DataError, match="cannot be read as CSV"):
        read_table(tmp_path / "nowhere.csv")


def test_images_and_vectors_are_paired(folder: Path) -> None:
    seen: list[tuple[int, int]] = []
    parts = convert_vectors(
        read_table(folder / "labels.csv"),
        folder / "data",
        ImageForm(),
        val_share=1 / 3,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert parts == {"train": 4, "val": 2}
    assert seen[-1] == (6, 6)
    for part, rows in (("train", range(4)), ("val", range(4, 6))):
        images, labels = (folder / "data" / f"{part}_{kind}" for kind in ("images", "labels"))
        with Database(images) as left, Database(labels) as right:
            check_pairs(left, right)
        np.testing.assert_array_equal(contents(images), IMAGES[list(rows)])
        expected = [[[[row, -row / 2]]] for row in rows]
        np.testing.assert_array_equal(contents(labels), expected)
        mean = load_mean(folder / "data" / f"{part}_mean.binaryproto")
        np.testing.assert_allclose(mean, compute_mean(images))


def test_the_order_depends_on_the_seed(folder: Path) -> None:
    orders = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        table = read_table(folder / "labels.csv")
        convert_vectors(table, folder / name, ImageForm(), shuffle=True, seed=seed)
        orders.append([int(label[0, 0, 0]) for label in contents(folder / name / "train_labels")])
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2]) == list(range(6))


def test_images_are_brought_to_one_form(folder: Path) -> None:
    (folder / "3.png").write_bytes(encode_image(IMAGES[3][:, 1:]))
    table = read_table(folder / "labels.csv")
    with pytest.raises(DataError, match=r"labels\.csv:5: 3\.png: is 3x4x7, but the first .* 3x5x7"):
        convert_vectors(table, folder / "data", ImageForm())
    assert not (folder / "data").exists()
    convert_vectors(table, folder / "data", ImageForm((4, 6), color=False, encoded=True))
    assert {image.shape for image in contents(folder / "data" / "train_images")} == {(1, 4, 6)}
    with Database(folder / "data" / "train_images") as database:
        assert all(datum.encoded for _, datum in database)


def test_vectors_that_cannot_be_converted(folder: Path) -> None:
    table = read_table(folder / "labels.csv")
    for share in (-0.1, 1.0, 0.99):
        with pytest.raises(UsageError, match="leaves no image of 6 to train"):
            convert_vectors(table, folder / "data", ImageForm(), val_share=share)
    (folder / "data").mkdir()
    with pytest.raises(UsageError, match="exists already"):
        convert_vectors(table, folder / "data", ImageForm())
    (folder / "2.png").unlink()
    with pytest.raises(DataError, match=r"labels\.csv:4: 2\.png: cannot be read: No such file"):
        convert_vectors(table, folder / "other", ImageForm())
    assert not (folder / "other").exists()


def test_images_with_classes(folder: Path) -> None:
    images = ImageList(folder / "list.txt", root=f"{folder}/")
    assert convert_images(images, folder / "db", ImageForm()) == 6
    with Database(folder / "db") as database:
        assert database.keys() == [f"{index:08d}_{index}.png".encode() for index in range(6)]
        assert [datum.label for _, datum in database] == list(range(6))
    np.testing.assert_array_equal(contents(folder / "db"), IMAGES)
    convert_images(images, folder / "small", ImageForm((3, 4), color=True), shuffle=True, seed=3)
    with Database(folder / "small") as database:
        (key, datum), *_ = database
        row = int(key.split(b"_")[1].split(b".")[0])
        assert datum.label == row
        np.testing.assert_array_equal(decode(datum, ""), resize(IMAGES[row], 3, 4))


def test_sizes_are_checked_where_that_is_asked_for(folder: Path) -> None:
    (folder / "3.png").write_bytes(encode_image(IMAGES[3][:, 1:]))
    images = ImageList(folder / "list.txt", root=f"{folder}/")
    convert_images(images, folder / "mixed", ImageForm())
    with pytest.raises(DataError, match=r"list\.txt:4: .*3\.png: is 3x4x7, but"):
        convert_images(images, folder / "db", ImageForm(), check_size=True)
    assert not (folder / "db").exists()
