"""What a net takes of a file: the same as ``Net.load`` does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from protonet.device import Device
from protonet.errors import OtherNetError
from protonet.graph.net import Net
from protonet.graph.plan import Plan
from protonet.graph.planning import plan_net
from protonet.graph.weights_report import report_of_files, weights_report
from tests.jobs.nets import net_of

TEXT = """
layer { name: "data" type: "Input" top: "data"
  input_param { shape { dim: 2 dim: 3 dim: 5 dim: 7 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 } }
layer { name: "one" type: "InnerProduct" bottom: "conv" top: "one" param { name: "w" }
  param { name: "b" } inner_product_param { num_output: 6 } }
layer { name: "two" type: "InnerProduct" bottom: "conv" top: "two" param { name: "w" }
  param { name: "b" } inner_product_param { num_output: 6 } }
layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "bn" }
layer { name: "out" type: "InnerProduct" bottom: "one" top: "out"
  inner_product_param { num_output: 2 } }
"""
CONV = [np.zeros((4, 3, 3, 3)), np.zeros(4)]
ONE = [np.zeros((6, 60)), np.zeros(6)]
NORM = [np.zeros(4), np.zeros(4), np.zeros(1)]

Weights = Mapping[str, Sequence[np.ndarray | None]]


@pytest.fixture(scope="module")
def plan() -> Plan:
    return plan_net(net_of(TEXT), phase=1)


def test_what_is_loaded_differs_is_new_or_unused(plan: Plan) -> None:
    wrong = [np.zeros((5, 6)), np.zeros(5)]
    report = weights_report(plan, {"conv": CONV, "out": wrong, "fc8": wrong, "relu": []})
    assert [(each.name, each.type, each.state) for each in report.layers] == [
        ("conv", "Convolution", "loaded"),
        ("one", "InnerProduct", "new"),
        ("two", "InnerProduct", "new"),
        ("bn", "BatchNorm", "new"),
        ("out", "InnerProduct", "differs"),
    ]
    assert report.layers[4].told == "found 5x6, 5, expected 2x6, 2"
    assert report.layers[1].found == ()
    assert [(each.name, each.found) for each in report.unused] == [("fc8", ((5, 6), (5,)))]
    assert report.names("new") == ["one", "two", "bn"]


@pytest.mark.parametrize(
    "weights",
    [
        {"conv": CONV, "one": ONE, "bn": NORM},
        {"conv": [CONV[0].reshape(1, 4, 27, 1), CONV[1]], "two": ONE},
        {"conv": [*CONV[:1]], "one": [ONE[0], None], "other": ONE},
        {"conv": [CONV[0], CONV[1].reshape(1, 1, 1, 4)], "two": [None, None], "bn": NORM[:2]},
        {"conv": [], "out": ONE},
        {},
    ],
)
def test_it_is_what_a_net_does(plan: Plan, weights: Weights) -> None:
    report = weights_report(plan, weights)
    net = Net(plan, Device())
    done = net.load(weights, "file", allow_mismatch=True)
    assert set(done.loaded) <= set(report.names("loaded"))
    assert [each.name for each in report.unused] == list(done.unused)
    differing = report.names("differs")
    assert [name for name in done.absent if name not in differing] == report.names("new")
    assert all(any(f"'{name}'" in told for told in done.mismatched) for name in differing)
    assert bool(differing) == bool(done.mismatched)
    if differing:
        with pytest.raises(OtherNetError):
            net.load(weights, "file")


def test_files_in_order(plan: Plan) -> None:
    report = report_of_files(plan, [{"conv": CONV, "a": ONE}, {"conv": ONE, "one": ONE}, {}])
    states = {each.name: each.state for each in report.layers}
    assert states == {
        "conv": "differs", "one": "loaded", "two": "loaded", "bn": "new", "out": "new",
    }  # fmt: skip
    assert [each.name for each in report.unused] == ["a"]
    assert report_of_files(plan, []).layers == ()
