"""Files of weights are compared with a plan, and refused where a training would refuse them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.errors import FormatError, OtherNetError
from protonet.formats.caffemodel import write_weights
from protonet.graph.plan import Plan
from protonet.graph.planning import plan_net
from protonet.jobs.checks.weights import files_report, mismatch, refuse_mismatch
from tests.jobs.nets import net_of

TEXT = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "a" type: "InnerProduct" bottom: "data" top: "a"
  inner_product_param { num_output: 4 } }
layer { name: "b" type: "InnerProduct" bottom: "a" top: "b"
  inner_product_param { num_output: 5 } }
"""
A, B = [np.zeros((4, 3)), np.zeros(4)], [np.zeros((5, 4)), np.zeros(5)]


@pytest.fixture(scope="module")
def plan() -> Plan:
    return plan_net(net_of(TEXT), phase=1)


def test_files_in_order(plan: Plan, tmp_path: Path) -> None:
    one, two = tmp_path / "one.caffemodel", tmp_path / "two.npz"
    write_weights(one, {"a": A, "c": A})
    write_weights(two, {"b": B})
    report = files_report(plan, [one, two])
    assert report.names("loaded") == ["a", "b"]
    refuse_mismatch(report, "one", allowed=False)
    (tmp_path / "empty.caffemodel").touch()
    with pytest.raises(FormatError, match="empty"):
        files_report(plan, [tmp_path / "empty.caffemodel"])


def test_what_a_training_would_refuse(plan: Plan, tmp_path: Path) -> None:
    path = tmp_path / "w.caffemodel"
    write_weights(path, {"a": A, "b": A})
    report = files_report(plan, [path])
    refuse_mismatch(report, "w", allowed=True)
    assert mismatch(report, "w", allowed=True) == ""
    assert mismatch(report, "w", allowed=False).startswith("w: the weights are of another net")
    told = (
        r"w: the weights are of another net:\n  layer 'b': found 4x3, 4, expected 5x4, 5\n  --all"
    )
    with pytest.raises(OtherNetError, match=told):
        refuse_mismatch(report, "w", allowed=False)
    write_weights(path, {"fc6": A, "fc7": B})
    with pytest.raises(
        OtherNetError, match="takes its weights; they are for layers named fc6, fc7"
    ):
        refuse_mismatch(files_report(plan, [path]), "w", allowed=False)
