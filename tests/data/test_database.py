"""Reading databases, and every wrong thing that is given in place of one."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import lmdb
import numpy as np
import pytest

from protonet.data.database import Database, check_pairs, is_leveldb
from protonet.data.datum import decode, make_datum
from protonet.errors import DataError
from protonet.proto.caffe_pb2 import Datum

Make = Callable[..., Path]


def one(value: int) -> Datum:
    return make_datum(np.full((1, 2, 3), value, np.uint8), label=value)


def test_records_in_the_order_of_keys(make_database: Make) -> None:
    with Database(make_database({"10": one(10), "9": one(9), "1": one(1)})) as database:
        assert len(database) == 3
        assert database.keys() == [b"1", b"10", b"9"]
        assert [(key, datum.label) for key, datum in database] == [
            (b"1", 1),
            (b"10", 10),
            (b"9", 9),
        ]
        key, datum = database.first()
        assert (key, datum.label) == (b"1", 1)
        assert database.get(b"9") == one(9)
        with pytest.raises(DataError, match=r"db: key '11': there is no such key"):
            database.get(b"11")


def test_caffe_s_databases(golden: Path) -> None:
    with Database(golden / "train_images") as images, Database(golden / "train_labels") as labels:
        check_pairs(images, labels)
        assert len(images) == 100
        for key, datum in images:
            assert decode(datum, "images").shape == (1, 50, 50)
            assert decode(labels.get(key), "labels").shape == (1, 1, 2)


def test_one_folder_opened_several_times(make_database: Make, tmp_path: Path) -> None:
    path = make_database()
    (tmp_path / "link").symlink_to(path)
    first, second = Database(path), Database(tmp_path / "link")
    first.close()
    first.close()
    assert second.get(b"03").label == 13
    with pytest.raises(DataError, match="the database has been closed"):
        first.get(b"03")
    second.close()
    # Nothing holds it now, so LMDB lets another one in.
    lmdb.open(str(path), lock=False).close()


def test_reading_leaves_no_trace(make_database: Make) -> None:
    path = make_database()
    before = {entry: entry.stat().st_mtime_ns for entry in path.iterdir()}
    with Database(path) as database:
        list(database)
    assert {entry: entry.stat().st_mtime_ns for entry in path.iterdir()} == before


def test_a_damaged_record(make_database: Make) -> None:
    path = make_database()
    with lmdb.open(str(path), lock=False) as environment, environment.begin(write=True) as write:
        write.put(b"03", b"\xff\xff\xff no Datum")
    with (
        Database(path) as database,
        pytest.raises(DataError, match=r"db: key '03': .* not a Datum"),
    ):
        list(database)


def test_a_key_that_is_no_text(make_database: Make) -> None:
    with Database(make_database()) as database:
        assert database.where(b"\xff1").endswith("key '\\\\xff1'")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x89HDF\r\n\x1a\n" + bytes(99), "is an HDF5 file, but a database is a folder"),
        (b"\x89PNG\r\n\x1a\n", "is an image, but"),
        (b"\xff\xd8\xff\xe0", "is an image, but"),
        (b"images/cat.png 0\n", "is a text, perhaps a prototxt, but"),
        (b"", "is empty, but"),
        (bytes(range(256)), "damaged, cut short, or no file of Caffe's, but"),
    ],
)
def test_files_in_place_of_a_database(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "given"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        Database(path)


def test_weights_in_place_of_a_database(golden: Path) -> None:
    with pytest.raises(
        DataError, match=r"is a .caffemodel \(weights\), but a database is a folder"
    ):
        Database(golden / "reg_iter_150.caffemodel")


def test_a_file_too_large_to_look_at(tmp_path: Path) -> None:
    with (tmp_path / "given").open("wb") as file:
        file.truncate(2**29 + 1)
    with pytest.raises(DataError, match="given: is a file, but a database is a folder"):
        Database(tmp_path / "given")


def test_a_folder_that_goes_away(make_database: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look at the folder and the opening."""

    def gone(*_: object, **__: object) -> None:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr("protonet.data.lmdb_store.check_pages", gone)
    with pytest.raises(DataError, match="db: cannot be read: No such file"):
        Database(make_database())


def test_the_file_inside(make_database: Make) -> None:
    path = make_database()
    with pytest.raises(DataError, match=rf"file inside a database \(give its folder, {path}\)"):
        Database(path / "data.mdb")


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="absent: there is no such database"):
        Database(tmp_path / "absent")


def test_a_folder_without_a_database(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"without data.mdb, so no database; protonet create-db"):
        Database(tmp_path)


def test_a_folder_of_databases(make_database: Make, tmp_path: Path) -> None:
    path = make_database()
    with pytest.raises(DataError, match=f"is a folder of databases; give one of them: {path}"):
        Database(tmp_path)


