"""Files that grow: whole at the end, absent before, and nothing where the disk is full."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from protonet.errors import FormatError, UsageError
from protonet.formats import hdf5_rows as module
from protonet.formats.hdf5_rows import RowWriter

X = np.random.default_rng(0).standard_normal((7, 3, 2)).astype(np.float32)
Y = np.arange(7, dtype=np.float64)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_rows_are_appended(tmp_path: Path) -> None:
    path = tmp_path / "rows.h5"
    writer = RowWriter(path)
    for start, stop in ((0, 3), (3, 4), (4, 7)):
        writer.append({"x": X[start:stop], "y": Y[start:stop]})
        assert not path.exists()
    assert writer.rows == 7
    writer.close()
    writer.close()
    assert names(tmp_path) == ["rows.h5"]
    with h5py.File(path) as file:
        np.testing.assert_array_equal(file["x"][()], X)
        np.testing.assert_array_equal(file["y"][()], Y)
        assert (file["x"].dtype, file["y"].dtype) == (np.float32, np.float64)


def test_rows_larger_than_a_chunk(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).standard_normal((3, 50_000, 2))
    writer = RowWriter(tmp_path / "rows.h5")
    for row in rows:
        writer.append({"x": row[None]})
    writer.close()
    with h5py.File(tmp_path / "rows.h5") as file:
        np.testing.assert_array_equal(file["x"][()], rows)


def test_what_was_there_stays_until_the_end(tmp_path: Path) -> None:
    path = tmp_path / "rows.h5"
    path.write_bytes(b"before")
    writer = RowWriter(path)
    writer.append({"x": X})
    assert path.read_bytes() == b"before"
    writer.discard()
    writer.discard()
    assert path.read_bytes() == b"before"
    assert names(tmp_path) == ["rows.h5"]
    with pytest.raises(FormatError, match=r"rows.h5: has been closed"):
        writer.append({"x": X})


def test_a_process_that_is_killed_leaves_no_file(tmp_path: Path) -> None:
    script = f"""
import os, numpy as np
from protonet.formats.hdf5_rows import RowWriter
writer = RowWriter({str(tmp_path / "rows.h5")!r})
writer.append({{"x": np.ones((5, 2))}})
os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", script], timeout=60)
    assert done.returncode == -9
    (left,) = names(tmp_path)
    assert left.startswith(".rows.h5.")
    assert left.endswith(".part")


def test_another_shape_is_refused(tmp_path: Path) -> None:
    writer = RowWriter(tmp_path / "rows.h5")
    writer.append({"x": X})
    with pytest.raises(FormatError, match=r"rows of 'x' have shape \(2,\), those before .*\(3, 2"):
        writer.append({"x": X[:, 0]})
    writer.close()
    with h5py.File(tmp_path / "rows.h5") as file:
        np.testing.assert_array_equal(file["x"][()], X)


def test_an_interrupt_between_two_datasets_leaves_equal_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = RowWriter(tmp_path / "rows.h5")
    writer.append({"x": X[:2], "y": Y[:2]})
    real = RowWriter._dataset

    def interrupted(self: RowWriter, name: str, rows: np.ndarray) -> object:
        if name == "y":
            raise KeyboardInterrupt
        return real(self, name, rows)

    monkeypatch.setattr(RowWriter, "_dataset", interrupted)
    with pytest.raises(KeyboardInterrupt):
        writer.append({"x": X[2:], "y": Y[2:]})
    writer.close()
    with h5py.File(tmp_path / "rows.h5") as file:
        assert (len(file["x"]), len(file["y"])) == (2, 2)


class Full(module._Disk):
    """A disk that is full after some bytes."""

    room = 1_000_000

    def write(self, data: object) -> int:
        if self.error is None and self.tell() + memoryview(data).nbytes > self.room:
            self.error = OSError(28, "No space left on device")
        return super().write(data)


@pytest.mark.parametrize("early", [True, False])
def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, early: bool) -> None:
    """While rows are appended, or only when the last bytes are written."""
    monkeypatch.setattr(module, "_Disk", Full)
    writer = RowWriter(tmp_path / "rows.h5")
    message = r"rows.h5: cannot be written: No space left on device"
    if early:
        with pytest.raises(FormatError, match=message):
            writer.append({"x": np.ones((100_000, 3), np.float32)})
        writer.close()
    else:
        writer.append({"x": np.ones((10, 3), np.float32)})
        writer._disk.room = 0
        with pytest.raises(FormatError, match=message):
            writer.close()
    assert names(tmp_path) == []


def test_what_the_system_refuses_is_kept(tmp_path: Path) -> None:
    full = module._Disk("/dev/full", "r+")
    assert full.write(b"abc") == 3
    assert full.error is not None
    assert full.truncate(5) == 5
    full.close()
    odd = module._Disk("/dev/null", "r+")
    assert odd.truncate(5) == 5
    assert odd.error is not None
    assert odd.write(b"abc") == 3
    odd.close()


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"absent/rows.h5: cannot be written: No such file"):
        RowWriter(tmp_path / "absent" / "rows.h5")
