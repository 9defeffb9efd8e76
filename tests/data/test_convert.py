"""Image files to databases: pairs of images and vectors, images with classes."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protonet.data.convert import convert_images, convert_vectors
from protonet.data.create import compute_mean
from protonet.data.database import Database, check_pairs
from protonet.data.datum import decode, encode_image
from protonet.data.image_list import ImageList
from protonet.data.record_format import OWN, RecordFormat
from protonet.data.resize import resize
from protonet.data.transform import load_mean
from protonet.data.vector_table import read_table
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


def test_images_and_vectors_are_paired(folder: Path) -> None:
    seen: list[tuple[int, int]] = []
    parts = convert_vectors(
        read_table(folder / "labels.csv"),
        folder / "data",
        RecordFormat(),
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
        convert_vectors(table, folder / name, RecordFormat(), shuffle=True, seed=seed)
        orders.append([int(label[0, 0, 0]) for label in contents(folder / name / "train_labels")])
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2]) == list(range(6))


def test_images_are_brought_to_one_form(folder: Path) -> None:
    (folder / "3.png").write_bytes(encode_image(IMAGES[3][:, 1:]))
    table = read_table(folder / "labels.csv")
    with pytest.raises(DataError, match=r"labels\.csv:5: 3\.png: is 3x4x7, but the first .* 3x5x7"):
        convert_vectors(table, folder / "data", RecordFormat())
    assert not (folder / "data").exists()
    form = RecordFormat((4, 6), color=False, encoded="png")
    convert_vectors(table, folder / "data", form, restart=True)
    assert {image.shape for image in contents(folder / "data" / "train_images")} == {(1, 4, 6)}
    with Database(folder / "data" / "train_images") as database:
        assert all(datum.encoded for _, datum in database)


def test_vectors_that_cannot_be_converted(folder: Path) -> None:
    table = read_table(folder / "labels.csv")
    for share in (-0.1, 1.0, 0.99):
        with pytest.raises(UsageError, match="leaves no image of 6 to train"):
            convert_vectors(table, folder / "data", RecordFormat(), val_share=share)
    (folder / "data").mkdir()
    with pytest.raises(UsageError, match="exists already"):
        convert_vectors(table, folder / "data", RecordFormat())
    (folder / "2.png").unlink()
    with pytest.raises(DataError, match=r"labels\.csv:4: 2\.png: cannot be read: No such file"):
        convert_vectors(table, folder / "other", RecordFormat())
    assert not (folder / "other").exists()


def test_images_with_classes(folder: Path) -> None:
    images = ImageList(folder / "list.txt", root=f"{folder}/")
    assert convert_images(images, folder / "db", RecordFormat()) == 6
    with Database(folder / "db") as database:
        assert database.keys() == [f"{index:08d}_{index}.png".encode() for index in range(6)]
        assert [datum.label for _, datum in database] == list(range(6))
    np.testing.assert_array_equal(contents(folder / "db"), IMAGES)
    convert_images(images, folder / "small", RecordFormat((3, 4), color=True), shuffle=True, seed=3)
    with Database(folder / "small") as database:
        (key, datum), *_ = database
        row = int(key.split(b"_")[1].split(b".")[0])
        assert datum.label == row
        np.testing.assert_array_equal(decode(datum, ""), resize(IMAGES[row], 3, 4))


def test_sizes_are_checked_where_that_is_asked_for(folder: Path) -> None:
    (folder / "3.png").write_bytes(encode_image(IMAGES[3][:, 1:]))
    images = ImageList(folder / "list.txt", root=f"{folder}/")
    convert_images(images, folder / "mixed", RecordFormat())
    with pytest.raises(DataError, match=r"list\.txt:4: .*3\.png: is 3x4x7, but"):
        convert_images(images, folder / "db", RecordFormat(), check_size=True)
    assert not (folder / "db").exists()
    assert not (folder / "mixed.partial").exists()


CONVERT = """
import resource, sys
from pathlib import Path
import protonet.data.writer as writer
from protonet.data.convert import convert_images, convert_vectors
from protonet.data.record_format import RecordFormat
from protonet.data.image_list import ImageList
from protonet.data.vector_table import read_table
from protonet.errors import DataError
folder, kind, backend, limit = Path(sys.argv[1]), *sys.argv[2:4], int(sys.argv[4])
writer._BATCH_RECORDS = 20
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
def say(done, total):
    print(done, flush=True)
    sys.stdin.readline()
try:
    if kind == "vectors":
        convert_vectors(
            read_table(folder / "many.csv"), folder / "out", RecordFormat(), shuffle=True, seed=4,
            val_share=0.25, backend=backend, progress=say)
    else:
        images = ImageList(folder / "many.txt", root=f"{folder}/")
        convert_images(images, folder / "out", RecordFormat(), backend=backend, check_size=True,
                       progress=say)
