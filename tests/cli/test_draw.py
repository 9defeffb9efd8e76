"""draw, run as a user runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

TORCH = Path(__file__).parents[1] / "golden_torch7" / "trainings" / "regression" / "model.t7"
NET = """
layer { name: "in" type: "Input" top: "data" input_param { shape { dim: 1 dim: 4 } } }
layer { name: "hidden" type: "InnerProduct" bottom: "data" top: "output"
  inner_product_param { num_output: 3 } }
layer { name: "loss" type: "EuclideanLoss" bottom: "output" bottom: "data"
  exclude { stage: "deploy" } }
"""


@pytest.fixture(autouse=True)
def net(tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(NET)


def test_the_default_is_an_svg_beside(protonet: Any, tmp_path: Path) -> None:
    found = protonet("draw", "net.prototxt")
    assert (found.returncode, found.stdout, found.stderr) == (0, "net.svg\n", "")
    text = (tmp_path / "net.svg").read_text()
    assert "InnerProduct 3" in text
    assert "EuclideanLoss" in text
    assert protonet("draw", "-", text=NET).stdout == "net.svg\n"


def test_the_layers_of_a_state(protonet: Any, tmp_path: Path) -> None:
    given = ("--phase", "test", "--stage", "deploy", "--direction", "TB")
    assert protonet("draw", "net.prototxt", "deploy.svg", *given).returncode == 0
    assert "EuclideanLoss" not in (tmp_path / "deploy.svg").read_text()


def test_the_text_of_a_diagram(protonet: Any, tmp_path: Path) -> None:
    assert protonet("draw", "net.prototxt", "net.mmd").returncode == 0
    lines = (tmp_path / "net.mmd").read_text().splitlines()
    assert lines[0] == "flowchart LR"
    assert '  n1["hidden<br/>InnerProduct 3"]' in lines
    assert '  n1 -- "output" --> n2' in lines


def test_another_kind_of_file(protonet: Any) -> None:
    found = protonet("draw", "net.prototxt", "net.gif")
    assert found.returncode == 2
    assert "expected a picture of kind svg, png, jpg, pdf" in found.stderr


def test_the_flags_of_draw_net(protonet: Any, tmp_path: Path) -> None:
    given = ("--rankdir", "BT", "--phase", "ALL", "--display_lrm")
    assert protonet("draw_net.py", "net.prototxt", "net.mmd", *given).returncode == 0
    lines = (tmp_path / "net.mmd").read_text().splitlines()
    assert lines[0] == "flowchart BT"
    assert '  n1["hidden<br/>InnerProduct 3, lr_mult 1"]' in lines
    assert '  n2["loss<br/>EuclideanLoss"]' in lines
    assert protonet("draw_net", "net.prototxt", "net.jpg", "--phase", "TEST").returncode == 0
    assert (tmp_path / "net.jpg").read_bytes().startswith(b"\xff\xd8\xff")


def test_a_model_of_torch7(protonet: Any, tmp_path: Path) -> None:
    found = protonet("draw", TORCH, tmp_path / "net.mmd")
    assert (found.returncode, found.stderr) == (0, "")
    assert "Linear1" in (tmp_path / "net.mmd").read_text()
