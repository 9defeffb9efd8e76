"""Files that LMDB would end the process over are refused; whole ones never are."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import lmdb
import numpy as np
import pytest

from protonet.data.lmdb_pages import check_pages
from protonet.errors import DataError

PAGE = 4096
DEPTH_AT, ENTRIES_AT, ROOT_AT, TRANSACTION_AT, FLAGS_AT = 94, 120, 128, 144, 92

READER = """
import sys
from pathlib import Path
from protonet.data.database import Database
from protonet.data.datum import decode
from protonet.errors import DataError
refused = 0
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        with Database(path) as database:
            for key, datum in database:
                decode(datum, database.where(key))
    except DataError:
        refused += 1
print(refused)
"""


def fill(folder: Path, count: int, size: int) -> Path:
    """An LMDB of ``count`` values of ``size`` bytes; more than one level from 200 on."""
    with (
        lmdb.open(str(folder), map_size=2**26, lock=False) as environment,
        environment.begin(write=True) as transaction,
    ):
        for index in range(count):
            transaction.put(f"{index:040}".encode(), bytes(size))
    return folder / "data.mdb"


def newest_meta(data: bytes) -> int:
    """The offset of the meta page that counts."""
    return max((0, PAGE), key=lambda at: struct.unpack_from("<Q", data, at + TRANSACTION_AT))


def root_of(data: bytes) -> int:
    (root,) = struct.unpack_from("<Q", data, newest_meta(data) + ROOT_AT)
    return int(root)


@pytest.mark.parametrize("size", [10, 1900, 2500, 9000])
@pytest.mark.parametrize("count", [0, 1, 60, 2000])
def test_whole_files_pass(tmp_path: Path, count: int, size: int) -> None:
    check_pages(fill(tmp_path / "db", count, size), "db")


def test_a_file_may_be_shorter_than_its_header_says(tmp_path: Path) -> None:
    """Pages that were used and freed again in one transaction are never written."""
    with lmdb.open(str(tmp_path), map_size=2**24, lock=False) as environment:
        for size in (5 * PAGE, 10 * PAGE, 15 * PAGE):
            with environment.begin(write=True) as transaction:
                transaction.put(b"stays", b"1")
                transaction.put(b"goes", bytes(size))
                transaction.delete(b"goes")
    data = (tmp_path / "data.mdb").read_bytes()
    (last,) = struct.unpack_from("<Q", data, newest_meta(data) + 136)
    assert (last + 1) * PAGE > len(data), "LMDB writes such pages now: the test shows nothing"
    check_pages(tmp_path / "data.mdb", "db")


@pytest.mark.parametrize("kept", [0, 100, PAGE, 2 * PAGE, 3 * PAGE + 5])
def test_a_file_cut_short(tmp_path: Path, kept: int) -> None:
    file = fill(tmp_path / "db", 60, 2500)
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(
        DataError, match=r"^db: data.mdb is damaged, cut short, or not an LMDB: it has"
    ):
        check_pages(file, "db")


def test_values_beyond_the_end(tmp_path: Path) -> None:
    file = fill(tmp_path / "db", 1, 9 * PAGE)
    data = file.read_bytes()
    file.write_bytes(data[:-PAGE] if root_of(data) < len(data) // PAGE - 1 else data)
    with pytest.raises(DataError, match=r"lie beyond|is needed"):
        check_pages(file, "db")


@pytest.mark.parametrize(
    ("at", "form", "value", "message"),
    [
        (FLAGS_AT, "<H", 4, "ordered or repeated in a way that Caffe's are not"),
        (DEPTH_AT, "<H", 0, "says a tree of 0 levels"),
        (DEPTH_AT, "<H", 90, "says a tree of 90 levels"),
        (DEPTH_AT, "<H", 1, "page [0-9]+ is damaged"),
        (ENTRIES_AT, "<Q", 1999, "says 1999 records, but it has 2000"),
        (ROOT_AT, "<Q", 0, "page 0 is needed"),
        (ROOT_AT, "<Q", 2**40, f"page {2**40} is needed"),
        (ROOT_AT, "<Q", 3, "page 3 is damaged"),
        (40, "<I", 5000, "says pages of 5000 bytes"),
        (16, "<I", 7, "does not start like an LMDB"),
        (PAGE + 16, "<I", 7, "its second header is not one of an LMDB"),
    ],
)
def test_damaged_headers(tmp_path: Path, at: int, form: str, value: int, message: str) -> None:
    file = fill(tmp_path / "db", 2000, 10)
    data = bytearray(file.read_bytes())
    start = newest_meta(data) if at not in (16, 40, PAGE + 16) else 0
    struct.pack_into(form, data, start + at, value)
    file.write_bytes(data)
    with pytest.raises(DataError, match=message):
        check_pages(file, "db")


@pytest.mark.parametrize(
    ("at", "form", "value"),
    [
        (0, "<Q", 999),  # another page's number
        (10, "<H", 4),  # an overflow page
        (12, "<H", 16),  # no nodes
        (12, "<H", 3),  # nodes that begin in the header
        (14, "<H", 65535),  # free space beyond the page
        (16, "<H", 4095),  # a node at an odd place, across the end
    ],
)
def test_damaged_roots(tmp_path: Path, at: int, form: str, value: int) -> None:
    file = fill(tmp_path / "db", 2000, 10)
    data = bytearray(file.read_bytes())
    root = root_of(data)
    struct.pack_into(form, data, root * PAGE + at, value)
    file.write_bytes(data)
    with pytest.raises(DataError, match=f"page {root} is damaged"):
        check_pages(file, "db")


def test_a_tree_that_bites_its_tail(tmp_path: Path) -> None:
    """All children of the root are one page: more leaves than pages, or wrong counts."""
    file = fill(tmp_path / "db", 2000, 10)
    data = bytearray(file.read_bytes())
    start = root_of(data) * PAGE
    (lower,) = struct.unpack_from("<H", data, start + 12)
    nodes = np.frombuffer(bytes(data[start + 16 : start + lower]), "<u2")
    first = data[start + nodes[0] : start + nodes[0] + 6]
    for node in nodes:
        data[start + node : start + node + 6] = first
    file.write_bytes(data)
    with pytest.raises(DataError, match="says 2000 records, but it has"):
        check_pages(file, "db")


def test_more_children_than_pages(tmp_path: Path) -> None:
    file = fill(tmp_path / "db", 2000, 10)
    data = bytearray(file.read_bytes())
    file.write_bytes(data[: (root_of(data) + 1) * PAGE])
    with pytest.raises(DataError, match=r"but its tree needs more|is needed"):
        check_pages(file, "db")


def test_a_value_larger_than_its_page(tmp_path: Path) -> None:
    file = fill(tmp_path / "db", 3, 10)
    data = bytearray(file.read_bytes())
    root = root_of(data)
    (node,) = struct.unpack_from("<H", data, root * PAGE + 16)
    struct.pack_into("<H", data, root * PAGE + node, 60000)
    file.write_bytes(data)
    with pytest.raises(DataError, match=f"page {root} is damaged"):
        check_pages(file, "db")


def test_an_unreadable_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read: No such file"):
        check_pages(tmp_path / "absent", "db")


def test_no_damage_ends_the_process(tmp_path: Path, golden: Path) -> None:
    """Zeroed pages, random pages, random bytes, cuts: in a process that reads all of them."""
    whole = (golden / "train_images" / "data.mdb").read_bytes()
    generator = np.random.default_rng(8)
    for case in range(80):
        data = bytearray(whole)
        page = int(generator.integers(2, len(data) // PAGE)) * PAGE
        if case % 4 == 0:
            data[page : page + PAGE] = bytes(PAGE)
        elif case % 4 == 1:
            data[page : page + PAGE] = generator.bytes(PAGE)
        elif case % 4 == 2:
            for place in generator.integers(0, len(data), 30):
                data[place] = generator.integers(256)
        else:
            del data[int(generator.integers(len(data))) :]
        folder = tmp_path / f"{case:02}"
        folder.mkdir()
        (folder / "data.mdb").write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-c", READER, str(tmp_path)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 70
