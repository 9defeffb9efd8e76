"""upgrade, for texts and files of weights."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from protonet.formats.caffemodel import read_weights

OLD = """
name: "old" input: "data" input_dim: 1 input_dim: 1 input_dim: 4 input_dim: 5
layers { name: "ip" type: INNER_PRODUCT bottom: "data" top: "ip" blobs_lr: 1 blobs_lr: 2
  inner_product_param { num_output: 3 } }
"""
DIGITS = Path(__file__).parents[1] / "golden" / "digits"


def test_a_text_of_an_old_dialect(protonet: Any, tmp_path: Path) -> None:
    (tmp_path / "old.prototxt").write_text(OLD)
    found = protonet("upgrade", "old.prototxt", "new.prototxt")
    assert (found.returncode, found.stdout, found.stderr) == (0, "new.prototxt\n", "")
    text = (tmp_path / "new.prototxt").read_text()
    assert 'type: "InnerProduct"' in text
    assert 'type: "Input"' in text
    assert "layers" not in text
    assert protonet("check", "new.prototxt", "--phase", "test").returncode == 0
    # What is of today already stays as it is.
    assert protonet("upgrade", "new.prototxt", "again.prototxt").returncode == 0
    assert (tmp_path / "again.prototxt").read_text() == text


def test_a_solver(protonet: Any, tmp_path: Path) -> None:
    (tmp_path / "s.prototxt").write_text('net: "x" base_lr: 0.1 solver_type: ADAM')
    assert protonet("upgrade", "--solver", "s.prototxt", "new.prototxt").returncode == 0
    text = (tmp_path / "new.prototxt").read_text()
    assert 'type: "Adam"' in text
    assert "solver_type" not in text


def test_weights_stay_as_they_are(protonet: Any, tmp_path: Path) -> None:
    shutil.copy(DIGITS / "init.caffemodel", tmp_path / "old.caffemodel")
    assert protonet("upgrade", "old.caffemodel", "new.caffemodel").returncode == 0
    old, new = (read_weights(tmp_path / f"{name}.caffemodel") for name in ("old", "new"))
    assert list(old) == list(new)
    for name, arrays in old.items():
        for before, after in zip(arrays, new[name], strict=True):
            np.testing.assert_array_equal(before, after)


def test_what_cannot_be(protonet: Any, tmp_path: Path) -> None:
    (tmp_path / "bad.prototxt").write_text("layer { nme: 3 }")
    found = protonet("upgrade", "bad.prototxt", "new.prototxt")
    assert found.returncode == 3
    assert "bad.prototxt:1" in found.stderr
    assert protonet("upgrade", "nowhere.prototxt", "new.prototxt").returncode == 2
    assert [path.name for path in tmp_path.iterdir()] == ["bad.prototxt"]


def test_caffes_three_tools(protonet: Any, tmp_path: Path) -> None:
    """The tool says what is in the files, not their names."""
    (tmp_path / "old").write_text(OLD)
    (tmp_path / "s").write_text('net: "x" base_lr: 0.1 solver_type: ADAM')
    shutil.copy(DIGITS / "digits_iter_200.caffemodel", tmp_path / "weights")
    for tool, source in (
        ("upgrade_net_proto_text", "old"),
        ("upgrade_solver_proto_text", "s"),
        ("upgrade_net_proto_binary", "weights"),
    ):
        found = protonet(tool, source, f"new_{source}")
        assert (found.returncode, found.stdout, found.stderr) == (0, f"new_{source}\n", "")
    assert 'type: "InnerProduct"' in (tmp_path / "new_old").read_text()
    assert 'type: "Adam"' in (tmp_path / "new_s").read_text()
    weights = read_weights(tmp_path / "new_weights")
    expected = read_weights(tmp_path / "weights")
    assert weights.keys() == expected.keys()
    np.testing.assert_array_equal(weights["ip2"][0], expected["ip2"][0])
    assert protonet("upgrade_net_proto_text", "old", "old").returncode == 0
    assert (tmp_path / "old").read_text() == (tmp_path / "new_old").read_text()
    wrong = protonet("upgrade_net_proto_binary", "old", "x")
    assert wrong.returncode == 5
    assert "old: is a text, perhaps a prototxt; expected a .caffemodel" in wrong.stderr
