"""Texts without a layer: refused by every command that reads a net, never a success."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

ONLY_TEST = """layer { name: "d" type: "Input" top: "d" include { phase: %s }
  input_param { shape { dim: 1 } } }"""


@pytest.mark.parametrize(
    ("command", "phase"),
    [
        (("check", "n"), "TEST"),
        (("test", "-model", "n", "-iterations", "1"), "TRAIN"),
        (("time", "-model", "n", "-iterations", "1"), "TEST"),
        (("draw", "n", "--phase", "train"), "TEST"),
        (("upgrade_net_proto_text", "n", "out"), ""),
    ],
)
def test_a_text_without_a_layer_is_refused(
    protonet: Any, tmp_path: Path, command: tuple[str, ...], phase: str
) -> None:
    texts = {"": "is empty", "# layer { }": "holds nothing but comments"}
    if phase:
        texts[ONLY_TEST % phase] = "no layer is left in phase"
    for text, message in texts.items():
        (tmp_path / "n").write_text(text)
        found = protonet(*command)
        assert (found.returncode, found.stdout) == (3, "")
        assert message in found.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["n"]


def test_a_solver_that_only_tests(protonet: Any, tmp_path: Path) -> None:
    (tmp_path / "net").write_text("""
layer { name: "d" type: "DummyData" top: "x" top: "y"
  dummy_data_param { shape { dim: 2 dim: 3 } shape { dim: 2 dim: 3 }
    data_filler { value: 3 } data_filler { value: 1 } } }
layer { type: "InnerProduct" bottom: "x" top: "ip"
  inner_product_param { num_output: 3 bias_filler { value: 3 } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "ip" bottom: "y" top: "loss" }""")
    (tmp_path / "solver").write_text(
        'net: "net" test_iter: 2 test_interval: 5 base_lr: 0.1 lr_policy: "poly" power: 1 '
        "max_iter: 0 snapshot_after_train: false"
    )
    found = protonet("train", "-solver", "solver")
    assert found.returncode == 0, found.stderr
    assert "Iteration 0, Testing net (#0)" in found.stderr + found.stdout
    assert "loss = 6 " in found.stderr + found.stdout


def test_the_stages_of_a_text_are_kept(protonet: Any, tmp_path: Path) -> None:
    (tmp_path / "net").write_text("""state { stage: "q" level: 3 }
layer { name: "d" type: "Input" top: "d" input_param { shape { dim: 1 dim: 2 } } }
layer { name: "for_q" type: "Power" bottom: "d" top: "a" include { stage: "q" } }
layer { name: "level" type: "Power" bottom: "d" top: "b" include { min_level: 1 } }""")
    found = protonet("check", "net")
    assert "for_q" in found.stdout
    assert "level" not in found.stdout
    assert "level" in protonet("check", "net", "--level", 1).stdout
    timed = protonet("time", "-model", "net", "-iterations", "1")
    assert "for_q" in timed.stdout + timed.stderr
