"""What a wheel holds."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_wheel_has_code_grammar_pages_schema_and_examples(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet",
         "--config-settings=cmake.define.INSTRUCTION_SETS=baseline",
         f"--config-settings=build-dir={tmp_path / 'build'}",
         "--wheel-dir", str(tmp_path), str(ROOT)],
        check=True,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        archive.extractall(tmp_path / "installed")
    assert {
        "protonet/proto/caffe_pb2.py",
        "protonet/proto/grammar.lark",
        "protonet/py.typed",
        "protonet/pages/layers/Power.md",
        "protonet/pages/caffe.proto",
        "protonet/pages/examples/gradients/net.prototxt",
    } <= names
    assert any(name.startswith("protonet/kernels/native/baseline.") for name in names)
    assert not any(name.endswith((".cpp", ".h")) for name in names)
    assert not any(name.startswith("tests/") for name in names)
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from protonet.resources import layer_page; print(layer_page('Power')); "
            "from protonet.kernels.native import baseline; assert baseline.lanes == 4",
        ],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "installed")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("# Power")
