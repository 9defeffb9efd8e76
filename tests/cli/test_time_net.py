"""time, run as a user of Caffe runs it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

DIGITS = Path(__file__).parents[1] / "golden" / "digits"


def test_caffes_lines_and_the_costs(protonet: Any, tmp_path: Path) -> None:
    shutil.copytree(DIGITS, tmp_path, dirs_exist_ok=True)
    found = protonet("time", "-model", "train_val.prototxt", "-iterations", 2, "-phase", "TRAIN")
    assert (found.returncode, found.stderr) == (0, "")
    timed = re.findall(r"^\s*(\S+)\t(forward|backward): (\S+) ms\.$", found.stdout, re.MULTILINE)
    assert [name for name, what, _ in timed if what == "forward"][:3] == [
        "digits",
        "conv1",
        "pool1",
    ]
    assert re.search(r"^Average Forward-Backward: \S+ ms\.$", found.stdout, re.MULTILINE)
    (row,) = re.findall(r"^conv1 +Convolution .*$", found.stdout, re.MULTILINE)
    assert " 0.259 " in row  # 2 x 8 x 9 weights at 50 x 6 x 6 places
    assert row.count("%") == 1


def test_a_net_that_computes_nothing(protonet: Any, tmp_path: Path) -> None:
    text = 'layer { name: "a" type: "Input" top: "x" input_param { shape { dim: 1 } } }'
    (tmp_path / "net.prototxt").write_text(text)
    found = protonet("time", "net.prototxt", "--iterations", 1)
    assert (found.returncode, found.stderr) == (0, "")
    assert "Average Forward pass: 0 ms." in found.stdout
    assert "%" not in found.stdout
