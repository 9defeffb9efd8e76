"""HDF5 files from strangers, and the extra that reads them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from protonet.errors import FormatError, UsageError
from protonet.formats import hdf5


def test_there_and_back(tmp_path: Path) -> None:
    with hdf5.writing(tmp_path / "x.h5") as file:
        file["pair/first"] = np.arange(6, dtype=np.float32).reshape(2, 3)
        file["pair/second"] = np.float64(1.5)
    with hdf5.reading(tmp_path / "x.h5") as file:
        nodes = hdf5.children(file["pair"])
        assert list(nodes) == ["first", "second"]
        assert hdf5.is_group(file["pair"])
        np.testing.assert_array_equal(hdf5.numbers(nodes["first"], "a"), [[0, 1, 2], [3, 4, 5]])
        assert hdf5.numbers(nodes["second"], "b") == 1.5


def test_a_failure_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), hdf5.writing(path) as file:
        file["a"] = 1 / 0
    assert path.read_text() == "old"


@pytest.mark.parametrize("size", [0, 9, 1000, 3000])
def test_files_cut_short(tmp_path: Path, size: int) -> None:
    with hdf5.writing(tmp_path / "x.h5") as file:
        file["a"] = np.zeros(1000)
    whole = (tmp_path / "x.h5").read_bytes()
    assert len(whole) > 3000
    (tmp_path / "x.h5").write_bytes(whole[:size])
    with (
        pytest.raises(FormatError, match=r"x\.h5: is damaged or cut short"),
        hdf5.reading(tmp_path / "x.h5"),
    ):
        pass


def test_links_out_of_the_file_are_not_followed(tmp_path: Path) -> None:
    with hdf5.writing(tmp_path / "secret.h5") as file:
        file["a"] = np.zeros(3)
    with hdf5.writing(tmp_path / "x.h5") as file:
        file["own"] = np.ones(3)
        file["other"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "/a")
        file["soft"] = h5py.SoftLink("/own")
    with hdf5.reading(tmp_path / "x.h5") as file:
        assert list(hdf5.children(file)) == ["own"]


def test_values_outside_the_file_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(bytes(24))
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("a", (3,), "f8", external=[(str(tmp_path / "secret"), 0, 24)])
    with hdf5.reading(tmp_path / "x.h5") as file, pytest.raises(FormatError, match="weights: exp"):
        hdf5.numbers(file["a"], "weights")


@pytest.mark.parametrize("kind", ["text", "group", "type"])
def test_what_is_no_numbers(tmp_path: Path, kind: str) -> None:
    with hdf5.writing(tmp_path / "x.h5") as file:
        if kind == "group":
            file.create_group("a")
        else:
            file["a"] = np.array(b"text") if kind == "text" else np.dtype("f4")
    with (
        hdf5.reading(tmp_path / "x.h5") as file,
        pytest.raises(FormatError, match="ip/0: expected a dataset of numbers"),
    ):
        hdf5.numbers(file["a"], "ip/0")


def test_a_small_file_that_claims_to_be_huge(tmp_path: Path) -> None:
    with hdf5.writing(tmp_path / "x.h5") as file:
        file.create_dataset("a", (10**6, 10**6), "f4", chunks=(100, 100))
    with (
        hdf5.reading(tmp_path / "x.h5") as file,
        pytest.raises(FormatError, match=r"shape \(1000000, 1000000\), more than its file can"),
    ):
        hdf5.numbers(file["a"], "ip/0")


def test_without_h5py_the_extra_is_named() -> None:
    code = (
        "import sys; sys.modules['h5py'] = None\n"
        "from protonet.errors import UsageError\n"
        "from protonet.formats.caffemodel import read_weights\n"
        "try:\n    read_weights(sys.argv[1])\n"
        "except UsageError as error:\n    print(error)\n"
    )
    golden = Path(__file__).parents[1] / "golden" / "solvers" / "adam" / "snap_iter_5.caffemodel.h5"
    done = subprocess.run(
        [sys.executable, "-c", code, str(golden)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "HDF5 files need h5py: pip install 'protonet[hdf5]'\n"


def test_h5py_is_imported_only_when_needed() -> None:
    code = "import sys, protonet.formats.solverstate; print('h5py' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_missing_h5py_in_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(UsageError, match=r"protonet\[hdf5\]"), hdf5.writing(tmp_path / "x.h5"):
        pass
    assert not list(tmp_path.iterdir())