def test_a_leveldb_without_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "plyvel", None)
    for name in ("CURRENT", "LOG", "MANIFEST-000002", "000005.ldb"):
        (tmp_path / name).touch()
    assert is_leveldb(tmp_path)
    with pytest.raises(DataError, match=r"is a LevelDB, which needs plyvel: .*--backend=lmdb"):
        Database(tmp_path)


def test_an_lmdb_is_one_whatever_lies_beside_it(make_database: Make) -> None:
    path = make_database()
    for name in ("CURRENT", "MANIFEST-000002"):
        (path / name).touch()
    with Database(path) as database:
        assert len(database) == 7


def test_no_records(make_database: Make) -> None:
    path = make_database({})
    with pytest.raises(DataError, match="the database is empty: it has no records"):
        Database(path)
    lmdb.open(str(path), lock=False).close()


def test_garbage(tmp_path: Path) -> None:
    (tmp_path / "data.mdb").write_bytes(np.random.default_rng(0).bytes(50_000))
    with pytest.raises(DataError, match=r"data.mdb is damaged, cut short, or not an LMDB"):
        Database(tmp_path)


def test_what_lmdb_refuses(make_database: Make) -> None:
    """A version of the format that is not known: only LMDB itself looks at it."""
    path = make_database()
    data = bytearray((path / "data.mdb").read_bytes())
    data[20] = data[4096 + 20] = 99
    (path / "data.mdb").write_bytes(data)
    with pytest.raises(DataError, match=r"cannot be read: .*v99 is not supported"):
        Database(path)


def test_a_missing_permission(make_database: Make) -> None:
    """In a process of its own, which gives up root's rights where it has them."""
    path = make_database()
    script = f"""
import os
from protonet.data.database import Database
from protonet.errors import DataError
if os.geteuid() == 0:
    os.seteuid(65534)
try:
    Database({str(path)!r})
except DataError as error:
    print(error)
"""
    modes = {entry: entry.stat().st_mode for entry in (path / "data.mdb", path)}
    try:
        for entry in modes:
            entry.chmod(0)
            done = subprocess.run(
                [sys.executable, "-c", script], capture_output=True, text=True, timeout=60
            )
            assert done.stdout.strip() == f"{path}: cannot be read: Permission denied", done.stderr
    finally:
        for entry, mode in reversed(modes.items()):
            entry.chmod(mode)


def test_pairs(make_database: Make) -> None:
    images = {str(i): one(i) for i in range(10)}
    labels = {key: one(0) for key in images if key not in "1234567"} | {"10": one(0), "8b": one(1)}
    with (
        Database(make_database(images, "images")) as left,
        Database(make_database(labels, "labels")) as right,
    ):
        check_pairs(left, left)
        with pytest.raises(DataError) as caught:
            check_pairs(left, right)
    assert str(caught.value) == (
        f"images and labels do not pair up: {left.path} has 10 keys, {right.path} has 5; "
        f"{left.path} lacks '10', '8b'; "
        f"{right.path} lacks '1', '2', '3', '4', '5' and 2 more"
    )


def test_a_file_that_is_replaced_while_open(make_database: Make, tmp_path: Path) -> None:
    """The open one keeps its records, and no other database is taken for it."""
    path = make_database()
    other = make_database({"x": one(1)}, "other")
    with Database(path) as database:
        (other / "data.mdb").replace(path / "data.mdb")
        assert database.get(b"03").label == 13
    with Database(path) as database:
        assert database.keys() == [b"x"]
    shutil.rmtree(other)


def pair_of(make_database: Make, left: list[str], right: list[str]) -> tuple[Path, Path]:
    return (
        make_database({key: one(0) for key in left}, "left"),
        make_database({key: one(0) for key in right}, "right"),
    )


@pytest.mark.parametrize(
    "right", [["00000000", "00000001", "00000002"], ["0", "1", "2"], ["a", "b", "c"]]
)
def test_pairs_by_position(make_database: Make, right: list[str]) -> None:
    """Images of convert_imageset, and vectors whose keys a few lines of Python made."""
    keys = ["00000000_x.png", "00000001_a.png", "00000002_k.png"]
    left, other = pair_of(make_database, keys, right)
    with Database(left) as images, Database(other) as labels:
        with pytest.raises(DataError, match=r"lacks .*\n .*it would be .*: --by-position"):
            check_pairs(images, labels)
        told = check_pairs(images, labels, by_position=True)
    assert told == (
        f"{left} and {other} have different keys: paired by their places, as in Caffe: "
        f"'00000000_x.png' with '{right[0]}', and so on"
    )


def test_numbers_whose_order_is_that_of_text_do_not_pair(make_database: Make) -> None:
    images = [f"{place:08}_x.png" for place in range(11)]
    left, right = pair_of(make_database, images, [str(place) for place in range(11)])
    with Database(left) as one_, Database(right) as other:
        for by_position in (False, True):
            with pytest.raises(
                DataError, match=r"'00000002_x\.png' would be paired with '10': keys"
            ):
                check_pairs(one_, other, by_position=by_position)
