"""HDF5Output: rows of every pass, in a file that is whole when it has its name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.errors import LayerError, UsageError
from protonet.testing import LayerHarness

h5py = pytest.importorskip("h5py")


def writer(path: Path, *bottoms: np.ndarray) -> LayerHarness:
    text = f'type: "HDF5Output" hdf5_output_param {{ file_name: "{path}" }}'
    return LayerHarness(text, bottoms)


def test_every_pass_adds_rows(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    path = tmp_path / "out.h5"
    data, label = generator.standard_normal((3, 2, 4, 5)), np.arange(3.0)
    harness = writer(path, data, label)
    harness.forward()
    assert not path.exists()
    harness.inputs = [data + 1, label + 3]
    harness.forward()
    harness.layer.close()
    harness.layer.close()
    with h5py.File(path) as file:
        assert set(file) == {"data", "label"}
        np.testing.assert_allclose(file["data"], np.concatenate([data, data + 1]), rtol=1e-6)
        assert file["label"][:].tolist() == [0, 1, 2, 3, 4, 5]
    assert [each.name for each in tmp_path.iterdir()] == ["out.h5"]


def test_a_layer_that_never_ran_writes_nothing(tmp_path: Path) -> None:
    writer(tmp_path / "out.h5", np.ones((2, 3)), np.ones(2)).layer.close()
    assert not list(tmp_path.iterdir())


def test_a_file_that_was_there_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.h5"
    path.write_text("before")
    harness = writer(path, np.ones((2, 3)), np.ones(2))
    harness.forward()
    assert path.read_text() == "before"
    harness.layer.close()
    with h5py.File(path) as file:
        assert file["data"].shape == (2, 3)


def test_mistakes(tmp_path: Path) -> None:
    with pytest.raises(LayerError, match="hdf5_output_param needs a file_name"):
        LayerHarness('type: "HDF5Output"', [np.ones((2, 3)), np.ones(2)])
    with pytest.raises(LayerError, match="as many items in both bottoms, got 2x3 and 3"):
        writer(tmp_path / "out.h5", np.ones((2, 3)), np.ones(3))
    with pytest.raises(UsageError, match="cannot be written: No such file"):
        writer(tmp_path / "nowhere" / "out.h5", np.ones((2, 3)), np.ones(2)).forward()
