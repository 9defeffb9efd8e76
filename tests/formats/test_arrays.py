"""Weights as plain arrays, there and back, and files that are none."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from protonet.errors import FormatError, UsageError
from protonet.formats.arrays import SUFFIXES, read_arrays, write_arrays

WEIGHTS = {
    "conv1": [np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2), np.ones(2, np.float32)],
    "inception/a": [np.array(7.0, np.float32)],
    "shared": [None, np.zeros((2, 3))],
}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_there_and_back(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"weights{suffix}"
    write_arrays(path, WEIGHTS)
    found = read_arrays(path)
    assert set(found) == set(WEIGHTS)
    for name, params in WEIGHTS.items():
        for before, after in zip(params, found[name], strict=True):
            if before is None:
                assert after is None
            else:
                assert after is not None
                assert after.dtype == before.dtype
                np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("name", ["conv1", "conv1/x", "/0", "conv1/99999"])
def test_names_that_are_no_parameters(tmp_path: Path, suffix: str, name: str) -> None:
    path = tmp_path / f"weights{suffix}"
    if suffix == ".npz":
        np.savez(path, **{name: np.ones(2)})
    else:
        from safetensors.numpy import save_file

        save_file({name: np.ones(2)}, path)
    with pytest.raises(FormatError, match="is no parameter; expected numbers under names such as"):
        read_arrays(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_files_that_are_cut_or_none(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"weights{suffix}"
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_arrays(path)
    write_arrays(path, WEIGHTS)
    whole = path.read_bytes()
    for content in (b"", b"nothing of the kind", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(FormatError, match="is damaged, or no"):
            read_arrays(path)


def test_no_code_is_run_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    np.savez(path, allow_pickle=True, **{"conv1/0": np.array([{"a": 1}], object)})
    with pytest.raises(FormatError, match="allow_pickle"):
        read_arrays(path)


def test_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    with pytest.raises(UsageError, match=r"pip install 'protonet\[safetensors\]'"):
        write_arrays(tmp_path / "weights.safetensors", WEIGHTS)
