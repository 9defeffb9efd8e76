"""--untrusted: in every command that builds nets, strangers' run no code and write no files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.test_untrusted import PYTHON

STRANGE = """
layer {{ name: "in" type: "Input" top: "x" top: "y"
  input_param {{ shape {{ dim: 2 dim: 3 }} shape {{ dim: 2 dim: 1 }} }} }}
{0}
"""
LAYERS = {
    "Python": 'layer { name: "mine" type: "Python" bottom: "x" top: "z"\n'
    '  python_param { module: "mine" layer: "Same" } }',
    "HDF5Output": 'layer { name: "mine" type: "HDF5Output" bottom: "x" bottom: "y"\n'
    '  hdf5_output_param { file_name: "precious.txt" } }',
}
COMMANDS = {
    "check": ("check", "net.prototxt"),
    "check phase test": ("check", "net.prototxt", "--phase", "test"),
    "time": ("time", "net.prototxt", "--iterations", "1"),
    "test": ("test", "net.prototxt", "--iterations", "1", "--weights", "none.npz"),
    "profile": ("profile", "net.prototxt", "--iterations", "1"),
    "export-onnx": ("export-onnx", "net.prototxt", "out.onnx"),
    "extract-features": ("extract-features", "none.npz", "net.prototxt", "x", "features", "1"),
}


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_that_builds_nets_can_refuse_what_runs_code_or_writes(
    protonet: Any, tmp_path: Path, name: str, layer: str
) -> None:
    (tmp_path / "mine.py").write_text(PYTHON)
    (tmp_path / "precious.txt").write_text("mine")
    np.savez(tmp_path / "none.npz", **{"other/0": np.ones(1, np.float32)})
    (tmp_path / "net.prototxt").write_text(STRANGE.format(LAYERS[layer]))
    found = protonet(*COMMANDS[name], "--untrusted")
    assert found.returncode == 3, (found.stdout, found.stderr)
    assert "net.prototxt:4:" in found.stderr
    assert "not allowed here" in found.stderr
    assert not (tmp_path / "ran").exists()
    assert (tmp_path / "precious.txt").read_text() == "mine"
    assert not (tmp_path / "features").exists()
