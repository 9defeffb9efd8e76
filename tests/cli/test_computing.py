"""--no-fuse, and what is said of fusion."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def test_what_is_fused(protonet: Any, tmp_path: Path) -> None:
    path = tmp_path / "fused.prototxt"
    path.write_text(
        'layer { name: "c" type: "Convolution" bottom: "x" top: "c"\n'
        "  convolution_param { num_output: 3 kernel_size: 3 } }\n"
        'layer { name: "b" type: "BatchNorm" bottom: "c" top: "c" }\n'
        'layer { name: "r" type: "ReLU" bottom: "c" top: "c" }\n'
    )
    given = (path, "--input", "x=2x3x5x7", "-v")
    train = protonet("check", *given).stdout.splitlines()
    assert train.count("fused in training: b + r") == train.count("fused in inference: b + r") == 1
    test = protonet("check", *given, "--phase", "test").stdout.splitlines()
    assert "fused in inference: c + b + r" in test
    alone = protonet("check", *given, "--no-fuse").stdout.splitlines()
    assert "fused in training: nothing" in alone