except DataError as error:
    print(error, *error.__notes__)
"""
"""A conversion that waits for a word after every record; a limit stands for a full disk."""


@pytest.fixture
def many(folder: Path) -> Path:
    """Lists of 200 images, of which 50 are for validation."""
    rows = np.random.default_rng(1).random((200, 3))
    lines = [f"{i % 6}.png,{','.join(map(str, row))}" for i, row in enumerate(rows)]
    (folder / "many.csv").write_text("\n".join(lines))
    (folder / "many.txt").write_text("".join(f"{i % 6}.png {i}\n" for i in range(200)))
    return folder


def conversion(folder: Path, kind: str, *, backend: str = "lmdb", limit: int = 0) -> Iterator[str]:
    """The lines of a conversion in a process of its own; it is killed where no more is wanted."""
    with subprocess.Popen(
        [sys.executable, "-c", CONVERT, str(folder), kind, backend, str(limit)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            for line in child.stdout:
                yield line.strip()
                if line.strip().isdigit():
                    child.stdin.write("\n")
        finally:
            child.send_signal(signal.SIGKILL)


def records(folder: Path) -> dict[str, list[tuple[bytes, bytes]]]:
    """Everything that the databases and files of a conversion hold."""
    found = {
        file.name: [(b"", file.read_bytes())]
        for file in folder.iterdir()
        if file.is_file() and "_mean" in file.name
    }
    databases = [path for path in folder.iterdir() if path.is_dir()] or [folder]
    for path in databases:
        with Database(path) as database:
            found[path.name] = [(key, datum.SerializeToString()) for key, datum in database]
    return found


@pytest.mark.parametrize(
    ("kind", "backend"),
    [("vectors", "lmdb"), ("vectors", "leveldb"), ("classes", "lmdb"), ("classes", "leveldb")],
)
def test_kills_at_any_moment_change_nothing(many: Path, kind: str, backend: str) -> None:
    """In the first transaction, between two, in the second part, before the mean is made."""
    whole = list(conversion(many, kind, backend=backend))
    assert whole == [str(done) for done in ([*range(151), *range(150, 201)] if kind == "vectors"
                                            else range(201))]  # fmt: skip
    expected = records(many / "out")
    (many / "out").rename(many / "whole")
    starts = []
    for moment in (7, 33, 60, 149, 155, 190, 200):
        lines = conversion(many, kind, backend=backend)
        told = list(itertools.takewhile(lambda line, end=moment: int(line) < end, lines))
        starts.append([*told, str(moment)][:2])
        lines.close()
        assert not (many / "out").exists()
    starts.append(list(conversion(many, kind, backend=backend))[:2])
    # Transactions are of 20 records; those of the second part are counted behind the first's 150.
    expected_starts = {
        "vectors": "0 1, 0 1, 20 21, 60 61, 140 141, 150 150, 150 190, 150 190",
        "classes": "0 1, 0 1, 20 21, 60 61, 140 141, 140 141, 180 181, 200",
    }
    assert ", ".join(map(" ".join, starts)) == expected_starts[kind]
    assert records(many / "out") == expected
    assert not (many / "out.partial").exists()
    assert not list((many / "out").rglob("*.json"))


@pytest.mark.parametrize("kind", ["vectors", "classes"])
def test_a_full_disk_leaves_what_was_committed(many: Path, kind: str) -> None:
    *counts, told = conversion(many, kind, limit=40_000)
    assert counts[0] == "0"
    assert "cannot be written: " in told
    assert f"the partial output is kept in {many / 'out.partial'}" in told
    again = list(conversion(many, kind))
    assert 0 < int(again[0]) < int(counts[-1])
    assert again[-1] == "200"
    resumed = records(many / "out")
    (many / "out").rename(many / "resumed")
    list(conversion(many, kind))
    assert records(many / "out") == resumed


def test_a_repaired_image_is_enough_to_go_on(many: Path) -> None:
    whole = (many / "5.png").read_bytes()
    (many / "5.png").write_bytes(whole[:40])
    table, counts = read_table(many / "many.csv"), []
    with pytest.raises(DataError, match=r"many\.csv:6: 5\.png: the data is not an image") as told:
        convert_vectors(table, many / "out", RecordFormat())
    assert "is kept in" in told.value.__notes__[0]
    (many / "5.png").write_bytes(whole)
    convert_vectors(
        table, many / "out", RecordFormat(), progress=lambda done, _: counts.append(done)
    )
    assert counts == list(range(5, 201))
    convert_vectors(table, many / "whole", RecordFormat())
    assert records(many / "out") == records(many / "whole")


def test_other_images_settings_or_tables_are_not_mixed(many: Path) -> None:
    (many / "5.png").write_bytes(b"")
    table, images = read_table(many / "many.csv"), ImageList(many / "many.txt", root=f"{many}/")
    for convert, name in (
        (lambda **more: convert_vectors(table, many / "a", **more), "a"),
        (lambda **more: convert_images(images, many / "b", **more), "b"),
    ):
        with pytest.raises(DataError, match="the data is not an image"):
            convert(form=RecordFormat())
        wrong = RecordFormat((3, 4), color=True, encoded="jpg")
        with pytest.raises(UsageError) as told:
            convert(form=wrong, shuffle=True, seed=2, backend="leveldb")
        message = str(told.value)
        assert (
            f"{name}.partial: was started with other settings: width was not given, is now 4; "
            in (message)
        )
        for part in (
            "channels was not given, is now color",
            "encoded was not given, is now jpg",
            "shuffle was False, is now True",
            "seed was not given, is now 2",
            "backend was lmdb, is now leveldb",
        ):
            assert part in message


@pytest.mark.parametrize("kind", ["csv", "txt"])
def test_a_mended_list_goes_on_where_it_was(many: Path, kind: str) -> None:
    source, out = many / f"many.{kind}", many / "out"

    def convert(out: Path, **more: Any) -> None:
        if kind == "csv":
            convert_vectors(read_table(source), out, RecordFormat(), val_share=0.25, **more)
        else:
            convert_images(ImageList(source, root=f"{many}/"), out, RecordFormat(), **more)

    lines = source.read_text().splitlines()
    place = next(at for at, line in enumerate(lines) if line.startswith("5.png"))
    written, bad = list(lines), lines[place].replace("5.png", "nowhere.png")
    written[place] = bad
    source.write_text("\ufeff" + "\n".join(written))
    with pytest.raises(DataError, match=rf"many\.{kind}:{place + 1}: .*nowhere.png"):
        convert(out)
    # A line that is written already is named.
    mended = list(lines)
    mended[place - 1] = lines[place - 1] + "7"
    source.write_text("\n".join(mended))
    message = rf"many\.{kind}:{place}: .*4\.png: record 4 was already written as '4\.png.*; restore"
    with pytest.raises(UsageError, match=message):
        convert(out)
    source.write_text("\n".join([*lines[:3], "", *lines[3:]]))
    counts: list[int] = []
    convert(out, progress=lambda n, _: counts.append(n))
    assert counts[0] == 5
    source.write_text("\n".join(lines))
    convert(many / "whole")
    assert not list(out.glob("conversion*"))
    for path in (many / "whole").glob("*_mean.binaryproto"):
        assert (out / path.name).read_bytes() == path.read_bytes()
    if kind == "csv":
        for part in ("train_images", "train_labels", "val_images", "val_labels"):
            with Database(out / part) as left, Database(many / "whole" / part) as right:
                assert list(left) == list(right)
    else:
        with Database(out) as left, Database(many / "whole") as right:
            assert list(left) == list(right)


def test_images_are_stored_as_files(folder: Path) -> None:
    """A file that needs no change keeps its bytes."""
    (folder / "gray.jpg").write_bytes(encode_image(IMAGES[0][:1], "jpg"))
    (folder / "odd.gif").write_bytes((folder / "1.png").read_bytes())
    (folder / "files.txt").write_text("0.png 3\ngray.jpg 4\n")
    images = ImageList(folder / "files.txt", root=f"{folder}/")
    own, one = (folder / name for name in ("own", "one"))
    convert_images(images, own, RecordFormat(color=None, encoded=OWN))
    convert_images(images, one, RecordFormat(color=True, encoded="jpg"))
    with Database(own) as database:
        first, second = (datum for _, datum in database)
    assert first.data == (folder / "0.png").read_bytes()
    assert second.data == (folder / "gray.jpg").read_bytes()
    assert (second.encoded, second.label, second.channels, second.height) == (True, 4, 1, 5)
    with Database(one) as database:
        assert all(datum.data[:3] == b"\xff\xd8\xff" for _, datum in database)
        shapes = [decode(datum, "").shape for _, datum in database]
        assert [datum.channels for _, datum in database] == [3, 3]
    assert shapes == [(3, 5, 7), (3, 5, 7)]
    (folder / "files.txt").write_text("odd.gif 3\n")
    with pytest.raises(DataError, match=r"odd\.gif: cannot be stored as 'gif'; say as what: png"):
        convert_images(ImageList(folder / "files.txt", root=f"{folder}/"), folder / "x",
                       RecordFormat(encoded=OWN))  # fmt: skip
