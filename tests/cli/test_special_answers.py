"""Which answers a net has; tests/cli/test_infer.py has the command."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from protonet.cli.box_pictures import BoxPictures
from protonet.cli.special_answers import special_answers
from protonet.errors import UsageError
from protonet.proto.text import Source
from tests.jobs.nets import DETECTOR

INPUT = """layer { name: "in" type: "Input" top: "data"
  input_param { shape { dim: 1 dim: 3 dim: 24 dim: 32 } } }
"""


def predictor(text: str) -> Any:
    outputs = {"found": (1, 1, 1, 7)} if "DetectionOutput" in text else {"p": (1, 3)}
    return SimpleNamespace(source=Source("deploy.prototxt", text), outputs=outputs)


def test_a_detector_and_a_net_of_numbers(tmp_path: Path) -> None:
    detector = predictor(INPUT + DETECTOR[: DETECTOR.index('layer { name: "eval"')])
    found = special_answers(detector, Path("run"), tmp_path / "made", 0.5, 0.3)
    assert isinstance(found, BoxPictures)
    assert (tmp_path / "made").is_dir()
    numbers = predictor(INPUT + 'layer { name: "p" type: "Softmax" bottom: "data" top: "p" }')
    assert special_answers(numbers, Path("run"), None, 0.5, 0.3) is None
    with pytest.raises(UsageError, match="run: --picture needs a net that predicts maps of"):
        special_answers(numbers, Path("run"), tmp_path / "not", 0.5, 0.3)
    assert not (tmp_path / "not").exists()
