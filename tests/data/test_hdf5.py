"""Rows of HDF5 files."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from protonet.data.hdf5 import RowSource, listed_files
from protonet.errors import DataError


def write(path: Path, first: int, count: int, **more: np.ndarray) -> Path:
    rows = np.arange(first, first + count, dtype=np.float64)
    with h5py.File(path, "w") as file:
        file["x"] = np.repeat(rows, 6).reshape(count, 2, 3)
        file["y"] = -rows
        for name, values in more.items():
            file[name] = values
    return path


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return [write(tmp_path / "a.h5", 0, 3), write(tmp_path / "b.h5", 3, 4)]


def take(source: RowSource, batch: int) -> list[float]:
    x, y = np.empty((batch, 2, 3), np.float32), np.empty(batch, np.float32)
    source.next([x, y])
    assert (x == x[:, :1, :1]).all()
    np.testing.assert_array_equal(x[:, 0, 0], -y)
    return [float(value) for value in x[:, 0, 0]]


def test_rows_come_file_after_file_and_wrap_in_a_batch(files: list[Path]) -> None:
    source = RowSource(files, ["x", "y"])
    assert (source.shapes, source.length) == ([(2, 3), ()], 7)
    assert take(source, 5) == [0, 1, 2, 3, 4]
    assert take(source, 5) == [5, 6, 0, 1, 2]
    source.position = 6
    assert take(source, 2) == [6, 0]


def test_a_shuffled_pass_has_every_row_once_and_an_order_of_its_own(files: list[Path]) -> None:
    source = RowSource(files, ["x", "y"], shuffle=True, seed=3)
    passes = [take(source, 7) for _ in range(4)]
    assert all(sorted(each) == list(range(7)) for each in passes)
    assert len({tuple(each) for each in passes}) > 1
    again = RowSource(files, ["x", "y"], shuffle=True, seed=3)
    again.position = 14
    assert take(again, 7) == passes[2]
    assert [take(RowSource(files, ["x", "y"], shuffle=True, seed=4), 7)] != passes[:1]


def test_a_list_names_files_here_or_beside_it(
    tmp_path: Path, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "list.txt").write_text(f"a.h5\n\n{files[1]}\n")
    assert listed_files(tmp_path / "list.txt") == [tmp_path / "a.h5", files[1]]
    monkeypatch.chdir(tmp_path)
    assert listed_files(tmp_path / "list.txt")[0] == Path("a.h5")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read as a list"),
        ("", "names no HDF5 file"),
        ("absent.h5", "names absent.h5, which"),
    ],
)
def test_lists_that_lead_nowhere(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "list.txt").write_text(content)
    with pytest.raises(DataError, match=message):
        listed_files(tmp_path / "list.txt")


def test_files_that_do_not_fit(tmp_path: Path, files: list[Path]) -> None:
    with pytest.raises(DataError, match=r"a\.h5: has no dataset 'z'; it has 'x', 'y'"):
        RowSource(files, ["x", "z"])
    short = write(tmp_path / "short.h5", 0, 3, z=np.zeros(2), scalar=np.float64(1))
    with pytest.raises(DataError, match=r"short\.h5: 'z' has 2 rows, 'x' has 3"):
        RowSource([short], ["x", "z"])
    with pytest.raises(DataError, match="'scalar' is not a dataset of rows"):
        RowSource([short], ["x", "scalar"])
    with h5py.File(tmp_path / "odd.h5", "w") as file:
        file["x"], file["y"] = np.zeros((2, 5)), np.zeros(2)
    with pytest.raises(DataError, match=r"odd\.h5: its rows have shapes"):
        RowSource([files[0], tmp_path / "odd.h5"], ["x", "y"])
    empty = write(tmp_path / "empty.h5", 0, 0)
    with pytest.raises(DataError, match="there is no row"):
        RowSource([empty], ["x", "y"])


def test_damaged_files(tmp_path: Path, files: list[Path]) -> None:
    whole = files[0].read_bytes()
    files[0].write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"a\.h5: is damaged"):
        RowSource(files, ["x", "y"])
